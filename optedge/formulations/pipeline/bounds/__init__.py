"""Lower bounds on the objective of a pipeline, most of them certified.

Begin with ``named``, which has them by name. ``counts`` and ``grid`` count cuts, the latter over
time; ``programs`` holds the linear programs of both, ``merged`` joins cuts that hardly differ.
``openers`` adds which tasks the cloud serves first, ``refuting`` tries values one after the other,
``ends`` fits the grid to the last tasks.
"""

"""The explicit models in Pyomo.

Begin with ``explicit``, which states them all, builds them and reads them back. One file holds the
rows of each: ``arcs`` (the kinds ``pairs`` and ``static``), ``balance``, ``disjunctive``,
``slots`` (the kind ``time``). ``schedules`` is what models of schedules know beforehand.
"""

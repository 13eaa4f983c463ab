"""Deadlines: whether a schedule with a makespan of at most T exists, in whole numbers.

``instance`` makes whole numbers of a :class:`~optedge.MakespanProblem`; ``knapsacks`` packs the
machines exactly, with ``states`` where units are fine and ``counted`` where times are near to each
other; ``prices`` values the tasks and ``fixing`` forbids pairs; ``root`` refutes deadlines from the
linear bound upwards; ``certificates`` proves that anew, in plain NumPy.

What the root leaves open is searched by ``dives`` and a complete ``tree``. ``groups`` of machines
share their tasks anew by prices; ``improving`` brings schedules down to a deadline (by ``sharing``
the tasks of pairs), ``cooling`` and ``incumbents`` do so without prices. ``compiling`` keeps the
kernels of the room small.
"""

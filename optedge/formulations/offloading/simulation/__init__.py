"""From an assignment to a schedule, compiled.

Begin with ``simulate``, which says which simulation serves which instance: ``first_come`` and,
quicker, ``chains`` by arrival, ``events`` by rank, ``planning`` task by task. ``arrays`` is what
they read and write, ``heaps`` and ``timetable`` what they are built on. ``weighing`` values the
result; ``greedy`` places layers beside those already placed.
"""

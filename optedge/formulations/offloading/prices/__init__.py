"""Prices on the time of servers, for chains: certified bounds, and schedules found along them.

Begin with ``certificates``, where the formulas stand, and ``classes``, the arrays of tasks that
prices do not tell apart. ``lattice`` are the cells of time, ``pricing`` finds the cheapest path of
a task, ``ascent`` moves the prices; ``insertion`` and ``recreation`` build planned schedules out of
the paths. The solver that turns the handle is ``solvers.priced_schedules``.
"""

"""Small instances in whole units, with missing pairs and ready loads, and schedules of them."""

import numpy as np

from optedge.formulations.deadlines.instance import BIG, Tasks


def random_tasks(rng, n, m, *, missing=0.3, largest=30):
    """Draw an instance with missing pairs, ready loads and some zero times; read-only arrays."""
    allowed = rng.random((n, m)) >= missing
    allowed[np.arange(n), rng.integers(m, size=n)] = True
    times = np.where(allowed, rng.integers(0, largest, (n, m)), BIG)
    tasks = Tasks(times, allowed, rng.integers(0, largest, m))
    for array in tasks:
        array.setflags(write=False)
    return tasks


def random_schedule(rng, allowed):
    """Draw an allowed machine for each task."""
    return np.array([rng.choice(np.flatnonzero(row)) for row in allowed])


def makespan(tasks, machine):
    """Return the makespan by a plain loop."""
    loads = [int(r) for r in tasks.ready]
    for i, j in enumerate(machine):
        assert tasks.allowed[i, j]
        loads[j] += int(tasks.times[i, j])
    return max(loads)

"""Instances of the pipeline problem and a simulator in plain Python, for several test files.

The simulator is written from the specification (``migration.md`` 3c): it reads the fields of an
instance and nothing else of the package.
"""

import itertools
import math

import numpy as np

from optedge.formulations.pipeline import PipelinePlan, PipelineProblem

A = [[0, 6, 4], [2, 3, 3], [5, 1, 1], [9, 0, 0]]
B = [[0, 1, 5], [1, 2, 3], [4, 1, 2], [8, 0, 0]]
ARRIVALS = {
    "A2": [[0, 0], [0, 0]],
    "B2": [[0, 0], [0, 0]],
    "B1": [[0, 1, 2, 3]],
    "B3": [[0], [0], [0]],
    "Bm": [[0, 3], [1, 4]],
}
# Section 7: (makespan, mean delay) of single-cutting, cloud-only and edge-only, then the least
# makespan, the least mean delay and the least makespan without hold.
EXAMPLES = {
    ("A2", 1): ((14, 10.5), (40, 25), (18, 13.5), 14, 10.5, 12),
    ("A2", 2): ((13, 10), (24, 17), (18, 13.5), 11, 9.75, 11),
    ("A2", 20): ((13, 10), (22, 16), (18, 13.5), 11, 9.75, 11),
    ("B2", 1): ((24, 15), (24, 15), (16, 12), 13, 9, 11),
    ("B2", 2): ((21, 13.5), (21, 13.5), (16, 12), 9, 8, 9),
    ("B2", 20): ((21, 13.5), (21, 13.5), (16, 12), 9, 8, 9),
    ("B1", 1): ((24, 13.5), (24, 13.5), (32, 18.5), 17, 9.75, 14),
    ("B1", 2): ((21, 12), (21, 12), (32, 18.5), 13, 8, 12),
    ("B3", 1): ((18, 12), (18, 12), (8, 8), 8, 22 / 3, 8),
    ("B3", 2): ((16, 11), (16, 11), (8, 8), 8, 22 / 3, 8),
    ("B3", 20): ((16, 11), (16, 11), (8, 8), 8, 22 / 3, 8),
    ("Bm", 1): ((24, 13), (24, 13), (17, 10.5), 13, 7.75, 12),
    ("Bm", 2): ((21, 11.5), (21, 11.5), (17, 10.5), 11, 7, 11),
}


def example(name, capacity, **fields):
    """Return one of the instances of section 7."""
    chain = A if name.startswith("A") else B
    return PipelineProblem(ARRIVALS[name], chain, capacity=capacity, **fields)


def random_pipeline(rng, tasks=(1, 7), devices=(1, 4), cuts=(2, 5), **fields):
    """Return a random instance of one to three types: whole numbers (ties) or fractions.

    Ranges are half open. Link, service, hold, goal and capacity are drawn unless given.
    """
    n, n_devices, n_cuts = (int(rng.integers(*r)) for r in (tasks, devices, cuts))
    n_types = int(rng.integers(1, 4))
    whole = rng.random() < 0.6
    shape = (n_types, n_cuts, 3)
    chains = rng.integers(0, 7, shape).astype(float) if whole else rng.uniform(0, 5, shape)
    chains[:, -1, 1:] = 0
    chains[:, -1, 0] += rng.integers(0, 6, n_types)
    chains[:, :, 0] = np.sort(chains[:, :, 0], axis=1)
    chains[:, :, 2] = -np.sort(-chains[:, :, 2], axis=1)
    if n_cuts > 2 and rng.random() < 0.2:
        chains[0, 1, 0] = math.inf
    owner = rng.integers(0, n_devices, n)
    arrivals = []
    for e in range(n_devices):
        size = int((owner == e).sum())
        row = rng.integers(0, 6, size) if whole else rng.uniform(0, 5, size)
        arrivals.append(sorted(row.tolist()) if rng.random() < 0.7 else [0] * size)
    drawn = {
        "capacity": [1, 2, 3, math.inf][rng.integers(4)],
        "types": [rng.integers(0, n_types, len(row)).tolist() for row in arrivals],
        "link": ["delay", "device", "shared"][rng.integers(3)],
        "service": ["admission", "arrival"][rng.integers(2)],
        "hold": bool(rng.integers(2)),
        "goal": ["makespan", "mean delay"][rng.integers(2)],
    }
    return PipelineProblem(arrivals, chains, **{**drawn, **fields})


def random_plan(problem, rng):
    """Return a random feasible plan."""
    cuts = [rng.choice(np.flatnonzero(row)) for row in problem.options]
    return PipelinePlan(cuts, rng.permutation(np.repeat(*_owners(problem))))


def _owners(problem):
    return np.arange(len(problem.arrivals)), [len(row) for row in problem.arrivals]


def plain_times(problem, cuts, order):
    """Return (start, finish, admitted, sent, served, done) of each task; NaN where it stays."""
    tasks = [(e, k) for e, row in enumerate(problem.arrivals) for k in range(len(row))]
    number = {task: j for j, task in enumerate(tasks)}
    free = [0.0] * len(problem.arrivals)
    line = {}
    seen = [0] * len(problem.arrivals)
    rows = [None] * len(tasks)
    sent = []  # (arrival in the cloud, seconds there, task), in order of admission
    previous = 0.0
    last = len(problem.chains[0]) - 1
    for e in order:
        k = seen[e]
        seen[e] += 1
        j = number[e, k]
        kind = problem.types[e][k] if problem.types is not None else 0
        on_device, on_link, in_cloud = (float(v) for v in problem.chains[kind][cuts[j]])
        start = max(free[e], problem.arrivals[e][k])
        finish = start + on_device
        free[e] = finish
        if cuts[j] == last:
            rows[j] = [start, finish, math.nan, math.nan, math.nan, finish]
            continue
        admitted = max(finish, previous)
        ends = [end for _, end in plain_service(problem, sent).values()]
        while sum(end > admitted for end in ends) >= problem.capacity:
            admitted = min(end for end in ends if end > admitted)
        previous = admitted
        if problem.hold:
            free[e] = admitted
        begin = admitted
        if problem.link != "delay":
            own = e if problem.link == "device" else "all"
            begin = max(admitted, line.get(own, 0.0))
            line[own] = begin + on_link
        sent.append((begin + on_link, in_cloud, j))
        rows[j] = [start, finish, admitted, begin]
    for j, (served, end) in plain_service(problem, sent).items():
        rows[j] += [served, end]
    return np.array(rows, dtype=float)


def plain_service(problem, sent):
    """Return start and end in the cloud of each task that was sent."""
    queue = sorted(sent, key=lambda t: t[0]) if problem.service == "arrival" else sent
    clock, found = 0.0, {}
    for arrival, seconds, j in queue:
        start = max(arrival, clock)
        clock = start + seconds
        found[j] = (start, clock)
    return found


def orders(problem):
    """Yield every order in which the devices may commit."""
    names = [e for e, row in enumerate(problem.arrivals) for _ in row]
    yield from sorted(set(itertools.permutations(names)))


def plans(problem):
    """Yield every plan."""
    options = [np.flatnonzero(row).tolist() for row in problem.options]
    for order in orders(problem):
        for cuts in itertools.product(*options):
            yield PipelinePlan(cuts, order)


def brute_force(problem):
    """Return the least objective of all plans."""
    return min(problem.objective(x) for x in plans(problem))

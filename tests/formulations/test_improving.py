"""Schedules brought down to a deadline, against enumeration and by what they may never do."""

import itertools

import numpy as np
import pytest
from conftest import seeds
from schedules import makespan, random_schedule, random_tasks

import optedge as oe
from optedge.formulations.deadlines.improving import improve, loads_of
from optedge.formulations.deadlines.instance import make_instance
from optedge.formulations.deadlines.knapsacks import make_rows
from optedge.formulations.deadlines.sharing import share
from optedge.formulations.makespan_moves import longest_first
from optedge.formulations.makespan_rcmax import rcmax_files

# ------------------------------------------------------------------ the pair knapsack


@pytest.mark.parametrize("seed", seeds(150, 15))
def test_share_equals_enumeration(seed):
    """The choice keeps within the room and is worth what the best of all subsets is worth."""
    rng = np.random.default_rng(seed)
    q = int(rng.integers(0, 11))
    weights = rng.integers(0, (4, 40, 2000)[seed % 3], q)
    values = rng.integers(0, 50, q)
    if seed % 2:
        values = np.maximum(0, weights + rng.integers(-3, 3, q))
    room = int(rng.integers(0, max(1, weights.sum()) + 3))
    subsets = [s for k in range(q + 1) for s in itertools.combinations(range(q), k)]
    pairs = [(sum(weights[list(s)]), sum(values[list(s)])) for s in subsets]
    best = max(v for w, v in pairs if w <= room)
    chosen = np.empty(q, np.bool_)
    value = share(weights, values, room, chosen, make_rows(q, room))
    assert value == best == values[chosen].sum()
    assert weights[chosen].sum() <= room


@pytest.mark.parametrize("spread", [1, 20, 1000])
def test_share_of_many_tasks_equals_a_plain_table(spread):
    """Two hundred tasks of near values, where the core has to grow, against the textbook table."""
    rng = np.random.default_rng(spread)
    weights = rng.integers(1000, 1000 + spread + 1, 200)
    values = weights + rng.integers(0, 5, 200)
    room = int(weights.sum() // 3) + 501
    row = np.zeros(room + 1, np.int64)
    for w, v in zip(weights, values, strict=True):
        row[w:] = np.maximum(row[w:], row[:-w] + v)
    chosen = np.empty(200, np.bool_)
    value = share(weights, values, room, chosen, make_rows(200, room))
    assert value == row[-1] == values[chosen].sum()
    assert weights[chosen].sum() <= room


def test_share_without_memory_keeps_within_the_room():
    """Where no rows fit, the greedy choice comes back, and a bound of what a better one has."""
    weights = np.array([7, 7, 7, 10])
    chosen = np.empty(4, np.bool_)
    assert share(weights, weights, 20, chosen, make_rows(4, 20, most_bytes=1)) >= 17
    assert weights[chosen].sum() == 14


# ------------------------------------------------------------------ the search


@pytest.mark.parametrize("seed", seeds(80, 10))
def test_two_machines_end_at_the_optimum(seed):
    """On two machines one step is exact: from any schedule the least deadline is met."""
    rng = np.random.default_rng(seed)
    tasks = random_tasks(rng, int(rng.integers(1, 9)), 2)
    options = [np.flatnonzero(row) for row in tasks.allowed]
    optimum = min(makespan(tasks, x) for x in itertools.product(*options))
    start = random_schedule(rng, tasks.allowed)
    found = improve(tasks, tasks.allowed, start, optimum, rng, steps=20, heat=0.0)
    assert found.makespan == makespan(tasks, found.machine) == optimum


@pytest.mark.parametrize("seed", seeds(80, 10))
def test_never_worse_and_only_on_allowed_pairs(seed):
    """At any heat and deadline the best schedule is returned, valued by its loads, on its mask."""
    rng = np.random.default_rng(seed)
    tasks = random_tasks(rng, int(rng.integers(1, 40)), int(rng.integers(1, 7)))
    start = random_schedule(rng, tasks.allowed)
    allowed = tasks.allowed & (rng.random(tasks.allowed.shape) < 0.7)
    allowed[np.arange(start.size), start] = True
    before, kept = makespan(tasks, start), start.copy()
    deadline = int(rng.integers(0, before + 2))
    found = improve(tasks, allowed, start, deadline, rng, steps=60, heat=0.3 * (seed % 2))
    assert (start == kept).all()
    assert allowed[np.arange(start.size), found.machine].all()
    assert found.makespan == makespan(tasks, found.machine) <= before
    assert (loads_of(tasks, found.machine) >= tasks.ready).all()
    assert found.steps <= 60


def test_a_met_deadline_takes_no_step():
    """A schedule that meets the deadline is returned as it is."""
    tasks = random_tasks(np.random.default_rng(0), 8, 3)
    start = random_schedule(np.random.default_rng(1), tasks.allowed)
    found = improve(
        tasks, tasks.allowed, start, makespan(tasks, start), np.random.default_rng(2), steps=9
    )
    assert found.steps == 0
    assert (found.machine == start).all()


def test_one_machine_and_times_beyond_the_knapsack_are_left_alone():
    """Where no pair can share tasks, the schedule comes back with its value."""
    rng = np.random.default_rng(0)
    one = random_tasks(rng, 5, 1, missing=0)
    zeros = np.zeros(5, int)
    assert improve(one, one.allowed, zeros, 0, rng, steps=9).makespan == makespan(one, zeros)
    long = random_tasks(rng, 5, 2, missing=0, largest=1 << 36)
    assert improve(long, long.allowed, zeros, 1, rng, steps=9).makespan == makespan(long, zeros)


def test_loads_of_hundreds_of_millions_of_units():
    """Where units are too fine for rows, pairs share tasks all the same: the makespan halves."""
    rng = np.random.default_rng(3)
    tasks = random_tasks(rng, 120, 4, missing=0, largest=1 << 24)
    start = random_schedule(rng, tasks.allowed)
    before = makespan(tasks, start)
    found = improve(tasks, tasks.allowed, start, before // 2, rng, steps=200)
    assert before > 1 << 27
    assert found.makespan == makespan(tasks, found.machine) <= before // 2


def test_benchmark_instance_from_the_list_rule():
    """File 1216 falls from the list rule's value to within two seconds of its optimum, 102."""
    path = next(path for path in rcmax_files() if path.stem == "1216")
    problem = oe.read_rcmax(path)
    instance, start = make_instance(problem), longest_first(problem)
    rng = np.random.default_rng(0)
    found = improve(instance.tasks, instance.tasks.allowed, start, 102, rng, steps=20_000)
    assert found.makespan == problem.objective(found.machine)
    assert 102 <= found.makespan <= 104 < problem.objective(start)

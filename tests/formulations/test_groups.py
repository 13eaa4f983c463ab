"""Groups of machines that share their tasks anew, and what a root leaves open as an instance."""

import itertools

import numpy as np
import pytest
from conftest import seeds
from schedules import makespan, random_schedule, random_tasks

import optedge as oe
from optedge.formulations.deadlines import groups as module
from optedge.formulations.deadlines.fixing import propagate
from optedge.formulations.deadlines.groups import Groups, draw_group
from optedge.formulations.deadlines.instance import make_instance
from optedge.formulations.deadlines.prices import evaluate, make_space, whole_prices
from optedge.formulations.deadlines.rest import make_rest
from optedge.formulations.deadlines.root import try_deadline
from optedge.formulations.makespan_families import random_rcmax


def longest(tasks):
    """Return a deadline that every schedule meets."""
    return int(tasks.ready.sum() + np.where(tasks.allowed, tasks.times, 0).sum())


def aimed(tasks, machine, deadline, prices, seed):
    """Return groups that aim at a deadline."""
    space = make_space(tasks, longest(tasks))
    groups = Groups(tasks, space.rows, np.random.default_rng(seed))
    groups.aim(machine, deadline, prices, space)
    return groups


@pytest.mark.parametrize("seed", seeds(100, 10))
def test_small_instances_are_brought_to_the_optimum_and_no_further(seed):
    """Three machines are one group: the optimum is met, one unit less is not, within few tries."""
    rng = np.random.default_rng(seed)
    tasks = random_tasks(rng, 6, 3)
    options = [np.flatnonzero(row) for row in tasks.allowed]
    optimum = min(makespan(tasks, x) for x in itertools.product(*options))
    start, prices = random_schedule(rng, tasks.allowed), rng.random(6) + 0.1
    groups = aimed(tasks, start, optimum, prices, seed)
    assert groups.go_on(5000.0)
    assert groups.met
    assert makespan(tasks, groups.machine) == optimum
    groups = aimed(tasks, start, optimum - 1, prices, seed)
    assert not groups.go_on(500.0)
    assert makespan(tasks, groups.machine) >= optimum


@pytest.mark.parametrize("seed", seeds(30, 3))
def test_groups_keep_to_the_pairs_and_make_no_machine_late(seed):
    """At any time a schedule on allowed pairs, with no more late machines than before."""
    rng = np.random.default_rng(seed)
    tasks = random_tasks(rng, 60, 8, missing=0.4)
    start = random_schedule(rng, tasks.allowed)
    deadline = int(0.6 * makespan(tasks, start))
    kept, prices = start.copy(), np.where(tasks.allowed, tasks.times, 99).min(axis=1) + 1.0
    groups = aimed(tasks, start, deadline, prices, seed)
    late = np.inf
    for _ in range(10):
        met = groups.go_on(20.0)
        value = makespan(tasks, groups.machine)
        assert met == groups.met == (value <= deadline)
        loads = tasks.ready.copy()
        np.add.at(loads, groups.machine, tasks.times[np.arange(60), groups.machine])
        assert (loads > deadline).sum() <= late
        late = (loads > deadline).sum()
    assert (start == kept).all()
    assert late < 8


def test_groups_lower_a_schedule_unit_by_unit():
    """From a local optimum of 142 at least seven units down, aiming at one unit less each time."""
    problem = random_rcmax("U1a100", 150, 12, 0)
    instance = make_instance(problem)
    tasks = instance.tasks
    machine = oe.solve(problem, "local-search", max_evaluations=3000, seed=0).solution
    assert makespan(tasks, machine) == 142
    prices, space = tasks.times.min(axis=1).astype(float), make_space(tasks, instance.longest)
    root = try_deadline(instance, 118, prices, space, between=lambda root: False)
    groups = aimed(tasks, machine, 141, root.prices, 0)
    while groups.spent < 600:
        if groups.go_on(50.0):
            machine = groups.machine
            groups.aim(machine, makespan(tasks, machine) - 1, root.prices, space)
    assert groups.aims > 5
    assert makespan(tasks, machine) <= 135


def test_the_same_seed_gives_the_same_schedule_whatever_the_memory(monkeypatch):
    """Groups are repeatable, and forgetting the scratch memory of their sizes changes nothing."""
    tasks = make_instance(random_rcmax("U1a100", 80, 9, 1)).tasks
    start, prices = tasks.times.argmin(axis=1), tasks.times.min(axis=1).astype(float)

    def shared(seed):
        groups = aimed(tasks, start, 100, prices, seed)
        groups.go_on(100.0)
        return groups.machine.tolist(), groups.spent

    first = shared(4)
    assert shared(4) == first
    assert shared(5) != first
    monkeypatch.setattr(module, "MOST_PARTS", 1)
    assert shared(4) == first


def test_a_late_machine_is_drawn_and_losses_count():
    """One late machine of six is in 85 % of the groups and more; then the one that loses."""
    rng, machine = np.random.default_rng(0), np.arange(12) % 6
    loads, prices = np.array([9, 5, 5, 5, 5, 5]), np.full(12, 10)
    worth = np.array([20, 20, 20, 20, 20, 900])
    group, mine = np.zeros(6, np.int64), np.zeros(12, np.int64)
    seen = np.zeros(6)
    for _ in range(2000):
        count = draw_group(machine, loads, 8, worth, prices, 3, group, mine, rng)
        drawn = group[:3]
        assert count == 6
        assert len(set(drawn.tolist())) == 3
        assert sorted(mine[:6]) == sorted(np.flatnonzero(np.isin(machine, drawn)))
        seen[drawn] += 1
    assert seen[0] > 0.82 * 2000
    assert seen[5] > 1.5 * seen[1:5].max()


@pytest.mark.parametrize("seed", seeds(60, 10))
def test_what_is_left_open_is_the_same_instance(seed):
    """Open tasks alone, the bound ones as ready time: excess and makespans are those of all."""
    rng = np.random.default_rng(seed)
    n, m = 9, 3
    tasks = random_tasks(rng, n, m, missing=0.5)
    deadline, space = longest(tasks), make_space(tasks, longest(tasks))
    allowed, prices = tasks.allowed.copy(), rng.random(n) + 0.1
    rest = make_rest(tasks, allowed, prices, space.rows)
    assert (rest.kept == np.flatnonzero(allowed.sum(axis=1) > 1)).all()
    whole_prices(prices, space.whole)
    left, rest_allowed = allowed.copy(), rest.tasks.allowed.copy()
    for limit in rng.integers(int(tasks.ready.max()), deadline + 1, 5):
        left[:], rest_allowed[:] = allowed, rest.tasks.allowed
        can = propagate(tasks, left, limit, space.room, space.left)
        inner = rest.space
        assert propagate(rest.tasks, rest_allowed, limit, inner.room, inner.left) == can
        if can:
            excess = evaluate(tasks, left, space.whole, space)
            assert evaluate(rest.tasks, rest_allowed, space.whole[rest.kept], inner) == excess
            assert (rest.packed(left)[rest.kept] == inner.packed).all()
    rest.schedule[:] = random_schedule(rng, rest.tasks.allowed)
    assert makespan(tasks, rest.whole()) == makespan(rest.tasks, rest.schedule)

"""Dives and trees below a deadline, against complete enumeration."""

import itertools

import numpy as np
import pytest
from conftest import INF, seeds

import optedge as oe
from optedge.formulations.deadlines import dives, tree
from optedge.formulations.deadlines.instance import make_instance
from optedge.formulations.deadlines.prices import MET, OPEN, REFUTED, descend, make_space

EACH = 40  # instances a seed
ENDLESS = 1 << 60


def drawn(rng):
    """Return a random small instance in whole numbers: holes, ready times, zeros."""
    n, m = int(rng.integers(1, 8)), int(rng.integers(1, 4))
    low, high = [(0, 4), (1, 10), (0, 100), (20, 30), (50, 90)][rng.integers(5)]
    times = rng.integers(low, high, (n, m)).astype(float)
    if rng.random() < 0.4:
        times[rng.random((n, m)) < 0.4] = INF
    lost = ~np.isfinite(times).any(axis=1)
    times[lost, 0] = 3.0
    ready = rng.integers(0, 6, m) if rng.random() < 0.3 else None
    return oe.MakespanProblem(times, ready=ready)


def least(tasks):
    """Return the least makespan in units over all schedules, by listing them."""
    n = len(tasks.times)
    pairs = [np.flatnonzero(row).tolist() for row in tasks.allowed]
    plans = np.array(list(itertools.product(*pairs)))
    loads = np.tile(tasks.ready, (len(plans), 1))
    for i in range(n):
        loads[np.arange(len(plans)), plans[:, i]] += tasks.times[i, plans[:, i]]
    return int(loads.max(axis=1).min())


def cases(seed):
    """Yield random instances with each deadline about the optimum that makes sense."""
    rng = np.random.default_rng(seed)
    for _ in range(EACH):
        instance = make_instance(drawn(rng))
        optimum = least(instance.tasks)
        for deadline in range(max(0, optimum - 1), min(optimum + 2, instance.longest)):
            tasks = instance.tasks
            allowed = tasks.allowed & (tasks.ready + tasks.times <= deadline)
            yield rng, instance, deadline, deadline >= optimum, allowed


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_a_tree_is_right_whatever_the_prices(seed):
    """From random prices, in slices: met exactly if enumeration finds a schedule."""
    branched = 0
    for rng, instance, deadline, exists, allowed in cases(seed):
        space, n = make_space(instance.tasks, instance.longest), len(allowed)
        schedule, grown = np.zeros(n, np.int64), tree.make_tree(instance.tasks)
        tree.plant(grown, allowed, rng.random(n))
        steps, status = int(rng.integers(1, 3)), OPEN
        while status == OPEN:
            status = tree.search(
                instance.tasks, deadline, grown, steps, 0.0, 3, ENDLESS, space, schedule, rng
            )
        assert status == (MET if exists else REFUTED)
        assert not exists or instance.makespan(schedule) <= deadline
        assert exists or tree.exhausted(grown)
        branched += grown.state[tree.SEEN] > 1
    assert branched > 0 or seed > 1  # of the 40 instances of a seed few branch


@pytest.mark.parametrize("seed", seeds(10, 1))
def test_a_shallow_tree_claims_nothing(seed):
    """Nodes that lie too deep are cut off: then the tree ends open, never as a refutation."""
    cut = 0
    for rng, instance, deadline, exists, allowed in cases(seed):
        space, n = make_space(instance.tasks, instance.longest), len(allowed)
        schedule, grown = np.zeros(n, np.int64), tree.make_tree(instance.tasks, 1)
        tree.plant(grown, allowed, rng.random(n))
        status = tree.search(
            instance.tasks, deadline, grown, 1, 0.0, ENDLESS, ENDLESS, space, schedule, rng
        )
        assert status != (REFUTED if exists else MET)
        cut += status == OPEN
        assert (status == OPEN) == (grown.state[tree.CUT] > 0)
    assert cut > 0


def test_branching_takes_what_the_prices_leave_undecided():
    """Of tasks that lose alike the one whose machines take turns; of such the one that loses."""
    tasks = make_instance(oe.MakespanProblem(np.full((3, 2), 7.0))).tasks
    space, machines = make_space(tasks, 30), np.zeros(2, np.int64)
    space.left[:], rng = 2, np.random.default_rng(0)

    def first(shares, losses):
        space.shares[:], space.inside[:] = shares, losses
        task, count = tree.branch(tasks.allowed, 99, 0.0, space, machines, rng)
        assert count == 2
        return task, machines.tolist()

    # 1, 1/2, 1 and 1, 1 of 1: (1 + 1/8), (.75^3 + .75^3), (1 + 1/8)
    assert first([[1, 0], [1, 1], [0, 1]], 0) == (1, [0, 1])
    assert first([[1, 1], [1, 1], [2, 2]], [[0, 50], [50, 0], [60, 50]]) == (2, [1, 0])
    # losses alone where one machine packs each: (1 - .5 - .5)^3 + 1 is the least
    assert first([[1, 0], [1, 0], [1, 0]], [[0, 0], [0, 50], [0, 10]]) == (1, [0, 1])


def test_shares_are_means_of_what_was_packed():
    """Each evaluation gives a tenth; pairs that are still open have seen all of them."""
    rng = np.random.default_rng(2)
    tasks = make_instance(oe.MakespanProblem(rng.integers(100, 200, (40, 8)).astype(float))).tasks
    space, schedule = make_space(tasks, 800), np.zeros(40, np.int64)
    allowed, prices = tasks.allowed & (tasks.times <= 585), tasks.times.min(axis=1).astype(float)
    expected = np.zeros((40, 8))
    for _ in range(5):
        status, _ = descend(tasks, allowed, 585, prices, 1, 0.5, space, schedule)
        assert status == OPEN
        expected = 0.9 * expected + 0.1 * space.packed
        prices *= rng.uniform(0.9, 1.1, 40)
    still = allowed & (space.left > 1)[:, None]
    assert still.sum() > 40
    np.testing.assert_allclose(space.shares[still], expected[still], rtol=0, atol=1e-12)
    assert 0 < space.shares[still].max() < 1


@pytest.mark.parametrize("part", [1, 7, 60])
def test_slices_change_nothing(part):
    """A tree and a dive that are left and taken up often see the nodes of one go."""
    rng = np.random.default_rng(2)
    instance = make_instance(oe.MakespanProblem(rng.integers(100, 200, (40, 8)).astype(float)))
    assert _walk(instance, 585, part) == _walk(instance, 585, 240)


def _walk(instance, deadline, part):
    """Spend 240 evaluations on a tree and go to the end of a dive, ``part`` evaluations a call."""
    tasks, space = instance.tasks, make_space(instance.tasks, instance.longest)
    allowed = tasks.allowed & (tasks.times <= deadline)
    schedule, prices = np.zeros(40, np.int64), tasks.times.min(axis=1).astype(float)
    grown, dive, rng = tree.make_tree(tasks), dives.make_dive(tasks), np.random.default_rng(0)
    tree.plant(grown, allowed, prices)
    while (left := 240 - int(space.counts[0])) > 0:
        now = min(part, left)
        tree.search(tasks, deadline, grown, 3, 0.0, now, ENDLESS, space, schedule, rng)
    dives.begin(dive, allowed, prices, rng)
    status = OPEN
    while status == OPEN:
        status = dives.dive_on(tasks, deadline, dive, part, space, schedule, rng)
    seen = [*grown.state.tolist(), *dive.tree.state.tolist(), status, int(space.counts[0])]
    assert seen[tree.SEEN] > 10
    return seen


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_dives_find_only_schedules(seed):
    """What a dive calls met is met; it finds many of them; repairs keep to the pairs."""
    found = wanted = 0
    for rng, instance, deadline, exists, allowed in cases(seed):
        if not allowed.any(axis=1).all():
            continue
        tasks, n = instance.tasks, len(allowed)
        space, schedule = make_space(tasks, instance.longest), np.zeros(n, np.int64)
        dive, status = dives.make_dive(tasks), OPEN
        dives.begin(dive, allowed, rng.random(n), rng)
        while status == OPEN:
            status = dives.dive_on(tasks, deadline, dive, 4, space, schedule, rng)
        wanted += exists
        if status == MET:
            found += 1
            assert exists
            assert instance.makespan(schedule) <= deadline
        repaired = dives.repaired(tasks, allowed, space.packed, rng)
        assert allowed[np.arange(n), repaired].all()
    assert found > wanted / 4

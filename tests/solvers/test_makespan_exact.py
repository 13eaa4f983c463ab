"""The exact method for the makespan: against enumeration, cut off anywhere, on odd data."""

import itertools
import tracemalloc

import numpy as np
import pytest
from conftest import INF, random_problem, seeds

import optedge as oe
from optedge.formulations.deadlines.instance import Tasks, make_instance
from optedge.formulations.deadlines.prices import make_space
from optedge.solvers import makespan_exact

EACH = 50  # instances a seed
NAME = "makespan-exact"


def drawn(rng):
    """Return a random small instance: whole, near or real values, holes, ready times."""
    n, m = int(rng.integers(1, 8)), int(rng.integers(1, 4))
    low, high = [(0, 4), (1, 10), (20, 30), (50, 90), (0, 1000)][rng.integers(5)]
    times = rng.integers(low, high, (n, m)).astype(float)
    if rng.random() < 0.2:
        times *= 0.25
    elif rng.random() < 0.2:
        times = rng.uniform(1, 9, (n, m))
    if rng.random() < 0.4:
        times[rng.random((n, m)) < 0.4] = INF
    times[~np.isfinite(times).any(axis=1), 0] = 3.0
    ready = rng.integers(0, 6, m) if rng.random() < 0.3 else None
    return oe.MakespanProblem(times, ready=ready)


def least(problem):
    """Return the least makespan over all schedules, by listing them."""
    n = problem.n_tasks
    pairs = [np.flatnonzero(np.isfinite(row)).tolist() for row in problem.times]
    plans = np.array(list(itertools.product(*pairs)))
    loads = np.tile(problem.ready, (len(plans), 1))
    for i in range(n):
        loads[np.arange(len(plans)), plans[:, i]] += problem.times[i, plans[:, i]]
    return float(loads.max(axis=1).min())


def hard(seed=2):
    """Return an instance; of seed 2 the optimum is 582, and the root leaves 581 open."""
    rng = np.random.default_rng(seed)
    return oe.MakespanProblem(rng.integers(100, 200, (40, 8)).astype(float))


@pytest.mark.parametrize("seed", seeds(40, 2))
def test_equal_to_enumeration(seed):
    """Value and bound are the optimum; on real data both lie within the tolerance told."""
    rng = np.random.default_rng([seed, 11])
    for _ in range(EACH):
        problem = drawn(rng)
        best = least(problem)
        r = oe.solve(problem, NAME, seed=seed, bound=False, target_gap=0.0)
        tolerance = r.info.get("tolerance", 0.0)
        if tolerance == 0:
            assert r.objective == best
            assert r.bound == best
        digits = 1e-12 * best if tolerance else 0.0  # sums of reals in another order
        assert best - digits <= r.objective <= best + tolerance
        assert r.bound <= best + digits <= r.bound + tolerance + 2 * digits
        assert r.stop_reason in ("optimal", "converged")
        check = oe.verify(r)
        assert check, check.message


@pytest.mark.parametrize("seed", seeds(20, 1))
def test_cut_off_anywhere(seed):
    """However few prices are tried, no bound is above the optimum and no value below it."""
    rng = np.random.default_rng([seed, 12])
    for k in range(EACH):
        problem = drawn(rng)
        best = least(problem)
        most = [1, 2, 5, 20, 60][k % 5]
        r = oe.solve(problem, NAME, max_evaluations=most, bound=False)
        digits = 1e-12 * best  # sums of reals in another order
        assert r.bound <= best + digits <= r.objective + 2 * digits
        assert oe.verify(r)


def test_the_tree_proves_what_the_root_leaves_open():
    """What the tree refutes counts as proved by search, with the certified bound beside it."""
    r = oe.solve(hard(), NAME, bound=False)
    assert (r.objective, r.bound, r.status, r.proof) == (582, 582, "OPTIMAL", "search")
    assert r.info["deadlines"]["tree"] == 1
    assert r.info["nodes"] > 10
    check = oe.verify(r)
    assert (check.verdict, check.certified_bound) == ("search, not certified", 581)


@pytest.mark.parametrize("options", [{"dives": False}, {"upper": False}, {"steps": 2, "slice": 50}])
def test_every_choice_of_searches_is_exact(options):
    """The complete tree is always there; the others only help."""
    r = oe.solve(hard(), NAME, **options)
    assert (r.objective, r.status) == (582, "OPTIMAL")


def test_a_seed_and_a_budget_fix_the_history():
    """Turns are counted in prices, not in seconds: two runs are the same, another seed differs."""
    problem = hard(7)
    runs = [
        oe.solve(problem, NAME, seed=seed, max_evaluations=700, bound=False) for seed in (1, 1, 2)
    ]
    one, two, other = ([row[1:] for row in r.history.tolist()] for r in runs)
    assert one == two
    np.testing.assert_array_equal(runs[0].solution, runs[1].solution)
    assert runs[0].evaluations == runs[1].evaluations
    assert one != other


def test_bounds_of_the_root_are_certified():
    """A bound that prices prove has a certificate, which is valued anew in NumPy."""
    problem = random_problem(3, 30, 4, integer=True)
    r = oe.solve(problem, NAME, bound=False)
    assert r.status == "OPTIMAL"
    assert (r.proof, r.certificate.kind) == ("certificate", "prices")
    assert problem.certify(r.certificate) == r.objective


@pytest.mark.parametrize(
    ("times", "best"),
    [
        (np.zeros((3, 2)), 0.0),
        (np.array([[0.0, 5.0], [4.0, 0.0], [3.0, 3.0]]), 3.0),
        (np.array([[4.0], [5.0], [0.0]]), 9.0),
        (np.array([[4.0, 2.0, INF]]), 2.0),
        (np.full((7, 3), 2.0), 6.0),
        (np.full((7, 3), 1e9), 3e9),
        (np.array([[4.0, 2.0, 3.0, 9.0], [5.0, 6.0, 4.0, 1.0]]), 2.0),
    ],
    ids=["zeros", "some zeros", "one server", "one task", "identical", "large", "more servers"],
)
def test_odd_data(times, best):
    """Zero times, one server, one task and identical servers are solved and proved."""
    r = oe.solve(oe.MakespanProblem(times), NAME, bound=False)
    assert (r.objective, r.bound, r.status) == (best, best, "OPTIMAL")
    assert oe.verify(r)


@pytest.mark.parametrize("seed", seeds(40, 4))
def test_real_data_are_proved_like_whole_ones(seed):
    """Random fractions end at the optimum, with a gap that counts as none."""
    problem = random_problem(seed, 8 - seed % 2, 3, missing=0.2 * (seed % 3), ready=seed % 2 == 0)
    r = oe.solve(problem, NAME, bound=False)
    best = least(problem)
    assert r.status == "OPTIMAL"
    assert r.bound * (1 - 1e-12) <= best <= r.objective * (1 + 1e-12)
    assert r.objective <= best * (1 + 1e-6)


def test_thirty_tasks_of_real_data():
    """Finer and finer units prove 30 random fractions on five servers."""
    r = oe.solve(random_problem(1, 30, 5), NAME, bound=False, max_evaluations=20_000)
    assert r.status == "OPTIMAL"


def test_times_beyond_the_rows_of_the_knapsacks():
    """Where units would be too many the times are rounded, and the tolerance is told."""
    rng = np.random.default_rng(0)
    problem = oe.MakespanProblem(np.floor(rng.uniform(1e9, 2e9, (12, 3))) + 0.5)
    r = oe.solve(problem, NAME, bound=False)
    best = oe.solve(problem, "highs", target_gap=0.0).objective
    assert r.info["tolerance"] > 0
    assert r.bound <= best <= r.objective <= best + r.info["tolerance"]


def test_memory_is_declined_with_a_sentence():
    """Memory rows are no part of the deadline problem."""
    problem = oe.MakespanProblem(np.ones((2, 2)), memory=[1, 1], capacity=[1, 1])
    with pytest.raises(ValueError, match=r"makespan-exact declines .*memory rows"):
        oe.solve(problem, NAME)


@pytest.mark.parametrize(
    ("times", "ready", "best"),
    [
        ([[2, INF], [3, 4], [INF, 1]], [4, 0], 6),
        ([[1, 1]], [9, 2], 9),
        ([[INF, 3], [INF, 3], [5, INF]], [0, 1], 7),
        ([[0, INF], [INF, 0]], [2.5, 0], 2.5),
    ],
    ids=["both", "late server", "no choice", "nothing to do"],
)
def test_eligibility_and_ready_times(times, ready, best):
    """By hand: what cannot go elsewhere waits for its server; a late server counts by itself."""
    problem = oe.MakespanProblem(times, ready=ready)
    r = oe.solve(problem, NAME, bound=False)
    assert (r.objective, r.bound, r.status) == (best, best, "OPTIMAL")
    assert best == least(problem)
    assert oe.verify(r)


@pytest.mark.parametrize(
    ("times", "best", "rounded"),
    [
        ([[0.25, 0.75], [0.5, 0.5], [1.25, 1.0]], 1.0, False),
        ([[0.1, 0.3], [0.2, 0.7], [0.6, 0.4]], 0.4, True),
        ([[1e-9, 3e-9], [2e-9, 7e-9], [6e-9, 4e-9]], 4e-9, True),
        ([[1.0, 1e-7], [2.0, 5.0]], 2.0, True),
    ],
    ids=["quarters", "decimals", "nanoseconds", "unlike"],
)
def test_data_that_are_not_whole(times, best, rounded):
    """Multiples of one unit are exact; others are rounded down, and the tolerance is told."""
    r = oe.solve(oe.MakespanProblem(times), NAME, bound=False, target_gap=0.0)
    tolerance = r.info["tolerance"]
    assert (tolerance > 0) == rounded
    assert tolerance <= 1e-3 * best
    assert best - tolerance <= r.bound <= best <= r.objective <= best + tolerance
    assert oe.verify(r)


def test_memory_is_bounded_whatever_the_capacity():
    """Rows of 500 tasks and 2^18 units would be 600 MB; what is too much is left out."""
    n, m, units = 500, 2, 1 << 18
    whole = np.full((n, m), units // 100)
    tasks = Tasks(whole, np.ones((n, m), dtype=bool), np.zeros(m, np.int64))
    tracemalloc.start()
    try:
        make_space(tasks, units, 1 << 16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 23


@pytest.mark.parametrize("most_bytes", [8, 400])
def test_without_room_for_the_knapsacks_the_tree_proves(most_bytes, monkeypatch):
    """Where rows do not fit, bounds take the place of values: weaker, still right."""

    def scarce(tasks, deadline, *_):
        return make_space(tasks, deadline, most_bytes)

    monkeypatch.setattr(makespan_exact, "make_space", scarce)
    rng = np.random.default_rng(most_bytes)
    for _ in range(5):
        problem = oe.MakespanProblem(rng.integers(10, 60, (7, 3)).astype(float))
        best = least(problem)
        r = oe.solve(problem, NAME, bound=False)
        assert (r.objective, r.bound, r.status) == (best, best, "OPTIMAL")
        assert oe.verify(r)


def test_a_makespan_of_many_units_cut_off():
    """Near the most units that are taken as they are, few prices leave bound and value right."""
    rng = np.random.default_rng(5)
    problem = oe.MakespanProblem(rng.integers(1 << 15, 1 << 17, (7, 3)).astype(float))
    instance = make_instance(problem)
    assert instance.exact
    assert instance.longest > 1 << 17
    r = oe.solve(problem, NAME, bound=False, max_evaluations=50)
    assert r.bound <= least(problem) <= r.objective
    assert oe.verify(r)

"""ATSA and what it is compared with: values by hand, its options, what its deposits reward."""

import itertools

import numpy as np
import pytest
from conftest import INF, brute_force, random_problem, seeds

import optedge as oe
from optedge.formulations.makespan_moves import make_data
from optedge.solvers import atsa
from optedge.solvers.atsa import HEURISTICS, build_tours, mean_time, memory_shares

A1 = oe.MakespanProblem([[2, 4], [3, 6], [4, 8], [5, 10]], name="A1")
VARIANTS = [
    {"heuristic": heuristic, "deposit": deposit, "memory": memory}
    for heuristic, deposit in itertools.product(HEURISTICS, ("makespan", "sum"))
    for memory in ("window", "exclusive")[: 2 if heuristic == "memory" else 1]
]


def named(options):
    """Return a short name of some options."""
    return "-".join(options.values())


# ------------------------------------------------------------------------------ A1 by hand


def test_a1_by_hand():
    """Section 8, A1: optimum 10, total-time minimiser 14 of 14, FCFS 11, list rule 10, 28/3."""
    plans = np.array(list(itertools.product(range(2), repeat=4)))
    totals = A1.times[np.arange(4), plans].sum(axis=1)
    least = plans[totals.argmin()]
    assert (totals.min(), least.tolist(), A1.objective(least)) == (14, [0, 0, 0, 0], 14)
    best = A1.costs(plans) == 10
    assert A1.costs(plans).min() == 10 and set(totals[best]) == {18, 19}
    values = {name: oe.solve(A1, name).objective for name in ("highs", "fcfs", "lpt", "atsa")}
    assert values == {"highs": 10, "fcfs": 11, "lpt": 10, "atsa": 10}
    assert A1.bound("LP").value == pytest.approx(28 / 3)


@pytest.mark.parametrize(("capacity", "best"), [((2, 4), 10), ((1, 4), 18)])
def test_a1_with_memory(capacity, best):
    """A memory of 2 and 4 tasks leaves 10, one of 1 and 4 tasks 18; ants keep to it.

    What memory is left guides them to the optimum; 1/ET leads all to the first node, until it is
    full.
    """
    p = A1.replace(memory=[1] * 4, capacity=capacity)
    assert oe.solve(p, "highs").objective == brute_force(p) == best
    for deposit in ("makespan", "sum"):
        assert oe.solve(p, "atsa", deposit=deposit).objective == best
    for options in VARIANTS:
        r = oe.solve(p, "atsa", **options)
        assert p.violations(r.solution) == [] and r.objective >= best, options


def test_a1_with_ready_times():
    """The first node free at 3: bound 34/3, optimum 12."""
    p = A1.replace(ready=[3, 0])
    assert p.bound("LP").value == pytest.approx(34 / 3)
    assert {oe.solve(p, name).objective for name in ("highs", "fcfs", "atsa")} == {12}


def test_what_the_deposits_reward():
    """The total gives makespan 14 the larger deposit (.357, .278), the makespan the optimum."""
    hill, best = [0, 0, 0, 0], [0, 0, 1, 0]
    assert A1.objective(best) == 10
    deposits = {
        "sum": [5 / A1.times[np.arange(4), x].sum() for x in (hill, best)],
        "makespan": [5 / A1.objective(x) for x in (hill, best)],
    }
    assert deposits["sum"] == pytest.approx([0.357, 0.278], abs=5e-4)
    assert deposits["makespan"] == pytest.approx([0.357, 0.5], abs=5e-4)


def test_round_robin_ignores_speed():
    """A1 by turns: tasks 1 and 3 to the slow node, 16 s; who cannot go there goes on."""
    r = oe.solve(A1, "round-robin")
    assert (r.solution.tolist(), r.objective) == ([0, 1, 0, 1], 16)
    p = oe.MakespanProblem([[INF, 1, 1], [1, INF, 1], [1, 1, 1], [1, 1, 1]])
    assert oe.solve(p, "round-robin").solution.tolist() == [1, 2, 2, 0]


def test_first_come_goes_to_the_earliest_free_node():
    """Ties: the lowest node; ready times, holes and memory are looked at, speed is not."""
    slow_first = oe.MakespanProblem([[9, 1], [9, 1], [9, 1]])
    assert oe.solve(slow_first, "fcfs").solution.tolist() == [0, 1, 1]
    assert oe.solve(slow_first.replace(ready=[1, 0]), "fcfs").solution.tolist() == [1, 0, 1]
    p = oe.MakespanProblem([[1, 1], [1, INF], [1, 1]], memory=[1, 1, 1], capacity=[2, 1])
    assert oe.solve(p, "fcfs").solution.tolist() == [0, 0, 1]
    stopped = oe.MakespanProblem([[1, 9], [1, INF]], memory=[2, 1], capacity=[2, 3])
    for rule in ("fcfs", "round-robin"):
        assert oe.solve(stopped, rule).solution is None


# ------------------------------------------------------------------------------ identical tasks


@pytest.mark.parametrize("seed", seeds(40, 8))
def test_identical_tasks_need_no_search(seed):
    """Without task sizes, as printed, repeated earliest completion is optimal."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 8)), int(rng.integers(1, 4))
    ready = rng.integers(0, 4, m) if seed % 2 else None
    p = oe.MakespanProblem(np.tile(rng.integers(1, 9, m), (n, 1)), ready=ready)
    assert oe.solve(p, "greedy", bound=False).objective == brute_force(p)


# ------------------------------------------------------------------------------ options


@pytest.mark.parametrize("options", VARIANTS, ids=named)
def test_every_variant_on_random_instances(options):
    """Holes, ready times and memory: feasible, at least the optimum, and not by chance."""
    for seed in range(4):
        p = random_problem(seed, 6, 3, missing=0.2, ready=True, memory=1.6 if seed % 2 else 0)
        r = oe.solve(p, "atsa", seed=seed, **options)
        assert p.violations(r.solution) == []
        assert r.objective >= brute_force(p) - 1e-12
        again = oe.solve(p, "atsa", seed=seed, **options)
        assert again.solution.tolist() == r.solution.tolist()


@pytest.mark.parametrize("options", VARIANTS, ids=named)
def test_the_unit_of_time_does_not_matter(options):
    """The same ants in milliseconds (2^-10 s): the same assignment."""
    p = random_problem(1, 12, 4, ready=True)
    small = p.replace(times=p.times / 1024, ready=p.ready / 1024)
    first, second = (oe.solve(q, "atsa", iterations=10, bound=False, **options) for q in (p, small))
    assert first.solution.tolist() == second.solution.tolist()
    assert first.evaluations == 200


def test_published_limits_of_the_exponents():
    """Eq. (2): both exponents lie in [1, 10]."""
    for options in ({"alpha": 0.5}, {"beta": 11.0}):
        with pytest.raises(ValueError, match="must be at least 1 and at most 10"):
            oe.solve(A1, "atsa", **options)
    with pytest.raises(ValueError, match="option heuristic must be one of"):
        oe.solve(A1, "atsa", heuristic="speed")


def test_variants_are_shorthand_for_the_deposit():
    """Published is the sum; both together are refused; a result's options can be given again."""
    p = random_problem(2, 10, 3)
    r = oe.solve(p, "atsa", variant="published", iterations=5)
    assert (r.options["deposit"], r.options["variant"]) == ("sum", None)
    again = oe.solve(p, "atsa", **r.options)
    assert again.solution.tolist() == r.solution.tolist() and again.options == r.options
    assert oe.solve(p, "atsa", iterations=1).options["deposit"] == "makespan"
    with pytest.raises(TypeError, match="give variant or deposit, not both"):
        oe.solve(p, "atsa", variant="corrected", deposit="sum")


@pytest.mark.parametrize(("deposit", "low", "high"), [("makespan", 10, 10.2), ("sum", 12, 14)])
def test_the_deposit_decides_what_is_learnt(deposit, low, high, monkeypatch):
    """A1 with a mild heuristic: by the makespan all ants end at 10 s, by the total near 14 s."""
    tours, offer = [], atsa.offer_codes

    def watch(problem, run, codes):
        tours.append(codes)
        return offer(problem, run, codes)

    monkeypatch.setattr(atsa, "offer_codes", watch)
    for seed in range(5):
        ants = {"deposit": deposit, "heuristic": "completion", "beta": 1.0, "ants": 40}
        oe.solve(A1, "atsa", seed=seed, bound=False, **ants)
        assert low <= A1.costs(np.concatenate(tours[-5:])).mean() <= high


def test_the_swarm_of_the_comparison():
    """Section 5: 30 particles, w = .7, c1 = c2 = 1.5, node = position rounded down."""
    options = oe.solve(A1, "particle-swarm", max_evaluations=60).options
    told = {name: options[name] for name in ("particles", "inertia", "own", "all")}
    assert told == {"particles": 30, "inertia": 0.7, "own": 1.5, "all": 1.5}


def test_evaporation_of_everything_leaves_the_floor():
    """With rho = 1 pairs that nobody used have the least pheromone, and the search goes on."""
    assert oe.solve(A1, "atsa", rho=1.0, ants=2, iterations=5).objective <= 14


# ------------------------------------------------------------------------------ one step


def chances(p, rule, beta=5.0, ants=4000, taken=0):
    """Return how often ants take each node for task ``taken``, with even pheromone."""
    u = np.random.default_rng(0).random((ants, p.n_tasks))
    rule = HEURISTICS.index(rule) if rule in HEURISTICS else len(HEURISTICS)
    even = np.ones(p.times.shape)
    args = (make_data(p), mean_time(p), memory_shares(p), even, rule, beta, u)
    tours = build_tours(*args)
    assert tours.tolist() == build_tours.python(*args).tolist()
    return np.bincount(tours[:, taken][tours[:, taken] >= 0], minlength=p.n_servers) / ants


def test_probabilities_of_the_first_task():
    """By 1/ET times 1 and 2 are drawn 32 to 1; by completion ready times count; memory is even."""
    p = oe.MakespanProblem([[1, 2], [1, 2]], ready=[1, 0])
    assert chances(p, "inverse_et") == pytest.approx([32 / 33, 1 / 33], abs=0.01)
    assert chances(p, "completion") == pytest.approx([0.5, 0.5], abs=0.03)
    assert chances(p, "memory") == pytest.approx([0.5, 0.5], abs=0.03)


def test_probabilities_by_memory():
    """Half of a node taken weighs 1/32; the task alone: 1 - q/P of each node."""
    full = {"memory": [1, 1], "capacity": [2, 9]}
    p = oe.MakespanProblem([[1, INF], [1, 1]], **full)
    mu = np.array([0.5, 1.0])  # the first task takes half of the first node
    assert chances(p, "memory", taken=1) == pytest.approx(mu**5 / sum(mu**5), abs=0.01)
    alone = np.array([1 - 1 / 2, 1 - 1 / 9])
    expected = alone**5 / sum(alone**5)
    assert chances(p, "exclusive", taken=1) == pytest.approx(expected, abs=0.01)


def test_ants_that_memory_stops_are_dead():
    """A node with mu + q/P > 1 is forbidden: the ant that needs it places no further task."""
    p = oe.MakespanProblem([[1, 1], [1, INF], [1, 1]], memory=[1, 1, 1], capacity=[1, 2])
    first = chances(p, "inverse_et")
    assert chances(p, "inverse_et", taken=1) == pytest.approx([first[1], 0])
    assert oe.solve(p, "atsa", heuristic="inverse_et").objective == 2
    assert oe.solve(p, "atsa", ants=1, iterations=1, heuristic="inverse_et").evaluations <= 2


def test_memory_where_the_problem_has_none():
    """As in the experiment: need is size, capacity goes with speed, twice the need in all."""
    p = oe.MakespanProblem.related([1, 2, 3], [1, 5])
    share = memory_shares(p)
    assert share == pytest.approx(np.outer([1, 2, 3], [1 / 2, 1 / 10]))
    assert memory_shares(p.replace(memory=[1, 0, 1], capacity=[4, 1])).tolist() == [
        [0.25, 1],
        [0, 0],
        [0.25, 1],
    ]
    assert np.isfinite(memory_shares(oe.MakespanProblem([[0, 0], [0, INF]]))).all()


def test_more_tasks_than_any_ant_can_place():
    """Where all ants die the list rule is tried; without any plan there is no solution."""
    p = oe.MakespanProblem([[1.0], [1.0]], memory=[1, 1], capacity=[1.5])
    r = oe.solve(p, "atsa", bound=False)
    assert (r.solution, r.status, r.stop_reason) == (None, "UNKNOWN", "converged")

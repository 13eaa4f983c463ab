"""The searches with populations: operators by hand, and what all four must do."""

import numpy as np
import pytest
from conftest import INF, brute_force, random_problem, seeds

import optedge as oe
from optedge.formulations.offloading import OffloadingProblem
from optedge.papers import edge_learning
from optedge.solvers import ant_colony, particle_swarm, populations, pso_ga
from optedge.solvers.genetic import GeneticOptions, evolve, offspring
from optedge.solvers.populations import Genes
from optedge.solvers.run import Run

NAMES = ("genetic", "pso-ga", "particle-swarm", "ant-colony")
every = pytest.mark.parametrize("name", NAMES)

CHOICES = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 1, 0]], bool)
GENES = Genes.of(CHOICES)


def example_e1():
    """Return example E1: three tasks of two layers on one client, one edge, one cloud."""
    rates = np.array([[0, 2, 1], [2, 0, 2], [1, 2, 0]], float)
    return OffloadingProblem.chains(
        [[8, 4], [12, 4], [16, 16]],
        [[4, 8], [2, 2], [4, 2]],
        clients=[0, 0, 0],
        speeds_ghz=[1, 2, 4],
        rates_mb_s=rates,
        pools=[1, 1, 1],
        tiers=[0, 1, 2],
    )


def full_of_tasks(n=12):
    """Return an instance whose feasible codes are the permutations: no random draw is one."""
    times = np.random.default_rng(0).uniform(1, 9, (n, n))
    return oe.MakespanProblem(times, memory=np.ones(n), capacity=np.ones(n))


def without_seconds(result, unit=1.0):
    """Return what must be the same in two runs: evaluations and objectives in ``unit``."""
    return [(row[1], row[2] / unit) for row in result.history.tolist()]


def best_of_five(problem, name):
    """Return the best objective of five short runs."""
    return min(
        oe.solve(problem, name, seed=k, max_evaluations=5000, bound=False).objective
        for k in range(5)
    )


# ----------------------------------------------------------------- options of decisions


def test_genes_list_the_options_of_each_decision():
    """Options stand in increasing order; places and codes are two names of one thing."""
    assert GENES.counts.tolist() == [4, 2, 1, 3, 3]
    assert [GENES.table[i, :c].tolist() for i, c in enumerate(GENES.counts)] == [
        [0, 1, 2, 3],
        [1, 3],
        [2],
        [0, 2, 3],
        [0, 1, 2],
    ]
    assert GENES.movable.tolist() == [0, 1, 3, 4]
    codes = np.array([[3, 3, 2, 2, 0], [0, 1, 2, 3, 2]])
    ranks = GENES.ranks(codes)
    assert ranks.tolist() == [[3, 1, 0, 1, 0], [0, 0, 0, 2, 2]]
    np.testing.assert_array_equal(GENES.codes(ranks), codes)


def test_genes_where_everything_is_allowed():
    """Without holes the table is the list of options, decision by decision."""
    genes = Genes.of(np.ones((3, 2), bool))
    assert genes.table.tolist() == [[0, 1]] * 3


@pytest.mark.parametrize(("i", "k"), list(zip(*np.nonzero(CHOICES), strict=True)))
def test_other_options_are_equally_likely(i, k):
    """Every other allowed option is drawn by an equal share of the uniform numbers."""
    u = (np.arange(600) + 0.5) / 600
    drawn = GENES.other(np.full(600, i), np.full(600, k), u)
    others = sorted(set(np.flatnonzero(CHOICES[i]).tolist()) - {int(k)}) or [int(k)]
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == others
    assert set(counts.tolist()) == {600 // len(others)}


# ----------------------------------------------------------------- operators


@pytest.mark.parametrize(
    ("u", "places"),
    [
        ([0.0, 0.0], [0]),
        ([0.99, 0.0], [0, 1, 2, 3, 4]),
        ([0.99, 0.99], [4]),
        ([0.25, 0.65], [1, 2, 3]),
        ([0.65, 0.25], [1, 2, 3]),
    ],
)
def test_segments_are_closed(u, places):
    """Both cut positions belong to the segment, in whatever order they are drawn."""
    inside = populations.segments(np.array([u]), 5)
    assert np.flatnonzero(inside[0]).tolist() == places


def test_crossover_swaps_one_segment():
    """Each pair swaps one run of decisions; nothing is lost, and rate 0 copies."""
    rng = np.random.default_rng(1)
    parents = np.arange(400 * 7).reshape(400, 7)
    np.testing.assert_array_equal(populations.cross_pairs(parents, 0.0, rng), parents)
    children = populations.cross_pairs(parents, 1.0, rng)
    for a in range(0, 400, 2):
        swapped = np.flatnonzero(children[a] != parents[a])
        assert swapped.size == swapped[-1] - swapped[0] + 1
        np.testing.assert_array_equal(children[a, swapped], parents[a + 1, swapped])
        np.testing.assert_array_equal(children[a] + children[a + 1], parents[a] + parents[a + 1])
    some = populations.cross_pairs(parents, 0.8, rng)
    assert 0.7 < (some != parents).any(axis=1).mean() < 0.9


def test_mutation_changes_to_another_allowed_option():
    """At rate 1 each decision changes unless it has one option; at rate 0 none does."""
    rng = np.random.default_rng(2)
    codes = GENES.codes((rng.random((500, 5)) * GENES.counts).astype(int))
    mutants = codes.copy()
    populations.mutate(GENES, mutants, 0.0, rng)
    np.testing.assert_array_equal(mutants, codes)
    populations.mutate(GENES, mutants, 1.0, rng)
    assert CHOICES[np.arange(5), mutants].all()
    assert ((mutants != codes) == (GENES.counts > 1)).all()
    mutants = codes.copy()
    populations.mutate(GENES, mutants, 0.2, rng)
    assert 0.17 < (mutants != codes)[:, GENES.movable].mean() < 0.23


def test_tournament():
    """Of two codes the dearer one wins only against itself; infeasible ones can meet too."""
    rng = np.random.default_rng(3)
    winners = populations.tournament(np.array([INF, 1.0]), rng, 4000)
    assert 0.22 < (winners == 0).mean() < 0.28
    assert set(populations.tournament(np.array([INF, INF]), rng, 100).tolist()) == {0, 1}


def test_best_rows_break_ties_by_order():
    """The least costs come first, infeasible ones last."""
    costs = np.array([3.0, 1.0, INF, 1.0])
    assert populations.best_rows(costs, 2).tolist() == [1, 3]
    assert populations.best_rows(-costs, 1).tolist() == [2]


# ----------------------------------------------------------------- genetic


@pytest.mark.parametrize("rows", [2, 5, 8])
def test_offspring_are_as_many_as_their_parents(rows):
    """Odd populations too; without crossover and mutation children are copies of parents."""
    rng = np.random.default_rng(4)
    codes = GENES.codes((rng.random((rows, 5)) * GENES.counts).astype(int))
    calm = GeneticOptions(population=rows, crossover=0.0, mutation=0.0)
    children = offspring(GENES, codes, rng.random(rows), calm, rng)
    assert children.shape == codes.shape
    assert {tuple(c) for c in children.tolist()} <= {tuple(c) for c in codes.tolist()}


def test_an_elite_is_never_lost():
    """With an elite the best of a population never worsens, even if all children are random."""
    problem = random_problem(5, 8, 3)
    wild = GeneticOptions(population=6, mutation=1.0)
    for length in range(1, 12):
        run = Run(problem, seed=1)
        codes, costs = evolve(problem, Genes.of(problem.choices), wild, run, length)
        assert run.evaluations == 6 * length
        assert costs.min() == run.objective
        np.testing.assert_array_equal(costs, problem.costs(codes))


# ----------------------------------------------------------------- PSO-GA


def test_inertia():
    """The chance of a mutation goes from w_min at the best code to w_max far from it."""
    w = pso_ga.inertia(np.array([0.0, 0.5, 1.0]), 0.2, 0.8)
    assert w[0] == pytest.approx(0.2, abs=1e-15)
    assert w[1] == pytest.approx(0.8 - 0.6 * np.exp(-0.5 / 0.51))
    assert w[2] == pytest.approx(0.8, abs=1e-15)
    assert (np.diff(pso_ga.inertia(np.linspace(0, 1, 50), 0.2, 0.8)) >= 0).all()


def test_distance_is_a_share_of_the_decisions():
    """Two of four decisions differ: one half."""
    codes = np.array([[1, 2, 3, 4], [1, 0, 3, 0], [0, 0, 0, 0]])
    assert pso_ga.distance(codes, codes[0]).tolist() == [0.0, 0.5, 1.0]


def test_step_by_hand():
    """Mutation, then the particle's segment, then the swarm's over it."""
    codes, own, best = np.array([[0, 1, 2, 0, 0]]), np.array([[1, 3, 2, 2, 1]]), [3, 1, 2, 3, 2]
    # decision 3 (third of the movable 0, 1, 3, 4) takes the last other option; segments 1-3, 3-4
    u = np.array([[0.5, 0.5, 0.5, 0.6, 0.9, 0.7, 0.2, 0.6, 0.9]])
    to = [
        pso_ga.step(GENES, codes, own, np.array(best), u, np.array([w]), eps1, eps2)[0].tolist()
        for w, eps1, eps2 in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]
    ]
    assert to[0] == [0, 1, 2, 0, 0]
    assert to[1] == [0, 1, 2, 2, 0]
    assert to[2] == [0, 3, 2, 2, 0]
    assert to[3] == [0, 1, 2, 3, 2]
    assert to[4] == [0, 3, 2, 3, 2]
    assert codes.tolist() == [[0, 1, 2, 0, 0]]


def test_lengths_follow_the_budget():
    """A budget scales generations and iterations together; the full one gives the defaults."""
    problem = random_problem(1, 5, 2)
    options = pso_ga.PsoGaOptions()
    for budget, lengths in [(None, (50, 600)), (65_000, (50, 600)), (6_500, (5, 60)), (1, (1, 0))]:
        assert options.lengths(Run(problem, max_evaluations=budget)) == lengths
    assert oe.solve(example_e1(), "pso-ga", bound=False).evaluations == 65_000


def one_after_the_other(problem, seed, particles, iterations):
    """Return the objective after each particle of Algorithm 1 with its two nested loops."""
    run, genes = Run(problem, seed=seed), Genes.of(problem.choices)
    codes, costs = populations.first_population(problem, run, particles)
    own, own_costs, g = codes.copy(), costs.copy(), int(np.argmin(costs))
    best, best_cost, seen = codes[g].copy(), costs[g], []
    for t in range(iterations):
        late, u = t / (iterations - 1), run.rng.random((particles, pso_ga.DRAWS))
        for k in range(particles):
            w = pso_ga.inertia(pso_ga.distance(codes[k : k + 1], best), 0.2, 0.8)
            moved = pso_ga.step(
                genes,
                codes[k : k + 1],
                own[k : k + 1],
                best,
                u[k : k + 1],
                w,
                0.9 - 0.7 * late,
                0.4 + 0.5 * late,
            )
            codes[k], cost = moved[0], problem.costs(moved)[0]
            if cost < own_costs[k]:
                own[k], own_costs[k] = codes[k], cost
            if cost < best_cost:
                best, best_cost = codes[k].copy(), cost
            seen.append(best_cost)
    return seen


def test_asynchronous_update_is_the_published_loop():
    """``sync=False`` gives what two nested loops give, though it steps whole swarms."""
    problem = random_problem(6, 30, 5, missing=0.3)
    seen = one_after_the_other(problem, seed=3, particles=12, iterations=40)
    r = oe.solve(
        problem,
        "pso-ga",
        seed=3,
        bound=False,
        particles=12,
        iterations=40,
        generations=1,
        sync=False,
    )
    assert r.evaluations == 12 * 41
    rows = [(e, v) for e, v in without_seconds(r) if e > 12]
    steps = [(13 + k, v) for k, v in enumerate(seen) if k == 0 or v < seen[k - 1]]
    assert rows == [s for s in steps if s[1] < dict(without_seconds(r))[12]]
    assert len(rows) > 3


# ----------------------------------------------------------------- particle swarm


def test_positions_stay_within_the_options():
    """Clipped positions round down to options that each decision has."""
    x = np.array([[-7.0, 9.0, 1.0, 2.999, 1.5], [4.0, 0.4, 0.0, 3.0, INF]])
    inside = particle_swarm.clipped(x, GENES.counts)
    assert inside.astype(int).tolist() == [[0, 1, 0, 2, 1], [3, 0, 0, 2, 2]]


# ----------------------------------------------------------------- ant colony


def test_ants_draw_in_proportion():
    """Weights 1 : 3 give a quarter and three quarters; padding is never drawn."""
    weights = np.array([[1.0, 3.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    ranks = ant_colony.draw_ranks(weights, np.random.default_rng(5), 8000)
    assert 0.73 < ranks[:, 0].mean() < 0.77
    assert set(ranks[:, 0].tolist()) == {0, 1}
    assert (ranks[:, 1:] == [0, 2]).all()


def test_trails_by_hand():
    """Two ants that agree on a decision leave both their shares there."""
    left = ant_colony.trails(np.array([[0, 1], [0, 2]]), np.array([1.0, 0.5]), (2, 3))
    assert left.tolist() == [[1.5, 0, 0], [0, 1.0, 0.5]]


@pytest.mark.parametrize(
    ("costs", "best", "unit", "expected"),
    [
        ([2.0, 4.0, INF], 2.0, 4.0, [2.0, 1.0, 0.0]),
        ([0.0, 3.0, INF], 0.0, 3.0, [1.0, 0.5, 0.0]),
        ([-6.0, -4.0], -6.0, 2.0, [1.0, 0.5]),
    ],
)
def test_shares_by_hand(costs, best, unit, expected):
    """Unit over cost; costs at or below zero are measured from the best one."""
    assert ant_colony.shares(np.array(costs), best, unit).tolist() == expected


@pytest.mark.parametrize(
    ("costs", "unit"), [([INF, -3, 2], 3), ([INF], 0), ([0, 2], 2), ([0, INF], 1)]
)
def test_cost_unit(costs, unit):
    """The size of the first feasible cost, or another scale where that is zero."""
    assert ant_colony.cost_unit(np.array(costs, float)) == unit


def test_heuristic_from_completion_times():
    """Along the greedy schedule the earliest completion is 1, others the inverse ratio."""
    p = oe.MakespanProblem([[2, 4, INF], [6, 3, 300]])
    eta = ant_colony.heuristic(p, Genes.of(p.choices))
    assert eta.tolist() == [[1.0, 0.5, 0.0], [0.375, 1.0, 0.01]]


def test_heuristic_of_the_problem():
    """A problem's own heuristic is used, relative to the best option of each decision."""

    class Guided(oe.CutProblem):
        def heuristic(self):
            return np.array([[9.0, 0.0], [2.0, 8.0], [0.0, 0.0]])

    p = Guided([[1], [2], []], np.ones((2, 3)), np.ones((1, 3)))
    eta = ant_colony.heuristic(p, Genes.of(p.choices))
    assert eta.tolist() == [[1.0, 0.0], [0.25, 1.0], [1.0, 1.0]]


# ----------------------------------------------------------------- all four


@every
@pytest.mark.parametrize("seed", seeds(3, 1))
def test_optimum_of_tiny_instances(name, seed):
    """The best of five runs of 5000 evaluations is the best of at most a thousand codes."""
    makespan = random_problem(seed, 5, 3, missing=0.2, memory=2.0)
    rng = np.random.default_rng(seed)
    cut = oe.CutProblem(
        [[1, 2], [3], [3, 4], [5], [5], []],
        rng.uniform(1, 9, (2, 6)) / [[1], [3]],
        rng.uniform(0, 9, (1, 6)),
    )
    split = oe.SplitProblem(range(5), [[0, 2, 3, 7, 12]], [6])
    e1 = example_e1()
    found = [best_of_five(p, name) for p in (makespan, cut, split, e1)]
    best = [brute_force(makespan), oe.solve(cut, "min-cut").objective, -2.0, 31.0]
    assert found == pytest.approx(best, rel=1e-9)


@every
def test_order_of_the_tasks_does_not_matter(name):
    """Ten runs are as good on average wherever a task stands (greedy's order sways ants)."""
    p = random_problem(7, 40, 4)
    q = p.replace(times=p.times[np.random.default_rng(1).permutation(40)])
    means = [
        np.mean([oe.solve(x, name, seed=k, max_evaluations=4000).objective for k in range(10)])
        for x in (p, q)
    ]
    assert means[0] == pytest.approx(means[1], rel=0.1)


@every
@pytest.mark.parametrize("unit", [2.0**-30, 2.0**40])
def test_units_do_not_matter(name, unit):
    """In other units of time the run is the same."""
    p = random_problem(8, 40, 4, missing=0.3)
    runs = [
        oe.solve(q, name, max_evaluations=2000, bound=False)
        for q in (p, p.replace(times=unit * p.times))
    ]
    assert without_seconds(runs[0]) == without_seconds(runs[1], unit)
    np.testing.assert_array_equal(runs[0].solution, runs[1].solution)


@every
@pytest.mark.parametrize("most", [1, 2, 7, 50, 333, 1234])
@pytest.mark.parametrize("started", [False, True])
def test_budgets_are_exact(name, most, started):
    """All of an evaluation budget is used, none beyond; the history falls strictly."""
    p = random_problem(9, 12, 3, missing=0.2)
    start = oe.solve(p, "random", draws=5).solution if started else None
    r = oe.solve(p, name, max_evaluations=most, bound=False, start=start)
    assert (r.evaluations, r.stop_reason) == (most, "evaluations")
    assert (np.diff(r.history["objective"]) < 0).all()
    if started:
        assert r.history["evaluations"][0] == 1
        assert r.history["objective"][0] == p.objective(start)


@every
@pytest.mark.parametrize("limits", [{"time_limit": 0.0}, {"callback": lambda run: True}])
def test_a_start_is_kept_however_short_the_run(name, limits):
    """The start is offered before anything else."""
    p = random_problem(9, 12, 3)
    start = oe.solve(p, "lpt").solution
    r = oe.solve(p, name, start=start, bound=False, **limits)
    assert (r.objective, r.evaluations) == (p.objective(start), 1)


@every
def test_the_length_ends_a_run_without_a_budget(name):
    """Published algorithms end as converged; with a budget the length does not count."""
    p = random_problem(10, 30, 4)
    length = {"generations": 4} if name == "genetic" else {"iterations": 4}
    r = oe.solve(p, name, bound=False, **length)
    expected = {"genetic": 400, "pso-ga": 5400, "particle-swarm": 120, "ant-colony": 80}
    assert (r.evaluations, r.stop_reason) == (expected[name], "converged")
    r = oe.solve(p, name, bound=False, max_evaluations=7000, **length)
    assert (r.evaluations, r.stop_reason) == (7000, "evaluations")


@every
def test_where_all_is_decided_one_code_is_priced(name):
    """With one option each there is one code."""
    p = oe.MakespanProblem([[1, INF], [INF, 2], [3, INF]])
    r = oe.solve(p, name, bound=False)
    assert (r.objective, r.evaluations, r.stop_reason) == (4.0, 1, "converged")
    assert oe.solve(p, name, bound=False, start=np.array([0, 1, 0])).evaluations == 1


@every
def test_the_rule_helps_where_no_draw_is_feasible(name):
    """A population without a feasible code gets the problem's own."""
    p = full_of_tasks()
    assert not np.isfinite(oe.solve(p, "random", draws=500, bound=False).objective)
    r = oe.solve(p, name, max_evaluations=500, bound=False)
    assert r.objective <= oe.solve(p, "lpt").objective
    assert p.violations(r.solution) == []


@every
def test_quality_between_random_and_local_search(name):
    """On 100 tasks in groups all are far from random draws; none beats local search."""
    p = edge_learning.instance(2, 100)

    def values(solver):
        return [
            oe.solve(p, solver, seed=k, max_evaluations=10_000, bound=False).objective
            for k in range(5)
        ]

    local, found, random = values("local-search"), values(name), values("random")
    assert max(found) < 0.95 * min(random)
    assert np.mean(found) < 0.8 * np.mean(random)
    assert min(found) >= max(local) - 1e-9


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("genetic", {"population": 1}, "population must be at least 2"),
        ("genetic", {"population": 3, "elites": 3}, "elites must be less"),
        ("genetic", {"crossover": 1.1}, "crossover must be"),
        ("pso-ga", {"w_min": 0.9}, "w_min must not exceed"),
        ("pso-ga", {"iterations": 0}, "iterations must be"),
        ("particle-swarm", {"own": -1}, "own must be"),
        ("ant-colony", {"evaporation": 1.5}, "evaporation must be"),
        ("ant-colony", {"floor": 0}, "floor must be"),
    ],
)
def test_options_out_of_range(name, options, message):
    """A sentence names the option."""
    with pytest.raises(ValueError, match=message):
        oe.solve(random_problem(1, 5, 2), name, **options)


@every
def test_extreme_options(name):
    """The smallest swarms and the ends of all ranges run."""
    extremes = {
        "genetic": [{"population": 2}, {"elites": 0}, {"mutation": 1.0}],
        "pso-ga": [{"particles": 2}, {"generations": 1}, {"iterations": 1}, {"w_min": 0.8}],
        "particle-swarm": [{"particles": 2}, {"inertia": 0.0}, {"own": 1e9}],
        "ant-colony": [{"ants": 1}, {"evaporation": 1.0}, {"evaporation": 0.0}, {"beta": 0.0}],
    }
    for options in extremes[name]:
        r = oe.solve(random_problem(2, 9, 3), name, max_evaluations=400, bound=False, **options)
        assert r.evaluations == 400


def test_one_set_of_searches_on_two_kinds_of_problems():
    """The same searches run on both kinds under one budget; none is below its proved bound."""
    makespan = oe.MakespanProblem([[3.0, 6], [2, 4], [2, 4], [1, 2]], name="makespan")
    offloading = oe.papers.eosdnn.instance("alexnet", 2)
    searches = ["genetic", "particle-swarm", "pso-ga", "ant-colony", "annealing", "local-search"]
    study = oe.compare(
        [makespan, offloading], [*searches, "greedy", "random"], seeds=2, max_evaluations=400
    )
    runs = study.runs
    assert len(runs) == 2 * (2 * (len(searches) + 1) + 1)  # greedy runs once
    assert (runs["gap"] >= 0).all()
    assert np.isfinite(runs["objective"]).all()
    assert (runs["evaluations"] <= 400).all()

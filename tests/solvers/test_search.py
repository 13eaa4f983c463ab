"""The searches on codes: local search, annealing, random draws, enumeration."""

import math

import numpy as np
import pytest
from conftest import (
    INF,
    WORKED,
    brute_force,
    examples,
    no_exchange_helps,
    problems,
    random_problem,
)
from hypothesis import given

import optedge as oe
from optedge.solvers.annealing import AnnealingOptions
from optedge.solvers.code import draw_option, option_table, random_codes

SEARCHES = ("local-search", "annealing")


@pytest.mark.parametrize("name", WORKED)
@pytest.mark.parametrize("solver", SEARCHES)
def test_worked_examples_are_solved(solver, name):
    """Both searches find the optima of section 8."""
    row = WORKED[name]
    r = oe.solve(row.problem(), solver, max_evaluations=5000)
    assert r.objective == pytest.approx(row.optimum, rel=1e-7)


@given(problems(memory=False))
@examples(80)
def test_searches_find_the_optimum_of_tiny_instances(problem):
    """With 4000 evaluations for at most 1024 codes both searches end at the optimum, or nearly."""
    best = brute_force(problem)
    for solver in SEARCHES:
        r = oe.solve(problem, solver, max_evaluations=4000, bound=False)
        assert best * (1 - 1e-12) <= r.objective <= 1.2 * best + 1e-9, solver


def test_annealing_returns_what_it_saw_feasible():
    """A little too much memory is never cheaper than a feasible schedule (price against price)."""
    p = oe.MakespanProblem([[1, 50], [1, 80]], memory=[1, 1.1], capacity=[2, 5])
    assert oe.solve(p, "greedy").objective == 80.0
    r = oe.solve(p, "annealing", max_evaluations=3000, bound=False)
    assert r.objective == brute_force(p) == 50.0


# ---------------------------------------------------------------- local search


@given(problems(max_tasks=8))
@examples(100)
def test_one_descent_ends_in_a_local_optimum(problem):
    """After one finished descent no shift or swap with a busiest server helps."""
    r = oe.solve(problem, "local-search", descents=1, bound=False)
    if r.solution is not None:
        assert r.stop_reason in ("converged", "optimal")
        assert no_exchange_helps(problem, r.solution.tolist())


def test_local_search_goes_on_until_the_budget_ends():
    """Further descents improve on the first one; their number can be limited."""
    p = random_problem(3, 60, 6)
    one, many, most = (
        oe.solve(p, "local-search", descents=d, max_evaluations=60_000, bound=False)
        for d in (1, 20, None)
    )
    assert (one.stop_reason, many.stop_reason, most.stop_reason) == (
        "converged",
        "converged",
        "evaluations",
    )
    assert most.objective <= many.objective <= one.objective
    assert one.evaluations < many.evaluations < most.evaluations <= 60_000
    assert most.objective < one.objective


@pytest.mark.parametrize("name", SEARCHES)
def test_patience(name):
    """Without a better code for a while a search ends by itself, budget or not."""
    p = WORKED["S1"].problem()  # the bound 16/3 never closes the gap to 6
    r = oe.solve(
        p, name, patience=3, time_limit=30, **({"moves": 500} if name == "annealing" else {})
    )
    assert (r.objective, r.stop_reason, r.status) == (6.0, "converged", "FEASIBLE")


@pytest.mark.parametrize("strength", [1, 3, 50])
def test_strength_may_exceed_the_tasks(strength):
    """Any number of decisions may be drawn anew, also more than there are."""
    r = oe.solve(random_problem(1, 5, 3), "local-search", strength=strength, max_evaluations=500)
    assert r.objective < INF


def test_local_search_leaves_infeasible_starts():
    """Where the greedy code fails for memory the search still finds its way."""
    p = oe.MakespanProblem(
        [[1, 9], [1, 9], [1, INF]], memory=[1, 1, 2], capacity=[2, 3], ready=[0, 0.5]
    )
    assert oe.solve(p, "greedy").solution is None
    for solver in SEARCHES:
        assert oe.solve(p, solver, max_evaluations=2000).objective == brute_force(p) == 18.5


# ---------------------------------------------------------------- annealing


def test_annealing_beats_the_list_rule():
    """On 60 tasks 20 000 moves improve on the list rule by more than half its distance to W_LP."""
    p = random_problem(7, 60, 6)
    bound = p.bounds()["LP"]
    excess = oe.solve(p, "lpt").objective - bound
    r = oe.solve(p, "annealing", max_evaluations=20_000)
    assert r.objective - bound < 0.5 * excess


@pytest.mark.parametrize("polish", [True, False])
def test_annealing_uses_its_budget(polish):
    """One cooling fills the budget, with or without the descent at its end."""
    p = random_problem(2, 40, 5)
    r = oe.solve(p, "annealing", max_evaluations=30_000, polish=polish, bound=False)
    assert 0.8 * 30_000 <= r.evaluations <= 30_000


def test_without_a_temperature_annealing_only_improves():
    """At temperatures near 0 the accepted codes are a descent; nothing overflows."""
    p = random_problem(2, 20, 3)
    r = oe.solve(
        p, "annealing", start_temperature=1e-300, end_temperature=1e-300, max_evaluations=2000
    )
    assert r.objective <= oe.solve(p, "greedy").objective


@pytest.mark.parametrize(
    ("start", "end", "cooling", "stages"),
    [(1.0, 1.0, 0.5, 1), (1.0, 0.5, 0.5, 2), (1.0, 0.25, 0.5, 3), (1e-3, 1e-7, 0.95, 181)],
)
def test_stages(start, end, cooling, stages):
    """The last stage is the first at or below the end temperature."""
    options = AnnealingOptions(start_temperature=start, end_temperature=end, cooling=cooling)
    assert options.stages() == stages
    assert start * cooling ** (stages - 1) <= end * (1 + 1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cooling": 1.0}, "cooling must be above 0 and below 1"),
        ({"cooling": 0.0}, "cooling must be above 0 and below 1"),
        ({"cooling": math.nan}, "cooling must be"),
        ({"start_temperature": 0}, "start_temperature must be above 0"),
        ({"start_temperature": 1e-8}, "end_temperature must not exceed start_temperature"),
        ({"moves": 0}, "moves must be at least 1"),
    ],
)
def test_annealing_options_out_of_range(options, message):
    """The sentence names the option and its range."""
    with pytest.raises(ValueError, match=message):
        oe.solve(random_problem(0), "annealing", **options)


def test_nothing_to_decide():
    """If every task has one server only, every search returns at once with that schedule."""
    p = oe.MakespanProblem(np.where(np.eye(3) > 0, 2.0, INF))
    for solver in (*SEARCHES, "random", "enumeration"):
        r = oe.solve(p, solver, max_evaluations=100, time_limit=20)
        assert (r.objective, r.status) == (2.0, "OPTIMAL")
    assert oe.solve(p, "annealing", bound=False, time_limit=20).stop_reason == "converged"


# ---------------------------------------------------------------- random and enumeration


@pytest.mark.parametrize("draws", [1, 2, 37])
def test_random_draws(draws):
    """As many draws as asked for, of allowed servers only; the best is kept."""
    p = random_problem(4, 15, 4, missing=0.5)
    r = oe.solve(p, "random", draws=draws, bound=False)
    assert (r.evaluations, r.stop_reason) == (draws, "converged")
    assert r.objective < INF


def test_random_is_uniform_over_the_allowed_servers():
    """5000 codes use each allowed server of a task equally often, the others never."""
    p = random_problem(4, 6, 4, missing=0.5)
    codes = random_codes(p, np.random.default_rng(0), 5000)
    for i in range(6):
        share = np.bincount(codes[:, i], minlength=4) / 5000
        expected = p.choices[i] / p.choices[i].sum()
        np.testing.assert_allclose(share, expected, atol=0.03)


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_draw_option(missing):
    """The compiled draw has the same law, whether all options are allowed or some."""
    p = random_problem(4, 3, 4, missing=missing)
    table, counts = option_table(p.choices)
    rng = np.random.default_rng(1)
    drawn = [draw_option(table, counts, 1, rng) for _ in range(4000)]
    expected = p.choices[1] / p.choices[1].sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 4000, expected, atol=0.04)


@given(problems())
@examples(100)
def test_enumeration_is_complete(problem):
    """The optimum, proved, after exactly as many evaluations as there are codes; or none."""
    best = brute_force(problem)
    r = oe.solve(problem, "enumeration", bound=False)
    assert r.evaluations == math.prod(problem.choices.sum(axis=1).tolist())
    assert r.objective == pytest.approx(best, rel=1e-12)
    assert r.bound == pytest.approx(best, rel=1e-12)
    assert r.status == ("OPTIMAL" if best < INF else "INFEASIBLE")
    if best < INF:
        assert r.proof == "search"
        assert oe.verify(r).verdict == "search, not certified"


def test_enumeration_over_several_batches():
    """More codes than one batch holds, and a budget that ends within the second."""
    p = random_problem(0, 11, 3)  # 177 147 codes, batches of 32 768
    full = oe.solve(p, "enumeration", bound=False)
    assert full.evaluations == 3**11
    assert full.objective == pytest.approx(oe.solve(p, "highs").objective)
    cut = oe.solve(p, "enumeration", bound=False, max_evaluations=40_000)
    assert (cut.evaluations, cut.stop_reason) == (40_000, "evaluations")
    assert cut.bound == -INF


def test_enumeration_declines_what_is_too_much():
    """10^14.3 codes are declined with the number in the sentence."""
    with pytest.raises(ValueError, match=r"enumeration declines .*10\^14\.3 codes"):
        oe.solve(random_problem(0, 30, 3), "enumeration")

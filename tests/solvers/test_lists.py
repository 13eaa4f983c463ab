"""List rules and the heuristics of the paper: values by hand, local optimality, literal reading."""

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
    usable,
)
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe


def earliest_completion(problem, order):
    """Place tasks in ``order`` where they are done first, lowest server first: the oracle."""
    done, used, x = list(problem.ready), np.zeros(problem.n_servers), [-1] * problem.n_tasks
    for i in order:
        ends = []
        for j in range(problem.n_servers):
            fits = usable(problem)[i, j]
            if problem.memory is not None:
                room = problem.capacity[j] + 1e-9 * max(1.0, problem.capacity[j])
                fits = fits and used[j] + problem.memory[i] <= room
            ends.append(done[j] + problem.times[i, j] if fits else INF)
        j = int(np.argmin(ends))
        if ends[j] == INF:
            return None
        x[i], done[j] = j, ends[j]
        used[j] += 0 if problem.memory is None else problem.memory[i]
    return x


@given(problems(max_tasks=7))
@examples(150)
def test_list_rules_against_a_plain_loop(problem):
    """List rules go by size (lpt) or in the order of the data, to the earliest completion."""
    sizes = np.where(usable(problem), problem.times, INF).min(axis=1)
    orders = {"lpt": np.argsort(-sizes, kind="stable"), "greedy": range(problem.n_tasks)}
    for name, order in orders.items():
        expected = earliest_completion(problem, order)
        r = oe.solve(problem, name, bound=False)
        assert (r.solution is None) == (expected is None), name
        if expected is not None:
            assert r.solution.tolist() == expected, name


def test_size_is_the_work_and_not_the_longest_time():
    """Section 4.5, S4: sorted by work the list rule gives 7.5, by the longest time 8.5."""
    p = WORKED["S4"].problem()
    assert oe.solve(p, "lpt").objective == 7.5
    longest = np.where(np.isfinite(p.times), p.times, 0).max(axis=1)
    assert oe.solve(p.replace(work=longest), "lpt").objective == 8.5


@given(st.integers(1, 7), st.integers(1, 3), st.integers(0, 10**6))
@examples(100)
def test_guarantees_of_the_list_rule(n, m, seed):
    """Section 4.6: 4/3 - 1/(3m) on equal servers, 2m/(m+1) on related ones; greedy at most m."""
    rng = np.random.default_rng(seed)
    work, speeds = rng.integers(1, 10, n), rng.integers(1, 6, m)
    equal = oe.MakespanProblem.related(work, np.ones(m))
    related = oe.MakespanProblem.related(work, speeds)
    for p, factor in ((equal, 4 / 3 - 1 / (3 * m)), (related, 2 * m / (m + 1))):
        best = brute_force(p)
        assert oe.solve(p, "lpt", bound=False).objective <= factor * best * (1 + 1e-9)
        assert oe.solve(p, "greedy", bound=False).objective <= m * best * (1 + 1e-9)


def test_a_list_rule_that_memory_stops():
    """A task whose memory fits nowhere any more leaves no solution, and that is a status."""
    p = oe.MakespanProblem([[1, 9], [1, 9], [1, INF]], memory=[1, 1, 2], capacity=[2, 3])
    for name in ("lpt", "greedy"):
        r = oe.solve(p, name)
        assert (r.status, r.solution, r.objective) == ("UNKNOWN", None, INF)


# ---------------------------------------------------------------- multiphase


@given(problems(max_tasks=7, memory=False))
@examples(150)
def test_multiphase_ends_where_nothing_helps(problem):
    """No transfer from and no swap with a busiest server shortens both servers."""
    r = oe.solve(problem, "multiphase", bound=False)
    assert no_exchange_helps(problem, r.solution.tolist())


# ---------------------------------------------------------------- sa-rearranging


@pytest.mark.parametrize("options", [{"acceptance": "literal"}, {"variant": "published"}])
def test_literal_rule_puts_every_task_on_the_last_server(options):
    """Section 4.5: exp(Tp) > U(0, 1) accepts all; S1 ends at 16 s from any seed."""
    p = WORKED["S1"].problem()
    for seed in range(20):
        r = oe.solve(p, "sa-rearranging", seed=seed, **options)
        assert r.objective == 16.0
        assert r.solution.tolist() == [1, 1, 1, 1]


def test_literal_rule_ignores_eligibility():
    """A task that cannot use the last server makes the literal schedule infeasible."""
    p = oe.MakespanProblem([[1.0, 2.0], [1.0, INF]])
    r = oe.solve(p, "sa-rearranging", variant="published")
    assert (r.objective, r.solution, r.status) == (INF, None, "UNKNOWN")


@pytest.mark.parametrize("options", [{}, {"acceptance": "threshold"}, {"variant": "corrected"}])
@pytest.mark.parametrize("seed", range(4))
def test_rearranging_is_never_worse_than_the_list_rule(options, seed):
    """The best schedule is kept, beginning with that of the list rule."""
    p = random_problem(seed, 30, 4, missing=0.3, ready=True)
    r = oe.solve(p, "sa-rearranging", seed=seed, bound=False, **options)
    assert r.objective <= oe.solve(p, "lpt").objective
    assert r.history["objective"][0] == oe.solve(p, "lpt").objective


def test_rearranging_improves_on_the_list_rule():
    """S3: the list rule gives 7, moves at equal cost lead on to 6."""
    r = oe.solve(WORKED["S3"].problem(), "sa-rearranging", start_temperature=0.3)
    assert r.objective == 6.0


def test_rearranging_options():
    """The defaults are those of the specification; contradictions are refused."""
    r = oe.solve(WORKED["S1"].problem(), "sa-rearranging", rounds=1)
    assert r.options["acceptance"] == "metropolis"
    assert (r.options["start_temperature"], r.options["end_temperature"]) == (0.003, 1e-4)
    with pytest.raises(TypeError, match="variant or acceptance, not both"):
        oe.solve(r.problem, "sa-rearranging", variant="published", acceptance="literal")
    with pytest.raises(ValueError, match=r"acceptance must be one of .*metropolis.*'hot'"):
        oe.solve(r.problem, "sa-rearranging", acceptance="hot")
    with pytest.raises(ValueError, match="rounds must be at least 1"):
        oe.solve(r.problem, "sa-rearranging", rounds=0)


@pytest.mark.parametrize("variant", ["published", "corrected"])
def test_a_variant_can_be_repeated_from_the_result(variant):
    """The options of a result are options that solve takes, also where a shorthand was given."""
    p = WORKED["S1"].problem()
    first = oe.solve(p, "sa-rearranging", variant=variant)
    again = oe.solve(p, first.solver, seed=first.seed, **first.options)
    assert again.objective == first.objective
    assert again.options == first.options


def test_rounds_count_evaluations():
    """A round prices every other allowed server of a task, at most all; it stops at the budget."""
    p = random_problem(0, 10, 3, missing=0.3)
    pairs = int(np.isfinite(p.times).sum())
    r = oe.solve(p, "sa-rearranging", rounds=5, bound=False)
    assert pairs + 5 * (pairs - 10) <= r.evaluations <= pairs + 5 * pairs
    literal = oe.solve(p, "sa-rearranging", rounds=5, bound=False, acceptance="literal")
    assert literal.evaluations == 5 * 10 * 3
    cut = oe.solve(p, "sa-rearranging", max_evaluations=pairs + 7, bound=False)
    assert (cut.evaluations, cut.stop_reason) == (pairs + 7, "evaluations")


@pytest.mark.parametrize("name", ["sa-rearranging", "multiphase", "lpt", "greedy"])
def test_zero_makespans(name):
    """Where the list rule already needs no time nothing is divided by it."""
    r = oe.solve(oe.MakespanProblem([[0, 1], [0, 1]]), name, bound=False)
    assert r.objective == 0.0
    assert math.isinf(r.gap)
    assert oe.solve(r.problem, name).gap == 0.0


def test_threshold_takes_losses_less_and_less():
    """Probability exp(tp) whatever the loss: surely with tp near 0, never again with a large ra."""
    p = oe.MakespanProblem.related([6, 4, 4, 2], [2, 1])
    never = oe.solve(p, "sa-rearranging", acceptance="threshold", tp=-1e9, rounds=3, bound=False)
    assert never.objective == oe.solve(p, "lpt").objective
    s3 = oe.MakespanProblem.related([3, 3, 2, 2, 2], [1, 1], name="S3")
    found = [
        oe.solve(s3, "sa-rearranging", acceptance="threshold", tp=-1.0, ra=1.01, seed=k).objective
        for k in range(5)
    ]
    assert min(found) == 6.0, "losses of any size are taken: the optimum is reached from 7"


@pytest.mark.parametrize("longest", [1e15, 1e20, 1e300])
def test_very_long_times(longest):
    """A pair that nobody would use leaves bounds and optimum as they are."""
    p = oe.MakespanProblem([[1, longest], [1, 1.5], [2, 1]])
    assert oe.solve(p, "highs").objective == oe.solve(p, "enumeration").objective == 2.0
    assert oe.verify(oe.solve(p, "lst"))


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e-6, 1.0, 1e6, 1e12])
def test_the_unit_of_memory_does_not_matter(unit):
    """In bytes or in exabytes the optimum is 3, and too much memory is too much."""
    p = oe.MakespanProblem([[1, 3], [1, 4]], memory=[unit, unit], capacity=[1.5 * unit, unit])
    assert p.objective([0, 0]) == np.inf
    for solver in ("highs", "enumeration", "local-search", "annealing"):
        assert oe.solve(p, solver, max_evaluations=500).objective == 3.0, solver
    assert oe.verify(oe.solve(p, "highs", kind="lp"))
    assert max(p.bounds().values()) <= 3.0

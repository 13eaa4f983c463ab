"""HiGHS on the explicit models, through solve."""

import numpy as np
import pytest
from conftest import (
    INF,
    WORKED,
    brute_force,
    counterexample_c1,
    examples,
    lp_oracle,
    problems,
    random_problem,
)
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe


@given(problems(), st.sampled_from(["assignment", "pruned"]))
@examples(120)
def test_the_optimum_of_tiny_instances(problem, kind):
    """Both integer models end with the optimum, proved by search, or with infeasibility proved."""
    best = brute_force(problem)
    r = oe.solve(problem, "highs", kind=kind, bound=False)
    assert r.objective == pytest.approx(best, rel=1e-6, abs=1e-9)
    if best < INF:
        assert r.status == "OPTIMAL"
        assert r.bound <= best * (1 + 1e-9)
    else:
        assert (r.status, r.bound) == ("INFEASIBLE", INF)


@pytest.mark.parametrize(
    "factor",
    [1e-9, 1e-5, 1e9, *(pytest.param(f, marks=pytest.mark.slow) for f in (1e-6, 1e-3, 1e3, 1e6))],
)
def test_the_unit_of_time_does_not_matter(factor):
    """In nanoseconds or years the optimum is the same; above all no false bound is claimed."""
    for seed in range(8):
        p = random_problem(seed, 8, 3)
        scaled = p.replace(times=factor * p.times)
        best = oe.solve(scaled, "enumeration", bound=False).objective
        r = oe.solve(scaled, "highs", bound=False)
        assert r.bound <= best * (1 + 1e-6)
        assert r.objective == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("factor", [1e-12, 1e-9, 1e-6, 1e6, 1e12])
def test_the_unit_of_memory_does_not_matter(factor):
    """In bytes or petabytes the same schedules fit, for the evaluator and for HiGHS."""
    p = oe.MakespanProblem(
        [[1, 3], [1, 4]], memory=np.full(2, factor), capacity=factor * np.array([1.5, 1.0])
    )
    assert p.objective([0, 0]) == INF
    r = oe.solve(p, "highs", bound=False)
    assert (r.objective, r.status) == (3.0, "OPTIMAL")
    assert p.bounds()["T*"] == pytest.approx(3.0)


def test_memory_that_is_short_by_less_than_the_tolerance():
    """HiGHS meets rows to 1e-6: what it offers may be refused, but nothing false is said."""
    p = oe.MakespanProblem([[1, 10], [1, 10]], memory=[0.5 + 2e-7] * 2, capacity=[1, 1])
    r = oe.solve(p, "highs", bound=False)
    assert r.bound <= 10.0
    assert r.status != "INFEASIBLE"
    assert oe.verify(r)


@given(problems())
@examples(60)
def test_linear_kinds_give_certified_bounds(problem):
    """The relaxation and its dual prove W_LP by the weights of the servers; shares are no plan."""
    expected = lp_oracle(problem)
    for kind in ("lp", "dual"):
        r = oe.solve(problem, "highs", kind=kind, bound=False)
        if expected < INF:
            if r.solution is None:
                assert (r.status, r.objective) == ("UNKNOWN", INF)
            else:  # the vertex happens to be whole, and then it is the optimum
                assert kind == "lp"
                assert r.status == "OPTIMAL"
                assert r.objective == pytest.approx(brute_force(problem), rel=1e-12)
            assert r.bound == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert r.info["relaxation"] == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert r.bound <= brute_force(problem)
            assert oe.verify(r).verdict == "certified"


def test_duals_of_c1_prove_its_bound():
    """The certificate of the relaxation holds the weights (1, 10, 10)/21 known by hand."""
    r = oe.solve(counterexample_c1(3), "highs", kind="lp", bound=False)
    np.testing.assert_allclose(r.certificate.arrays["servers"], np.array([1, 10, 10]) / 21)
    assert r.bound == pytest.approx(3.4)


@pytest.mark.parametrize("kind", ["assignment", "pruned"])
def test_start_is_the_first_incumbent(kind):
    """The history begins with the start that was given, also where pruning forbids its pairs."""
    p = random_problem(5, 30, 5)
    x = np.zeros(30, dtype=int)
    r = oe.solve(p, "highs", start=x, kind=kind, bound=False, target_gap=0.05)
    assert r.history["objective"][0] == pytest.approx(p.objective(x))
    assert r.objective < p.objective(x)


def test_target_gap():
    """A coarse target ends the search early, says so, and leaves a gap of at most that."""
    p = random_problem(2, 60, 6)
    r = oe.solve(p, "highs", target_gap=0.2)
    assert r.gap <= 0.2
    assert r.stop_reason in ("target_gap", "optimal")
    assert (r.status == "OPTIMAL") == (r.gap <= 1e-6)


def test_threads_may_change_within_a_process():
    """HiGHS starts its threads once; another number later is no trouble."""
    p = WORKED["S1"].problem()
    for threads in (1, 2, 1):
        assert oe.solve(p, "highs", threads=threads, bound=False).objective == 6.0


def test_too_large_a_model_is_declined(monkeypatch):
    """The sentence tells the size, and nothing is built."""
    monkeypatch.setattr(oe.MakespanProblem, "largest_model", 2000)
    monkeypatch.setattr(oe.MakespanProblem, "model", None)
    with pytest.raises(ValueError, match=r"highs declines .*1k rows and 2k columns"):
        oe.solve(oe.MakespanProblem(np.ones((900, 2))).replace(times=np.ones((1200, 2))), "highs")


def test_unknown_kind_is_refused(s1):
    """The kinds of the problem are listed."""
    with pytest.raises(ValueError, match=r"no model 'qap'.*'assignment', 'pruned', 'lp', 'dual'"):
        oe.solve(s1, "highs", kind="qap")


def test_reason_of_infeasibility_without_attached_bounds(short_of_memory):
    """Found by HiGHS, the reason is still that of the problem, and verify names the search."""
    r = oe.solve(short_of_memory, "highs", bound=False)
    assert (r.status, r.bound) == ("INFEASIBLE", INF)
    assert r.info["reason"] == "servers 1 and 2: memory short by 3."
    assert oe.verify(r).verdict == "search, not certified"

"""verify: what it recomputes, and what it must not believe."""

import dataclasses

import numpy as np
import pytest
from conftest import INF, WORKED, counterexample_c1, random_problem

import optedge as oe


def changed(result, **fields):
    """Return a copy of a result that claims something else."""
    return dataclasses.replace(result, **fields)


@pytest.fixture
def certified():
    """Return a result whose bound, 16/3, has a certificate: weights of the two servers."""
    return oe.solve(WORKED["S1"].problem(), "lpt")


def test_an_honest_result(certified):
    """Objective, bound and certificate agree, and the sentence says it."""
    check = oe.verify(certified)
    assert check.ok
    assert bool(check)
    assert (check.verdict, check.violations) == ("certified", ())
    assert check.objective == 6.0
    assert check.certified_bound == certified.bound == pytest.approx(16 / 3)
    assert check.message == "objective 6; bound 5.33333333: certified."


def test_search_is_not_called_certified():
    """The bound of branch and bound is reported as such, with the best certified one beside it."""
    r = oe.solve(WORKED["S1"].problem(), "highs")
    check = oe.verify(r)
    assert check.ok
    assert check.verdict == "search, not certified"
    assert (check.bound, check.certified_bound) == (6.0, pytest.approx(16 / 3))
    assert "search, not certified" in check.message
    assert "5.33" in check.message


def test_a_closed_deadline_bound_is_certified():
    """Where T* is the optimum even HiGHS' result is certified, by the attached bound."""
    check = oe.verify(oe.solve(WORKED["S2"].problem(), "highs"))
    assert (check.verdict, check.certified_bound) == ("certified", pytest.approx(6))


def test_no_bound():
    """Without a bound there is nothing to certify, and nothing wrong."""
    check = oe.verify(oe.solve(WORKED["S1"].problem(), "lpt", bound=False))
    assert (check.ok, check.verdict, check.certified_bound) == (True, "no bound", -INF)


def test_a_wrong_objective(certified):
    """A value that the solution does not have is refuted."""
    check = oe.verify(changed(certified, objective=5.9))
    assert not check
    assert "stated as 5.9" in check.message


def test_an_infeasible_solution():
    """The violations are told."""
    p = random_problem(0, 5, 3, missing=0.5)
    r = oe.solve(p, "lpt")
    wrong = np.argmin(np.isfinite(p.times), axis=1)
    check = oe.verify(changed(r, solution=wrong))
    assert not check
    assert check.violations
    assert check.violations[0] in check.message


def test_a_bound_above_the_objective(certified):
    """No bound may exceed the value of a solution, wherever it is said to come from."""
    assert not oe.verify(changed(certified, bound=6.5, proof="search"))


def test_a_bound_above_its_certificate(certified):
    """A certified bound must be what the certificate proves."""
    check = oe.verify(changed(certified, bound=5.5))
    assert (check.ok, check.verdict) == (False, "does not prove it")
    assert check.certified_bound == pytest.approx(16 / 3)


def test_a_certificate_that_claims_too_much(certified):
    """Weaker weights with a higher claimed value prove less than they claim."""
    weak = oe.Certificate("weights", certified.bound, {"servers": np.array([0.5, 0.5])})
    check = oe.verify(changed(certified, certificate=weak))
    assert (check.ok, check.verdict) == (False, "does not prove it")
    assert check.certified_bound < certified.bound
    claims = oe.Certificate("weights", 5.9, certified.certificate.arrays)
    for proof in ("certificate", "search"):
        check = oe.verify(changed(certified, bound=5.9, certificate=claims, proof=proof))
        assert (check.ok, check.verdict) == (False, "does not prove it")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "lacks the array 'servers'"),
        ({"servers": [1.2, -0.2]}, "non-negative"),
        ({"servers": [0.5, np.nan]}, "finite"),
        ({"servers": [0.7, 0.7]}, "sum to 1"),
        ({"servers": [1.0, 0.0, 0.0]}, "shape"),
    ],
)
def test_malformed_certificates(certified, arrays, message):
    """What is no certificate is an error that names the array."""
    bad = oe.Certificate("weights", 1.0, arrays)
    with pytest.raises(ValueError, match=message):
        oe.verify(changed(certified, certificate=bad))


def test_a_deadline_certificate_with_another_threshold():
    """C1: T* = 3.57 rests on its threshold; another one proves another, smaller number."""
    r = oe.solve(counterexample_c1(3), "lst")
    assert r.bound == pytest.approx(3.57)
    assert oe.verify(r).verdict == "certified"
    arrays = dict(r.certificate.arrays) | {"threshold": np.array([100.0])}
    moved = dataclasses.replace(r.certificate, arrays=arrays)
    assert oe.verify(changed(r, certificate=moved)).verdict == "does not prove it"


def test_an_infeasible_instance(short_of_memory):
    """Prices of memory certify that there is no solution; other prices do not."""
    r = oe.solve(short_of_memory, "highs")
    check = oe.verify(r)
    assert (check.ok, check.verdict, check.certified_bound) == (True, "certified", INF)
    useless = oe.Certificate("memory", INF, {"memory": np.array([1.0, 0.0, 0.0])})
    check = oe.verify(changed(r, certificate=useless))
    assert (check.ok, check.verdict) == (False, "does not prove it")
    assert not oe.verify(changed(r, certificate=None))


@pytest.mark.parametrize("solver", ["lst", "lpt", "highs", "annealing"])
def test_verify_needs_no_solver(solver, monkeypatch):
    """Everything is recomputed in NumPy: no linear program, no search, no compiled code."""
    from optedge import bridge
    from optedge.kernels import Kernel

    r = oe.solve(random_problem(0, 12, 3), solver, max_evaluations=500)
    for home, name in ((bridge, "solve_arrays"), (bridge, "solve_model"), (Kernel, "__call__")):
        monkeypatch.setattr(home, name, None)
    fresh = changed(r, problem=r.problem.replace())
    assert oe.verify(fresh)

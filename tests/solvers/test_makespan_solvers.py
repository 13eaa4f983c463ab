"""What solvers do on instances that only the makespan has: memory, no solution, huge times."""

import numpy as np
import pytest
from conftest import INF, brute_force, random_problem
from instances import SPECIAL

import optedge as oe
from optedge.solvers.registry import all_solvers

SOLVERS = [s for s in all_solvers() if s.accepts(random_problem(0))]
every = pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.name)
BUDGET = 600


def budgets(solver):
    """Return the budget that keeps a search short: exact methods may finish."""
    return {} if solver.kind == "exact" else {"max_evaluations": BUDGET}


def declined(solver, problem):
    """Return why the solver will not take the instance, if it will not."""
    return solver.declines and solver.declines(problem, solver.make_options({}))


@every
@pytest.mark.parametrize("instance", ["memory", "everything"])
def test_memory_is_respected_or_declined(solver, instance):
    """A solver that cannot respect memory says so; exact ones and searches find a solution."""
    problem = SPECIAL[instance]
    if declined(solver, problem):
        with pytest.raises(ValueError, match=f"{solver.name} declines .*memory"):
            oe.solve(problem, solver)
        return
    r = oe.solve(problem, solver, **budgets(solver))
    assert r.solution is None or problem.violations(r.solution) == []
    if solver.kind in ("exact", "metaheuristic"):
        assert brute_force(problem) <= r.objective < INF


@every
def test_infeasible_instances_are_told(solver, short_of_memory):
    """Too little memory is a status with a reason and a proof, whatever solver is asked."""
    if declined(solver, short_of_memory):
        return
    r = oe.solve(short_of_memory, solver)
    assert (r.status, r.stop_reason) == ("INFEASIBLE", "infeasible")
    assert (r.objective, r.bound, r.gap, r.solution) == (INF, INF, INF, None)
    assert r.info["reason"] == "servers 1 and 2: memory short by 3."
    check = oe.verify(r)
    assert check
    assert (check.verdict, check.certified_bound) == ("certified", INF)


@pytest.mark.parametrize("solver", [s for s in SOLVERS if s.kind == "exact"], ids=lambda s: s.name)
def test_infeasible_by_search(solver):
    """If only whole tasks do not fit, exact methods prove it, and say that search did."""
    problem = oe.MakespanProblem(np.ones((3, 2)), memory=[2, 2, 2], capacity=[3, 3])
    if declined(solver, problem):
        return
    r = oe.solve(problem, solver)
    assert (r.status, r.stop_reason, r.bound) == ("INFEASIBLE", "infeasible", INF)
    assert not r.info["reason"].rstrip().endswith(":")
    assert oe.verify(r).verdict == "search, not certified"


@every
@pytest.mark.parametrize("long", [1e14, 1e20, 1e300])
def test_a_large_number_instead_of_inf(solver, long):
    """Who writes 1e20 where a server cannot be reached gets the answers all the same."""
    times = np.array([[1, 2, long], [long, 3, 1], [1, long, 4], [2, 3, long]])
    exact, rough = (
        oe.MakespanProblem(np.where(times == long, INF, times)),
        oe.MakespanProblem(times),
    )
    r = oe.solve(rough, solver, seed=1, **budgets(solver))
    assert oe.verify(r)
    assert r.objective < 20
    assert r.bound <= brute_force(exact)
    if solver.kind == "exact":
        assert r.objective == brute_force(exact)


@pytest.mark.parametrize("most", [1, 2, 7, 50, 333])
@pytest.mark.parametrize("name", ["annealing", "local-search", "random", "enumeration"])
def test_evaluation_budget(name, most):
    """Where there is more to see the budget ends the run, and the reason is told."""
    problem = random_problem(9, 12, 3, missing=0.2)
    r = oe.solve(problem, name, max_evaluations=most, bound=False)
    assert 1 <= r.evaluations <= most
    assert r.stop_reason == "evaluations"
    assert r.objective < INF

"""What every registered solver must do, on every small instance of every problem that it takes.

A new problem class gets its instances into ``INSTANCES``: a solver is run on each instance that
it accepts.
"""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from conftest import INF, brute_force, random_problem

import optedge as oe
from optedge.solvers.deep_q.options import LEARNERS
from optedge.solvers.registry import all_solvers

SOLVERS = [s for s in all_solvers() if s.kind != "own"]
NAMES = [s.name for s in SOLVERS]
BUDGET = 600  # evaluations: enough for all phases of every metaheuristic


def random_cut(seed, successors, n_tiers=2):
    """Draw times and sends of a graph."""
    rng, n = np.random.default_rng(seed), len(successors)
    times = rng.uniform(1, 9, (n_tiers, n)) / [[2**k] for k in range(n_tiers)]
    return oe.CutProblem(successors, times, rng.uniform(0, 9, (n_tiers - 1, n)))


INSTANCES = {
    "full": random_problem(1, 6, 3),
    "missing": random_problem(2, 7, 4, missing=0.5),
    "ready": random_problem(3, 6, 3, ready=True, missing=0.2),
    "ties": random_problem(4, 7, 3, integer=True),
    "memory": random_problem(5, 6, 3, memory=1.2),
    "everything": random_problem(6, 6, 4, memory=1.4, ready=True, missing=0.2, integer=True),
    "one server": random_problem(7, 5, 1),
    "one task": random_problem(8, 1, 4, ready=True),
    "no time": oe.MakespanProblem([[0, 1, 0], [0, 1, 2]]),
    "idle server": oe.MakespanProblem([[1, INF, 2], [2, INF, 9]], ready=[0, 7, 0]),
    "one choice each": oe.MakespanProblem(
        np.where(np.arange(70)[:, None] % 3 == [0, 1, 2], 1, INF)
    ),
    "70 tasks, one server": oe.MakespanProblem(np.ones((70, 1))),
    "chain": random_cut(1, [[1], [2], [3], [4], []]),
    "diamonds": random_cut(2, [[1], [2, 3], [4], [4], [5, 6, 8], [7], [7], [8], []]),
    "three tiers": random_cut(3, [[1, 2], [3], [3, 4], [5], [], []], n_tiers=3),
    "no link": random_cut(4, [[1], [2, 3], [3], []]).replace(sends=np.full((1, 4), INF)),
    "slowest stage": random_cut(5, [[1], [2, 3], [4], [4], []]).replace(goal="throughput"),
    "one layer": oe.CutProblem([[]], [[1.0], [2.0]], [[3.0]]),
    "split": oe.SplitProblem(
        range(5),
        [[0, 2, 3, 7, 12], [9, 7, 6, 5, 8], [0, 1, 3, 4, 9]],
        [6, 8, 4],
        limit_names=("memory", "latency", "energy"),
    ),
    "offloading": oe.OffloadingProblem.chains(
        [[8, 4], [12, 4], [16, 16]],
        [[4, 8], [2, 2], [4, 2]],
        clients=[0, 0, 0],
        speeds_ghz=[1, 2, 4],
        rates_mb_s=[[0, 2, 1], [2, 0, 2], [1, 2, 0]],
        pools=[1, 1, 1],
        tiers=[0, 1, 2],
    ),
    "unstable split": oe.SplitProblem([-5.5, -6, -4, -1.25], [[1, 2, 5, INF]], [3]),
}
MAKESPANS = [k for k, p in INSTANCES.items() if isinstance(p, oe.MakespanProblem)]
#: Learners that share all their code with ddpqn: the longer suite runs them.
ABLATIONS = set(LEARNERS) - {"ddpqn"}
#: One instance of each class, and what else a class has to offer.
KINDS = ("missing", "chain", "diamonds", "three tiers", "slowest stage", "split", "offloading")


@functools.cache
def optimum(instance):
    """Return the optimum of an instance by enumeration."""
    problem = INSTANCES[instance]
    if isinstance(problem, oe.MakespanProblem):
        return brute_force(problem)
    if isinstance(problem, oe.SplitProblem):
        return min(problem.objective(j) for j in range(problem.n_positions))
    if isinstance(problem, oe.OffloadingProblem):
        return 28.0  # over all schedules; tests/formulations searches them
    tiers = itertools.product(range(problem.n_tiers), repeat=problem.n_layers)
    return min(problem.objective(np.array(x)) for x in tiers)


def budgets(solver):
    """Return the budget that keeps a search short: exact methods may finish."""
    return {} if solver.kind == "exact" else {"max_evaluations": BUDGET}


def takes(solver, problem):
    """Tell whether the solver is made for the problem and does not decline the instance."""
    if not solver.accepts(problem):
        return False
    return not (solver.declines and solver.declines(problem, solver.make_options({})))


def on(*instances, solvers=SOLVERS):
    """Parametrise a test over the solvers and those of the instances that each takes."""
    pairs = [(s, k) for s in solvers for k in instances or INSTANCES if takes(s, INSTANCES[k])]
    ids = [f"{s.name}-{k}" for s, k in pairs]
    cases = [pytest.param(s, k, marks=[pytest.mark.slow] * (s.name in ABLATIONS)) for s, k in pairs]
    return pytest.mark.parametrize(("solver", "instance"), cases, ids=ids)


def interrupt(run):
    """Be a user who presses Ctrl-C at the first look at the callback."""
    raise KeyboardInterrupt


def solve(*arguments, **options):
    """Call solve; a KeyboardInterrupt that escapes it must not end the test session."""
    try:
        return oe.solve(*arguments, **options)
    except KeyboardInterrupt:
        pytest.fail("KeyboardInterrupt escaped solve.")


def arrays_of(solution):
    """Return a solution as a list of arrays, whatever it is made of."""
    if dataclasses.is_dataclass(solution):
        return list(vars(solution).values())
    return [solution]


def without_seconds(history):
    """Return the columns of a history that are the same in every run."""
    return [row[1:] for row in history.tolist()]


@on()
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "no bound"])
def test_honest_result(solver, instance, bound):
    """The solution is feasible, valued by the evaluator, not below any bound, and verifiable."""
    problem = INSTANCES[instance]
    r = oe.solve(problem, solver.name, bound=bound, **budgets(solver))
    assert r.solver == solver.name
    assert r.status in ("OPTIMAL", "FEASIBLE", "UNKNOWN")
    if r.solution is not None:
        assert problem.violations(r.solution) == []
        assert r.objective == problem.objective(r.solution)
        assert r.objective >= optimum(instance) - 1e-12 * abs(optimum(instance))
    assert r.bound <= min(r.objective, optimum(instance) + 1e-9 * abs(optimum(instance)))
    assert (r.status == "OPTIMAL") == (r.gap <= 1e-6)
    check = oe.verify(r)
    assert check, check.message
    assert r.stop_reason in ("optimal", "target_gap", "evaluations", "converged")
    assert r.runtime >= 0
    assert {"compile_seconds", "bound_seconds"} <= set(r.info)


@on(*[k for k, p in INSTANCES.items() if getattr(p, "memory", None) is None and k != "no link"])
def test_a_solution_is_found(solver, instance):
    """Where nothing can run out every solver finds a solution, exact ones the optimum."""
    problem = INSTANCES[instance]
    r = oe.solve(problem, solver.name, **budgets(solver))
    limits = isinstance(problem, oe.SplitProblem)
    assert r.objective < INF or (limits and solver.kind == "heuristic")
    if solver.kind == "exact" and (problem.complete_code or solver.name == "highs"):
        assert r.status == "OPTIMAL"
        assert r.objective == pytest.approx(optimum(instance), rel=1e-9)


@pytest.mark.parametrize("instance", ["memory", "everything"])
@pytest.mark.parametrize("solver", SOLVERS, ids=NAMES)
def test_memory_is_respected_or_declined(solver, instance):
    """A solver that cannot respect memory says so; exact ones and searches find a solution."""
    problem = INSTANCES[instance]
    if solver.accepts(problem) and not takes(solver, problem):
        with pytest.raises(ValueError, match=f"{solver.name} declines .*memory"):
            oe.solve(problem, solver.name)
    elif solver.accepts(problem) and solver.kind in ("exact", "metaheuristic"):
        r = oe.solve(problem, solver.name, **budgets(solver))
        assert optimum(instance) <= r.objective < INF


@on("full", "ready", "everything", *KINDS)
def test_same_seed_same_history(solver, instance):
    """Seed and evaluation budget fix the history but for its seconds, and the solution."""
    problem = INSTANCES[instance]
    budget = budgets(solver) and {"max_evaluations": 200}
    first, second = (oe.solve(problem, solver.name, seed=7, **budget) for _ in range(2))
    assert without_seconds(first.history) == without_seconds(second.history)
    assert first.evaluations == second.evaluations
    for a, b in zip(*map(arrays_of, (first.solution, second.solution)), strict=True):
        np.testing.assert_array_equal(a, b)


@on("ties", *KINDS)
def test_deterministic_solvers_ignore_the_seed(solver, instance):
    """Compare runs them once an instance, so the seed must not matter."""
    problem = INSTANCES[instance]
    first, second = (oe.solve(problem, solver.name, seed=k, **budgets(solver)) for k in (0, 1))
    if solver.deterministic:
        assert without_seconds(first.history) == without_seconds(second.history)


@on("full", "memory", *KINDS)
def test_history_tells_the_run(solver, instance):
    """Rows improve objective or bound, never worsen either, and the last one is the result."""
    problem = INSTANCES[instance]
    r = oe.solve(problem, solver.name, **budgets(solver))
    h = r.history
    assert (np.diff(h["seconds"]) >= 0).all()
    assert (np.diff(h["evaluations"]) >= 0).all()
    assert (h["objective"][1:] <= h["objective"][:-1]).all()
    assert (h["bound"][1:] >= h["bound"][:-1]).all()
    better = (h["objective"][1:] < h["objective"][:-1]) | (h["bound"][1:] > h["bound"][:-1])
    assert better.all()
    assert h["objective"][-1] == pytest.approx(r.objective)
    assert h["bound"][-1] == pytest.approx(r.bound)
    assert h["evaluations"][-1] <= r.evaluations


@pytest.mark.parametrize("most", [1, 2, 7, 50, 333])
@pytest.mark.parametrize("name", ["annealing", "local-search", "random", "enumeration"])
def test_evaluation_budget(name, most):
    """No more candidates are priced than allowed, and the reason to stop is told."""
    problem = random_problem(9, 12, 3, missing=0.2)
    r = oe.solve(problem, name, max_evaluations=most, bound=False)
    assert 1 <= r.evaluations <= most
    assert r.stop_reason == "evaluations"
    assert r.objective < INF


@on(*KINDS)
def test_time_limit_of_zero(solver, instance):
    """Without any time a search stops at once, and says that time was up; nothing breaks."""
    problem = INSTANCES[instance]
    r = oe.solve(problem, solver.name, time_limit=0.0, bound=False)
    if solver.kind == "metaheuristic" or solver.name in ("highs", "enumeration", "random"):
        assert r.stop_reason == "time_limit"
        assert r.evaluations <= 1
    assert oe.verify(r)


@on(*KINDS)
def test_callback_stops(solver, instance):
    """A callback that says stop at once ends the run; what was found until then stays."""
    problem = INSTANCES[instance]
    seen = []

    def stop(run):
        seen.append((run.objective, run.evaluations))
        return True

    r = oe.solve(problem, solver.name, callback=stop, bound=False)
    assert r.stop_reason in ("callback", "optimal")
    assert len(seen) == (r.stop_reason == "callback")
    assert oe.verify(r)


@on(*KINDS)
def test_interrupted_run_returns(solver, instance):
    """KeyboardInterrupt out of the callback, whenever it is called, never escapes solve."""
    problem = INSTANCES[instance]
    r = solve(problem, solver.name, callback=interrupt, bound=False)
    assert r.stop_reason in ("interrupted", "optimal")
    assert oe.verify(r)


@pytest.mark.parametrize("name", ["annealing", "local-search", "highs", "random"])
def test_interrupted_search_keeps_the_incumbent(name):
    """Ctrl-C after the first solution returns that one or a better one."""
    problem = random_problem(11, 30, 4)
    values = []

    def once_there_is_one(run):
        if run.objective < INF:
            values.append(run.objective)
            interrupt(run)

    r = solve(problem, name, callback=once_there_is_one, bound=False)
    assert r.stop_reason == "interrupted"
    assert r.objective <= values[0]


@pytest.mark.parametrize("instance", ["missing", "everything"])
@pytest.mark.parametrize("name", ["annealing", "local-search", "highs"])
@pytest.mark.parametrize(
    "limits",
    [{"max_evaluations": 50}, {"time_limit": 0.0}, {"callback": lambda run: True}],
    ids=["evaluations", "no time", "callback"],
)
def test_start_is_never_worsened(name, instance, limits):
    """A start is the first incumbent, however early the run ends."""
    problem = INSTANCES[instance]
    start = oe.solve(problem, "random", seed=3, draws=30).solution
    before = start.copy()
    r = oe.solve(problem, name, start=start, bound=False, **limits)
    assert r.objective <= problem.objective(before)
    assert r.history["objective"][0] == pytest.approx(problem.objective(before))
    np.testing.assert_array_equal(start, before)


@pytest.mark.parametrize("name", ["annealing", "local-search", "highs"])
def test_an_optimal_start_stays(name):
    """From the optimum nothing but the optimum comes back."""
    problem = INSTANCES["everything"]
    best = oe.solve(problem, "enumeration").solution
    r = oe.solve(problem, name, start=best, max_evaluations=300)
    assert r.objective == problem.objective(best)


@on("full", *KINDS)
def test_options_of_a_result_repeat_the_run(solver, instance):
    """What a result says it ran with can be given back to solve."""
    problem = INSTANCES[instance]
    first = oe.solve(problem, solver.name, seed=2, **budgets(solver))
    again = oe.solve(problem, first.solver, seed=first.seed, **budgets(solver), **first.options)
    assert without_seconds(first.history) == without_seconds(again.history)


@pytest.mark.parametrize("solver", SOLVERS, ids=NAMES)
def test_infeasible_instances_are_told(solver, short_of_memory):
    """Too little memory is a status with a reason and a proof, whatever solver is asked."""
    if not takes(solver, short_of_memory):
        return
    r = oe.solve(short_of_memory, solver.name)
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
    if not solver.accepts(problem):
        return
    r = oe.solve(problem, solver.name)
    assert (r.status, r.stop_reason, r.bound) == ("INFEASIBLE", "infeasible", INF)
    assert not r.info["reason"].rstrip().endswith(":")
    assert oe.verify(r).verdict == "search, not certified"


@on("ready", *KINDS)
def test_nothing_global_is_touched(solver, instance, capsys):
    """No global random numbers are drawn, nothing is printed, and the instance stays as it is."""
    import random

    problem = INSTANCES[instance]
    before, key = problem.replace(), problem.replace().key
    state, numpy_state = random.getstate(), _legacy_state()
    oe.solve(problem, solver.name, **budgets(solver))
    assert random.getstate() == state
    assert _legacy_state() == numpy_state
    for name, value in vars(before).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(problem, name), value)
    assert problem.replace().key == key
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("long", [1e14, 1e20, 1e300])
@on("full")
def test_a_large_number_instead_of_inf(solver, instance, long):
    """Who writes 1e20 where a server cannot be reached gets the answers all the same."""
    times = np.array([[1, 2, long], [long, 3, 1], [1, long, 4], [2, 3, long]])
    exact, rough = (
        oe.MakespanProblem(np.where(times == long, INF, times)),
        oe.MakespanProblem(times),
    )
    r = oe.solve(rough, solver.name, seed=1, **budgets(solver))
    assert oe.verify(r)
    assert r.objective < 20
    assert r.bound <= brute_force(exact)
    if solver.kind == "exact":
        assert r.objective == brute_force(exact)


def _legacy_state():
    """Return NumPy's global state, which nobody should touch."""
    return np.random.get_state()[1].tolist()  # noqa: NPY002

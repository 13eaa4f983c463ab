"""What every registered solver must do, on a small and a mid-size instance of every problem class.

A solver is run on each instance of ``instances.py`` that it takes: who registers a solver, or adds
the pair of instances of a new problem class there, is in all of this. What is special to one class
of problems stands in the tests of that class.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import random

import numpy as np
import pytest
from conftest import INF
from instances import INSTANCES, KINDS, MIDDLE, PAIRS, SMALL, SPECIAL, optimum

import optedge as oe
from optedge.files.classes import all_classes
from optedge.kernels import Kernel
from optedge.solvers.deep_q.options import LEARNERS
from optedge.solvers.registry import all_solvers, find_solver

SOLVERS = all_solvers()
BUDGET = 600  # evaluations: enough for all phases of every metaheuristic
#: Learners that share all their code with ddpqn: the longer suite runs them.
ABLATIONS = set(LEARNERS) - {"ddpqn"}
#: Solvers that look at every candidate one by one, and stop within the budget.
COUNTING = [s for s in SOLVERS if s.kind == "metaheuristic" or s.name in ("random", "enumeration")]
#: Solvers that begin with the start that they are given.
STARTED = [s for s in SOLVERS if s.kind == "metaheuristic" or s.name == "highs"]


#: Options that keep a run short where it is no evaluations that take the time.
COARSE = {"time-grid": {"steps": 20, "opener_steps": 20}}


def budgets(solver, instance):
    """Return the budget that keeps a run short: exact methods may finish small instances."""
    if solver.kind != "exact":
        return {"max_evaluations": BUDGET, **COARSE.get(solver.name, {})}
    return {"target_gap": 0.2} if instance in MIDDLE else {}


def takes(solver, problem):
    """Tell whether the solver is made for the problem and does not decline the instance."""
    if not solver.accepts(problem):
        return False
    return not (solver.declines and solver.declines(problem, solver.make_options({})))


@functools.cache
def taken(solver):
    """Return the names of the instances that a solver takes; no kernel is compiled for that.

    Whether a model is too large is a matter of the best plan at hand, which is simulated. Every
    worker collects all tests before any runs: there the plain functions are quicker.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernel, "__call__", lambda kernel, *data: kernel.python(*data))
        copies = {name: problem.replace() for name, problem in INSTANCES.items()}
        return {name for name, problem in copies.items() if takes(solver, problem)}


def on(*instances, solvers=SOLVERS):
    """Parametrise a test over the solvers; it holds on all those of the instances that each takes.

    One test a solver, not one a pair: thousands of tests of a millisecond cost more to collect and
    report than to run. What fails says on which instance.
    """
    cases = [
        pytest.param(s, marks=[pytest.mark.slow] * (s.name in ABLATIONS), id=s.name)
        for s in solvers
        if taken(s) & set(instances)
    ]

    def fold(test):
        @functools.wraps(test)
        def on_each(solver, **others):
            for instance in instances:
                if instance in taken(solver):
                    try:
                        test(solver, instance, **others)
                    except BaseException as error:
                        error.add_note(f"{solver.name} on instance {instance!r}")
                        raise

        kinds = inspect.signature(test).parameters
        on_each.__signature__ = inspect.Signature([kinds[n] for n in kinds if n != "instance"])
        return pytest.mark.parametrize("solver", cases)(on_each)

    return fold


@functools.cache
def solved(solver, instance):
    """Return the result of the usual run, which several tests look at."""
    return oe.solve(INSTANCES[instance], solver, **budgets(solver, instance))


def interrupt(run):
    """Be a user who presses Ctrl-C at the first look at the callback."""
    raise KeyboardInterrupt


def solve(*arguments, **options):
    """Call solve; a KeyboardInterrupt that escapes it must not end the test session."""
    try:
        return oe.solve(*arguments, **options)
    except KeyboardInterrupt:
        pytest.fail("KeyboardInterrupt escaped solve.")


def without_seconds(history):
    """Return the columns of a history that are the same in every run."""
    return [row[1:] for row in history.tolist()]


def assert_same_solution(first, second):
    """Hold two solutions against each other, whatever they are made of."""
    if dataclasses.is_dataclass(first):
        first, second = list(vars(first).values()), list(vars(second).values())
    else:
        first, second = [first], [second]
    for a, b in zip(first, second, strict=True):
        if isinstance(a, tuple):  # rows of different length
            assert a == b
        else:
            np.testing.assert_array_equal(a, b)


def assert_honest(result, best):
    """Hold what a result says against the problem, and against the optimum where it is known."""
    problem, x = result.problem, result.solution
    if x is not None:
        assert problem.violations(x) == []
        assert result.objective == problem.objective(x)
    assert result.bound <= result.objective
    if best is not None:
        assert result.objective >= best - 1e-12 * abs(best)
        assert result.bound <= best + 1e-9 * abs(best)
    assert (result.status == "OPTIMAL") == (result.gap <= 1e-6)
    check = oe.verify(result)
    assert check, check.message


# --------------------------------------------------------------------- who is in it


def test_every_problem_class_has_instances():
    """A problem class of the package without instances here would be tested by nobody."""
    missing = [
        cls.__name__
        for cls in all_classes()
        if cls.__module__.startswith("optedge.") and cls not in PAIRS
    ]
    assert missing == [], "add a small and a mid-size instance to PAIRS in tests/instances.py"
    for cls, pair in PAIRS.items():
        assert type(pair.small) is type(pair.middle) is cls


def test_every_solver_has_an_instance():
    """A solver that takes none of the instances would be tested by nobody."""
    idle = [s.name for s in SOLVERS if not any(takes(s, p) for p in INSTANCES.values())]
    assert idle == [], "add an instance that they take to SPECIAL in tests/instances.py"


@pytest.mark.parametrize("instance", [*SMALL, "three tiers", "slowest stage", "balance"])
def test_the_parts_of_a_problem_agree(instance):
    """Evaluator, codes, models, bounds, moves and files say the same."""
    assert oe.check_problem(INSTANCES[instance]) == []


# --------------------------------------------------------------------- what a result says


@on(*INSTANCES)
def test_honest_result(solver, instance):
    """The solution is feasible, valued by the evaluator, not below any bound, and verifiable."""
    r = solved(solver, instance)
    assert r.solver == solver.name
    assert r.status in ("OPTIMAL", "FEASIBLE", "UNKNOWN")
    assert r.stop_reason in ("optimal", "target_gap", "evaluations", "converged")
    assert r.runtime >= 0
    assert {"compile_seconds", "bound_seconds"} <= set(r.info)
    assert_honest(r, None if instance in MIDDLE else optimum(instance))


@on(*SMALL, *SPECIAL)
def test_honest_without_a_bound(solver, instance):
    """What a solver proves on its own, if anything, is right."""
    r = oe.solve(INSTANCES[instance], solver, bound=False, **budgets(solver, instance))
    assert r.info["bound_seconds"] == 0
    assert_honest(r, optimum(instance))


@on(*[k for k, p in INSTANCES.items() if getattr(p, "memory", None) is None and k != "no link"])
def test_a_solution_is_found(solver, instance):
    """Where nothing can run out every solver finds a solution; limits may stop a heuristic."""
    limits = isinstance(INSTANCES[instance], oe.SplitProblem)
    assert solved(solver, instance).objective < INF or (limits and solver.kind == "heuristic")


@on(*KINDS, *MIDDLE, "full", "memory", "everything")
def test_history_tells_the_run(solver, instance):
    """Rows improve objective or bound, never worsen either, and the last one is the result."""
    r = solved(solver, instance)
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


@on(*KINDS)
def test_files(solver, instance, tmp_path):
    """A saved result comes back equal, solution and history to the last digit, and verifies."""
    r = solved(solver, instance)
    oe.save(r, tmp_path / "r.json")
    again = oe.load(tmp_path / "r.json")
    assert again.problem.key == r.problem.key
    for name in ("solver", "status", "stop_reason", "objective", "bound", "proof", "evaluations"):
        assert getattr(again, name) == getattr(r, name)
    assert dict(again.options) == dict(r.options)
    np.testing.assert_array_equal(again.history, r.history)
    assert_same_solution(again.solution, r.solution)
    assert oe.verify(again) == oe.verify(r)


# --------------------------------------------------------------------- guarantees


def always(factor):
    """Return a guarantee that holds on every instance."""
    return lambda problem, result: factor


def if_codes_reach_all(problem, result):
    """Return factor 1 where some code means the optimum."""
    return 1.0 if problem.complete_code else None


def if_no_pool_is_ever_busy(problem, result):
    """Return factor 1 where every pool is larger than the number of subtasks."""
    return 1.0 if (problem.pools >= problem.n_subtasks).all() else None


def list_scheduling(problem, result):
    """Return the number of servers, for the makespan without memory."""
    plain = isinstance(problem, oe.MakespanProblem) and problem.memory is None
    return float(problem.n_servers) if plain else None


def longest_first(problem, result):
    """Return 4/3 - 1/(3m) for equal servers, 2m/(m+1) for related ones that run every task."""
    if problem.work is None or problem.ready.any() or not problem.eligible.all():
        return None
    m, equal = problem.n_servers, (problem.times == problem.times[:, :1]).all()
    return 4 / 3 - 1 / (3 * m) if equal else 2 * m / (m + 1)


def if_z_has_no_weight(problem, result):
    """Return factor 1 where no pool is ever busy, and the balance of the load does not count."""
    balanced = problem.weights is not None and problem.weights.xi
    return None if balanced else if_no_pool_is_ever_busy(problem, result)


def within_the_tolerance(problem, result):
    """Return factor 1 for data with a common unit, else one larger by the tolerance told."""
    tolerance = result.info.get("tolerance", 0.0)
    return 1.0 + tolerance / result.bound if tolerance else 1.0


def on_a_chain(problem, result):
    """Return factor 1 for a chain."""
    chain = all(list(row) == [k + 1] for k, row in enumerate(problem.successors[:-1]))
    return 1.0 if chain and problem.goal == "latency" and problem.n_tiers == 2 else None


def twice_the_variable_part(problem, result):
    """Return 2 less the share of the constant part in the optimum, if no saving is negative."""
    if not problem.is_supermodular:
        return None
    return 2.0 - problem.total_seconds * problem.least_delay / problem.bound("interval DP").value


#: What each solver promises: a factor of the optimum, None where it promises none.
GUARANTEES = {
    "block-cut": always(1.0),
    "count-master": if_no_pool_is_ever_busy,
    "dp": if_z_has_no_weight,
    "enumeration": if_codes_reach_all,
    "greedy": list_scheduling,
    "highs": always(1.0),
    "interval-dp": always(1.0),
    "lp-rounding": lambda p, r: float(r.info["most_shares"]),
    "lpt": longest_first,
    "lst": always(2.0),
    "makespan-exact": within_the_tolerance,
    "min-cut": always(1.0),
    "neurosurgeon": on_a_chain,
    "offset-dp": if_no_pool_is_ever_busy,
    "potts": always(2.0),
    "shmoys-tardos": always(2.0),
    "sidney": twice_the_variable_part,
    "subset-dp": always(1.0),
    "tmoa": always(1.0),
}


def promised(name, instance):
    """Return the factor that a solver promises on an instance, None for none."""
    return GUARANTEES[name](INSTANCES[instance], solved(find_solver(name), instance))


def test_every_guarantee_is_tested():
    """Who is registered as exact or as an approximation has its factor here, and it applies."""
    wanted = {s.name for s in SOLVERS if s.kind in ("exact", "approximation")}
    assert wanted - set(GUARANTEES) == set(), "add what they promise to GUARANTEES"
    for name in GUARANTEES:
        taken = [k for k in SMALL | SPECIAL if takes(find_solver(name), INSTANCES[k])]
        assert any(promised(name, k) is not None for k in taken), f"{name} is never put to the test"


@on(*SMALL, *SPECIAL, solvers=[s for s in SOLVERS if s.name in GUARANTEES])
def test_guarantees_are_kept(solver, instance):
    """The objective is within the factor of the optimum; factor 1 is proved optimal."""
    factor, r, best = promised(solver.name, instance), solved(solver, instance), optimum(instance)
    if factor is None:
        return
    if factor == 1.0:
        assert r.objective == pytest.approx(best, rel=1e-9)
        assert r.status == "OPTIMAL"
    assert r.objective <= factor * best + 1e-9 * abs(best)


# --------------------------------------------------------------------- chance


@on(*KINDS, *MIDDLE, "full", "ready", "everything", "balance")
def test_same_seed_same_history(solver, instance):
    """Seed, options and evaluation budget fix the history but for its seconds, and the solution."""
    first = solved(solver, instance)
    second = oe.solve(
        INSTANCES[instance],
        solver,
        seed=first.seed,
        **{**budgets(solver, instance), **first.options},
    )
    assert without_seconds(first.history) == without_seconds(second.history)
    assert first.evaluations == second.evaluations
    assert_same_solution(first.solution, second.solution)


@on(*KINDS, "ties", "balance", solvers=[s for s in SOLVERS if s.deterministic])
def test_deterministic_solvers_ignore_the_seed(solver, instance):
    """Compare runs them once an instance, so the seed must not matter."""
    other = oe.solve(INSTANCES[instance], solver, seed=1, **budgets(solver, instance))
    assert without_seconds(solved(solver, instance).history) == without_seconds(other.history)


@on(*KINDS, *MIDDLE, "ready")
def test_nothing_global_is_touched(solver, instance, capsys):
    """No global random numbers are drawn, nothing is printed, and the instance stays as it is."""
    problem = INSTANCES[instance]
    before, key = problem.replace(), problem.replace().key
    state, numpy_state = random.getstate(), _legacy_state()
    oe.solve(problem, solver, seed=3, **{**budgets(solver, instance), "max_evaluations": 100})
    assert random.getstate() == state
    assert _legacy_state() == numpy_state
    for name, value in vars(before).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(problem, name), value)
    assert problem.replace().key == key
    assert capsys.readouterr() == ("", "")


def _legacy_state():
    """Return NumPy's global state, which nobody should touch."""
    return np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.slow
def test_two_processes_find_what_one_finds():
    """A study with n_jobs=2 has the rows of one with n_jobs=1: every class, every solver."""
    solvers = [s for s in SOLVERS if s.name not in ABLATIONS]
    studies = [
        oe.compare(list(SMALL.values()), solvers, seeds=1, max_evaluations=150, n_jobs=jobs).runs
        for jobs in (1, 2)
    ]
    columns = ["instance", "solver", "seed", "status", "objective", "bound", "evaluations"]
    one, two = (s[columns] for s in studies)
    assert set(one["status"]) <= {"OPTIMAL", "FEASIBLE", "UNKNOWN", "SKIPPED"}
    assert one.equals(two)


# --------------------------------------------------------------------- budgets, stops, starts


@pytest.mark.parametrize("most", [1, 7, 50])
@on(*SMALL, *MIDDLE, solvers=COUNTING)
def test_evaluation_budget(solver, instance, most):
    """No more candidates are priced than allowed, and the reason to stop is told."""
    problem = INSTANCES[instance]
    r = oe.solve(problem, solver, max_evaluations=most, bound=False)
    assert 1 <= r.evaluations <= most
    assert r.stop_reason in ("evaluations", "optimal", "converged")
    assert r.stop_reason != "converged" or r.evaluations < most
    assert_honest(r, None)


@on(*SMALL, *MIDDLE, solvers=[s for s in SOLVERS if s not in COUNTING])
def test_the_least_evaluation_budget(solver, instance):
    """Who prices no candidates one by one may finish, and says nothing false."""
    r = oe.solve(INSTANCES[instance], solver, max_evaluations=1, time_limit=1.0, bound=False)
    assert_honest(r, None)


@on(*KINDS, *MIDDLE)
def test_time_limit_of_zero(solver, instance):
    """Without any time a search stops at once, and says that time was up; nothing breaks."""
    r = oe.solve(INSTANCES[instance], solver, time_limit=0.0, bound=False)
    if solver in COUNTING or solver.name == "highs":
        assert r.stop_reason == "time_limit"
        assert r.evaluations <= 1
    assert_honest(r, None)


@on(*MIDDLE)
def test_a_short_time(solver, instance):
    """A run that is cut off somewhere has an honest result."""
    r = oe.solve(INSTANCES[instance], solver, time_limit=0.02)
    assert r.stop_reason in ("time_limit", "optimal", "converged")
    assert_honest(r, None)


@on(*KINDS, *MIDDLE)
def test_callback_stops(solver, instance):
    """A callback that says stop at once ends the run; what was found until then stays."""
    seen = []

    def stop(run):
        seen.append((run.objective, run.evaluations))
        return True

    r = oe.solve(INSTANCES[instance], solver, callback=stop, bound=False)
    assert r.stop_reason in ("callback", "optimal", "converged")
    assert len(seen) == (r.stop_reason == "callback")
    assert_honest(r, None)


@on(*KINDS, *MIDDLE)
def test_interrupted_run_returns(solver, instance):
    """KeyboardInterrupt out of the callback, whenever it is called, never escapes solve."""
    r = solve(INSTANCES[instance], solver, callback=interrupt, bound=False)
    assert r.stop_reason in ("interrupted", "optimal", "converged")
    assert_honest(r, None)


@on(*MIDDLE, solvers=STARTED)
def test_an_interrupted_search_keeps_the_incumbent(solver, instance):
    """Ctrl-C after the first solution returns that one or a better one."""
    values = []

    def once_there_is_one(run):
        if run.objective < INF:
            values.append(run.objective)
            interrupt(run)

    r = solve(INSTANCES[instance], solver, callback=once_there_is_one, bound=False)
    assert r.stop_reason == ("interrupted" if values else "optimal")
    assert r.objective <= min(values, default=r.objective)
    assert_honest(r, None)


@on(*SMALL, *MIDDLE, "everything", solvers=STARTED)
@pytest.mark.parametrize(
    "limits",
    [{"max_evaluations": 50}, {"time_limit": 0.0}, {"callback": lambda run: True}],
    ids=["evaluations", "no time", "callback"],
)
def test_start_is_never_worsened(solver, instance, limits):
    """A start is the first incumbent, however early the run ends, and stays as it is."""
    problem = INSTANCES[instance]
    start = a_start(instance)
    before = problem.objective(start)
    r = oe.solve(problem, solver, start=start, bound=False, **limits)
    assert r.objective <= before
    assert r.history["objective"][0] == pytest.approx(before)
    assert problem.objective(start) == before
    assert_honest(r, None)


@on(*SMALL, "everything")
def test_an_optimal_start_stays(solver, instance):
    """From the optimum no search comes back with less; the others need not look at it."""
    problem = INSTANCES[instance]
    best = oe.solve(problem, "highs").solution
    r = oe.solve(problem, solver, start=best, **budgets(solver, instance))
    if solver in STARTED and problem.complete_code:
        assert r.objective == problem.objective(best)
    assert_honest(r, optimum(instance))


@functools.cache
def a_start(instance):
    """Return a feasible solution that is not very good."""
    return oe.solve(INSTANCES[instance], "random", seed=3, draws=30).solution

"""The bridge from Pyomo to HiGHS: values, bounds, duals, starts, callbacks, conflicts."""

import doctest
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from optedge import bridge
from optedge.bridge import Arrays, compile_model, find_conflict, solve_arrays, solve_model

INF = math.inf


def makespan_arrays(n: int, s: int, *, seed: int = 1, maximise: bool = False) -> Arrays:
    """Assign ``n`` tasks to ``s`` servers; the makespan (its negative, to maximise) is last."""
    times = np.random.default_rng(seed).uniform(1, 9, size=(n, s))
    capacity = np.zeros((s, n * s + 1))
    for j in range(s):
        capacity[j, j : n * s : s] = times[:, j]
    capacity[:, -1] = -1
    assign = np.hstack([np.kron(np.eye(n), np.ones(s)), np.zeros((n, 1))])
    cost = np.zeros(n * s + 1)
    cost[-1] = -1 if maximise else 1
    integer = np.arange(n * s + 1) < n * s
    return Arrays(
        cost=cost,
        matrix=np.vstack([capacity, assign]),
        row_lower=np.r_[np.full(s, -INF), np.ones(n)],
        row_upper=np.r_[np.zeros(s), np.ones(n)],
        lower=np.zeros(n * s + 1),
        upper=np.where(integer, 1.0, INF),
        integer=integer,
        maximise=maximise,
    )


def plan(arrays: Arrays, server: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the column values of the assignment that ``server`` chooses from the times."""
    s = int(np.isneginf(arrays.row_lower).sum())
    times = arrays.matrix.toarray()[:s, :-1].reshape(s, -1, s).diagonal(axis1=0, axis2=2)
    chosen = np.eye(s)[server(times)]
    return np.r_[chosen.ravel(), (chosen * times).sum(axis=0).max()]


def makespan_model(times: np.ndarray, *, relax: bool = False) -> Any:
    """Write the makespan model as a student would."""
    n, s = times.shape
    m = pyo.ConcreteModel(name="makespan")
    m.I, m.J = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, s - 1)
    m.x = pyo.Var(m.I, m.J, domain=pyo.UnitInterval if relax else pyo.Binary)
    m.C = pyo.Var(domain=pyo.NonNegativeReals)
    m.makespan = pyo.Objective(expr=m.C)
    m.capacity = pyo.Constraint(
        m.J, rule=lambda m, j: sum(times[i, j] * m.x[i, j] for i in m.I) <= m.C
    )
    m.assign = pyo.Constraint(m.I, rule=lambda m, i: sum(m.x[i, j] for j in m.J) == 1)
    return m


TINY = np.array([[2.0, 5.0], [2.0, 9.0], [6.0, 3.0]])


@pytest.fixture(scope="module")
def hard() -> Arrays:
    """Return a MIP that HiGHS does not solve within the seconds of a test."""
    return makespan_arrays(60, 7)


# --- arrays ------------------------------------------------------------------------------------


def test_lp_by_hand() -> None:
    """Min x + 2y with x + y >= 3, x <= 2 is 4 at (2, 1); one unit more of demand costs 2."""
    s = solve_arrays(Arrays([1, 2], [[1, 1]], [3], [INF], [0, 0], [2, 9], [False, False]))
    assert (s.status, s.stop_reason, s.objective, s.bound) == ("optimal", "optimal", 4.0, 4.0)
    assert s.x.tolist() == [2.0, 1.0]
    assert s.row_duals.tolist() == [2.0]
    assert s.reduced_costs.tolist() == [-1.0, 0.0]


def test_maximisation_and_offset() -> None:
    """The sense and the constant reach objective, bound and duals."""
    a = Arrays([1, 2], [[1, 1]], [-INF], [3], [0, 0], [2, 2], [0, 0], offset=10, maximise=True)
    s = solve_arrays(a)
    assert (s.objective, s.bound) == (15.0, 15.0)
    assert s.row_duals.tolist() == [1.0]
    assert s.reduced_costs.tolist() == [0.0, 1.0]


def test_knapsack_by_hand() -> None:
    """Values 10, 13, 7 and weights 3, 4, 2 under 6 give 20 (last two), and no duals."""
    a = Arrays([10, 13, 7], [[3, 4, 2]], [-INF], [6], [0] * 3, [1] * 3, [True] * 3, maximise=True)
    s = solve_arrays(a)
    assert (s.status, s.objective, s.bound) == ("optimal", 20.0, 20.0)
    assert s.x.round().tolist() == [0.0, 1.0, 1.0]
    assert s.row_duals is None
    assert s.reduced_costs is None


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("integer", [[False], [True]])
def test_no_optimum_is_a_status(integer: list[bool], maximise: bool) -> None:
    """Infeasible and unbounded programs, LP or MIP, come back without solution and bound."""
    worst = -INF if maximise else INF
    sign = 1.0 if maximise else -1.0
    infeasible = Arrays([1], [[1]], [3], [INF], [0], [2], integer, maximise=maximise)
    unbounded = Arrays([sign], [[1]], [0], [INF], [0], [INF], integer, maximise=maximise)
    for arrays, status in ((infeasible, "infeasible"), (unbounded, "unbounded")):
        s = solve_arrays(arrays)
        assert (s.status, s.stop_reason) == (status, status)
        assert (s.objective, s.bound, s.x) == (worst, -worst, None)


def test_unbounded_direction_of_an_infeasible_mip() -> None:
    """A MIP that is both infeasible and unbounded in its relaxation's costs is infeasible."""
    s = solve_arrays(
        Arrays([-1, 0], [[0, 2], [1, 0]], [1, 0], [1, INF], [0, 0], [INF, 5], [True, True])
    )
    assert s.status == "infeasible"


def test_infeasible_only_as_a_mip() -> None:
    """2x + 2y = 3 has real solutions but no integer ones."""
    a = Arrays([1, 1], [[2, 2]], [3], [3], [0, 0], [2, 2], [True, True])
    assert solve_arrays(a).status == "infeasible"
    assert solve_arrays(replace(a, integer=[False, False])).objective == 1.5


@pytest.mark.parametrize(("row", "column"), [((3, 2), (0, 9)), ((0, 9), (3, 2)), ((3, 2), (3, 2))])
def test_crossing_bounds_are_infeasible(row: tuple[int, int], column: tuple[int, int]) -> None:
    """Crossing bounds, of a row or a variable, are an infeasible program and no error."""
    a = Arrays([1], [[1]], [row[0]], [row[1]], [column[0]], [column[1]], [False])
    assert solve_arrays(a).status == "infeasible"


def test_bounds_equal_but_for_rounding() -> None:
    """0.1 + 0.2 <= x <= 0.3 is x = 0.3, whatever the last bit says."""
    s = solve_arrays(Arrays([1], [[1]], [0.1 + 0.2], [0.3], [0.1 + 0.2], [0.3], [False]))
    assert s.status == "optimal"
    assert s.objective == pytest.approx(0.3)


def test_empty_programs() -> None:
    """No rows, no columns, or neither: still the right answer."""
    no_rows = Arrays([1, -1], np.zeros((0, 2)), [], [], [1, 0], [2, 5], [True, False], offset=1)
    assert solve_arrays(no_rows).objective == -3.0
    nothing = Arrays([], np.zeros((0, 0)), [], [], [], [], [], offset=3)
    assert (solve_arrays(nothing).objective, solve_arrays(nothing).status) == (3.0, "optimal")
    true = Arrays([], np.zeros((1, 0)), [-1], [1], [], [], [])
    assert solve_arrays(true).status == "optimal"
    assert solve_arrays(replace(true, row_lower=[1])).status == "infeasible"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost": [1]}, r"cost must have shape \(2,\), got \(1,\)"),
        ({"row_lower": [1, 2]}, r"row_lower must have shape \(1,\)"),
        ({"integer": [True]}, r"integer must have shape \(2,\)"),
        ({"upper": [1, np.nan]}, r"upper\[1\] is NaN"),
        ({"cost": [1, INF]}, "cost and matrix must be finite"),
        ({"matrix": [[1, np.nan]]}, "cost and matrix must be finite"),
        ({"matrix": [1, 1]}, "1D"),
        ({"lower": [0, INF]}, r"lower\[1\] must not be inf"),
        ({"row_upper": [-INF]}, r"row_upper\[0\] must not be -inf"),
        ({"offset": np.nan}, "offset must be finite"),
    ],
)
def test_bad_arrays_are_refused(changes: dict[str, Any], message: str) -> None:
    """Every inconsistent field is named."""
    good = {
        "cost": [1, 1],
        "matrix": [[1, 1]],
        "row_lower": [1],
        "row_upper": [2],
        "lower": [0, 0],
        "upper": [1, 1],
        "integer": [False, False],
    }
    with pytest.raises(ValueError, match=message):
        Arrays(**(good | changes))


def test_arrays_are_copies() -> None:
    """The program neither changes with its inputs nor lets itself be changed."""
    cost = np.array([1.0])
    a = Arrays(cost, [[1]], 0, 1, 0, 1, False)
    cost[0] = 7
    assert a.cost.tolist() == [1.0]
    with pytest.raises(ValueError, match="read-only"):
        a.cost[0] = 2


@pytest.mark.parametrize("options", [{"target_gap": -1.0}, {"threads": -1}, {"start": [1.0, 2.0]}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    """A value that HiGHS refuses, or a start of the wrong length, is an error."""
    with pytest.raises(ValueError, match=r"refuses|start must have shape"):
        solve_arrays(Arrays([1], [[1]], 0, 1, 0, 1, True), **options)


def random_arrays(seed: int) -> Arrays:
    """Return a small program of any kind, about half of them feasible."""
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 7, size=2)
    low = np.where(rng.random(m) < 0.6, rng.integers(-6, 8, m), -INF)
    high = np.where(rng.random(m) < 0.5, np.maximum(low, -4) + rng.integers(0, 4, m), INF)
    return Arrays(
        cost=rng.integers(-5, 6, n),
        matrix=rng.integers(-3, 4, (m, n)),
        row_lower=low,
        row_upper=high,
        lower=np.where(rng.random(n) < 0.8, 0, -3),
        upper=np.where(rng.random(n) < 0.7, rng.integers(0, 5, n), INF),
        integer=rng.random(n) < rng.choice([0.0, 0.5]),
        offset=float(rng.integers(-3, 4)),
        maximise=bool(rng.random() < 0.5),
    )


@pytest.mark.parametrize("block", range(5))
def test_agrees_with_scipy(block: int) -> None:
    """Random LPs and MIPs have the status and the optimum that SciPy finds; x is feasible."""
    pytest.importorskip("scipy", "1.15", reason="HiGHS in older SciPy errs on seed 107")
    for seed in range(40 * block, 40 * block + 40):
        a = random_arrays(seed)
        s = solve_arrays(a, target_gap=0.0)
        sign = -1.0 if a.maximise else 1.0
        reference = milp(
            sign * a.cost,
            constraints=LinearConstraint(a.matrix, a.row_lower, a.row_upper),
            bounds=Bounds(a.lower, a.upper),
            integrality=a.integer,
        )
        if reference.status == 4:  # SciPy leaves unbounded MIPs open
            assert s.status in ("unbounded", "infeasible"), seed
            continue
        assert s.status == {0: "optimal", 2: "infeasible", 3: "unbounded"}[reference.status], seed
        if s.x is None:
            continue
        assert s.objective == pytest.approx(sign * reference.fun + a.offset, abs=1e-6), seed
        assert s.bound == pytest.approx(s.objective, abs=1e-6), seed
        rows = a.matrix @ s.x
        assert (rows >= a.row_lower - 1e-6).all()
        assert (rows <= a.row_upper + 1e-6).all()
        assert s.objective == pytest.approx(a.cost @ s.x + a.offset, abs=1e-6)


def derivative(a: Arrays, field: str, k: int) -> float | None:
    """Return d(optimum)/d(bound) by differences, None where it has a kink."""
    values = []
    for step in (1e-4, -1e-4):
        vector = np.array(getattr(a, field))
        vector[k] += step
        values.append(solve_arrays(replace(a, **{field: vector})).objective)
    here = solve_arrays(a).objective
    right, left = (values[0] - here) / 1e-4, (here - values[1]) / 1e-4
    return right if abs(right - left) < 1e-6 else None


def test_duals_are_derivatives() -> None:
    """On random LPs duals and reduced costs equal the change of the optimum per unit of bound."""
    checked = 0
    for seed in range(60):
        a = replace(random_arrays(seed), integer=False)
        rng = np.random.default_rng(seed)
        a = replace(a, cost=a.cost + rng.uniform(-0.4, 0.4, a.cost.size))
        s = solve_arrays(a)
        if s.x is None:
            continue
        rows = a.matrix @ s.x
        for names, at, slopes in (
            (("row_lower", "row_upper"), rows, s.row_duals),
            (("lower", "upper"), s.x, s.reduced_costs),
        ):
            low, high = (getattr(a, name) for name in names)
            for k in np.flatnonzero(high - low > 1e-3):  # one bound of an equality cannot move
                active = [n for n in names if abs(getattr(a, n)[k] - at[k]) < 1e-7]
                expected = derivative(a, active[0], k) if active else 0.0
                if expected is not None:
                    assert slopes[k] == pytest.approx(expected, abs=1e-5), (seed, names, k)
                    checked += abs(expected) > 1e-6
    assert checked > 30


def test_lp_solutions_are_vertices() -> None:
    """The LP relaxation of a makespan instance has at most n + s positive values (a vertex)."""
    s = solve_arrays(replace(makespan_arrays(40, 5), integer=False))
    assert np.count_nonzero(s.x > 1e-9) <= 45


def test_target_gap(hard: Arrays) -> None:
    """A wide target ends the search early, and the result does not call itself optimal."""
    s = solve_arrays(hard, target_gap=0.1)
    assert (s.status, s.stop_reason) == ("feasible", "target_gap")
    assert 1e-6 < (s.objective - s.bound) / s.objective <= 0.1


def test_small_objectives_are_solved_to_the_relative_gap() -> None:
    """An objective of microseconds is not cut off by an absolute gap."""
    a = makespan_arrays(9, 3)
    best = solve_arrays(a).objective
    matrix = a.matrix.toarray()
    matrix[:, -1] *= 1e6
    small = solve_arrays(replace(a, matrix=matrix))
    assert small.status == "optimal"
    assert small.objective == pytest.approx(1e-6 * best, rel=1e-6)


def test_no_optimality_below_the_tolerances_of_highs() -> None:
    """Where HiGHS takes a gap of 13 % for none, the numbers are so small, it is not believed."""
    a = makespan_arrays(9, 3)
    matrix = a.matrix.toarray()
    matrix[:, -1] *= 1e7
    s = solve_arrays(replace(a, matrix=matrix))
    assert (s.status, s.stop_reason) in [("feasible", "error"), ("optimal", "optimal")]
    assert s.bound <= 1.0000001e-7 * solve_arrays(a).objective


def test_time_limit(hard: Arrays) -> None:
    """The limit is kept, the incumbent and the bound come back."""
    s = solve_arrays(hard, time_limit=0.5)
    assert (s.status, s.stop_reason) == ("feasible", "time_limit")
    assert 0 < s.bound < s.objective < INF
    assert s.seconds < 5
    assert s.x.shape == hard.cost.shape


def test_no_time_no_claim(hard: Arrays) -> None:
    """Without time there is neither a solution nor a bound, also for an LP."""
    for arrays in (hard, replace(hard, integer=False)):
        s = solve_arrays(arrays, time_limit=0.0)
        assert (s.status, s.stop_reason) == ("unknown", "time_limit")
        assert (s.objective, s.bound, s.x) == (INF, -INF, None)


# --- starts, callbacks, stopping ---------------------------------------------------------------


def test_start_is_used(hard: Arrays) -> None:
    """Without time to search, the incumbent is the start."""
    start = plan(hard, lambda times: times.argmin(axis=1))
    s = solve_arrays(hard, time_limit=0.0, start=start)
    assert s.status == "feasible"
    assert s.objective == pytest.approx(start[-1])
    assert s.x == pytest.approx(start)


def test_start_without_continuous_values(hard: Arrays) -> None:
    """Continuous values missing in the start are filled in: the makespan follows from the plan."""
    start = plan(hard, lambda times: times.argmin(axis=1))
    first: list[float] = []
    solve_arrays(
        hard,
        time_limit=0.2,
        start=np.r_[start[:-1], np.nan],
        on_incumbent=lambda objective, x: first.append(objective),
    )
    assert first[0] == pytest.approx(start[-1])


def test_partial_start_keeps_bounds_honest() -> None:
    """Completing a bad partial start never reports the restricted problem's bound as a bound."""
    a = makespan_arrays(14, 3)
    start = plan(a, lambda times: times.argmax(axis=1))
    start[15:] = np.nan  # five tasks on their slowest servers, the others unknown
    best = solve_arrays(a).objective
    incumbents: list[float] = []
    bounds: list[float] = []
    s = solve_arrays(
        a,
        start=start,
        on_incumbent=lambda objective, x: incumbents.append(objective),
        on_bound=bounds.append,
    )
    assert s.objective == pytest.approx(best)
    assert max(bounds) <= best + 1e-6
    fixed = replace(a, lower=np.where(np.isnan(start), a.lower, start))
    assert incumbents[0] >= solve_arrays(fixed).objective - 1e-6 > best + 1e-3


@pytest.mark.parametrize("value", [2.0, 0.5, np.nan])
def test_useless_start_is_dropped(value: float) -> None:
    """A start out of bounds, fractional or unknown throughout does no harm."""
    a = makespan_arrays(8, 3)
    s = solve_arrays(a, start=np.full(a.cost.size, value))
    assert s.objective == pytest.approx(solve_arrays(a).objective)


@pytest.mark.parametrize("maximise", [False, True])
def test_callbacks_are_monotone(maximise: bool) -> None:
    """Incumbents and bounds improve strictly and end at the solution; each x has its objective."""
    a = makespan_arrays(14, 3, maximise=maximise)
    sign = -1.0 if maximise else 1.0
    incumbents: list[tuple[float, np.ndarray]] = []
    bounds: list[float] = []
    s = solve_arrays(a, on_incumbent=lambda v, x: incumbents.append((v, x)), on_bound=bounds.append)
    values = sign * np.array([value for value, _ in incumbents])
    assert (np.diff(values) < 0).all()
    assert (np.diff(sign * np.array(bounds)) > 0).all()
    assert values[-1] == pytest.approx(sign * s.objective)
    assert bounds[-1] == pytest.approx(s.bound)
    for value, x in incumbents:
        assert a.cost @ x == pytest.approx(value)


def test_callbacks_of_an_lp() -> None:
    """An LP reports its optimum once, as incumbent and as bound."""
    a = Arrays([1, 2], [[1, 1]], [3], [INF], [0, 0], [2, 9], False)
    heard: list[object] = []
    solve_arrays(a, on_incumbent=lambda v, x: heard.append((v, x.tolist())), on_bound=heard.append)
    assert heard == [4.0, (4.0, [2.0, 1.0])]


def test_should_stop(hard: Arrays) -> None:
    """The search ends when the caller says so, with the incumbent."""
    found: list[float] = []
    s = solve_arrays(
        hard,
        time_limit=60,
        on_incumbent=lambda objective, x: found.append(objective),
        should_stop=lambda: len(found) >= 2,
    )
    assert (s.status, s.stop_reason) == ("feasible", "callback")
    assert s.objective <= found[1]
    assert s.seconds < 30


def test_should_stop_an_lp(hard: Arrays) -> None:
    """Stopping inside the simplex method gives no solution and claims no bound."""
    s = solve_arrays(replace(hard, integer=False), should_stop=lambda: True)
    assert (s.status, s.stop_reason, s.x, s.bound) == ("unknown", "callback", None, -INF)


@pytest.mark.parametrize("name", ["on_incumbent", "on_bound", "should_stop"])
def test_exceptions_in_callbacks(hard: Arrays, name: str) -> None:
    """What a callback raises comes out of the call, and HiGHS works afterwards."""

    def fail(*arguments: object) -> bool:
        calls.append(arguments)
        raise ZeroDivisionError("from the callback")

    calls: list[object] = []
    began = time.perf_counter()
    with pytest.raises(ZeroDivisionError, match="from the callback"):
        solve_arrays(hard, time_limit=60, **{name: fail})
    assert len(calls) == 1
    assert time.perf_counter() - began < 30
    assert solve_arrays(makespan_arrays(5, 2)).status == "optimal"


@pytest.fixture
def sigint() -> Any:
    """Replace the handler of Ctrl-C by one that only counts, so that pytest survives."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    count: list[int] = []

    def handler(number: int, frame: object) -> None:
        count.append(number)

    previous = signal.signal(signal.SIGINT, handler)
    yield handler, count
    signal.signal(signal.SIGINT, previous)


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")
@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt(hard: Arrays, sigint: Any, threads: int) -> None:
    """Ctrl-C returns the incumbent found so far and leaves the old handler in place."""
    handler, count = sigint
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    s = solve_arrays(hard, time_limit=60, threads=threads)
    timer.join()
    assert (s.status, s.stop_reason) == ("feasible", "interrupted")
    assert 0.5 < s.seconds < 30
    assert s.bound < s.objective < INF
    assert signal.getsignal(signal.SIGINT) is handler
    assert count == []


def test_late_interrupt_is_reported(sigint: Any) -> None:
    """A Ctrl-C after HiGHS has finished neither loses the optimum nor is lost."""
    handler, count = sigint
    s = solve_arrays(
        Arrays([1], [[1]], 1, 2, 0, 3, False),
        on_incumbent=lambda objective, x: signal.raise_signal(signal.SIGINT),
    )
    assert (s.status, s.stop_reason, s.objective) == ("optimal", "interrupted", 1.0)
    assert signal.getsignal(signal.SIGINT) is handler
    assert count == []


def test_other_threads_and_ignored_signals(sigint: Any) -> None:
    """Outside the main thread, or where Ctrl-C is ignored, the handler is not touched."""
    results: list[str] = []
    a = makespan_arrays(6, 2)
    worker = threading.Thread(target=lambda: results.append(solve_arrays(a).status))
    worker.start()
    worker.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seen: list[object] = []
    solve_arrays(a, on_incumbent=lambda v, x: seen.append(signal.getsignal(signal.SIGINT)))
    assert results == ["optimal"]
    assert set(seen) == {signal.SIG_IGN}


def test_threads_may_change() -> None:
    """Several solves with different numbers of threads work in one process."""
    a = makespan_arrays(10, 3)
    objectives = [solve_arrays(a, threads=threads).objective for threads in (2, 1, 3, 1)]
    assert objectives == pytest.approx([objectives[0]] * 4)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS stays silent, on success and on failure."""
    solve_arrays(makespan_arrays(6, 2))
    solve_arrays(Arrays([1], [[1]], [3], [2], [0], [1], False))
    solve_model(makespan_model(TINY))
    assert capfd.readouterr() == ("", "")


def test_arrays_do_without_pyomo() -> None:
    """Solving arrays does not import Pyomo, which takes a second."""
    code = "import sys, optedge.bridge; sys.exit('pyomo' in sys.modules)"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


# --- conflicts ---------------------------------------------------------------------------------


def without(a: Arrays, part: str, k: int) -> Arrays:
    """Drop one row or one bound."""
    fields = {"rows": ("row_lower", "row_upper"), "lower": ("lower",), "upper": ("upper",)}[part]
    changes = {}
    for field in fields:
        changes[field] = np.array(getattr(a, field))
        changes[field][k] = -INF if field.endswith("lower") else INF
    return replace(a, **changes)


def test_conflicts_are_irreducible() -> None:
    """On random LPs the conflict alone is infeasible, and feasible without any one part of it."""
    checked = 0
    for seed in range(150):
        a = replace(random_arrays(seed), integer=False)
        conflict = find_conflict(a)
        parts = [(part, k) for part in ("rows", "lower", "upper") for k in getattr(conflict, part)]
        if solve_arrays(a).status != "infeasible":
            assert parts == []
            continue
        a = replace(a, cost=np.zeros_like(a.cost))
        everything = [("rows", k) for k in range(a.row_lower.size)]
        everything += [(p, k) for p in ("lower", "upper") for k in range(a.cost.size)]
        for part, k in everything:
            if (part, k) not in parts:
                a = without(a, part, k)
        assert solve_arrays(a).status == "infeasible", seed
        for part, k in parts:
            assert solve_arrays(without(a, part, k)).status == "optimal", (seed, part, k)
        checked += 1
    assert checked > 30


def test_conflict_names() -> None:
    """A task that may go nowhere is named, with the bounds that forbid it."""
    m = makespan_model(TINY)
    for j in m.J:
        m.x[1, j].setub(0)
    v = solve_model(m)
    assert (v.status, v.objective, v.bound, v.values) == ("infeasible", INF, -INF, {})
    assert v.conflict == ["assign[1]", "x[1,0] <= 0", "x[1,1] <= 0"]


def test_conflict_of_several_rows() -> None:
    """Too little capacity for all tasks: the two rows that contradict, and no other, are named."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var(["a", "b"], domain=pyo.NonNegativeReals)
    m.demand = pyo.Constraint(expr=m.x["a"] + m.x["b"] >= 5)
    m.capacity = pyo.Constraint([0, 1], rule=lambda m, k: m.x["a"] + m.x["b"] <= 9 - 5 * k)
    assert set(solve_model(m).conflict) == {"demand", "capacity[1]"}


def test_conflict_of_bounds() -> None:
    """Bounds of one variable that cross are the whole conflict."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(3, 2.5))
    m.y = pyo.Var(bounds=(0, 1))
    m.c = pyo.Constraint(expr=m.x + m.y >= 0)
    assert solve_model(m).conflict == ["x >= 3", "x <= 2.5"]


def test_no_conflict_without_a_relaxed_one() -> None:
    """If only integrality makes a model infeasible, no conflict is claimed."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var([0, 1], domain=pyo.Binary)
    m.odd = pyo.Constraint(expr=2 * m.x[0] + 2 * m.x[1] == 3)
    v = solve_model(m)
    assert (v.status, v.conflict) == ("infeasible", [])


# --- models ------------------------------------------------------------------------------------


def test_makespan_by_hand() -> None:
    """Tasks 0 and 1 on server 0, task 2 on server 1: makespan 4, values by name and loaded."""
    m = makespan_model(TINY)
    v = solve_model(m)
    assert (v.status, v.stop_reason, v.objective, v.bound) == ("optimal", "optimal", 4.0, 4.0)
    assert v.values["C"] == 4.0
    assert {k for k, value in v.values["x"].items() if value == 1.0} == {(0, 0), (1, 0), (2, 1)}
    assert (v.duals, v.reduced_costs, v.conflict) == ({}, {}, [])
    assert pyo.value(m.makespan) == 4.0
    assert all(m.x[k].value == value for k, value in v.values["x"].items())


def test_a_student_changes_the_model() -> None:
    """A new constraint shows in the optimum, and its dual tells what relaxing it would bring."""
    m = makespan_model(TINY, relax=True)
    before = solve_model(m)
    m.quota = pyo.Constraint(expr=m.x[0, 0] + m.x[1, 0] + m.x[2, 0] <= 1.5)
    after = solve_model(m)
    assert after.objective > before.objective + 0.1
    m.quota.set_value(m.x[0, 0] + m.x[1, 0] + m.x[2, 0] <= 1.501)
    change = (solve_model(m).objective - after.objective) / 0.001
    assert change < 0
    assert after.duals["quota"] == pytest.approx(change)
    assert set(after.duals["assign"]) == {0, 1, 2}


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
def test_model_duals_by_perturbation(sense: Any) -> None:
    """Duals of <=, >=, == and ranged rows are derivatives by the right-hand side as written."""
    m = pyo.ConcreteModel()
    right = {"at_most": 3, "at_least": -8, "equal": 2, "low": 3, "high": 4}
    m.p = pyo.Param(list(right), mutable=True, initialize=right)
    m.x = pyo.Var(["a", "b", "c"], bounds=(0, 10))
    m.range = pyo.Constraint(expr=pyo.inequality(m.p["low"], m.x["a"] + m.x["b"], m.p["high"]))
    m.at_most = pyo.Constraint(expr=m.x["c"] - m.x["a"] + 1 <= m.p["at_most"])
    m.at_least = pyo.Constraint(expr=-m.x["b"] - m.x["c"] >= m.p["at_least"])
    m.equal = pyo.Constraint(expr=m.x["a"] - 2 * m.x["b"] == m.p["equal"])
    m.o = pyo.Objective(expr=3 * m.x["a"] + m.x["b"] + 2 * m.x["c"] + 7, sense=sense)
    v = solve_model(m)
    side = "low" if sense == pyo.minimize else "high"
    for name in ("range", "at_most", "at_least", "equal"):
        key = side if name == "range" else name
        m.p[key] = right[key] + 1e-3
        change = (solve_model(m).objective - v.objective) / 1e-3
        m.p[key] = right[key]
        assert v.duals[name] == pytest.approx(change, abs=1e-6), name
    assert v.duals["range"] != 0
    assert v.duals["equal"] != 0
    assert (v.duals["at_most"] != 0) == (sense == pyo.maximize)
    assert compile_model(m).arrays.row_lower.size == 4  # the ranged row is one row


def test_ranged_rows_become_one_row() -> None:
    """Ranged rows, mixed with others, keep both bounds, their coefficients and their names."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var([0, 1], bounds=(-9, 9))
    m.a = pyo.Constraint([0, 1], rule=lambda m, k: pyo.inequality(-k - 1, (k + 2) * m.x[k], k + 1))
    m.b = pyo.Constraint(expr=m.x[0] + m.x[1] + 3 >= 1)
    m.c = pyo.Constraint(expr=pyo.inequality(0, m.x[0] - m.x[1] + 5, 6))
    compiled = compile_model(m)
    assert [row.name for row in compiled.rows] == ["a[0]", "a[1]", "b", "c"]
    assert compiled.arrays.row_lower.tolist() == [-1, -2, -2, -5]
    assert compiled.arrays.row_upper.tolist() == [1, 2, INF, 1]
    assert compiled.arrays.matrix.toarray().tolist() == [[2, 0], [0, 3], [1, 1], [1, -1]]


def test_start_from_the_variables() -> None:
    """The values in the model are the first incumbent; missing ones are filled in."""
    times = np.random.default_rng(0).uniform(1, 9, (12, 3))
    m = makespan_model(times)
    m.spare = pyo.Var(domain=pyo.Binary)  # no value, in no row: must not spoil the start
    for i, j in m.x:
        m.x[i, j].set_value(float(j == 0))
    found: list[float] = []
    v = solve_model(m, start=True, on_incumbent=lambda objective, x: found.append(objective))
    assert found[0] == pytest.approx(times[:, 0].sum())
    assert v.objective < found[0]


def test_limits_and_stops_reach_highs() -> None:
    """Time limit and should_stop work on models; without a solution the values stay."""
    m = makespan_model(np.random.default_rng(1).uniform(1, 9, (60, 7)))
    m.C.set_value(123.0)
    v = solve_model(m, time_limit=0.0)
    assert (v.status, v.stop_reason, v.values, m.C.value) == ("unknown", "time_limit", {}, 123.0)
    assert solve_model(m, should_stop=lambda: True).stop_reason == "callback"


def test_fixed_variables() -> None:
    """A fixed variable is a constant: it keeps its value and has no reduced cost."""
    m = makespan_model(TINY, relax=True)
    m.x[0, 1].fix(1.0)
    v = solve_model(m)
    assert v.objective == pytest.approx(6.0)  # two thirds of task 2 on server 0: 2 + 4 = 5 + 1
    assert v.values["x"][0, 1] == 1.0
    assert v.values["x"][0, 0] == 0.0
    assert (0, 1) not in v.reduced_costs["x"]
    assert (0, 0) in v.reduced_costs["x"]


def test_unusual_but_valid_models() -> None:
    """Constants, true constant rows, skipped and deactivated rows, unused variables and blocks."""
    m = pyo.ConcreteModel()
    m.p = pyo.Param(initialize=0, mutable=True)
    m.x = pyo.Var(bounds=(1, 5))
    m.f = pyo.Var(initialize=2)
    m.f.fix()
    m.free = pyo.Var()
    m.unused = pyo.Var([0, 1, 2], bounds=(-4, 7))
    m.unused[1].setlb(1.5)
    m.unused[2].setub(-2)
    m.b = pyo.Block()
    m.b.y = pyo.Var(domain=pyo.NonNegativeReals)
    m.b.link = pyo.Constraint(expr=m.x <= m.b.y)
    m.true = pyo.Constraint(expr=m.f <= 2)
    m.zero = pyo.Constraint(expr=m.p * m.x <= 3)
    m.skipped = pyo.Constraint(rule=lambda m: pyo.Constraint.Skip)
    m.off = pyo.Constraint([0, 1], rule=lambda m, k: m.x >= 3 + k)
    m.off[0].deactivate()
    m.off[1].deactivate()
    m.o = pyo.Objective(expr=m.x + m.b.y + m.f + 10)
    v = solve_model(m)
    assert (v.status, v.objective) == ("optimal", 14.0)
    assert v.values == {
        "x": 1.0,
        "f": 2.0,
        "free": 0.0,
        "unused": {0: 0.0, 1: 1.5, 2: -2.0},
        "b.y": 1.0,
    }
    assert v.duals == {"b.link": pytest.approx(-1.0), "true": 0.0, "zero": 0.0, "off": {}}
    assert v.reduced_costs == {
        "x": pytest.approx(2.0),
        "free": 0.0,
        "unused": {0: 0.0, 1: 0.0, 2: 0.0},
        "b.y": pytest.approx(0.0),
    }
    m.unused.domain = pyo.Integers  # now a MIP
    v = solve_model(m)
    assert v.values["unused"] == {0: 0.0, 1: 2.0, 2: -2.0}
    assert v.duals == v.reduced_costs == {}


def test_models_without_objective_or_rows() -> None:
    """No objective means 0; a constant one is its value; no rows at all is fine."""
    m = pyo.ConcreteModel()
    assert solve_model(m).status == "optimal"
    m.x = pyo.Var(bounds=(2, 3))
    v = solve_model(m)
    assert (v.objective, v.values) == (0.0, {"x": 2.0})
    m.o = pyo.Objective(expr=42.0)
    assert solve_model(m).objective == 42.0
    m.o.deactivate()
    m.p = pyo.Objective(expr=m.x, sense=pyo.maximize)
    assert solve_model(m).objective == 3.0


def test_false_constant_row() -> None:
    """A row that fixing has made false is an infeasible model that names it, and stays active."""
    m = makespan_model(TINY)
    for j in m.J:
        m.x[2, j].fix(0)
    v = solve_model(m)
    assert (v.status, v.conflict) == ("infeasible", ["assign[2]"])
    assert m.assign[2].active


def test_unused_variable_without_values() -> None:
    """A variable that can have no value makes the model infeasible even if nothing uses it."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(2, 1))
    v = solve_model(m)
    assert (v.status, v.conflict) == ("infeasible", ["x >= 2", "x <= 1"])
    m.x.setlb(0.2)
    m.x.setub(0.8)
    m.x.domain = pyo.Integers
    assert solve_model(m).status == "infeasible"


def test_models_that_are_not_linear() -> None:
    """The component that has no linear form is named."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var([0, 1], bounds=(0, 1))
    m.o = pyo.Objective(expr=m.x[0])
    m.square = pyo.Constraint([7], rule=lambda m, k: m.x[0] * m.x[1] <= 1)
    with pytest.raises(ValueError, match=r"square\[7\].*nonlinear"):
        compile_model(m)
    m.square.deactivate()
    m.second = pyo.Objective(expr=m.x[1])
    with pytest.raises(ValueError, match="2 active objectives: o, second"):
        compile_model(m)
    m.o.deactivate()
    m.gaps = pyo.Var(domain=pyo.Set(initialize=[0, 2, 5]))
    with pytest.raises(ValueError, match="variable gaps"):
        compile_model(m)
    m.del_component(m.gaps)
    m.second.deactivate()
    m.curve = pyo.Objective(expr=pyo.exp(m.x[0]))
    with pytest.raises(ValueError, match="curve"):
        compile_model(m)


def test_compile_once_solve_often() -> None:
    """A compiled model can be solved as it is, or with changed arrays, and takes values back."""
    m = makespan_model(TINY)
    compiled = compile_model(m)
    assert compiled.model is m
    assert compiled.seconds > 0
    assert solve_model(compiled).objective == 4.0
    relaxed = solve_arrays(replace(compiled.arrays, integer=False))
    assert relaxed.objective < 4.0
    compiled.load(relaxed.x)
    assert pyo.value(m.makespan) == pytest.approx(relaxed.objective)
    assert any(0.1 < v.value < 0.9 for v in m.x.values())  # fractions are not rounded away
    with pytest.raises(ValueError, match=r"x must have shape \(7,\)"):
        compiled.load([1.0])


def test_integer_values_are_integers() -> None:
    """HiGHS' 0.9999999 arrives in the model as 1.0 and its -0.0 as 0.0."""
    m = makespan_model(TINY)
    compiled = compile_model(m)
    x = np.where(compiled.arrays.integer, 1 - 1e-7, -0.0)
    compiled.load(x)
    assert all(v.value == 1.0 for v in m.x.values())
    assert math.copysign(1, m.C.value) == 1.0


def test_models_agree_with_enumeration() -> None:
    """The makespan model's optimum is the best of all assignments."""
    for seed in range(5):
        times = np.random.default_rng(seed).uniform(1, 9, (5, 3))
        plans = np.stack(np.meshgrid(*[range(3)] * 5), axis=-1).reshape(-1, 5)
        loads = np.stack([(times[range(5), plans] * (plans == j)).sum(1) for j in range(3)], 1)
        assert solve_model(makespan_model(times)).objective == pytest.approx(loads.max(1).min())


def test_docstring_example() -> None:
    """The example in the package's docstring runs as printed."""
    assert doctest.testmod(bridge).failed == 0

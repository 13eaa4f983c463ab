"""The run over time: collect a window, solve it, append its tasks, carry on."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.makespan_moves import earliest_completion
from optedge.online.arrivals import arrival_times, check_whole, next_window
from optedge.online.outcome import Outcome, WindowRow, checked_bound, most_per_second
from optedge.solvers.front import solve
from optedge.solvers.registry import Solver, find_solver
from optedge.solvers.result import Result, SolverError, relative_gap

Entry = str | Solver | Callable[..., Any]


def schedule(
    problem: MakespanProblem,
    solver: Entry | tuple[Entry, Mapping[str, Any]] = "lpt",
    *,
    arrivals: npt.ArrayLike | None = None,
    window: int | None = 20,
    window_seconds: float | None = None,
    memory: Literal["window", "exclusive"] = "window",
    seed: int = 0,
    time_limit: float = 60.0,
    max_evaluations: int | None = None,
    bound: bool | Literal["milp"] = True,
    milp_seconds: float = 10.0,
) -> Outcome:
    r"""Schedule tasks in windows as they arrive, each window by any solver.

    A window is a :class:`~optedge.MakespanProblem` whose nodes are ready
    :math:`r_j = \max(0, \text{free}_j - \text{now})` seconds after it closed at ``now``. Its tasks
    are appended to their nodes in order of arrival, and never moved again. Deciding takes no time.

    Parameters
    ----------
    problem
        All tasks, in order of arrival, and the nodes; ``MakespanProblem.related(work, speeds)``
        for nodes that differ by speed. Its ready times are those of the nodes at time 0.
    solver
        Of each window: a name, a function ``f(problem, run)``, or one of them with a dict of its
        options.
    arrivals
        Seconds, ``(n_tasks,)``, not decreasing (:func:`poisson`); by default all tasks are there at
        time 0, and the windows are taken one after the other.
    window
        Tasks that close a window; None for no such limit.
    window_seconds
        Seconds after its first task that close a window; None for no such limit. With both, what
        comes first.
    memory
        ``"window"``: the tasks of a window are in memory together, and leave it when the next one
        is placed; those that fit nowhere any more wait for the next window. ``"exclusive"``: a
        node holds one task at a time, so that only tasks too large for it are kept away.
    seed
        Window k is solved with a seed drawn from this one and k.
    time_limit, max_evaluations
        Budget of each window.
    bound
        Whether each window gets the best bound that is cheap; ``"milp"``: that of the explicit
        model by HiGHS too, its optimum if ``milp_seconds`` suffice.
    milp_seconds
        Limit of HiGHS in each window.

    Returns
    -------
    Outcome
        Node, start and end of each task, makespan, mean response, utilisation, a table a window,
        and a proved bound. Ctrl-C returns the windows that were finished.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, or the solver does not take such problems.
    SolverError
        If the solver finds no solution of a window.

    Warns
    -----
    UserWarning
        Once, if tasks arrive faster than the nodes can serve them.
    """
    times = _checked(problem, arrivals, window, window_seconds, memory, bound, milp_seconds)
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed!r}.")
    entry, options = solver if isinstance(solver, tuple) else (solver, {})
    chosen = find_solver(entry)
    _warn_if_overloaded(problem, times)
    system = _System.idle(problem, times, memory)
    limits = {"time_limit": time_limit, "max_evaluations": max_evaluations}
    budget = {**options, **limits, "bound": bool(bound)}
    rows: list[WindowRow] = []
    waiting: list[int] = []
    following, now, interrupted = 0, 0.0, False
    try:
        while waiting or following < problem.n_tasks:
            tasks, now = next_window(times, waiting, following, now, window, window_seconds)
            following += len(tasks) - len(waiting)
            own = int(np.random.SeedSequence([seed, len(rows)]).generate_state(1)[0])
            part, tasks, waiting, result = _solved(system, tasks, now, chosen, own, budget)
            if result.stop_reason == "interrupted":
                raise KeyboardInterrupt
            proved = _milp_bound(part, result, milp_seconds) if bound == "milp" else result.bound
            system.append(tasks, np.asarray(result.solution), now, len(rows))
            rows.append(_row(now, len(tasks), len(waiting), result, proved))
    except KeyboardInterrupt:
        if not rows:
            raise
        interrupted = True
    placed = {name: getattr(system, name) for name in ("nodes", "starts", "ends", "window")}
    return Outcome(problem, times, chosen.name, **placed, rows=tuple(rows), interrupted=interrupted)


# ----------------------------------------------------------------------------- the nodes


@dataclasses.dataclass
class _System:
    """Tasks and nodes, and what was placed so far."""

    problem: MakespanProblem
    rows: bool  # whether a window's tasks share memory
    free: FloatArray  # (n_nodes,), s
    nodes: IntArray
    starts: FloatArray
    ends: FloatArray
    window: IntArray

    @classmethod
    def idle(cls, problem: MakespanProblem, arrivals: FloatArray, memory: str) -> _System:
        """Return the system before the first window."""
        n = len(arrivals)
        rows = memory == "window" and problem.memory is not None
        nothing, unknown = np.full(n, -1), np.full(n, np.nan)
        free = np.array(problem.ready)
        return cls(problem, rows, free, nothing, unknown, unknown.copy(), nothing.copy())

    def part(self, tasks: list[int], now: float) -> MakespanProblem:
        """Return the problem of a window that closes at ``now``."""
        p = self.problem
        return MakespanProblem(
            np.where(p.eligible, p.times, np.inf)[tasks],
            ready=np.maximum(0.0, self.free - now),
            memory=p.memory[tasks] if self.rows and p.memory is not None else None,
            capacity=p.capacity if self.rows else None,
            work=p.sizes[tasks],
        )

    def append(self, tasks: list[int], x: IntArray, now: float, number: int) -> None:
        """Append the tasks of a window to their nodes, in order of arrival."""
        for i, j in zip(tasks, x.tolist(), strict=True):
            start = max(now, float(self.free[j]))
            self.starts[i], self.ends[i] = start, start + self.problem.times[i, j]
            self.free[j] = self.ends[i]
        self.nodes[tasks], self.window[tasks] = x, number


def _solved(
    system: _System,
    tasks: list[int],
    now: float,
    solver: Solver,
    seed: int,
    budget: Mapping[str, Any],
) -> tuple[MakespanProblem, list[int], list[int], Result]:
    """Return a window as it was solved: problem, its tasks, those that wait, the result.

    Where the solver finds no solution, the tasks that the list rule finds no memory for wait for
    the next window.
    """
    part = system.part(tasks, now)
    result = solve(part, solver, seed=seed, **budget)
    waiting: list[int] = []
    if result.solution is None and result.stop_reason != "interrupted" and system.rows:
        fits = earliest_completion(part.data, np.arange(len(tasks))) >= 0
        waiting = [i for i, fit in zip(tasks, fits, strict=True) if not fit]
        if waiting:
            tasks = [i for i, fit in zip(tasks, fits, strict=True) if fit]
            part = system.part(tasks, now)
            result = solve(part, solver, seed=seed, **budget)
    if result.solution is None and result.stop_reason != "interrupted":
        raise SolverError(
            f"{solver.name} found no solution of the window of tasks {tasks[0]} to {tasks[-1]}: "
            f"{result.info.get('refused', result.stop_reason)}"
        )
    return part, tasks, waiting, result


def _milp_bound(part: MakespanProblem, result: Result, seconds: float) -> float:
    """Return the best bound of a window, that of branch and bound among them."""
    if result.solver == "highs":
        return result.bound
    exact = solve(part, "highs", time_limit=seconds, start=result.solution)
    if exact.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return checked_bound(max(result.bound, exact.bound), result.objective, "the bound of a window")


def _row(now: float, tasks: int, postponed: int, result: Result, proved: float) -> WindowRow:
    return WindowRow(
        closed_s=now,
        tasks=tasks,
        postponed=postponed,
        objective_s=result.objective,
        bound_s=proved,
        gap=relative_gap(result.objective, proved),
        status=str(result.status),
        evaluations=result.evaluations,
        seconds=result.runtime,
    )


# -------------------------------------------------------------------------------- checks


def _checked(
    problem: MakespanProblem,
    arrivals: npt.ArrayLike | None,
    window: int | None,
    window_seconds: float | None,
    memory: str,
    bound: bool | str,
    milp_seconds: float,
) -> FloatArray:
    """Return the arrival times, if all that was given makes sense."""
    if not isinstance(problem, MakespanProblem):
        raise TypeError(f"problem must be an oe.MakespanProblem, got {type(problem).__name__}.")
    if window is None and window_seconds is None:
        raise ValueError("window or window_seconds must be given: nothing else closes a window.")
    if window is not None:
        check_whole("window", window)
    if window_seconds is not None and not 0 < window_seconds < math.inf:
        raise ValueError(f"window_seconds must be positive seconds, got {window_seconds!r}.")
    if memory not in ("window", "exclusive"):
        raise ValueError(f"memory must be 'window' or 'exclusive', got {memory!r}.")
    if bound not in (True, False, "milp"):
        raise ValueError(f"bound must be True, False or 'milp', got {bound!r}.")
    if not milp_seconds > 0:
        raise ValueError(f"milp_seconds must be positive, got {milp_seconds!r}.")
    return arrival_times(arrivals, problem.n_tasks)


def _warn_if_overloaded(problem: MakespanProblem, arrivals: FloatArray) -> None:
    """Say that the queue grows as long as tasks arrive, if it does."""
    span = float(arrivals[-1] - arrivals[0])
    if span == 0:
        return  # all at once, or a single task: there is no rate
    rate, most = (problem.n_tasks - 1) / span, most_per_second(problem)
    if rate > most:
        warnings.warn(
            f"{rate:.4g} tasks arrive a second, the nodes can serve {most:.4g}: "
            "the queue grows until the last one has arrived.",
            stacklevel=3,
        )

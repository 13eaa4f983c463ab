"""What metaheuristics search: a cut and a level of delay for each task, and compiled moves.

Decision j is the cut of task j, decision n_tasks + j its level: the seconds by which the task
counts as later when it is settled who commits next (level 0: none). So a change of one cut leaves
the places of the other tasks alone. Prices are those of the whole plan, simulated anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.pipeline.simulation import TIE, PipelineData, serve
from optedge.kernels import apply, kernel, overload, price, start

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

#: Levels from the second on, in units of the longest time on a device.
GRID = 2.0 ** np.arange(-5, 4)


class CodeData(NamedTuple):
    """The arrays of an instance, and what its codes mean."""

    tasks: PipelineData
    seconds: FloatArray  # (n_levels,), s
    mean: bool  # whether the mean delay counts, else the makespan
    released: float  # s, sum of all arrivals


class Search(NamedTuple):
    """The plan that a search is at, and room to work in."""

    cuts: IntArray  # (n_tasks,)
    offsets: FloatArray  # (n_tasks,), s
    order: IntArray  # empty: there is none
    out: FloatArray  # (0, 6): times are not written
    placed: IntArray  # (n_tasks,)


def make_data(problem: PipelineProblem) -> CodeData:
    """Return the data of ``problem``; levels are a geometric grid of seconds."""
    device = problem.chains[:, :, 0]
    unit = float(device[np.isfinite(device)].max()) or float(problem.chains[:, 0].sum(axis=1).max())
    if not 0 < unit < np.inf:
        unit = 1.0  # nothing takes any time: then no level matters
    seconds = np.concatenate([[0.0], unit * GRID])
    seconds.setflags(write=False)
    mean = problem.goal == "mean delay"
    return CodeData(problem.arrays, seconds, mean, float(problem.release.sum()))


def choices(problem: PipelineProblem) -> BoolArray:
    """Return which options each decision has, ``(2 * n_tasks, n_options)``."""
    levels, n = problem.data.seconds.size, problem.n_tasks
    allowed = np.zeros((2 * n, max(problem.n_cuts, levels)), dtype=bool)
    allowed[:n, : problem.n_cuts] = problem.options
    allowed[n:, :levels] = True
    allowed.setflags(write=False)
    return allowed


def costs(problem: PipelineProblem, codes: npt.ArrayLike) -> FloatArray:
    """Return the objective of each row of ``codes`` (k, 2 * n_tasks)."""
    rows, n = np.ascontiguousarray(codes, dtype=np.int64), problem.n_tasks
    if rows.ndim != 2 or rows.shape[1] != 2 * n:
        raise ValueError(f"codes must have shape (k, {2 * n}), got {rows.shape}.")
    # Read without a sign, numbers below 0 are large: one comparison for both ends.
    for part, what, limit in (
        (rows[:, :n], "cuts", problem.n_cuts),
        (rows[:, n:], "levels", problem.data.seconds.size),
    ):
        if part.size and part.view(np.uint64).max() >= limit:
            raise ValueError(f"codes: {what} are 0 to {limit - 1}.")
    values = np.empty(len(rows))
    _all_values(problem.data, rows, values)
    return values


def decode(problem: PipelineProblem, code: npt.ArrayLike) -> PipelinePlan:
    """Return the plan of a code: who leaves its device first, levels counted, commits first."""
    x = np.asarray(code, dtype=np.int64)
    return problem.first_finished(x[: problem.n_tasks], problem.data.seconds[x[problem.n_tasks :]])


def encode(problem: PipelineProblem, x: PipelinePlan) -> IntArray:
    """Return the code of a plan: its cuts, and the least levels that give its order.

    Whoever commits has to be no later than all who could, each with its level: so every task has a
    lower limit, that of those who went before it while it could have gone. Orders that no levels
    give exist; then the code is that of a near one, and may cost more.
    """
    begin, levels = problem.times(x).start, np.zeros(problem.n_tasks, dtype=np.int64)
    seconds, device = problem.data.seconds, problem.chains[problem.kind, x.cuts, 0]
    at = problem.first[:-1].copy()
    # The latest that went while the next task of each device waited: lower devices win ties.
    before, after = (np.full(problem.n_devices, -np.inf) for _ in range(2))
    for e in x.order.tolist():
        j = at[e]
        at[e] += 1
        reached = begin[j] + (device[j] + seconds)
        fits = (reached >= before[e] - TIE) & (reached - TIE > after[e])
        levels[j] = int(fits.argmax()) if fits.any() else seconds.size - 1
        value = reached[levels[j]]
        before[e + 1 :] = np.maximum(before[e + 1 :], value)
        after[:e] = np.maximum(after[:e], value)
        before[e] = after[e] = -np.inf
    return np.concatenate([x.cuts, levels])


# ------------------------------------------------------------------ compiled


@kernel
def _all_values(data: CodeData, rows: IntArray, values: FloatArray) -> None:
    """Write the objective of each code into ``values``."""
    if not len(rows):
        return
    state = _open(data, rows[0])
    for r in range(len(rows)):
        _read(data, state, rows[r])
        values[r] = _value(data, state)


@kernel
def _open(data: CodeData, x: IntArray) -> Search:
    """Return the state of code ``x``."""
    n = data.tasks.release.size
    state = Search(
        np.empty(n, np.int64),
        np.empty(n),
        np.zeros(0, np.int64),
        np.empty((0, 6)),
        np.empty(n, np.int64),
    )
    _read(data, state, x)
    return state


@kernel
def _read(data: CodeData, state: Search, x: IntArray) -> None:
    """Bring the state to code ``x``."""
    n = state.cuts.size
    for j in range(n):
        state.cuts[j] = x[j]
        state.offsets[j] = data.seconds[x[n + j]]


@kernel
def _set(data: CodeData, state: Search, i: int, k: int) -> None:
    """Set decision ``i`` of the state to option ``k``."""
    n = state.cuts.size
    if i < n:
        state.cuts[i] = k
    else:
        state.offsets[i - n] = data.seconds[k]


@kernel
def _value(data: CodeData, state: Search) -> float:
    """Return the objective of the plan in the state."""
    last, total = serve(data.tasks, state.cuts, state.offsets, state.order, state.out, state.placed)
    return (total - data.released) / state.cuts.size if data.mean else last


@overload(start, CodeData)
def _start(data: CodeData, x: IntArray) -> Search:
    return _open(data, x)


@overload(price, CodeData)
def _price(data: CodeData, state: Search, x: IntArray, i: int, k: int) -> float:
    _set(data, state, i, k)
    value = _value(data, state)
    _set(data, state, i, x[i])
    return value


@overload(apply, CodeData)
def _apply(data: CodeData, state: Search, x: IntArray, i: int, k: int) -> None:
    x[i] = k
    _set(data, state, i, k)

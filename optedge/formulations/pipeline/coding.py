"""What metaheuristics search: a cut and a level of delay for each task.

Decision j is the cut of task j, decision n_tasks + j its level: the seconds by which the task
counts as later when it is settled who commits next (level 0: none). So a change of one cut leaves
the places of the other tasks alone. Prices are those of the whole plan, simulated anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.pipeline.moves import CodeData, all_values
from optedge.formulations.pipeline.simulation import TIE

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

#: Levels from the second on, in units of the longest time on a device.
GRID = 2.0 ** np.arange(-5, 4)


def make_data(problem: PipelineProblem) -> CodeData:
    """Return the data of ``problem``; levels are a geometric grid of seconds."""
    device = problem.chains[:, :, 0]
    unit = float(device[np.isfinite(device)].max()) or float(problem.chains[:, 0].sum(axis=1).max())
    if not 0 < unit < np.inf:
        unit = 1.0  # nothing takes any time: then no level matters
    seconds = np.concatenate([[0.0], unit * GRID])
    seconds.setflags(write=False)
    options = np.tile(np.arange(problem.n_cuts), (len(problem.chains), 1))
    useful, allowed = np.ones((2, len(problem.chains)), dtype=np.int64)
    for t, chain in enumerate(problem.chains):
        first, rest = useful_cuts(problem, chain)
        useful[t], allowed[t] = first.size, first.size + rest.size
        options[t, : allowed[t]] = np.concatenate([first, rest])
    for array in (options, useful, allowed):
        array.setflags(write=False)
    return CodeData(
        problem.arrays,
        seconds,
        problem.goal == "mean delay",
        float(problem.release.sum()),
        problem.device,
        options,
        useful,
        allowed,
    )


def useful_cuts(problem: PipelineProblem, chain: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the cuts of a type that searches draw from, rising, and its other ones.

    A cut is left out where another needs no more on the device and is done no later. That is a rule
    of thumb: the cloud may be short of time. Where links have a capacity, link and cloud are
    compared apart.
    """
    parts = chain[:, :2].copy() if problem.link == "delay" else chain
    if problem.link == "delay":
        parts[:, 1] += chain[:, 2]
    first: list[int] = []
    rest: list[int] = []
    for i in np.flatnonzero(np.isfinite(chain[:, 0])).tolist():
        no_worse = (parts <= parts[i]).all(axis=1)
        equal = (parts == parts[i]).all(axis=1)
        equal[-1] = i == len(chain) - 1
        earlier = np.arange(len(chain)) < i
        (rest if (no_worse & (~equal | earlier)).any() else first).append(i)
    return np.array(first, dtype=np.int64), np.array(rest, dtype=np.int64)


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
    all_values(problem.data, rows, values)
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

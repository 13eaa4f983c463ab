"""A multi-phase heuristic for servers with eligibility."""

from __future__ import annotations

from typing import Any

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.makespan_moves import MakespanData, earliest_completion
from optedge.kernels import kernel
from optedge.solvers.registry import register
from optedge.solvers.run import Run


def _declines(problem: MakespanProblem, options: Any) -> str | None:
    return "its transfers do not respect memory." if problem.memory is not None else None


@register(
    "multiphase",
    problems=(MakespanProblem,),
    kind="heuristic",
    guarantee="no transfer or swap with a busiest server helps",
    source="in the spirit of Salem and Armacost, Eng. J. Univ. Qatar 15 (2002)",
    deterministic=True,
    declines=_declines,
)
def improve_in_phases(problem: MakespanProblem, run: Run) -> None:
    """Construct, transfer, swap, and start again from two other orders.

    The paper compares against a multi-phase heuristic without describing it; this one is
    reconstructed from what is known of it. Tasks with one server are fixed first, then those with
    fewer servers and longer times; each goes to its earliest completion. Then the best transfer
    from a busiest server is made while one shortens both servers, then the best swap. The second
    and third construction go by largest regret and by largest size; the best of three is kept.
    """
    times = np.where(problem.eligible, problem.times, np.inf)
    servers, ranked = problem.eligible.sum(axis=1), np.sort(times, axis=1)
    regret = np.full(problem.n_tasks, np.inf)  # a task with one server has no second choice
    several = servers > 1
    if several.any():
        regret[several] = ranked[several, 1] - ranked[several, 0]
    for order in (
        np.lexsort((-ranked[:, 0], servers)),
        np.argsort(-regret, kind="stable"),
        np.lexsort((-problem.sizes, servers > 1)),
    ):
        if run.done():
            return
        x = earliest_completion(problem.data, order)
        priced = _improve(problem.data, x)
        run.offer(x, float(problem.costs(x[None])[0]), int(problem.eligible.sum()) + priced)


@kernel
def _improve(data: MakespanData, x: IntArray) -> int:
    """Make best transfers, else best swaps, with a busiest server; return the moves priced."""
    load = data.ready.copy()
    for i in range(x.size):
        load[x[i]] += data.times[i, x[i]]
    priced = 0
    while True:
        k = int(np.argmax(load))
        i, j, g, tried = _best_transfer(data.times, load, x, k)
        priced += tried
        if i < 0:
            i, j, g, tried = _best_swap(data.times, load, x, k)
            priced += tried
        if i < 0:
            return priced
        load[k] -= data.times[i, k]
        load[j] += data.times[i, j]
        x[i] = j
        if g >= 0:
            load[j] -= data.times[g, j]
            load[k] += data.times[g, k]
            x[g] = k


@kernel
def _best_transfer(
    times: FloatArray, load: FloatArray, x: IntArray, k: int
) -> tuple[int, int, int, int]:
    """Return task, server, -1 and the number tried; the task is -1 if no transfer helps."""
    best, task, server, tried = load[k] * (1 - 1e-12), -1, -1, 0
    for i in range(x.size):
        if x[i] == k:
            for j in range(load.size):
                if j != k:
                    tried += 1
                    value = max(load[k] - times[i, k], load[j] + times[i, j])
                    if value < best:
                        best, task, server = value, i, j
    return task, server, -1, tried


@kernel
def _best_swap(
    times: FloatArray, load: FloatArray, x: IntArray, k: int
) -> tuple[int, int, int, int]:
    """Return task, server, the other task and the number tried; the task is -1 if none helps."""
    best, task, other, tried = load[k] * (1 - 1e-12), -1, -1, 0
    for i in range(x.size):
        if x[i] == k:
            for g in range(x.size):
                j = x[g]
                if j != k:
                    tried += 1
                    value = max(
                        load[k] - times[i, k] + times[g, k], load[j] - times[g, j] + times[i, j]
                    )
                    if value < best:
                        best, task, other = value, i, g
    return task, x[other], other, tried

"""Placing layer by layer, each where it ends first beside those already placed, compiled.

The layers are taken in the order of rank: first layers of all tasks, then second ones, and so on.
A layer that is placed keeps its pool from its start to its end. The next one starts on a server
when its inputs have arrived and one of the pools is past the last layer that it was given: gaps are
not filled. That is what the layer waits first come, first served if later ones do not overtake it.

Source: the greedy baseline of EosDNN, of which the paper tells the name only; a layer counts as
done when it ends, the last one of a task when its result is home, if that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import SimulationData, send
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


@kernel
def _place(
    data: SimulationData, allowed: BoolArray, code: IntArray, fixed: int, until: int
) -> FloatArray:
    """Place the layers of rank ``fixed`` to ``until`` - 1 into ``code``; those before stand there.

    Returns when the layer of rank ``until``, if there is one, would be done on each server,
    ``(n_servers,)``; ``inf`` where something that it reads cannot get.
    """
    n, m = data.seconds.shape
    ends, end, done = np.zeros(n), np.zeros(m), np.zeros(m)
    free = np.empty((m, data.pools.max()))  # when each pool in use is past its last layer
    used = np.zeros(m, np.int64)  # pools in use
    for k in range(min(until + 1, n)):
        v = data.by_rank[k]
        i = data.tasks[v]
        for s in range(m):
            if k < fixed and s != code[v]:
                continue
            start = 0.0
            if used[s] == data.pools[s]:
                start = free[s, 0]
                for pool in range(1, used[s]):
                    start = min(start, free[s, pool])
            if data.first[i] == v:
                away = send(data, data.inputs[i], data.clients[i], s)
                start = max(start, data.release[i] + away)
            for e in range(data.reads_from[v], data.reads_from[v + 1]):
                u = data.read[e]
                start = max(start, ends[u] + send(data, data.outputs[u], code[u], s))
            end[s] = done[s] = start + data.seconds[v, s]
            if data.returns and data.feeds_from[v] == data.feeds_from[v + 1]:
                done[s] += send(data, data.outputs[v], s, data.clients[i])
        if k == until:
            break
        if k >= fixed:
            best = -1
            for s in range(m):
                if allowed[v, s] and (best < 0 or done[s] < done[best]):
                    best = s
            code[v] = best
        s = code[v]
        ends[v] = end[s]
        pool = used[s]
        if used[s] < data.pools[s]:
            used[s] += 1
        else:
            pool = int(np.argmin(free[s, : used[s]]))
        free[s, pool] = end[s]
    return done


def option_ends(problem: OffloadingProblem, code: IntArray, v: int) -> FloatArray:
    """Return when layer ``v`` is done on each server, those before it in rank as in ``code``.

    Shape ``(n_servers,)``; ``inf`` where it may not run, or nothing gets. What stands in ``code``
    from ``v`` on in rank does not count. The last layer of a task is done when the result is home,
    if that is asked for.
    """
    k = int(problem.rank[v])
    return np.where(problem.allowed[v], _place(problem.data, problem.allowed, code, k, k), np.inf)


def place(problem: OffloadingProblem, allowed: BoolArray | None = None) -> IntArray:
    """Return the greedy assignment; ties go to the lowest server.

    Parameters
    ----------
    problem
        The instance.
    allowed
        Which servers each layer may take, ``(n_subtasks, n_servers)``, at least one each; those of
        the problem by default.

    Returns
    -------
    ndarray
        The server of each layer, ``(n_subtasks,)``. Where nothing gets to any of the servers left
        for a layer it is on the first of them: then the assignment is not feasible.
    """
    code = np.zeros(problem.n_subtasks, dtype=np.int64)
    where = np.ascontiguousarray(problem.allowed if allowed is None else allowed)
    _place(problem.data, where, code, 0, code.size)
    return code


def on_tier(problem: OffloadingProblem, tier: int) -> IntArray | None:
    """Return the greedy assignment to the servers of one tier; None if it has none.

    On tier 0 every layer is on its own client. A layer that may not run on the tier is on its
    client too.
    """
    home = np.arange(problem.n_servers) == problem.clients[problem.tasks, None]
    if tier == 0:
        return place(problem, home)
    if not (problem.tiers == tier).any():
        return None
    allowed = problem.allowed & (problem.tiers == tier)
    return place(problem, np.where(allowed.any(axis=1, keepdims=True), allowed, home))

"""Prefixes of an instance, simulated: what the layers placed so far take, and leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.costs import blocks
from optedge.formulations.offloading.simulation.arrays import SimulationData, workspace
from optedge.formulations.offloading.simulation.simulate import simulate
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def cut_vertices(problem: OffloadingProblem) -> BoolArray:
    """Return which layers are cut vertices of their task, ``(n_subtasks,)``."""
    found = np.zeros(problem.n_subtasks, dtype=bool)
    for group in blocks.groups(problem):
        first = problem.first[group.members[0]]
        inside = np.array([block.start for block in group.blocks]) - first
        for i in group.members:
            found[problem.first[i] + inside] = True
    return found


def prefix(problem: OffloadingProblem, n: int) -> OffloadingProblem:
    """Return the problem of the first ``n`` layers alone, valued by flow times."""
    tasks = int(problem.tasks[n - 1]) + 1
    return problem.replace(
        successors=tuple(tuple(w for w in row if w < n) for row in problem.successors[:n]),
        work_gcycles=problem.work_gcycles[:n],
        outputs_mb=problem.outputs_mb[:n],
        tasks=problem.tasks[:n],
        inputs_mb=problem.inputs_mb[:tasks],
        clients=problem.clients[:tasks],
        release=problem.release[:tasks],
        weights=None,
        return_result=False,
    )


@kernel
def look_back(
    data: SimulationData, servers: IntArray, after: int, born: float, backlog: FloatArray
) -> FloatArray:
    """Simulate the prefix of each row; return the sums of flow times, ``(rows,)``.

    Parameters
    ----------
    data
        Of the prefix.
    servers
        Plans of all layers, ``(rows, n_steps)``.
    after, born
        The moment looked at: the end of layer ``after``, or ``born`` unless that is negative.
    backlog
        Filled with the seconds of work left on each server then, ``(rows, n_servers)``.
    """
    work = workspace(data)
    n = data.tasks.size
    flows = np.zeros(len(servers))
    for r in range(len(servers)):
        plan = servers[r, :n].copy()
        flows[r] = simulate(data, plan, work)
        now = born
        if now < 0.0:
            now = work.begins[after] + data.seconds[after, plan[after]]
        backlog[r] = 0.0
        for v in range(n):
            begin = work.begins[v]
            left = begin + data.seconds[v, plan[v]] - max(begin, now)
            if left > 0.0:
                backlog[r, plan[v]] += left
    return flows


@kernel
def try_all(data: SimulationData, servers: IntArray) -> FloatArray:
    """Return the sums of flow times with the prefix's last layer on each server.

    Parameters
    ----------
    data
        Of the prefix.
    servers
        Plans of all layers, ``(rows, n_steps)``; of the last layer's no notice is taken.

    Returns
    -------
    ndarray
        Seconds, ``(rows, n_servers)``.
    """
    work = workspace(data)
    n, m = data.seconds.shape
    flows = np.zeros((len(servers), m))
    for r in range(len(servers)):
        plan = servers[r, :n].copy()
        for s in range(m):
            plan[n - 1] = s
            flows[r, s] = simulate(data, plan, work)
    return flows

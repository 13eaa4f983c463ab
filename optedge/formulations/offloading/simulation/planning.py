"""From an assignment to a schedule, planned: task by task, each as early as it can end, compiled.

The tasks are taken in the order of release, then of number. Each layer of a task, in the order of
its numbers, takes the earliest start, not before all that it reads has arrived, at which a pool of
its server is free for its whole length. Gaps between layers of tasks planned before are used; what
is planned is never moved. An earlier end of one layer makes no other layer of the task later, so
the task ends as early as it can on its servers, unless branches of it compete for a pool.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import SimulationData, send
from optedge.formulations.offloading.simulation.timetable import blank, first_fit, occupy
from optedge.kernels import kernel


@kernel
def plan(data: SimulationData, servers: IntArray, begins: FloatArray) -> float:
    """Fill in the start of each layer, and return the sum of flow times.

    Parameters
    ----------
    data
        The instance.
    servers
        The server of each layer, ``(n_subtasks,)``.
    begins
        Where to write, ``(n_subtasks,)``.

    Returns
    -------
    float
        Seconds; ``inf`` if some output cannot get where it is read.
    """
    n, m = data.seconds.shape
    table = blank(m, n)
    arrival = np.zeros(n)
    total = 0.0
    for i in data.by_release:
        a = data.first[i]
        b = data.first[i + 1] if i + 1 < data.first.size else n
        arrival[a] = data.release[i] + send(data, data.inputs[i], data.clients[i], servers[a])
        done = -np.inf
        for v in range(a, b):
            s = servers[v]
            if arrival[v] == np.inf:
                return np.inf
            seconds = data.seconds[v, s]
            times, used, size = table.times[s], table.used[s], table.size[s]
            start = first_fit(times, used, size, data.pools[s], arrival[v], seconds)
            end = start + seconds
            table.size[s] = occupy(times, used, size, start, end, 1)
            begins[v] = start
            for e in range(data.feeds_from[v], data.feeds_from[v + 1]):
                w = data.feeds[e]
                there = end + send(data, data.outputs[v], s, servers[w])
                arrival[w] = max(arrival[w], there)
            if data.returns and data.feeds_from[v] == data.feeds_from[v + 1]:
                end += send(data, data.outputs[v], s, data.clients[i])
            done = max(done, end)
        total += done - data.release[i]
    return float(total)

"""First come, first served without a queue: the layers in the order of arrival, compiled.

When a layer arrives, all that came before it at its server have been given their pools, so it
starts at once: at its arrival or when the first pool of its server is free, whichever is later. One
event a layer, and no waiting lists. Of arrivals at one time (to 1e-12 relative) the least rank goes
first.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import (
    SimulationData,
    occupy_first,
    pool_places,
    same_until,
    travel,
)
from optedge.formulations.offloading.simulation.heaps import pop, push
from optedge.kernels import kernel


@kernel
def serve(data: SimulationData, servers: IntArray, begins: FloatArray) -> float:
    """Fill in the start of each layer, and return the sum of flow times.

    Parameters
    ----------
    data
        The instance: chains or graphs.
    servers
        The server of each layer, ``(n_subtasks,)``.
    begins
        Where to write, ``(n_subtasks,)``.

    Returns
    -------
    float
        Seconds; ``inf`` if some output cannot get where it is read.
    """
    n = servers.size
    free_from = pool_places(data.pools, data.first.size if data.chains else n)
    free_at = np.full(free_from[data.pools.size], -1.0)
    missing, arrival, done = data.reads.copy(), np.zeros(n), np.full(data.first.size, -np.inf)
    times, items, group = np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64)
    count = 0
    for i in range(data.release.size):
        v = data.first[i]
        arrival[v] = data.release[i] + travel(
            data.pace, data.inputs[i], data.clients[i], servers[v]
        )
        if arrival[v] == np.inf:
            return np.inf
        count = push(times, items, count, arrival[v], v)
    while count > 0:
        limit = same_until(times[0])
        size = 0
        while count > 0 and times[0] <= limit:  # arrivals of this time, by rank
            v = items[0]
            count = pop(times, items, count)
            k = size
            while k > 0 and data.rank[group[k - 1]] > data.rank[v]:
                group[k] = group[k - 1]
                k -= 1
            group[k] = v
            size += 1
        for k in range(size):
            v = group[k]
            s = servers[v]
            begin = arrival[v]
            a, b = free_from[s], free_from[s + 1]
            if a < b:
                begin = max(begin, free_at[a])
            end = begin + data.seconds[v, s]
            if a < b:
                occupy_first(free_at, a, b, end)
            begins[v] = begin
            for e in range(data.feeds_from[v], data.feeds_from[v + 1]):
                w = data.feeds[e]
                there = end + travel(data.pace, data.outputs[v], s, servers[w])
                if there == np.inf:
                    return np.inf
                arrival[w] = max(arrival[w], there)
                missing[w] -= 1
                if missing[w] == 0:
                    count = push(times, items, count, arrival[w], w)
            i = data.tasks[v]
            if data.returns and data.feeds_from[v] == data.feeds_from[v + 1]:
                end += travel(data.pace, data.outputs[v], s, data.clients[i])
            done[i] = max(done[i], end)
    total = 0.0
    for i in range(data.release.size):
        total += done[i] - data.release[i]
    return total

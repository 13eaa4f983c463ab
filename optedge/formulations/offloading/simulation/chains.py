"""First come, first served where every task is a chain: quicker, with the same result, compiled.

As ``first_come``, but each task has one layer at most that is to arrive. So the arrivals stand in a
tree of winners over the tasks, as deep as the logarithm of their number. A step replaces one leaf
and plays its matches up to the root, without a branch on the outcome: those are as good as random,
and a processor that guesses them wrong loses more time than all else takes.

The order of arrivals is that of floats here. Where the rank decides instead, since times are the
same to 1e-12, and where that makes a difference, the kernel gives up.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import (
    ChainData,
    Places,
    Workspace,
    occupy_first,
    same_until,
    travel,
)
from optedge.kernels import kernel

GAVE_UP = -1.0  # no sum of flow times


@kernel
def serve_chains(data: ChainData, servers: IntArray, work: Workspace) -> float:
    """Do what ``first_come.serve`` does, or return ``GAVE_UP`` if the rank decides somewhere."""
    due, layer, first = work.due, work.layer, work.first
    limit, top, free_from, free_at = work.limit, work.top, work.free_from, work.free_at
    bits = due.view(np.int64)  # of times from 0 on: in the same order as the times
    at, spent, sent = work.at, work.spent, work.sent
    for i in range(data.first.size):
        a = data.first[i]
        b = data.first[i + 1] if i + 1 < data.first.size else servers.size
        pace = data.pace[data.clients[i], servers[a]]
        if pace == np.inf:
            return np.inf
        linked = True
        for v in range(a, b - 1):
            here, there = servers[v], servers[v + 1]
            linked &= data.pace[here, there] < np.inf
            at[v], spent[v] = here, data.seconds[v, here]
            sent[v] = data.outputs[v] * data.pace[here, there]
        if not linked:
            return np.inf
        at[b - 1], spent[b - 1] = servers[b - 1], data.seconds[b - 1, servers[b - 1]]
        sent[b - 1] = np.inf  # no other layer arrives
        layer[i], due[i] = a, data.release[i] + data.inputs[i] * pace + 0.0  # and not -0.0
    _plant(data.first.size, due, first)
    for k in range(free_at.size):
        free_at[k] = -1.0
    for s in range(limit.size):
        limit[s] = -1.0
    for _ in range(servers.size):
        i = first[1]
        v, now = layer[i], due[i]
        if now == np.inf:  # a sum beyond the range of floats
            return np.inf
        s = at[v]
        a, b = free_from[s], free_from[s + 1]
        free = -1.0
        if a < b:
            free = free_at[a]
        begin = max(now, free)
        end = begin + spent[v]
        if a < b:
            occupy_first(free_at, a, b, end)
        work.begins[v] = begin
        rank = data.rank[v]
        if now <= limit[s]:  # at the time of the last arrival here
            if rank < top[s] and now <= same_until(free):  # and no pool to spare
                return GAVE_UP
            rank = max(rank, top[s])
        top[s] = rank
        limit[s] = same_until(now)
        work.done[i] = end
        layer[i] = v + 1
        due[i] = end + sent[v]
        if due[i] <= limit[s]:  # too short a layer: it arrives when it was sent
            return GAVE_UP
        winner, best = np.int64(i), bits[i]
        k = due.size + i
        while k > 1:  # the matches on the way to the root
            other = np.int64(first[k ^ 1])
            # All ones if the other arrives earlier, or at the same time and stands to the left.
            takes = (bits[other] - best - (k & 1)) >> 63
            best ^= (best ^ bits[other]) & takes
            winner ^= (winner ^ other) & takes
            k >>= 1
            first[k] = winner
    total = 0.0
    for i in range(data.release.size):
        if data.returns:
            v = layer[i] - 1
            work.done[i] += travel(data.pace, data.outputs[v], servers[v], data.clients[i])
        total += work.done[i] - data.release[i]
    return total


@kernel
def _plant(tasks: int, due: FloatArray, first: Places) -> None:
    """Fill in the tree: at each node the task below it that arrives first, of several the left."""
    leaves = due.size
    for i in range(tasks, leaves):
        due[i] = np.inf
    for i in range(leaves):
        first[leaves + i] = i
    for k in range(leaves - 1, 0, -1):
        i, j = first[2 * k], first[2 * k + 1]
        first[k] = j if due[j] < due[i] else i

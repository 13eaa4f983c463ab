"""Events in order of time: the simulation of the orders by rank, compiled.

Of events at one time (to 1e-12 relative) completions come first, then arrivals in the order of
rank, then pools are filled. Who of those that wait goes first is the problem's ``order``: by rank
among those there, or by rank alone.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import (
    PRIORITY,
    STRICT,
    SimulationData,
    same_until,
    travel,
)
from optedge.formulations.offloading.simulation.heaps import pop, push
from optedge.kernels import kernel


@kernel
def run_events(data: SimulationData, servers: IntArray, begins: FloatArray) -> float:
    """Do what ``simulate.simulate`` does for the orders by rank."""
    n = servers.size
    m = data.pools.size
    end_times, end_items, ends = np.empty(n), np.empty(n, np.int64), 0
    due_times, due_items, dues = np.empty(n), np.empty(n, np.int64), 0
    free, missing, arrival = data.pools.copy(), data.reads.copy(), np.zeros(n)
    done = np.full(data.release.size, -np.inf)
    head, after = np.full(m, -1), np.full(n, -1)  # who is next at each server, in a linked list
    here = np.zeros(n, np.bool_)  # whether a layer has arrived
    touched, is_touched = np.empty(m, np.int64), np.zeros(m, np.bool_)
    if data.order == STRICT:  # the list of a server holds all its layers, else those that wait
        for k in range(n - 1, -1, -1):
            v = data.by_rank[k]
            after[v], head[servers[v]] = head[servers[v]], v
    for i in range(data.release.size):
        v = data.first[i]
        time = data.release[i] + travel(data.pace, data.inputs[i], data.clients[i], servers[v])
        if time == np.inf:
            return np.inf
        dues = push(due_times, due_items, dues, time, v)

    left = n
    while ends + dues > 0:
        now = np.inf
        if ends > 0:
            now = end_times[0]
        if dues > 0:
            now = min(now, due_times[0])
        limit = same_until(now)
        changed = 0
        while ends > 0 and end_times[0] <= limit:  # completions: a pool is free, outputs leave
            time, v = end_times[0], end_items[0]
            ends = pop(end_times, end_items, ends)
            now = max(now, time)
            free[servers[v]] += 1
            changed = _touch(touched, is_touched, changed, servers[v])
            left -= 1
            i = data.tasks[v]
            final = time
            for e in range(data.feeds_from[v], data.feeds_from[v + 1]):
                w = data.feeds[e]
                there = time + travel(data.pace, data.outputs[v], servers[v], servers[w])
                if there == np.inf:
                    return np.inf
                arrival[w] = max(arrival[w], there)
                missing[w] -= 1
                if missing[w] == 0:
                    dues = push(due_times, due_items, dues, arrival[w], w)
            if data.returns and data.feeds_from[v] == data.feeds_from[v + 1]:
                final += travel(data.pace, data.outputs[v], servers[v], data.clients[i])
            done[i] = max(done[i], final)
        while dues > 0 and due_times[0] <= limit:  # arrivals
            now = max(now, due_times[0])
            v = due_items[0]
            dues = pop(due_times, due_items, dues)
            here[v] = True
            changed = _touch(touched, is_touched, changed, servers[v])
            if data.order == PRIORITY:
                _line_up(data.rank, head, after, servers[v], v)
        for k in range(changed):
            s = touched[k]
            is_touched[s] = False
            while free[s] > 0 and head[s] >= 0 and here[head[s]]:
                v = head[s]
                head[s] = after[v]
                free[s] -= 1
                begins[v] = now
                ends = push(end_times, end_items, ends, now + data.seconds[v, s], v)
    total = 0.0
    for i in range(data.release.size):
        total += done[i] - data.release[i]
    return total if left == 0 else np.inf


@kernel
def _touch(touched: IntArray, is_touched: BoolArray, count: int, s: int) -> int:
    """Note that something happened at server ``s``; return how many servers are noted."""
    if is_touched[s]:
        return count
    is_touched[s] = True
    touched[count] = s
    return count + 1


@kernel
def _line_up(rank: IntArray, head: IntArray, after: IntArray, s: int, v: int) -> None:
    """Enter layer ``v`` by rank into the list of those that wait at server ``s``."""
    before, other = -1, head[s]
    while other >= 0 and rank[other] < rank[v]:
        before, other = other, after[other]
    after[v] = other
    if before < 0:
        head[s] = v
    else:
        after[before] = v

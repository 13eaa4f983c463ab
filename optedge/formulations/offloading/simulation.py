"""From an assignment to a schedule: events in the order of time, compiled.

A layer sends its output when it ends; a layer whose inputs have all arrived takes a pool of its
server if one is free, else it waits. Of events at one time (to 1e-12 relative) completions come
first, then arrivals in the order of rank, then pools are filled. Who of those that wait goes first
is the problem's ``order``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.kernels import apply, kernel, overload, price, start

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

SAME = 1e-12  # relative: times that differ by less are one
FCFS, PRIORITY, STRICT = 0, 1, 2


class SimulationData(NamedTuple):
    """The arrays of an instance."""

    seconds: FloatArray  # (n_subtasks, n_servers), execution
    pace: FloatArray  # (n_servers, n_servers), s per MB; inf without connection, 0 at home
    outputs: FloatArray  # (n_subtasks,), MB
    inputs: FloatArray  # (n_tasks,), MB
    release: FloatArray  # (n_tasks,), s
    clients: IntArray  # (n_tasks,)
    tasks: IntArray  # (n_subtasks,)
    first: IntArray  # (n_tasks,), first layer
    reads: IntArray  # (n_subtasks,), number of predecessors
    feeds_from: IntArray  # (n_subtasks + 1,), where the successors of each layer begin
    feeds: IntArray  # (n_edges,), successors
    rank: IntArray  # (n_subtasks,)
    by_rank: IntArray  # (n_subtasks,), the layers in the order of rank
    pools: IntArray  # (n_servers,)
    order: int
    returns: bool


def make_data(problem: OffloadingProblem) -> SimulationData:
    """Return the arrays of ``problem``."""
    n = problem.n_subtasks
    counts = np.array([len(row) for row in problem.successors], dtype=np.int64)
    data = SimulationData(
        seconds=problem.seconds,
        pace=problem.seconds_per_mb,
        outputs=problem.outputs_mb,
        inputs=problem.inputs_mb,
        release=problem.release,
        clients=problem.clients,
        tasks=problem.tasks,
        first=problem.first,
        reads=np.array([len(row) for row in problem.predecessors], dtype=np.int64),
        feeds_from=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        feeds=np.ascontiguousarray(problem.edges[:, 1]),
        rank=problem.rank,
        by_rank=np.argsort(problem.rank),
        pools=np.minimum(problem.pools, n).astype(np.int64),
        order=("fcfs", "priority", "strict").index(problem.order),
        returns=problem.return_result,
    )
    for value in data:
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return data


def starts(problem: OffloadingProblem, servers: IntArray) -> FloatArray:
    """Return the start of each layer in seconds, ``(n_subtasks,)``; servers must be connected."""
    found = np.zeros(problem.n_subtasks)
    simulate(problem.data, np.ascontiguousarray(servers, dtype=np.int64), found)
    return found


@kernel
def costs(data: SimulationData, codes: IntArray) -> FloatArray:
    """Return the sum of flow times of each row of ``codes`` (k, n_subtasks); ``inf`` if cut off."""
    values = np.empty(codes.shape[0])
    found = np.zeros(codes.shape[1])
    for k in range(codes.shape[0]):
        values[k] = simulate(data, codes[k], found)
    return values


@kernel
def _send(data: SimulationData, size: float, a: int, b: int) -> float:
    """Return the seconds that ``size`` MB travel from server ``a`` to server ``b``."""
    if a == b:
        return 0.0
    if data.pace[a, b] == np.inf:
        return np.inf
    return float(size * data.pace[a, b])


@kernel
def _push(times: FloatArray, items: IntArray, count: int, time: float, item: int) -> int:
    """Enter an event into a heap of ``count``; return the new count."""
    k = count
    while k > 0:
        parent = (k - 1) // 2
        if times[parent] <= time:
            break
        times[k], items[k] = times[parent], items[parent]
        k = parent
    times[k], items[k] = time, item
    return count + 1


@kernel
def _pop(times: FloatArray, items: IntArray, count: int) -> int:
    """Remove the first event of a heap (read it before); return the new count."""
    count -= 1
    time, item = times[count], items[count]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= count:
            break
        if child + 1 < count and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[k], items[k] = times[child], items[child]
        k = child
    times[k], items[k] = time, item
    return count


@kernel
def simulate(data: SimulationData, servers: IntArray, begins: FloatArray) -> float:
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
    free = data.pools.copy()
    missing = data.reads.copy()
    arrival = np.zeros(n)
    end_times, end_items, ends = np.empty(n), np.empty(n, np.int64), 0
    due_times, due_items, dues = np.empty(n), np.empty(n, np.int64), 0
    head, tail = np.full(m, -1), np.full(m, -1)  # who waits at each server, in a linked list
    after = np.full(n, -1)
    here = np.zeros(n, np.bool_)  # strict: whether it has arrived
    group = np.empty(n, np.int64)
    if data.order == STRICT:  # the list of a server holds all its layers, by rank
        for k in range(n):
            v = data.by_rank[k]
            s = servers[v]
            if tail[s] < 0:
                head[s] = v
            else:
                after[tail[s]] = v
            tail[s] = v
    for i in range(data.release.size):
        v = data.first[i]
        time = data.release[i] + _send(data, data.inputs[i], data.clients[i], servers[v])
        if time == np.inf:
            return np.inf
        dues = _push(due_times, due_items, dues, time, v)

    done = np.full(data.release.size, -np.inf)
    left = n
    while ends + dues > 0:
        now = np.inf
        if ends > 0:
            now = end_times[0]
        if dues > 0:
            now = min(now, due_times[0])
        limit = now + SAME * max(abs(now), 1e-9)
        while ends > 0 and end_times[0] <= limit:  # completions: a pool is free, outputs leave
            time, v = end_times[0], end_items[0]
            ends = _pop(end_times, end_items, ends)
            now = max(now, time)
            free[servers[v]] += 1
            left -= 1
            i = data.tasks[v]
            final = time
            for e in range(data.feeds_from[v], data.feeds_from[v + 1]):
                w = data.feeds[e]
                there = time + _send(data, data.outputs[v], servers[v], servers[w])
                if there == np.inf:
                    return np.inf
                arrival[w] = max(arrival[w], there)
                missing[w] -= 1
                if missing[w] == 0:
                    dues = _push(due_times, due_items, dues, arrival[w], w)
            if data.returns and data.feeds_from[v] == data.feeds_from[v + 1]:
                final += _send(data, data.outputs[v], servers[v], data.clients[i])
            done[i] = max(done[i], final)
        size = 0
        while dues > 0 and due_times[0] <= limit:  # arrivals of this time, by rank
            now = max(now, due_times[0])
            v = due_items[0]
            dues = _pop(due_times, due_items, dues)
            k = size
            while k > 0 and data.rank[group[k - 1]] > data.rank[v]:
                group[k] = group[k - 1]
                k -= 1
            group[k] = v
            size += 1
        for k in range(size):
            v = group[k]
            here[v] = True
            if data.order != STRICT:
                s = servers[v]
                if head[s] < 0:
                    head[s] = v
                else:
                    after[tail[s]] = v
                tail[s] = v
        for s in range(m):
            while free[s] > 0 and head[s] >= 0:
                v, before = head[s], -1
                if data.order == STRICT and not here[v]:
                    break
                if data.order == PRIORITY:
                    previous, w = head[s], after[head[s]]
                    while w >= 0:
                        if data.rank[w] < data.rank[v]:
                            v, before = w, previous
                        previous, w = w, after[w]
                if before < 0:
                    head[s] = after[v]
                else:
                    after[before] = after[v]
                if tail[s] == v:
                    tail[s] = before
                after[v] = -1
                free[s] -= 1
                begins[v] = now
                ends = _push(end_times, end_items, ends, now + data.seconds[v, s], v)
    total = 0.0
    for i in range(data.release.size):
        total += done[i] - data.release[i]
    return total if left == 0 else np.inf


@overload(start, SimulationData)
def _start(data: SimulationData, x: IntArray) -> FloatArray:
    return np.zeros(x.size)


@overload(price, SimulationData)
def _price(data: SimulationData, state: FloatArray, x: IntArray, i: int, k: int) -> float:
    j = x[i]
    x[i] = k
    value = simulate(data, x, state)
    x[i] = j
    return value


@overload(apply, SimulationData)
def _apply(data: SimulationData, state: FloatArray, x: IntArray, i: int, k: int) -> None:
    x[i] = k

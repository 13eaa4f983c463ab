"""From an assignment to a schedule, compiled: which simulation runs, and events in order of time.

A layer sends its output when it ends; a layer whose inputs have all arrived takes a pool of its
server if one is free, else it waits. Of events at one time (to 1e-12 relative) completions come
first, then arrivals in the order of rank, then pools are filled. Who of those that wait goes first
is the problem's ``order``: by rank among those there, or by rank alone, is told by events here. By
arrival no list of events is needed (``first_come``, ``chain_simulation``), and one order knows no
events: ``planning`` books task by task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.simulation.arrays import (
    FCFS,
    PLANNED,
    PRIORITY,
    STRICT,
    SimulationData,
    Workspace,
    same_until,
    travel,
    workspace,
)
from optedge.formulations.offloading.simulation.chains import GAVE_UP, serve_chains
from optedge.formulations.offloading.simulation.first_come import serve
from optedge.formulations.offloading.simulation.heaps import pop, push
from optedge.formulations.offloading.simulation.planning import plan
from optedge.formulations.offloading.simulation.weighing import weigh
from optedge.kernels import apply, kernel, overload, price, start

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def starts(problem: OffloadingProblem, servers: IntArray) -> FloatArray:
    """Return the start of each layer in seconds, ``(n_subtasks,)``; servers must be connected."""
    work = workspace(problem.data)
    simulate(problem.data, np.ascontiguousarray(servers, dtype=np.int64), work)
    return work.begins


@kernel
def costs(data: SimulationData, allowed: BoolArray, codes: IntArray) -> FloatArray:
    """Return the objective of each row of ``codes`` (k, n_subtasks).

    ``inf`` if it is cut off or names a server that is not ``allowed`` (n_subtasks, n_servers).
    """
    work = workspace(data)
    values = np.full(codes.shape[0], np.inf)
    for k in range(codes.shape[0]):
        servers, may = codes[k], True
        for v in range(servers.size):
            may &= allowed[v, servers[v]]
        if not may:
            continue
        flows = GAVE_UP  # first as simulate does: to hand over all the arrays takes its time
        if data.chains and data.order == FCFS:
            flows = serve_chains(data.chain, servers, work)
        if flows == GAVE_UP:
            flows = simulate(data, servers, work)
        values[k] = weigh(data, servers, work.begins, flows) if data.weights.weighted else flows
    return values


@kernel
def simulate(data: SimulationData, servers: IntArray, work: Workspace) -> float:
    """Fill in the start of each layer, and return the sum of flow times.

    Parameters
    ----------
    data
        The instance.
    servers
        The server of each layer, ``(n_subtasks,)``.
    work
        Where to write (``simulation_data.workspace``); the starts are its ``begins``.

    Returns
    -------
    float
        Seconds; ``inf`` if some output cannot get where it is read.
    """
    flows = GAVE_UP
    if data.chains and data.order == FCFS:
        flows = serve_chains(data.chain, servers, work)
    if flows != GAVE_UP:
        return flows
    if data.order == FCFS:
        return serve(data, servers, work.begins)
    if data.order == PLANNED:
        return plan(data, servers, work.begins)
    return run_events(data, servers, work.begins)


@kernel
def run_events(data: SimulationData, servers: IntArray, begins: FloatArray) -> float:
    """Do what :func:`simulate` does for the orders by rank."""
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


@overload(start, SimulationData)
def _start(data: SimulationData, x: IntArray) -> Workspace:
    return workspace(data)


@overload(price, SimulationData)
def _price(data: SimulationData, state: Workspace, x: IntArray, i: int, k: int) -> float:
    j = x[i]
    x[i] = k
    value = GAVE_UP  # as in costs
    if data.chains and data.order == FCFS:
        value = serve_chains(data.chain, x, state)
    if value == GAVE_UP:
        value = simulate(data, x, state)
    if data.weights.weighted:
        value = weigh(data, x, state.begins, value)
    x[i] = j
    return value


@overload(apply, SimulationData)
def _apply(data: SimulationData, state: Workspace, x: IntArray, i: int, k: int) -> None:
    x[i] = k

"""What the models of schedules share: a known plan, when layers may run, earliest starts."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    BoolArray,
    FloatArray,
    IntArray,
)
from optedge.formulations.offloading.costs import blocks, paths
from optedge.formulations.offloading.plans.schedule import Schedule

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

MOST_DESCENT = 600  # layers times servers up to which the known plan is improved


class Windows(NamedTuple):
    """When layers may run in a schedule no worse than a known one; all in seconds."""

    head: FloatArray  # (n_subtasks, n_servers), before it no input is complete there
    tail: FloatArray  # (n_subtasks, n_servers), least from a start there to the task's completion
    latest: FloatArray  # (n_subtasks, n_servers), last start
    usable: BoolArray  # (n_subtasks, n_servers)
    upper: float  # sum of flow times of the known schedule


def best_plan(problem: OffloadingProblem) -> tuple[IntArray, float]:
    """Return the servers of a good plan and its simulated value.

    The best of the plan without pools and of those that keep to one server; on small instances it
    is improved one layer at a time.
    """
    codes = [paths.shortest(problem).servers]
    for s in range(problem.n_servers):
        home = problem.clients[problem.tasks]
        codes.append(np.where(problem.allowed[:, s], s, home))
    plans = np.array([c for c in codes if not problem.violations(c)])
    values = problem.costs(plans)
    best, value = plans[int(np.argmin(values))].copy(), float(values.min())
    layers, servers = np.nonzero(problem.allowed)
    while layers.size <= MOST_DESCENT:
        near = np.repeat(best[None], layers.size, axis=0)
        near[np.arange(layers.size), layers] = servers
        values = problem.costs(near)
        if not values.min() < value:
            break
        best, value = near[int(np.argmin(values))].copy(), float(values.min())
    return best, value


def windows(problem: OffloadingProblem, upper: float | None = None) -> Windows:
    """Return when layers may run in a schedule of value at most ``upper``, a known plan's."""
    shape = (problem.n_subtasks, problem.n_servers)
    head, tail = np.full(shape, -np.inf), np.full(shape, -np.inf)
    seconds = np.where(problem.allowed, problem.seconds, np.inf)
    for i, v in enumerate(problem.first.tolist()):
        pace = problem.seconds_per_mb[problem.clients[i]]
        head[v] = problem.release[i] + blocks.travel(float(problem.inputs_mb[i]), pace)
    for v in range(problem.n_subtasks):
        for w in problem.successors[v]:
            arrival = blocks.least(head[v] + seconds[v], blocks.sending(problem, v))
            head[w] = np.maximum(head[w], arrival)
    for v in reversed(range(problem.n_subtasks)):
        after = (
            blocks.sending(problem, v, blocks.END)[:, 0] if not problem.successors[v] else -np.inf
        )
        for w in problem.successors[v]:
            after = np.maximum(after, (blocks.sending(problem, v) + tail[w]).min(axis=1))
        tail[v] = seconds[v] + after
    upper = best_plan(problem)[1] if upper is None else upper
    flows = paths.shortest(problem).flows
    slack = upper * (1 + 1e-6) - math.fsum(flows)  # what all tasks together may lose
    deadline = problem.release + flows + max(0.0, slack)
    with np.errstate(invalid="ignore"):
        latest = deadline[problem.tasks][:, None] - tail
        usable = head <= latest
    return Windows(head, tail, latest, usable, upper)


def scarce(problem: OffloadingProblem, usable: BoolArray) -> list[int]:
    """Return the servers that may be short of pools: a chain holds one at a time."""
    most = np.zeros(problem.n_servers)
    for a, size in zip(problem.first, problem.sizes, strict=True):
        mine = usable[a : a + size]
        most += mine.any(axis=0) if problem.is_chains else mine.sum(axis=0)
    return np.flatnonzero(most > problem.pools).tolist()


def retime(problem: OffloadingProblem, servers: IntArray, keys: npt.ArrayLike) -> Schedule | None:
    """Return the schedule with the earliest starts, layers taking pools in the order of ``keys``.

    Parameters
    ----------
    problem
        The instance.
    servers
        The server of each layer, ``(n_subtasks,)``.
    keys
        Such as the starts in a model, ``(n_subtasks,)``. Each layer takes the pool of its server
        that is free first; no start is later than in a schedule that has the keys for starts.

    Returns
    -------
    Schedule or None
        None if the servers are not allowed or not connected.
    """
    if problem.violations(servers):
        return None
    arrival, starts = np.full(problem.n_subtasks, -np.inf), np.zeros(problem.n_subtasks)
    for i, v in enumerate(problem.first.tolist()):
        pace = problem.seconds_per_mb[problem.clients[i], servers[v]]
        arrival[v] = problem.release[i] + problem.inputs_mb[i] * pace
    for v, free in in_order(problem, servers, keys):
        starts[v] = max(float(arrival[v]), free[0])
        end = starts[v] + problem.seconds[v, servers[v]]
        heapq.heapreplace(free, end)
        for w in problem.successors[v]:
            pace = problem.seconds_per_mb[servers[v], servers[w]]
            arrival[w] = max(arrival[w], end + problem.outputs_mb[v] * pace)
    return Schedule(servers, starts)


def in_order(
    problem: OffloadingProblem, servers: IntArray, keys: npt.ArrayLike
) -> Iterator[tuple[int, list[float]]]:
    """Yield layers by key, predecessors first, with the heap of when pools are free."""
    key = np.asarray(keys, dtype=np.float64)
    used = np.bincount(servers, minlength=problem.n_servers)
    free = [[-math.inf] * int(min(k, c)) for k, c in zip(problem.pools, used, strict=True)]
    missing = [len(row) for row in problem.predecessors]
    ready = [(float(key[v]), int(problem.rank[v]), v) for v in problem.first.tolist()]
    heapq.heapify(ready)
    while ready:
        v = heapq.heappop(ready)[2]
        yield v, free[servers[v]]
        for w in problem.successors[v]:
            missing[w] -= 1
            if not missing[w]:
                heapq.heappush(ready, (float(key[w]), int(problem.rank[w]), w))

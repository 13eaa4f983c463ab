"""Planned schedules of chains: the exact insertion of one task beside the others.

With all other tasks fixed, the earliest completion of one task is found exactly by a recursion over
(layer, server): to end a layer earlier never harms, as waiting is allowed, so the earliest end of
each layer on each server is all that need be known. Where pairs of servers cost beside their time,
the recursion keeps the least end plus costs, which is a heuristic then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.plans.schedule import Schedule
from optedge.formulations.offloading.prices.classes import Classes
from optedge.formulations.offloading.simulation.timetable import Timetable, blank, first_fit, occupy
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


class Plan(NamedTuple):
    """Server and start of every layer by task, changed in place."""

    servers: IntArray  # (n_tasks, J), -1 behind the last layer
    starts: FloatArray  # (n_tasks, J), s
    ends: FloatArray  # (n_tasks,), completion plus costs in s, the way back of the result included


def empty(c: Classes) -> Plan:
    """Return a plan to be filled in."""
    shape = c.of_task.size, c.seconds.shape[1]
    return Plan(np.full(shape, -1), np.zeros(shape), np.zeros(shape[0]))


def from_schedule(problem: OffloadingProblem, c: Classes, schedule: Schedule) -> Plan:
    """Return ``schedule`` as a plan."""
    plan = empty(c)
    plan.servers[problem.tasks, problem.layer] = schedule.servers
    plan.starts[problem.tasks, problem.layer] = schedule.starts
    plan.ends[:] = problem.flows(schedule) + problem.release
    for task, k in enumerate(c.of_task.tolist()):
        row = plan.servers[task, : c.layers[k]]
        plan.ends[task] += c.entry_cost[k, row[0]]
        plan.ends[task] += c.move_cost[k, np.arange(1, row.size), row[:-1], row[1:]].sum()
    return plan


def to_schedule(problem: OffloadingProblem, plan: Plan) -> Schedule:
    """Return a plan as a schedule of ``problem``."""
    at = problem.tasks, problem.layer
    return Schedule(plan.servers[at], plan.starts[at])


def copy(plan: Plan) -> Plan:
    """Return a copy."""
    return Plan(plan.servers.copy(), plan.starts.copy(), plan.ends.copy())


@kernel
def idle(c: Classes) -> Timetable:
    """Return the timetable of idle servers, with room for all tasks."""
    return blank(c.pools.size, int((c.counts * c.layers).sum()))


@kernel
def book(c: Classes, plan: Plan, table: Timetable, task: int, change: int) -> None:
    """Enter a planned task into the timetable (``change`` 1) or take it out (-1)."""
    k = c.of_task[task]
    n = c.layers[k]
    servers, starts = plan.servers[task], plan.starts[task]
    j = 0
    while j < n:
        s = servers[j]
        start, end = starts[j], starts[j] + c.seconds[k, j, s]
        j += 1
        while j < n and servers[j] == s and starts[j] == end:  # it goes on without a pause
            end += c.seconds[k, j, s]
            j += 1
        table.size[s] = occupy(table.times[s], table.used[s], table.size[s], start, end, change)


@kernel
def insert(
    c: Classes, plan: Plan, table: Timetable, task: int, options: IntArray, counts: IntArray
) -> int:
    """Plan the earliest completion of ``task``; the timetable is read only.

    Row j of ``options`` (J, S) holds the ``counts[j]`` servers that layer j may use. The completion
    is ``inf`` if no way leads through. Returns how many steps were tried.
    """
    k = c.of_task[task]
    n, n_servers = c.layers[k], c.pools.size
    ends = np.full((n, n_servers), np.inf)
    costs = np.zeros((n, n_servers))  # of the pairs so far
    starts = np.zeros((n, n_servers))
    before = np.zeros((n, n_servers), np.int64)
    work = 0
    for j in range(n):
        for x in range(counts[j]):
            s = options[j, x]
            arrival, cost = c.entry[k, s], c.entry_cost[k, s]
            if j > 0:
                arrival, least = np.inf, np.inf
                for y in range(counts[j - 1]):
                    q = options[j - 1, y]
                    time = ends[j - 1, q] + c.travel[k, j, q, s]
                    spent = costs[j - 1, q] + c.move_cost[k, j, q, s]
                    if time + spent < least:
                        least, arrival, cost = time + spent, time, spent
                        before[j, s] = q
                work += counts[j - 1]
            if arrival == np.inf:
                continue
            seconds = c.seconds[k, j, s]
            start = first_fit(
                table.times[s], table.used[s], table.size[s], c.pools[s], arrival, seconds
            )
            starts[j, s], ends[j, s], costs[j, s] = start, start + seconds, cost
            work += 8
    best, s = np.inf, -1
    for x in range(counts[n - 1]):
        q = options[n - 1, x]
        time = ends[n - 1, q] + c.leave[k, q] + costs[n - 1, q]
        if time < best:
            best, s = time, q
    plan.ends[task] = best
    if s >= 0:
        for j in range(n - 1, -1, -1):
            plan.servers[task, j], plan.starts[task, j] = s, starts[j, s]
            s = before[j, s]
    return work


@kernel
def all_options(c: Classes, k: int, options: IntArray, counts: IntArray) -> None:
    """Let every layer of class ``k`` go wherever it may."""
    for j in range(c.layers[k]):
        counts[j] = 0
        for s in range(c.pools.size):
            if c.allowed[k, j, s]:
                options[j, counts[j]] = s
                counts[j] += 1


@kernel
def build(c: Classes, plan: Plan, order: IntArray) -> float:
    """Plan the tasks in ``order``, each as early as it can end; return the sum of completions."""
    table = idle(c)
    options = np.zeros(c.allowed.shape[1:], np.int64)
    counts = np.zeros(c.allowed.shape[1], np.int64)
    for task in order:
        all_options(c, c.of_task[task], options, counts)
        insert(c, plan, table, task, options, counts)
        if plan.ends[task] == np.inf:
            return np.inf
        book(c, plan, table, task, 1)
    return float(plan.ends.sum())

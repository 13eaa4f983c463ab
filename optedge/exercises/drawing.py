"""Tiny instances for exercises: how they are drawn, made smaller, and solved by trying everything.

What several notebooks share stands here; what one notebook needs stands beside its exercises.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray
from optedge.formulations.makespan import MakespanProblem


def tiny_makespan(rng: np.random.Generator, size: int) -> MakespanProblem:
    """Draw up to six tasks on up to three servers, whole times; some pairs cannot be used."""
    n = int(rng.integers(1, 2 + min(size // 3, 5)))
    m = int(rng.integers(1, 2 + min(1 + size // 6, 2)))
    times = rng.integers(1, 10, (n, m)).astype(np.float64)
    if size > 6:
        away = rng.random((n, m)) < 0.25
        away[np.arange(n), rng.integers(0, m, n)] = False
        times[away] = np.inf
    return MakespanProblem(times)


def tiny_makespan_with_memory(rng: np.random.Generator, size: int) -> MakespanProblem:
    """Draw the same with memory that just holds some assignment; every fifth time a bit less."""
    p = tiny_makespan(rng, size)
    memory = rng.integers(1, 6, p.n_tasks).astype(np.float64)
    plan = [int(rng.choice(np.flatnonzero(row))) for row in p.eligible]
    capacity = np.bincount(plan, memory, p.n_servers) + rng.integers(0, 2, p.n_servers)
    if size % 5 == 0:
        capacity = np.maximum(capacity - 2, memory.max())
    return p.replace(memory=memory, capacity=capacity)


def fewer(n: int) -> Iterator[BoolArray]:
    """List what may stay of n things: each one alone, all but one, all but two."""
    everything = np.arange(n)
    if n > 2:
        yield from (everything == i for i in range(n))
    if n > 1:
        yield from (everything != i for i in range(n))
    if n > 3:  # what alternates keeps its places if two are left out at once
        pairs = itertools.combinations(range(n), 2)
        yield from ((everything != i) & (everything != k) for i, k in pairs)


def drop_task_server_or_time(p: MakespanProblem) -> Iterator[MakespanProblem]:
    """List the instances with fewer tasks, a server less, or a time or a memory set to 1."""
    n, m = p.times.shape
    for tasks in fewer(n):
        yield _part(p, tasks, np.full(m, True))
    for j in range(m if m > 1 else 0):
        rest = np.arange(m) != j
        if p.eligible[:, rest].any(axis=1).all():
            yield _part(p, np.full(n, True), rest)
    for i, j in np.argwhere(np.isfinite(p.times) & (p.times != 1)).tolist():
        times = p.times.copy()
        times[i, j] = 1
        yield p.replace(times=times)
    if p.memory is not None:
        for i in np.flatnonzero(p.memory > 1).tolist():
            yield p.replace(memory=np.where(np.arange(n) == i, 1.0, p.memory))


def _part(p: MakespanProblem, tasks: BoolArray, servers: BoolArray) -> MakespanProblem:
    return MakespanProblem(
        p.times[np.ix_(tasks, servers)],
        ready=p.ready[servers],
        memory=None if p.memory is None else p.memory[tasks],
        capacity=None if p.capacity is None else p.capacity[servers],
        work=None if p.work is None else p.work[tasks],
    )


def all_plans(p: MakespanProblem) -> BoolArray:
    """Return every assignment as plan, task, server: tiny instances."""
    n, m = p.times.shape
    plans = np.array(list(itertools.product(range(m), repeat=n)))
    on: BoolArray = plans[:, :, None] == np.arange(m)
    return on


def all_totals(p: MakespanProblem) -> FloatArray:
    """Return the sum of all times of every assignment, in the order of :func:`all_makespans`."""
    return np.asarray(np.where(all_plans(p), p.times, 0.0).sum(axis=(1, 2)))


def all_makespans(p: MakespanProblem) -> FloatArray:
    """Return the makespan of every assignment, ``inf`` where it is infeasible: tiny instances."""
    on = all_plans(p)
    loads = np.where(on, p.times, 0.0).sum(axis=1) + p.ready
    values: FloatArray = loads.max(axis=1)
    if p.memory is not None and p.room is not None:
        used = np.where(on, p.memory[:, None], 0.0).sum(axis=1)
        values[(used > p.room).any(axis=1)] = np.inf
    return values


def best_makespan(p: MakespanProblem) -> float:
    """Return the optimum of a tiny instance by trying everything; ``inf`` if there is none."""
    return float(all_makespans(p).min())


def schedule_fault(p: MakespanProblem, x: object) -> str:
    """Return what is wrong with a schedule that was handed in; ``""`` if it is feasible."""
    return next(iter(p.violations(np.asarray(x))), "").rstrip(".")

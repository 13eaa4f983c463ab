"""A makespan bound without a linear program: weights of the servers from subgradient steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, FloatArray, IntArray
from optedge.formulations.makespan_certificates import weights_certificate
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem


@kernel
def _cheapest(
    times: FloatArray, servers: IntArray, counts: IntArray, ready: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Return the dual value of ``weights`` and the load of each server where it is cheapest.

    Row i of ``times`` and ``servers`` holds the ``counts[i]`` pairs of task i.
    """
    load = ready.copy()
    value = (weights * ready).sum()
    for i in range(times.shape[0]):
        best, where = np.inf, 0
        for k in range(counts[i]):
            cost = weights[servers[i, k]] * times[i, k]
            if cost < best:
                best, where = cost, k
        value += best
        load[servers[i, where]] += times[i, where]
    return value, load


@kernel
def _cheapest_dense(
    times: FloatArray, ready: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Do the same where most pairs are allowed; ``times`` is ``inf`` elsewhere."""
    load = ready.copy()
    value = (weights * ready).sum()
    for i in range(times.shape[0]):
        best, where = np.inf, 0
        for j in range(ready.size):
            cost = weights[j] * times[i, j]
            if cost < best:
                best, where = cost, j
        value += best
        load[where] += times[i, where]
    return value, load


def _evaluator(problem: MakespanProblem) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return the function from weights to dual value and loads that suits the instance."""
    times, counts = problem.data.times, problem.eligible.sum(axis=1)
    width = int(counts.max())
    if 4 * width > problem.n_servers:
        return lambda weights: _cheapest_dense(times, problem.ready, weights)
    servers = np.zeros((problem.n_tasks, width), np.int64)
    task, server = np.nonzero(problem.eligible)
    servers[task, np.arange(task.size) - np.repeat(np.cumsum(counts) - counts, counts)] = server
    short = np.take_along_axis(times, servers, axis=1)
    return lambda weights: _cheapest(short, servers, counts, problem.ready, weights)


def prices_bound(problem: MakespanProblem, entries: int = 2 * 10**9) -> Bound:
    """Return the bound of weights found by multiplicative subgradient steps; memory is ignored.

    The start, the inverse of a server's mean time, is optimal for servers that differ by speed
    only and that every task can use. About ``entries`` pairs are looked at in all, in at most
    2000 steps; it ends early when 100 steps gain nothing.
    """
    evaluate = _evaluator(problem)
    pairs = int(problem.eligible.sum())
    totals = np.where(problem.eligible, problem.times, 0).sum(axis=0)
    means = totals / np.maximum(problem.eligible.sum(axis=0), 1)
    weights = np.where(means > 0, 1 / np.where(means > 0, means, 1), 0.0)
    weights = weights / weights.sum() if weights.any() else np.full(means.size, 1 / means.size)
    best_value, best_weights, since = -math.inf, weights, 0
    for step in range(min(2000, max(10, entries // pairs))):
        # A server of weight zero would draw every task for nothing.
        value, load = evaluate(np.maximum(weights, 1e-12))
        since += 1
        if value > best_value * (1 + 1e-9) or step == 0:
            best_value, best_weights, since = value, weights, 0
        if since == 100 or load.max() == 0:
            break
        rate = 0.5 / math.sqrt(1 + step)
        weights = weights * np.exp(rate * (load / load.max() - 1))
        weights = weights / weights.sum()
    certificate = weights_certificate(problem, best_weights, np.zeros(problem.n_servers))
    return Bound("prices", certificate.value, certificate)

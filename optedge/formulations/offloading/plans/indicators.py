"""The weighted objective of one plan in plain NumPy, from its formula, and what it weighs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs.pair_costs import balance_unit, weighting_of

if TYPE_CHECKING:
    from optedge.formulations.offloading.plans.schedule import Schedule
    from optedge.formulations.offloading.problem import OffloadingProblem


def indicators(problem: OffloadingProblem, plan: Schedule) -> dict[str, FloatArray]:
    """Return delay (s), energy (J), cost ($) and coordination of each layer of a plan.

    Delays hold the waiting; those of a layer that reads several others count from the last arrival,
    its energy and cost hold all transmissions. Shapes ``(n_subtasks,)``.
    """
    w = weighting_of(problem)
    raw, standards = problem.pairs
    s, rows = plan.servers, np.arange(problem.n_subtasks)
    v, u = problem.edges.T
    reads = np.bincount(u, minlength=problem.n_subtasks)
    ends = plan.starts + problem.seconds[rows, s]
    since = np.where(reads > 1, problem.arrivals(s, ends), 0.0)
    since[problem.first] = problem.release
    alone = reads[u] == 1
    since[u[alone]] = ends[v[alone]]
    waiting = ends - since

    found = []
    for x in raw:
        value = x.run[rows, s]
        value[problem.first] = x.entry[np.arange(problem.n_tasks), s[problem.first]]
        np.add.at(value, u, x.edge[np.arange(v.size), s[v], s[u]] - x.run[u, s[u]])
        found.append(value)
    own = [x.run[rows, s] for x in raw]  # what H sees: of merging layers the execution
    own = [np.where(reads > 1, x, whole) for x, whole in zip(own, found, strict=True)]
    if w.h_wait:
        own[0] = waiting
    hats = [
        (x - shift) / scale if scale > 0 else np.zeros_like(x)
        for x, (shift, scale) in zip(own, standards, strict=True)
    ]
    return {
        "seconds": waiting,
        "joule": found[1],
        "dollar": found[2],
        "coordination": w.coordination(*hats),
    }


def value(problem: OffloadingProblem, plan: Schedule, flows: float) -> float:
    """Return the weighted objective of a plan, from the formula of ``weighting``.

    ``flows`` is the sum of its flow times in seconds.
    """
    w = weighting_of(problem)
    each = indicators(problem, plan)
    n, total = problem.n_subtasks, 0.0
    sums = (flows, math.fsum(each["joule"]), math.fsum(each["dollar"]))
    weights = (w.theta, w.vartheta, w.eta)
    for amount, weight, (shift, scale) in zip(sums, weights, problem.pairs.standards, strict=True):
        total += w.phi * weight * ((amount - n * shift) / scale if scale > 0 else 0.0)
    total -= w.varphi * math.fsum(each["coordination"])
    if w.xi > 0:
        total += w.xi * balance_unit(problem) * _balance(problem, plan.servers)
    return total


def _balance(problem: OffloadingProblem, servers: IntArray) -> float:
    """Return Z, not normalised, from the counts after each layer."""
    counts = np.cumsum(servers[:, None] == np.arange(problem.n_servers), axis=0)
    if weighting_of(problem).z_mode == "final":
        counts = counts[-1:]
    total = 0
    for tier in (1, 2):
        of_tier = np.flatnonzero(problem.tiers == tier).tolist()
        for s, t in itertools.combinations(of_tier, 2):
            total += int(np.abs(counts[:, s] - counts[:, t]).sum())
    return float(total)

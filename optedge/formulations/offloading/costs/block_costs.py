r"""What a block between cut vertices costs in the objective, waiting aside.

For the sum of flow times these are its seconds (``blocks``). The weighted objective adds costs of
pairs of servers, and then the quickest way through a branch is no longer the best: the slowest
branch alone counts as delay, the costs of all count. For given ends of the block each branch that
is a path keeps its Pareto set of (delay, cost); with :math:`\tau` running through all these delays,

.. math:: D = \min_\tau \Big( \alpha \tau + \sum_{branches} \min \{ c : (d, c), d \le \tau \} \Big),

:math:`\alpha` the weight of a second. Source: the DDPQN paper, eqs. (19)-(20); exact here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs import blocks, weight_tables
from optedge.formulations.offloading.costs.blocks import END, Block, Branch
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


class Labels(NamedTuple):
    """Ways through a branch from one server, none of which is worse in delay and in cost."""

    at: IntArray  # (P,), where the output arrives
    delay: FloatArray  # (P,), s
    cost: FloatArray  # (P,)
    path: IntArray  # (P, n_layers), the servers


def entering(problem: OffloadingProblem, i: int) -> FloatArray:
    """Return what it costs until the first layer of task ``i`` has run on each server.

    The task's share of the constant of a weighted objective is included.
    """
    seconds = blocks.entering(problem, i)
    if problem.weights is None:
        return seconds
    w = problem.data.weights
    share = w.constant * int(problem.sizes[i]) / problem.n_subtasks
    return np.asarray(_delay_cost(problem, seconds) + w.entry[i] + share)


def stepping(problem: OffloadingProblem, block: Block) -> FloatArray:
    """Return D(a, b): the cost from the end of ``start`` on a to the end of ``stop`` on b."""
    if problem.weights is None:
        return blocks.block_seconds(problem, block)
    width = 1 if block.stop == END else problem.n_servers
    found = np.full((problem.n_servers, width), np.inf)
    if not block.branches:
        seconds = blocks.sending(problem, block.start, block.stop)
        found = _delay_cost(problem, seconds) + _edge(problem, block.start, block.stop)
    else:
        for a in range(problem.n_servers):
            ways = [_ways(problem, block, branch, a) for branch in block.branches]
            for b in range(width):
                found[a, b], _ = _best(problem, block, ways, a, b)
    if block.stop == END:
        return found
    run = problem.data.weights.run[block.stop]
    return np.asarray(found + _delay_cost(problem, blocks.executing(problem, block.stop)) + run)


def as_one_layer(problem: OffloadingProblem, block: Block, seconds: FloatArray) -> FloatArray:
    """Return what the block costs if all behind its start is one layer of so many seconds."""
    if problem.weights is None:
        return np.asarray(blocks.sending(problem, block.start) + seconds)
    return weight_tables.of_module(problem, block.start, seconds)


def size(problem: OffloadingProblem, step: FloatArray) -> FloatArray:
    """Return the magnitude of the numbers that were added up to ``step``, for safe rounding."""
    if problem.weights is None:
        return step
    w = problem.data.weights
    parts = (abs(w.constant), *(float(np.abs(x).max(initial=0)) for x in (w.entry, w.edge, w.run)))
    return np.asarray(np.abs(step) + 4 * problem.n_subtasks * sum(parts))


def place_branches(
    problem: OffloadingProblem, block: Block, stop: int, servers: IntArray
) -> list[Branch]:
    """Write the best servers of the branches that are paths; return the branches that are none.

    Those of ``block.start`` and of ``block.stop`` (``stop``; 0 at the end of the task) are given.
    """
    a = int(servers[block.start])
    ways = [_ways(problem, block, branch, a) for branch in block.branches]
    _, chosen = _best(problem, block, ways, a, stop)
    others = []
    for branch, labels, k in zip(block.branches, ways, chosen, strict=True):
        if is_path(problem, block, branch):
            servers[list(branch.layers)] = labels.path[k]
        else:
            others.append(branch)
    return others


def is_exact(problem: OffloadingProblem, block: Block) -> bool:
    """Tell whether :func:`stepping` is the cost of a plan, not a lower bound of all."""
    return all(
        branch.exact if problem.weights is None else is_path(problem, block, branch)
        for branch in block.branches
    )


def is_path(problem: OffloadingProblem, block: Block, branch: Branch) -> bool:
    """Tell whether a branch is a path from the start of the block to its end."""
    chain = (block.start, *branch.layers)
    after = (*branch.layers, block.stop)
    return all(
        problem.predecessors[v] == (u,) for u, v in zip(chain, branch.layers, strict=False)
    ) and all(
        problem.successors[v] == (() if w == END else (w,))
        for v, w in zip(branch.layers, after[1:], strict=True)
    )


def _delay_cost(problem: OffloadingProblem, seconds: FloatArray) -> FloatArray:
    """Return what seconds of delay cost; ``inf`` for no way, even where delay costs nothing."""
    weight = problem.data.weights.per_second
    return np.where(np.isfinite(seconds), weight * np.nan_to_num(seconds, posinf=0.0), np.inf)


def _edge(problem: OffloadingProblem, v: int, w: int) -> FloatArray:
    """Return the costs of pairs of the edge from ``v`` to ``w``; nothing at the end of a task."""
    if w == END:
        return np.zeros((problem.n_servers, 1))
    at = int(problem.data.feeds_from[v]) + problem.successors[v].index(w)
    return np.asarray(problem.data.weights.edge[at])


def _ways(problem: OffloadingProblem, block: Block, branch: Branch, a: int) -> Labels:
    """Return the ways through a branch from server ``a`` to the arrival at each server."""
    if not is_path(problem, block, branch):
        return _relaxed(problem, block, branch, a)
    chain = (block.start, *branch.layers)
    delays, costs = [], []
    for u, v in zip(chain, branch.layers, strict=False):
        delays.append(blocks.sending(problem, u) + blocks.executing(problem, v))
        costs.append(_edge(problem, u, v))
    last = branch.layers[-1]
    return Labels(
        *_labels(
            a,
            np.array(delays),
            np.array(costs),
            np.ascontiguousarray(blocks.sending(problem, last, block.stop)),
            np.ascontiguousarray(_edge(problem, last, block.stop)),
        )
    )


def _relaxed(problem: OffloadingProblem, block: Block, branch: Branch, a: int) -> Labels:
    """Return for each server the least delay, and below it the least cost of each edge alone."""
    delay: FloatArray = np.full(1, np.inf)
    for fixed in blocks.combinations(problem, branch):
        ends = blocks.ends_of(problem, block, branch, fixed)
        delay = np.minimum(delay, blocks.leaving(problem, branch, ends, block.stop)[a])
    w = problem.data.weights
    least = sum(float(w.run[v][problem.allowed[v]].min()) for v in branch.layers)
    for v in (block.start, *branch.layers):
        for u in problem.successors[v]:
            if u in branch.layers or (v in branch.layers and u == block.stop):
                pairs = problem.allowed[v][:, None] & problem.allowed[u]
                least += float(_edge(problem, v, u)[pairs].min())
    at = np.flatnonzero(np.isfinite(delay))
    none = np.zeros((at.size, len(branch.layers)), dtype=np.int64)
    return Labels(at, delay[at], np.full(at.size, least), none)


def _best(
    problem: OffloadingProblem, block: Block, ways: list[Labels], a: int, b: int
) -> tuple[float, list[int]]:
    """Return the least cost of all branches together up to ``b``, and the label of each."""
    mine = [np.flatnonzero(labels.at == b) for labels in ways]
    sets = [(x.delay[k], x.cost[k]) for x, k in zip(ways, mine, strict=True)]
    if block.stop in problem.successors[block.start]:
        sent = blocks.sending(problem, block.start, block.stop)[a, b]
        sets.append((np.array([sent]), np.array([_edge(problem, block.start, block.stop)[a, b]])))
    if any(not len(delay) or np.isinf(delay[0]) for delay, _ in sets):
        return np.inf, [0] * len(ways)
    delays = np.unique(np.concatenate([delay for delay, _ in sets]))
    delays = delays[delays >= max(delay[0] for delay, _ in sets)]
    picked = [np.searchsorted(delay, delays, side="right") - 1 for delay, _ in sets]
    total = problem.data.weights.per_second * delays
    for (_, cost), k in zip(sets, picked, strict=True):
        total = total + cost[k]
    at = int(np.argmin(total))
    chosen = [int(k[p[at]]) for k, p in zip(mine, picked, strict=False)]
    return float(total[at]), chosen


@kernel
def _labels(
    a: int, delay: FloatArray, cost: FloatArray, last_delay: FloatArray, last_cost: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, IntArray]:
    """Return the Pareto sets from server ``a`` over the steps (n_layers, S, S) and the last one.

    For each server in turn, by rising delay and falling cost.
    """
    layers = delay.shape[0]
    at = np.full(1, a)
    spent_s, spent = np.zeros(1), np.zeros(1)
    path = np.zeros((1, layers), np.int64)
    for j in range(layers + 1):
        width = delay.shape[2] if j < layers else last_delay.shape[1]
        n = at.size
        new_at, new_path = np.empty(n * width, np.int64), np.empty((n * width, layers), np.int64)
        new_s, new = np.empty(n * width), np.empty(n * width)
        count = 0
        for b in range(width):
            s, c = np.empty(n), np.empty(n)
            for k in range(n):
                if j < layers:
                    s[k] = spent_s[k] + delay[j, at[k], b]
                    c[k] = spent[k] + cost[j, at[k], b]
                else:
                    s[k] = spent_s[k] + last_delay[at[k], b]
                    c[k] = spent[k] + last_cost[at[k], b]
            least = np.inf
            for k in np.argsort(s, kind="mergesort"):
                if s[k] < np.inf and c[k] < least:
                    least = c[k]
                    new_at[count], new_s[count], new[count] = b, s[k], c[k]
                    new_path[count] = path[k]
                    if j < layers:
                        new_path[count, j] = b
                    count += 1
        at, path = new_at[:count].copy(), new_path[:count].copy()
        spent_s, spent = new_s[:count].copy(), new[:count].copy()
    return at, spent_s, spent, path

r"""A bound on costs with a final balance Z: a price on every layer that a server runs.

For prices p of the servers that count, every plan of N layers costs at least

.. math::

   \text{bound}(p) = \sum_k n_k h_k(p)
       + \sum_g \min_{|B_g| \le N} (x f(B_g) - p \cdot B_g),

:math:`h_k` the shortest chain of a task of class k with the prices of its servers added. The inner
minimum is over whole counts, and exact: by levels (``counts``) the best B is a sum of blocks "the j
dearest servers get one each", :math:`j = 1, ..., g`, of cost :math:`x j (g - j)` less the j largest
prices, so it is a knapsack.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.balance.counts import Counts
from optedge.kernels import kernel

PATIENCE = 12  # steps without progress before they are shortened
SHORTER = 0.6
MEMORY = 0.3  # of the direction of the step before


@kernel
def suffix(data: Counts, k: int, prices: FloatArray) -> FloatArray:
    """Return the least priced cost of the layers from j on, after server a: (L + 1, S)."""
    begin, end = data.begin[k], data.begin[k + 1]
    n_servers = prices.size
    rest = np.zeros((end - begin + 1, n_servers))
    for j in range(end - begin - 1, -1, -1):
        for a in range(n_servers):
            least = np.inf
            for b in range(n_servers):
                cost = data.tables[begin + j, a, b] + (prices[b] + rest[j + 1, b])
                least = min(least, cost)
            rest[j, a] = least
    return rest


@kernel
def chains(data: Counts, prices: FloatArray, on: FloatArray) -> float:
    """Return the priced cost of the shortest chains of all tasks, and add up their layers."""
    on[:] = 0.0
    total = 0.0
    for k in range(data.tasks.size):
        rest = suffix(data, k, prices)
        begin = data.begin[k]
        a = data.homes[k]
        total += data.tasks[k] * rest[0, a]
        for j in range(data.begin[k + 1] - begin):
            best, least = 0, np.inf
            for b in range(prices.size):
                cost = data.tables[begin + j, a, b] + (prices[b] + rest[j + 1, b])
                if cost < least:
                    best, least = b, cost
            on[best] += data.tasks[k]
            a = best
    return total


@kernel
def by_price(data: Counts, g: int, prices: FloatArray, ranked: IntArray) -> None:
    """Write the servers of group ``g`` into ``ranked``, the dearest first."""
    count = 0
    for s in range(prices.size):
        if data.group[s] == g:
            at = count
            while at > 0 and prices[ranked[at - 1]] < prices[s]:
                ranked[at] = ranked[at - 1]
                at -= 1
            ranked[at] = s
            count += 1


@kernel
def emptiest(data: Counts, g: int, prices: FloatArray, on: FloatArray) -> float:
    """Return the least x f(B) - p B of group ``g`` with at most all layers; write B into ``on``."""
    size = data.sizes[g]
    ranked, block = np.empty(size, np.int64), np.empty(size)
    by_price(data, g, prices, ranked)
    paid = 0.0
    for j in range(size):
        on[ranked[j]] = 0.0
        paid += prices[ranked[j]]
        block[j] = data.unit * (j + 1) * (size - 1 - j) - paid
    filled, last = np.empty(data.total + 1), np.empty(data.total + 1, np.int64)
    filled[0], at = 0.0, 0
    for m in range(1, data.total + 1):
        filled[m] = np.inf
        for j in range(min(size, m)):
            value = filled[m - j - 1] + block[j]
            if value < filled[m]:
                filled[m], last[m] = value, j
        if filled[m] < filled[at]:
            at = m
    found = filled[at]
    while at > 0:
        for j in range(last[at] + 1):
            on[ranked[j]] += 1.0
        at -= last[at] + 1
    return float(found)


@kernel
def bound(data: Counts, prices: FloatArray, used: FloatArray, given: FloatArray) -> float:
    """Return the bound; write the layers that chains use and those that the counts give."""
    value = chains(data, prices, used)
    for g in range(data.sizes.size):
        value += emptiest(data, g, prices, given)
    return value


@kernel
def ascend(data: Counts, prices: FloatArray, target: float, steps: int) -> float:
    """Improve ``prices`` in place by Polyak's steps towards ``target``; return the best bound.

    It ends at ``target``. Each direction keeps a part of the one before.
    """
    n = prices.size
    p, slope, used, given = np.empty(n), np.zeros(n), np.empty(n), np.empty(n)
    for s in range(n):
        p[s] = prices[s]
    best, step, failed = -np.inf, 1.0, 0
    for _ in range(steps):
        value = bound(data, p, used, given)
        failed += 1
        if value > best:
            if value > best + 1e-7 * (target - best):
                failed = 0
            best = value
            for s in range(n):
                prices[s] = p[s]
        if best >= target:
            break
        square = 0.0
        for s in range(n):
            if data.group[s] >= 0:
                slope[s] = MEMORY * slope[s] + (1.0 - MEMORY) * (used[s] - given[s])
                square += slope[s] ** 2
        if square == 0.0:
            break
        if failed >= PATIENCE:
            step *= SHORTER
            failed = 0
            for s in range(n):
                p[s], slope[s] = prices[s], 0.0
            continue
        for s in range(n):
            p[s] += step * (target - value) / square * slope[s]
    return best

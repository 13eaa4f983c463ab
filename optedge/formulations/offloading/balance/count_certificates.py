r"""Certificates of a final balance Z: prices, and all count vectors of a single task below a limit.

``"count prices"`` values the bound of ``count_prices`` for given prices. ``"count vectors"``, for
one task, makes every label of ``count_vectors`` again whose priced cost may end below the limit:
no plan that was left out is below it, so the bound is the limit or the cheapest plan met, whichever
is less. Plain NumPy; nothing is shared with the compiled search but the tables of costs.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Certificate, FloatArray, IntArray
from optedge.formulations.offloading.balance import counts
from optedge.formulations.offloading.balance.counts import Counts
from optedge.formulations.offloading.costs import block_costs

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

PRICES, VECTORS = "count prices", "count vectors"
MOST_LABELS = 20_000_000


def make(problem: OffloadingProblem, prices: FloatArray, limit: float | None = None) -> Certificate:
    """Return the certificate of these prices, with a limit that of the count vectors; valued."""
    arrays = {"prices": prices}
    if limit is not None:
        arrays["limit"] = np.array([limit])
    bare = Certificate(PRICES if limit is None else VECTORS, 0.0, arrays)
    return dataclasses.replace(bare, value=certify(problem, bare))


def certify(problem: OffloadingProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, rounded safely downwards.

    Parameters
    ----------
    problem
        Chains whose balance Z is counted once at the end.
    certificate
        Of kind ``"count prices"`` with the array ``prices`` (n_servers,), of which those of servers
        that are alone in their tier, and of clients, do not count; or of kind ``"count vectors"``,
        for one task, with ``limit`` (1,) beside it.

    Raises
    ------
    ValueError
        If the kind is another, Z is not counted at the end, there are several tasks where one is
        wanted, an array is missing, of the wrong shape or not finite, or the limit lets in more
        labels than memory is meant for.
    """
    if certificate.kind not in (PRICES, VECTORS):
        raise ValueError(f"this bound needs a certificate {PRICES!r}, got {certificate.kind!r}.")
    data, _ = counts.make(problem)
    prices = _array(certificate, "prices", problem.n_servers)
    prices = np.where(data.group >= 0, prices, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        safe = _rounding(problem, data, prices)
        if certificate.kind == PRICES:
            proved = _priced(data, prices) - safe
        else:
            if problem.n_tasks > 1:
                raise ValueError("a certificate 'count vectors' is for one task alone.")
            limit = float(_array(certificate, "limit", 1)[0])
            proved = min(limit, _cheapest(data, prices, limit + safe, safe)) - safe
    if not math.isfinite(proved):
        raise ValueError("certificate array 'prices' is out of range.")
    return proved


def _array(certificate: Certificate, name: str, size: int) -> FloatArray:
    array = certificate.arrays.get(name)
    if array is None or array.shape != (size,):
        raise ValueError(f"certificate array {name!r} must have shape ({size},).")
    if not np.isfinite(array).all():
        raise ValueError(f"certificate array {name!r} must be finite.")
    return array


def _rounding(problem: OffloadingProblem, data: Counts, prices: FloatArray) -> float:
    """Return more than rounding adds: each sum has fewer than eight terms a layer."""
    dearest = float(np.abs(data.tables[np.isfinite(data.tables)]).max(initial=0.0))
    largest = int(data.sizes.max())
    each = dearest + 2 * float(np.abs(prices).sum()) + data.unit * largest**2
    size = float(block_costs.size(problem, np.array(0.0)))
    return 2.0**-50 * (8 * data.total * each + size)


def _priced(data: Counts, prices: FloatArray) -> float:
    """Return the bound of the prices."""
    total = 0.0
    for k, tasks in enumerate(data.tasks.tolist()):
        total += tasks * float(_rests(data, k, prices)[0][data.homes[k]])
    return total + _emptiest(data, prices)


def _rests(data: Counts, k: int, prices: FloatArray) -> list[FloatArray]:
    """Return the least priced cost of the layers from each one on, after each server."""
    rests = [np.zeros(prices.size)]
    for table in data.tables[data.begin[k] : data.begin[k + 1]][::-1]:
        rests.append((table + (prices + rests[-1])).min(axis=1))
    return rests[::-1]


def _emptiest(data: Counts, prices: FloatArray) -> float:
    """Return the least x f(B) - p B over whole counts of at most all layers a group."""
    total = 0.0
    for g, size in enumerate(data.sizes.tolist()):
        j = np.arange(1, size + 1)
        dearest = np.sort(prices[data.group == g])[::-1]
        block = data.unit * j * (size - j) - np.cumsum(dearest)
        filled = np.zeros(data.total + 1)  # the least cost of m layers
        for m in range(1, data.total + 1):
            take = min(size, m)
            filled[m] = (filled[m - take : m][::-1] + block[:take]).min()
        total += float(filled.min())
    return total


def _cheapest(data: Counts, prices: FloatArray, limit: float, safe: float) -> float:
    """Return the least value of a plan of the one task among all that may be below the limit."""
    rests = _rests(data, 0, prices)
    most = limit - _emptiest(data, prices) + safe
    base = len(rests)
    counted = np.flatnonzero(data.group >= 0)
    weight = np.zeros(prices.size, dtype=np.int64)
    if base**counted.size >= 2**63:
        raise ValueError("counts do not fit into 63 bits: too many servers, or too many layers.")
    weight[counted] = base ** np.arange(counted.size)
    packed = [np.zeros(0, dtype=np.int64)] * prices.size  # of labels by their last server
    costs = [np.zeros(0)] * prices.size
    home = int(data.homes[0])
    packed[home], costs[home] = np.zeros(1, dtype=np.int64), np.zeros(1)
    for table, rest in zip(data.tables, rests[1:], strict=True):
        steps = [
            _step(packed, costs, table[:, b] + prices[b], most - rest[b], int(weight[b]))
            for b in range(prices.size)
        ]
        packed, costs = [p for p, _ in steps], [c for _, c in steps]
        if sum(p.size for p in packed) > MOST_LABELS:
            raise ValueError("certificate array 'limit' lets in too many count vectors.")
    keys, priced = np.concatenate(packed), np.concatenate(costs)
    if not keys.size:
        return math.inf
    vectors = keys[:, None] // weight[counted] % base
    wide = np.zeros((keys.size, prices.size), dtype=np.int64)
    wide[:, counted] = vectors
    value = priced - vectors @ prices[counted] + data.unit * counts.unevenness(wide, data.group)
    return float(value.min())


def _step(
    packed: list[IntArray], costs: list[FloatArray], spent: FloatArray, most: float, weight: int
) -> tuple[IntArray, FloatArray]:
    """Return the labels that end on one server, the cheapest of each packed count."""
    found, paid = [], []
    for keys, cost, more in zip(packed, costs, spent, strict=True):
        total = cost + more
        kept = total <= most
        found.append(keys[kept] + weight)
        paid.append(total[kept])
    keys, cost = np.concatenate(found), np.concatenate(paid)
    order = np.argsort(keys)
    keys, cost = keys[order], cost[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    if not first.size:
        return keys, cost
    return keys[first], np.minimum.reduceat(cost, first)

r"""What one task can put on each server: its count vectors, and the cheapest plan of each.

Let v be the value of some plan. With the prices p of ``count_prices`` every plan below v gives each
task of class k a chain whose priced cost exceeds the least one by less than v - bound(p). Chains
are built layer by layer; a *label* is the cheapest way to a last server with given counts, and is
dropped where even the shortest rest leads beyond the limit. Counts are packed in one whole number,
to the base of one more than the layers.

A vector w is not needed beside v if :math:`c_v + x f(w - v) \le c_w`: to put v for w in a plan of
several tasks costs nothing, since f is a seminorm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.balance.count_prices import suffix
from optedge.formulations.offloading.balance.counts import Counts
from optedge.kernels import kernel

ROUNDING = 1e-12  # relative; what lies beyond a limit by less is kept
HASH = 0x9E3779B97F4A7C15 - 2**64  # 2**64 over the golden ratio


class Vectors(NamedTuple):
    """Count vectors of the tasks of one class within a limit, by rising priced cost."""

    counts: IntArray  # (V, S)
    priced: FloatArray  # (V,), least priced cost
    cost: FloatArray  # (V,), the same without prices
    labels: int  # most in a layer


class Unfinished(Exception):
    """More labels are within the limit than memory is meant for, or the caller had enough."""


def why_unpacked(data: Counts) -> str | None:
    """Say why counts do not fit into one whole number; None if they do."""
    counted = int((data.group >= 0).sum())
    longest = int(np.diff(data.begin).max())
    if (longest + 1) ** counted * data.group.size < 2**63:
        return None
    return (
        f"counts of {longest} layers on {counted} servers do not fit into 63 bits: too many "
        "servers, or too many layers in a task."
    )


def enumerate_class(
    data: Counts,
    k: int,
    prices: FloatArray,
    excess: float,
    most_labels: int,
    should_stop: Callable[[], bool],
) -> Vectors:
    """Return the vectors of class ``k`` whose priced cost is at most the least one plus ``excess``.

    Raises
    ------
    Unfinished
        If a layer has more than ``most_labels`` labels, or if ``should_stop`` says so after one.
    """
    most = np.full(data.group.size, int(data.begin[k + 1] - data.begin[k]))
    steps = [(np.zeros(0, np.int64), np.zeros(0))]
    labels = 0
    for keys, costs, _ in _layers(data, k, prices, excess, most_labels, most):
        if should_stop():
            raise Unfinished
        steps = [(keys, costs)]  # of the last layer alone
        labels = max(labels, keys.size)
    keys, priced = steps[-1]
    n_servers = data.group.size
    counts = _unpack(data, k, keys // n_servers)
    order = np.lexsort((priced, keys // n_servers))
    first = np.diff(keys[order] // n_servers, prepend=-1) != 0
    order = order[first]
    order = order[np.argsort(priced[order], kind="stable")]
    counts, priced = counts[order], priced[order]
    cost = priced - counts @ np.where(data.group >= 0, prices, 0.0)
    return Vectors(counts, priced, cost, labels)


def cheapest_chain(data: Counts, k: int, counts: IntArray) -> tuple[IntArray, float]:
    """Return the cheapest chain of class ``k`` with these counts, and its cost.

    Only labels within the counts are made, so that no limit is needed.
    """
    free = np.zeros(data.group.size)
    own = int(data.begin[k + 1] - data.begin[k])
    most = np.where(data.group >= 0, counts, own)
    steps = list(_layers(data, k, free, np.inf, np.iinfo(np.int64).max, most))
    keys, costs, _ = steps[-1]
    n_servers = data.group.size
    fits = np.flatnonzero((_unpack(data, k, keys // n_servers) == counts).all(axis=1))
    at = int(fits[np.argmin(costs[fits])])
    cost = float(costs[at])
    servers = []
    for keys, _, parents in reversed(steps):
        servers.append(int(keys[at] % n_servers))
        at = int(parents[at])
    return np.array(servers[::-1]), cost


def _layers(
    data: Counts, k: int, prices: FloatArray, excess: float, most_labels: int, most: IntArray
) -> Iterator[tuple[IntArray, FloatArray, IntArray]]:
    """Yield keys, priced costs and parents of the labels after each layer."""
    rest = suffix(data, k, prices)
    begin, layers = int(data.begin[k]), int(data.begin[k + 1] - data.begin[k])
    home = int(data.homes[k])
    least = float(rest[0, home])
    limit = least + excess + ROUNDING * (abs(least) + excess)
    keys, costs = np.array([home]), np.zeros(1)
    weight = _weights(data, k)
    for j in range(layers):
        table = data.tables[begin + j]
        keys, costs, parents = expand(
            keys, costs, table, prices, rest[j + 1], limit, weight, layers + 1, most, most_labels
        )
        if keys.size > most_labels:
            raise Unfinished
        yield keys, costs, parents


def _weights(data: Counts, k: int) -> IntArray:
    """Return what a layer on each server adds to the packed counts, before the last server."""
    base = int(data.begin[k + 1] - data.begin[k]) + 1
    counted = data.group >= 0
    weight = np.zeros(data.group.size, dtype=np.int64)
    weight[counted] = base ** np.arange(int(counted.sum()))
    return weight


def _unpack(data: Counts, k: int, keys: IntArray) -> IntArray:
    """Return the counts (n, S) that keys without their last server hold."""
    base = int(data.begin[k + 1] - data.begin[k]) + 1
    weight = _weights(data, k)
    return np.where(weight > 0, keys[:, None] // np.maximum(weight, 1) % base, 0)


@kernel
def _grown(array: IntArray, room: int) -> IntArray:
    """Return a copy with more room."""
    new = np.empty(room, np.int64)
    for i in range(array.size):
        new[i] = array[i]
    return new


@kernel
def expand(
    keys: IntArray,
    costs: FloatArray,
    table: FloatArray,
    prices: FloatArray,
    rest: FloatArray,
    limit: float,
    weight: IntArray,
    base: int,
    most: IntArray,
    most_labels: int,
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return the labels one layer on, the cheapest of each key, and which one each came from.

    It stops early with more than ``most_labels``.
    """
    n_servers = rest.size
    room = max(64, keys.size * 2)
    new_keys, new_costs = np.empty(room, np.int64), np.empty(room)
    parents = np.empty(room, np.int64)
    size = 256
    while size < 4 * keys.size:
        size *= 2
    place = np.full(size, -1)  # open addressing
    count = 0
    for i in range(keys.size):
        a = keys[i] % n_servers
        packed = keys[i] // n_servers
        for b in range(n_servers):
            cost = costs[i] + table[a, b] + prices[b]
            if not cost + rest[b] <= limit:
                continue
            if weight[b] > 0 and packed // weight[b] % base >= most[b]:
                continue
            key = (packed + weight[b]) * n_servers + b
            at = ((key * HASH) >> 20) & (size - 1)
            while place[at] >= 0 and new_keys[place[at]] != key:
                at = (at + 1) & (size - 1)
            known = place[at]
            if known >= 0:
                if cost < new_costs[known]:
                    new_costs[known], parents[known] = cost, i
                continue
            if count == room:
                room *= 2
                new_keys, parents = _grown(new_keys, room), _grown(parents, room)
                costs_so_far, new_costs = new_costs, np.empty(room)
                for known in range(count):
                    new_costs[known] = costs_so_far[known]
            new_keys[count], new_costs[count], parents[count] = key, cost, i
            place[at] = count
            count += 1
            if count > most_labels:
                return new_keys[:count], new_costs[:count], parents[:count]
            if 2 * count > size:
                size *= 2
                place = np.full(size, -1)
                for known in range(count):
                    at = ((new_keys[known] * HASH) >> 20) & (size - 1)
                    while place[at] >= 0:
                        at = (at + 1) & (size - 1)
                    place[at] = known
    return new_keys[:count].copy(), new_costs[:count].copy(), parents[:count].copy()


@kernel
def needed(counts: IntArray, cost: FloatArray, group: IntArray, unit: float) -> BoolArray:
    """Return which vectors no cheaper one stands in for; ``cost`` (V,) must rise."""
    n, n_servers = counts.shape
    keep = np.zeros(n, np.bool_)
    kept = np.empty(n, np.int64)
    size = 0
    apart = np.empty(n_servers, np.int64)
    for i in range(n):
        found = False
        for q in range(size):
            other = kept[q]
            most = (cost[i] - cost[other]) / unit
            if most <= 0.0:
                break  # no cheaper ones any more
            distance = 0
            for s in range(n_servers):
                apart[s] = counts[i, s] - counts[other, s]
                if group[s] >= 0:
                    for t in range(s):
                        if group[t] == group[s]:
                            distance += abs(apart[s] - apart[t])
                    if distance > most:
                        break
            if distance <= most:
                found = True
                break
        if not found:
            keep[i] = True
            kept[size] = i
            size += 1
    return keep

"""A plan to start from where Z counts at the end: short annealing on counts, no pools, no clock."""

from __future__ import annotations

import math

import numpy as np

from optedge.formulations.base import IntArray
from optedge.formulations.offloading.balance.counts import Counts
from optedge.kernels import kernel


@kernel
def value(data: Counts, begin: IntArray, of_class: IntArray, x: IntArray) -> float:
    """Return costs of pairs plus Z of servers ``x`` (n_subtasks,), waiting aside."""
    on = np.zeros(data.group.size, np.int64)
    total = 0.0
    for i in range(of_class.size):
        a, k = data.homes[of_class[i]], of_class[i]
        for j in range(data.begin[k + 1] - data.begin[k]):
            b = x[begin[i] + j]
            total += data.tables[data.begin[k] + j, a, b]
            on[b] += 1
            a = b
    return total + data.unit * _uneven(data, on)


@kernel
def _uneven(data: Counts, on: IntArray) -> int:
    total = 0
    for s in range(on.size):
        if data.group[s] >= 0:
            for t in range(s):
                if data.group[t] == data.group[s]:
                    total += abs(on[s] - on[t])
    return total


@kernel
def _stretch(data: Counts, k: int, x: IntArray, at: int, low: int, high: int) -> float:
    """Return the costs of layers low to high, and of the one behind, of the task that begins at."""
    total = 0.0
    layers = data.begin[k + 1] - data.begin[k]
    for j in range(low, min(high + 2, layers)):
        a = data.homes[k] if j == 0 else x[at + j - 1]
        total += data.tables[data.begin[k] + j, a, x[at + j]]
    return total


@kernel
def anneal(
    data: Counts,
    begin: IntArray,
    of_class: IntArray,
    x: IntArray,
    best: IntArray,
    moves: int,
    hot: float,
    cold: float,
    rng: np.random.Generator,
) -> None:
    """Anneal ``x`` in place from temperature ``hot`` to ``cold``; keep the cheapest in ``best``.

    A move sends a stretch of layers of one task to one server, or to where another task of its
    class has them, or swaps the servers of two layers.
    """
    n_servers = data.group.size
    on = np.zeros(n_servers, np.int64)
    for s in x:
        on[s] += 1
    cost = value(data, begin, of_class, x)
    least = value(data, begin, of_class, best)
    old = np.empty(x.size, np.int64)
    uneven = _uneven(data, on)
    for move in range(moves):
        temperature = hot * (cold / hot) ** (move / moves)
        kind = rng.random()
        i = int(rng.random() * of_class.size)
        k, at = of_class[i], begin[i]
        layers = data.begin[k + 1] - data.begin[k]
        low = int(rng.random() * layers)
        high = low
        if kind > 0.5:
            high = min(layers - 1, low + int(rng.random() * layers))
        if kind > 0.8:  # a swap of two layers of one task
            before = _stretch(data, k, x, at, 0, layers - 1)
            x[at + low], x[at + high] = x[at + high], x[at + low]
            worse = _stretch(data, k, x, at, 0, layers - 1) - before
            if not (worse <= 0.0 or rng.random() < math.exp(-worse / temperature)):
                x[at + low], x[at + high] = x[at + high], x[at + low]
                continue
            cost += worse
        else:
            other = int(rng.random() * of_class.size)
            copies = kind > 0.7 and other != i and of_class[other] == k
            s = int(rng.random() * n_servers)
            before = _stretch(data, k, x, at, low, high)
            for j in range(low, high + 1):
                old[j] = x[at + j]
                x[at + j] = x[begin[other] + j] if copies else s
                on[old[j]] -= 1
                on[x[at + j]] += 1
            after = _stretch(data, k, x, at, low, high)
            now = _uneven(data, on)
            worse = after - before + data.unit * (now - uneven)
            if not (worse <= 0.0 or rng.random() < math.exp(-worse / temperature)):
                for j in range(low, high + 1):
                    on[x[at + j]] -= 1
                    on[old[j]] += 1
                    x[at + j] = old[j]
                continue
            cost += worse
            uneven = now
        if cost < least - 1e-12 * abs(least):
            least = cost
            best[:] = x

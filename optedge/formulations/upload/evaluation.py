"""What a set of usable layers is worth: the benefit by which it shortens the delay of a query.

With values :math:`a_j` and savings :math:`s_j` of neighbours (``problem``) the benefit of executing
the set S on the servers is TDA(S), the sum of :math:`a_j` over S and of :math:`s_j` over pairs of
neighbours in S. Under best use the client executes the best subset of what is usable; a chain has
it in one pass with two states, the last layer at the client or on its server.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optedge import kernels
from optedge.formulations.base import BoolArray, FloatArray, IntArray


def forced_benefit(values: FloatArray, savings: FloatArray, used: BoolArray) -> float:
    """Return TDA of the set ``used`` (n,), in seconds; may be negative."""
    return math.fsum([*values[used], *savings[used[:-1] & used[1:]]])


@kernels.kernel
def best_benefit(values: Any, savings: Any, usable: Any) -> float:
    """Return the largest TDA of a subset of ``usable`` (n,), in seconds."""
    off, on = 0.0, -np.inf
    for j in range(values.size):
        before = max(off, on)
        linked = max(off, on + savings[j - 1]) if j else 0.0
        on = values[j] + linked if usable[j] else -np.inf
        off = before
    return float(max(off, on))


@kernels.kernel
def best_set(values: FloatArray, savings: FloatArray, usable: BoolArray) -> BoolArray:
    """Return the largest of the subsets of ``usable`` (n,) that have the largest TDA.

    With non-negative savings these sets grow with ``usable``.
    """
    n = values.size
    off, on = np.zeros(n + 1), np.full(n + 1, -np.inf)  # of the first j layers, by the last one
    for j in range(n):
        off[j + 1] = max(off[j], on[j])
        if usable[j]:
            on[j + 1] = values[j] + (max(off[j], on[j] + savings[j - 1]) if j else 0.0)
    used, link = np.zeros(n, np.bool_), 0.0
    for j in range(n - 1, -1, -1):
        used[j] = on[j + 1] + link >= off[j + 1]
        link = savings[j - 1] if used[j] and j else 0.0
    return used


@kernels.kernel
def order_costs(
    values: Any, savings: Any, seconds: Any, base: float, free: Any, layers: Any, codes: Any
) -> Any:
    """Return the sum of system delay under best use of each row of ``codes``.

    Parameters
    ----------
    values, savings, seconds
        Of the layers (n,), (n - 1,), (n,).
    base
        Delay of a query while nothing is uploaded, s.
    free
        Which layers are usable from the beginning, (n,).
    layers
        The layers to be put in order, (m,).
    codes
        A key for each of them, (k, m): they are sent by rising key, ties by number.
    """
    out = np.empty(len(codes))
    for row in range(len(codes)):
        usable, total = free.copy(), 0.0
        for i in np.argsort(codes[row], kind="mergesort"):
            j = layers[i]
            total += seconds[j] * (base - best_benefit(values, savings, usable))
            usable[j] = True
        out[row] = total
    return out


def switching(
    values: FloatArray, savings: FloatArray, partitions: list[list[int]], n: int
) -> IntArray:
    """Return after which partition each layer is best switched on, ``(n,)``.

    When the best set first holds it; with the last partition if it never does. So a plan is worth
    the same under forced as under best use, provided that no saving is negative.
    """
    own = np.full(n, len(partitions), dtype=np.int64)
    for k, part in enumerate(partitions):
        own[part] = k
    return _switching(values, savings, own, len(partitions))


@kernels.kernel
def _switching(values: FloatArray, savings: FloatArray, own: IntArray, count: int) -> IntArray:
    """Do what :func:`switching` does, given the partition of each layer, ``count`` for none."""
    on = np.full(own.size, count - 1)
    for k in range(count - 1, -1, -1):
        used = best_set(values, savings, own <= k)
        for j in range(own.size):
            if used[j]:
                on[j] = k
    return on

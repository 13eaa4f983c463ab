r"""Compiled moves of orders of upload, priced by what changes between two places.

Layers i and j, the next ones to the left and right of layer k that are sent later, part the chain:
what is usable between them is worth :math:`W_{ij}` on its own. So layer k brings the benefit
:math:`\delta_k = W_{ij} - W_{ik} - W_{kj}` when it is sent, at time :math:`C_k`, and the variable
part of an order is :math:`\sum_k \delta_k C_k`. A move between two places changes neither the
benefits nor the times of layers outside of them, and the neighbours i and j are found by steps
from one layer to the next that is sent later.

What annealing is given: a layer, some that follow each other in the order, or a run of neighbours
in the chain are taken out and put back elsewhere in one piece, or two layers change places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.kernels import apply, descend, kernel, overload, price, propose, settle, start

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

ROUNDING = 1e-12  # relative gain of a move that counts as none
MOST_LAYERS = 3000  # for whose benefits, 72 MB, the moves are worth it
#: Of all moves, the share up to which each kind reaches: one layer, an exchange, some that follow
#: each other; a run of neighbours is the rest.
ONE, EXCHANGE, FOLLOWING = 0.3, 0.5, 0.7
NEAR = 0.5  # share of moves to a place nearby


class OrderData(NamedTuple):
    """What codes are priced by; layers are counted among those that an order decides."""

    seconds: FloatArray  # (m,)
    benefits: FloatArray  # (m + 1, m + 1), of what is usable from layer i on to before layer j
    constant: float  # s^2


class Search(NamedTuple):
    """The order that a search is at, the one proposed, and room to work in."""

    order: IntArray  # (m,), the layer at each place
    place: IntArray  # (m,), of each layer
    left: IntArray  # (m,), the next one to the left that is sent later, or -1
    right: IntArray  # (m,), the same to the right, or m
    gains: FloatArray  # (m,), by layer
    begins: FloatArray  # (m + 1,), when the upload at each place begins
    other: IntArray  # (m,), the layers of the proposed order at the places that change
    kept: IntArray  # (2, m), what left and right were
    kept_gains: FloatArray  # (m,)
    chosen: IntArray  # (m,), 1 for layers that are taken out
    window: IntArray  # (3,): first place that changes, end, and whether keys are places
    cost: FloatArray  # (2,), of the order, and of the proposed one


def data_of(problem: UploadProblem) -> OrderData:
    """Return what the moves of an instance are priced by."""
    seconds = problem.seconds[problem.layers]
    usable = ~problem.stays
    table = _benefits(problem.values, problem.savings, usable, problem.layers)
    return OrderData(seconds, table, problem.total_seconds * problem.least_delay)


@kernel
def _benefits(
    values: FloatArray, savings: FloatArray, usable: BoolArray, layers: IntArray
) -> FloatArray:
    """Return the best benefit of what lies from layer i on to before layer j, ``(m + 1, m + 1)``.

    Between layers ``layers[i - 1]`` and ``layers[j]``, those two not being usable.
    """
    m, n = layers.size, values.size
    table = np.zeros((m + 1, m + 1))
    for i in range(m + 1):
        off, on, j = 0.0, -np.inf, i
        first = layers[i - 1] + 1 if i else 0
        for x in range(first, n):
            if j < m and x == layers[j]:
                table[i, j] = max(off, on)
                j += 1
            linked = max(off, on + savings[x - 1]) if x > first else 0.0
            off = max(off, on)
            on = values[x] + linked if usable[x] else -np.inf
        table[i, m] = max(off, on)
    return table


@kernel
def open_search(data: OrderData, x: IntArray) -> Search:
    """Return the state of code ``x``."""
    m = x.size
    order = np.argsort(x, kind="mergesort")
    place = np.empty(m, np.int64)
    normal = 1
    for s in range(m):
        place[order[s]] = s
        if x[order[s]] != s:
            normal = 0
    state = Search(
        order,
        place,
        np.zeros(m, np.int64),
        np.zeros(m, np.int64),
        np.zeros(m),
        np.zeros(m + 1),
        order.copy(),
        np.zeros((2, m), np.int64),
        np.zeros(m),
        np.zeros(m, np.int64),
        np.array([0, m, normal]),
        np.full(2, data.constant),
    )
    _try(data, state, 0, m)
    _take(data, state)
    return state


@kernel
def _try(data: OrderData, state: Search, lo: int, hi: int) -> float:
    """Return the cost of the order with ``other`` at the places ``lo`` to ``hi`` - 1.

    The state is that of the new order but for ``order`` and ``begins``: :func:`_take` or
    :func:`_undo` must follow.
    """
    # Names for the arrays: looking one up in the state inside of a loop takes longer than its use.
    order, place, left, right, gains = (
        state.order,
        state.place,
        state.left,
        state.right,
        state.gains,
    )
    other, kept, kept_gains, begins = state.other, state.kept, state.kept_gains, state.begins
    seconds, benefits, m = data.seconds, data.benefits, order.size
    change, time = 0.0, begins[lo]
    for s in range(lo, hi):
        change -= gains[order[s]] * begins[s + 1]
        place[other[s]] = s
    for s in range(lo, hi):
        k = other[s]
        kept[0, s], kept[1, s], kept_gains[s] = left[k], right[k], gains[k]
        i, j = k - 1, k + 1
        # What was sent before k knows a layer beyond itself that is sent later.
        while i >= 0 and place[i] < s:
            i = left[i]
        while j < m and place[j] < s:
            j = right[j]
        left[k], right[k] = i, j
        gains[k] = benefits[i + 1, j] - benefits[i + 1, k] - benefits[k + 1, j]
        time += seconds[k]
        change += gains[k] * time
    state.window[0], state.window[1] = lo, hi
    state.cost[1] = state.cost[0] + change
    return float(state.cost[1])


@kernel
def _take(data: OrderData, state: Search) -> None:
    """Make the proposed order the one that the search is at."""
    order, other, begins, seconds = state.order, state.other, state.begins, data.seconds
    lo, hi = state.window[0], state.window[1]
    time = begins[lo]
    for s in range(lo, hi):
        order[s] = other[s]
        time += seconds[order[s]]
        begins[s + 1] = time
    state.cost[0] = state.cost[1]


@kernel
def _undo(state: Search) -> None:
    """Forget the proposed order."""
    order, place, left, right, gains = (
        state.order,
        state.place,
        state.left,
        state.right,
        state.gains,
    )
    other, kept, kept_gains = state.other, state.kept, state.kept_gains
    lo, hi = state.window[0], state.window[1]
    for s in range(lo, hi):
        k = other[s]
        left[k], right[k], gains[k] = kept[0, s], kept[1, s], kept_gains[s]
        place[order[s]] = s


@kernel
def _put(data: OrderData, state: Search, first: int, last: int, size: int, target: int) -> float:
    """Put the ``size`` chosen layers at the places from ``target`` on; return the cost.

    They stand between the places ``first`` and ``last``; their choice is taken back.
    """
    order, other, chosen = state.order, state.other, state.chosen
    lo, hi = min(first, target), max(last + 1, target + size)
    s, t = target, lo  # where the next chosen one, the next other one goes
    for p in range(lo, hi):
        k = order[p]
        if chosen[k]:
            chosen[k] = 0
            other[s] = k
            s += 1
        else:
            if t == target:
                t += size
            other[t] = k
            t += 1
    return _try(data, state, lo, hi)


@kernel
def _put_run(data: OrderData, state: Search, a: int, b: int, target: int) -> float:
    """Put the neighbours ``a`` to ``b`` at the places from ``target`` on, in their order."""
    first, last = state.order.size, 0
    for k in range(a, b + 1):
        state.chosen[k] = 1
        first, last = min(first, state.place[k]), max(last, state.place[k])
    return _put(data, state, first, last, b - a + 1, target)


@kernel
def _put_following(data: OrderData, state: Search, p: int, size: int, target: int) -> float:
    """Put the ``size`` layers from place ``p`` on at the places from ``target`` on."""
    for s in range(p, p + size):
        state.chosen[state.order[s]] = 1
    return _put(data, state, p, p + size - 1, size, target)


# -------------------------------------------------------------------- single keys


@kernel
def _place_of_key(state: Search, x: IntArray, i: int, k: int) -> int:
    """Return the place of layer ``i`` if its key is ``k``."""
    order, p = state.order, int(state.place[i])
    while p + 1 < x.size and (x[order[p + 1]], order[p + 1]) < (k, i):
        p += 1
    while p > 0 and (x[order[p - 1]], order[p - 1]) > (k, i):
        p -= 1
    return p


@overload(start, OrderData)
def _start(data: OrderData, x: IntArray) -> Search:
    return open_search(data, x)


@overload(price, OrderData)
def _price(data: OrderData, state: Search, x: IntArray, i: int, k: int) -> float:
    target = _place_of_key(state, x, i, k)
    if target == state.place[i]:
        return float(state.cost[0])
    cost = _put_following(data, state, state.place[i], 1, target)
    _undo(state)
    return cost


@overload(apply, OrderData)
def _apply(data: OrderData, state: Search, x: IntArray, i: int, k: int) -> None:
    target = _place_of_key(state, x, i, k)
    if target != state.place[i]:
        _put_following(data, state, state.place[i], 1, target)
        _take(data, state)
    if x[i] != k:
        state.window[2] = 0
    x[i] = k


# -------------------------------------------------------------------- proposals


@overload(settle, OrderData)
def _settle(data: OrderData, state: Search, x: IntArray, taken: bool) -> None:
    if not taken:
        _undo(state)
        return
    _take(data, state)
    lo, hi = state.window[0], state.window[1]
    if not state.window[2]:
        lo, hi, state.window[2] = 0, x.size, 1
    for s in range(lo, hi):
        x[state.order[s]] = s


@overload(propose, OrderData)
def _propose(data: OrderData, state: Search, x: IntArray, rng: np.random.Generator) -> float:
    m, u = x.size, rng.random()
    p = int(rng.random() * m)
    q = _other_place(m, p, rng)
    if u < ONE or m < 4:
        return _put_following(data, state, p, 1, q)
    if u < EXCHANGE:
        lo, hi = min(p, q), max(p, q) + 1
        state.other[lo:hi] = state.order[lo:hi]
        state.other[p], state.other[q] = state.order[q], state.order[p]
        return _try(data, state, lo, hi)
    size = 2 + int(rng.random() ** 2 * (m // 2 - 1))
    if u < FOLLOWING:
        p = min(p, m - size)
        return _put_following(data, state, p, size, min(q, m - size))
    a = min(int(rng.random() * m), m - size)
    if rng.random() < 0.5:  # to one of their places
        q = state.place[a + int(rng.random() * size)]
    return _put_run(data, state, a, a + size - 1, min(q, m - size))


@kernel
def _other_place(m: int, p: int, rng: np.random.Generator) -> int:
    """Return a place other than ``p`` if there is one, half of the time nearby."""
    if rng.random() < NEAR:
        step = 1 + int(rng.random() * min(8, m - 1))
        q = p + step if rng.random() < 0.5 else p - step
        if 0 <= q < m:
            return q
    q = int(rng.random() * max(1, m - 1))
    return q + 1 if q >= p and m > 1 else q


# -------------------------------------------------------------------- descent


@overload(descend, OrderData)
def _descend(
    data: OrderData, state: Search, x: IntArray, choices: BoolArray, limit: int
) -> tuple[int, bool]:
    """Put one layer after the other, then runs of 2, 4, 8, ... neighbours to their best places."""
    m, size, a, since, tries = x.size, 1, 0, 0, 0
    while 2 * size <= m:
        tries += m - size + 1
        size *= 2
    size, priced, better = 1, 0, False
    while since < tries and priced + m <= limit:
        priced += m - size + (size > 1)
        since += 1
        if _put_best(data, state, a, size):
            better, since = True, 0
        a += 1
        if a + size > m:
            a, size = 0, 2 * size if 4 * size <= m else 1
    if better:
        state.window[2] = 1
        for s in range(m):
            x[state.order[s]] = s
    return priced, since == tries


@kernel
def _put_best(data: OrderData, state: Search, a: int, size: int) -> bool:
    """Put ``size`` neighbours from ``a`` on where that costs least; tell whether it costs less."""
    b, cost = a + size - 1, state.cost[0]
    least, best = cost - ROUNDING * abs(cost), -1
    for target in range(state.order.size - size + 1):
        if size == 1 and target == state.place[a]:
            continue
        cost = _put_run(data, state, a, b, target)
        _undo(state)
        if cost < least:
            least, best = cost, target
    if best >= 0:
        _put_run(data, state, a, b, best)
        _take(data, state)
    return best >= 0

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


class OrderData(NamedTuple):
    """What codes are priced by; layers are counted among those that an order decides."""

    seconds: FloatArray  # (m,)
    benefits: FloatArray  # (m + 1, m + 1), of what is usable from layer i on to before layer j
    constant: float  # s^2


class Search(NamedTuple):
    """The order that a search is at, and the one proposed.

    Two arrays with named rows, for every array of a state costs time in each call and compilation.
    """

    whole: IntArray  # (9, m + 3)
    real: FloatArray  # (4, m + 1)


#: Rows of whole numbers: the layer at each place; of each layer its place and the next ones to the
#: left and right that are sent later (-1 and m: none); the layers of the proposed order at the
#: places that change, and what left and right of them were; 1 for layers that are taken out;
#: first place that changes, end, and whether all keys are places.
ORDER, PLACE, LEFT, RIGHT, OTHER, KEPT_LEFT, KEPT_RIGHT, CHOSEN, WINDOW = range(9)
#: Rows of numbers: the benefit that each layer brings; when the upload at each place begins; what
#: benefits were; the cost of the order and of the proposed one.
GAINS, BEGINS, KEPT_GAINS, COST = range(4)


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
    state = Search(np.zeros((9, m + 3), np.int64), np.zeros((4, m + 1)))
    whole, real = state.whole, state.real
    begins = np.zeros(m + 1, np.int64)  # of the layers of each key
    for i in range(m):
        begins[x[i] + 1] += 1
    for k in range(m):
        begins[k + 1] += begins[k]
    whole[WINDOW, 2] = 1
    for i in range(m):
        s = begins[x[i]]
        begins[x[i]] += 1
        whole[ORDER, s] = whole[OTHER, s] = i
        if x[i] != s:
            whole[WINDOW, 2] = 0
    real[COST, 0] = data.constant
    _try(data, state, 0, m)
    _take(data, state)
    return state


@kernel
def _try(data: OrderData, state: Search, lo: int, hi: int) -> float:
    """Return the cost of the order with row OTHER at the places ``lo`` to ``hi`` - 1.

    The state is that of the new order but for ORDER and BEGINS: :func:`_take` or :func:`_undo`
    must follow.
    """
    whole, real, seconds, benefits = state.whole, state.real, data.seconds, data.benefits
    m, change, time = seconds.size, 0.0, real[BEGINS, lo]
    for s in range(lo, hi):
        change -= real[GAINS, whole[ORDER, s]] * real[BEGINS, s + 1]
        whole[PLACE, whole[OTHER, s]] = s
    for s in range(lo, hi):
        k = whole[OTHER, s]
        whole[KEPT_LEFT, s], whole[KEPT_RIGHT, s] = whole[LEFT, k], whole[RIGHT, k]
        real[KEPT_GAINS, s] = real[GAINS, k]
        i, j = k - 1, k + 1
        # What was sent before k knows a layer beyond itself that is sent later.
        while i >= 0 and whole[PLACE, i] < s:
            i = whole[LEFT, i]
        while j < m and whole[PLACE, j] < s:
            j = whole[RIGHT, j]
        gain = benefits[i + 1, j] - benefits[i + 1, k] - benefits[k + 1, j]
        whole[LEFT, k], whole[RIGHT, k], real[GAINS, k] = i, j, gain
        time += seconds[k]
        change += gain * time
    whole[WINDOW, 0], whole[WINDOW, 1] = lo, hi
    real[COST, 1] = real[COST, 0] + change
    return float(real[COST, 1])


@kernel
def _take(data: OrderData, state: Search) -> None:
    """Make the proposed order the one that the search is at."""
    whole, real, seconds = state.whole, state.real, data.seconds
    lo, hi = whole[WINDOW, 0], whole[WINDOW, 1]
    time = real[BEGINS, lo]
    for s in range(lo, hi):
        whole[ORDER, s] = whole[OTHER, s]
        time += seconds[whole[ORDER, s]]
        real[BEGINS, s + 1] = time
    real[COST, 0] = real[COST, 1]


@kernel
def _undo(state: Search) -> None:
    """Forget the proposed order."""
    whole, real = state.whole, state.real
    for s in range(whole[WINDOW, 0], whole[WINDOW, 1]):
        k = whole[OTHER, s]
        whole[LEFT, k], whole[RIGHT, k] = whole[KEPT_LEFT, s], whole[KEPT_RIGHT, s]
        real[GAINS, k] = real[KEPT_GAINS, s]
        whole[PLACE, whole[ORDER, s]] = s


@kernel
def _put(data: OrderData, state: Search, first: int, last: int, size: int, target: int) -> float:
    """Put the ``size`` chosen layers at the places from ``target`` on; return the cost.

    They stand between the places ``first`` and ``last``; their choice is taken back.
    """
    whole = state.whole
    lo, hi = min(first, target), max(last + 1, target + size)
    s, t = target, lo  # where the next chosen one, the next other one goes
    for p in range(lo, hi):
        k = whole[ORDER, p]
        if whole[CHOSEN, k]:
            whole[CHOSEN, k] = 0
            whole[OTHER, s] = k
            s += 1
        else:
            if t == target:
                t += size
            whole[OTHER, t] = k
            t += 1
    return _try(data, state, lo, hi)


@kernel
def _put_run(data: OrderData, state: Search, a: int, b: int, target: int) -> float:
    """Put the neighbours ``a`` to ``b`` at the places from ``target`` on, in their order."""
    whole = state.whole
    first, last = data.seconds.size, 0
    for k in range(a, b + 1):
        whole[CHOSEN, k] = 1
        first, last = min(first, whole[PLACE, k]), max(last, whole[PLACE, k])
    return _put(data, state, first, last, b - a + 1, target)


@kernel
def _put_following(data: OrderData, state: Search, p: int, size: int, target: int) -> float:
    """Put the ``size`` layers from place ``p`` on at the places from ``target`` on."""
    whole = state.whole
    for s in range(p, p + size):
        whole[CHOSEN, whole[ORDER, s]] = 1
    return _put(data, state, p, p + size - 1, size, target)


# -------------------------------------------------------------------- single keys


@kernel
def _place_of_key(state: Search, x: IntArray, i: int, k: int) -> int:
    """Return the place of layer ``i`` if its key is ``k``; equal keys go by number."""
    whole, m = state.whole, x.size
    p = int(whole[PLACE, i])
    while p + 1 < m:
        j = whole[ORDER, p + 1]
        if x[j] > k or (x[j] == k and j > i):
            break
        p += 1
    while p > 0:
        j = whole[ORDER, p - 1]
        if x[j] < k or (x[j] == k and j < i):
            break
        p -= 1
    return p


@overload(start, OrderData)
def _start(data: OrderData, x: IntArray) -> Search:
    return open_search(data, x)


@overload(price, OrderData)
def _price(data: OrderData, state: Search, x: IntArray, i: int, k: int) -> float:
    p, target = state.whole[PLACE, i], _place_of_key(state, x, i, k)
    if target == p:
        return float(state.real[COST, 0])
    cost = _put_following(data, state, p, 1, target)
    _undo(state)
    return cost


@overload(apply, OrderData)
def _apply(data: OrderData, state: Search, x: IntArray, i: int, k: int) -> None:
    p, target = state.whole[PLACE, i], _place_of_key(state, x, i, k)
    if target != p:
        _put_following(data, state, p, 1, target)
        _take(data, state)
    if x[i] != k:
        state.whole[WINDOW, 2] = 0
    x[i] = k


# -------------------------------------------------------------------- proposals


@overload(settle, OrderData)
def _settle(data: OrderData, state: Search, x: IntArray, taken: bool) -> None:
    if not taken:
        _undo(state)
        return
    _take(data, state)
    whole = state.whole
    if whole[WINDOW, 2]:
        _write_keys(state, x, whole[WINDOW, 0], whole[WINDOW, 1])
    else:
        _write_keys(state, x, 0, x.size)


@kernel
def _write_keys(state: Search, x: IntArray, lo: int, hi: int) -> None:
    """Let the keys of the layers from place ``lo`` to before ``hi`` be their places."""
    whole = state.whole
    whole[WINDOW, 2] = 1
    for s in range(lo, hi):
        x[whole[ORDER, s]] = s


@overload(propose, OrderData)
def _propose(data: OrderData, state: Search, x: IntArray, rng: np.random.Generator) -> float:
    whole, m, u = state.whole, x.size, rng.random()
    p = int(rng.random() * m)
    q = _other_place(m, p, rng)
    size = 1
    if u >= EXCHANGE and m >= 4:
        size = 2 + int((m // 2) ** rng.random() - 1)
    if ONE <= u < EXCHANGE:
        lo, hi = min(p, q), max(p, q) + 1
        for s in range(lo, hi):
            whole[OTHER, s] = whole[ORDER, s]
        whole[OTHER, p], whole[OTHER, q] = whole[ORDER, q], whole[ORDER, p]
        return _try(data, state, lo, hi)
    if u < FOLLOWING:
        return _put_following(data, state, min(p, m - size), size, min(q, m - size))
    a = min(int(rng.random() * m), m - size)
    if rng.random() < 0.5:  # to one of their places
        q = whole[PLACE, a + int(rng.random() * size)]
    return _put_run(data, state, a, a + size - 1, min(q, m - size))


@kernel
def _other_place(m: int, p: int, rng: np.random.Generator) -> int:
    """Return a place other than ``p`` of at least two; how far is spread evenly in logarithms."""
    step = int(m ** rng.random())
    q = p + step if rng.random() < 0.5 else p - step
    if not 0 <= q < m:
        q = 2 * p - q
    return min(m - 1, max(0, q))


# -------------------------------------------------------------------- descent


@overload(descend, OrderData)
def _descend(
    data: OrderData, state: Search, x: IntArray, choices: BoolArray, limit: int
) -> tuple[int, bool]:
    """Put one layer after the other, then runs of 2, 4, 8, ... neighbours to their best places."""
    m, size, tries = x.size, 1, 0
    while 2 * size <= m:
        tries += m - size + 1
        size *= 2
    size, a, since, priced, better = 1, 0, 0, 0, False
    while since < tries and priced + m <= limit:
        priced += m - size + (size > 1)
        since += 1
        if _put_best(data, state, a, size):
            better, since = True, 0
        a += 1
        if a + size > m:
            a, size = 0, 2 * size if 4 * size <= m else 1
    if better:
        _write_keys(state, x, 0, m)
    return priced, since == tries


@kernel
def _put_best(data: OrderData, state: Search, a: int, size: int) -> bool:
    """Put ``size`` neighbours from ``a`` on where that costs least; tell whether it costs less."""
    b, cost, best = a + size - 1, state.real[COST, 0], -1
    least = cost - ROUNDING * abs(cost)
    for target in range(data.seconds.size - size + 1):
        if size == 1 and target == state.whole[PLACE, a]:
            continue
        cost = _put_run(data, state, a, b, target)
        _undo(state)
        if cost < least:
            least, best = cost, target
    if best >= 0:
        _put_run(data, state, a, b, best)
        _take(data, state)
    return best >= 0

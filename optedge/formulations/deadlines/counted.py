r"""The knapsack of one machine by the number of its items, for weights that are nearly equal.

Where a machine takes few tasks of nearly equal times, the fractional bound of ``knapsacks`` is
weak: it packs a share of an item, and the number of items is whole. With the number c fixed,

.. math::

   K_c = \max \Big\{ \sum_i v_i x_i : \sum_i x_i = c, \ \sum_i w_i x_i \le C \Big\}
       \;\le\; \lambda C + \text{the } c \text{ largest } (v_i - \lambda w_i)

for every :math:`\lambda \ge 0`, and K is the largest :math:`K_c`. Few c matter: they end at what
the lightest items allow, and the c most valuable items alone bound what fewer are worth. With the
best :math:`\lambda` the bound is nearly tight. An item on the other side (one of the c largest
left out, another one packed) costs at least what its reduced value :math:`v_i - \lambda w_i` is
from the nearest on that side; the few items that cost no more than what the bound has above the
best set known are settled by dynamic programming over number and weight.

All is whole arithmetic: :math:`\lambda` is a multiple of :math:`2^{-10}`, and any is valid.
"""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import BoolArray, IntArray
from optedge.formulations.deadlines.knapsacks import FIRST_CORE, NOTHING, Rows
from optedge.kernels import kernel

SHIFT = 10  # bits of a reduced value behind the point
WIDER = 3  # a core that was too small grows by
LARGEST = 1 << 61  # that sums of reduced values may reach
NEAR = 5, 4  # weights that far apart, at most: counting is quicker than the core of ``knapsacks``
RELATED = 2, 1  # the same: counting says more of what an item loses


@kernel
def apart(weights: IntArray, ratio: tuple[int, int]) -> bool:
    """Tell whether the heaviest of the weights is more than ``ratio`` of the lightest."""
    lightest, heaviest = weights[0], weights[0]
    for w in weights:
        lightest, heaviest = min(lightest, w), max(heaviest, w)
    return bool(ratio[1] * heaviest > ratio[0] * lightest)


@kernel
def _select(keys: IntArray, order: IntArray, first: int) -> None:
    """Arrange ``order`` so that its ``first`` entries have the largest keys: Hoare's selection."""
    low, high = 0, order.size - 1
    while low < high:
        pivot = keys[order[(low + high) // 2]]
        a, b = low, high
        while a <= b:
            while keys[order[a]] > pivot:
                a += 1
            while keys[order[b]] < pivot:
                b -= 1
            if a <= b:
                order[a], order[b] = order[b], order[a]
                a += 1
                b -= 1
        if first - 1 <= b:
            high = b
        elif first - 1 >= a:
            low = a
        else:
            return


@kernel
def _reduce(
    weights: IntArray, values: IntArray, order: IntArray, c: int, price: int, keys: IntArray
) -> tuple[int, int]:
    """Select the c largest reduced values at a price of weight; return their value and weight."""
    for i in order:
        keys[i] = (values[i] << SHIFT) - price * weights[i]
    _select(keys, order, c)
    value, weight = 0, 0
    for i in order[:c]:
        value += values[i]
        weight += weights[i]
    return value, weight


@kernel
def bound_of_count(
    weights: IntArray,
    values: IntArray,
    capacity: int,
    c: int,
    enough: int,
    order: IntArray,
    keys: IntArray,
) -> tuple[int, int, int]:
    """Bound the value of c items that fit, by the best price of weight.

    Parameters
    ----------
    weights, values
        Of the items, from 1 and from 0; values sum to at most :math:`2^{30}`.
    capacity
        From 0.
    c
        From 1 to the number of items.
    enough
        A bound that is at most this need not be the best.
    order
        Written: first the items that can be among c that fit, the c of the largest keys before
        the others; then the rest.
    keys
        Written: the reduced values of those items, times :math:`2^{10}`.

    Returns
    -------
    tuple
        The bound, times :math:`2^{10}`; how many entries of ``order`` are meant, 0 if no c items
        fit; and the price of weight, times :math:`2^{10}`.
    """
    n = weights.size
    lightest, heaviest = 0, 0
    for i in range(n):
        order[i] = i
        keys[i] = -weights[i]
    _select(keys, order[:n], c)
    below, under, most = 0, 0, 0
    for i in order[:c]:
        lightest += weights[i]
        heaviest = max(heaviest, weights[i])
        below += values[i]
    if lightest > capacity:
        return 0, 0, 0
    under = lightest
    for a in range(n):
        i = order[a]
        if weights[i] <= capacity - (lightest - heaviest):
            order[most], order[a] = i, order[most]
            most += 1
    chosen = order[:most]
    above, over = _reduce(weights, values, chosen, c, 0, keys)
    bound, price, last = above << SHIFT, 0, LARGEST // (n * weights.max())
    # Two sets of c, one too heavy, one that fits: where both are worth the same is the next price.
    while over > capacity and bound >> SHIFT > enough:
        price = min(last, ((above - below) << SHIFT) // (over - under))
        value, weight = _reduce(weights, values, chosen, c, price, keys)
        bound = (value << SHIFT) + price * (capacity - weight)
        if weight <= under or weight >= over:
            break
        if weight > capacity:
            above, over = value, weight
        else:
            below, under = value, weight
    return bound, most, price


@kernel
def _settle(
    weights: IntArray,
    values: IntArray,
    order: IntArray,
    places: IntArray,
    c: int,
    capacity: int,
    known: int,
    packed: BoolArray,
    rows: Rows,
) -> tuple[bool, int]:
    """Return the best value of c if only items at ``places`` of ``order`` may leave their side.

    The first c of ``order`` are in. ``packed`` is written if more than ``known`` is found. False if
    the table does not fit.
    """
    room, base, number = capacity, 0, 0
    for i in order[:c]:
        room -= weights[i]
        base += values[i]
    least, heaviest = weights[order[places[0]]], 0
    for a in places:
        i = order[a]
        least, heaviest = min(least, weights[i]), max(heaviest, weights[i])
        if a < c:
            room += weights[i]
            base -= values[i]
            number += 1
    # With the number given only what weights exceed the least counts.
    room = min(room - number * least, number * (heaviest - least))
    if room < 0:
        return True, -1
    width = room + 1
    cells = (number + 1) * width
    if cells > rows.gain.size or cells * places.size > rows.changed.size:
        return False, 0
    gain = rows.gain.reshape(-1)[:cells]
    for k in range(cells):
        gain[k] = 0 if k < width else NOTHING
    for t in range(places.size):
        i = order[places[t]]
        shift, more = weights[i] - least, np.int32(values[i])
        if shift > room:
            for k in range(t * cells, (t + 1) * cells):
                rows.changed[k] = 0
            continue
        rest = places.size - 1 - t
        for a in range(min(t + 1, number), max(0, number - rest - 1), -1):
            first = a * width
            changed = rows.changed[t * cells + first : t * cells + first + width]
            for k in range(shift):
                changed[k] = 0
            changed = changed[shift:]
            into = gain[first + shift : first + width]
            under = gain[first - width : first - shift]
            for k in range(into.size):
                move, stay = under[k] + more, into[k]
                changed[k] = move > stay
                into[k] = max(move, stay)
    found = base + int(gain[cells - 1])
    if found > known:
        for a in range(packed.size):
            packed[a] = False
        for i in order[:c]:
            packed[i] = True
        for t in range(places.size - 1, -1, -1):
            i = order[places[t]]
            packed[i] = False
            if number > 0 and rows.changed[t * cells + number * width + room]:
                packed[i] = True
                number -= 1
                room -= weights[i] - least
    return True, found


@kernel
def counted_knapsack(
    weights: IntArray,
    values: IntArray,
    capacity: int,
    packed: BoolArray,
    rows: Rows,
) -> int:
    """Pack the most valuable set of items, by their number.

    Parameters
    ----------
    weights, values
        Of the items ``(k,)``: weights from 1 to ``capacity``, values from 0.
    capacity
        At least 0.
    packed
        Written: 1 for the items of the best set found, ``(k,)``.
    rows
        Scratch memory (:func:`knapsacks.make_rows`).

    Returns
    -------
    int
        The value; -1 if a table would not fit the rows, and then ``packed`` is no set.
    """
    n, best = weights.size, 0
    for a in range(n):
        packed[a] = False
    if n == 0:
        return 0
    order, keys, costs, places = rows.core, rows.costs, rows.windows[0, :n], rows.windows[1]
    for c in range(min(n, capacity // weights.min()), 0, -1):
        bound, most, price = bound_of_count(weights, values, capacity, c, best, order, keys)
        width = 0
        while bound >> SHIFT > best:
            slack = bound - ((best + 1) << SHIFT)
            matter = _cost(order[:most], keys, c, slack, costs)
            if width > 0 and matter <= width:
                break
            width = min(most, max(1, matter), max(FIRST_CORE, WIDER * width))
            for a in range(most):
                places[a] = a
            _select(costs, places[:most], width)
            fits, found = _settle(
                weights, values, order, places[:width], c, capacity, best, packed, rows
            )
            if not fits:
                return -1
            best = max(best, found)
        if price == 0 and most == n and bound >> SHIFT <= best:
            return best  # fewer items are worth no more than the c most valuable ones
    return best


@kernel
def _cost(order: IntArray, keys: IntArray, c: int, slack: int, costs: IntArray) -> int:
    """Write minus what each place of ``order`` costs on the other side; return how many matter."""
    least, most, count = keys[order[0]], -(1 << 62), 0
    for i in order[:c]:
        least = min(least, keys[i])
    for i in order[c:]:
        most = max(most, keys[i])
    for a in range(order.size):
        key = keys[order[a]]
        costs[a] = most - key if a < c else key - least
        count += -costs[a] <= slack
    return count


@kernel
def values_forced(
    weights: IntArray,
    values: IntArray,
    capacity: int,
    floor: int,
    order: IntArray,
    keys: IntArray,
    within: IntArray,
    without: IntArray,
) -> None:
    """Bound what the items are worth with one of them forced in, or forced out.

    Parameters
    ----------
    weights, values, capacity
        As for :func:`counted_knapsack`.
    floor
        From 0: what is at most this need not be told apart.
    order, keys
        Scratch ``(k,)``.
    within, without
        Written ``(k,)``: upper bounds with the item in, and out, not below ``floor``.
    """
    n = weights.size
    within[:] = floor << SHIFT
    without[:] = floor << SHIFT
    for c in range(min(n, capacity // weights.min()), 0, -1):
        bound, most, price = bound_of_count(weights, values, capacity, c, floor, order, keys)
        if most > 0 and bound >> SHIFT > floor:
            least, largest = keys[order[0]], -(1 << 62)
            for i in order[:c]:
                least = min(least, keys[i])
            for i in order[c:most]:
                largest = max(largest, keys[i])
            for a in range(n):
                i = order[a]
                if a < most:
                    within[i] = max(within[i], bound - max(0, least - keys[i]))
                if a >= c:
                    without[i] = max(without[i], bound)
                elif most > c:
                    without[i] = max(without[i], bound - (keys[i] - largest))
        if price == 0 and most == n and bound >> SHIFT <= floor:
            break  # so are fewer items
    for i in range(n):
        within[i] >>= SHIFT
        without[i] >>= SHIFT

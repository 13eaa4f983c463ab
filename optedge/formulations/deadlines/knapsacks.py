r"""The knapsack of one machine, exactly, by dynamic programming on a core.

:math:`\max \sum v_i x_i` with :math:`\sum w_i x_i \le c`, x binary, for whole numbers: weights,
values and capacity below :math:`2^{31}`, so that 64 bits hold what follows. With the items in the
order of v/w and b the first that no longer fits (the break item), for every x

.. math::

   w_b \sum_i v_i x_i \;\le\; L - \sum_{i \text{ on the other side}} |d_i|, \qquad
   d_i = v_i w_b - v_b w_i, \quad L = v_b c + \sum_i \max(0, d_i),

where an item is on its own side if it is packed with :math:`d_i > 0` or left with
:math:`d_i < 0`. An item whose cost :math:`|d_i|` exceeds :math:`L - (z + 1) w_b` keeps its side in
everything better than z. The dynamic program runs on the items of least cost (the core), which
grows until no item outside can matter. The order need not be exact: L is a bound for any pair
v_b, w_b.

The program changes sides, the dearest items first: a row holds the gain over the items before b
for each change of their weight. Few dear changes can be paid for, so that the rows are short at
first; and at the end only what still leads to the full capacity is needed. It keeps a byte a cell.
Where a list of the changes that can matter is short (``states``), it takes the place of the rows;
where neither fits, the bound of the formula takes that of the value.

Source: the core is that of Balas and Zemel, Operations Research 28 (1980) 1130-1154.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, IntArray
from optedge.formulations.deadlines.states import States, best_change, make_states
from optedge.kernels import kernel

FIRST_CORE = 16
MOST_BYTES = 1 << 26  # of the rows that tell which items change sides
CELLS_A_STATE = 250  # rows are as quick where lists would need a state for so many of their cells
LIST_STATES = 1 << 15  # of all lists, where rows do not fit
LARGEST = 1 << 30  # of a sum of values in rows, which hold 32 bits
NOTHING = -(1 << 30)  # less than what any change of sides loses


class Rows(NamedTuple):
    """Scratch memory of the knapsacks; nothing in it outlives a call."""

    gain: npt.NDArray[np.int32]  # (2, cells), best gain with at most some change of weight
    changed: npt.NDArray[np.uint8]  # the cells of all rows: whether the row's item changes sides
    items: IntArray  # (n,), as are the following
    weights: IntArray
    values: IntArray
    core: IntArray
    costs: IntArray
    windows: IntArray  # (4, n), least and largest change of weight of each row, and its reach
    packed: BoolArray
    states: States


def make_rows(n_items: int, capacity: int, most_bytes: int = MOST_BYTES) -> Rows:
    """Return scratch memory for knapsacks of up to ``n_items`` items and ``capacity``.

    Rows that would take more than ``most_bytes`` are left out: values are then bounds where the
    core needs more.
    """
    cells = max(1, min(5 * (capacity + 1), most_bytes // 8))
    return Rows(
        gain=np.empty((2, cells), np.int32),
        changed=np.empty(max(1, min(cells * n_items, most_bytes)), np.uint8),
        items=np.empty(n_items, np.int64),
        weights=np.empty(n_items, np.int64),
        values=np.empty(n_items, np.int64),
        core=np.empty(n_items, np.int64),
        costs=np.empty(n_items, np.int64),
        windows=np.empty((4, n_items), np.int64),
        packed=np.empty(n_items, np.bool_),
        states=make_states(most_bytes),
    )


@kernel
def _set(gain: npt.NDArray[np.int32], first: int, end: int, value: int) -> None:
    """Write ``value`` into the cells from ``first`` to before ``end``, which may be none."""
    part = gain[first : max(first, end)]
    for k in range(part.size):
        part[k] = value


@kernel
def _layer(
    gain: npt.NDArray[np.int32],
    after: npt.NDArray[np.int32],
    changed: npt.NDArray[np.uint8],
    first: int,
    shift: int,
    value: int,
) -> None:
    """Let one item change sides, which moves it ``shift`` cells and gains ``value``.

    ``after`` and ``changed`` hold the cells from ``first`` on that are written.
    """
    # Slices of one length, without an index that could be negative: the loop vectorises.
    length = changed.size
    stay = gain[first : first + length]
    move = gain[first + shift : first + shift + length]
    out = after[first : first + length]
    more = np.int32(value)
    for k in range(length):
        m, s = move[k] + more, stay[k]
        changed[k] = m > s
        out[k] = max(m, s)


@kernel
def _fill(
    weights: IntArray, values: IntArray, count: int, capacity: int, packed: BoolArray
) -> tuple[int, int, int, int]:
    """Pack in order what fits; return break item, weight and value before it, value of all."""
    size, gain, b = 0, 0, 0
    while b < count and size + weights[b] <= capacity:
        size += weights[b]
        gain += values[b]
        packed[b] = True
        b += 1
    room, total = capacity - size, gain
    for i in range(b, count):
        packed[i] = False
        if weights[i] <= room:
            packed[i] = True
            room -= weights[i]
            total += values[i]
    return b, size, gain, total


@kernel
def _reach(
    weights: IntArray,
    chosen: IntArray,
    costs: IntArray,
    b: int,
    out: bool,
    slack: int,
    reach: IntArray,
) -> None:
    """Write how much weight the first items can move at a cost of at most ``slack``.

    ``out``: by leaving, else by entering. Costs descend, so that the last ones are paid for first.
    """
    start, count, total, heaviest, weight = 0, 0, 0, 0, 0
    for t in range(chosen.size):
        i = chosen[t]
        if (i < b) == out:
            count += 1
            total += costs[t]
            weight += weights[i]
            heaviest = max(heaviest, weights[i])
            while total > slack:
                if (chosen[start] < b) == out:
                    count -= 1
                    total -= costs[start]
                start += 1
        reach[t] = min(weight, count * heaviest)


@kernel
def _windows(
    weights: IntArray,
    chosen: IntArray,
    costs: IntArray,
    b: int,
    gap: int,
    slack: int,
    windows: IntArray,
) -> tuple[int, int]:
    """Write the change of weight that each row needs: what can be there and lead to ``gap``.

    Returns how many cells these are, and the span of a row.
    """
    low, high, up, down = windows[0], windows[1], windows[2], windows[3]
    k, cells, top, heaviest = chosen.size, 0, 0, 0
    _reach(weights, chosen, costs, b, False, slack, up)
    _reach(weights, chosen, costs, b, True, slack, down)
    enter, leave = 0, 0  # weight of the items still to come
    for t in range(k - 1, -1, -1):
        i = chosen[t]
        high[t] = min(up[t], gap + min(leave, down[k - 1]))
        low[t] = min(high[t], max(-down[t], gap - min(enter, up[k - 1])))
        cells += high[t] - low[t] + 1
        top, heaviest = max(top, high[t]), max(heaviest, weights[i])
        if i < b:
            leave += weights[i]
        else:
            enter += weights[i]
    return cells, down[k - 1] + top + 2 * heaviest + 1


@kernel
def _best_row(
    weights: IntArray,
    values: IntArray,
    chosen: IntArray,
    b: int,
    gap: int,
    known: int,
    packed: BoolArray,
    rows: Rows,
) -> int:
    """Return the best gain over the items before ``b`` if only ``chosen`` ones change sides.

    The dearest come first, and ``rows`` hold their windows and have room for them. Only gains above
    ``known``, which is not negative, are meant; for them ``packed`` is written.
    """
    heaviest = 0
    for i in chosen:
        heaviest = max(heaviest, weights[i])
    lows, highs, k = rows.windows[0], rows.windows[1], chosen.size
    zero = rows.windows[3, k - 1] + heaviest  # the cell of no change
    gain, after = rows.gain[0], rows.gain[1]
    gain[zero] = 0
    low, high, used = 0, 0, 0
    for t in range(k):
        i, first, last = chosen[t], lows[t], highs[t]
        shift, value = (weights[i], -values[i]) if i < b else (-weights[i], values[i])
        # Below the last row there is nothing, above it is as good as at its end.
        _set(gain, zero + min(first, first + shift), zero + low, NOTHING)
        _set(gain, zero + high + 1, zero + max(last, last + shift) + 1, int(gain[zero + high]))
        changed = rows.changed[used : used + last - first + 1]
        _layer(gain, after, changed, zero + first, shift, value)
        gain, after = after, gain
        low, high, used = first, last, used + last - first + 1
    found = int(gain[zero + min(gap, high)])
    if found > known:
        for i in range(packed.size):
            packed[i] = i < b
        left = gap
        for t in range(k - 1, -1, -1):
            i = chosen[t]
            used -= highs[t] - lows[t] + 1
            left = min(left, highs[t])
            if rows.changed[used + left - lows[t]]:
                packed[i] = not packed[i]
                left += weights[i] if i < b else -weights[i]
    return found


@kernel
def sort_places(keys: Any, places: IntArray) -> None:
    """Write the places of ``keys`` in ascending order: Shell's sort, which compiles in no time."""
    gap = 1
    for a in range(keys.size):
        places[a] = a
    while gap < keys.size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for a in range(gap, keys.size):
            place, b = places[a], a
            while b >= gap and keys[places[b - gap]] > keys[place]:
                places[b] = places[b - gap]
                b -= gap
            places[b] = place
        gap //= 3


@kernel
def _core(
    weights: IntArray,
    values: IntArray,
    count: int,
    b: int,
    slack: int,
    core: IntArray,
    core_costs: IntArray,
    scratch: IntArray,
) -> int:
    """List the items that cost at most ``slack``, the cheapest last; return how many there are.

    They and their costs end ``core`` and ``core_costs``.
    """
    vb, wb, k = values[b], weights[b], 0
    items, costs, places = scratch[0], scratch[1], scratch[2]
    for i in range(count):
        d = values[i] * wb - vb * weights[i]
        cost = max(0, d if i < b else -d)
        if cost <= slack:
            items[k], costs[k] = i, cost
            k += 1
    sort_places(costs[:k], places)
    for a in range(k):
        core[core.size - 1 - a] = items[places[a]]
        core_costs[core.size - 1 - a] = costs[places[a]]
    return k


@kernel
def knapsack(
    weights: IntArray,
    values: IntArray,
    count: int,
    capacity: int,
    packed: BoolArray,
    rows: Rows,
) -> tuple[int, int, int, int]:
    """Pack the most valuable set of items.

    Parameters
    ----------
    weights, values
        The first ``count`` entries are the items, about by descending value / weight. Weights are
        from 1 to ``capacity``, values from 0.
    count
        Number of items.
    capacity
        At least 0.
    packed
        Written: True for the items of the best set found, ``(n,)``.
    rows
        Scratch memory (:func:`make_rows`).

    Returns
    -------
    tuple
        The value (an upper bound of it if the rows were too short: then ``packed`` may be worth
        less), the numerator L of the bound, and v_b and w_b; w_b is its denominator.
    """
    b, size, gain, best = _fill(weights, values, count, capacity, packed)
    if b == count:
        return gain, gain, 0, 1
    vb, wb = values[b], weights[b]
    bound, total = vb * capacity, 0
    for i in range(count):
        bound += max(0, values[i] * wb - vb * weights[i])
        total += values[i]
    slack = bound - (best + 1) * wb
    if slack < 0:
        return best, bound, vb, wb
    k = _core(weights, values, count, b, slack, rows.core, rows.costs, rows.windows)
    width, end = 0, rows.core.size
    while True:
        slack = bound - (best + 1) * wb
        matter = width  # items that could still leave their side in something better
        while matter < k and rows.costs[end - 1 - matter] <= slack:
            matter += 1
        if matter == width:
            return best, bound, vb, wb
        wider = FIRST_CORE if width == 0 and matter > 2 * FIRST_CORE else matter
        core, gap, known = rows.core[end - wider :], capacity - size, best - gain
        cells, span = _windows(
            weights, core, rows.costs[end - wider :], b, gap, slack, rows.windows
        )
        dense = total < LARGEST and cells <= rows.changed.size
        dense = dense and span <= rows.gain.shape[1]
        most = cells // CELLS_A_STATE if dense else LIST_STATES
        fits, found = best_change(
            weights, values, core, b, gap, slack, known, most, rows.windows, packed, rows.states
        )
        if not fits and dense:
            fits, found = True, _best_row(weights, values, core, b, gap, known, packed, rows)
        if not fits:
            return max(best, (bound - rows.costs[end - 1 - width]) // wb), bound, vb, wb
        best, width = max(best, gain + found), wider

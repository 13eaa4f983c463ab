r"""Changes of a knapsack's break solution as a list, for weights too fine for rows.

A state is a set of items that changed sides: W more weight and G more value. With v and w of the
break item, :math:`v W - w G` is what it costs of the linear bound (``knapsacks``). One item after
the other may change sides; of two states the heavier must be worth more, and none may cost more
than the bound has above the best solution known, which the states themselves raise. So the length
of the list depends on how many near solutions there are, not on how fine the weights are.

Source: the lists are those of Nemhauser and Ullmann, Management Science 15 (1969) 494-505; that
costs keep them short is from Pisinger, Operations Research 45 (1997) 758-767.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, IntArray
from optedge.kernels import kernel

MOST_STATES = 1 << 16  # of a list


class States(NamedTuple):
    """Scratch memory of two lists of states, and how they came about."""

    lists: IntArray  # (2, 3, states): weight, gain, node
    nodes: npt.NDArray[np.int32]  # (2, nodes): parent and item; node 0 is the break solution


def make_states(most_bytes: int) -> States:
    """Return scratch memory of at most about ``most_bytes``."""
    states = max(1, min(MOST_STATES, most_bytes // 96))
    nodes = max(1, min(32 * states, most_bytes // 16))
    return States(np.empty((2, 3, states), np.int64), np.empty((2, nodes), np.int32))


@kernel
def _merge(
    before: IntArray,
    after: IntArray,
    nodes: npt.NDArray[np.int32],
    count: int,
    used: int,
    item: int,
    shift: int,
    value: int,
    low: int,
    high: int,
    vb: int,
    wb: int,
    slack: int,
) -> tuple[int, int]:
    """Let ``item`` change sides in each of ``count`` states; ``after`` gets the outcome.

    Returns the numbers of states and of nodes used; -1 states if there is no room for them.
    """
    weight, gain, node = before[0], before[1], before[2]
    a, b, size, most = 0, 0, 0, -(1 << 60)
    while a < count or b < count:
        moved = a == count or (b < count and weight[b] + shift < weight[a])
        if moved:
            w, g, origin = weight[b] + shift, gain[b] + value, node[b]
            b += 1
        else:
            w, g, origin = weight[a], gain[a], node[a]
            a += 1
        if g <= most or w > high:
            continue
        # What is lighter than ``low`` can take all that is to come: as good as any other such.
        w = max(w, low)
        if vb * w - wb * g > slack:
            continue
        most = g
        if size == 0 or after[0, size - 1] < w:
            size += 1
        if size > after.shape[1] or used == nodes.shape[1]:
            return -1, used
        if moved:
            nodes[0, used], nodes[1, used] = origin, item
            origin = used
            used += 1
        after[0, size - 1], after[1, size - 1], after[2, size - 1] = w, g, origin
    return size, used


@kernel
def best_change(
    weights: IntArray,
    values: IntArray,
    chosen: IntArray,
    b: int,
    gap: int,
    slack: int,
    known: int,
    most: int,
    windows: IntArray,
    packed: BoolArray,
    states: States,
) -> tuple[bool, int]:
    """Return the best gain over the items before ``b`` if only ``chosen`` ones change sides.

    Parameters
    ----------
    weights, values
        The items; ``b`` is the break item.
    chosen
        Items that may change sides, the dearest first.
    gap
        Weight that the items before ``b`` leave of the capacity.
    slack
        What a change may cost, in units of 1 / w_b, to be better than ``known``.
    known
        A gain, from 0; only better ones are meant, and ``packed`` is written for them.
    most
        States in all after which it gives up.
    windows
        The least and the largest change of weight that matter after each of ``chosen`` ``(2, n)``;
        more rows are not read.
    packed
        Written: the items of the best set.
    states
        Scratch memory.

    Returns
    -------
    tuple
        False if it gave up or the lists do not fit; and the gain, not above ``known`` if none is.
    """
    vb, wb = values[b], weights[b]
    before, after, nodes = states.lists[0], states.lists[1], states.nodes
    before[0, 0] = before[1, 0] = before[2, 0] = 0
    count, used, seen, best = 1, 1, 0, known + 1
    for t in range(chosen.size):
        i, low, high = chosen[t], windows[0, t], windows[1, t]
        shift, value = (-weights[i], -values[i]) if i < b else (weights[i], values[i])
        count, used = _merge(
            before, after, nodes, count, used, i, shift, value, low, high, vb, wb, slack
        )
        seen += count
        if count <= 0 or seen > most:
            return count == 0, 0
        before, after = after, before
        for s in range(count - 1, -1, -1):
            if before[0, s] <= gap:
                if before[1, s] > best:  # what is worth less need not be looked for
                    slack -= wb * (before[1, s] - best)
                    best = before[1, s]
                break
    found = before[1, count - 1]
    if found > known:
        for i in range(weights.size):
            packed[i] = i < b
        node = before[2, count - 1]
        while node > 0:
            packed[nodes[1, node]] = not packed[nodes[1, node]]
            node = nodes[0, node]
    return True, found

"""How two machines share tasks anew: one exact knapsack.

Of tasks that may run on either of two machines, those for the first are chosen so that its load
keeps within a room and the load of the second is least: a knapsack (:mod:`.knapsacks`) with the
times on the first as weights and those on the second as values. All is integer arithmetic.
"""

from __future__ import annotations

from optedge.formulations.base import BoolArray, IntArray
from optedge.formulations.deadlines.knapsacks import Rows, knapsack, sort_places
from optedge.kernels import kernel

RATIO_BITS = 24  # of a value over a weight behind the point


@kernel
def share(weights: IntArray, values: IntArray, room: int, chosen: BoolArray, rows: Rows) -> int:
    """Choose tasks of the most value whose weights keep within ``room``.

    Parameters
    ----------
    weights, values
        Per task ``(q,)``, from 0 each, below :math:`2^{31}`.
    room
        From 0, below :math:`2^{31}`.
    chosen
        The choice is written here ``(q,)``.
    rows
        Scratch memory for at least q items.

    Returns
    -------
    int
        The value of the best choice; an upper bound of it, and not below that of ``chosen``, if
        ``rows`` are too short.
    """
    count, total = 0, 0
    keys, items, places = rows.costs, rows.core, rows.items
    for i in range(weights.size):
        chosen[i] = values[i] > 0 and weights[i] == 0
        if chosen[i]:
            total += values[i]
        elif values[i] > 0 and weights[i] <= room:
            items[count] = i
            keys[count] = -(values[i] << RATIO_BITS) // weights[i]  # need not be exact
            count += 1
    sort_places(keys[:count], places)
    for a in range(count):
        i = items[places[a]]
        places[a] = i
        rows.weights[a], rows.values[a] = weights[i], values[i]
    found, _, _, _ = knapsack(rows.weights, rows.values, count, room, rows.packed, rows)
    for a in range(count):
        chosen[places[a]] = rows.packed[a]
    return total + found

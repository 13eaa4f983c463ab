r"""Which pairs no schedule within a deadline uses: by the room left, and by what they lose.

At whole prices :math:`U_i` let :math:`K_j` be the value of machine j's knapsack and
:math:`f = \sum_j K_j - \sum_i U_i`. A schedule within the deadline packs every task exactly once,
so that its knapsacks are worth :math:`\sum_i U_i` together: nothing may lose more than f. With i
forced out of machine j its knapsack loses at least ``out``, forced in at least ``in``: :math:`K_j`
less the bound of ``knapsacks`` with the cost of i, or the bounds by the number of items of
``counted``, rounded down. A task on machine j is in there
and out of every other, which forbids the pair if
:math:`in_{ij} + \sum_{k \ne j} out_{ik} > f`.
"""

from __future__ import annotations

from optedge.formulations.base import BoolArray, IntArray
from optedge.formulations.deadlines.counted import RELATED, apart, values_forced
from optedge.formulations.deadlines.instance import Tasks
from optedge.formulations.deadlines.knapsacks import Rows
from optedge.kernels import kernel


@kernel
def propagate(
    tasks: Tasks, allowed: BoolArray, deadline: int, room: IntArray, left: IntArray
) -> bool:
    """Forbid the pairs that are longer than what the tasks bound to a machine leave of it.

    Parameters
    ----------
    tasks
        The instance.
    allowed
        Pairs that may be used ``(n, m)``; changed in place.
    deadline
        Units.
    room
        Written: what each machine has left for tasks with a choice, ``(m,)``.
    left
        Written: machines that each task may use, ``(n,)``.

    Returns
    -------
    bool
        False if no schedule is left.
    """
    n, m = allowed.shape
    for i in range(n):
        left[i] = 0
        for j in range(m):
            left[i] += allowed[i, j]
        if left[i] == 0:
            return False
    while True:
        for j in range(m):
            room[j] = deadline - tasks.ready[j]
        for i in range(n):
            if left[i] == 1:
                for j in range(m):
                    if allowed[i, j]:
                        room[j] -= tasks.times[i, j]
        for j in range(m):
            if room[j] < 0:
                return False
        bound_now = False
        for i in range(n):
            if left[i] > 1:
                for j in range(m):
                    if allowed[i, j] and tasks.times[i, j] > room[j]:
                        allowed[i, j] = False
                        left[i] -= 1
                if left[i] == 0:
                    return False
                bound_now |= left[i] == 1
        if not bound_now:
            return True


@kernel
def losses(
    tasks: Tasks,
    allowed: BoolArray,
    left: IntArray,
    prices: IntArray,
    value: IntArray,
    bound: IntArray,
    ratio_value: IntArray,
    ratio_weight: IntArray,
    room: IntArray,
    excess: int,
    inside: IntArray,
    outside: IntArray,
    rows: Rows,
) -> None:
    """Write what a pair loses at least: ``inside[i, j] + outside[i]``.

    Parameters
    ----------
    tasks, allowed, left
        Instance, pairs, and machines that each task may use.
    prices
        Whole prices of the tasks ``(n,)``.
    value, bound, ratio_value, ratio_weight
        What :func:`knapsacks.knapsack` returned for each machine ``(m,)``.
    room
        Capacities of the machines ``(m,)``.
    excess
        What may be lost: by how much more a pair loses need not be told.
    inside, outside
        Written, ``(n, m)`` and ``(n,)``: ``outside`` is the sum over all machines, which
        ``inside`` takes back where the task goes.
    rows
        Scratch memory.
    """
    n, m = allowed.shape
    for i in range(n):
        outside[i] = 0
        for j in range(m):
            inside[i, j] = 0
            if left[i] == 1 or not allowed[i, j]:
                continue
            d = prices[i] * ratio_weight[j] - ratio_value[j] * tasks.times[i, j]
            loss = value[j] - (bound[j] - abs(d)) // ratio_weight[j]
            if loss <= 0:
                continue
            if d > 0:
                inside[i, j] = -loss
                outside[i] += loss
            else:
                inside[i, j] = loss
    for j in range(m):
        floor = max(0, value[j] - excess - 1)
        _lose_by_count(
            tasks, allowed, left, prices, j, value[j], room[j], floor, inside, outside, rows
        )


@kernel
def _lose_by_count(
    tasks: Tasks,
    allowed: BoolArray,
    left: IntArray,
    prices: IntArray,
    j: int,
    value: int,
    room: int,
    floor: int,
    inside: IntArray,
    outside: IntArray,
    rows: Rows,
) -> None:
    """Raise the losses on machine ``j`` to what the number of its tasks says, if times are near."""
    k = 0
    for i in range(prices.size):
        if allowed[i, j] and left[i] > 1 and tasks.times[i, j] > 0:
            rows.items[k], rows.weights[k], rows.values[k] = i, tasks.times[i, j], prices[i]
            k += 1
    weights = rows.weights[:k]
    if k == 0 or apart(weights, RELATED):
        return
    within, without = rows.windows[0, :k], rows.windows[1, :k]
    values_forced(
        weights, rows.values[:k], room, floor, rows.core[:k], rows.costs[:k], within, without
    )
    for a in range(k):
        i = rows.items[a]
        known = inside[i, j]
        lost = max(0, -known, value - without[a])
        inside[i, j] = max(0, known, value - within[a]) - lost
        outside[i] += lost - max(0, -known)


@kernel
def forbid(
    allowed: BoolArray, left: IntArray, excess: int, inside: IntArray, outside: IntArray
) -> int:
    """Forbid the pairs that lose more than ``excess``; return how many, ``left`` is as before."""
    n, m = allowed.shape
    found = 0
    for i in range(n):
        if left[i] > 1:
            for j in range(m):
                if allowed[i, j] and inside[i, j] + outside[i] > excess:
                    allowed[i, j] = False
                    found += 1
    return found

r"""Prices of the tasks, and what they say of a deadline.

For whole prices :math:`U \ge 0` and a deadline T let :math:`K_j` be the largest sum of prices of
tasks that machine j finishes by T. If a schedule within T exists then
:math:`\sum_j K_j \ge \sum_i U_i`; so prices with a smaller sum **refute** T. Otherwise a
subgradient step lowers the prices of tasks that several machines pack and raises those of tasks
that none does, and pairs that would lose too much are forbidden (``fixing``). If every task is
packed at least once, T is **met**: all but one copy are dropped.

Source: section 10 of the makespan specification, steps 1 to 6; the relaxation is that of the
assignment rows, Martello, Soumis and Toth, Discrete Applied Mathematics 75 (1997) 169-188.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines.compiling import copy_line
from optedge.formulations.deadlines.counted import NEAR, apart, counted_knapsack
from optedge.formulations.deadlines.fixing import forbid, losses, propagate
from optedge.formulations.deadlines.instance import Tasks
from optedge.formulations.deadlines.knapsacks import MOST_BYTES, Rows, knapsack, make_rows
from optedge.kernels import kernel

TOTAL = float((1 << 30) - 4096)  # that whole prices sum to at most: values of knapsacks fit 32 bits
REFUTED, OPEN, MET, PAUSED = 0, 1, 2, 3
EVALUATIONS, STAGES, BEST, FAILED, SHRUNK, TAKEN = range(6)  # places in Space.counts
NO_BOUND = 1 << 62  # of a knapsack: no loss follows from it
MOST_STAGES = 512  # prices that forbade pairs, kept for the certificate
NONE = 1 << 62  # more than any excess
LATELY = 0.1  # of a share comes from the last evaluation
PATIENCE = 8  # steps without gain before the step shrinks


class Space(NamedTuple):
    """Scratch memory of an evaluation, and what the last one found."""

    rows: Rows
    order: IntArray  # (m, n), tasks by descending price / time, of the last evaluation
    ratio: FloatArray  # (n,), of the items of a machine
    place: IntArray  # (n,), where they stand in its order
    whole: IntArray  # (n,), whole prices
    packed: BoolArray  # (n, m)
    copies: IntArray  # (n,), machines that pack the task
    shares: FloatArray  # (n, m), how often the machine packed the task lately, 0 to 1
    left: IntArray  # (n,), machines that it may use
    room: IntArray  # (m,), units, without what is bound to the machine
    value: IntArray  # (m,), of the knapsack of the tasks with a choice, as are the next three
    bound: IntArray
    ratio_value: IntArray
    ratio_weight: IntArray
    inside: IntArray  # (n, m), losses at the best prices
    outside: IntArray  # (n,)
    best: FloatArray  # (n,), prices of least excess
    direction: FloatArray  # (n,)
    stages: IntArray  # (MOST_STAGES, n)
    counts: IntArray  # evaluations, stages; of a descent: best excess, failed, shrunk, steps taken


def make_space(
    tasks: Tasks,
    deadline: int = 0,
    most_bytes: int = MOST_BYTES,
    *,
    rows: Rows | None = None,
    stages: int = MOST_STAGES,
) -> Space:
    """Return scratch memory for deadlines up to ``deadline``; ``most_bytes`` for packed rows.

    ``rows`` made for as many tasks, and such a deadline, may be lent; ``stages`` are kept.
    """
    n, m = tasks.times.shape
    return Space(
        rows=make_rows(n, deadline, most_bytes) if rows is None else rows,
        order=np.argsort(tasks.times, axis=0, kind="stable").T.copy(),
        ratio=np.zeros(n),
        place=np.zeros(n, np.int64),
        whole=np.zeros(n, np.int64),
        packed=np.zeros((n, m), np.bool_),
        copies=np.zeros(n, np.int64),
        shares=np.zeros((n, m)),
        left=np.zeros(n, np.int64),
        room=np.zeros(m, np.int64),
        value=np.zeros(m, np.int64),
        bound=np.zeros(m, np.int64),
        ratio_value=np.zeros(m, np.int64),
        ratio_weight=np.ones(m, np.int64),
        inside=np.zeros((n, m), np.int64),
        outside=np.zeros(n, np.int64),
        best=np.zeros(n),
        direction=np.zeros(n),
        stages=np.zeros((stages, n), np.int64),
        counts=np.zeros(6, np.int64),
    )


@kernel
def whole_prices(prices: FloatArray, whole: IntArray) -> None:
    """Scale ``prices`` to the sum TOTAL, in place, and cut them to whole numbers."""
    total = 0.0
    for i in range(prices.size):
        total += prices[i]
    for i in range(prices.size):
        if total > 0:
            prices[i] *= TOTAL / total
        whole[i] = np.int64(prices[i])


@kernel
def _pack(tasks: Tasks, allowed: BoolArray, prices: IntArray, j: int, space: Space) -> int:
    """Solve the knapsack of machine ``j``; return its value, bound tasks and empty ones too."""
    rows, order = space.rows, space.order[j]
    count, given = 0, 0
    for a in range(order.size):
        i = order[a]
        space.packed[i, j] = False
        if not allowed[i, j]:
            continue
        if space.left[i] == 1 or tasks.times[i, j] == 0:
            space.packed[i, j] = True
            space.copies[i] += 1
            given += prices[i]
        elif prices[i] > 0:
            # Items are sorted by price / time; the order of the last evaluation is near to it.
            ratio, c = prices[i] / tasks.times[i, j], count
            while c > 0 and space.ratio[c - 1] < ratio:
                space.ratio[c], rows.items[c] = space.ratio[c - 1], rows.items[c - 1]
                c -= 1
            space.ratio[c], rows.items[c] = ratio, i
            space.place[count] = a
            count += 1
    for a in range(count):
        i = rows.items[a]
        order[space.place[a]] = i
        rows.weights[a] = tasks.times[i, j]
        rows.values[a] = prices[i]
    weights, values, value = rows.weights[:count], rows.values[:count], -1
    if count > 0 and not apart(weights, NEAR):
        value = counted_knapsack(weights, values, space.room[j], rows.packed[:count], rows)
        # What a unit of room is worth on average, for leaps; the bound says nothing of losses.
        space.ratio_value[j], space.ratio_weight[j] = max(0, value), max(1, space.room[j])
        space.bound[j] = NO_BOUND
    if value < 0:
        value, space.bound[j], space.ratio_value[j], space.ratio_weight[j] = knapsack(
            rows.weights, rows.values, count, space.room[j], rows.packed, rows
        )
    space.value[j] = value
    for a in range(count):
        if rows.packed[a]:
            space.packed[rows.items[a], j] = True
            space.copies[rows.items[a]] += 1
    return given + value


@kernel
def evaluate(tasks: Tasks, allowed: BoolArray, prices: IntArray, space: Space) -> int:
    """Return the excess sum K - sum U at whole prices; below zero it refutes the deadline.

    ``space.room`` and ``space.left`` are those of :func:`fixing.propagate`, which also says for
    which deadline. Writes the knapsacks and their packed sets into ``space``.
    """
    space.counts[EVALUATIONS] += 1
    excess = 0
    for i in range(prices.size):
        space.copies[i] = 0
        excess -= prices[i]
    for j in range(allowed.shape[1]):
        excess += _pack(tasks, allowed, prices, j, space)
    return excess


@kernel
def _keep_stage(space: Space) -> None:
    """Keep the whole prices for the certificate; too many are counted and not kept."""
    k = space.counts[STAGES]
    if k < space.stages.shape[0]:
        copy_line(space.whole, space.stages[k])
    space.counts[STAGES] += 1


@kernel
def _fix(tasks: Tasks, allowed: BoolArray, deadline: int, excess: int, space: Space) -> bool:
    """Forbid what the last evaluation forbids; return False if no schedule is left."""
    losses(
        tasks,
        allowed,
        space.left,
        space.whole,
        space.value,
        space.bound,
        space.ratio_value,
        space.ratio_weight,
        space.room,
        excess,
        space.inside,
        space.outside,
        space.rows,
    )
    if forbid(allowed, space.left, excess, space.inside, space.outside) == 0:
        return True
    _keep_stage(space)
    return propagate(tasks, allowed, deadline, space.room, space.left)


@kernel
def take_schedule(allowed: BoolArray, packed: BoolArray, schedule: IntArray) -> bool:
    """Write for each task the last machine that packs it; False if some task is not packed."""
    n, m = packed.shape
    for i in range(n):
        where = -1
        for j in range(m):
            if packed[i, j] and allowed[i, j]:
                where = j
        if where < 0:
            return False
        schedule[i] = where
    return True


@kernel
def _remember(allowed: BoolArray, space: Space) -> None:
    """Let ``space.shares`` follow what is packed: near a primal solution after some steps."""
    for i in range(allowed.shape[0]):
        if space.left[i] > 1:
            for j in range(allowed.shape[1]):
                if allowed[i, j]:
                    space.shares[i, j] += LATELY * (space.packed[i, j] - space.shares[i, j])


@kernel
def _step(prices: FloatArray, excess: int, best: int, theta: float, space: Space) -> bool:
    """Take a subgradient step; False if there is no direction."""
    direction, norm = space.direction, 0.0
    for i in range(prices.size):
        direction[i] = space.copies[i] - 1.0 + 0.3 * direction[i]
        norm += direction[i] * direction[i]
    if norm < 1e-9:
        return False
    length = theta * (excess + 0.02 * best + 1e-6 * TOTAL) / norm
    for i in range(prices.size):
        prices[i] = max(0.0, prices[i] - length * direction[i])
    return True


def descend(
    tasks: Tasks,
    allowed: BoolArray,
    deadline: int,
    prices: FloatArray,
    steps: int,
    theta: float,
    space: Space,
    schedule: IntArray,
) -> tuple[int, int]:
    """Try to refute a deadline by subgradient steps, with pairs forbidden at every best point.

    Parameters
    ----------
    tasks
        The instance.
    allowed
        Pairs left ``(n, m)``; changed in place, as are ``prices``, which end at the best.
    deadline
        Units.
    prices
        Non-negative, of any scale, ``(n,)``.
    steps
        Evaluations at most.
    theta
        Length of the first steps, as a share of what would close the excess.
    space
        Scratch memory made for this deadline or a larger one.
    schedule
        Written if the deadline is met: the machine of each task.

    Returns
    -------
    tuple
        REFUTED, OPEN or MET, and the least excess found.
    """
    if not begin_descent(tasks, allowed, deadline, prices, space):
        return REFUTED, NONE
    return descend_on(tasks, allowed, deadline, prices, steps, steps, theta, space, schedule)


@kernel
def begin_descent(
    tasks: Tasks, allowed: BoolArray, deadline: int, prices: FloatArray, space: Space
) -> bool:
    """Set up a descent in ``space``; return False if no schedule is left."""
    counts = space.counts
    counts[BEST], counts[FAILED], counts[SHRUNK], counts[TAKEN] = NONE, 0, 0, 0
    for i in range(prices.size):
        space.direction[i] = 0.0
        space.best[i] = prices[i]
    return propagate(tasks, allowed, deadline, space.room, space.left)


@kernel
def descend_on(
    tasks: Tasks,
    allowed: BoolArray,
    deadline: int,
    prices: FloatArray,
    steps: int,
    most: int,
    theta: float,
    space: Space,
    schedule: IntArray,
) -> tuple[int, int]:
    """Go on with a descent of ``steps`` evaluations by at most ``most`` of them.

    Parameters and result are those of :func:`descend`, with PAUSED if there is more to do: where a
    descent is paused makes no difference to it. ``prices`` end at the best unless it is paused.
    """
    counts, end = space.counts, space.counts[TAKEN] + most
    while counts[TAKEN] < steps:
        if counts[TAKEN] >= end:
            return PAUSED, counts[BEST]
        whole_prices(prices, space.whole)
        excess = evaluate(tasks, allowed, space.whole, space)
        counts[TAKEN] += 1
        if excess < 0:
            _keep_stage(space)
            return REFUTED, excess
        if take_schedule(allowed, space.packed, schedule):
            return MET, excess
        _remember(allowed, space)
        if excess < counts[BEST]:
            counts[BEST], counts[FAILED] = excess, 0
            copy_line(prices, space.best)
            if not _fix(tasks, allowed, deadline, excess, space):
                return REFUTED, excess
        else:
            counts[FAILED] += 1
            if counts[FAILED] > PATIENCE:
                counts[SHRUNK] += 1
                counts[FAILED] = 0
                copy_line(space.best, prices)
        length = theta * 0.6 ** counts[SHRUNK]
        if counts[TAKEN] == steps or not _step(prices, excess, counts[BEST], length, space):
            break
    copy_line(space.best, prices)
    for i in range(prices.size):
        if space.left[i] > 1:
            return OPEN, counts[BEST]
    take_schedule(allowed, allowed, schedule)  # all bound to machines; propagation saw the loads
    return MET, counts[BEST]

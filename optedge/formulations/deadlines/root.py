r"""The root of a deadline: refute it by prices alone, or say what is left of it.

The first deadline comes from the linear relaxation. Its duals, weights of the machines, are rounded
to whole numbers :math:`Y_j`; then

.. math::

   T_0 = \Big\lceil \Big(\sum_i \min_j Y_j p_{ij} + \sum_j Y_j r_j\Big) \Big/ \sum_j Y_j \Big\rceil

is a proved bound in whole arithmetic. From there upwards each deadline is tried in slices of
subgradient steps; the prices of one start the next, after those that they refute as they are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines.fixing import propagate
from optedge.formulations.deadlines.instance import BIG, Instance, Tasks
from optedge.formulations.deadlines.prices import (
    EVALUATIONS,
    MET,
    MOST_STAGES,
    NONE,
    OPEN,
    PAUSED,
    REFUTED,
    STAGES,
    Space,
    begin_descent,
    descend_on,
    evaluate,
)

SLICE = 40  # evaluations
MOST_SLICES = 20
SHORTER = 0.3  # first steps of a slice after one that gained little
GAIN = 0.03  # two slices in a row that lower the excess by less are the last
MOST_LEAPS = 2  # that fail
WEIGHTS = 1 << 30  # sum of the whole weights from the linear program, about
MOST_PRICES = 1 << 50  # sum of the prices in a line of a certificate


@dataclasses.dataclass(frozen=True, eq=False)
class Root:
    """What the root says of a deadline.

    Parameters
    ----------
    deadline
        Units.
    status
        REFUTED, OPEN or MET of ``prices``.
    excess
        Least excess of the knapsacks over the prices, as a share of all prices.
    prices
        Those of least excess, ``(n,)``: they start the next deadline, or the search.
    allowed
        Pairs left ``(n, m)``: all schedules within the deadline use only them.
    packed
        What the machines packed last, ``(n, m)``; a start for repairs.
    schedule
        The machine of each task if the deadline is met, else None.
    stages
        Whole prices that forbade pairs, the last ones those that refuted; for the certificate.
        None if there were too many to keep.
    evaluations
        Prices that were tried.
    """

    deadline: int
    status: int
    excess: float
    prices: FloatArray
    allowed: BoolArray
    packed: BoolArray
    schedule: IntArray | None
    stages: IntArray | None
    evaluations: int


def first_deadline(instance: Instance, weights: FloatArray) -> tuple[int, FloatArray, IntArray]:
    """Return the least deadline that weights of the machines leave open.

    Parameters
    ----------
    instance
        The instance.
    weights
        Non-negative, of any scale, ``(m,)``: the machines' duals in the linear relaxation.

    Returns
    -------
    tuple
        The deadline in units; prices to start with ``(n,)``; and a line of whole prices (1, n)
        for the certificate, which refutes the deadline before it unless units are very fine.
    """
    tasks = instance.tasks
    weights = np.maximum(weights, 0.0)
    if not weights.sum() > 0:
        weights = np.ones(weights.size)
    whole = np.rint(weights / weights.sum() * WEIGHTS).astype(np.int64)
    times = np.where(tasks.allowed, tasks.times, 0)
    cheapest = np.where(tasks.allowed, times * whole, 1 << 62).min(axis=1)
    total = sum(cheapest.tolist()) + sum((tasks.ready * whole).tolist())
    ends = np.where(tasks.allowed, tasks.times + tasks.ready, BIG).min(axis=1)
    least = max(int(ends.max()), int(tasks.ready.max()))
    first = max(-(-total // int(whole.sum())), least)
    line = cheapest >> max(0, sum(cheapest.tolist()).bit_length() - MOST_PRICES.bit_length() + 1)
    return first, cheapest.astype(np.float64), line[None]


def try_deadline(
    instance: Instance,
    deadline: int,
    prices: FloatArray,
    space: Space,
    *,
    between: Callable[[Root], bool] | None = None,
    most_slices: int = MOST_SLICES,
    budget: Callable[[int], int] | None = None,
) -> Root:
    """Refute or meet a deadline by slices of subgradient steps, or return what is left of it.

    Parameters
    ----------
    instance
        The instance.
    deadline
        Units, below ``instance.longest``.
    prices
        To start with, ``(n,)``; left alone.
    space
        Scratch memory made for this deadline or a larger one.
    between
        Called with what is known after each slice that leaves the deadline open; the root ends if
        it returns True. It may change nothing.
    most_slices
        Slices at most; it ends earlier when two in a row gain under 3 %.
    budget
        Called with the evaluations so far; returns how many may follow until it is called again,
        0 to end here. Where it is called makes no difference to what is found.
    """
    tasks, space.counts[:] = instance.tasks, 0
    allowed = tasks.allowed & (tasks.times + tasks.ready <= deadline)
    prices, schedule = prices.copy(), np.zeros(prices.size, np.int64)
    before, weak = math.inf, 0
    for k in range(most_slices):
        theta = SHORTER**weak
        status, excess = _slice(tasks, allowed, deadline, prices, theta, space, schedule, budget)
        root = _report(deadline, status, excess, prices, allowed, space, schedule)
        if status != OPEN or (between is not None and between(root)):
            break
        weak = weak + 1 if excess > (1 - GAIN) * before else 0
        if k > 2 and weak > 1:
            break
        before = min(before, excess)
    return root


def _slice(
    tasks: Tasks,
    allowed: BoolArray,
    deadline: int,
    prices: FloatArray,
    theta: float,
    space: Space,
    schedule: IntArray,
    budget: Callable[[int], int] | None,
) -> tuple[int, int]:
    """Descend by a slice, piece by piece; PAUSED if the budget ended it."""
    if not begin_descent(tasks, allowed, deadline, prices, space):
        return REFUTED, NONE
    status, excess = PAUSED, NONE
    while status == PAUSED:
        most = SLICE if budget is None else budget(int(space.counts[EVALUATIONS]))
        if most <= 0:
            prices[:] = space.best
            break
        status, excess = descend_on(
            tasks, allowed, deadline, prices, SLICE, most, theta, space, schedule
        )
    return status, excess


def _report(
    deadline: int,
    status: int,
    excess: int,
    prices: FloatArray,
    allowed: BoolArray,
    space: Space,
    schedule: IntArray,
) -> Root:
    evaluations, kept = int(space.counts[EVALUATIONS]), int(space.counts[STAGES])
    total = int(space.whole.sum())
    return Root(
        deadline=deadline,
        status=OPEN if status == PAUSED else status,
        excess=excess / total if total and evaluations else 0.0,
        prices=prices,
        allowed=allowed,
        packed=space.packed,
        schedule=schedule.copy() if status == MET else None,
        stages=space.stages[:kept].copy() if kept <= MOST_STAGES else None,
        evaluations=evaluations,
    )


def leap(instance: Instance, root: Root, space: Space, last: int) -> Root:
    """Return the refutation of the latest deadline found that the prices of ``root`` refute too.

    What the knapsacks are short of, over what a unit of room is worth to them, says how far the
    same prices may reach; one evaluation at that deadline says whether they do. No pair needs to be
    forbidden, so that the prices are the whole proof.
    """
    tasks, whole, tries = instance.tasks, space.whole.copy(), 0
    total = int(whole.sum())
    short = -root.excess * total
    while True:
        step = int(short / max(1e-9, float((space.ratio_value / space.ratio_weight).sum())))
        step = min(step >> tries, last - root.deadline)
        if step < 1 or tries == MOST_LEAPS:
            return dataclasses.replace(root, evaluations=int(space.counts[EVALUATIONS]))
        deadline = root.deadline + step
        allowed = tasks.allowed & (tasks.times + tasks.ready <= deadline)
        fits = propagate(tasks, allowed, deadline, space.room, space.left)
        excess = evaluate(tasks, allowed, whole, space) if fits else -1
        if excess >= 0:
            tries += 1
            continue
        short = -excess
        root = dataclasses.replace(
            root,
            deadline=deadline,
            excess=excess / total,
            allowed=allowed,
            stages=whole[None],
        )

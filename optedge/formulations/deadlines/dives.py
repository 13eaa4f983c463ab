"""Dives for a deadline: many tasks at once are bound to machines, until few are left to search.

A dive begins with the pairs that the root left. After a few subgradient steps it binds some of the
tasks that the knapsacks pack exactly once: those whose second-best machine loses most. When 2 to
20 % of the tasks have a choice left, the rest is searched depth first. How many tasks are bound at
a time, where that ends and how much chance there is are drawn anew for each dive. A dive finds
schedules; that it finds none proves nothing.

Source: section 10 of the makespan specification, step 7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines.compiling import copy_line, copy_pairs
from optedge.formulations.deadlines.instance import BIG, Tasks
from optedge.formulations.deadlines.knapsacks import sort_places
from optedge.formulations.deadlines.prices import (
    EVALUATIONS,
    MET,
    OPEN,
    REFUTED,
    Space,
    begin_descent,
    descend_on,
)
from optedge.formulations.deadlines.tree import SEEN, Tree, exhausted, make_tree, plant, search
from optedge.kernels import kernel

BATCH_STEPS, BATCH_THETA = 6, 0.6
NODE_STEPS = 8
MOST_NODES = 300
NODE_NOISE = 0.2
FEW, SHARE, CHANCE, BELOW = 0, 1, 2, 3  # places in Dive.numbers


class Dive(NamedTuple):
    """Where a dive is."""

    allowed: BoolArray  # (n, m)
    prices: FloatArray  # (n,)
    tree: Tree  # of the tasks that are left at the end
    numbers: FloatArray  # open tasks that end the batches, share bound, noise, 1 once in the tree


def make_dive(tasks: Tasks) -> Dive:
    """Return a dive that has not begun."""
    n, m = tasks.times.shape
    tree = make_tree(tasks, MOST_NODES)
    return Dive(np.zeros((n, m), np.bool_), np.zeros(n), tree, np.zeros(4))


@kernel
def begin(dive: Dive, allowed: BoolArray, prices: FloatArray, rng: np.random.Generator) -> None:
    """Begin a dive at the pairs ``(n, m)`` and prices ``(n,)`` of a root; draw its numbers."""
    copy_pairs(allowed, dive.allowed)
    copy_line(prices, dive.prices)
    dive.numbers[FEW] = rng.uniform(0.02, 0.2) * prices.size
    dive.numbers[SHARE] = rng.uniform(0.03, 0.2)
    dive.numbers[CHANCE] = rng.uniform(0.05, 0.5)
    dive.numbers[BELOW] = 0.0


@kernel
def _two_least(losses: IntArray, allowed: BoolArray) -> tuple[int, int, int]:
    """Return the machine of least loss among those allowed, its loss, and the second least."""
    where, least, second = -1, BIG, BIG
    for j in range(allowed.size):
        if allowed[j]:
            if losses[j] < least:
                where, least, second = j, losses[j], least
            elif losses[j] < second:
                second = losses[j]
    return where, least, second


@kernel
def bind_batch(
    allowed: BoolArray,
    excess: int,
    share: float,
    chance: float,
    space: Space,
    rng: np.random.Generator,
) -> None:
    """Bind the ``share`` of the open tasks whose best machine is clearest; ``allowed`` changes.

    Tasks that some other number of knapsacks than one pack wait, unless all are such.
    """
    n = allowed.shape[0]
    best = np.full(n, -1)
    clear, other = np.full(n, -np.inf), np.full(n, -np.inf)
    open_tasks, sure = 0, 0
    for i in range(n):
        if space.left[i] < 2:
            continue
        open_tasks += 1
        best[i], least, second = _two_least(space.inside[i], allowed[i])
        score = (min(second, 2 * excess) - least) / (excess + 1.0) + chance * rng.random()
        other[i] = score
        if space.copies[i] == 1 and space.packed[i, best[i]]:
            clear[i] = score
            sure += 1
    if sure == 0:
        clear, sure = other, open_tasks
    order = np.empty(n, np.int64)
    sort_places(clear, order)
    for a in range(max(1, min(sure, int(share * open_tasks)))):
        i = order[n - 1 - a]
        for j in range(allowed.shape[1]):
            allowed[i, j] = j == best[i]


@kernel
def bind_batches(
    tasks: Tasks,
    deadline: int,
    dive: Dive,
    evaluations: int,
    space: Space,
    schedule: IntArray,
    rng: np.random.Generator,
) -> int:
    """Bind batches until few tasks are left, which ``dive.numbers`` then says.

    Parameters and result are those of :func:`dive_on`.
    """
    first, numbers = space.counts[EVALUATIONS], dive.numbers
    while space.counts[EVALUATIONS] - first < evaluations:
        if not begin_descent(tasks, dive.allowed, deadline, dive.prices, space):
            return REFUTED
        status, excess = descend_on(
            tasks,
            dive.allowed,
            deadline,
            dive.prices,
            BATCH_STEPS,
            BATCH_STEPS,
            BATCH_THETA,
            space,
            schedule,
        )
        if status != OPEN:
            return status
        open_tasks = 0
        for i in range(space.left.size):
            open_tasks += space.left[i] > 1
        if open_tasks <= numbers[FEW]:
            numbers[BELOW] = 1.0
            return OPEN
        bind_batch(dive.allowed, excess, numbers[SHARE], numbers[CHANCE], space, rng)
    return OPEN


def dive_on(
    tasks: Tasks,
    deadline: int,
    dive: Dive,
    evaluations: int,
    space: Space,
    schedule: IntArray,
    rng: np.random.Generator,
) -> int:
    """Go on with a dive until it ends or its budget does.

    Parameters
    ----------
    tasks
        The instance.
    deadline
        Units.
    dive
        What :func:`begin` began; changed in place.
    evaluations
        Prices to be tried in this call; the steps that reach it are finished.
    space
        Scratch memory made for this deadline or a larger one.
    schedule
        Written if the deadline is met: the machine of each task.
    rng
        Source of the noise.

    Returns
    -------
    int
        MET, OPEN if the budget ended, or REFUTED: the dive is over, which proves nothing.
    """
    first = int(space.counts[EVALUATIONS])
    if dive.numbers[BELOW] == 0.0:
        status = bind_batches(tasks, deadline, dive, evaluations, space, schedule, rng)
        if dive.numbers[BELOW] == 0.0:
            return status
        plant(dive.tree, dive.allowed, dive.prices)
    rest = evaluations - (int(space.counts[EVALUATIONS]) - first)
    status = search(
        tasks,
        deadline,
        dive.tree,
        NODE_STEPS,
        NODE_NOISE,
        rest,
        MOST_NODES,
        space,
        schedule,
        rng,
    )
    if status == OPEN and dive.tree.state[SEEN] < MOST_NODES and not exhausted(dive.tree):
        return OPEN
    return MET if status == MET else REFUTED


@kernel
def repaired(
    tasks: Tasks, allowed: BoolArray, packed: BoolArray, rng: np.random.Generator
) -> IntArray:
    """Return a schedule near what the machines packed.

    One copy of each task is kept, at random; a task that nothing packs goes where the load stays
    least, on pairs of ``allowed`` ``(n, m)``, of which each task must have one.
    """
    n, m = packed.shape
    machine, loads = np.full(n, -1), tasks.ready.copy()
    for i in range(n):
        copies = 0
        for j in range(m):
            if packed[i, j] and allowed[i, j]:
                copies += 1
                if rng.random() * copies < 1:
                    machine[i] = j
        if copies > 0:
            loads[machine[i]] += tasks.times[i, machine[i]]
    for i in range(n):
        if machine[i] < 0:
            least = BIG << 10
            for j in range(m):
                if allowed[i, j] and loads[j] + tasks.times[i, j] < least:
                    least, machine[i] = loads[j] + tasks.times[i, j], j
            loads[machine[i]] += tasks.times[i, machine[i]]
    return machine

r"""Groups of machines share their tasks anew by prices: a large neighbourhood below a deadline.

Of a schedule some machines run past the deadline T: they are *late*. A late machine and a few
others, with all their tasks, are a small instance of the same problem. Whether it can meet T is
asked by prices (:mod:`.prices`), which refute most groups at once, and by dives (:mod:`.dives`).
What meets T replaces that part of the schedule, and one machine less is late.

With whole prices U of the tasks, let

.. math:: loss_j = K_j - \sum_{i \text{ on } j} U_i

be what machine j could do by T less what it does. In a schedule within T the losses are at least 0
and sum to the excess :math:`\sum_j K_j - \sum_i U_i`, which good prices make small: a machine that
loses much has tasks that do not suit it. So machines are drawn by their losses. At times a group
without late machines shares its tasks: the dives end elsewhere than before, which moves the
schedule along a plateau.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines import dives
from optedge.formulations.deadlines.fixing import propagate
from optedge.formulations.deadlines.improving import loads_of
from optedge.formulations.deadlines.instance import Tasks
from optedge.formulations.deadlines.knapsacks import Rows, sort_places
from optedge.formulations.deadlines.prices import (
    MET,
    OPEN,
    Space,
    descend,
    evaluate,
    make_space,
    whole_prices,
)
from optedge.kernels import kernel

LEAST, MOST = 3, 9  # machines of a group, if there are so many
LOOK, STEPS, THETA = 10, 20, 1.0  # evaluations of a group before dives: at first, and then
DIVES = 120  # evaluations of a group in all, about
LATE = 0.85  # of the groups have a late machine
EVEN = 0.2  # of the mean loss, given to all machines
# What surrounds a group takes as long as a share of an evaluation, and that of pairs of task and
# machine.
SET_UP, AROUND = 0.35, 700
MOST_PARTS = 100  # sizes of groups whose scratch memory is kept
FORGET = 0.5  # what sizes of groups have gained counts so much less for the next deadline


class Part(NamedTuple):
    """Scratch memory of the groups of some size: n tasks on k machines."""

    times: IntArray  # (n, k), and so on: what `tasks` shows, writable
    allowed: BoolArray
    ready: IntArray
    tasks: Tasks
    left: BoolArray  # pairs that prices have not forbidden
    prices: FloatArray
    schedule: IntArray
    space: Space
    dive: dives.Dive


class Groups:
    """A schedule, and groups of its machines that share their tasks for a deadline.

    Parameters
    ----------
    tasks
        The instance.
    rows
        Scratch memory for the knapsacks of all tasks and the largest deadline.
    rng
        Source of the groups and the dives.

    Attributes
    ----------
    machine
        The schedule ``(n,)``.
    deadline
        What is aimed at.
    aims
        How often :meth:`aim` was called: who shares the groups with others sees that they were.
    spent
        Evaluations of the whole instance that would have taken about as long.
    """

    def __init__(self, tasks: Tasks, rows: Rows, rng: np.random.Generator) -> None:
        n, m = tasks.times.shape
        self._tasks, self._rows, self._rng = tasks, rows, rng
        self._parts: dict[tuple[int, int], Part] = {}
        self._group, self._mine = np.zeros(m, np.int64), np.zeros(n, np.int64)
        self._worth, self._allowed = np.zeros(m, np.int64), tasks.allowed.copy()
        self._prices, self._whole = np.ones(n), np.ones(n, np.int64)
        self._sizes = range(min(LEAST, m), min(MOST, m) + 1)
        self._cost, self._gain = np.zeros(len(self._sizes)), np.ones(len(self._sizes))
        self.machine, self._loads = np.zeros(n, np.int64), tasks.ready.copy()
        self.deadline, self.aims, self.spent = 0, 0, 0.0

    def aim(self, machine: IntArray, deadline: int, prices: FloatArray, space: Space) -> None:
        """Begin with a schedule and a deadline.

        Parameters
        ----------
        machine
            The schedule ``(n,)``; it is left alone.
        deadline
            Units.
        prices
            Those of the root of this deadline, or of one near it, ``(n,)``.
        space
            Scratch memory for all tasks and this deadline; one evaluation is made in it.
        """
        tasks = self._tasks
        self.aims += 1
        self.deadline, self.machine, self._prices = deadline, machine.copy(), prices.copy()
        self._allowed = tasks.allowed & (tasks.times + tasks.ready <= deadline)
        self._loads = loads_of(tasks, machine)
        whole_prices(self._prices, space.whole)
        self._whole = space.whole.copy()
        if propagate(tasks, self._allowed, deadline, space.room, space.left):
            evaluate(tasks, self._allowed, space.whole, space)
            self._worth = space.whole @ space.packed
            self.spent += 1
        self._cost *= FORGET
        self._gain = 1 + FORGET * (self._gain - 1)

    @property
    def met(self) -> bool:
        """Whether the schedule is within the deadline."""
        return bool(self._loads.max() <= self.deadline)

    def go_on(self, evaluations: float) -> bool:
        """Let groups share until the deadline is met or the budget is spent; tell whether it is."""
        end = self.spent + evaluations
        while self.spent < end and not self.met:
            size, before = int(np.argmin(self._cost / self._gain)), self._late()
            cost = self._share(self._sizes[size])
            self._gain[size] += self._late() < before
            self._cost[size] += cost
            self.spent += cost
        return self.met

    def _late(self) -> int:
        return int(np.count_nonzero(self._loads > self.deadline))

    def _share(self, k: int) -> float:
        """Let ``k`` machines share their tasks anew; return what it cost, in evaluations."""
        count = draw_group(
            self.machine,
            self._loads,
            self.deadline,
            self._worth,
            self._whole,
            k,
            self._group,
            self._mine,
            self._rng,
        )
        group, mine, all_pairs = self._group[:k], self._mine[:count], self._tasks.times.size
        if count == 0:
            return SET_UP + AROUND / all_pairs
        part = self._part(count, k)
        if not cut_out(self._tasks, self._allowed, self._prices, group, mine, part):
            return SET_UP + AROUND / all_pairs
        if self._settle(part) == MET:
            self.machine[mine] = group[part.schedule]
            self._loads = loads_of(self._tasks, self.machine)
        return SET_UP + (AROUND + count * k * int(part.space.counts[0])) / all_pairs

    def _settle(self, part: Part) -> int:
        """Ask prices, then dives, whether the group can meet the deadline."""
        space, tasks, deadline = part.space, part.tasks, self.deadline
        space.counts[:] = 0
        status = OPEN
        for steps in (LOOK, STEPS):
            if status == OPEN:
                status, _ = descend(
                    tasks, part.left, deadline, part.prices, steps, THETA, space, part.schedule
                )
        while status == OPEN and space.counts[0] < DIVES:
            dives.begin(part.dive, part.left, part.prices, self._rng)
            left = DIVES - int(space.counts[0])
            found = dives.dive_on(tasks, deadline, part.dive, left, space, part.schedule, self._rng)
            if found == MET:
                return MET
        return int(status)

    def _part(self, count: int, k: int) -> Part:
        """Return scratch memory for so many tasks and machines."""
        part = self._parts.get((count, k))
        if part is None:
            times, allowed = np.ones((count, k), np.int64), np.ones((count, k), np.bool_)
            ready = np.zeros(k, np.int64)
            tasks = Tasks(times.view(), allowed.view(), ready.view())
            for array in tasks:
                array.setflags(write=False)
            if len(self._parts) == MOST_PARTS:
                self._parts.clear()
            part = self._parts[count, k] = Part(
                times=times,
                allowed=allowed,
                ready=ready,
                tasks=tasks,
                left=allowed.copy(),
                prices=np.ones(count),
                schedule=np.zeros(count, np.int64),
                space=make_space(tasks, rows=self._rows, stages=0),
                dive=dives.make_dive(tasks),
            )
        return part


@kernel
def draw_group(
    machine: IntArray,
    loads: IntArray,
    deadline: int,
    worth: IntArray,
    prices: IntArray,
    k: int,
    group: IntArray,
    mine: IntArray,
    rng: np.random.Generator,
) -> int:
    """Draw ``k`` machines by their losses into ``group``; return the number of their tasks.

    The tasks are written into ``mine``. One machine is a late one, with probability LATE.
    """
    m = loads.size
    loss, late, first = worth.astype(np.float64), 0, int(rng.random() * m)
    for i in range(machine.size):
        loss[machine[i]] -= prices[i]
    anywhere = rng.random() >= LATE
    for j in range(m):
        if loads[j] > deadline:
            late += 1
            loss[j] = 0.0
            if not anywhere and rng.random() * late < 1:
                first = j
        loss[j] = max(loss[j], 0.0)
    even = EVEN * loss.mean() + 1e-9
    keys = np.empty(m)
    for j in range(m):
        keys[j] = -np.log(1.0 - rng.random()) / (loss[j] + even)
    keys[first] = -1.0
    order = np.empty(m, np.int64)
    sort_places(keys, order)
    chosen = np.zeros(m, np.bool_)
    for b in range(k):
        chosen[order[b]] = True
    place = 0
    for j in range(m):
        if chosen[j]:
            group[place] = j
            place += 1
    count = 0
    for i in range(machine.size):
        if chosen[machine[i]]:
            mine[count] = i
            count += 1
    return count


@kernel
def cut_out(
    tasks: Tasks,
    allowed: BoolArray,
    prices: FloatArray,
    group: IntArray,
    mine: IntArray,
    part: Part,
) -> bool:
    """Write the instance of some machines and tasks; False if a task may use none of them."""
    for b in range(group.size):
        part.ready[b] = tasks.ready[group[b]]
    for a in range(mine.size):
        i, some = mine[a], False
        part.prices[a] = prices[i]
        for b in range(group.size):
            part.times[a, b] = tasks.times[i, group[b]]
            part.allowed[a, b] = part.left[a, b] = allowed[i, group[b]]
            some |= part.allowed[a, b]
        if not some:
            return False
    return True

"""What a root leaves open: the tasks that still have a choice, as an instance of their own.

Tasks with one machine left are bound to it: they become part of its ready time. What is searched
below a root is smaller by them, often by half.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines.instance import Tasks
from optedge.formulations.deadlines.knapsacks import Rows
from optedge.formulations.deadlines.prices import Space, make_space


@dataclasses.dataclass(frozen=True, eq=False)
class Rest:
    """The k open tasks of n.

    Parameters
    ----------
    tasks
        They, and the machines with what is bound to them as ready time.
    kept
        Which tasks they are ``(k,)``.
    bound
        The one machine of each other task ``(n,)``; any number for open ones.
    prices
        Of the open tasks ``(k,)``.
    space
        Scratch memory for them.
    schedule
        To be written: the machine of each open task ``(k,)``.
    """

    tasks: Tasks
    kept: IntArray
    bound: IntArray
    prices: FloatArray
    space: Space
    schedule: IntArray

    def whole(self) -> IntArray:
        """Return the schedule of all tasks ``(n,)``."""
        machine = self.bound.copy()
        machine[self.kept] = self.schedule
        return machine

    def packed(self, allowed: BoolArray) -> BoolArray:
        """Return what machines packed last ``(n, m)``; bound tasks count as packed."""
        packed = allowed.copy()
        packed[self.kept] = self.space.packed
        return packed


def make_rest(tasks: Tasks, allowed: BoolArray, prices: FloatArray, rows: Rows) -> Rest:
    """Return the open tasks among all ``tasks``.

    Parameters
    ----------
    tasks
        The instance.
    allowed
        Pairs left ``(n, m)``: at least one for each task.
    prices
        Of all tasks ``(n,)``.
    rows
        Scratch memory for the knapsacks of all tasks.
    """
    choices = allowed.sum(axis=1)
    kept, given = np.flatnonzero(choices > 1), np.flatnonzero(choices == 1)
    bound = allowed.argmax(axis=1)
    ready = tasks.ready.copy()
    np.add.at(ready, bound[given], tasks.times[given, bound[given]])
    rest = Tasks(tasks.times[kept], allowed[kept], ready)
    for array in rest:
        array.setflags(write=False)  # the same types as in an instance: kernels serve both
    return Rest(
        tasks=rest,
        kept=kept,
        bound=bound,
        prices=prices[kept],
        space=make_space(rest, rows=rows, stages=0),
        schedule=np.zeros(kept.size, np.int64),
    )

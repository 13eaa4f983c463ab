r"""Schedules brought down to a deadline T: two machines at a time share all their tasks anew.

The state is a schedule, its *excess* :math:`\sum_j \max(0, L_j - T)` what falls. A step takes two
machines, one of them mostly above T, and gives the first the tasks that leave the second the least
load while the first keeps within T (:mod:`.sharing`, exactly). It is kept if the excess does not
grow, else with the probability of annealing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, IntArray
from optedge.formulations.deadlines.compiling import copy_line
from optedge.formulations.deadlines.knapsacks import LARGEST, Rows, make_rows
from optedge.formulations.deadlines.sharing import share
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.deadlines.instance import Tasks

FINE = 1024  # values are times this, and random digits below it: ties fall at random
DIGITS = 8
MOST_UNITS = 1 << 29  # of a time or a deadline, so that
MOST_VALUES = 1 << 33  # summed over the tasks, times one of them, fit 64 bits
MOST_BYTES = 1 << 24  # of the rows of a knapsack; few where units are so fine that lists serve
FINE_UNITS, FINE_BYTES = 1 << 19, 1 << 21


class Improved(NamedTuple):
    """What a search for a deadline ends with."""

    machine: IntArray  # (n,), the schedule of least makespan that was seen
    makespan: int
    steps: int  # pairs of machines that shared their tasks


def improve(
    tasks: Tasks,
    allowed: BoolArray,
    machine: IntArray,
    deadline: int,
    rng: np.random.Generator,
    *,
    steps: int,
    heat: float = 0.002,
    focus: float = 0.7,
) -> Improved:
    """Bring a schedule down to ``deadline``, or as near to it as ``steps`` pairs of machines get.

    Parameters
    ----------
    tasks
        The instance.
    allowed
        The pairs that may be used ``(n, m)``, a part of ``tasks.allowed``.
    machine
        The schedule to begin with ``(n,)``, on allowed pairs; it is left alone.
    deadline
        Where the search stops; the ready loads count.
    rng
        Source of the pairs.
    steps
        Pairs of machines that are tried at most.
    heat
        Temperature at the start, as a share of the deadline; it falls to 0 linearly.
    focus
        Probability that one of the two machines is one above the deadline.

    Returns
    -------
    Improved
        Its makespan is never above that of ``machine``.
    """
    found, allowed = machine.copy(), allowed.copy()  # one type for numba, read-only or not
    loads = loads_of(tasks, found)
    most = np.where(allowed, tasks.times, 0).max(axis=1)
    room = max(deadline - int(tasks.ready.min()), 0)
    if max(int(most.max()), room) >= MOST_UNITS or tasks.ready.size == 1:
        return Improved(found, int(loads.max()), 0)
    rows = make_rows(found.size, room, MOST_BYTES if room < FINE_UNITS else FINE_BYTES)
    total = int(most.sum())
    fine = FINE if total * FINE + found.size * DIGITS < LARGEST else 1
    coarse = max(1, total // MOST_VALUES)
    best = found.copy()
    value, done = share_in_pairs(
        tasks,
        allowed,
        found,
        loads,
        best,
        deadline,
        steps,
        heat * deadline,
        focus,
        fine,
        coarse,
        rows,
        rng,
    )
    return Improved(best, int(value), int(done))


def loads_of(tasks: Tasks, machine: IntArray) -> IntArray:
    """Return when each machine is done ``(m,)``, its ready load included."""
    loads = tasks.ready.copy()
    np.add.at(loads, machine, tasks.times[np.arange(machine.size), machine])
    return loads


@kernel
def share_in_pairs(
    tasks: Tasks,
    allowed: BoolArray,
    machine: IntArray,
    loads: IntArray,
    best: IntArray,
    deadline: int,
    steps: int,
    heat: float,
    focus: float,
    fine: int,
    coarse: int,
    rows: Rows,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Take pairs of machines until none is above the deadline; see :func:`improve`.

    ``machine`` and ``loads`` move, ``best`` holds the least makespan seen. Returns that makespan
    and the number of pairs taken.
    """
    value = loads.max()
    items = np.empty(machine.size, np.int64)
    for step in range(steps):
        k, j = _two_machines(loads, deadline, focus, rng)
        if k < 0:
            return value, step
        count, room, fixed = _movable(tasks, allowed, machine, k, j, deadline, items)
        if room < 0 or count == 0:
            continue
        moved = items[:count]
        load_j, load_k, chosen = _shared(
            tasks, moved, k, j, room, fixed, deadline, fine, coarse, rows, rng
        )
        growth = max(0, load_k - deadline) + max(0, load_j - deadline)
        growth -= max(0, loads[k] - deadline) + max(0, loads[j] - deadline)
        cool = heat * (1 - step / steps)
        if growth > 0 and not (cool > 0 and rng.random() < np.exp(-growth / cool)):
            continue
        for t in range(count):
            machine[moved[t]] = j if chosen[t] else k
        loads[k], loads[j] = load_k, load_j
        if loads.max() < value:
            value = loads.max()
            copy_line(machine, best)
    return value, steps


@kernel
def _two_machines(
    loads: IntArray, deadline: int, focus: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Draw two machines in random order, the one above the deadline with probability ``focus``.

    Returns -1 twice if no machine is above it.
    """
    m = loads.size
    above, k = 0, -1
    for s in range(m):
        if loads[s] > deadline:
            above += 1
            if rng.random() * above < 1:
                k = s
    if above == 0:
        return -1, -1
    if rng.random() >= focus:
        k = int(rng.random() * m)
    j = int(rng.random() * (m - 1))
    if j >= k:
        j += 1
    if rng.random() < 0.5:
        return j, k
    return k, j


@kernel
def _movable(
    tasks: Tasks,
    allowed: BoolArray,
    machine: IntArray,
    k: int,
    j: int,
    deadline: int,
    items: IntArray,
) -> tuple[int, int, int]:
    """List the tasks of machines ``k`` and ``j`` that may run on both.

    Returns their number, the room on ``j`` beside its own others, and the load of ``k`` by its own.
    """
    count, room, fixed = 0, deadline - tasks.ready[j], tasks.ready[k]
    for i in range(machine.size):
        if machine[i] == j:
            if allowed[i, k]:
                items[count] = i
                count += 1
            else:
                room -= tasks.times[i, j]
        elif machine[i] == k:
            if allowed[i, j]:
                items[count] = i
                count += 1
            else:
                fixed += tasks.times[i, k]
    return count, room, fixed


@kernel
def _shared(
    tasks: Tasks,
    moved: IntArray,
    k: int,
    j: int,
    room: int,
    fixed: int,
    deadline: int,
    fine: int,
    coarse: int,
    rows: Rows,
    rng: np.random.Generator,
) -> tuple[int, int, BoolArray]:
    """Return the loads of ``j`` and ``k`` and which tasks go to ``j``: the least load for ``k``."""
    weights, values = np.empty(moved.size, np.int64), np.empty(moved.size, np.int64)
    chosen = np.empty(moved.size, np.bool_)
    for t in range(moved.size):
        weights[t] = tasks.times[moved[t], j]
        values[t] = tasks.times[moved[t], k] * fine // coarse
        if fine > 1:
            values[t] += int(rng.random() * DIGITS)
    share(weights, values, room, chosen, rows)
    load_j, load_k = deadline - room, fixed
    for t in range(moved.size):
        if chosen[t]:
            load_j += weights[t]
        else:
            load_k += tasks.times[moved[t], k]
    return load_j, load_k, chosen

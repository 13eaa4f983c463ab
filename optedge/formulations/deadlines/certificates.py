r"""Certificates that a deadline is refuted, valued with plain knapsacks in NumPy.

A certificate of kind ``"prices"`` holds a ``unit`` of time (1,), a ``deadline`` T in units (1,) and
lines of whole ``prices`` (k, n). Times and ready times are rounded down to the unit anew. The
pairs that end by T are there at first; each line then forbids what ``fixing`` says it forbids, by
its own knapsacks on the pairs that are left. If some line has :math:`\sum_j K_j < \sum_i U_i`, or a
task has no machine left, or what is bound to a machine overruns T, then no schedule takes at most T
units, and every schedule takes at least :math:`(T + 1) u` seconds. Most deadlines need one line.

Nothing here is shared with the kernels that found the prices: the knapsacks are the textbook's
table over all items and capacities, or, where that table would not fit, the fractional bound. What
a knapsack loses with an item forced in or out follows first from the fractional bound. Where this
does not suffice, a second pass takes the exact values of all these knapsacks, which forbid all that
any bound of them does: a table of the items before i and one of those after it give the best sum
with i and without it. Where these tables would not fit, the bound stays.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, Certificate, IntArray
from optedge.formulations.deadlines.instance import Instance, Tasks, seconds_of, whole_tasks

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem

KIND = "prices"
MOST_CELLS = 1 << 20  # of a table; above, the fractional bound takes its place
MOST_KEPT = 1 << 25  # of all tables of a knapsack that the exact pass keeps
TABLES = 5  # whose making takes as long as the exact pass of a knapsack, about
MOST_TOTAL = 2**50  # of a line of prices: no sum over the machines overflows 64 bits
MOST_UNITS = 2**40  # of a deadline
MOST_WORK = 2**37  # cells of the tables of an exact pass, which is then given up
SHORT = 2000  # cells of a row that take as long as to begin with it
WIDER = 4  # times as many lines are tried where fewer do not prove it


def prices_certificate(
    problem: MakespanProblem,
    instance: Instance,
    deadline: int,
    stages: IntArray,
    most_cells: float = math.inf,
) -> Certificate | None:
    """Return the certificate of a refuted deadline, with as few lines as prove it.

    Parameters
    ----------
    problem, instance
        The problem and its whole units.
    deadline
        Units, refuted by the last line.
    stages
        Lines of whole prices ``(k, n)`` in the order in which they forbade pairs.
    most_cells
        Of all tables that are made to value lines; what would take more is not tried.

    Returns
    -------
    Certificate or None
        Valued by :func:`certify`; None if the lines do not prove it.
    """
    left = most_cells
    for lines, exact in _attempts(len(stages)):
        arrays = {
            "unit": np.array([instance.unit]),
            "deadline": np.array([float(deadline)]),
            "prices": stages[max(0, len(stages) - lines) :].astype(np.float64),
        }
        bare = Certificate(KIND, 0.0, arrays)
        value, cells = _value(problem, bare, exact, min(left, MOST_WORK) if exact else left)
        left -= cells
        if value > 0:
            return dataclasses.replace(bare, value=value)
    return None


def _attempts(most: int) -> Iterator[tuple[int, bool]]:
    """Yield how many lines to try, and whether exactly: few first, exact ones one step behind."""
    lines, last = 1, 0
    while last == 0 or last < most:
        yield lines, False
        if last:
            yield last, True
        last, lines = lines, WIDER * lines
    yield last, True


def certify(problem: MakespanProblem, certificate: Certificate) -> float:
    """Return the bound in seconds that a certificate of kind ``"prices"`` proves; 0 if none.

    Memory rows are ignored, which only makes schedules easier to find.

    Raises
    ------
    ValueError
        If an array is missing, of the wrong shape, or does not hold numbers that make sense.
    """
    value, _ = _value(problem, certificate, False, math.inf)
    return value or _value(problem, certificate, True, MOST_WORK)[0]


def _value(
    problem: MakespanProblem, certificate: Certificate, exact: bool, most_cells: float
) -> tuple[float, float]:
    """Return the bound that is proved, 0 if none, and how many cells of tables it took."""
    unit, deadline, stages = _read(certificate, problem.n_tasks)
    ends = problem.ready + problem.times
    allowed = problem.eligible & (ends <= 2 * seconds_of(deadline + 1, unit))
    if problem.ready.max() > 2 * seconds_of(deadline + 1, unit):
        return seconds_of(deadline + 1, unit), 0.0
    tasks = whole_tasks(problem.times, allowed, problem.ready, unit)
    proved, cells = refutes(tasks, deadline, stages, exact, most_cells)
    return seconds_of(deadline + 1, unit) if proved else 0.0, cells


def _read(certificate: Certificate, n_tasks: int) -> tuple[float, int, IntArray]:
    """Return unit, deadline and lines of prices, checked."""
    for name in ("unit", "deadline", "prices"):
        if name not in certificate.arrays:
            raise ValueError(f"certificate {certificate.kind!r} lacks the array {name!r}.")
    unit, deadline, prices = (certificate.arrays[k] for k in ("unit", "deadline", "prices"))
    if unit.shape != (1,) or not (math.isfinite(unit[0]) and unit[0] > 0):
        raise ValueError("certificate array 'unit' must hold one positive number of seconds.")
    whole = deadline.shape == (1,) and 0 <= deadline[0] <= MOST_UNITS
    if not whole or deadline[0] != np.floor(deadline[0]):
        raise ValueError("certificate array 'deadline' must hold one whole number of units.")
    if prices.ndim != 2 or prices.shape[1] != n_tasks:
        got = prices.shape
        raise ValueError(f"certificate array 'prices' must have shape (k, {n_tasks}), got {got}.")
    right = np.isfinite(prices).all() and (prices >= 0).all() and (prices == np.floor(prices)).all()
    if not right or (prices.size and prices.sum(axis=1).max() > MOST_TOTAL):
        raise ValueError(
            "certificate array 'prices' must hold whole numbers from 0, each line at most 2^50."
        )
    return float(unit[0]), int(deadline[0]), prices.astype(np.int64)


def refutes(
    tasks: Tasks, deadline: int, stages: IntArray, exact: bool, most_cells: float
) -> tuple[bool, float]:
    """Tell whether the lines of prices prove that no schedule takes at most ``deadline`` units.

    ``exact``: by the exact values of the knapsacks with an item forced in or out. Gives up before
    tables of more than ``most_cells`` cells are made; returns how many were, too, about.
    """
    allowed = tasks.allowed & (tasks.ready + tasks.times <= deadline)
    cells = 0.0
    for prices in stages:
        if not _propagated(tasks, allowed, deadline):
            return True, cells
        items = allowed.sum(axis=0)
        room = np.minimum(_room(tasks, allowed, deadline), MOST_CELLS) + SHORT
        line = float((TABLES if exact else 1) * (items * room).sum())
        if cells + line > most_cells:
            return False, cells
        cells += line
        if _forbid(tasks, allowed, deadline, prices, exact):
            return True, cells
    return not _propagated(tasks, allowed, deadline), cells


def _room(tasks: Tasks, allowed: BoolArray, deadline: int) -> IntArray:
    """Return what the tasks with one machine leave of each machine, units."""
    bound = np.flatnonzero(allowed.sum(axis=1) == 1)
    where = allowed[bound].argmax(axis=1)
    room = deadline - tasks.ready
    np.subtract.at(room, where, tasks.times[bound, where])
    return np.asarray(room)


def _propagated(tasks: Tasks, allowed: BoolArray, deadline: int) -> bool:
    """Forbid the pairs longer than the room left; return False if no schedule is left."""
    while True:
        room = _room(tasks, allowed, deadline)
        if (room < 0).any():
            return False
        choice = allowed.sum(axis=1) > 1
        long = allowed & choice[:, None] & (tasks.times > room)
        allowed &= ~long
        if not allowed.any(axis=1).all():
            return False
        if not long.any():
            return True


def _forbid(tasks: Tasks, allowed: BoolArray, deadline: int, prices: IntArray, exact: bool) -> bool:
    """Forbid the pairs that lose more than the excess; return True if it is below zero."""
    n, m = allowed.shape
    room = _room(tasks, allowed, deadline)
    choice = allowed.sum(axis=1) > 1
    excess = -int(prices[choice].sum())
    inside, outside = np.zeros((n, m), np.int64), np.zeros(n, np.int64)
    for j in range(m):
        items = np.flatnonzero(allowed[:, j] & choice)
        values, weights = prices[items], tasks.times[items, j]
        worth = _knapsack(values, weights, int(room[j]))
        excess += worth
        fits = (items.size + 1) * (int(room[j]) + 1) <= MOST_KEPT
        find = _exact_losses if exact and fits else _least_losses
        out, within = find(values, weights, int(room[j]), worth)
        outside[items] += out
        inside[items, j] = within - out
    if excess < 0:
        return True
    allowed &= ~(choice[:, None] & (inside + outside[:, None] > excess))
    return False


def _knapsack(values: IntArray, weights: IntArray, capacity: int) -> int:
    """Return the largest value of items that fit; an upper bound if the table would not fit."""
    capacity = min(capacity, int(weights.sum()))
    if capacity >= MOST_CELLS:
        total, _, wb = _fractional(values, weights, capacity)
        return total // wb
    fits = weights <= capacity
    table, spare = _empty(values, capacity), _empty(values, capacity)
    for value, weight in zip(values[fits].tolist(), weights[fits].tolist(), strict=True):
        _add(table, value, weight, spare)
    return int(table[capacity])


def _empty(values: IntArray, capacity: int) -> npt.NDArray[Any]:
    """Return the table of no items; 32 bits a cell where the sum of the values fits them."""
    return np.zeros(capacity + 1, np.int32 if int(values.sum()) < 2**31 else np.int64)


def _fractional(values: IntArray, weights: IntArray, capacity: int) -> tuple[int, int, int]:
    """Return the fractional bound, times its denominator, and value and weight of the break item.

    In Python's whole numbers, which do not overflow.
    """
    ratio = values / np.maximum(weights, 0.5)
    order = np.argsort(-ratio, kind="stable")
    b = int(np.searchsorted(np.cumsum(weights[order]), capacity, side="right"))
    if b == order.size:
        return int(values.sum()), 0, 1
    vb, wb = int(values[order[b]]), int(weights[order[b]])
    gains = (values.astype(object) * wb - vb * weights.astype(object)).tolist()
    return vb * capacity + sum(max(0, d) for d in gains), vb, wb


def _least_losses(
    values: IntArray, weights: IntArray, capacity: int, worth: int
) -> tuple[IntArray, IntArray]:
    """Return what a knapsack of value ``worth`` loses at least with an item out, and with it in."""
    total, vb, wb = _fractional(values, weights, capacity)
    gains = values.astype(object) * wb - vb * weights.astype(object)
    lost = [max(0, worth - (total - abs(d)) // wb) for d in gains]
    loss, positive = np.array(lost, dtype=np.int64), np.array(gains > 0, dtype=bool)
    return np.where(positive, loss, 0), np.where(positive, 0, loss)


def _exact_losses(
    values: IntArray, weights: IntArray, capacity: int, worth: int
) -> tuple[IntArray, IntArray]:
    """Return exactly what a knapsack of value ``worth`` loses with an item out, and with it in.

    No item is heavier than the capacity. The best with item i in is the best sum of the table of
    the items before it and that of the items after it, over all ways to part what i leaves.
    """
    k = values.size
    after, spare = _empty(values, capacity), _empty(values, capacity)
    before = np.empty((k + 1, after.size), after.dtype)
    before[0] = 0
    for i in range(k):
        before[i + 1] = before[i]
        _add(before[i + 1], int(values[i]), int(weights[i]), spare)
    out, within = np.zeros(k, np.int64), np.zeros(k, np.int64)
    for i in reversed(range(k)):
        left = after.size - int(weights[i])
        np.add(before[i, :left], after[:left][::-1], out=spare[:left])
        best = int(spare[:left].max()) + int(values[i])
        within[i] = worth - best
        if best == worth:  # else the best of all is without it
            np.add(before[i], after[::-1], out=spare)
            out[i] = worth - int(spare.max())
        _add(after, int(values[i]), int(weights[i]), spare)
    return out, within


def _add(table: npt.NDArray[Any], value: int, weight: int, spare: npt.NDArray[Any]) -> None:
    """Take one more item into the table; it is no heavier than the last capacity."""
    rest = table.size - weight
    np.add(table[:rest], value, out=spare[:rest])
    np.maximum(table[weight:], spare[:rest], out=table[weight:])

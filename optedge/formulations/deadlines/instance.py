r"""Whole numbers of a makespan problem, in which deadlines are refuted without any tolerance.

Times and ready times become multiples of a unit. If all data that matter are multiples of one unit
that is not too small, nothing is lost (whole numbers, fractions such as 0.25); else they are
rounded **down**. In both cases a schedule of C seconds takes at most :math:`\lfloor C / u \rfloor`
units of u seconds, so that a refuted deadline of T units proves :math:`C \ge (T + 1) u`. Where data
were rounded, a schedule that meets T units may take up to ``tolerance`` seconds more: schedules are
valued in the given data, and the bound stays at most that far below what whole units would prove.
A unit may be coarse at first: deadlines are few then, and finer ones follow (:func:`instances`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.makespan_moves import longest_first_makespan

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem

BIG = 1 << 40  # the time of a pair that is not allowed
MOST_UNITS = 1 << 18  # of a makespan, where the data are taken as they are at once
COARSE_UNITS = 1 << 16  # about so many else, at first
FINEST_UNITS = 1 << 28  # at most, for knapsacks that count in 64 bits
FINER = 1 << 6  # a unit over the next


class Tasks(NamedTuple):
    """What kernels read of an instance."""

    times: IntArray  # (n, m), units; BIG where the pair is not allowed
    allowed: BoolArray  # (n, m)
    ready: IntArray  # (m,), units: the load that each machine has already


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    """A makespan problem in whole units.

    Parameters
    ----------
    tasks
        Times, pairs allowed and ready times; read-only arrays.
    unit
        Seconds of a unit.
    exact
        Whether the data are multiples of the unit; rounded down otherwise.
    longest
        A makespan, in units, that the list rule reaches. Pairs that alone overrun it are not
        allowed: only deadlines below it are to be refuted.
    """

    tasks: Tasks
    unit: float
    exact: bool
    longest: int

    @property
    def tolerance(self) -> float:
        """Seconds by which a schedule may exceed its makespan in units; 0 if nothing is rounded."""
        return 0.0 if self.exact else (self.tasks.times.shape[0] + 2) * self.unit

    def bound(self, deadline: int) -> float:
        """Return the seconds that every schedule takes if none meets ``deadline`` (units)."""
        return seconds_of(deadline + 1, self.unit)

    def makespan(self, machine: IntArray) -> int:
        """Return the makespan of a schedule ``(n,)`` in units."""
        tasks = self.tasks
        loads = tasks.ready.copy()
        np.add.at(loads, machine, tasks.times[np.arange(machine.size), machine])
        return int(loads.max())


def declined(problem: MakespanProblem) -> str | None:
    """Return a sentence if deadlines of ``problem`` are not taken along, else None."""
    if problem.memory is not None:
        return "memory rows are not part of the deadline problem; use 'highs'."
    return None


def make_instance(problem: MakespanProblem) -> Instance:
    """Return ``problem`` in the first of its units (:func:`instances`)."""
    return next(instances(problem))


def instances(problem: MakespanProblem) -> Iterator[Instance]:
    """Yield ``problem`` in whole units, finer and finer, the last exact where that is possible.

    Raises
    ------
    ValueError
        If the problem has memory rows.
    """
    if (sentence := declined(problem)) is not None:
        raise ValueError(sentence)
    known = longest_first_makespan(problem)
    allowed = problem.eligible & (problem.ready + problem.times <= known)
    matter = np.concatenate([problem.times[allowed], problem.ready])
    common = common_unit(matter)
    units = math.inf if common is None else known / common
    for most in _grades(units):
        exact = most == units
        unit = common if common and exact else math.ldexp(1.0, math.frexp(known / most)[1])
        tasks = whole_tasks(problem.times, allowed, problem.ready, unit)
        yield Instance(tasks, unit, exact, int(known // unit))


def _grades(units: float) -> Iterator[float]:
    """Yield how many units a makespan of ``units`` common ones has, coarse ones first."""
    most = float(COARSE_UNITS)
    if units > MOST_UNITS:
        while most < units and most <= FINEST_UNITS:
            yield most
            most *= FINER
    if units <= FINEST_UNITS:
        yield units


def whole_tasks(times: FloatArray, allowed: BoolArray, ready: FloatArray, unit: float) -> Tasks:
    """Return times and ready times in units, rounded down.

    NumPy's floor division takes the exact remainder first, so that no quotient is rounded up.
    """
    whole = np.full(times.shape, BIG, np.int64)
    whole[allowed] = np.floor_divide(times[allowed], unit).astype(np.int64)
    tasks = Tasks(whole, allowed.copy(), np.floor_divide(ready, unit).astype(np.int64))
    for array in tasks:
        array.setflags(write=False)
    return tasks


def common_unit(values: FloatArray) -> float | None:
    """Return the largest number of which all ``values`` are whole multiples.

    None if their ratios to it do not fit 53 bits; 1 if all are zero.
    """
    values = np.unique(values[values > 0])
    if values.size == 0:
        return 1.0
    mantissas, exponents = np.frexp(values)
    digits = np.ldexp(mantissas, 53).astype(np.int64)
    last = exponents - 53 + np.log2(digits & -digits).astype(np.int64)  # place of the lowest bit
    if int(exponents.max()) - int(last.min()) > 53:
        return None
    whole = np.ldexp(values, -int(last.min())).astype(np.int64)
    return math.ldexp(float(np.gcd.reduce(whole)), int(last.min()))


def seconds_of(units: int, unit: float) -> float:
    """Return ``units * unit``, rounded down if it is no floating-point number."""
    exact = units * Fraction(unit)
    value = float(exact)
    return value if Fraction(value) <= exact else math.nextafter(value, -math.inf)

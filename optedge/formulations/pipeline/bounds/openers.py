r"""Openers of windows: what service in order of admission and held devices cost together.

Let h be a latency and S the cuts with :math:`l_i \ge h`, O the others that send. The first task of
S *opens* a window :math:`[A, A + h)`, the first one at or after its end the next. Until the opener
is done nobody admitted after it is, so that a window has at most C admissions, its own included,
of whatever cuts. Between windows, in a *gap*, there are tasks of O only, and what is admitted there
was either begun in the gap (:math:`y^1`), or is the first of its device in it (:math:`y^2`): with
``hold`` a device starts when the task before has been admitted.

On the grid (``grid``), with :math:`o_b` openers in :math:`(t_{b-1}, t_b]`, m in all,
:math:`O(b)` those up to b (all other capital letters likewise), :math:`q = \lfloor h/\delta\rfloor
\ge 2` and :math:`f = \lceil h / \delta \rceil`:

.. math::

   &O(b + q - 1) - O(b - 1) \le 1, \qquad
     o_b \le \textstyle\sum_S n_{ib} \le C (O(b) - O(b - f - 1)), \qquad
     y^1_{ib} + y^2_{ib} \le n_{ib} \ (i \in O), \\
   &\textstyle\sum_{i \ne N} N_i(b) - \sum_O Y^1_i(b) + Y^2_i(b) \le C\, O(b), \quad
     \text{from b on:} \ \ldots \le C (O(K) - O(b - f - 1)), \\
   &\textstyle\sum_O Y^2_i(b) \le E\, O(b - q), \qquad
     \sum_O y^2_{ib} \le E (1 - O(b - 1) + O(b - q)).

An opener in bucket p covers the buckets :math:`p + 1, \ldots, p + q - 1`: the rows of held devices
hold for :math:`y^1` alone with what a window of time has left of :math:`E w \delta`. In all, with
:math:`x_i = N_i(K)`, the first opener at :math:`t^1`, :math:`y^0` tasks of O before it, and v those
beyond C in a window with its gap, each of which delays the next opener by its work in the cloud,

.. math::

   t^1 + m h + \textstyle\sum c_i v_i \le T, \quad
   \sum_{i \ne N} x_i - \sum_O y^0_i \le C m + \sum v_i, \quad
   \sum_O a_i y^0_i \le E (t^1 - r), \quad y^0, v \le x .

Only m is whole: a program for each range of it. Source: own.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.pipeline import windows
from optedge.formulations.pipeline.bounds.grid import Grid, increments, lagged, overlap
from optedge.formulations.pipeline.bounds.programs import NONE, steps, steps_over

if TYPE_CHECKING:
    from optedge.bridge import Arrays
    from optedge.formulations.pipeline.problem import PipelineProblem

GAP_LENGTHS = (
    1,
    2,
    4,
    8,
    16,
    32,
)  # steps of the windows of the rows of devices held in gaps, and all
FEWEST = 2  # steps of a window of an opener


class Number(NamedTuple):
    """The columns of the number of openers, and what it can be."""

    column: int
    opened: IntArray  # (K + 1,), openers up to each point of the grid
    missing: int  # openers that the rows lack, so that every number has a solution
    most: int
    price: float  # of a missing one

    def within(self, arrays: Arrays, span: tuple[float, float]) -> Arrays:
        """Return the program with a number in the range."""
        lower, upper, cost = arrays.lower.copy(), arrays.upper.copy(), arrays.cost.copy()
        lower[self.column], upper[self.column] = span
        cost[self.missing] = self.price
        return dataclasses.replace(arrays, lower=lower, upper=upper, cost=cost)


def why_not(problem: PipelineProblem, threshold: float, end: float, step: float) -> str | None:
    """Return a sentence if windows of a length say nothing of an instance."""
    if problem.goal != "makespan":
        return "openers bound the makespan only."
    if not (problem.hold and windows.in_order(problem)):
        return "openers need devices that hold and a cloud that serves in order of admission."
    if not problem.capacity < problem.n_tasks:
        return "openers need fewer slots than tasks."
    if not (threshold > 0 and steps(Fraction(threshold), step) >= FEWEST):
        return f"a window of {threshold:g} s is shorter than {FEWEST} steps of {step:g} s."
    if not end - problem.release.min() > threshold:
        return f"a window of {threshold:g} s does not fit before {end:g} s."
    return None


def add(problem: PipelineProblem, grid: Grid, threshold: float) -> Number:
    """Add the rows of openers to those of a grid.

    Parameters
    ----------
    problem, grid
        An instance for which :func:`why_not` has nothing to say, and its grid.
    threshold
        The latency h in seconds.
    """
    rows, cuts = grid.program.rows, grid.cuts
    h = Fraction(threshold)
    room = float(grid.times[-1]) - float(problem.release.min()) / grid.unit + grid.error
    most = math.floor(room * grid.unit / threshold * (1 + 1e-9))
    long = np.array([i for i in grid.sent.tolist() if cuts.alone[i] >= h], dtype=np.int64)
    short = np.array([i for i in grid.sent.tolist() if cuts.alone[i] < h], dtype=np.int64)
    opened = grid.program.columns(grid.last + 1, 0.0, most)
    columns = grid.program.columns(2, 0.0, most)
    number = Number(int(columns[0]), opened, int(columns[1]), most, 2.0 * problem.n_tasks)
    rows([(opened[-1:], 1.0), (columns[1:], 1.0), (columns[:1], -1.0)], lower=0.0, upper=0.0)
    _windows(problem, grid, opened, long, steps(h, grid.step), steps_over(h, grid.step))
    gaps = _gaps(problem, grid, opened, short, steps(h, grid.step), steps_over(h, grid.step))
    _held_in_gaps(problem, grid, opened, gaps, short, steps(h, grid.step))
    _spacing(problem, grid, number, short, threshold / grid.unit)
    return number


def _before(columns: IntArray) -> IntArray:
    return lagged(columns, 1)


def _windows(
    problem: PipelineProblem, grid: Grid, opened: IntArray, long: IntArray, q: int, f: int
) -> None:
    """Keep openers apart, and every task of S in a window."""
    rows, n = grid.program.rows, problem.capacity
    rows([(opened, 1.0), (_before(opened), -1.0)], lower=0.0)
    rows([(opened, 1.0), (lagged(opened, q), -1.0)], upper=1.0)
    admitted = grid.admitted[long]
    grown = [(admitted.T, 1.0), (_before(admitted).T, -1.0)]
    rows([*grown, (opened, -n), (lagged(opened, f + 1), n)], upper=0.0)
    rows([*grown, (opened, -1.0), (_before(opened), 1.0)], lower=0.0)


def _gaps(
    problem: PipelineProblem, grid: Grid, opened: IntArray, short: IntArray, q: int, f: int
) -> tuple[IntArray, IntArray]:
    """Add the counts of tasks in gaps, begun there or not, (cuts of O, K + 1) each."""
    rows, slots, devices = grid.program.rows, problem.capacity, _devices(problem)
    shape = (short.size, grid.last + 1)
    begun, carried = (grid.program.columns(shape, 0.0, 2.0 * problem.n_tasks) for _ in range(2))
    for k, i in enumerate(short.tolist()):
        for line in (begun[k], carried[k]):
            rows([(line, 1.0), (_before(line), -1.0)], lower=0.0)
        terms = [
            (line, sign)
            for counts, side in ((begun[k], 1.0), (carried[k], 1.0), (grid.admitted[i], -1.0))
            for line, sign in ((counts, side), (_before(counts), -side))
        ]
        rows(terms, upper=0.0)
    sent, outside = grid.admitted[grid.sent], np.concatenate([begun, carried])
    rows([(sent.T, 1.0), (outside.T, -1.0), (opened, -slots)], upper=0.0)
    later = [(_before(sent).T, -1.0), (_before(outside).T, 1.0), (lagged(opened, f + 1), slots)]
    for columns, sign in ((sent, 1.0), (outside, -1.0), (opened[None], -slots)):
        later.append((np.broadcast_to(columns[:, -1:], columns.shape).T, sign))
    rows(later, upper=0.0)
    rows([(carried.T, 1.0), (lagged(opened, q), -devices)], upper=0.0)
    covered = [(_before(opened), devices), (lagged(opened, q), -devices)]
    rows([(carried.T, 1.0), (_before(carried).T, -1.0), *covered], upper=devices)
    return begun, carried


def _held_in_gaps(
    problem: PipelineProblem,
    grid: Grid,
    opened: IntArray,
    gaps: tuple[IntArray, IntArray],
    short: IntArray,
    q: int,
) -> None:
    """Let what is begun in gaps keep devices in the part of a window that is not covered."""
    devices, step, begun = _devices(problem), grid.step / grid.unit, gaps[0]
    for length in (*GAP_LENGTHS, grid.last):
        starts = np.arange(0, grid.last - length + 1, max(1, length // 3))
        if not starts.size:
            continue
        terms: list[tuple[IntArray, FloatArray]] = []
        for k, i in enumerate(short.tolist()):
            terms += increments(grid, begun[k], overlap(grid, i, length), starts)
        buckets = starts[:, None] + np.arange(1, length + 1)
        for lag, sign in ((1, 1.0), (q, -1.0)):
            index = np.where(buckets >= lag, opened[np.maximum(buckets - lag, 0)], NONE)
            terms.append((index, np.full(index.shape, sign * devices * step)))
        limit = devices * length * step * (1 + 1e-12)
        grid.program.rows(terms, upper=limit)


def _spacing(
    problem: PipelineProblem, grid: Grid, number: Number, short: IntArray, h: float
) -> None:
    """All windows, and what is beyond C in them, fit before the end."""
    rows, cuts, devices = grid.program.rows, grid.cuts, _devices(problem)
    sent, end = grid.sent, float(grid.times[-1])
    r = float(problem.release.min()) / grid.unit
    first = grid.program.columns(1, min(r, end), end + grid.error)
    before = grid.program.columns(short.size, 0.0, 2.0 * problem.n_tasks)
    beyond = grid.program.columns(sent.size, 0.0, 2.0 * problem.n_tasks)
    all_sent = grid.admitted[sent, -1]
    rows([(before, 1.0), (grid.admitted[short, -1], -1.0)], upper=0.0)
    rows([(beyond, 1.0), (all_sent, -1.0)], upper=0.0)
    device = cuts.device[short] / grid.unit
    slack = devices * 4 * grid.error
    rows([(before[None], device), (first, -devices)], upper=slack - devices * r)
    m = np.array([number.column])
    rows(
        [(all_sent[None], 1.0), (before[None], -1.0), (m, -problem.capacity), (beyond[None], -1.0)],
        upper=0.0,
    )
    cloud = cuts.cloud[sent] / grid.unit
    length = h * (1 - 1e-12)
    rows([(first, 1.0), (m, length), (beyond[None], cloud)], upper=end + 4 * grid.error)


def _devices(problem: PipelineProblem) -> float:
    return float(np.count_nonzero(np.diff(problem.first)))

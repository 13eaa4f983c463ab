r"""What every plan that ends by a time T obeys on a grid of times: a linear program of counts.

The grid ends at T: :math:`t_b = T - (K - b) \delta`, so that whole steps of a latency count from
the end, wherever T lies. :math:`N_i(b)` tasks of the (virtual, ``merged``) cut i are admitted by
:math:`t_b`, or finished if i stays on the device; :math:`D_i(b)` are completed, the cloud has
worked for :math:`U(b)` seconds. With :math:`k(x) = \lfloor x / \delta \rfloor` and
:math:`W(t) = \sum_e (t - r_e)^+`, the seconds that devices have had since their first arrivals,

.. math::

   &N_i, D_i, U \ \text{non-decreasing}, \quad U(b) - U(b - 1) \le \delta, \quad
     \textstyle\sum_i N_i(b) \le \text{arrivals by } t_b, \quad
     \sum_i a_i N_i(b) \le W(t_b), \\
   &D_i(b) \le N_i(b - k(l_i)), \quad \textstyle\sum_{i \ne N} N_i(b) - D_i(b) \le C, \\
   &U(b) \le \textstyle\sum_i c_i N_i(b - k(\tau_i)), \quad \sum_i c_i D_i(b) \le U(b), \quad
     \sum_i \tau_i D_i(b) \le t_b - r \ \text{(shared)},\ W(t_b) \ \text{(device)}.

With ``hold`` a task admitted at A keeps a device during :math:`[A - a_i, A)`: over windows of w
steps from :math:`t_s` on

.. math:: \textstyle\sum_{i, p} o_{ip} (N_i(p) - N_i(p - 1)) \le W(t_{s+w}) - W(t_s),

where :math:`o_{ip}` is the least overlap over admissions in :math:`(t_{p-1}, t_p]`; it rises, stays
and falls with A, so that the least is at an end. Every floor favours the relaxation, the counts of
a real plan satisfy all rows whatever the step.

**Makespan.** If all tasks are done by T then :math:`\sum_i D_i(K) + N_N(K) = n`; a program whose
largest sum is below n refutes T. **Mean delay.** The rows hold for any T; with F(b) tasks done,
:math:`\sum_j \mathrm{done}_j \ge \sum_b (t_b - t_{b-1}) (n - F(b))`.

Source: own. Rows that use service in order of admission: ``openers``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray, power_of_two
from optedge.formulations.pipeline.bounds import merged
from optedge.formulations.pipeline.bounds.programs import FINE, NONE, Program, steps

if TYPE_CHECKING:
    from optedge.bridge import Arrays
    from optedge.formulations.pipeline.problem import PipelineProblem

LENGTHS = (
    2,
    4,
    8,
    16,
    32,
    64,
)  # steps of the windows of the rows of held devices; starts a quarter apart
ROUNDING = 1e-12  # of T: times of the grid are known to this


class Grid(NamedTuple):
    """The program, and the columns of its counts; times in units of a power of two."""

    program: Program
    cuts: merged.Cuts  # seconds
    unit: float  # seconds
    step: float  # seconds
    times: FloatArray  # (K + 1,), units
    error: float  # units
    admitted: IntArray  # (n, K + 1) columns
    completed: IntArray  # (n, K + 1); those of cuts that stay are ``admitted``

    @property
    def last(self) -> int:
        """The last point of the grid, K."""
        return self.times.size - 1

    @property
    def sent(self) -> IntArray:
        """The cuts that send."""
        return np.flatnonzero(~self.cuts.stays)

    def device(self, i: int) -> float:
        """Return the units of time of a cut on its device."""
        return float(self.cuts.device[i]) / self.unit


def make(problem: PipelineProblem, end: float, step: float, labels: FloatArray) -> Grid:
    """Return the rows of a grid that ends at ``end``.

    Parameters
    ----------
    problem
        The instance.
    end, step
        Seconds, both above 0.
    labels
        Of groups of cuts (``merged``), ``(n_types, n_cuts)``.
    """
    cuts, unit = merged.make(problem, labels), power_of_two(step)
    k = max(1, int(np.ceil(end / step)))
    times = np.asarray((end - np.arange(k, -1, -1) * step) / unit, dtype=np.float64)
    error = ROUNDING * end / unit
    program, n = Program(), cuts.device.size
    admitted = np.full((n, k + 1), NONE)
    completed = np.full((n, k + 1), NONE)
    first = problem.release.min() / unit
    for i in range(n):
        # Nothing is admitted before its device can be done, nor too late to be completed.
        begin = int(np.searchsorted(times, first + cuts.device[i] / unit - error))
        lag = 0 if cuts.stays[i] else steps(cuts.alone[i], step)
        final = k - lag if problem.goal == "makespan" else k
        if begin > final:
            continue
        admitted[i, begin : final + 1] = program.columns(final + 1 - begin, 0, 2 * problem.n_tasks)
        admitted[i, final + 1 :] = admitted[i, final]
        if cuts.stays[i]:
            completed[i] = admitted[i]
        elif begin + lag <= k:
            size = k + 1 - begin - lag
            completed[i, begin + lag :] = program.columns(size, 0, 2 * problem.n_tasks)
            if problem.goal == "makespan":
                completed[i, k] = admitted[i, final]
    grid = Grid(program, cuts, unit, step, times, error, admitted, completed)
    _counts(problem, grid)
    _slots(problem, grid)
    _cloud(problem, grid)
    if problem.hold:
        for length in LENGTHS:
            _held(problem, grid, length)
    return grid


def arrays(problem: PipelineProblem, grid: Grid) -> Arrays:
    """Return the program: minus the number of tasks done, or the mean of completion times.

    A value above minus the number of tasks refutes the end; the mean is in units of the grid.
    """
    cost = np.zeros(grid.program.n_columns)
    if problem.goal == "makespan":
        done = grid.completed[:, -1]
        cost[done[done != NONE]] = -1.0
        return grid.program.arrays(cost)
    since = np.diff(np.maximum(grid.times, 0.0)) / problem.n_tasks
    for i in range(len(grid.completed)):
        used = grid.completed[i, 1:] != NONE
        np.subtract.at(cost, grid.completed[i, 1:][used], since[used])
    return grid.program.arrays(cost, offset=float(since.sum()) * problem.n_tasks)


def available(problem: PipelineProblem, grid: Grid, times: FloatArray) -> FloatArray:
    """Return W, the time that devices have had since their first arrivals, in units."""
    busy = np.flatnonzero(np.diff(problem.first))
    begun = problem.release[problem.first[busy]] / grid.unit
    return np.asarray(np.maximum(times[:, None] - begun, 0.0).sum(axis=1))


def overlap(grid: Grid, i: int, length: int) -> FloatArray:
    """Return the least time in a window that a task of cut ``i`` keeps its device, per bucket.

    Bucket 0 ends where the window begins; rounded down to multiples of a fine number, so that
    differences are exact.
    """
    a, step = grid.device(i), grid.step / grid.unit
    reach = length + int(np.ceil(a / step)) + 1
    ends = np.arange(-1, reach + 1) * step
    kept = np.maximum(np.minimum(ends, length * step) - np.maximum(ends - a, 0.0), 0.0)
    least = np.minimum(kept[:-1], kept[1:]) - 4 * ROUNDING * (a + length * step)
    return np.asarray(np.maximum(np.floor(least / FINE) * FINE, 0.0))


def lagged(columns: IntArray, lag: int) -> IntArray:
    """Return the columns of ``lag`` steps before, along the last axis."""
    found = np.full_like(columns, NONE)
    if lag < columns.shape[-1]:
        found[..., lag:] = columns[..., : columns.shape[-1] - lag]
    return found


def _counts(problem: PipelineProblem, grid: Grid) -> None:
    """Let counts rise; nothing is admitted before it arrives or without the work of its device."""
    rows, cuts, slack = grid.program.rows, grid.cuts, grid.error
    for counts in (grid.admitted, grid.completed[grid.sent]):
        for line in counts:
            grows = (line[1:] != line[:-1]) & (line[:-1] != NONE)
            rows([(line[1:][grows], 1.0), (line[:-1][grows], -1.0)], lower=0.0)
    kinds = np.unique(cuts.kind)
    for t in kinds.tolist():
        of_kind = grid.admitted[cuts.kind == t]
        release = np.sort(problem.release[problem.kind == t]) / grid.unit
        arrived = np.searchsorted(release, grid.times + slack, side="right")
        some = arrived < release.size
        rows([(of_kind[:, some].T, 1.0)], upper=arrived[some])
        if kinds.size > 1 or problem.goal != "makespan":
            rows([(of_kind[:, -1:].T, 1.0)], upper=release.size)
    seconds = available(problem, grid, grid.times + slack)
    rows([(grid.admitted.T, cuts.device / grid.unit)], upper=seconds + slack)


def _slots(problem: PipelineProblem, grid: Grid) -> None:
    """Let a task be completed some time after its admission, and hold a slot until then."""
    rows, sent = grid.program.rows, grid.sent
    for i in sent.tolist():
        before = lagged(grid.admitted[i], steps(grid.cuts.alone[i], grid.step))
        now = grid.completed[i]
        both = (now != NONE) & (now != before)
        rows([(now[both], 1.0), (before[both], -1.0)], upper=0.0)
    if problem.capacity < problem.n_tasks:
        rows([(grid.admitted[sent].T, 1.0), (grid.completed[sent].T, -1.0)], upper=problem.capacity)
    if problem.link != "delay":
        shared = problem.link == "shared"
        begun = float(problem.release.min()) / grid.unit
        times = grid.times + grid.error
        room = np.maximum(times - begun, 0.0) if shared else available(problem, grid, times)
        link = grid.cuts.link[sent] / grid.unit
        rows([(grid.completed[sent].T, link)], upper=room + grid.error)


def _cloud(problem: PipelineProblem, grid: Grid) -> None:
    """Let the cloud work on what has arrived, and complete what it has worked on."""
    rows, sent, cuts = grid.program.rows, grid.sent, grid.cuts
    if not sent.size:
        return
    worked = grid.program.columns(grid.last + 1, 0.0, float(grid.times[-1]) + grid.error)
    step = grid.step / grid.unit
    rows([(worked[:1], 1.0)], upper=max(0.0, float(grid.times[0])) + grid.error)
    rows([(worked[1:], 1.0), (worked[:-1], -1.0)], lower=0.0, upper=step)
    cloud = cuts.cloud[sent] / grid.unit
    arrived = [
        lagged(grid.admitted[i], steps(Fraction(float(cuts.link[i])), grid.step))
        for i in sent.tolist()
    ]
    rows([(worked, 1.0), (np.array(arrived).T, -cloud)], upper=0.0)
    rows([(grid.completed[sent].T, cloud), (worked, -1.0)], upper=0.0)


def _held(problem: PipelineProblem, grid: Grid, length: int) -> None:
    """Over windows of ``length`` steps tasks that are admitted have kept their devices."""
    starts = np.arange(0, grid.last - length + 1, max(1, length // 4))
    if not starts.size:
        return
    terms = []
    for i in range(len(grid.admitted)):
        terms += increments(grid, grid.admitted[i], overlap(grid, i, length), starts)
    seconds = available(problem, grid, grid.times)
    if terms:
        room = seconds[starts + length] - seconds[starts]
        grid.program.rows(terms, upper=room + 2 * grid.error)


def increments(
    grid: Grid, columns: IntArray, weights: FloatArray, starts: IntArray
) -> list[tuple[IntArray, FloatArray]]:
    """Return terms: the weight of each bucket from a start on times what the count grows by."""
    # The weight of the count at a point is that of its bucket less that of the next one.
    change = weights - np.append(weights[1:], 0.0)
    used = np.flatnonzero(change)
    if not used.size:
        return []
    at = starts[:, None] + used
    inside = at <= grid.last
    index = np.where(inside, columns[np.minimum(at, grid.last)], NONE)
    terms = [(index, np.broadcast_to(change[used], index.shape))]
    # Buckets after the last point do not count: take back what the last point got too little.
    beyond = starts + weights.size - 1 - grid.last
    cut = np.flatnonzero(beyond > 0)
    if cut.size:
        lost = weights[weights.size - beyond[cut]]
        full = np.zeros(starts.size)
        full[cut] = lost
        terms.append((np.full(starts.size, columns[-1]), full))
    return terms

r"""Ends that are refuted, and certificates of it that need no solver.

A certificate of kind ``"grid"`` holds ``end`` and ``step`` of a grid, the ``groups`` of cuts, and
``multipliers`` of the rows, which are built anew from the data (``grid``, ``openers``). For the
makespan they prove by weak duality that fewer than all tasks are done by ``end``. With ``openers``
there is a line of multipliers for each range of their number; the ranges cover all that fit.

For the mean delay one program gives the bound itself, less the mean of the arrivals.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate, FloatArray
from optedge.formulations.base.rows import dual_value
from optedge.formulations.pipeline.bounds import grid, openers

if TYPE_CHECKING:
    from optedge.bridge import Arrays
    from optedge.formulations.pipeline.problem import PipelineProblem

KIND = "grid"
MOST_STEPS = 2000  # of a grid whose certificate is valued
UNIT = 2.0**-53


@dataclasses.dataclass(frozen=True)
class Relaxation:
    """Which rows refute an end.

    Parameters
    ----------
    step
        Seconds of the grid.
    labels
        Groups of cuts (``merged``), ``(n_types, n_cuts)``.
    threshold
        Latency in seconds from which a task may open a window (``openers``); 0 for none.
    """

    step: float
    labels: FloatArray
    threshold: float = 0.0


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a program says of an end.

    Parameters
    ----------
    tasks
        At least as many as can be done by then, with the rows of the relaxation; ``inf`` if the
        solver was stopped.
    certificate
        If that are fewer than all.
    programs
        Linear programs that were solved.
    """

    tasks: float
    certificate: Certificate | None
    programs: int


def attempt(
    problem: PipelineProblem,
    relaxation: Relaxation,
    end: float,
    seconds: float = math.inf,
    stop: Callable[[], bool] | None = None,
) -> Trial:
    """Try to refute an end.

    The number of openers is a whole one: a range of it whose program is not enough is halved where
    that program has a fraction, until every range is refuted or one cannot be.
    """
    rows = _Rows(problem, relaxation, end)
    waiting, refuted, most, programs = [rows.span], [], -math.inf, 0
    while waiting:
        span = waiting.pop()
        found = _solved(rows.arrays(span), seconds, stop)
        programs += 1
        if found is None:
            return Trial(math.inf, None, programs)
        multipliers, value, x = found
        if value > -problem.n_tasks:
            refuted.append((span, multipliers))
            most = max(most, -value)
            continue
        number = 0.0 if rows.number is None else float(x[rows.number.column])
        below = math.floor(number + 1e-4)
        if number - below < 1e-4 or not span[0] <= below < span[1]:
            return Trial(-value, None, programs)
        waiting += [(span[0], below), (below + 1, span[1])]
    arrays = _described(relaxation, end, [y for _, y in refuted])
    if relaxation.threshold:
        arrays["threshold"] = np.array([relaxation.threshold])
        arrays["openers"] = np.array([span for span, _ in refuted], dtype=float)
    return Trial(most, Certificate(KIND, _rounded(problem, end), arrays), programs)


def mean_delay(
    problem: PipelineProblem,
    relaxation: Relaxation,
    end: float,
    seconds: float = math.inf,
    stop: Callable[[], bool] | None = None,
) -> Bound:
    """Return the bound on the mean delay of one program, on a grid that ends at ``end``.

    It is 0 if ``seconds`` or ``stop`` end the program.
    """
    rows = _Rows(problem, relaxation, end)
    found = _solved(rows.arrays(rows.span), seconds, stop)
    if found is None:
        return Bound(KIND, 0.0)
    value = _mean(problem, rows, found[0])
    certificate = Certificate(KIND, value, _described(relaxation, end, [found[0]]))
    return Bound(KIND, value, certificate, info={"programs": 1})


def certify(problem: PipelineProblem, certificate: Certificate) -> float:
    """Return the bound that a certificate of kind ``"grid"`` proves, in seconds.

    Raises
    ------
    ValueError
        If an array is missing, of another shape or not finite, or the grid has too many steps.
    """
    end, step, labels = _read(problem, certificate)
    threshold = 0.0
    if "threshold" in certificate.arrays:
        threshold = float(_array(certificate, "threshold", (1,))[0])
        reason = openers.why_not(problem, threshold, end, step)
        if reason:
            raise ValueError(reason)
    rows = _Rows(problem, Relaxation(step, labels, threshold), end)
    if threshold:
        given = certificate.arrays.get("openers", np.zeros(0))
        spans = _array(certificate, "openers", (len(given), 2)).tolist()
    else:
        spans = [rows.span]
    size = rows.arrays(rows.span).matrix.shape[0]
    multipliers = _array(certificate, "multipliers", (len(spans), size))
    if problem.goal != "makespan":
        return _mean(problem, rows, multipliers[0])
    reached = rows.span[0]  # every number of openers below is refuted
    for (low, high), y in sorted(zip(spans, multipliers, strict=True), key=lambda pair: pair[0]):
        if low > reached or dual_value(rows.arrays((low, high)), y) <= -problem.n_tasks:
            return 0.0
        reached = max(reached, math.floor(high) + 1)
    return _rounded(problem, end) if reached > rows.span[1] else 0.0


class _Rows:
    """The program of a relaxation and an end, for ranges of the number of openers."""

    def __init__(self, problem: PipelineProblem, relaxation: Relaxation, end: float) -> None:
        self.end = end
        self.grid = grid.make(problem, end, relaxation.step, relaxation.labels)
        self.number = None
        self.span = (0, 0)
        if relaxation.threshold:
            self.number = openers.add(problem, self.grid, relaxation.threshold)
            self.span = (0, self.number.most)
        self._arrays = grid.arrays(problem, self.grid)

    def arrays(self, span: tuple[float, float]) -> Arrays:
        """Return the program with a number of openers in the range."""
        if self.number is None:
            return self._arrays
        return self.number.within(self._arrays, span)


def _solved(
    arrays: Arrays, seconds: float, stop: Callable[[], bool] | None
) -> tuple[FloatArray, float, FloatArray] | None:
    """Return multipliers, what they prove, and the variables; None if stopped."""
    from optedge.bridge import solve_arrays

    limit = None if math.isinf(seconds) else seconds
    found = solve_arrays(arrays, time_limit=limit, should_stop=stop, interior=True)
    if found.row_duals is None or found.x is None:
        return None
    y = np.where(np.abs(found.row_duals) < 1e-13, 0.0, found.row_duals)
    return y, dual_value(arrays, y), found.x


def _mean(problem: PipelineProblem, rows: _Rows, y: FloatArray) -> float:
    """Return what multipliers prove of the mean delay, rounded downwards."""
    done = dual_value(rows.arrays(rows.span), y) * rows.grid.unit
    arrived = math.fsum(problem.release) / problem.n_tasks
    slack = 16 * (problem.n_tasks + 4) * UNIT + 2 * grid.ROUNDING
    return max(0.0, done - arrived - slack * (abs(done) + arrived + rows.end))


def _described(
    relaxation: Relaxation, end: float, multipliers: list[FloatArray]
) -> dict[str, FloatArray]:
    """Return the arrays of a certificate."""
    return {
        "end": np.array([end]),
        "step": np.array([relaxation.step]),
        "groups": relaxation.labels,
        "multipliers": np.array(multipliers),
    }


def _rounded(problem: PipelineProblem, end: float) -> float:
    """Return a refuted end less what the simulator's sums may round off."""
    return end * (1 - 8 * (problem.n_tasks + 4) * UNIT)


def _read(problem: PipelineProblem, certificate: Certificate) -> tuple[float, float, FloatArray]:
    end, step = (float(_array(certificate, name, (1,))[0]) for name in ("end", "step"))
    if not (end > 0 and step > 0 and end / step <= MOST_STEPS):
        raise ValueError(
            f"certificate {KIND!r}: end and step must be above 0, at most {MOST_STEPS} steps, "
            f"got {end!r} and {step!r}."
        )
    return end, step, _array(certificate, "groups", problem.chains.shape[:2])


def _array(certificate: Certificate, name: str, shape: tuple[int, ...]) -> FloatArray:
    array = certificate.arrays.get(name)
    if array is None or array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"certificate {certificate.kind!r}: {name!r} must hold finite {shape}.")
    return array

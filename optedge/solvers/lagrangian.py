r"""Prices along cutting planes: a proved bound that rises, and the solutions that prices propose.

For prices :math:`\alpha \ge 0` of the rows :math:`g(x) \le 0` the Lagrangian
:math:`\ell(\alpha) = \min_x c(x) + \alpha^T g(x)` is a bound, concave in the prices. Each x that
is found gives a plane above it; the next prices are where the lowest of the planes is highest.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.prices import classes
from optedge.solvers.priced_schedules import certify_schedule
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

FIRST_BOX, LARGEST_BOX, WIDER = 4.0, 1e9, 16.0  # prices, in units of `price_units`
SAME = 1e-9  # relative difference below which two values of the Lagrangian are one


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianOptions(Options):
    """Options of ``lagrangian``."""

    max_iterations: int = option(1000, "prices that are tried", low=1)
    repair: bool = option(True, "whether a proposal that breaks a row is repaired by the problem")


@functools.singledispatch
def by_prices(problem: Any, options: LagrangianOptions, run: Run) -> None:
    """Raise a bound by prices, and look for solutions along them: cutting planes, if not told.

    A problem with an ascent of its own registers a function for its class.
    """
    _cut_planes(problem, options, run)


@by_prices.register
def _schedules(problem: OffloadingProblem, options: LagrangianOptions, run: Run) -> None:
    certify_schedule(problem, run)


def _unfit(problem: Any, options: LagrangianOptions) -> str | None:
    """Say why prices on server time cannot be tried; cutting planes always can."""
    if by_prices.dispatch(type(problem)) is not _schedules:
        return None
    if options != LagrangianOptions():
        return "max_iterations and repair are options of cutting planes, not of prices by time."
    return classes.why_unpriced(problem)


@register(
    "lagrangian",
    options=LagrangianOptions,
    needs=("prices",),
    kind="heuristic",
    guarantee="the Lagrangian bound, certified; the solution is the best that a price proposes",
    source="Kelley 1960, cutting planes on the Lagrangian dual (Geoffrion 1974); schedules: ascent",
    declines=_unfit,
)
def lagrangian(problem: Any, options: LagrangianOptions, run: Run) -> None:
    """Prove a bound by prices, and find a solution along them, each better with time.

    Most problems are priced row by row (cutting planes). Schedules on servers with pools are
    priced by time, and searched for along the paths that the prices propose
    (``priced_schedules``), where the options have no meaning.
    """
    by_prices(problem, options, run)


def _cut_planes(problem: Any, options: LagrangianOptions, run: Run) -> None:
    """Price, offer what the prices propose, cut, until no price promises a better bound.

    A problem takes part by two members: ``price_units``, a typical price of each row, shape
    ``(n_prices,)``, and ``priced(alpha)``, which returns the solutions of least priced cost, what
    each costs and exceeds, and a certificate of the bound (``formulations.split.dual.Priced``). If
    it has ``repaired(x)`` as well, a proposal that breaks a row is replaced by what that returns.
    ``run.info`` holds ``iterations``, the best ``prices`` and their ``dual_value``.
    """
    if run.start is not None:
        run.evaluate(run.start)
    units = np.asarray(problem.price_units, dtype=np.float64)
    planes, prices, box = _Planes(units.size), np.zeros(units.size), FIRST_BOX
    best = -math.inf
    for iteration in range(1, options.max_iterations + 1):
        if run.done():
            return
        found = problem.priced(prices * units)
        run.info["iterations"] = iteration
        run.raise_bound(found.certificate.value, found.certificate)
        if found.certificate.value == math.inf:
            run.declare_infeasible(problem.explain())
            return
        slopes = found.excess * units
        value = float((found.costs + slopes @ prices).min())
        if value > best:
            best = value
            run.info.update(prices=prices * units, dual_value=value)
        for x in found.solutions:
            _offer(problem, options.repair, run, x)
        planes.add(found.costs, slopes)
        prices, ceiling, box = _next_prices(planes, best, box)
        if ceiling - best <= SAME * max(abs(ceiling), abs(best)):
            return


def _offer(problem: Any, repair: bool, run: Run, x: Any) -> None:
    """Offer what the prices propose, and where that is infeasible what the problem makes of it."""
    if run.evaluations_left == 0 or run.evaluate(x) < math.inf:
        return
    if repair and run.evaluations_left > 0 and hasattr(problem, "repaired"):
        repaired = problem.repaired(x)
        if repaired is not None:
            run.evaluate(repaired)


class _Planes:
    """The planes above the Lagrangian: costs + slopes @ prices."""

    def __init__(self, n_prices: int) -> None:
        self.costs: FloatArray = np.zeros(0)
        self.slopes: FloatArray = np.zeros((0, n_prices))

    def add(self, costs: npt.ArrayLike, slopes: FloatArray) -> None:
        self.costs = np.concatenate([self.costs, costs])
        self.slopes = np.concatenate([self.slopes, slopes])

    def highest(self, box: float) -> tuple[FloatArray, float]:
        """Return the prices in ``[0, box]`` where the lowest plane is highest, and its height."""
        from optedge.bridge import Arrays, solve_arrays

        n = self.slopes.shape[1]
        size = float(np.abs(self.costs).max()) or 1.0
        solution = solve_arrays(
            Arrays(
                cost=np.concatenate([[1.0], np.zeros(n)]),
                matrix=np.column_stack([np.ones(len(self.costs)), -self.slopes / size]),
                row_lower=-np.inf,  # type: ignore[arg-type]  # repeated by Arrays
                row_upper=self.costs / size,
                lower=np.concatenate([[-np.inf], np.zeros(n)]),
                upper=np.concatenate([[np.inf], np.full(n, box)]),
                integer=False,  # type: ignore[arg-type]
                maximise=True,
            )
        )
        if solution.x is None:
            raise RuntimeError(f"the program of the cutting planes ended with {solution.status}.")
        prices = np.clip(solution.x[1:], 0.0, box)
        return prices, float((self.costs + self.slopes @ prices).min())


def _next_prices(planes: _Planes, best: float, box: float) -> tuple[FloatArray, float, float]:
    """Return the next prices, the height of the planes there, and the box that holds them.

    The box keeps early prices moderate; it grows when nothing better is left inside.
    """
    while True:
        prices, ceiling = planes.highest(box)
        better = ceiling - best > SAME * max(abs(ceiling), abs(best))
        if better or box >= LARGEST_BOX or not (prices >= box * (1 - 1e-9)).any():
            return prices, ceiling, box
        box *= WIDER

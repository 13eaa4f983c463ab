r"""Accuracy against traffic: the curve, and the best compression ratio of a task.

An edge server compresses a data set to the share :math:`R` of its size before it goes to the
cloud. Learning there keeps the share :math:`A(R) = a\ln(R+b) + c` of the accuracy, so the paper
divides the upload time by it. Whatever server the task gets, the factor to minimise is

.. math:: \min_R\ g(R) = \frac{R}{A(R)}
          \quad\text{s.t.}\quad R_{low} \le R \le 1,\ A(R) > 0,
          \qquad R_{low} = \max\{0,\ e^{(LowA - c)/a} - b\}

Positive linear over positive concave is quasi-convex: the stationary point, clipped to the range,
is optimal. With :math:`u = R + b` it solves :math:`\ln u + b/u = 1 - c/a`.

Source: Huang et al. 2018, ICCCN, eqs. (1), (2) and (6)-(9). Departures: the paper sets the
derivative to zero and excludes maxima (none exist where A > 0); here it is a closed form. Its eq.
(14) drops the division by A that eqs. (2) and (8) have; ``BestRatio.weighted`` keeps it.

**Warning.** On the published curve the optimum 0.012811 lies 5.6e-5 to the right of the fitted
logarithm's pole 0.012755: an artefact of extrapolating the fit, not a measured operating point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Floats = Sequence[float] | npt.NDArray[Any]
Binding = Literal["interior", "lowest_accuracy", "one"]


class InfeasibleError(ValueError):
    """There is no solution: no compression ratio, no mixture of positions meets what is asked."""


@dataclass(frozen=True)
class BestRatio:
    """The best compression ratio of one task.

    Parameters
    ----------
    ratio, accuracy
        Compressed size / raw size, in (0, 1], and the relative accuracy there.
    weighted
        ``ratio / accuracy``; times raw bits / bandwidth it is the weighted upload time in seconds.
    binding
        What holds the ratio: nothing (``"interior"``), the accuracy demanded, or the raw size.
    """

    ratio: float
    accuracy: float
    weighted: float
    binding: Binding


@dataclass(frozen=True)
class AccuracyCurve:
    """Accuracy ``A(R) = a ln(R + b) + c`` at ratio ``R``, relative to learning on the raw data.

    Parameters
    ----------
    a, b, c
        Slope, shift and level of the logarithm; finite, ``a > 0``. The pole is at ``R = -b``.

    References
    ----------
    Huang et al. 2018, eq. (7). Their curve of 40000 records (section V; "equation (2)" is a slip
    there) is ``AccuracyCurve(0.004032, -0.012755095, 0.9634233)``.
    """

    a: float
    b: float
    c: float

    def __post_init__(self) -> None:
        for field in ("a", "b", "c"):
            object.__setattr__(self, field, _number(getattr(self, field), field))
        if self.a <= 0:
            raise ValueError(f"a must be positive (accuracy rises with the ratio), got {self.a}.")

    @overload
    def accuracy(self, ratio: float) -> float: ...
    @overload
    def accuracy(self, ratio: Floats) -> FloatArray: ...
    def accuracy(self, ratio: float | Floats) -> float | FloatArray:
        """Return ``A(ratio)`` for ratios >= 0 (one, or an array); ``-inf`` up to the pole."""
        with np.errstate(divide="ignore"):
            value = self.a * np.log(np.maximum(_ratios(ratio) + self.b, 0.0)) + self.c
        return value if np.ndim(value) else float(value)

    __call__ = accuracy

    @overload
    def weighted(self, ratio: float) -> float: ...
    @overload
    def weighted(self, ratio: Floats) -> FloatArray: ...
    def weighted(self, ratio: float | Floats) -> float | FloatArray:
        """Return ``g = ratio / A(ratio)``, eq. (8) for one bit at 1 bit/s; ``inf`` where A <= 0."""
        ratios = _ratios(ratio)
        accuracy = np.asarray(self.accuracy(ratios))
        value = np.full(ratios.shape, np.inf)
        np.divide(ratios, accuracy, out=value, where=accuracy > 0)
        return value if value.ndim else float(value)

    def lowest_ratio(self, lowest_accuracy: float) -> float:
        """Return ``Rlow`` of eq. (9), the least ratio of this accuracy; out of reach if above 1.

        With ``b <= 0`` and a demand near 0 it rounds to the pole itself: the end is open there.
        """
        demand = _demand(lowest_accuracy)
        with np.errstate(over="ignore"):
            return max(0.0, float(np.exp((demand - self.c) / self.a) - self.b))

    def stationary_ratio(self) -> float | None:
        """Return ``R*``, the minimiser of ``g`` over all ``R > 0`` with ``A(R) > 0``.

        Returns
        -------
        float or None
            ``None`` if ``b > 0`` and ``A(0) >= 0``: ``g`` rises from ``R = 0`` on. ``R*`` may
            exceed 1 (even be ``inf``) and, for huge ``c/a``, round to the pole.

        Notes
        -----
        Let ``z = |b|/u``. For ``b < 0``, ``z = omega(c/a - 1 + ln(-b))``, the Wright omega
        function, which forms no exponential (``lambertw`` would overflow from ``c/a`` = 710 on);
        for ``b > 0``, ``z = -W0(-b exp(c/a - 1))``; for ``b = 0``, ``R* = exp(1 - c/a)``.
        """
        from scipy.special import lambertw, wrightomega

        level, b = self.c / self.a, np.float64(self.b)
        with np.errstate(over="ignore", divide="ignore"):  # beyond the doubles inf is the answer
            if b < 0:
                return float(-b - b / wrightomega(level - 1 + np.log(-b)))
            if b == 0:
                return float(np.exp(1 - level))
            if self.accuracy(0.0) >= 0:
                return None
            z = -np.real(lambertw(-np.exp(level - 1 + np.log(b))))
            z = np.nan_to_num(z, nan=1.0)  # scipy has nan at the branch point, where A(0) = 0
            return max(0.0, float(b * (1 - z) / z))

    def best_ratio(self, lowest_accuracy: float = 0.0, task: int | str | None = None) -> BestRatio:
        """Return the ratio of least weighted upload time whose accuracy is high enough.

        Parameters
        ----------
        lowest_accuracy
            The accuracy that the task demands, in [0, 1]; 0 still means more than 0.
        task
            Number or name of the task, for error messages only.

        Raises
        ------
        InfeasibleError
            If even the raw data, ratio 1, do not reach the accuracy.
        ValueError
            If ``lowest_accuracy`` is not in [0, 1]; or if ``b > 0`` and the curve has that
            accuracy at ratio 0 already: ratios must be positive, and no positive one is best.

        Notes
        -----
        ``min(max(R*, Rlow), 1)`` of eqs. (8) and (9); a ratio that rounds to the pole (from ``c/a``
        about 1e16 on) is moved to the next double right of it. On the published curve the result is
        an artefact of the fit, 5.6e-5 from the pole: see the warning at the top of the module.
        """
        demand = _demand(lowest_accuracy)
        owner = "" if task is None else f"task {task}: "
        reach = self.accuracy(1.0)
        if reach < demand or reach <= 0:
            wanted = f"at least {demand}" if demand > 0 else "above 0"
            raise InfeasibleError(
                f"{owner}accuracy {wanted} is demanded, {reach} at ratio 1 is the most within "
                "reach."
            )
        stationary, lowest = self.stationary_ratio(), min(self.lowest_ratio(demand), 1.0)
        ratio, binding = _clip(stationary, lowest)
        if self.b <= 0:
            ratio = max(ratio, math.nextafter(-self.b, 1.0))
        elif ratio <= 0 or (stationary is None and demand <= self.accuracy(0.0)):
            raise ValueError(
                f"{owner}the curve gives accuracy {self.accuracy(0.0)} at ratio 0, so no positive "
                f"ratio is best; demand more than that (lowest_accuracy is {demand})."
            )
        return BestRatio(ratio, self.accuracy(ratio), self.weighted(ratio), binding)

    @classmethod
    def fit(cls, ratios: Floats, accuracies: Floats) -> AccuracyCurve:
        """Fit the curve to measured points by least squares.

        Parameters
        ----------
        ratios, accuracies
            The points, equally many; ratios positive, at least 3 of them different.

        Raises
        ------
        ValueError
            If the points are unusable, or their accuracy does not rise with the ratio (``a <= 0``).

        Notes
        -----
        The paper does not say how it fitted. Variable projection: for given ``b`` the best ``a``
        and ``c`` are linear least squares, so one variable is left, ``b = exp(t) - min(ratios)``
        with ``-16 <= t <= 3``: a grid, then a bounded search. Points almost on a straight line
        end at ``t = 3``, points that jump after the first ratio at ``t = -16``.
        """
        from scipy.optimize import minimize_scalar

        x, y = _points(ratios, accuracies)

        def project(t: float) -> tuple[float, float, float]:
            logs = np.log(x - x.min() + math.exp(t))
            centred = logs - logs.mean()
            slope = float(centred @ (y - y.mean()) / (centred @ centred))
            residual = y - y.mean() - slope * centred
            return float(residual @ residual), slope, float(y.mean() - slope * logs.mean())

        def error(t: float) -> float:
            return project(t)[0]

        start = min((0.2 * k - 16.0 for k in range(96)), key=error)
        bounds = (max(start - 0.2, -16.0), min(start + 0.2, 3.0))
        found = minimize_scalar(error, bounds=bounds, method="bounded", options={"xatol": 1e-12})
        t = min(start, float(found.x), key=error)
        _, a, c = project(t)
        rise = a * math.log1p(float(np.ptp(x)) / math.exp(t))  # from the least to the largest ratio
        if rise <= 1e-12 * np.abs(y).max():  # level accuracies give a tiny slope of either sign
            raise ValueError(f"accuracies must rise with the ratios, the fit gives a = {a:.3g}.")
        return cls(a, math.exp(t) - float(x.min()), c)


def cvxpy_ratio(curve: AccuracyCurve, lowest_accuracy: float = 0.0) -> float:
    r"""Return the best ratio by conic optimisation: a check that shares nothing with the formula.

    Raises
    ------
    InfeasibleError
        If the solver proves that no ratio is feasible.

    Notes
    -----
    The fractional program is convex in :math:`s = 1/A` and :math:`y = R/A` (Charnes and Cooper
    1962, Schaible 1976): minimise :math:`y` subject to :math:`s\,A(y/s) \ge 1`, :math:`y \le s`
    and :math:`LowA\,s \le 1`. The first is a relative entropy: one exponential cone program.
    Measured (Clarabel 0.11, 1000 random curves): weighted factor within 3e-8, ratio within 2e-5,
    for the minimum is flat; on the published curve 6e-9. Bisection on the level of ``g`` by 50
    feasibility problems is worse (1e-6 on nine curves), ``qcp=True`` breaks down near the pole.
    Where `best_ratio` refuses because ratio 0 is good enough, this is about 0.
    """
    import cvxpy as cp

    demand = _demand(lowest_accuracy)
    unit = abs(curve.b) or 1.0  # the optimum lies close to the pole, so measure in its scale
    s, w = cp.Variable(), cp.Variable()  # s = 1/A, w = (R + b)/A/unit
    y = w - curve.b / unit * s  # R/A/unit
    kept = -curve.a * cp.rel_entr(s, w) + (curve.c + curve.a * math.log(unit)) * s  # s A(y/s)
    program = cp.Problem(cp.Minimize(y), [kept >= 1, y >= 0, unit * y <= s, demand * s <= 1])
    program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    if program.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise InfeasibleError(f"no ratio up to 1 has the accuracy {demand} demanded.")
    if program.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise RuntimeError(f"the cone solver ended with status {program.status}.")
    return unit * float(y.value) / float(s.value)


def _clip(stationary: float | None, lowest: float) -> tuple[float, Binding]:
    if stationary is None or stationary < lowest:
        return lowest, "lowest_accuracy"
    return (1.0, "one") if stationary > 1 else (stationary, "interior")


def _number(value: object, field: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # what float refuses is caught here
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{field} must be a finite number, got {value!r}.")
    return number


def _demand(lowest_accuracy: float) -> float:
    demand = _number(lowest_accuracy, "lowest_accuracy")
    if not 0 <= demand <= 1:
        raise ValueError(f"lowest_accuracy must lie in [0, 1], got {demand}.")
    return demand


def _ratios(ratio: float | Floats) -> FloatArray:
    ratios = np.asarray(ratio, dtype=np.float64)
    if not (ratios >= 0).all():
        raise ValueError("ratios must be non-negative and free of NaN.")
    return ratios


def _points(ratios: Floats, accuracies: Floats) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(ratios, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"ratios and accuracies must be equally long, got {x.shape}, {y.shape}.")
    if (wrong := np.flatnonzero(~(np.isfinite(x) & (x > 0)))).size:
        raise ValueError(f"ratios must be finite and positive; entries {wrong.tolist()} are not.")
    if (wrong := np.flatnonzero(~np.isfinite(y))).size:
        raise ValueError(f"accuracies must be finite; entries {wrong.tolist()} are not.")
    if np.unique(x).size < 3:
        raise ValueError(f"at least 3 different ratios are needed, got {np.unique(x).size}.")
    return x, y

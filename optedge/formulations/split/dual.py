r"""The Lagrangian dual of a split: a price on each limit, and the least of the bounds they prove.

.. math:: \theta(\alpha) = \max_j \; f_j - \sum_c \alpha_c (u_{cj} - L_c), \qquad \alpha \ge 0

is convex and piecewise linear; each value is a bound on the optimum. Its minimum is the value of
the relaxation of AGG: the inner maximum over the simplex is integral, so the prices prove no more
than the linear program. Positions of infinite usage are left out. What the prices propose lies on
the upper concave hull of the points (usage, value); the gap is zero where the optimum lies on the
face of that hull above the limit.

Source: Xu et al., EURASIP J. Wireless Com. Network. 2020:211, eq. (23), where it is written on an
integer j, with the signs of a minimisation and a multiplier a layer.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Certificate, FloatArray, IntArray, power_of_two
from optedge.formulations.split import certificates

if TYPE_CHECKING:
    from optedge.formulations.split.problem import SplitProblem

TIE = 1e-9  # relative difference up to which two positions earn the same


@dataclasses.dataclass(frozen=True, eq=False)
class DualMinimum:
    """Where the dual function is least, and what is left of the gap.

    Parameters
    ----------
    alpha
        The prices, shape ``(n_limits,)``, in units of value per unit of usage.
    theta
        The dual function there: no position earns more. ``-inf`` if no mixture of positions meets
        all limits; then theta falls without end along ``alpha``.
    support
        The positions that earn most at these prices, ties included; those of an optimal y are
        among them. Empty if theta is ``-inf``.
    optimum
        The largest value of a position that meets all limits; ``-inf`` if there is none.
    rounded
        ``theta``, rounded down if all values are whole.
    """

    alpha: FloatArray
    theta: float
    support: tuple[int, ...]
    optimum: float
    rounded: float

    @property
    def gap(self) -> float:
        """The duality gap theta - optimum, in units of value; 0 if both are ``-inf``."""
        return 0.0 if self.theta == self.optimum else self.theta - self.optimum

    @property
    def closed(self) -> bool:
        """Whether the bound, rounded where that is allowed, is the optimum (to 1e-9)."""
        return self.rounded == self.optimum or self.rounded - self.optimum <= 1e-9 * max(
            abs(self.rounded), abs(self.optimum)
        )


class Priced(NamedTuple):
    """What prices propose and prove: the hook of the solver ``lagrangian``.

    For any x in ``solutions`` the Lagrangian is at most ``costs[k] + excess[k] @ alpha`` at every
    alpha, with equality (for all k) at the prices asked for.

    Parameters
    ----------
    solutions
        The solutions of least priced cost, at least one; they may break the priced limits.
    costs
        What each costs without prices, shape ``(k,)``; minimised.
    excess
        What each uses above the priced limits, shape ``(k, n_prices)``.
    certificate
        What the prices prove; its value is ``inf`` if they prove that there is no solution.
    """

    solutions: tuple[IntArray, ...]
    costs: FloatArray
    excess: FloatArray
    certificate: Certificate


def checked_prices(problem: SplitProblem, alpha: npt.ArrayLike) -> FloatArray:
    """Return prices as an array; a plain number will do for a single limit.

    Raises
    ------
    ValueError
        If they are not one a limit, or one is negative, NaN or infinite.
    """
    prices = np.atleast_1d(np.asarray(alpha, dtype=np.float64))
    if prices.shape != (problem.n_limits,):
        raise ValueError(f"alpha must have shape ({problem.n_limits},), got {prices.shape}.")
    for c in np.flatnonzero(~(np.isfinite(prices) & (prices >= 0))):
        raise ValueError(f"alpha[{c}] must be non-negative and finite, got {prices[c]}.")
    return prices


def _earned(problem: SplitProblem, alpha: FloatArray) -> FloatArray:
    """Return what each possible position earns at prices ``alpha``."""
    return np.asarray(
        problem.value[problem.possible] - certificates.priced_usage(problem, alpha)[0]
    )


def theta(problem: SplitProblem, alpha: npt.ArrayLike) -> float:
    """Return the dual function at ``alpha``.

    Parameters
    ----------
    problem
        The instance.
    alpha
        Prices, shape ``(n_limits,)``, non-negative; a number for a single limit.

    Returns
    -------
    float
        In units of value. ``-inf`` if no position is possible, ``inf`` if ``alpha`` puts a price
        on a row without limit.
    """
    return float(_earned(problem, checked_prices(problem, alpha)).max(initial=-np.inf))


def support(problem: SplitProblem, alpha: npt.ArrayLike) -> tuple[int, ...]:
    """Return the positions where the maximum of theta is reached, to 1e-9 of its terms."""
    prices = checked_prices(problem, alpha)
    earned = _earned(problem, prices)
    if not earned.size:
        return ()
    size = np.abs(problem.value[problem.possible]) + certificates.priced_usage(problem, prices)[1]
    best = int(np.argmax(earned))
    near = (earned >= earned[best] - TIE * np.minimum(size, size[best])) | (earned == earned[best])
    return tuple(np.flatnonzero(problem.possible)[near].tolist())


def subgradient(problem: SplitProblem, alpha: npt.ArrayLike) -> FloatArray:
    """Return what the first position of the maximum leaves of each limit, ``(n_limits,)``.

    0 in a row without limit, whose price is always 0.

    Raises
    ------
    ValueError
        If no position is possible: theta is ``-inf`` everywhere.
    """
    earned = _earned(problem, checked_prices(problem, alpha))
    if not earned.size:
        raise ValueError("theta is -inf: every position has an infinite usage.")
    slack = problem.slack(np.flatnonzero(problem.possible)[int(np.argmax(earned))])
    return np.where(np.isinf(problem.limits), 0.0, slack)


def _scales(problem: SplitProblem) -> tuple[float, FloatArray, FloatArray]:
    """Return a unit of the values, units of the limits, and the excess in these (finite)."""
    value = power_of_two(float(np.abs(problem.value[problem.possible]).max(initial=0.0)))
    excess = np.where(np.isinf(problem.limits)[:, None], 0.0, problem.excess[:, problem.possible])
    units = np.ones(problem.n_limits)
    for c, row in enumerate(np.abs(excess)):
        if (row > 0).any():
            units[c] = power_of_two(float(np.median(row[row > 0])))
    return value, units, excess / units[:, None]


def minimise(problem: SplitProblem) -> DualMinimum:
    r"""Minimise theta exactly, as a linear program, with rows in units near one.

    .. math:: \min_{t, \alpha \ge 0} t \quad\text{s.t.}\quad
        t + \sum_c \alpha_c (u_{cj} - L_c) \ge f_j \;\; \forall j

    Its dual is the relaxation of AGG. If that is infeasible, the prices returned are a ray of
    the program above along which t falls.
    """
    from optedge.bridge import Arrays, solve_arrays

    optimum = float(problem.value[problem.feasible].max(initial=-np.inf))
    unit, units, excess = _scales(problem)
    columns, prices = excess.T, np.zeros(problem.n_limits)
    prices.setflags(write=False)
    if not columns.size:
        return DualMinimum(prices, -math.inf, (), optimum, -math.inf)
    n, free = len(columns), np.zeros(problem.n_limits)
    least = solve_arrays(
        Arrays(
            cost=np.concatenate([[1.0], free]),
            matrix=np.column_stack([np.ones(n), columns]),
            row_lower=problem.value[problem.possible] / unit,
            row_upper=np.inf,  # type: ignore[arg-type]  # repeated by Arrays
            lower=np.concatenate([[-np.inf], free]),
            upper=np.inf,  # type: ignore[arg-type]
            integer=False,  # type: ignore[arg-type]
        )
    )
    if least.x is not None and least.status == "optimal":
        prices = np.maximum(0.0, least.x[1:]) * unit / units
    else:
        ray = solve_arrays(
            Arrays(
                cost=np.concatenate([[1.0], free]),
                matrix=np.vstack(
                    [np.column_stack([-np.ones(n), columns]), np.concatenate([[0.0], free + 1])]
                ),
                row_lower=np.concatenate([np.zeros(n), [1.0]]),
                row_upper=np.concatenate([np.full(n, np.inf), [1.0]]),
                lower=np.concatenate([[-np.inf], free]),
                upper=np.inf,  # type: ignore[arg-type]
                integer=False,  # type: ignore[arg-type]
                maximise=True,
            )
        )
        direction = prices if ray.x is None else np.maximum(0.0, ray.x[1:]) / units
        direction = np.where(np.isinf(problem.limits), 0.0, direction)
        if certificates.make(problem, certificates.FARKAS, direction).value == math.inf:
            direction.setflags(write=False)
            return DualMinimum(direction, -math.inf, (), optimum, -math.inf)
    prices.setflags(write=False)
    rounded = certificates.safe_theta(problem, prices)
    value = theta(problem, prices)
    whole = certificates.whole_values(problem)
    return DualMinimum(
        alpha=prices,
        theta=value,
        support=support(problem, prices),
        optimum=optimum,
        rounded=math.floor(rounded) if whole else value,
    )


def price_units(problem: SplitProblem) -> FloatArray:
    """Return the range of the values over a typical excess of each limit, ``(n_limits,)``."""
    value = problem.value[problem.possible]
    spread = float(np.ptp(value)) if value.size else 0.0
    return (spread or 1.0) / _scales(problem)[1]


def priced(problem: SplitProblem, alpha: npt.ArrayLike) -> Priced:
    """Return the positions that earn most at ``alpha``, and what these prices prove.

    Rows without limit have no price and no excess. If every position is impossible, one of them
    is returned, with a certificate that there is no solution.
    """
    prices = np.where(np.isinf(problem.limits), 0.0, checked_prices(problem, alpha))
    best = support(problem, prices)
    certificate = certificates.make(problem, certificates.FARKAS, prices)
    if certificate.value != math.inf:
        whole = certificates.whole_values(problem)
        kind = certificates.ROUNDED if whole else certificates.PRICES
        certificate = certificates.make(problem, kind, prices)
    rows = np.isfinite(problem.limits)[:, None]
    return Priced(
        solutions=tuple(np.array([j], dtype=np.int64) for j in best),
        costs=0.0 - problem.value[list(best)],
        excess=np.where(rows, problem.excess[:, list(best)], 0.0).T,
        certificate=certificate,
    )


def hull_positions(problem: SplitProblem, limit: int | str = 0) -> tuple[int, ...]:
    """Return the positions on the rising part of the upper concave hull of (usage, value).

    Exactly these are proposed by some price of that limit alone: at an infinite price the one of
    least usage, at price 0 the most valuable, and positions inside an edge of the hull by the
    slope of that edge.

    Parameters
    ----------
    problem
        The instance.
    limit
        Number or name of the limit.
    """
    c = problem.limit_index(limit)
    positions = np.flatnonzero(problem.possible)
    used, value = problem.usage[c, positions], problem.value[positions]
    if not positions.size:
        return ()
    hull: list[int] = []
    for k in np.lexsort((-value, used)).tolist():
        if hull and value[k] <= value[hull].max():
            continue  # more usage for no more value
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            rise = (value[b] - value[a]) * (used[k] - used[a])
            if rise > (value[k] - value[a]) * (used[b] - used[a]):
                break
            hull.pop()
        hull.append(k)
    height = np.interp(used, used[hull], value[hull])
    on = (used <= used[hull[-1]]) & (height - value <= 1e-12 * np.abs(value[hull]).max())
    return tuple(positions[on].tolist())

r"""The relaxation of a split, solved by cvxpy, with its Karush-Kuhn-Tucker conditions checked.

With y on the simplex and G the rows of the encoding, :math:`G y \le h`, the Lagrangian is
:math:`f^T y - \alpha^T (G y - h) + \nu (1 - 1^T y) + \mu^T y`, and y is optimal if and only if
multipliers :math:`\alpha, \mu \ge 0` and :math:`\nu` satisfy

.. math::

   f_j - \sum_c \alpha_c G_{cj} - \nu + \mu_j = 0, \qquad
   \alpha_c (G y - h)_c = 0, \qquad \mu_j y_j = 0,

so that y > 0 only where :math:`f_j - \alpha^T G_j` is largest, and :math:`\nu` is that maximum.
A row of AGG can be written with the limit on the right, :math:`G = u, h = L`, or inside,
:math:`G = u - L, h = 0`; on the simplex that is the same row, yet :math:`\nu` differs by
:math:`\alpha^T L`.

Source: Xu et al., EURASIP J. Wireless Com. Network. 2020:211, eq. (23). Departure: the paper
differentiates by the integer j; only this relaxation gives the conditions a meaning.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.accuracy import InfeasibleError
from optedge.formulations.base import FloatArray, IntArray, power_of_two

if TYPE_CHECKING:
    from optedge.formulations.split.problem import SplitProblem

ROWS = ("usage <= limit", "usage - limit <= 0")
NEGLIGIBLE = 1e-7  # shares and differences of earnings below this count as 0


@dataclasses.dataclass(frozen=True, eq=False)
class KktReport:
    """An optimal point of the relaxation, its multipliers, and how well they fit.

    Multipliers are in the units of the instance, residuals in those in which it was solved: rows
    divided by their size, values by theirs.

    Parameters
    ----------
    encoding
        ``"agg"`` or ``"dis"``.
    row
        How the rows of ``"agg"`` were written; ``"dis"`` has one way only.
    limit_names
        The names of the limits.
    y
        The share of each position, shape ``(n_positions,)``.
    alpha
        Multipliers of the rows, non-negative: for ``"agg"`` the price of each limit, shape
        ``(n_limits,)``, 0 where there is no limit; for ``"dis"`` the multiplier of each forbidden
        position, shape ``(n_positions,)``, 0 for the others (not unique).
    nu
        Multiplier of ``sum(y) == 1``, as the rows were written.
    nus
        The same for both ways to write the rows of ``"agg"``; both are right.
    mu
        Multipliers of ``y >= 0``, shape ``(n_positions,)``; NaN for a position of infinite usage,
        which ``"agg"`` leaves out.
    value
        The maximum, f^T y.
    primal_residual
        Largest violation of ``G y <= h``, ``sum(y) == 1`` and ``y >= 0``.
    dual_residual
        Largest violation of ``alpha >= 0`` and ``mu >= 0``.
    stationarity_residual
        Largest absolute value of ``f - G^T alpha - nu + mu``.
    complementarity_residual
        Largest absolute value of ``alpha (G y - h)`` and ``mu y``.
    support
        The positions with a share.
    argmax
        The positions where ``f - G^T alpha`` is largest; they hold the support.
    """

    encoding: str
    row: str
    limit_names: tuple[str, ...]
    y: FloatArray
    alpha: FloatArray
    nu: float
    nus: Mapping[str, float]
    mu: FloatArray
    value: float
    primal_residual: float
    dual_residual: float
    stationarity_residual: float
    complementarity_residual: float
    support: tuple[int, ...]
    argmax: tuple[int, ...]

    @property
    def residuals(self) -> dict[str, float]:
        """The four residuals by the name of their condition."""
        return {
            "primal feasibility": self.primal_residual,
            "dual feasibility": self.dual_residual,
            "stationarity": self.stationarity_residual,
            "complementary slackness": self.complementarity_residual,
        }

    def __str__(self) -> str:
        shares = ", ".join(f"y[{j}] = {self.y[j]:.6g}" for j in self.support)
        if self.encoding == "agg":
            named = [f"{n}: {a:.6g}" for n, a in zip(self.limit_names, self.alpha, strict=True)]
        else:
            named = [f"position {j}: {self.alpha[j]:.6g}" for j in np.flatnonzero(self.alpha)]
        lines = [
            f"relaxation {self.encoding}, maximum {self.value:.9g}",
            f"  shares       {shares}",
            f"  alpha        {', '.join(named) or 'all 0'}",
            *(f"  nu           {nu:.6g} if a row reads {row}" for row, nu in self.nus.items()),
            f"  mu           {', '.join(f'{m:.6g}' for m in self.mu)}",
            f"  argmax       {', '.join(map(str, self.argmax))}",
            *(f"  {name:<24} {size:.1e}" for name, size in self.residuals.items()),
        ]
        return "\n".join(lines)


def relaxation(
    problem: SplitProblem, encoding: str = "agg", row: str = "usage <= limit"
) -> KktReport:
    """Maximise the value over the simplex with cvxpy and report the KKT conditions.

    Parameters
    ----------
    problem
        The instance.
    encoding
        ``"agg"``: one row a limit. ``"dis"``: one row a position that breaks a limit.
    row
        How the rows of ``"agg"`` are written: ``"usage <= limit"`` or ``"usage - limit <= 0"``.

    Returns
    -------
    KktReport
        Solved in units near one, reported in those of the instance.

    Raises
    ------
    ValueError
        If ``encoding`` or ``row`` is none of these.
    InfeasibleError
        If no mixture of positions meets the rows.
    """
    if encoding not in problem.kinds:
        raise ValueError(f"encoding must be one of {problem.kinds}, got {encoding!r}.")
    if row not in ROWS:
        raise ValueError(f"row must be one of {ROWS}, got {row!r}.")
    agg, n = encoding == "agg", problem.n_positions
    columns = np.flatnonzero(problem.possible) if agg else np.arange(n)
    unit = power_of_two(float(np.abs(problem.value[columns]).max(initial=0.0)))
    value = problem.value[columns] / unit
    if agg:
        rows = np.flatnonzero(np.isfinite(problem.limits))
        left, right, sizes = _limit_rows(problem, rows, columns, row)
    else:
        rows = np.flatnonzero(~problem.feasible)
        left, right, sizes = np.eye(n)[rows], np.zeros(rows.size), np.ones(rows.size)
    if not columns.size:
        raise InfeasibleError(problem.explain())
    y, a, nu, mu = _solve(problem, value, left, right)

    earned = value - left.T @ a
    slack = left @ y - right
    alpha = np.zeros(problem.n_limits if agg else n)
    alpha[rows] = a * unit / sizes
    shares, multipliers = np.zeros(n), np.full(n, np.nan)
    shares[columns], multipliers[columns] = y, mu * unit
    shift = float(alpha[rows] @ problem.limits[rows]) if agg else 0.0
    multiplier = unit * nu
    other = multiplier + (shift if row == ROWS[0] else -shift)
    best = earned >= earned.max() - NEGLIGIBLE * max(1.0, float(np.abs(left.T @ a).max()))
    return KktReport(
        encoding=encoding,
        row=row if agg else "",
        limit_names=problem.limit_names,
        y=shares,
        alpha=alpha,
        nu=multiplier,
        nus={form: multiplier if form == row else other for form in ROWS} if agg else {},
        mu=multipliers,
        value=unit * float(value @ y),
        primal_residual=max(
            0.0, float(slack.max(initial=0.0)), abs(math.fsum(y) - 1.0), -float(y.min())
        ),
        dual_residual=max(0.0, -float(a.min(initial=0.0)), -float(mu.min())),
        stationarity_residual=float(np.abs(earned - nu + mu).max()),
        complementarity_residual=max(
            float(np.abs(a * slack).max(initial=0.0)), float(np.abs(mu * y).max())
        ),
        support=tuple(columns[y > NEGLIGIBLE].tolist()),
        argmax=tuple(columns[best].tolist()),
    )


def _limit_rows(
    problem: SplitProblem, rows: IntArray, columns: IntArray, row: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return left and right sides of the rows of AGG, divided by their sizes, and these."""
    left, right = problem.usage[np.ix_(rows, columns)], problem.limits[rows]
    if row == ROWS[1]:
        left, right = left - right[:, None], np.zeros(rows.size)
    entries = np.abs(np.column_stack([left, right]))
    sizes = np.array([power_of_two(float(size)) for size in entries.max(axis=1, initial=0.0)])
    return left / sizes[:, None], right / sizes, sizes


def _solve(
    problem: SplitProblem, value: FloatArray, left: FloatArray, right: FloatArray
) -> tuple[FloatArray, FloatArray, float, FloatArray]:
    """Return y, alpha, nu and mu of the maximisation, as cvxpy's duals of its constraints."""
    import cvxpy as cp

    y = cp.Variable(value.size)
    one, positive = cp.sum(y) == 1, y >= 0
    limited = [left @ y <= right] if right.size else []
    program = cp.Problem(cp.Maximize(value @ y), [one, positive, *limited])
    installed = cp.installed_solvers()
    program.solve(solver="HIGHS" if "HIGHS" in installed else "CLARABEL")
    if y.value is None:
        if program.status in ("infeasible", "infeasible_inaccurate"):
            raise InfeasibleError(problem.explain())
        raise RuntimeError(f"cvxpy ended with {program.status}.")
    alpha: Any = limited[0].dual_value if limited else np.zeros(0)
    return (
        np.asarray(y.value, dtype=np.float64) + 0.0,  # no -0.0
        np.atleast_1d(np.asarray(alpha, dtype=np.float64)),
        float(np.asarray(one.dual_value).item()),
        np.atleast_1d(np.asarray(positive.dual_value, dtype=np.float64)),
    )

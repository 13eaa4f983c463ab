r"""The bound that every linear model gives: multipliers of its rows, valued by weak duality.

For the explicit model without integrality, :math:`\min c^T x + c_0` with
:math:`r^l \le A x \le r^u` and :math:`l \le x \le u`, every vector y proves

.. math::

   \sum_i \big( r^l_i y_i^+ - r^u_i y_i^- \big)
   + \sum_j \min_{l_j \le x_j \le u_j} (c - A^T y)_j \, x_j + c_0 .

Arithmetic is safe: each coefficient stands for the interval of its rounding errors, the sum is
exact and rounded down (Neumaier, Shcherbina, Math. Programming 99, 2004). A variable without an
upper bound needs a coefficient of the right sign, to the last digit: bounds that the rows imply are
used too, and multipliers are shrunk a little where that does not do. Problems that know better
multipliers than those of HiGHS, or a form without a model, have certificates of their own.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base.arrays import FloatArray
from optedge.formulations.base.proofs import Bound, Certificate

if TYPE_CHECKING:
    from optedge.formulations.base.problem import Problem

KIND = "rows"
UNIT = 2.0**-52
SWEEPS = 3  # of implied bounds
SHRINKS = (0.0, 1e-12, 1e-9, 1e-6)


def lp_bound(problem: Problem) -> Bound:
    """Return the bound of the first explicit model without integrality, with its certificate.

    Raises
    ------
    ValueError
        If the model is not linear, or is maximised: objectives are minimised.
    """
    from optedge.bridge import solve_arrays

    relaxed = _relaxation(problem)
    found = solve_arrays(relaxed)
    if found.status == "infeasible":
        return Bound("LP", math.inf)
    if found.row_duals is None:
        return Bound("LP", -math.inf)
    boxes = _implied_bounds(relaxed)
    tried = [(1.0 - shrink) * found.row_duals for shrink in SHRINKS]
    values = [_value(relaxed, boxes, y) for y in tried]
    best = int(np.argmax(values))
    if values[best] == -math.inf:  # what HiGHS says stands alone
        return Bound("LP", found.objective)
    certificate = Certificate(KIND, values[best], {"multipliers": tried[best]})
    return Bound("LP", values[best], certificate)


def certify(problem: Problem, certificate: Certificate) -> float:
    """Return the bound that multipliers of the rows of the first explicit model prove.

    The model is built anew; its rows are in the order in which Pyomo compiles them.

    Raises
    ------
    ValueError
        If there is not one finite multiplier a row.
    """
    relaxed = _relaxation(problem)
    y = certificate.arrays.get("multipliers")
    rows = relaxed.matrix.shape[0]
    if y is None or y.shape != (rows,) or not np.isfinite(y).all():
        raise ValueError(f"certificate {KIND!r} needs the array 'multipliers' of {rows} numbers.")
    return _value(relaxed, _implied_bounds(relaxed), y)


def _relaxation(problem: Problem) -> Any:
    """Return the arrays of the first explicit model, every variable continuous."""
    from optedge.bridge import compile_model

    arrays = compile_model(problem.model(problem.kinds[0])).arrays
    if arrays.maximise:
        raise ValueError(
            f"the model {problem.kinds[0]!r} of {type(problem).__name__} is maximised; objectives "
            "are minimised."
        )
    return dataclasses.replace(arrays, integer=np.zeros(arrays.cost.size, bool))


def dual_value(lp: Any, y: FloatArray) -> float:
    """Return the bound that multipliers of the rows prove, rounded safely downwards.

    Parameters
    ----------
    lp
        A program that is minimised (``optedge.bridge.Arrays``); integrality is left out.
    y
        A multiplier a row, finite; its sign says which side of the row it is for.
    """
    return _value(lp, (lp.lower, lp.upper), y)


def _value(lp: Any, boxes: tuple[FloatArray, FloatArray], y: FloatArray) -> float:
    """Return the bound of multipliers ``y``, rounded safely downwards."""
    # A multiplier of a side that a row does not have proves nothing: it counts as 0.
    sides = np.where(y > 0, lp.row_lower, lp.row_upper)
    y = np.where(np.isfinite(sides), y, 0.0)
    terms = [y * np.where(y == 0, 0.0, sides)]

    entries = np.diff(lp.matrix.indptr)
    reduced = lp.cost - lp.matrix.T @ y
    error = (entries + 2) * UNIT * (np.abs(lp.cost) + abs(lp.matrix).T @ np.abs(y))
    ends = [_least(reduced - error, *boxes), _least(reduced + error, *boxes)]
    terms.append(np.minimum(*ends))
    terms.append(np.array([lp.offset]))
    every = np.concatenate(terms)
    if np.isneginf(every).any():
        return -math.inf
    return math.fsum(every) - 4 * UNIT * math.fsum(np.abs(every))


def _least(slope: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return the least of ``slope * x`` over each box; concave in the slope."""
    end = np.where(slope > 0, lower, upper)
    with np.errstate(invalid="ignore"):
        return np.where(slope == 0, 0.0, slope * end)


def _implied_bounds(lp: Any) -> tuple[FloatArray, FloatArray]:
    """Return bounds of the variables that hold in every feasible point, rounded outwards.

    Only what has no bound of its own gets one: row by row, from the bounds of the others.
    """
    lower, upper = lp.lower.copy(), lp.upper.copy()
    matrix = lp.matrix.tocoo()
    i, j, a = matrix.row, matrix.col, matrix.data
    rows = lp.matrix.shape[0]
    for _ in range(SWEEPS):
        wanted = np.isinf(lower[j]) | np.isinf(upper[j])
        if not wanted.any():
            break
        # The least and the largest that each entry can be, and the sums over the others.
        with np.errstate(invalid="ignore"):
            least = np.where(a > 0, a * lower[j], a * upper[j])
            most = np.where(a > 0, a * upper[j], a * lower[j])
        for side, slack in ((least, lp.row_upper), (-most, -lp.row_lower)):
            # a x + (the others) <= slack for the first, -a x - (the others) <= slack for the second
            sign = 1.0 if side is least else -1.0
            free = np.bincount(i, np.isinf(side), rows)
            finite = np.where(np.isinf(side), 0.0, side)
            total, size = np.bincount(i, finite, rows), np.bincount(i, np.abs(finite), rows)
            alone = free[i] - np.isinf(side) == 0
            use = wanted & alone & np.isfinite(slack[i])
            rest = slack[i] - (total[i] - finite)
            rest += (np.bincount(i, minlength=rows)[i] + 4) * UNIT * (size[i] + np.abs(slack[i]))
            limit = rest[use] / (sign * a[use])
            limit += np.sign(sign * a[use]) * 4 * UNIT * np.abs(limit)
            above = sign * a[use] > 0
            new_upper, new_lower = np.full(upper.size, np.inf), np.full(lower.size, -np.inf)
            np.minimum.at(new_upper, j[use][above], limit[above])
            np.maximum.at(new_lower, j[use][~above], limit[~above])
            upper = np.where(np.isinf(upper), new_upper, upper)
            lower = np.where(np.isinf(lower), new_lower, lower)
    return lower, upper

r"""Certificates of split bounds: prices of the limits, or the limit that each position breaks.

For prices :math:`\alpha \ge 0` no feasible position earns more than

.. math:: \theta(\alpha) = \max_j \; f_j - \sum_c \alpha_c (u_{cj} - L_c),

the maximum over the positions of finite usage; if all f are whole, no more than
:math:`\lfloor \theta(\alpha) \rfloor`. If :math:`\sum_c \alpha_c (u_{cj} - L_c) > 0` for all j,
not even a mixture of positions meets the limits (Farkas). A list of one broken limit a position
proves the largest value of those left. Bounds are negated, since everything is minimised.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate, FloatArray

if TYPE_CHECKING:
    from optedge.formulations.split.problem import SplitProblem

PRICES, ROUNDED, FARKAS, EXCLUSIONS = "prices", "rounded prices", "Farkas prices", "exclusions"
ALLOWED = -1  # in a certificate of exclusions: this position is not excluded


def whole_values(problem: SplitProblem) -> bool:
    """Tell whether every position of finite usage earns a whole number."""
    value = problem.value[problem.possible]
    return bool((value == np.floor(value)).all())


def priced_usage(problem: SplitProblem, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what the excess of each possible position costs at prices ``alpha``.

    Returns
    -------
    tuple
        The cost (n_possible,), and the sum of the absolute values of its terms. A price on a row
        without limit costs ``-inf``.
    """
    used = alpha > 0
    with np.errstate(over="ignore", invalid="ignore"):
        terms = alpha[used, None] * problem.excess[np.ix_(used, problem.possible)]
        return terms.sum(axis=0), np.abs(terms).sum(axis=0)


def rounding(problem: SplitProblem) -> float:
    """Return the relative error of a sum of priced excesses, generously."""
    return (problem.n_limits + 6) * 2.0**-53


def safe_theta(problem: SplitProblem, alpha: FloatArray) -> float:
    """Return theta at ``alpha``, rounded safely upwards; ``-inf`` if no position is possible."""
    value = problem.value[problem.possible]
    cost, size = priced_usage(problem, alpha)
    size = np.where(size > 0, np.abs(value) + size, 0.0)  # the value alone is exact
    with np.errstate(invalid="ignore"):
        upper = value - cost + rounding(problem) * size
    return float(np.where(np.isnan(upper), np.inf, upper).max(initial=-np.inf))


def certify(problem: SplitProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance.
    certificate
        Of kind ``"prices"``, ``"rounded prices"`` or ``"Farkas prices"`` (array ``alpha``,
        (n_limits,)), or ``"exclusions"`` (array ``limit``, (n_positions,): the number of a limit
        that the position breaks, or -1; a limit that it does not break excludes nothing).

    Raises
    ------
    ValueError
        If the kind is unknown, an array is missing, of the wrong shape, holds a negative price, one
        that is not finite or a limit that does not exist, or if values that are not whole are
        to be rounded.
    """
    if certificate.kind not in (PRICES, ROUNDED, FARKAS, EXCLUSIONS):
        raise ValueError(f"SplitProblem knows no certificate {certificate.kind!r}.")
    if certificate.kind == EXCLUSIONS:
        return _certify_exclusions(problem, certificate)
    alpha = certificate.arrays.get("alpha", np.zeros(0))
    if alpha.shape != (problem.n_limits,) or not np.isfinite(alpha).all() or (alpha < 0).any():
        raise ValueError(
            f"certificate array 'alpha' must be ({problem.n_limits},), finite and non-negative."
        )
    if certificate.kind == FARKAS:
        cost, size = priced_usage(problem, alpha)
        with np.errstate(invalid="ignore"):
            proved = (cost - rounding(problem) * size > 0).all()
        return math.inf if proved else -math.inf
    theta = safe_theta(problem, alpha)
    if certificate.kind == PRICES:
        return 0.0 - theta
    if not whole_values(problem):
        raise ValueError("rounded prices prove nothing here: some value is not whole.")
    return 0.0 - float(np.floor(theta))


def _certify_exclusions(problem: SplitProblem, certificate: Certificate) -> float:
    n = problem.n_positions
    named = certificate.arrays.get("limit", np.zeros(0))
    right = named.shape == (n,) and bool(np.isin(named, np.arange(-1, problem.n_limits)).all())
    if not right:
        raise ValueError(
            f"certificate array 'limit' must be ({n},), each entry a limit from 0 to "
            f"{problem.n_limits - 1}, or -1."
        )
    limit = named.astype(np.int64)
    broken = (limit != ALLOWED) & (problem.excess[limit, np.arange(n)] > 0)
    return 0.0 - float(problem.value[~broken].max(initial=-np.inf))


def make(problem: SplitProblem, kind: str, array: FloatArray) -> Certificate:
    """Return the certificate of a kind, valued."""
    bare = Certificate(kind, 0.0, {"limit" if kind == EXCLUSIONS else "alpha": array})
    return dataclasses.replace(bare, value=certify(problem, bare))


def exclusions(problem: SplitProblem) -> Certificate:
    """Return the certificate that names for each position the first limit it breaks, if any."""
    first = np.argmax(problem.excess > 0, axis=0)
    return make(problem, EXCLUSIONS, np.where(problem.feasible, float(ALLOWED), first))


def bound(problem: SplitProblem, name: str) -> Bound:
    """Return a bound of ``SplitProblem.bound_names``.

    ``"LP"``: the relaxation of AGG, as the least theta. ``"rounded"``: that, rounded, if all values
    are whole. ``"DIS"``: the relaxation of DIS, which is the optimum; it needs no linear program.
    """
    if name == "DIS":
        certificate = exclusions(problem)
    else:
        found = problem.minimise_dual()
        kind = ROUNDED if name == "rounded" and whole_values(problem) else PRICES
        if found.theta == -math.inf:
            kind = FARKAS
        certificate = make(problem, kind, found.alpha)
    return Bound(name, certificate.value, certificate)

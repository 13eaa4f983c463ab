r"""Certificates of cut bounds: what flows, and what it proves by weak duality.

With stage weights :math:`\omega \ge 0` (all 1 for the latency, a sum of 1 for the slowest stage),
multipliers :math:`y` of the rows ``no_return`` and :math:`f` of ``spread``, all non-negative, and
:math:`F^k_v = \sum_w f^k_{vw}`, what leaves v over hop k, each layer chooses its tier alone:

.. math::

   \text{bound} = \sum_v \min_{j} \Big( t^j_v + \sum_{k=1}^{j} a^k_v \Big)
   + \sum_{k, v} \min(0, s^k_v - F^k_v),
   \qquad
   a^k_v = \sum_u f^k_{uv} - \min(s^k_v, F^k_v) + \sum_w y^k_{vw} - \sum_u y^k_{uv}

(times and sends weighted; layer 0 has tier 0). The multipliers of ``stay`` and ``no_link`` are the
best for f, and those of ``deeper`` the best for all others, in closed form. Every choice of y and f
proves a bound, a maximum flow the optimum.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import Certificate, FloatArray, simplex_weights

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


def certify(problem: CutProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, in seconds, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance.
    certificate
        Of kind ``"flow"`` for the latency or ``"stages"`` for the throughput, with the arrays
        ``no_return`` and ``spread`` (n_hops, n_edges), and for ``"stages"`` ``weights``
        (2 n_tiers - 1,), summing to 1.

    Raises
    ------
    ValueError
        If the kind does not fit the goal, or an array is missing, of the wrong shape, negative or
        not finite.
    """
    kind = "flow" if problem.goal == "latency" else "stages"
    if certificate.kind != kind:
        raise ValueError(
            f"a bound on the {problem.goal} needs a certificate {kind!r}, got {certificate.kind!r}."
        )
    tiers, shape = problem.n_tiers, (problem.n_tiers - 1, len(problem.edges))
    for name in ("no_return", "spread"):
        array = certificate.arrays.get(name)
        if array is None or array.shape != shape:
            raise ValueError(f"certificate array {name!r} must have shape {shape}.")
        if not np.isfinite(array).all() or (array < 0).any():
            raise ValueError(f"certificate array {name!r} must be non-negative and finite.")
    weights = np.ones(2 * tiers - 1)
    if kind == "stages":
        weights = simplex_weights(certificate, {"weights": (2 * tiers - 1,)})
        weights = weights / math.fsum(weights) * (1 - 2.0**-51)  # at most 1 in all
    return _value(problem, weights, certificate.arrays)


def _value(problem: CutProblem, weights: FloatArray, arrays: Mapping[str, FloatArray]) -> float:
    tiers, n = problem.n_tiers, problem.n_layers
    v, w = problem.edges.T
    times = weights[:tiers, None] * problem.times
    with np.errstate(invalid="ignore"):
        sends = np.where(np.isinf(problem.sends), np.inf, weights[tiers:, None] * problem.sends)
    # No number takes part in more than `longest` roundings.
    degrees = max(len(row) for row in problem.successors), np.bincount(w).max(initial=0)
    unit = (8 + tiers + sum(map(int, degrees))) * 2.0**-52
    # The cost of each layer if it runs on tier j, rounded down, and the least of these so far.
    least = times[0].copy()
    beyond, size = np.zeros(n), np.zeros(n)
    terms = []
    for k in range(tiers - 1):
        back, spread = arrays["no_return"][k], arrays["spread"][k]
        leaves, enters = np.bincount(v, spread, n), np.bincount(w, spread, n)
        away, home = np.bincount(v, back, n), np.bincount(w, back, n)
        beyond += enters - np.minimum(sends[k], leaves) + away - home
        size += enters + leaves + away + home
        cost = times[k + 1] + beyond - unit * (times[k + 1] + size)
        least[1:] = np.minimum(least, cost)[1:]
        terms.append(np.minimum(0.0, sends[k] - leaves * (1 + unit)))
    total = math.fsum(np.concatenate([least, *terms]))
    return max(0.0, total - 2.0**-50 * abs(total))


def make(problem: CutProblem, weights: FloatArray | None, **arrays: FloatArray) -> Certificate:
    """Return the certificate of multipliers: clipped at 0 and valued."""
    clipped = {name: np.maximum(0.0, array) for name, array in arrays.items()}
    if weights is not None:
        clipped["weights"] = weights
    bare = Certificate("flow" if weights is None else "stages", 0.0, clipped)
    return dataclasses.replace(bare, value=certify(problem, bare))


def from_duals(problem: CutProblem, duals: Mapping[str, Any], unit: float) -> Certificate:
    """Return the certificate in the duals of the solved latency model, in units of ``unit``."""
    hops, edges = range(1, problem.n_tiers), problem.edges.tolist()

    def rows(name: str) -> FloatArray:
        found = np.array([[duals[name][k, v, w] for v, w in edges] for k in hops])
        return np.asarray(-unit * found.reshape(len(hops), len(edges)))

    return make(problem, None, no_return=rows("no_return"), spread=rows("spread"))

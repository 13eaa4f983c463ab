r"""Certificates of cut bounds: what flows, and what it proves by weak duality.

With stage weights :math:`\omega \ge 0` (all 1 for the latency, a sum of 1 for the slowest stage),
multipliers :math:`y` of the rows ``no_return``, :math:`f` of ``spread``, :math:`g` of ``deeper``,
all non-negative, and :math:`F^k_v = \sum_w f^k_{vw}`, what leaves v over hop k,

.. math::

   \text{bound} = \omega_0 \sum_v t^0_v + \sum_{k, v} \min(0, s^k_v - F^k_v)
   + \sum_{k, v \ne 0} \min(0, r^k_v),

where :math:`r^k_v = t^k_v - t^{k-1}_v - \min(s^k_v, F^k_v) + \sum_u f^k_{uv}
+ \sum_w y^k_{vw} - \sum_u y^k_{uv} + g^{k-1}_v - g^k_v` (times and sends weighted) is the reduced
cost of :math:`p^k_v`; the multipliers of ``stay`` and ``no_link`` are the best for f, in closed
form. Every choice proves a bound, a maximum flow the optimum.
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
        ``no_return`` and ``spread`` (n_hops, n_edges), with three tiers or more ``deeper``
        (n_hops - 1, n_layers), and for ``"stages"`` ``weights`` (2 n_tiers - 1,), summing to 1.

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
    tiers, n, edges = problem.n_tiers, problem.n_layers, len(problem.edges)
    shapes = {"no_return": (tiers - 1, edges), "spread": (tiers - 1, edges)}
    if tiers > 2:
        shapes["deeper"] = (tiers - 2, n)
    for name, shape in shapes.items():
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
    longest = 8 + max(len(row) for row in problem.successors) + int(np.bincount(w).max(initial=0))
    terms = [times[0]]
    for k in range(tiers - 1):
        back, spread = arrays["no_return"][k], arrays["spread"][k]
        leaves, enters = np.bincount(v, spread, n), np.bincount(w, spread, n)
        away, home = np.bincount(v, back, n), np.bincount(w, back, n)
        reduced = times[k + 1] - times[k] - np.minimum(sends[k], leaves) + enters + away - home
        size = times[k + 1] + times[k] + leaves + enters + away + home
        if k > 0:
            reduced += arrays["deeper"][k - 1]
            size += arrays["deeper"][k - 1]
        if k < tiers - 2:
            reduced -= arrays["deeper"][k]
            size += arrays["deeper"][k]
        terms.append(np.minimum(0.0, reduced - longest * 2.0**-52 * size)[1:])
        terms.append(np.minimum(0.0, sends[k] - leaves * (1 + longest * 2.0**-52)))
    total = math.fsum(np.concatenate(terms))
    return max(0.0, total - 2.0**-50 * abs(total))


def make(problem: CutProblem, weights: FloatArray | None, **arrays: FloatArray) -> Certificate:
    """Return the certificate of multipliers: clipped at 0 and valued."""
    clipped = {name: np.maximum(0.0, array) for name, array in arrays.items()}
    if problem.n_tiers == 2:
        clipped.pop("deeper", None)
    if weights is not None:
        clipped["weights"] = weights
    bare = Certificate("flow" if weights is None else "stages", 0.0, clipped)
    return dataclasses.replace(bare, value=certify(problem, bare))


def from_duals(
    problem: CutProblem, duals: Mapping[str, Any], unit: float, cut_off: FloatArray
) -> Certificate:
    """Return the certificate in the duals of a solved latency model.

    Parameters
    ----------
    problem
        The instance.
    duals
        Of the rows of the model, by name.
    unit
        Seconds in the unit of the model.
    cut_off
        By how much the times of the instance exceed those of the model, in seconds, ``(n_tiers,
        n_layers)``. On a middle tier the row ``deeper`` takes it: it is added to both of its sides.
    """
    hops, edges = range(1, problem.n_tiers), problem.edges.tolist()

    def rows(name: str) -> FloatArray:
        return -unit * np.array([[duals[name][k, v, w] for v, w in edges] for k in hops])

    deeper = duals.get("deeper", {})
    between = range(1, problem.n_tiers - 1)
    rest = np.array([[deeper[k, v] for v in range(problem.n_layers)] for k in between])
    return make(
        problem,
        None,
        no_return=rows("no_return").reshape(len(hops), len(edges)),
        spread=rows("spread").reshape(len(hops), len(edges)),
        deeper=cut_off[1:-1] - unit * rest.reshape(len(between), problem.n_layers),
    )

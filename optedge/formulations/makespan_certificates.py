r"""Certificates of makespan bounds: multipliers, and what they prove by weak duality.

For weights :math:`w \ge 0` of the servers and :math:`s \ge 0` of the tasks with
:math:`\sum_j w_j + \sum_i s_i = 1`, and prices :math:`\mu \ge 0` of memory, every schedule has

.. math::

   C \;\ge\; \sum_j w_j r_j - \sum_j \mu_j P_j
   + \sum_i \min_{j \in E_i} \big( w_j v_{ij} + s_i (r_j + v_{ij}) + \mu_j q_i \big),

because a server is busy for its load and a task ends no earlier than the server was ready plus its
own time. With a threshold, only the pairs that end by it are in :math:`E_i`: a schedule either uses
a longer pair, and then lasts at least as long as the next longer one, or it does not, and then the
weights bound it. If the priced memory of the tasks exceeds that of the servers, there is none.

Whole prices of the tasks that refute a whole deadline are valued in ``deadlines.certificates``.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, Certificate, FloatArray, simplex_weights
from optedge.formulations.deadlines import certificates as refutations
from optedge.formulations.makespan_moves import SLACK

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem

BLOCK = 1 << 20  # entries of times that are valued at once


def allowed_pairs(problem: MakespanProblem, threshold: float) -> BoolArray:
    """Return the pairs that may be used and end by ``threshold``."""
    return problem.eligible & (problem.ready + problem.times <= threshold)


def dual_value(
    problem: MakespanProblem,
    servers: FloatArray,
    memory: FloatArray,
    tasks: FloatArray | None = None,
    threshold: float = math.inf,
) -> float:
    """Return the bound of the module's formula, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance.
    servers, memory, tasks
        The multipliers w (n_servers,), mu (n_servers,) and s (n_tasks,); all non-negative.
    threshold
        Only pairs that end by this time are allowed (seconds).

    Returns
    -------
    float
        Seconds; ``inf`` if some task has no pair left.
    """
    terms = [servers * problem.ready]
    if problem.room is not None:
        terms.append(-memory * problem.room)
    rows = max(1, BLOCK // problem.n_servers)
    for first in range(0, problem.n_tasks, rows):
        block = slice(first, first + rows)
        times = problem.times[block]
        ends = problem.ready + times
        with np.errstate(invalid="ignore"):  # 0 * inf where a pair is not allowed anyway
            cost = servers * times
            if tasks is not None:
                cost += tasks[block, None] * ends
        if problem.memory is not None:
            cost += problem.memory[block, None] * memory
        allowed = problem.eligible[block] & (ends <= threshold)
        terms.append(np.where(allowed, cost, np.inf).min(axis=1))
    every = np.concatenate(terms)
    if np.isinf(every).any():
        return math.inf
    # Each term has at most six roundings and fsum one: eight units cover them all.
    safe = math.fsum(every) - 8 * 2.0**-53 * math.fsum(np.abs(every))
    total = math.fsum(servers) + (0.0 if tasks is None else math.fsum(tasks))
    return max(0.0, safe / total * (1 - 2.0**-52))


def next_breakpoint(problem: MakespanProblem, threshold: float) -> float:
    """Return the earliest end of a single pair after ``threshold``; ``inf`` if there is none."""
    ends = problem.ready + problem.times
    return float(ends[problem.eligible & (ends > threshold)].min(initial=math.inf))


def certify(problem: MakespanProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, in seconds.

    Parameters
    ----------
    problem
        The instance.
    certificate
        Of kind ``"weights"`` (arrays ``servers``, optionally ``tasks``; together they sum to 1),
        ``"deadline"`` (``servers``, summing to 1, and ``threshold`` of shape (1,)) or ``"memory"``
        (``memory``, summing to 1: proves that there is no solution). The first two take
        ``memory`` (n_servers,) as well. Or of kind ``"prices"``, with the arrays of
        :func:`optedge.formulations.deadlines.certificates.certify`.

    Raises
    ------
    ValueError
        If an array is missing, of the wrong shape, negative, not finite, or does not sum to 1,
        or if whole numbers are wanted and not given.
    """
    n, m = problem.n_tasks, problem.n_servers
    arrays = certificate.arrays
    if certificate.kind == "memory":
        prices = simplex_weights(certificate, {"memory": (m,)})
        return math.inf if memory_excess(problem, prices) > 0 else -math.inf
    if certificate.kind == refutations.KIND:
        return refutations.certify(problem, certificate)
    shapes: dict[str, tuple[int, ...]] = {"servers": (m,)}
    if certificate.kind == "weights" and "tasks" in arrays:
        shapes["tasks"] = (n,)
    if certificate.kind not in ("weights", "deadline"):
        raise ValueError(f"MakespanProblem knows no certificate {certificate.kind!r}.")
    simplex_weights(certificate, shapes)
    memory = arrays.get("memory", np.zeros(m))
    if memory.shape != (m,) or not np.isfinite(memory).all() or (memory < 0).any():
        raise ValueError(f"certificate array 'memory' must be ({m},), finite and non-negative.")
    if certificate.kind == "weights":
        return dual_value(problem, arrays["servers"], memory, arrays.get("tasks"))
    threshold = arrays.get("threshold", np.zeros(0))
    if threshold.shape != (1,) or np.isnan(threshold).any():
        raise ValueError("certificate array 'threshold' must hold one number of seconds.")
    value = dual_value(problem, arrays["servers"], memory, None, float(threshold[0]))
    return min(value, next_breakpoint(problem, float(threshold[0])))


def weights_certificate(
    problem: MakespanProblem,
    servers: FloatArray,
    memory: FloatArray,
    tasks: FloatArray | None = None,
    threshold: float | None = None,
) -> Certificate:
    """Return the certificate of multipliers as a solver gave them: clipped, scaled, valued."""
    servers, memory = np.maximum(servers, 0), np.maximum(memory, 0)
    tasks = None if tasks is None else np.maximum(tasks, 0)
    total = math.fsum(servers) + (0.0 if tasks is None else math.fsum(tasks))
    if total <= 0:  # every load row is slack, as when no task takes any time
        servers, total = np.full(problem.n_servers, 1 / problem.n_servers), 1.0
        memory = np.zeros(problem.n_servers)
    arrays = {"servers": servers / total}
    if problem.memory is not None:
        arrays["memory"] = memory / total
    if tasks is not None:
        arrays["tasks"] = tasks / total
    if threshold is not None:
        arrays["threshold"] = np.array([threshold])
    kind = "weights" if threshold is None else "deadline"
    bare = Certificate(kind, 0.0, arrays)
    return dataclasses.replace(bare, value=certify(problem, bare))


def memory_excess(
    problem: MakespanProblem, prices: FloatArray, threshold: float = math.inf
) -> float:
    """Return by how much the priced memory of the tasks must exceed that of the servers.

    Only pairs that end by ``threshold`` count; ``inf`` if some task has none.
    """
    if problem.memory is None or problem.room is None:
        return -math.inf
    allowed = allowed_pairs(problem, threshold)
    cheapest = np.where(allowed, problem.memory[:, None] * prices, np.inf).min(axis=1)
    if np.isinf(cheapest).any():
        return math.inf
    needed, offered = math.fsum(cheapest), math.fsum(prices * problem.room)
    return needed - offered - SLACK * max(needed, offered)

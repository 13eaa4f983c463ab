r"""Paths of tasks with the node balance Z: the model ``balance``, for chains.

The paths of ``arcs``, binary, with the layers :math:`B_{ks}` on each edge and cloud after decision
k (task by task, layer by layer) and their differences

.. math:: D_{kss'} \ge B_{ks} - B_{ks'}, \qquad D_{kss'} \ge B_{ks'} - B_{ks}

for pairs of edges and pairs of clouds: Z is their sum, over all k (``running``) or of the last one
(``final``). Exact where no pool binds, else a bound. Its linear relaxation is weak: it spreads
every layer over the servers, and Z vanishes where these are alike. Source: ours; the DDPQN paper
has Z, eq. (12), but no model.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import IntArray
from optedge.formulations.offloading.models import arcs

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def add(m: Any, problem: OffloadingProblem, relax: bool) -> None:
    """Add the path polytope of each task, counts and their differences."""
    import pyomo.environ as pyo

    arcs.add(m, problem, None if relax else pyo.Binary)
    pairs, steps = _pairs(problem), _steps(problem)
    counted = sorted({s for pair in pairs for s in pair})
    on = defaultdict(list)
    for i, j, a, b in m.Y:
        on[int(problem.first[i]) + j, b].append(m.y[i, j, a, b])
    since = dict(zip(steps, [-1, *steps[:-1]], strict=True))

    m.B = pyo.Var(steps, counted, domain=pyo.NonNegativeReals, doc="layers on s after decision k")
    m.D = pyo.Var(steps, pairs, domain=pyo.NonNegativeReals, doc="difference of two counts")
    m.count = pyo.Constraint(
        steps,
        counted,
        rule=lambda m, k, s: (
            m.B[k, s]
            == (m.B[since[k], s] if since[k] >= 0 else 0.0)
            + pyo.quicksum(y for v in range(since[k] + 1, k + 1) for y in on[v, s])
        ),
    )
    m.above = pyo.Constraint(
        steps, pairs, rule=lambda m, k, s, t: m.D[k, s, t] >= m.B[k, s] - m.B[k, t]
    )
    m.below = pyo.Constraint(
        steps, pairs, rule=lambda m, k, s, t: m.D[k, s, t] >= m.B[k, t] - m.B[k, s]
    )
    unit = problem.data.weights.balance / m.unit
    m.flow_time.set_value(m.flow_time.expr + unit * pyo.quicksum(m.D.values()))


def fill(problem: OffloadingProblem, m: Any, servers: IntArray) -> None:
    """Write the servers of a plan into the variables."""
    arcs.fill(problem, m, servers)
    on = servers[:, None] == np.arange(problem.n_servers)
    counts = np.cumsum(on, axis=0)
    for (k, s), variable in m.B.items():
        variable.set_value(int(counts[k, s]))
    for (k, s, t), variable in m.D.items():
        variable.set_value(abs(int(counts[k, s] - counts[k, t])))


def size(problem: OffloadingProblem) -> tuple[int, int]:
    """Return how many rows and columns come to those of the paths."""
    pairs, steps = len(_pairs(problem)), len(_steps(problem))
    counted = int((problem.tiers > 0).sum())
    return steps * (counted + 2 * pairs), steps * (counted + pairs)


def _pairs(problem: OffloadingProblem) -> list[tuple[int, int]]:
    """Return the pairs of edges and the pairs of clouds."""
    return [
        pair
        for tier in (1, 2)
        for pair in itertools.combinations(np.flatnonzero(problem.tiers == tier).tolist(), 2)
    ]


def _steps(problem: OffloadingProblem) -> list[int]:
    """Return the decisions after which counts are compared."""
    n = problem.n_subtasks
    return list(range(n)) if problem.data.weights.running else [n - 1]

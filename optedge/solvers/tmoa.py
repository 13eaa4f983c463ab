"""TMOA: the deepest position that meets every limit, by looking at all of them."""

from __future__ import annotations

import math

import numpy as np

from optedge.formulations.split import SplitProblem
from optedge.formulations.split.certificates import exclusions
from optedge.solvers.registry import register
from optedge.solvers.run import Run


@register(
    "tmoa",
    problems=(SplitProblem,),
    kind="exact",
    guarantee="the optimum; ties go to the deepest position",
    source="Xu et al. 2020, TMOA (P1), corrected: enumeration of all positions",
    deterministic=True,
)
def deepest_feasible(problem: SplitProblem, run: Run) -> None:
    """Price every position, keep the best one, the deepest among equals, and say what blocks more.

    The paper solves the conditions of Karush, Kuhn and Tucker for an integer; all N + 1 positions
    are looked at here, in O(N) times the number of limits. The limits that each other position
    breaks certify the optimum. ``run.info`` then holds

    * ``slack``: what is left of each limit,
    * ``blocking``: the limits that the next position breaks, and by how much,
    * ``alpha``, ``theta``: the prices of the least Lagrangian bound, and that bound on the value,
    * ``gap``: theta minus the value found, the duality gap.
    """
    if run.done():
        return
    seen = min(problem.n_positions, run.evaluations_left)
    costs = problem.position_costs[:seen]
    deepest = seen - 1 - int(np.argmin(costs[::-1]))
    found = run.offer(np.array([deepest], dtype=np.int64), float(costs[deepest]), seen)
    if seen == problem.n_positions:
        certificate = exclusions(problem)
        run.raise_bound(certificate.value, certificate)
        if certificate.value == math.inf:
            run.declare_infeasible(problem.explain())
    if found:
        names, left = problem.limit_names, problem.slack(deepest).tolist()
        run.info["slack"] = dict(zip(names, left, strict=True))
        run.info["blocking"] = problem.blocking(deepest)
        dual = problem.minimise_dual()
        run.info["alpha"] = dict(zip(names, dual.alpha.tolist(), strict=True))
        run.info["theta"] = dual.theta
        run.info["gap"] = dual.theta - float(problem.value[deepest])

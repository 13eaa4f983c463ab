"""The bound on the slowest stage: the weights of the stages that make the minimum cut largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound
from optedge.formulations.cut.flow import minimum_cut

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


def stage_bound(problem: CutProblem) -> Bound:
    """Return the linear relaxation of the throughput model, certified.

    The largest stage is at least any weighted mean of the stages, and the least weighted sum is a
    minimum cut. The best weights are the duals of the rows ``stage``.
    """
    from optedge.bridge import solve_model

    unit = problem.scaled()[1]  # its times are cut off, which would weaken this relaxation
    inner = problem.replace(times=problem.times / unit, sends=problem.sends / unit)
    solution = solve_model(inner.model(relax=True))
    if solution.status != "optimal":
        raise RuntimeError(f"the relaxation of the throughput model ended with {solution.status}.")
    weights = np.abs(np.array(list(solution.duals["stage"].values())))
    if not weights.sum() > 0:  # nothing takes any time
        weights = np.ones(weights.size)
    certificate = minimum_cut(problem, weights / weights.sum()).certificate
    return Bound("LP", certificate.value, certificate)

"""Neurosurgeon: cut a chain where the sum of its parts is least."""

from __future__ import annotations

import numpy as np

from optedge.formulations.cut import CutProblem
from optedge.formulations.cut.positions import clean_cuts, count_clean_cuts, plans_of
from optedge.solvers.registry import register
from optedge.solvers.run import Run

MOST = 10**8


def _too_many(problem: CutProblem, options: None) -> str | None:
    cuts = count_clean_cuts(problem)
    return f"it has {cuts:,} clean cuts, more than {MOST:,}." if cuts > MOST else None


@register(
    "neurosurgeon",
    problems=(CutProblem,),
    kind="heuristic",
    guarantee="the optimum of a chain; else the best plan that cuts at cut vertices",
    source="Kang et al., ASPLOS 2017; Zhang et al., WCMC 2022, eq. (1)",
    deterministic=True,
    declines=_too_many,
)
def neurosurgeon(problem: CutProblem, run: Run) -> None:
    """Value every cut at a cut vertex; ties go to the earliest cut."""
    for places, values in clean_cuts(problem):
        if run.done():
            return
        take = min(len(values), run.evaluations_left)
        best = int(np.argmin(values[:take]))
        plan = plans_of(problem, places[best : best + 1])[0]
        run.offer(plan, float(values[best]), take)
        if take < len(values):
            return
    if problem.is_chain:
        run.raise_bound(run.objective)

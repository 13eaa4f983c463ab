"""The minimum cut of a layer graph by maximum flow (DADS, light load)."""

from __future__ import annotations

from optedge.formulations.cut import CutProblem
from optedge.formulations.cut.flow import minimum_cut
from optedge.solvers.registry import register
from optedge.solvers.run import Run


def _only_latency(problem: CutProblem, options: None) -> str | None:
    if problem.goal == "latency":
        return None
    return "a minimum cut minimises the latency; the slowest stage needs highs."


@register(
    "min-cut",
    problems=(CutProblem,),
    kind="exact",
    guarantee="the optimum, to rounding of about 1e-8",
    source="Hu, Bao, Wang, Liu, INFOCOM 2019 (DADS, light load), with return arcs",
    deterministic=True,
    declines=_only_latency,
)
def min_cut(problem: CutProblem, run: Run) -> None:
    """Cut the flow network at its minimum; the flow is the certificate."""
    if run.done():
        return
    cut = minimum_cut(problem)
    run.evaluate(cut.tiers)
    run.raise_bound(cut.certificate.value, cut.certificate)

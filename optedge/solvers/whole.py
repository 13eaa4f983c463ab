"""No distribution at all: everything on one tier."""

from __future__ import annotations

from typing import Any

import numpy as np

from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.plans.views import TIERS
from optedge.solvers.registry import register
from optedge.solvers.run import Run


@register(
    "edge-only",
    needs=("tiers",),
    kind="heuristic",
    source="baseline of Zhang et al., WCMC 2022",
    deterministic=True,
)
def edge_only(problem: Any, run: Run) -> None:
    """Leave everything where the input is born."""
    _offer(problem.everything_on(0), run)


@register(
    "cloud-only",
    needs=("tiers",),
    kind="heuristic",
    source="baseline of Zhang et al., WCMC 2022",
    deterministic=True,
)
def cloud_only(problem: Any, run: Run) -> None:
    """Send the input to the last tier and do everything there."""
    _offer(problem.everything_on(-1), run)


@register(
    "all-client",
    problems=(OffloadingProblem,),
    kind="heuristic",
    source="baseline of EosDNN",
    deterministic=True,
)
def all_client(problem: OffloadingProblem, run: Run) -> None:
    """Leave every layer on its own client."""
    _offer_tier(problem, 0, run)


@register(
    "all-edge",
    problems=(OffloadingProblem,),
    kind="heuristic",
    source="baseline of EosDNN",
    deterministic=True,
)
def all_edge(problem: OffloadingProblem, run: Run) -> None:
    """Put every layer on an edge server, one after the other where it ends first."""
    _offer_tier(problem, 1, run)


@register(
    "all-cloud",
    problems=(OffloadingProblem,),
    kind="heuristic",
    source="baseline of EosDNN",
    deterministic=True,
)
def all_cloud(problem: OffloadingProblem, run: Run) -> None:
    """Put every layer on a cloud server, one after the other where it ends first."""
    _offer_tier(problem, 2, run)


def _offer_tier(problem: OffloadingProblem, tier: int, run: Run) -> None:
    """Offer everything on a tier; what has to stay at home, or why there is no plan, is told."""
    code = problem.tier_code(tier)
    if code is None:
        run.info["reason"] = f"no server is of tier {tier} ({TIERS[tier]})."
        return
    stays = np.flatnonzero(problem.tiers[code] != tier)
    if stays.size:
        v = int(stays[0])
        run.info["reason"] = (
            f"{stays.size} of {code.size} layers stay on their clients, the first is layer "
            f"{problem.layer[v]} of task {problem.tasks[v]}: no {TIERS[tier]} may run them."
        )
    _offer(problem.decode(code), run)


def _offer(x: Any, run: Run) -> None:
    run.evaluate(x)
    if run.solution is None:
        run.info["reason"] = run.problem.violations(x)[0]

"""No cut at all: everything on the first tier, where the input is born, or on the last."""

from __future__ import annotations

from typing import Any

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


def _offer(x: Any, run: Run) -> None:
    run.evaluate(x)
    if run.solution is None:
        run.info["reason"] = run.problem.violations(x)[0]

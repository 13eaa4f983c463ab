"""What one can see of a plan: seconds of tiers and hops, and a chart of one inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Lane

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


def metrics(problem: CutProblem, x: npt.ArrayLike) -> dict[str, float]:
    """Return the seconds on the first and last tier, the seconds of sending, layers beyond."""
    stages = problem.stages(x)
    return {
        "edge_seconds": float(stages[0]),
        "cloud_seconds": float(stages[problem.n_tiers - 1]),
        "send_seconds": float(stages[problem.n_tiers :].sum()),
        "offloaded_layers": float((np.asarray(x) > 0).sum()),
    }


def lanes(problem: CutProblem, x: npt.ArrayLike) -> list[Lane]:
    """Return a lane a tier and a hop: one inference, tier after tier."""
    tier, reach, clock = np.asarray(x), problem.reach(x), 0.0
    lanes: list[Lane] = []
    for k in range(problem.n_tiers):
        rows = [(f"tier {k}", np.flatnonzero(tier == k), problem.times[k])]
        if k + 1 < problem.n_tiers:
            sent = np.flatnonzero((tier <= k) & (k < reach))
            rows.append((f"hop {k}", sent, problem.sends[k]))
        for label, layers, seconds in rows:
            bars = []
            for v in layers:
                if seconds[v] > 0:
                    bars.append((clock, float(seconds[v]), str(v)))
                clock += float(seconds[v])
            lanes.append(Lane(label, tuple(bars)))
    return lanes

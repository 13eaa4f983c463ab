"""Equation (16): how often a particle mutates, by its distance from the best of the swarm."""

from __future__ import annotations

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.runs import Runs
from optedge.solvers.pso_ga import PsoGaOptions, inertia

DISTANCES = (0.0, 0.5, 0.9, 1.0)


def judge_inertia(runs: Runs) -> Part:
    """Check the ends and the direction of the inertia, read with d - 1.01 in the denominator."""
    import pandas as pd

    options = PsoGaOptions()
    w = inertia(np.array(DISTANCES), options.w_min, options.w_max)
    ends = np.allclose(w[[0, -1]], (options.w_min, options.w_max), rtol=0, atol=1e-9)
    claim = Claim(
        "the inertia grows with the distance d from the best particle, from w_min to w_max",
        "eq. (16)",
        f"{options.w_min:g} to {options.w_max:g}",
        ", ".join(f"{v:.4f}" for v in w) + f" at d = {', '.join(f'{d:g}' for d in DISTANCES)}",
        verdict(bool(ends and (np.diff(w) > 0).all())),
        "read with d - 1.01 in the denominator; the printed d(H - 1.01) is a misprint",
    )
    return Part([claim], pd.DataFrame({"d": DISTANCES, "w": w}))

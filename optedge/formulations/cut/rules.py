"""Which rules a plan breaks that places layers on tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


def broken(problem: CutProblem, x: npt.ArrayLike) -> list[str]:
    """Return a sentence for each rule that ``x`` breaks."""
    x = np.asarray(x)
    if x.shape != (problem.n_layers,) or not np.issubdtype(x.dtype, np.integer):
        wanted = f"a solution holds {problem.n_layers} integers"
        return [f"{wanted}, got {x.dtype} of shape {x.shape}."]
    outside = np.flatnonzero((x < 0) | (x >= problem.n_tiers))
    if outside.size:
        return [f"layer {outside[0]}: there is no tier {x[outside[0]]}."]
    found = []
    if x[0] != 0:
        found.append("layer 0 is the input, which is born on tier 0.")
    for v, w in problem.edges[x[problem.edges[:, 0]] > x[problem.edges[:, 1]]].tolist():
        found.append(f"layer {w} on tier {x[w]} reads layer {v} on tier {x[v]}: data go back.")
    reach = problem.reach(x)
    for k in range(problem.n_tiers - 1):
        crossing = (x <= k) & (k < reach) & np.isinf(problem.sends[k])
        found.extend(
            f"layer {v}: its output cannot cross from tier {k} to tier {k + 1}."
            for v in np.flatnonzero(crossing)
        )
    return found

"""Recursive efficiency: the run that earns most a second goes first, and its parts by that rule.

The run of largest LDA a second among the layers not yet sent is next, even if it earns nothing;
inside of it the part of largest positive LDA a second goes first, and so on. Layers of size 0 count
as worth nothing and are sent last, as EosDNN reads the method: until then pairs of layers with such
a one in between save nothing.

Source: Shin, Jeong, Moon, "Enhanced partitioning of DNN layers for uploading from mobile devices to
edge servers", EMDL 2019, as described in EosDNN.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.upload import coding
from optedge.formulations.upload.heuristics import runs
from optedge.formulations.upload.plans import UploadPlan

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem


def plan(problem: UploadProblem, zeros: str = "last") -> UploadPlan:
    """Return the plan of recursive efficiency.

    Parameters
    ----------
    problem
        The instance.
    zeros
        ``"last"``: layers of size 0 are sent last, as published. ``"first"``: before all, together;
        the others in the same order, and under forced use each switched on when it helps.
    """
    usable = np.zeros(problem.n_layers, dtype=bool)
    pick = functools.partial(runs.densest, problem)
    timed = ~problem.is_free
    pieces: list[list[int]] = []
    while True:
        left = [
            some
            for first, end in runs.stretches(problem)
            if (some := [j for j in range(first, end) if timed[j] and not usable[j]])
        ]
        if not left:
            break
        found = [pick(usable, some, False) for some in left]
        best = found[runs.first_of_largest([f.density for f in found])]
        pieces += runs.nested(pick, best.layers, usable)
    if zeros == "first":
        return coding.plan_of_parts(problem, pieces)
    free = np.flatnonzero(problem.is_free).tolist()
    return UploadPlan(tuple(map(tuple, [*pieces, free] if free else pieces)))

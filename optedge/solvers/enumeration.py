"""Enumeration: every code of a tiny instance, as the oracle of all other methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optedge.solvers.registry import register
from optedge.solvers.run import Run

MOST = 10**7
BATCH = 1 << 15


def _too_many(problem: Any, options: None) -> str | None:
    counts = problem.choices.sum(axis=1)
    codes = math.prod(counts.tolist())
    return f"it has 10^{math.log10(codes):.1f} codes, more than {MOST:,}." if codes > MOST else None


@register(
    "enumeration",
    needs=("code",),
    kind="exact",
    guarantee="the optimum",
    source="complete enumeration",
    deterministic=True,
    declines=_too_many,
)
def enumerate_codes(problem: Any, run: Run) -> None:
    """Price every code; the best is optimal once all are seen."""
    options = [np.flatnonzero(row) for row in problem.choices]
    open_ = [i for i, o in enumerate(options) if o.size > 1]  # at most 23 of them: 2^23 < 10^7
    counts = tuple(options[i].size for i in open_)
    total = math.prod(counts)
    for first in range(0, total, BATCH):
        if run.done():
            return
        take = min(BATCH, total - first, run.evaluations_left)
        codes = np.tile([o[0] for o in options], (take, 1))
        digits = np.unravel_index(np.arange(first, first + take), counts) if counts else ()
        for i, digit in zip(open_, digits, strict=True):
            codes[:, i] = options[i][digit]
        costs = problem.costs(codes)
        best = int(np.argmin(costs))
        run.offer(problem.decode(codes[best]), float(costs[best]), take)
    if run.evaluations < total:
        return
    if run.solution is None:
        run.declare_infeasible("enumeration found no feasible solution.")
    else:
        run.raise_bound(run.objective)

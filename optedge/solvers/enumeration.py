"""Enumeration: every code of a tiny instance, as the oracle of all other methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optedge.solvers.code import offer_codes
from optedge.solvers.registry import register
from optedge.solvers.run import Run

MOST = 10**7
MOST_LISTED = 500_000  # solutions that a problem lists itself
BATCH = 1 << 15


def _too_many(problem: Any, options: None) -> str | None:
    if hasattr(problem, "count_solutions"):
        many = problem.count_solutions(MOST_LISTED) > MOST_LISTED
        return f"it has more than {MOST_LISTED:,} solutions." if many else None
    counts = problem.choices.sum(axis=1)
    codes = math.prod(counts.tolist())
    return f"it has 10^{math.log10(codes):.1f} codes, more than {MOST:,}." if codes > MOST else None


@register(
    "enumeration",
    needs=("enumerable",),
    kind="exact",
    guarantee="the optimum; where codes do not reach every solution, the best code",
    source="complete enumeration",
    deterministic=True,
    declines=_too_many,
)
def enumerate_codes(problem: Any, run: Run) -> None:
    """Price every code, or every solution that the problem lists; the best is optimal then."""
    if hasattr(problem, "solutions"):
        _list_solutions(problem, run)
        return
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
        offer_codes(problem, run, codes)
    if run.evaluations >= total:
        _conclude(run)


def _list_solutions(problem: Any, run: Run) -> None:
    for block in problem.solutions():
        if run.done():
            return
        take = min(len(block), run.evaluations_left)
        values = problem.values(block[:take])
        best = int(np.argmin(values))
        run.offer(block[best], float(values[best]), take)
        if take < len(block):
            return
    _conclude(run)


def _conclude(run: Run) -> None:
    """State what is proved once everything was seen."""
    if run.solution is None:
        run.declare_infeasible(run.problem.explain())
    elif run.problem.complete_code:
        run.raise_bound(run.objective)

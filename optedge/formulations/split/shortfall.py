"""How far positions are from the limits, in words: why an instance has no solution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray

if TYPE_CHECKING:
    from optedge.formulations.split.problem import SplitProblem


def sentences(problem: SplitProblem, j: int) -> list[str]:
    """Return for each limit that position ``j`` breaks what it uses, and the amount above."""
    missed = []
    for c in np.flatnonzero(problem.excess[:, j] > 0).tolist():
        name, used, above = problem.limit_names[c], problem.usage[c, j], problem.excess[c, j]
        if math.isinf(used):
            missed.append(f"{name} is infinite")
        else:
            limit = problem.limits[c]
            missed.append(f"{name} is {used:.9g}, {above:.9g} above its limit {limit:.9g}")
    return missed


def largest_excess(problem: SplitProblem) -> FloatArray:
    """Return the largest excess of each position relative to its limit, ``(n_positions,)``.

    A limit of 0 counts as the largest absolute usage of its row; ``inf`` for an infinite usage.
    """
    finite = np.isfinite(problem.usage)
    largest = np.max(np.abs(problem.usage), axis=1, initial=0.0, where=finite)
    size = np.where(problem.limits == 0, largest, np.abs(problem.limits))
    size = np.where(size > 0, size, 1.0)[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        relative = np.where(np.isinf(problem.excess), problem.excess, problem.excess / size)
    return np.asarray(relative.max(axis=0))


def explanation(problem: SplitProblem) -> str:
    """Say which position comes nearest to all limits, and what it misses by how much."""
    j = problem.nearest
    if not problem.possible[j]:
        return "no position meets all limits: each has an infinite usage."
    missed = ", and ".join(sentences(problem, j))
    return f"no position meets all limits; position {j} comes nearest: {missed}."

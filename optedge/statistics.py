"""Numbers behind the plots: anytime curves over seeds and performance profiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.solvers.result import Result, relative_gap

if TYPE_CHECKING:
    from optedge.study import Study


def anytime_gaps(results: Sequence[Result], grid: FloatArray, bound: float) -> FloatArray:
    """Return the gap of each run's incumbent at given times.

    Parameters
    ----------
    results
        Runs on one instance.
    grid
        Seconds, ascending, shape (k,).
    bound
        The bound that gaps are taken to.

    Returns
    -------
    ndarray
        Shape (n_runs, k); ``inf`` before the first solution.
    """
    gaps = np.full((len(results), grid.size), np.inf)
    for row, result in enumerate(results):
        seconds = result.history["seconds"]
        values = np.array([relative_gap(v, bound) for v in result.history["objective"]])
        place = np.searchsorted(seconds, grid, side="right") - 1
        reached = place >= 0
        gaps[row, reached] = values[place[reached]]
    return gaps


def performance_profile(study: Study) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return for each solver the share of runs within a factor of the best proved bound.

    After Dolan and More, Math. Programming 91 (2002), with the proved bound in place of the best
    solver: a curve does not move when another solver joins.

    Returns
    -------
    dict
        Label to (factors, shares): ascending factors objective / bound at which the share of runs
        rises, and the share from there on. Runs without a solution count in the total.
    """
    profiles = {}
    for label, part in study.runs.groupby("solver", sort=False):
        ran = part[part["status"] != "SKIPPED"]
        ratios = np.sort(
            [
                value / bound if bound > 0 else math.inf
                for value, bound in zip(ran["objective"], ran["best_bound"], strict=True)
            ]
        )
        if ratios.size:
            shares = np.arange(1, ratios.size + 1) / ratios.size
            finite = np.isfinite(ratios)
            profiles[str(label)] = (np.maximum(ratios[finite], 1.0), shares[finite])
    return profiles

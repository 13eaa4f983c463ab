"""Figures of many runs: gaps, convergence over time, performance profiles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optedge.plots.axes import axes_or_new
from optedge.solvers.result import OPTIMAL_GAP, Result
from optedge.statistics import anytime_gaps, performance_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from optedge.study import Study

FLOOR = 1e-8  # gaps below are drawn here: a logarithmic axis has no zero


def gaps(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the gap of every run to the best proved bound, a row a solver, medians as bars.

    The axis is logarithmic in percent; what is at or below 1e-6 % stands there, and all in the
    shaded range counts as optimal. Runs without a solution are counted behind the
    label of their solver.
    """
    runs = study.runs[study.runs["status"] != "SKIPPED"]
    table = study.summary()
    ran = table["runs"] + table["errors"] > 0
    labels = [str(label) for label in table[ran]["solver"]][::-1]
    ax = axes_or_new(ax, (7, 0.8 + 0.32 * len(labels)))
    names = []
    for row, label in enumerate(labels):
        found = runs[(runs["solver"] == label)]
        values = found["gap_to_best"].to_numpy(dtype=float)
        missing = int(np.isinf(values).sum())
        names.append(f"{label} ({missing} without solution)" if missing else label)
        values = 100 * np.maximum(values[np.isfinite(values)], FLOOR)
        if values.size:
            ax.plot(values, np.full(values.size, row), "o", color="C0", alpha=0.4, markersize=5)
            ax.plot(np.median(values), row, "|", color="C3", markersize=14, markeredgewidth=2)
    ax.set_xscale("log")
    ax.set_xlim(100 * FLOOR * 0.5, max(200.0, ax.get_xlim()[1]))
    ax.axvspan(ax.get_xlim()[0], 100 * OPTIMAL_GAP, color="C2", alpha=0.12, linewidth=0)
    ax.text(100 * FLOOR * 0.8, -0.5, "optimal", color="C2", fontsize=8)
    ax.set_ylim(-0.7, len(labels) - 0.3)
    ax.set_yticks(range(len(labels)), names)
    ax.set_xlabel("proved gap (%), median in red")
    ax.grid(axis="x", alpha=0.3)
    return ax


def convergence(runs: Study | Iterable[Result], ax: Axes | None = None) -> Axes:
    """Draw gap over time for the runs on one instance: the median over seeds, with their range.

    Parameters
    ----------
    runs
        A study, or results; those on the first instance are drawn.
    ax
        Where to draw.

    Raises
    ------
    ValueError
        If no run found a solution.
    """
    results = list(runs if isinstance(runs, Iterable) else runs.results)
    results = [r for r in results if r.problem.key == results[0].problem.key and r.history.size]
    results = [r for r in results if math.isfinite(r.objective)]
    if not results:
        raise ValueError("no run found a solution: there is nothing to draw.")
    bound = max(r.bound for r in results)
    ax = axes_or_new(ax, (7, 4))
    last = max(r.runtime for r in results)
    grid = np.geomspace(min(1e-4, last / 2), last, 400)
    for k, label in enumerate(dict.fromkeys(r.solver for r in results)):
        gap = anytime_gaps([r for r in results if r.solver == label], grid, bound)
        gap = 100 * np.maximum(gap, FLOOR)
        middle = np.median(gap, axis=0)
        shown = np.isfinite(middle)
        ax.plot(grid[shown], middle[shown], color=f"C{k}", label=label)
        low, high = gap.min(axis=0)[shown], gap.max(axis=0)[shown]
        ax.fill_between(grid[shown], low, high, color=f"C{k}", alpha=0.2, linewidth=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("gap to the best proved bound (%)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def profile(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the share of runs within a factor of the best proved bound, a curve a solver."""
    ax = axes_or_new(ax, (7, 4))
    curves = performance_profile(study)
    last = max((factors[-1] for factors, _ in curves.values() if factors.size), default=1.0)
    last = 1 + 1.1 * max(last - 1, 1e-6)
    for label, (factors, shares) in curves.items():
        if factors.size:
            excess = np.maximum(100 * (np.append(factors, last) - 1), 100 * FLOOR)
            ax.step(excess, np.append(shares, shares[-1]), where="post", label=label)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("excess over the best proved bound, at most (%)")
    ax.set_ylabel("share of runs")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    return ax

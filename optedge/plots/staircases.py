"""The system delay of upload plans over time, as staircases: the area below is what they cost."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from optedge.formulations.base import FloatArray
from optedge.formulations.upload import UploadPlan, UploadProblem
from optedge.plots.lanes import ALPHA, BarLabel

PARTITIONS = ("C0", "C1", "C2", "C4", "C5", "C9")  # they repeat
LINES = ("black", "C3", "tab:blue", "tab:green", "tab:purple", "tab:brown", "0.5")
STYLES = ("-", "--", "-.", ":")
PALE = 0.15  # of the areas below the first plan
BAND = 0.07  # height of the bars below the axis, of the largest delay
REST = 0.04  # of the upload time, in which the last delay is shown


def draw(
    problem: UploadProblem,
    plans: Mapping[str, UploadPlan],
    bound: tuple[FloatArray, FloatArray] | None,
    names: Sequence[str] | None,
    ax: Axes,
) -> Axes:
    """Draw the staircases of ``plans``; see :func:`optedge.plots.upload`."""
    first = next(iter(plans.values()))
    steps = {label: _steps(problem, x) for label, x in plans.items()}
    top = max(float(delays.max()) for _, delays in steps.values())
    total = problem.total_seconds
    end = (1 + REST) * total or 1.0
    _partitions(problem, first, names or range(problem.n_layers), top, ax)
    unit = problem.unit.replace("^2", "²")
    for k, (label, (starts, delays)) in enumerate(steps.items()):
        ax.step(
            [*starts, end],
            [*delays, delays[-1]],
            where="post",
            color=LINES[k % len(LINES)],
            linestyle=STYLES[k % len(STYLES)],
            linewidth=2.0 if k == 0 else 1.5,
            zorder=4 if k == 0 else 3,
            label=f"{label or problem.objective_name}: {problem.ssd(plans[label]):.6g} {unit}",
        )
    if bound is not None:
        _floor(bound, steps[next(iter(steps))], total, unit, ax)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xlim(0, end)
    ax.set_ylim(-1.5 * BAND * top, 1.05 * top)
    ticks = [y for y in ax.get_yticks().tolist() if 0 <= y <= 1.05 * top]
    ax.set_yticks([-0.8 * BAND * top, *ticks], ["sent", *(f"{y:.10g}" for y in ticks)])
    ax.set_xlabel("upload time (s)")
    ax.set_ylabel("system delay (s)")
    columns = 1 if len(ax.get_legend_handles_labels()[1]) == 1 else 2
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False)
    return ax


def floor(bound: tuple[npt.ArrayLike, npt.ArrayLike]) -> tuple[FloatArray, FloatArray]:
    """Return the steps of a lower bound as arrays.

    Raises
    ------
    ValueError
        If they are no two rows of as many numbers, or the seconds do not rise from 0.
    """
    try:
        seconds, delays = (np.asarray(row, dtype=np.float64) for row in bound)
    except (TypeError, ValueError):
        raise ValueError("bound must be two rows of numbers: seconds and delays.") from None
    if seconds.ndim != 1 or seconds.shape != delays.shape or not seconds.size:
        raise ValueError("bound must hold as many seconds as delays, at least one.")
    if seconds[0] != 0 or (np.diff(seconds) < 0).any():
        raise ValueError("the seconds of bound must rise from 0.")
    return seconds, delays


def _steps(problem: UploadProblem, x: UploadPlan) -> tuple[FloatArray, FloatArray]:
    """Return from when on the system delay is what, the last one from the end of all uploads."""
    return np.array([0.0, *problem.upload_ends(x)]), problem.delays(x)


def _partitions(
    problem: UploadProblem, x: UploadPlan, names: Sequence[Any], top: float, ax: Axes
) -> None:
    """Draw a bar a partition below the axis, and above it the area that it costs."""
    starts, delays = _steps(problem, x)
    colours = itertools.cycle(PARTITIONS)
    for (start, end), delay, part in zip(
        itertools.pairwise(starts.tolist()), delays.tolist(), x.partitions, strict=False
    ):
        if end == start:  # size 0: nothing to be seen
            continue
        colour, width = next(colours), end - start
        ax.broken_barh([(start, width)], (0, delay), facecolors=colour, alpha=PALE, linewidth=0)
        rows = (-1.3 * BAND * top, BAND * top)
        ax.broken_barh([(start, width)], rows, facecolors=colour, alpha=ALPHA, edgecolors="white")
        label = ", ".join(str(names[j]) for j in part)
        ax.add_artist(BarLabel(start, width, -0.8 * BAND * top, label))


def _floor(
    bound: tuple[FloatArray, FloatArray],
    steps: tuple[FloatArray, FloatArray],
    total: float,
    unit: str,
    ax: Axes,
) -> None:
    """Draw a lower bound, and shade what the first plan is above it."""
    at = np.unique(np.concatenate([steps[0], bound[0], [total]]))
    at = at[at <= total]
    above, below = (row[1][np.searchsorted(row[0], at, side="right") - 1] for row in (steps, bound))
    label = f"lower bound: {np.dot(below[:-1], np.diff(at)):.6g} {unit}"
    ax.step(at, below, where="post", color="0.35", linewidth=1.2, zorder=3, label=label)
    ax.fill_between(
        at,
        below,
        above,
        where=(above >= below).tolist(),
        step="post",
        facecolor="none",
        edgecolor="0.55",
        hatch="////",
        linewidth=0,
        label="what the first plan is above it",
    )

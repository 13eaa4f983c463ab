"""A Gantt chart of the lanes of a problem."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch
from matplotlib.text import Text

from optedge.formulations.base import Lane, Problem

LABELLED = 60  # bars of a chart that still get a label
NAMED = 10  # groups of bars that the legend still names
ALPHA = 0.75
PADDED = 1.15  # widths of a label that a bar must have to carry it
THIN = 1 / 400  # of the chart: a white edge would hide shorter bars
FULL = 3  # neighbouring rows with one label that are as high as others
THINNEST = 0.3  # of the height of others
HATCH = "//////"  # of bars that wait
PALE = 0.2


def heights(lanes: list[Lane]) -> list[float]:
    """Return the height of each row: many neighbours with one label are thinner than other rows."""
    found: list[float] = []
    for _, rows in itertools.groupby(lanes, lambda lane: lane.label):
        count = len(list(rows))
        found += [min(1.0, max(THINNEST, FULL / count))] * count
    return found


def draw(
    problem: Problem, x: Any, lanes: list[Lane], bounds: Mapping[str, float], ax: Axes
) -> Axes:
    """Draw the lanes of ``x`` from top to bottom; see :func:`optedge.plots.gantt`."""
    count = sum(len(lane.bars) for lane in lanes)
    colours = _group_colours(lanes)
    last = max((start + length for lane in lanes for start, length, _ in lane.bars), default=0.0)
    tall = heights(lanes)
    tops = [sum(tall[:row]) - 0.5 for row in range(len(tall) + 1)]
    for lane, top, height in zip(lanes, tops, tall, strict=False):
        if lane.link:
            ax.axhspan(top, top + height, facecolor="0.93", linewidth=0, zorder=0)
        width = 0.5 if count <= 20 * LABELLED else 0.0
        _bars(lane, colours, (top + 0.1 * height, 0.8 * height), last, width, ax)
        if count <= LABELLED:
            for start, length, label in lane.bars:
                ax.add_artist(BarLabel(start, length, top + height / 2, label))
    labels = [lane.label for lane in lanes]
    named_rows = [k for k, label in enumerate(labels) if k == 0 or label != labels[k - 1]]
    at = [tops[k] + max(tall[k], 0.5) / 2 for k in named_rows]
    ax.set_yticks(at, [labels[k] for k in named_rows])
    ax.set_ylim(tops[-1], -0.5)
    ax.set_xlabel("time (s)")
    named = _named(lanes, colours)
    values = {problem.objective_name: problem.objective(x), **bounds}
    if problem.objective_is_time:
        lines = _lines(values, problem.unit, ax)
        _legend(ax, lines + named, "")
        ax.set_xlim(0, 1.02 * values[problem.objective_name])
    else:
        known = {name: value for name, value in values.items() if math.isfinite(value)}
        _legend(ax, named, ", ".join(_told(*item, problem.unit) for item in known.items()))
        ax.set_xlim(0, 1.01 * last)
    return ax


def _bars(
    lane: Lane,
    colours: Mapping[int, Any],
    rows: tuple[float, float],
    last: float,
    width: float,
    ax: Axes,
) -> None:
    """Draw the bars of a lane; those that wait are pale and hatched."""
    fill = [colours[g] for g in lane.groups] or _alternating(len(lane.bars))
    edges = _edges(lane, fill, last)
    waiting = lane.waiting or (False,) * len(lane.bars)
    for waits in sorted({False, *waiting}):
        chosen = [k for k, hatched in enumerate(waiting) if hatched == waits]
        ax.broken_barh(
            [lane.bars[k][:2] for k in chosen],
            rows,
            facecolors=[to_rgba(fill[k], PALE if waits else ALPHA) for k in chosen],
            edgecolors=[to_rgba(fill[k] if waits else edges[k], ALPHA) for k in chosen],
            hatch=HATCH if waits else None,
            linewidth=width,
        )


def _named(lanes: list[Lane], colours: Mapping[int, Any]) -> list[Any]:
    """Return what the legend says of colours, up to ten, and of hatching."""
    what = {g: lane.grouped_by for lane in lanes for g in lane.groups}
    groups = colours if len(colours) <= NAMED else ()
    named = [Patch(facecolor=colours[g], alpha=ALPHA, label=f"{what[g]} {g}") for g in groups]
    if any(any(lane.waiting) for lane in lanes):
        named.append(Patch(facecolor="0.95", edgecolor="0.5", hatch=HATCH, label="waits"))
    return named


class BarLabel(Text):
    """A label that is drawn only where it fits into its bar, whatever the size of the figure."""

    def __init__(self, start: float, length: float, row: float, label: str) -> None:
        super().__init__(start + length / 2, row, label, ha="center", va="center", fontsize=8)
        self.ends = ((start, row), (start + length, row))

    def draw(self, renderer: RendererBase) -> None:
        """Draw the label if the bar is wide enough."""
        left, right = self.get_transform().transform(self.ends)[:, 0]
        if PADDED * self.get_window_extent(renderer).width <= right - left:
            super().draw(renderer)


def _alternating(count: int) -> list[str]:
    colours = [f"C{k}" for k in (0, 2, 4, 5, 9)]
    return [colours[k % len(colours)] for k in range(count)]


def _edges(lane: Lane, fill: list[Any], last: float) -> list[Any]:
    """Return the colour of the edge of each bar: white, of a thin bar with a group its own."""
    thin = [bool(lane.groups) and length < THIN * last for _, length, _ in lane.bars]
    return [own if hidden else "white" for own, hidden in zip(fill, thin, strict=True)]


def _group_colours(lanes: list[Lane]) -> dict[int, Any]:
    """Return the colour of each group; they repeat after 20."""
    groups = sorted({g for lane in lanes for g in lane.groups})
    palette = matplotlib.colormaps["tab10" if len(groups) <= 10 else "tab20"]
    return {g: palette(k % palette.N) for k, g in enumerate(groups)}


def _told(name: str, value: float, unit: str) -> str:
    return f"{name} {value:.6g} {unit}".rstrip()


def _lines(values: Mapping[str, float], unit: str, ax: Axes) -> list[Any]:
    """Draw the objective, which comes first, and bounds as lines; return them."""
    (name, objective), *bounds = values.items()
    label = _told(name, objective, unit)
    lines = [ax.axvline(objective, color="black", linewidth=1.2, label=label)]
    for (name, value), style in zip(bounds, itertools.cycle(("--", ":", "-."))):
        if math.isfinite(value):
            label = _told(name, value, unit)
            lines.append(ax.axvline(value, color="C3", linestyle=style, linewidth=1.4, label=label))
    return lines


def _legend(ax: Axes, handles: list[Any], title: str) -> None:
    """Write a legend above the chart, or the title alone if there is nothing to name."""
    if handles:
        ax.legend(
            handles=handles,
            title=title,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=5 if title else 4,
            frameon=False,
        )
    else:
        ax.set_title(title, fontsize="medium")

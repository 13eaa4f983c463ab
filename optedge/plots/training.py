"""Figures of collaborative learning: accuracy over what is sent, errors over steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from optedge.plots.axes import axes_or_new

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ZERO = 5.0  # how many times left of the least upload nothing sent stands: a log axis has no zero


def accuracy_over_bytes(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    curves: str = "shares",
    raw: Mapping[str, float] | None = None,
) -> Axes:
    """Draw accuracy against what was uploaded: points labelled with their dormant share p.

    A point is the mean of its runs, with their range. It is filled if no other point of its curve
    is as accurate, in the mean, and sends less (the Pareto front). The axis is logarithmic;
    nothing sent stands left of all else, at the mark 0.

    Parameters
    ----------
    table
        A row a run; columns ``dormancy``, the share; ``up``, byte in training; ``mixed``, the
        accuracy of exit head and cloud as they shared the tasks; and that of ``curves``.
    ax
        Where to draw; a new figure by default.
    curves
        The column that makes the curves, a curve a value.
    raw
        Byte to compare with, by their label, drawn as upright lines.

    Raises
    ------
    ValueError
        If a column is missing, there is no row, a dormancy is a rule and no share, or an upload is
        negative.
    """
    table = _checked(table, (curves, "dormancy", "up", "mixed"))
    if not np.issubdtype(table["dormancy"].to_numpy().dtype, np.number):
        raise ValueError(f"dormancy must hold shares, got {table['dormancy'].iloc[0]!r}.")
    sent = table["up"].to_numpy(dtype=float) / 1e6
    if not (sent >= 0).all():
        raise ValueError(f"up must be at least 0 byte, got {float(table['up'].min()):g}.")
    least = float(sent[sent > 0].min()) if sent.any() else 1.0
    ax = axes_or_new(ax, (7, 4.2))
    for k, (name, curve) in enumerate(table.groupby(curves, sort=False)):
        points = curve.groupby("dormancy")[["up", "mixed"]].agg(["mean", "min", "max"])
        _draw_points(ax, k, str(name), points.sort_values(("up", "mean")), least / ZERO)
    up = ax.get_xaxis_transform()
    for label, value in (raw or {}).items():
        ax.axvline(value / 1e6, color="0.5", linestyle=":")
        text = f"{label} "
        ax.text(value / 1e6, 0.03, text, transform=up, rotation=90, ha="right", fontsize=8)
    ax.set_xscale("log")
    if not sent.all():
        ax.axvline(least / ZERO, color="0.9", zorder=0)
        ax.text(least / ZERO, -0.03, "0", transform=up, ha="center", va="top")
    ax.margins(x=0.12)
    ax.set_xlabel("uploaded in training (MB)")
    ax.set_ylabel("accuracy on samples not seen")
    ax.grid(alpha=0.3)
    ax.legend(framealpha=0.9, edgecolor="none", title="filled: Pareto")
    return ax


def learning_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw errors over steps, a curve a method: the mean over seeds, with their range as a band.

    A method that has one step alone is a point with its range. The axis is logarithmic if any
    error is positive; one of 0 lies below its lower end.

    Parameters
    ----------
    table
        A row a measurement; columns ``method``, ``seed``, ``step`` and ``error``, such as that of
        :func:`optedge.papers.cloud_edge.figure_9`. Rows without an error (NaN) are left out.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If a column is missing, or no row has an error.

    Examples
    --------
    Of runs with ``trace=True``: ``pd.concat([run.frame().assign(method="iid", seed=run.seed,
    error=lambda row: 1 - row["cloud_accuracy"]) for run in runs])``.
    """
    table = _checked(table, ("method", "seed", "step", "error"))
    ax = axes_or_new(ax, (7, 4))
    lows = []
    for k, (method, of) in enumerate(table.groupby("method", sort=False)):
        curve = of.groupby("step")["error"].agg(["mean", "min", "max"])
        mean, low, high = (curve[name].to_numpy() for name in ("mean", "min", "max"))
        lows += low[low > 0].tolist()
        if len(curve) == 1:
            bars = [mean - low, high - mean]
            ax.errorbar(curve.index, mean, bars, fmt="o", color=f"C{k}", label=method, capsize=3)
            continue
        ax.plot(curve.index, mean, color=f"C{k}", label=method)
        ax.fill_between(curve.index, low, high, color=f"C{k}", alpha=0.2, linewidth=0)
    if lows:
        ax.set_yscale("log", nonpositive="clip")
        ax.set_ylim(bottom=min(lows) / 1.5)
    seeds = table["seed"].nunique()
    ax.set_xlabel("step")
    ax.set_ylabel("error on samples not seen")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False, title=f"mean and range of {seeds} seeds" if seeds > 1 else None)
    return ax


def _draw_points(ax: Axes, k: int, name: str, points: pd.DataFrame, zero: float) -> None:
    """Draw the means and ranges of one curve; what sends nothing stands at ``zero``."""
    mean, sent = points["mixed", "mean"].to_numpy(), points["up", "mean"].to_numpy() / 1e6
    x = np.where(sent > 0, sent, zero)
    bars = [mean - points["mixed", "min"], points["mixed", "max"] - mean]
    ax.errorbar(x, mean, bars, color=f"C{k}", label=name, capsize=2, alpha=0.8)
    full = _non_dominated(sent, mean)
    for i, p in enumerate(points.index):
        fill = f"C{k}" if full[i] else "white"
        ax.plot(x[i], mean[i], "o", color=f"C{k}", markerfacecolor=fill, zorder=3)
        place = (5, 4) if k % 2 == 0 else (5, -11)
        text = f"{p:g}" if i else f"p = {p:g}"
        ax.annotate(text, (x[i], mean[i]), place, textcoords="offset points", fontsize=8)


def _non_dominated(costs: np.ndarray, values: np.ndarray) -> list[bool]:
    """Tell which points, by rising cost, are worth more than all that cost less."""
    best, found = -math.inf, []
    for k in np.lexsort((-values, costs)).tolist():
        found.append((k, values[k] > best))
        best = max(best, float(values[k]))
    return [kept for _, kept in sorted(found)]


def _checked(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows that hold a number, or raise ValueError with a sentence."""
    if missing := [name for name in columns if name not in table.columns]:
        raise ValueError(f"the table lacks columns {missing}; it needs {list(columns)}.")
    table = table.dropna(subset=list(columns))
    if table.empty:
        raise ValueError("the table has no row to draw.")
    return table

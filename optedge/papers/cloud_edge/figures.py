"""Figures 5 and 6: memory of the front and delay of a task over the split position."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.cloud_edge.delays import TABLE_2
from optedge.papers.cloud_edge.instances import MEMORY, NODES, USABLE, costs
from optedge.papers.cloud_edge.network import STAGES, resnet34
from optedge.papers.cloud_edge.splits import SPLITS
from optedge.platforms import mbit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BANDWIDTHS = (10.0, 30.0, 100.0, 1000.0)  # Mbit/s of figure 6; the paper gives none


# ------------------------------------------------------------------------- figure 5


def figure_5() -> pd.DataFrame:
    """Return memory and work of every position of ResNet-34, with the stage of its layer."""
    table = costs(10).frame()
    table["layer"] = resnet34().names
    stages = [f"stage {stage}" for stage in range(2, 6)]
    table["stage"] = np.repeat(
        ["input", "conv1", *stages, "fc"], [1, 1, *(count for _, _, count in STAGES), 1]
    )
    return table[["position", "layer", "stage", "memory (MB)", "work (GMAC)"]]


def judge_figure_5() -> Part:
    """Check how the memory of the front grows."""
    table = figure_5()
    memory = table["memory (MB)"]
    added = memory.diff().fillna(0.0)
    inside = table["stage"].str.startswith("stage")
    slopes = added[inside].groupby(table["stage"]).median()
    last, stage_5 = added.iloc[-1], added[table["stage"] == "stage 5"].sum()
    claims = [
        Claim(
            "the memory of the front grows with the split",
            "figure 5",
            "grows, ever faster",
            f"{memory.iloc[1]:.2f} to {memory.iloc[-1]:.2f} MB; "
            + ", ".join(f"{s} {v:.2f}" for s, v in slopes.items())
            + " MB a layer",
            verdict(bool((added[1:] > 0).all()) and slopes.is_monotonic_increasing),
            "piecewise linear, the slope grows by stage from 3 on",
        ),
        Claim(
            "the memory jumps at the end because of the fully connected layers",
            "figure 5",
            "exponential jump",
            f"fully connected {last:.2f} MB, stage 5 {stage_5:.2f} MB of {memory.iloc[-1]:.2f} MB",
            verdict(last > stage_5),
            "true of AlexNet or VGG; ResNet-34 has one small fully connected layer",
        ),
    ]
    return Part(claims, table, functools.partial(draw_figure_5, table))


def draw_figure_5(table: pd.DataFrame) -> Figure:
    """Draw the memory of the front over the split, a colour a stage."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    ax.plot(table["position"], table["memory (MB)"], color="0.7", zorder=1)
    for k, (stage, part) in enumerate(table.groupby("stage", sort=False)):
        ax.scatter(part["position"], part["memory (MB)"], color=f"C{k}", s=22, label=stage)
    for nodes in NODES:
        limit = USABLE * MEMORY[nodes] / 1e6
        ax.axhline(limit, color="0.4", linestyle=":", linewidth=1)
        text = f"{nodes} nodes: {limit:.2f} MB, position {SPLITS[nodes]}"
        ax.annotate(text, (34.5, limit), ha="right", va="bottom", fontsize=8)
    ax.set_xlabel("split position (layers on the nodes)")
    ax.set_ylabel("weights and maps of the front (MB)")
    ax.set_title("ResNet-34, float32, batch 1")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return figure


# ------------------------------------------------------------------------- figure 6


def figure_6(bandwidths: Iterable[float] = BANDWIDTHS) -> pd.DataFrame:
    """Return the delay in seconds of every position, a column a bandwidth in Mbit/s.

    Ten classes, raw images of 8 bit a number, float32 maps, no queue.
    """
    import pandas as pd

    delays = {rate: costs(10, classes=10, bandwidth=mbit(rate)).latency for rate in bandwidths}
    return pd.DataFrame(delays).rename_axis(index="position", columns="Mbit/s")


def falling_below(shallow: int, deep: int) -> float:
    """Return the bandwidth in Mbit/s below which the deeper of two positions is faster."""
    table = costs(10, classes=10, bandwidth=mbit(1.0))
    upload = table.upload[0]
    other = table.latency - upload
    saved, lost = upload[shallow] - upload[deep], other[deep] - other[shallow]
    return float(saved / lost) if lost > 0 else math.inf


def judge_figure_6() -> Part:
    """Check whether the delay falls as the split moves back."""
    delays = figure_6()
    shown, end = list(SPLITS.values()), len(delays) - 1
    pairs = [falling_below(a, b) for a, b in zip(shown, [*shown[1:], end], strict=True)]
    why = (
        f"along {', '.join(map(str, shown))} and {end} it falls below {min(pairs):.1f} Mbit/s, "
        f"the last is better than 0 below {falling_below(0, end):.1f}; inside a stage it rises"
    )
    why_not = "the link is fast enough: work on slow nodes outweighs the smaller maps"
    claims = []
    for rate, column in delays.items():
        first, *at = (column[j] for j in (0, *shown, end))
        falls = bool((np.diff(at) < 0).all())
        claims.append(
            Claim(
                f"total delay falls as the split moves back ({rate:g} Mbit/s)",
                "figure 6",
                "falls",
                f"{first:.4f} s at 0; "
                + ", ".join(f"{v:.4f} at {j}" for v, j in zip(at, (*shown, end), strict=True))
                + f"; best {int(np.argmin(column))}",
                verdict(falls),
                why if falls else why_not,
            )
        )
    published = [TABLE_2["ACEFLF", n][0] for n in SPLITS]
    claims.append(
        Claim(
            "total delay falls as the split moves back (table 2)",
            "figure 6",
            "falls",
            ", ".join(f"{d} ms at {j}" for d, j in zip(published, shown, strict=True)),
            verdict(published == sorted(published, reverse=True)),
            "tables 1 and 2 of the paper together say the opposite of its figure 6",
        )
    )
    table = delays.rename(columns=lambda rate: f"delay at {rate:g} Mbit/s (s)").reset_index()
    return Part(claims, table, functools.partial(draw_figure_6, delays))


def draw_figure_6(delays: pd.DataFrame) -> Figure:
    """Draw the delay over the split, a curve a bandwidth, the best position of each marked."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for k, (rate, column) in enumerate(delays.items()):
        ax.plot(column.index, column, color=f"C{k}", marker=".", label=f"{rate:g} Mbit/s")
    best = delays.to_numpy().argmin(axis=0)
    at = delays.to_numpy().min(axis=0)
    ax.plot(best, at, "o", color="black", fillstyle="none", markersize=9, label="best position")
    ax.set_yscale("log")
    ax.set_xlabel("split position (layers on the nodes)")
    ax.set_ylabel("delay of a task (s)")
    ax.set_title("ResNet-34: 8 bit image, float32 maps")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False)
    return figure

"""Figure 8: what is uploaded if raw images are sent, or the maps of a split, or those of some.

The paper gives neither the split nor the byte of a number. At its own splits the maps of ResNet-34
hold more byte than the images, unless they are sent in 8 bit, or most tasks end at the edge.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optedge import networks
from optedge.formulations.split import residual_bytes
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.cloud_edge.network import resnet34
from optedge.papers.cloud_edge.splits import SPLITS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RAW = 224 * 224 * 3.0  # byte of an image, 8 bit a number
WIDTHS = {4: "float32", 1: "8 bit"}  # byte of a number of a map
HALF = 0.5  # dormant share, if delays are symmetric and the threshold is their mean


def map_bytes(split: int, bytes_per_element: float = 4.0, *, skip: bool = False) -> float:
    """Return the byte that one task uploads at a split of ResNet-34; the raw image at 0.

    Parameters
    ----------
    split
        Layers on the node, 0..34.
    bytes_per_element
        Of a number of a map.
    skip
        Whether a split inside a block sends the tensor around it too.

    Raises
    ------
    ValueError
        If there is no such split, or ``bytes_per_element`` is not positive.
    """
    graph = resnet34()
    if not isinstance(split, int | np.integer) or not 0 <= split < len(graph.output_bytes):
        raise ValueError(f"split must be one of 0..{len(graph.output_bytes) - 1}, got {split!r}.")
    if not bytes_per_element > 0:
        raise ValueError(f"bytes_per_element must be positive, got {bytes_per_element!r}.")
    if split == 0:
        return RAW
    sent = graph.output_bytes[split]
    if skip:
        sent += residual_bytes(networks.load("resnet34"))[split]
    return float(sent) / 4 * bytes_per_element


def dormant_share(
    split: int, bytes_per_element: float = 4.0, raw: float = RAW, *, skip: bool = False
) -> float:
    """Return the least share of dormant tasks at which a split sends no more than raw images.

    Parameters
    ----------
    split, bytes_per_element, skip
        As in :func:`map_bytes`.
    raw
        Byte of an image as it would be sent: 150528, or 3072 for one of CIFAR-10 as it is.

    Raises
    ------
    ValueError
        As :func:`map_bytes`, or if ``raw`` is negative.
    """
    if not raw >= 0:
        raise ValueError(f"raw must be at least 0 byte, got {raw!r}.")
    return max(0.0, 1 - raw / map_bytes(split, bytes_per_element, skip=skip))


def figure_8(splits: Iterable[int] = tuple(SPLITS.values())) -> pd.DataFrame:
    """Return the byte of a task: a row a split and a byte a number."""
    import pandas as pd

    rows = [
        {
            "split": split,
            "numbers": name,
            "map (byte)": map_bytes(split, width),
            "raw image (byte)": RAW,
            "raw in float32 (byte)": 4 * RAW,
            "half dormant (byte)": (1 - HALF) * map_bytes(split, width),
            "dormant share needed": dormant_share(split, width),
            "the same with skips": dormant_share(split, width, skip=True),
        }
        for width, name in WIDTHS.items()
        for split in splits
    ]
    return pd.DataFrame(rows)


def judge_figure_8() -> Part:
    """Check whether maps are fewer byte than images, all of them and with half of them dormant."""
    table = figure_8()
    claims = []
    for row in table.to_dict("records"):
        at = f"split {row['split']}, {row['numbers']}"
        share = row["dormant share needed"]
        for column, words in (("map (byte)", ""), ("half dormant (byte)", ", half dormant")):
            fits = "a map in 8 bit is smaller than the image"
            needed = f"only where at least {share:.4g} of the tasks are dormant"
            less = "less" if row[column] < 4 * RAW else "more still"
            why = f"{needed}; {less} than an image in float32, {4 * RAW:.0f}" if share else fits
            claims.append(
                Claim(
                    f"the collaborative scheme uploads less than raw images ({at}{words})",
                    "figure 8",
                    "less",
                    f"{row[column]:.0f} against {RAW:.0f} byte",
                    verdict(row[column] < RAW),
                    why,
                )
            )
    return Part(claims, table, functools.partial(draw_figure_8, table))


def draw_figure_8(table: pd.DataFrame) -> Figure:
    """Draw the byte of a task at every split, a pair of bars a byte a number, raw as a line."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for k, (name, part) in enumerate(table.groupby("numbers", sort=False)):
        places = np.arange(len(part)) + 0.4 * k - 0.2
        ax.bar(places, part["map (byte)"] / 1e3, 0.36, color=f"C{k}", alpha=0.4, label=f"{name}")
        half = part["half dormant (byte)"] / 1e3
        ax.bar(places, half, 0.36, color=f"C{k}", label=f"{name}, half dormant")
    ax.axhline(RAW / 1e3, color="black", linestyle=":", label="raw image, 8 bit")
    ax.axhline(4 * RAW / 1e3, color="0.6", linestyle=":", label="raw image, float32")
    ax.set_xticks(range(table["split"].nunique()), table["split"].unique().astype(str))
    ax.set_xlabel("split position (layers on the nodes)")
    ax.set_ylabel("upload of a task (kB)")
    ax.set_title("ResNet-34 at 224 x 224")
    ax.legend(frameon=False)
    ax.grid(axis="y", alpha=0.3)
    return figure

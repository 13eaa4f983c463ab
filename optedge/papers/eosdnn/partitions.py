"""Figure 12: the largest partition of each upload plan, and how many layers earn by themselves."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.runs import Runs
from optedge.papers.eosdnn.upload_table import (
    EFFICIENCY,
    IONN,
    LARGEST,
    LMU,
    OPTIMUM,
    SURROUNDINGS,
    by_surrounding,
    upload_table,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DRAWN = (LMU, IONN, EFFICIENCY, OPTIMUM)
#: Whether layers mostly lose by themselves, as the text of figures 13 and 14 says.
MOSTLY_NEGATIVE = {"alexnet": False, "vgg19": True}


def figure_12(runs: Runs) -> pd.DataFrame:
    """Return the plans of every network, a row a network, surrounding and method."""
    import pandas as pd

    return pd.concat([upload_table(runs, network) for network in runs.networks], ignore_index=True)


def judge_figure_12(runs: Runs) -> Part:
    """Check that partitions of LMU are the smallest, and the signs of LDA*."""
    table = figure_12(runs)
    return Part(judge(table), table, functools.partial(draw_figure_12, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return a claim on partitions for each rival, and one a network on LDA*."""
    networks = {str(name): rows for name, rows in table.groupby("network", sort=False)}
    return [
        *(_smaller(networks, rival) for rival in (IONN, EFFICIENCY)),
        *(_signs(networks[n], n, less) for n, less in MOSTLY_NEGATIVE.items() if n in networks),
    ]


def _smaller(networks: dict[str, pd.DataFrame], rival: str) -> Claim:
    """Judge where the figure is drawn; say in how many surroundings it is so."""
    texts, against, often, tried = [], [], 0, 0
    for network, rows in networks.items():
        found = list(by_surrounding(rows, LARGEST).values())
        mine, other = 100 * found[0][LMU], 100 * found[0][rival]
        texts.append(f"{network} {mine:.1f} against {other:.1f} %")
        smaller = [values[LMU] < values[rival] * (1 - 1e-9) for values in found]
        often, tried = often + sum(smaller), tried + len(smaller)
        if not smaller[0]:
            least = 100 * found[0][OPTIMUM]
            against.append(f"{network} (no plan has less than {least:.1f} %)")
    return Claim(
        f"the largest partition of LMU is smaller than that of {rival}",
        "figure 12",
        "smaller for every network",
        f"{'; '.join(texts)} of all bytes; smaller in {often} of {tried} cases",
        verdict(not against),
        f"not smaller for {', '.join(against)}" if against else "",
    )


def _signs(rows: pd.DataFrame, network: str, mostly_negative: bool) -> Claim:
    counts = rows.drop_duplicates("surrounding")
    share = counts["LDA* < 0"] / counts["layers"]
    holds = ((share > 0.5) == mostly_negative).tolist()
    sign = "negative" if mostly_negative else "positive"
    texts = [
        f"{less} of {of} ({where})"
        for less, of, where in zip(
            counts["LDA* < 0"], counts["layers"], counts["surrounding"], strict=True
        )
    ]
    outside = [str(w) for w, so in zip(counts["surrounding"], holds, strict=True) if not so]
    return Claim(
        f"LDA* is mostly {sign} for {network}",
        "section VII-C",
        f"mostly {sign}",
        "negative: " + "; ".join(texts),
        verdict(holds[0]),
        f"not so with {'; '.join(outside)}" if outside else "",
    )


def draw_figure_12(table: pd.DataFrame) -> Figure:
    """Draw the shares of the largest partitions, a panel a reading of the data."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.6), sharey=True, layout="constrained")
    for ax, where in zip(axes, SURROUNDINGS[:2], strict=True):
        rows = table[table["surrounding"] == str(where)]
        networks = rows["network"].unique()
        for k, method in enumerate(DRAWN):
            share = rows[rows["method"] == method][LARGEST]
            place = np.arange(len(networks)) + (k - 1.5) / 5
            colour = "black" if method == OPTIMUM else f"C{k}"
            ax.bar(place, share, width=0.18, color=colour, label=method)
        ax.set_xticks(range(len(networks)), networks)
        ax.set_title(str(where), fontsize=10)
        ax.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("largest partition, share of all bytes")
    axes[0].set_ylim(0, 1)
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    return figure

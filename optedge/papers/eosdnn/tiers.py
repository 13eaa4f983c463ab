"""Who works: shares of clients, edges and clouds in the layers of the plans."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.environments import METHODS
from optedge.papers.eosdnn.runs import Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TIERS = ("clients", "edges", "clouds")


def tier_table(runs: Runs) -> pd.DataFrame:
    """Return the shares of the tiers in layers and in work, a row a network and method; seed 0."""
    import pandas as pd

    rows = []
    for network in runs.networks:
        problem = runs.problem(network)
        for method in METHODS:
            certified = method == "lagrangian"
            result = runs.certified(problem) if certified else runs.search(problem, method)
            layers = problem.tier_shares(result.solution)
            work = problem.tier_shares(result.solution, "work")
            rows.append(
                {
                    "network": network,
                    "method": method,
                    **{f"{t}, layers": v for t, v in zip(TIERS, layers.tolist(), strict=True)},
                    **{f"{t}, work": v for t, v in zip(TIERS, work.tolist(), strict=True)},
                    "servers used": np.unique(problem.encode(result.solution)).size,
                    **runs.measured(problem, result),
                }
            )
    return pd.DataFrame(rows)


def judge_tiers(runs: Runs) -> Part:
    """Check that all three tiers work, and say what no number is printed of."""
    table = tier_table(runs)
    return Part(judge(table), table, functools.partial(draw_tiers, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return a claim for each method, and one on the delays themselves."""
    claims = []
    for method, label in METHODS.items():
        rows = table[table["method"] == method].set_index("network")
        shares = rows[[f"{t}, layers" for t in TIERS]].to_numpy()
        texts = [
            f"{network} {' / '.join(f'{100 * v:.0f}' for v in row)} %"
            for network, row in zip(rows.index, shares, strict=True)
        ]
        idle = [
            f"{tier} of {network}"
            for network, row in zip(rows.index, shares, strict=True)
            for tier, share in zip(TIERS, row, strict=True)
            if share == 0
        ]
        claims.append(
            Claim(
                f"clients, edges and clouds share the layers ({label})",
                "title, section III",
                "all three tiers collaborate",
                "; ".join(texts) + " of the layers",
                verdict(not idle),
                f"idle: {', '.join(idle)}" if idle else "",
            )
        )
    best = table[table["method"] == "lagrangian"]
    delays = zip(best["network"], best["bound (s)"], best["delay (s)"], strict=True)
    claims.append(
        Claim(
            "delays in seconds",
            "figures 15 to 18",
            "drawn, no number printed",
            "; ".join(f"{network} {low:.4g} to {high:.4g} s" for network, low, high in delays),
            "cannot be checked",
            "the optima of twelve tasks lie between the bound and the certified plan; the paper "
            "gives ranges of clocks and two rates between edge and cloud",
        )
    )
    return claims


def draw_tiers(table: pd.DataFrame) -> Figure:
    """Draw the shares of the tiers in the layers as bars, a bar a network and method."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.5, 0.42 * len(table) + 1.4), layout="constrained")
    pairs = zip(table["network"], table["method"], strict=True)
    labels = [f"{network}, {METHODS[method]}" for network, method in pairs]
    foot = np.zeros(len(table))
    for k, tier in enumerate(TIERS):
        share = table[f"{tier}, layers"].to_numpy()
        ax.barh(labels, share, left=foot, color=f"C{k}", label=tier)
        foot = foot + share
    ax.invert_yaxis()
    ax.set_xlabel("share of the layers")
    ax.set_xlim(0, 1)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return figure

"""Figures 6 and 7: speed-ups over the bandwidth, of AlexNet and of ResNet18."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.task_migration.instances import CHAINS
from optedge.papers.task_migration.runs import COLUMNS, NEAR, STYLES, Runs
from optedge.papers.task_migration.table_1 import WORDS
from optedge.platforms import mbit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ALIKE = 0.01  # share within which two methods count as equally fast
MISNAMED = "edge-only has speed-up 1 by definition: cloud-only must be meant"


def by_bandwidth(runs: Runs, network: str) -> pd.DataFrame:
    """Return the delay of each method in seconds, a row a nominal bandwidth in Mbit/s."""
    import pandas as pd

    methods = [m for m in COLUMNS if m != "S-Q" or network in CHAINS]
    rows = {}
    for rate in runs.bandwidths:
        problem = runs.problem(network, mbit(rate))
        rows[float(rate)] = {method: runs.delay(problem, method) for method in methods}
    return pd.DataFrame.from_dict(rows, "index").rename_axis("Mbit/s")


def judge_figure_6(runs: Runs) -> Part:
    """Check AlexNet from 0 to 12 Mbit/s."""
    table = by_bandwidth(runs, "alexnet")
    claims = []
    rows = _rows(table)
    if 0 in rows:
        at = rows[0]
        never = at["C-O"] == np.inf
        claims.append(
            Claim(
                "at 0 Mbit/s both methods equal edge-only, and cloud-only is worst",
                "figure 6",
                "equal",
                _said(at),
                verdict(_same(at, "S-C", "E-O") and _same(at, "S-Q", "E-O") and never),
                "cloud-only never ends",
            )
        )
    if 1 in rows:
        at = rows[1]
        best = at["S-C"] < min(at["C-O"], at["E-O"])
        claims.append(
            Claim(
                "at 1 Mbit/s both methods are equal, and better than the trivial ones",
                "figure 6",
                "equal, better",
                _said(at),
                verdict(_same(at, "S-C", "S-Q") and best),
                "no cut after the best one sends more, so that the rule never moves",
            )
        )
    middle = table[(table.index >= 2) & (table.index <= 7)]
    wins = middle["S-Q"] < middle[["S-C", "E-O"]].min(axis=1)
    claims.append(
        Claim(
            "from 2 to 7 Mbit/s Scheduling with Queuing beats Single Cutting and edge-only",
            "figure 6",
            "beats",
            f"at {wins.sum()} of {wins.size} rates",
            verdict(bool(wins.all())),
            "" if wins.all() else f"not at {', '.join(f'{r:g}' for r in wins.index[~wins])} Mbit/s",
        )
    )
    claims += _beyond(table, 7, "figure 6")
    return Part(claims, table.reset_index(), functools.partial(draw_bandwidths, table, "alexnet"))


def judge_figure_7(runs: Runs) -> Part:
    """Check ResNet18 from 0 to 12 Mbit/s."""
    table = by_bandwidth(runs, "resnet18")
    middle = table[(table.index >= 1) & (table.index <= 8)]
    right = middle["S-C"] <= middle[["C-O", "E-O"]].min(axis=1) * (1 + 1e-9)
    rows = _rows(table)
    worst = max(_rows(middle), key=lambda rate: rows[rate]["S-C"] / rows[rate]["C-O"])
    claims = [
        Claim(
            "from 1 to 8 Mbit/s Single Cutting is optimal among the three",
            "figure 7",
            "optimal",
            f"at {right.sum()} of {right.size} rates",
            verdict(bool(right.all())),
            ""
            if right.all()
            else f"at {worst:g} Mbit/s one frame alone is best at home, so that all stay there and "
            f"take {rows[worst]['S-C']:.1f} s, cloud-only {rows[worst]['C-O']:.1f} s",
        )
    ]
    for against, published in (("E-O", 2.85), ("C-O", 1.93)):
        ours = float((middle[against] / middle["S-C"]).max())
        claims.append(
            Claim(
                f"largest speed-up of Single Cutting over {WORDS[against]}, 1 to 8 Mbit/s",
                "figure 7",
                f"{published:g}",
                f"{ours:.2f}",
                verdict(abs(ours / published - 1) <= NEAR),
                "all frames at home or all in the cloud, but for a narrow range of rates",
            )
        )
    if 0 in rows:
        at = rows[0]
        claims.insert(
            0,
            Claim(
                "at 0 Mbit/s Single Cutting equals edge-only, and cloud-only is worst",
                "figure 7",
                "equal",
                _said(at),
                verdict(_same(at, "S-C", "E-O") and at["C-O"] == np.inf),
                "cloud-only never ends",
            ),
        )
    claims += _beyond(table, 8, "figure 7")
    return Part(claims, table.reset_index(), functools.partial(draw_bandwidths, table, "resnet18"))


def _rows(table: pd.DataFrame) -> dict[float, dict[str, float]]:
    """Return the delays by rate and method."""
    methods = {str(m): table[m].tolist() for m in table.columns}
    rates = [float(rate) for rate in table.index.tolist()]
    return {rate: {m: values[k] for m, values in methods.items()} for k, rate in enumerate(rates)}


def _said(row: dict[str, float]) -> str:
    return ", ".join(f"{method} {value:.1f} s" for method, value in row.items())


def _same(row: dict[str, float], a: str, b: str) -> bool:
    return bool(abs(row[a] / row[b] - 1) <= ALIKE)


def _beyond(table: pd.DataFrame, rate: float, where: str) -> list[Claim]:
    """Check what is said of high rates, word for word and as it must be meant."""
    rows = table[table.index > rate]
    cuts = [m for m in ("S-C", "S-Q") if m in rows.columns]
    claims = []
    for method in ("E-O", "C-O"):
        ratios = {m: rows[method] / rows[m] for m in cuts}
        same = all(bool(((ratio - 1).abs() <= ALIKE).all()) for ratio in ratios.values())
        said = ", ".join(f"{m} {r.min():.2f} to {r.max():.2f}" for m, r in ratios.items())
        literal = method == "E-O"
        why = MISNAMED if literal else "one frame of AlexNet alone is not best in the cloud yet"
        claims.append(
            Claim(
                f"above {rate:g} Mbit/s equal to {WORDS[method]}"
                + (" (word for word)" if literal else " (as it must be meant)"),
                where,
                "equal",
                f"speed-up over it: {said}",
                verdict(same),
                "" if same else why,
            )
        )
    return claims


def draw_bandwidths(table: pd.DataFrame, network: str) -> Figure:
    """Draw speed-ups over edge-only against the nominal bandwidth."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for k, method in enumerate(table.columns):
        ax.plot(
            table.index,
            table["E-O"] / table[method],
            STYLES[method],
            color=f"C{k}",
            markersize=4,
            label=WORDS[method],
        )
    ax.set_xlabel("nominal bandwidth (Mbit/s)")
    ax.set_ylabel("speed-up over edge-only")
    ax.set_title(f"{network}, five devices")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    return figure

"""Figures 2 and 3: speed-ups over edge-only, of chains and of other graphs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.task_migration.instances import CHAINS, NETWORKS, UPLINKS
from optedge.papers.task_migration.runs import COLUMNS, NEAR, Runs, span
from optedge.papers.task_migration.table_1 import (
    SPEED_UPS,
    WORDS,
    published_table,
    speed_up_words,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHORT = {column: method for method, column in COLUMNS.items()}
ALIKE = 0.01  # share within which two methods count as equally fast


def speedups(runs: Runs, networks: tuple[str, ...]) -> pd.DataFrame:
    """Return delay and speed-up over edge-only: a row a network, uplink and method.

    ``printed`` is the speed-up that table 1 gives; NaN where it has no number.
    """
    import pandas as pd

    printed = published_table()
    rows = []
    for uplink in UPLINKS:
        for network in networks:
            problem = runs.problem(network, uplink)
            base = runs.delay(problem, "E-O")
            entry = printed[(printed["model"] == network) & (printed["network"] == uplink)].iloc[0]
            for method, column in COLUMNS.items():
                if method == "S-Q" and network not in CHAINS:
                    continue
                delay = runs.delay(problem, method)
                rows.append(
                    {
                        "model": network,
                        "network": uplink,
                        "method": method,
                        "delay (s)": delay,
                        "speed-up": base / delay,
                        "printed": float(entry["edge_only"] / entry[column]),
                    }
                )
    return pd.DataFrame(rows)


def judge_figure_2(runs: Runs) -> Part:
    """Check the speed-ups of chains."""
    table = speedups(runs, CHAINS)
    delay = {uplink: _wide(table, uplink, "delay (s)") for uplink in UPLINKS}
    claims = [
        *_ranges(table, True),
        _both_surpass(delay["3G"]),
        _equal(delay["3G"], "figure 2(a)", "3G", list(CHAINS)),
        _queueing_wins(runs),
        _equal(delay["4G"], "figure 2(b)", "4G", ["tiny_yolo"]),
    ]
    return Part(claims, table, functools.partial(draw_speedups, table))


def judge_figure_3(runs: Runs) -> Part:
    """Check the speed-ups of other graphs."""
    table = speedups(runs, NETWORKS[len(CHAINS) :])
    delay = {uplink: _wide(table, uplink, "delay (s)") for uplink in UPLINKS}
    claims = [*_ranges(table, False)]
    for uplink, words in (("3G", "slower"), ("4G", "faster")):
        rows = delay[uplink]
        right = (rows["C-O"] > rows["E-O"]) == (words == "slower")
        claims.append(
            Claim(
                f"cloud-only is {words} than edge-only on all DAGs, {uplink}, simulated",
                f"figure 3({'a' if uplink == '3G' else 'b'})",
                "all",
                "all" if right.all() else f"not {', '.join(rows.index[~right])}",
                verdict(bool(right.all())),
                "table 1 itself says so" if right.all() else _totals(rows[~right], "C-O", "E-O"),
            )
        )
    rows = delay["4G"]
    ratio = rows["C-O"] / rows["S-C"]
    same = bool((ratio[["alexnet_parallel", "googlenet"]] - 1 <= ALIKE).all())
    claims += [
        Claim(
            "Single Cutting equals cloud-only on AlexNet-Parallel and GoogLeNet, 4G",
            "figure 3(b)",
            "equal",
            _times(ratio[["alexnet_parallel", "googlenet"]]),
            verdict(same),
            "" if same else "one frame of AlexNet-Parallel alone is better cut than sent",
        ),
        Claim(
            "Single Cutting of ResNet18 is 1.34 times as fast as cloud-only, 4G",
            "figure 3(b)",
            "1.34",
            f"{ratio['resnet18']:.2f}",
            verdict(abs(ratio["resnet18"] / 1.34 - 1) <= NEAR),
            "one frame alone is best in the cloud: float32 maps of ResNet18 are larger than its "
            "input where little work was done",
        ),
    ]
    return Part(claims, table, functools.partial(draw_speedups, table))


def _wide(table: pd.DataFrame, uplink: str, values: str) -> pd.DataFrame:
    """Return the values at one uplink, a row a network and a column a method."""
    rows = table[table["network"] == uplink]
    return rows.pivot(index="model", columns="method", values=values)


def _ranges(table: pd.DataFrame, chains: bool) -> list[Claim]:
    """Compare the ranges of the text with those of the simulation."""
    claims = []
    for where, uplink, of, method, column, low, high in SPEED_UPS:
        if of != chains:
            continue
        rows = _wide(table, uplink, "speed-up")
        ours = span(rows[method] / rows[SHORT[column]])
        near = all(abs(a / b - 1) <= NEAR for a, b in zip(ours, (low, high), strict=True))
        claims.append(
            Claim(
                f"{speed_up_words(method, column, chains, uplink)}, simulated",
                where,
                f"{low:g} to {high:g}",
                f"{ours[0]:g} to {ours[1]:g}",
                verdict(near),
                "" if near else "the totals differ (table 1), and the text differs from table 1",
            )
        )
    return claims


def _totals(rows: pd.DataFrame, *methods: str) -> str:
    return "; ".join(
        f"{model} " + ", ".join(f"{m} {row[m]:.1f} s" for m in methods)
        for model, row in rows.iterrows()
    )


def _times(ratios: pd.Series[float]) -> str:
    return ", ".join(f"{value:.2f} times ({name})" for name, value in ratios.items())


def _both_surpass(rows: pd.DataFrame) -> Claim:
    best = rows[["C-O", "E-O"]].min(axis=1)
    right = (rows["S-C"] < best) & (rows["S-Q"] < best)
    return Claim(
        "Single Cutting and Scheduling with Queuing surpass both trivial methods, chains, 3G",
        "figure 2(a)",
        "all",
        "all" if right.all() else f"not {', '.join(rows.index[~right])}",
        verdict(bool(right.all())),
        "" if right.all() else _totals(rows[~right], "C-O", "S-C"),
    )


def _equal(rows: pd.DataFrame, where: str, uplink: str, models: list[str]) -> Claim:
    ratio = rows["S-C"] / rows["S-Q"]
    same = bool(((ratio[models] - 1).abs() <= ALIKE).all())
    return Claim(
        f"Single Cutting and Scheduling with Queuing are equal, {', '.join(models)}, {uplink}",
        where,
        "equal",
        _times(ratio[models]),
        verdict(same),
        "" if same else "Tiny-YOLO has cuts that send longer, and the rule takes them",
    )


def _queueing_wins(runs: Runs) -> Claim:
    """Check the sign of what queuing changes at 4G, on many profiles, since it is chaotic."""
    said, unsure, right = [], False, True
    for network in ("alexnet", "darknet19"):
        problem = runs.problem(network, "4G")
        wins = runs.nearby(problem, "S-Q") < runs.nearby(problem, "S-C")
        said.append(f"{wins.sum()} of {wins.size} ({network})")
        unsure, right = unsure or 0 < wins.sum() < wins.size, right and bool(wins.all())
    return Claim(
        "Scheduling with Queuing is the best of four methods on AlexNet and DarkNet19, 4G",
        "figure 2(b)",
        "both",
        f"below Single Cutting on {', '.join(said)} profiles within 0.1 % of the fitted one",
        "cannot be checked" if unsure else verdict(right),
        "" if right else "the rule is chaotic" if unsure else "the rule sends more data, not less",
    )


def draw_speedups(table: pd.DataFrame) -> Figure:
    """Draw the speed-ups as bars, those of table 1 as marks; a panel an uplink."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
    methods = list(dict.fromkeys(table["method"]))
    for ax, uplink in zip(axes, UPLINKS, strict=True):
        rows = table[table["network"] == uplink]
        models = list(dict.fromkeys(rows["model"]))
        for k, method in enumerate(methods):
            part = rows[rows["method"] == method].set_index("model").reindex(models)
            at = np.arange(len(models)) + (k - (len(methods) - 1) / 2) * 0.8 / len(methods)
            ax.bar(at, part["speed-up"], 0.75 / len(methods), color=f"C{k}", label=WORDS[method])
            ax.plot(at, part["printed"], "D", color="black", fillstyle="none", markersize=6)
        ax.plot([], [], "D", color="black", fillstyle="none", label="by table 1")
        ax.axhline(1, color="0.4", linewidth=0.8)
        ax.set_xticks(range(len(models)), models)
        ax.set_title(uplink)
        ax.grid(alpha=0.3, axis="y")
    axes[0].set_ylabel("speed-up over edge-only")
    axes[0].legend(frameon=False, fontsize=8)
    return figure

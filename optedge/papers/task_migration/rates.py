"""How fast frames arrive: the paper films at 5 to 15 a second and does not say which table has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from optedge.papers.claims import Claim, Part
from optedge.papers.task_migration.instances import NETWORKS, UPLINKS
from optedge.papers.task_migration.runs import COLUMNS, Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RATES = (5.0, 10.0, 15.0)  # frames a second on each device


def by_rate(runs: Runs) -> pd.DataFrame:
    """Return the delay of each method in seconds: a row a network, uplink and rate of arrival."""
    import pandas as pd

    rows = []
    for network in NETWORKS:
        for uplink in UPLINKS:
            for rate in RATES:
                problem = runs.problem(network, uplink, rate=rate)
                where = {"model": network, "network": uplink, "frames a second": rate}
                rows.append(where | {m: runs.delay(problem, m) for m in COLUMNS})
    return pd.DataFrame(rows)


def judge_rates(runs: Runs) -> Part:
    """Tell how much the rate matters that the paper does not give."""
    table = by_rate(runs)
    delays = table.groupby(["model", "network"])[list(COLUMNS)]
    ratio = delays.max() / delays.min() - 1
    most = {method: ratio[method].max() for method in COLUMNS}
    claim = Claim(
        "videos are sampled at 5 to 15 frames a second",
        "section 5",
        "5 to 15",
        "totals change by at most " + ", ".join(f"{v:.1%} ({m})" for m, v in most.items()),
        "cannot be checked",
        "the rate of table 1 is not given; ours is 10. Devices and cloud are busy from the start, "
        "so that it does not matter but for S-Q, which changes with anything",
    )
    return Part([claim], table, functools.partial(draw_rates, table))


def draw_rates(table: pd.DataFrame) -> Figure:
    """Draw the total delays at the three rates, as shares of those at the middle one."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
    for ax, uplink in zip(axes, UPLINKS, strict=True):
        for k, network in enumerate(NETWORKS):
            rows = table[(table["model"] == network) & (table["network"] == uplink)]
            rows = rows.set_index("frames a second")
            for method, style in (("S-C", "o-"), ("S-Q", "s:")):
                ratio = rows[method] / rows[method].iloc[1]
                ax.plot(ratio.index, ratio, style, color=f"C{k}", markersize=4)
            ax.plot([], [], color=f"C{k}", label=network)
        ax.plot([], [], "o-", color="0.3", label="Single Cutting")
        ax.plot([], [], "s:", color="0.3", label="with Queuing")
        ax.set_xticks(RATES)
        ax.set_xlabel("frames a second on each device")
        ax.set_title(uplink)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("total delay, as a share of that at 10")
    axes[1].legend(frameon=False, fontsize=8)
    return figure

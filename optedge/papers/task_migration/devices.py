"""Figures 4 and 5: speed-ups with one to five devices, of AlexNet and of ResNet18."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.task_migration.instances import CHAINS
from optedge.papers.task_migration.runs import COLUMNS, NEAR, STYLES, Runs, span
from optedge.papers.task_migration.table_1 import WORDS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Network to (method, against, published range); at five devices they are the ratios of 4G.
RANGES = {
    "alexnet": (("S-C", "E-O", 2.88, 3.27), ("S-Q", "E-O", 3.12, 3.75)),
    "resnet18": (("S-C", "E-O", 2.94, 3.20), ("S-C", "C-O", 1.25, 1.43)),
}


def by_devices(runs: Runs, network: str, uplink: str = "4G") -> pd.DataFrame:
    """Return the delay of each method in seconds, a row a number of devices."""
    import pandas as pd

    methods = [m for m in COLUMNS if m != "S-Q" or network in CHAINS]
    rows = {}
    for count in runs.devices:
        problem = runs.problem(network, uplink, devices=count)
        rows[count] = {method: runs.delay(problem, method) for method in methods}
    return pd.DataFrame.from_dict(rows, "index").rename_axis("devices")


def judge_figure_4(runs: Runs) -> Part:
    """Check AlexNet on one to five devices."""
    table = by_devices(runs, "alexnet")
    trivial = table[["C-O", "E-O"]].min(axis=1)
    better = (table["S-C"] < trivial) & (table["S-Q"] < trivial)
    claim = Claim(
        "both methods are better than edge-only and cloud-only, any number of devices",
        "figure 4",
        "all",
        "all" if better.all() else f"not with {', '.join(map(str, table.index[~better]))}",
        verdict(bool(better.all())),
        "" if better.all() else "a trivial method is as good",
    )
    claims = [*_ranges(table, "alexnet", "figure 4"), claim]
    return Part(claims, table.reset_index(), functools.partial(draw_devices, table, "alexnet"))


def judge_figure_5(runs: Runs) -> Part:
    """Check ResNet18 on one to five devices."""
    table = by_devices(runs, "resnet18")
    claims = _ranges(table, "resnet18", "figure 5")
    return Part(claims, table.reset_index(), functools.partial(draw_devices, table, "resnet18"))


def _ranges(table: pd.DataFrame, network: str, where: str) -> list[Claim]:
    claims = []
    for method, against, low, high in RANGES[network]:
        ratio = table[against] / table[method]
        ours = span(ratio)
        near = all(abs(a / b - 1) <= NEAR for a, b in zip(ours, (low, high), strict=True))
        few, many = ratio.index[0], ratio.index[-1]
        why = (
            f"{ratio[few]:.2f} with {few}, {ratio[many]:.2f} with {many}: devices share the cloud, "
            "so that fewer wait less; the paper's speed-up hardly depends on their number"
            if against == "E-O"
            else "one frame alone is best in the cloud, with any number of devices"
        )
        claims.append(
            Claim(
                f"speed-up of {method} over {WORDS[against]}, {network}, 1 to 5 devices",
                where,
                f"{low:g} to {high:g}",
                f"{ours[0]:g} to {ours[1]:g}",
                verdict(near),
                "" if near else why,
            )
        )
    return claims


def draw_devices(table: pd.DataFrame, network: str) -> Figure:
    """Draw speed-ups over edge-only against the number of devices, published ranges shaded."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for k, method in enumerate(table.columns):
        ratio = table["E-O"] / table[method]
        ax.plot(table.index, ratio, STYLES[method], color=f"C{k}", label=WORDS[method])
    for method, against, low, high in RANGES[network]:
        if against == "E-O":
            k = list(table.columns).index(method)
            ax.axhspan(low, high, color=f"C{k}", alpha=0.15, label=f"{WORDS[method]}, printed")
    ax.set_yscale("log")
    ticks = [1, 2, 3, 5, 10]
    ax.set_yticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()
    ax.set_xticks(list(table.index))
    ax.set_xlabel("devices")
    ax.set_ylabel("speed-up over edge-only")
    ax.set_title(f"{network}, 4G")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    return figure

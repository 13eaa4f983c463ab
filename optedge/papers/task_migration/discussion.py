"""Section 6 of the paper: many devices, faster clouds, other devices and queues.

The paper says what should happen and measures none of it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.task_migration.instances import CHAINS, UPLINKS
from optedge.papers.task_migration.runs import METHODS, Runs
from optedge.papers.task_migration.table_1 import WORDS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from optedge.formulations.pipeline import PipelineProblem

#: How many times as fast, and how many slots.
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
SLOTS = (2, 5, 10, 20, 40, 80)
#: Methods whose cuts follow the instance, and the columns that tell them.
CUTS = {"S-C": "cut of S-C", "S-Q": "most of S-Q"}
RULES = [method for method in METHODS if method.startswith("S-Q")]


def crowds(runs: Runs) -> pd.DataFrame:
    """Return the delay of each method in seconds: a row a chain, uplink and number of devices."""
    import pandas as pd

    rows = []
    for network in CHAINS:
        for uplink in UPLINKS:
            for count in runs.crowds:
                problem = runs.problem(network, uplink, devices=count)
                where = {"model": network, "network": uplink, "devices": count}
                rows.append(where | runs.delays(problem))
    return pd.DataFrame(rows)


def capacities(runs: Runs, network: str = "alexnet", uplink: str = "4G") -> pd.DataFrame:
    """Return what changes with the speed of the cloud, of the devices, and with the slots.

    A row a value: the cut of least latency and that of most tasks of S-Q, the delays, and the mean
    seconds that a sent task waits for a slot and for the server with S-C and S-Q.
    """
    import pandas as pd

    base = runs.problem(network, uplink)
    rows = []
    for what, values in (("cloud", SPEEDS), ("devices", SPEEDS), ("slots", SLOTS)):
        for value in values:
            problem = _changed(base, what, value)
            plan = runs.result(problem, "S-Q").solution
            row: dict[str, Any] = {"changed": what, "value": value}
            row["cut of S-C"] = int(problem.shortest[0])
            row["most of S-Q"] = int(np.bincount(plan.cuts).argmax())
            row |= {m: runs.delay(problem, m) for m in ("C-O", "E-O", "S-C", "S-Q")}
            for method in ("S-C", "S-Q"):
                told = problem.metrics(runs.result(problem, method).solution)
                row[f"wait, {method}"] = told["mean_wait"] + told["blocked"]
            rows.append(row)
    return pd.DataFrame(rows)


def _changed(base: PipelineProblem, what: str, value: float) -> PipelineProblem:
    """Return the instance with a faster cloud, faster devices, or another number of slots."""
    if what == "slots":
        return base.replace(capacity=value)
    scale = [1, 1, 1 / value] if what == "cloud" else [1 / value, 1, 1]
    return base.replace(chains=base.chains * scale)


def judge_crowds(runs: Runs) -> Part:
    """Check what is said of many devices."""
    table = crowds(runs)
    return Part(_crowds(table), table, functools.partial(draw_crowds, table))


def judge_capacities(runs: Runs) -> Part:
    """Check what is said of larger clouds, other devices and longer queues."""
    table = capacities(runs)
    claims = [*_waits(table), *_cuts(table)]
    return Part(claims, table, functools.partial(draw_capacities, table))


def _crowds(table: pd.DataFrame) -> list[Claim]:
    """Check who still accelerates anything with many devices."""
    fails = table[table["S-C"] >= table["E-O"]]
    first: dict[tuple[str, str], int] = {}
    for model, uplink, count in fails[["model", "network", "devices"]].to_numpy().tolist():
        first[model, uplink] = min(count, first.get((model, uplink), count))
    beaten = table["S-Q"] < table["S-C"] * (1 - 1e-9)
    helped = fails[fails["S-Q"] < fails["E-O"]]
    anyhow = fails[fails[RULES].min(axis=1) < fails["E-O"]]
    return [
        Claim(
            "with many devices Single Cutting may fail to accelerate the inference",
            "section 6",
            "may fail",
            "not below edge-only from "
            + ", ".join(f"{k} devices ({m}, {u})" for (m, u), k in first.items()),
            verdict(len(first) > 0),
            "the cloud is shared by all, edge-only is not"
            if len(first)
            else "never up to the largest number of devices",
        ),
        Claim(
            "Scheduling with Queuing still finds cuts that reduce the delay",
            "section 6",
            "where Single Cutting fails",
            f"below edge-only in {len(helped)} of {len(fails)} of these cases, below Single "
            f"Cutting in {beaten[fails.index].sum()}; the best of three readings of its rule is "
            f"below edge-only in {len(anyhow)}",
            verdict(len(fails) > 0 and len(helped) == len(fails)),
            "the rule only looks at cuts that send more, it never leaves a task on its device "
            "because the cloud is full",
        ),
    ]


def _waits(table: pd.DataFrame) -> list[Claim]:
    """Check whether a larger cloud means less waiting."""
    claims = []
    for what, words in (("cloud", "faster cloud"), ("slots", "longer queue")):
        rows = table[table["changed"] == what]
        for method in ("S-C", "S-Q"):
            waits = rows[f"wait, {method}"].to_numpy()
            falls = bool((np.diff(waits) <= 1e-9).all())
            told = ", ".join(f"{w:.2f}" for w in waits)
            why = (
                "waits for a slot and for the server together; the cuts change with the cloud"
                if what == "cloud"
                else "who gets a slot at once waits for the server instead"
            )
            claims.append(
                Claim(
                    f"the larger the cloud, the less tasks wait ({words}, {WORDS[method]})",
                    "section 6",
                    "less",
                    f"{told} s for {', '.join(f'{v:g}' for v in rows['value'])}",
                    verdict(falls),
                    "" if falls else why,
                )
            )
    return claims


def _cuts(table: pd.DataFrame) -> list[Claim]:
    """Check whether cuts follow the capacities, and whether the delay stays low."""
    claims = []
    for what in ("devices", "cloud", "slots"):
        rows = table[table["changed"] == what]
        cuts = {m: rows[column].tolist() for m, column in CUTS.items()}
        told = "; ".join(f"{m} {', '.join(map(str, values))}" for m, values in cuts.items())
        claims.append(
            Claim(
                f"other capacities change the cut ({what})",
                "section 6",
                "change",
                f"{told} for {', '.join(f'{v:g}' for v in rows['value'])}",
                verdict(any(len(set(values)) > 1 for values in cuts.values())),
                "the cut that most tasks have",
            )
        )
    best = table[["C-O", "E-O"]].min(axis=1)
    low = {m: table[m] <= best * (1 + 1e-9) for m in CUTS}
    good = {m: f"{m} in {v.sum()} of {v.size}" for m, v in low.items()}
    return [
        *claims,
        Claim(
            "the delay stays low at all capacities",
            "section 6",
            "low",
            f"not above both trivial methods: {', '.join(good.values())}",
            verdict(all(bool(v.all()) for v in low.values())),
            "" if all(v.all() for v in low.values()) else _above(table, low),
        ),
    ]


def _above(table: pd.DataFrame, low: dict[str, pd.Series[bool]]) -> str:
    method = next(m for m, v in low.items() if not v.all())
    row = table[~low[method]].iloc[0]
    best = "C-O" if row["C-O"] < row["E-O"] else "E-O"
    return (
        f"{WORDS[method]} takes {row[method]:.1f} s, {WORDS[best]} {row[best]:.1f} s "
        f"({row['changed']} {row['value']:g})"
    )


def draw_crowds(table: pd.DataFrame) -> Figure:
    """Draw the delays over the number of devices, a panel a chain and uplink."""
    import matplotlib.pyplot as plt

    cases = list(dict.fromkeys(zip(table["network"], table["model"], strict=True)))
    figure, axes = plt.subplots(
        2, len(cases) // 2, figsize=(13, 6.5), layout="constrained", sharex=True
    )
    for ax, (uplink, model) in zip(axes.flat, sorted(cases), strict=True):
        rows = table[(table["model"] == model) & (table["network"] == uplink)]
        for k, method in enumerate(METHODS):
            style = "o-" if k < 4 else "o:"
            ax.plot(rows["devices"], rows[method], style, color=f"C{k}", markersize=4, label=method)
        ax.set(title=f"{model}, {uplink}", yscale="log")
        _plain_ticks(ax, (20, 50, 100, 200, 500, 1000))
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("devices")
    for ax in axes[:, 0]:
        ax.set_ylabel("total delay (s)")
    axes.flat[0].legend(frameon=False, fontsize=8)
    return figure


def draw_capacities(table: pd.DataFrame) -> Figure:
    """Draw delays, and below them the waits, over what is changed."""
    import matplotlib.pyplot as plt

    titles = {
        "cloud": "speed of the cloud (fitted: 1)",
        "devices": "speed of the devices (fitted: 1)",
        "slots": "slots of the cloud (published: 20)",
    }
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.5), layout="constrained", sharex="col")
    for (above, below), (what, title) in zip(axes.T, titles.items(), strict=True):
        rows = table[table["changed"] == what]
        for k, method in enumerate(("C-O", "E-O", "S-C", "S-Q")):
            above.plot(rows["value"], rows[method], "o-", color=f"C{k}", label=WORDS[method])
            if method in CUTS:
                below.plot(rows["value"], rows[f"wait, {method}"], "o-", color=f"C{k}")
        above.set(xscale="log", yscale="log")
        _plain_ticks(above, (10, 20, 50, 100, 200, 500))
        below.set_xticks(rows["value"], [f"{v:g}" for v in rows["value"]])
        below.minorticks_off()
        below.set(xlabel=title, ylim=(0, None))
        above.grid(alpha=0.3)
        below.grid(alpha=0.3)
    axes[0, 0].set_ylabel("total delay (s)")
    axes[1, 0].set_ylabel("mean wait for slot and server (s)")
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.suptitle("alexnet, 4G, five devices")
    return figure


def _plain_ticks(ax: Axes, ticks: tuple[int, ...]) -> None:
    ax.set_yticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()

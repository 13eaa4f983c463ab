"""Table 1: the total delay of every method, and what the text makes of it.

Edge-only was fitted, and cloud-only at 4G: there, agreement says that the fit is a fit. All else is
out of sample. Scheduling with Queuing is simulated by three readings of its rule; the paper's own
is unstable, so that its number is judged only where profiles next to the fitted one agree on it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.task_migration.instances import CHAINS, DATA, FRAMES, UPLINKS, instance
from optedge.papers.task_migration.runs import COLUMNS, METHODS, NEAR, Runs, shown, span
from optedge.solvers.front import solve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from optedge.formulations.cut import CutProblem

WORDS = {
    "C-O": "cloud-only",
    "E-O": "edge-only",
    "S-C": "Single Cutting",
    "S-Q": "Scheduling with Queuing",
}


def published_table() -> pd.DataFrame:
    """Return Table 1 as printed: total delay in seconds, a row a network and uplink."""
    import pandas as pd

    return pd.read_csv(DATA / "table1.csv")


def table_1(runs: Runs) -> pd.DataFrame:
    """Return Table 1 as printed beside ours.

    A row a network and uplink: the cut of one frame and its seconds, the delay of each of
    ``METHODS``, and the least and largest delay of S-Q on profiles next to the fitted one.
    """
    table = published_table()
    cases = list(zip(table.model, table.network, strict=True))
    singles = [instance(*case) for case in cases]
    cuts = [solve(p, "min-cut") for p in singles]
    table["cut"] = [_cut_name(p, r.solution) for p, r in zip(singles, cuts, strict=True)]
    table["one_frame_s"] = [r.objective for r in cuts]
    table["gap"] = [r.gap for r in cuts]
    problems = [runs.problem(*case) for case in cases]
    for method in METHODS:
        table[method] = [runs.delay(p, method) for p in problems]
    near = [runs.nearby(p, "S-Q") for p in problems]
    table["S-Q from"] = [float(values.min()) for values in near]
    table["S-Q to"] = [float(values.max()) for values in near]
    return table


def judge_table_1(runs: Runs) -> Part:
    """Compare every number of the table, then the text with the table that it describes."""
    table = table_1(runs)
    claims = [
        _total(row, method)
        for method in COLUMNS
        for _, row in table.iterrows()
        if not np.isnan(row[COLUMNS[method]])
    ]
    return Part([*claims, *arithmetic(table)], table, functools.partial(draw_table_1, table))


def _total(row: pd.Series[Any], method: str) -> Claim:
    printed = float(row[COLUMNS[method]])
    rules = [m for m in METHODS if m.startswith(method)]
    ours = shown({m.removeprefix(method).strip() or "paper": float(row[m]) for m in rules})
    off = float(row[method]) / printed - 1
    claim = f"total delay of {WORDS[method]}, {row.model}, {row.network}"
    about = (claim, "table 1", f"{printed:g} s", ours)
    low, high = float(row["S-Q from"]), float(row["S-Q to"])
    if method == "S-Q" and high > (1 + NEAR) * low:
        why = f"chaotic: times within 0.1 % of the fitted ones give {low:.1f} to {high:.1f} s"
        return Claim(*about, "cannot be checked", why)
    if abs(off) <= NEAR:
        fitted = method == "E-O" or (method, row.network) == ("C-O", "4G")
        return Claim(*about, "reproduces", "fitted to this number" if fitted else f"{off:+.1%}")
    return Claim(*about, "differs", f"{off:+.1%}; {_why(row, method)}")


def _why(row: pd.Series[Any], method: str) -> str:
    if method == "C-O":
        return "the profile was fitted at 4G; this is its forecast for 3G"
    if method == "S-C" and row.cut == "edge-only":
        most = float(row.single_cutting) / FRAMES
        return (
            f"printed is at most {most:.2f} s a frame on its device: after so little work float32 "
            "maps are too large for this link, and one frame alone is best on the device"
        )
    if method == "S-C" and row.cut == "{0}":
        return "one frame alone is best in the cloud, so that all frames are sent whole"
    if method == "S-C":
        return "layer times in proportion to their work choose another cut than the paper's system"
    if abs(row["S-Q"] / row["S-C"] - 1) < 1e-9:
        return "no cut passes the test of the rule: all as with Single Cutting, in the paper too"
    return "the rule, as its equations read, takes cuts that send for longer"


# ------------------------------------------------------------------- text against table

# where, uplink, chains?, method, against, published range
SPEED_UPS = (
    ("figure 2(a)", "3G", True, "S-C", "edge_only", 2.03, 3.30),
    ("figure 2(a)", "3G", True, "S-C", "cloud_only", 2.22, 6.48),
    ("figure 2(b)", "4G", True, "S-Q", "edge_only", 1.9, 5.48),
    ("figure 2(b)", "4G", True, "S-Q", "cloud_only", 1.05, 1.57),
    ("figure 3(a)", "3G", False, "S-C", "edge_only", 1.11, 2.72),
    ("figure 3(a)", "3G", False, "S-C", "cloud_only", 2.07, 4.12),
    ("figure 3(b)", "4G", False, "S-C", "edge_only", 1.11, 2.72),
)


def arithmetic(table: pd.DataFrame) -> list[Claim]:
    """Check what the text says about the table against the table itself."""
    best = table.scheduling_queuing.fillna(table.single_cutting)
    largest = float((table[["cloud_only", "edge_only"]].max(axis=1) / best).max())
    claims = [
        Claim(
            "speed-up of up to 6.48",
            "abstract",
            "6.48",
            f"{largest:.2f}",
            verdict(round(largest, 2) == 6.48),
            "the largest ratio of two entries of table 1 in one row",
        )
    ]
    for where, uplink, chains, method, against, low, high in SPEED_UPS:
        rows = table[(table.network == uplink) & (table.model.isin(CHAINS) == chains)]
        ours = span(rows[against] / rows[COLUMNS[method]])
        claims.append(
            Claim(
                f"{speed_up_words(method, against, chains, uplink)}, table 1",
                where,
                f"{low:g} to {high:g}",
                f"{ours[0]:g} to {ours[1]:g}",
                verdict(ours == (low, high)),
                "ratios of the entries of table 1",
            )
        )
    return [*claims, *(_cloud_only_is_worst(table, uplink) for uplink in UPLINKS)]


def speed_up_words(method: str, against: str, chains: bool, uplink: str) -> str:
    """Return what a claim about a range of speed-ups says."""
    kind = "chains" if chains else "DAGs"
    return f"speed-up of {method} over {against.replace('_', '-')}, {kind}, {uplink}"


def _cloud_only_is_worst(table: pd.DataFrame, uplink: str) -> Claim:
    rows = table[(table.network == uplink) & ~table.model.isin(CHAINS)]
    worst, slower = uplink == "3G", rows.cloud_only > rows.edge_only
    holds = bool(slower.all() if worst else (~slower).all())
    against = rows.model[~slower if worst else slower].tolist()
    return Claim(
        f"cloud-only is {'slower' if worst else 'faster'} than edge-only on all DAGs, {uplink}",
        "section 5",
        "all",
        "all" if holds else f"not {', '.join(against)}",
        verdict(holds),
        "entries of table 1",
    )


def _cut_name(problem: CutProblem, x: Any) -> str:
    """Return the layers whose output is sent, or edge-only."""
    sent = problem.crossing(x)
    return "{" + ", ".join(map(str, sent)) + "}" if sent else "edge-only"


def draw_table_1(table: pd.DataFrame) -> Figure:
    """Draw our delay over the printed one, a panel an uplink; on the line they agree."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained", sharey=True)
    printed = table[list(COLUMNS.values())].to_numpy()
    ours = table[list(COLUMNS)].to_numpy()
    ends = np.nanmin([printed, ours]) / 1.15, np.nanmax([printed, ours]) * 1.15
    for ax, uplink in zip(axes, UPLINKS, strict=True):
        rows = table[table.network == uplink]
        ax.plot(ends, ends, color="0.5", linewidth=1)
        ax.fill_between(
            ends,
            np.multiply(ends, 1 - NEAR),
            np.multiply(ends, 1 + NEAR),
            color="0.9",
            label=f"within {NEAR:.0%}",
        )
        for k, (method, column) in enumerate(COLUMNS.items()):
            for model, marker in zip(rows.model, "os^DvP", strict=True):
                row = rows[rows.model == model]
                ax.plot(row[column], row[method], marker, color=f"C{k}", markersize=7, alpha=0.8)
            ax.plot([], [], "s", color=f"C{k}", label=WORDS[method])
        for model, marker in zip(rows.model, "os^DvP", strict=True):
            ax.plot([], [], marker, color="0.3", fillstyle="none", label=model)
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title=uplink)
        ticks = (20, 50, 100, 200)
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.set_yticks(ticks, [str(t) for t in ticks])
        ax.minorticks_off()
        ax.set_xlabel("total delay as printed (s)")
    axes[0].set_ylabel("total delay, simulated on the fitted profile (s)")
    axes[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure

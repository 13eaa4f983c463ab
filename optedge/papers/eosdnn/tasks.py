"""Figure 17: delay over the number of tasks, and the straight line that fits it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.methods import METHOD, RIVALS
from optedge.papers.eosdnn.runs import Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LINEAR = 0.95  # share of the variance that a line must explain
CERTIFIED_PLAN = "lagrangian"
METHODS = (CERTIFIED_PLAN, METHOD, *RIVALS)


class Line(NamedTuple):
    """A least squares line: seconds a task, share of the variance, deviation over the mean."""

    slope: float
    r2: float
    deviation: float


def fit(x: npt.ArrayLike, y: npt.ArrayLike) -> Line:
    """Fit a line to delays ``y`` (s) over numbers of tasks ``x``."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    slope, foot = np.polyfit(x, y, 1)
    rest = y - (foot + slope * x)
    spread = float(((y - y.mean()) ** 2).sum())
    r2 = 1.0 - float((rest**2).sum()) / spread if spread > 0 else 1.0
    return Line(float(slope), r2, float(np.sqrt((rest**2).mean()) / y.mean()))


def figure_17(runs: Runs) -> pd.DataFrame:
    """Return the delay of each method, a row a network and number of tasks; seed 0.

    ``bound (s)`` is certified, ``proved gap`` that of ``lagrangian``.
    """
    import pandas as pd

    rows = []
    for network in runs.curves:
        for n in runs.tasks:
            problem = runs.problem(network, n)
            best = runs.certified(problem)
            row: dict[str, Any] = {"network": network, "tasks": n, "bound (s)": best.bound}
            row[f"{CERTIFIED_PLAN} (s)"] = best.objective
            row["proved gap"] = best.gap
            for solver in METHODS[1:]:
                row[f"{solver} (s)"] = runs.search(problem, solver).objective
            rows.append(row)
    return pd.DataFrame(rows)


def judge_figure_17(runs: Runs) -> Part:
    """Check that delays are linear, PSO-GA least steep and greedy most erratic."""
    table = figure_17(runs)
    return Part(judge(table), table, functools.partial(draw_figure_17, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return two claims on linearity, one on slopes and one on deviations."""
    lines = {
        network: {m: fit(rows["tasks"], rows[f"{m} (s)"]) for m in METHODS}
        for network, rows in table.groupby("network", sort=False)
    }
    return [
        _linear(lines, METHOD, "PSO-GA"),
        _linear(lines, CERTIFIED_PLAN, "certified plan"),
        _steepest(lines),
        _erratic(lines),
    ]


def _linear(lines: dict[Any, dict[str, Line]], method: str, label: str) -> Claim:
    texts = [
        f"{network}: {line[method].slope:.3g} s a task, R^2 = {line[method].r2:.4f}"
        for network, line in lines.items()
    ]
    bent = [str(n) for n, line in lines.items() if line[method].r2 < LINEAR]
    return Claim(
        f"the delay is linear in the number of tasks ({label})",
        "figure 17",
        "linear",
        "; ".join(texts),
        verdict(not bent),
        f"a line explains less than {LINEAR:g} of the variance for {', '.join(bent)}"
        if bent
        else f"a line explains at least {LINEAR:g} of the variance",
    )


def _steepest(lines: dict[Any, dict[str, Line]]) -> Claim:
    texts = [
        f"{network}: " + ", ".join(f"{m} {line[m].slope:.3g}" for m in METHODS)
        for network, line in lines.items()
    ]
    against = [
        f"{m} ({network})"
        for network, line in lines.items()
        for m in RIVALS
        if line[m].slope <= line[METHOD].slope
    ]
    return Claim(
        "the delay of PSO-GA grows least with the number of tasks",
        "figure 17",
        "least of PSO-GA, GA, prePSO, greedy",
        "; ".join(texts) + " s a task",
        verdict(not against),
        f"no steeper: {', '.join(against)}" if against else "",
    )


def _erratic(lines: dict[Any, dict[str, Line]]) -> Claim:
    published = (METHOD, *RIVALS)
    texts = [
        f"{network}: " + ", ".join(f"{m} {100 * line[m].deviation:.2g} %" for m in published)
        for network, line in lines.items()
    ]
    against = [
        f"{m} ({network})"
        for network, line in lines.items()
        for m in published
        if m != "greedy" and line[m].deviation >= line["greedy"].deviation
    ]
    return Claim(
        "greedy is the most erratic",
        "figure 17",
        "most erratic of PSO-GA, GA, prePSO, greedy",
        "; ".join(texts),
        verdict(not against),
        "standard deviation from the line over the mean delay"
        + (f"; farther from theirs: {', '.join(against)}" if against else ""),
    )


# ------------------------------------------------------------------------- drawing


def draw_figure_17(table: pd.DataFrame) -> Figure:
    """Draw delays over the number of tasks and the lines that fit them, a panel a network."""
    import matplotlib.pyplot as plt

    names = table["network"].unique()
    figure, axes = plt.subplots(1, len(names), figsize=(5.4 * len(names), 4.4), squeeze=False)
    figure.set_layout_engine("constrained")
    for ax, network in zip(axes[0], names, strict=True):
        rows = table[table["network"] == network]
        for k, method in enumerate(METHODS):
            delay = rows[f"{method} (s)"]
            slope, foot = np.polyfit(rows["tasks"], delay, 1)
            colour = "black" if method == CERTIFIED_PLAN else f"C{k}"
            ax.plot(rows["tasks"], delay, "osD^v"[k], color=colour, label=method, alpha=0.8)
            ax.plot(rows["tasks"], foot + slope * rows["tasks"], color=colour, linewidth=0.8)
        ax.plot(rows["tasks"], rows["bound (s)"], "--", color="0.4", label="certified bound")
        ax.set_xticks(rows["tasks"])
        ax.set_xlabel("tasks")
        ax.set_title(str(network))
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel("sum of flow times (s)")
    axes[0, 0].legend(frameon=False)
    return figure

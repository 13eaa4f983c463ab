"""Figure 16: PSO-GA against other methods, all with the same budget, above a certified bound."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.eosdnn.runs import Runs
from optedge.solvers.registry import find_solver

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

METHOD = "pso-ga"
#: What the paper compares with, under the names of its figure.
RIVALS = {"genetic": "GA", "pre-pso": "prePSO", "greedy": "greedy"}
OTHERS = (
    "annealing",
    "local-search",
    "particle-swarm",
    "ant-colony",
    "random",
    "all-client",
    "all-edge",
    "all-cloud",
)


def figure_16(runs: Runs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return delays above the certified bound, and every run.

    The first table has a row a network and method: the median of its runs and the worst, both in
    seconds, the certified bound, how far above it the median is, and medians of seconds and of
    candidates priced. ``lagrangian`` gives the bound; it is limited by time, not by candidates.
    ``annealing`` and ``local-search`` start from the plan of a rule, the populations from random
    ones.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for network in runs.networks:
        problem = runs.problem(network)
        found = {"lagrangian": [runs.certified(problem)]}
        for solver in (METHOD, *RIVALS, *OTHERS):
            count = runs.seeds if solver == METHOD or solver in RIVALS else runs.others
            if find_solver(solver).deterministic:
                count = 1
            found[solver] = [runs.search(problem, solver, seed) for seed in range(count)]
        rows += [
            {
                "network": network,
                "method": solver,
                "seed": result.seed,
                **runs.measured(problem, result),
                "seconds": result.runtime,
                "evaluations": result.evaluations,
            }
            for solver, results in found.items()
            for result in results
        ]
    every = pd.DataFrame(rows)
    return _summary(every), every


def _summary(every: pd.DataFrame) -> pd.DataFrame:
    """Return a row a network and method, the least median first."""
    import pandas as pd

    groups = every.groupby(["network", "method"], sort=False)
    table = groups[["delay (s)", "bound (s)", "seconds", "evaluations"]].median()
    table.insert(0, "runs", groups.size())
    table.insert(2, "worst (s)", groups["delay (s)"].max())
    table.insert(4, "times the bound", table["delay (s)"] / table["bound (s)"])
    table.insert(5, "proved gap", 1 - table["bound (s)"] / table["delay (s)"])
    table["evaluations"] = table["evaluations"].astype(int)
    of_networks = table.reset_index().groupby("network", sort=False)
    ordered = [rows.sort_values("delay (s)", kind="stable") for _, rows in of_networks]
    return pd.concat(ordered, ignore_index=True)


def judge_figure_16(runs: Runs) -> Part:
    """Check that PSO-GA has the least delay of the published methods."""
    table, every = figure_16(runs)
    return Part(judge(table, every), table, functools.partial(draw_figure_16, every))


def judge(table: pd.DataFrame, every: pd.DataFrame) -> list[Claim]:
    """Return a claim for each method that the paper compares with."""
    middle = table.pivot(index="network", columns="method", values="delay (s)")
    middle = middle.loc[table["network"].unique()]
    claims = []
    for rival, label in RIVALS.items():
        lower = middle[METHOD] < middle[rival]
        wins = [_wins(every[every["network"] == network], rival) for network in middle.index]
        texts = [
            f"{network} {row[METHOD]:.4g} against {row[rival]:.4g} s ({won})"
            for (network, row), won in zip(middle.iterrows(), wins, strict=True)
        ]
        against = ", ".join(middle.index[~lower])
        claims.append(
            Claim(
                f"PSO-GA has less delay than {label}",
                "figure 16",
                "all networks",
                "; ".join(texts),
                verdict(bool(lower.all())),
                f"medians; not so for {against} with the same number of candidates"
                if against
                else "medians",
            )
        )
    return claims


def _wins(rows: pd.DataFrame, rival: str) -> str:
    """Return in how many seeds PSO-GA is lower; a method without chance has the same run in all."""
    own = rows[rows["method"] == METHOD].set_index("seed")["delay (s)"]
    other = rows[rows["method"] == rival].set_index("seed")["delay (s)"]
    other = other.reindex(own.index) if len(other) > 1 else own * 0 + other.iloc[0]
    return f"lower in {int((own < other).sum())} of {len(own)}"


# ------------------------------------------------------------------------- drawing


def draw_figure_16(every: pd.DataFrame) -> Figure:
    """Draw the delay of every run in multiples of the certified bound, a panel a network."""
    import matplotlib.pyplot as plt

    names = every["network"].unique()
    figure, axes = plt.subplots(1, len(names), figsize=(2.8 * len(names) + 1.4, 4.4), squeeze=False)
    figure.set_layout_engine("constrained")
    ratio = every["delay (s)"] / every["bound (s)"]
    order = ratio.groupby(every["method"]).median().sort_values(ascending=False).index
    for ax, network in zip(axes[0], names, strict=True):
        rows = every["network"] == network
        for k, method in enumerate(order):
            points = ratio[rows & (every["method"] == method)]
            published = method == METHOD or method in RIVALS
            colour = "C3" if method == METHOD else "C0" if published else "0.55"
            ax.plot(points, [k] * len(points), "o", color=colour, alpha=0.5, markersize=5)
            ax.plot([points.median()], [k], "|", color=colour, markersize=16, markeredgewidth=2)
        ax.axvline(1.0, color="black", linewidth=1)
        ax.set_xscale("log")
        ax.set_title(network)
        ax.set_yticks(range(len(order)), list(order) if ax is axes[0, 0] else [""] * len(order))
        ax.grid(alpha=0.3, axis="x")
    figure.supxlabel(
        "delay / certified bound; a point a run, strokes are medians\n"
        "red: PSO-GA, blue: what the paper compares it with",
        fontsize=10,
    )
    return figure

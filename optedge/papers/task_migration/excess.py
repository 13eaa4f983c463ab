"""What is lost: every policy against the best schedule found, and against a proved bound."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.task_migration.instances import UPLINKS
from optedge.papers.task_migration.runs import METHODS, NEAR, Runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def excess_table(runs: Runs) -> pd.DataFrame:
    """Return a row a network, uplink and method: delay, bound, and what it is above the bound.

    The bound is the largest that needs no search; no schedule of the instance is below it. ``best
    found`` is the best schedule of policies and searches.
    """
    import pandas as pd

    rows = []
    for network in runs.networks:
        for uplink in UPLINKS:
            problem = runs.problem(network, uplink)
            name, bound = max(problem.bounds().items(), key=lambda item: item[1])
            best = runs.searched(problem)
            results = {method: runs.result(problem, method) for method in METHODS}
            for method, result in {**results, "best found": best}.items():
                delay = float(result.objective)
                rows.append(
                    {
                        "model": network,
                        "network": uplink,
                        "method": method,
                        "solver": result.solver,
                        "delay (s)": delay,
                        "bound (s)": bound,
                        "proved by": name,
                        "proved excess": delay / bound - 1,
                        "above the best found": delay / float(best.objective) - 1,
                    }
                )
    return pd.DataFrame(rows)


def judge_excess(runs: Runs) -> Part:
    """Check that the cut which is best for one task is not best for all, and say by how much."""
    table = excess_table(runs)
    lost = table.pivot_table("above the best found", ["model", "network"], "method")
    proved = table.pivot_table("proved excess", ["model", "network"], "method")
    claims = [
        Claim(
            "the cut of least delay for one task is not necessarily best for the system",
            "section 1",
            "not necessarily",
            f"Single Cutting is {lost['S-C'].min():.0%} to {lost['S-C'].max():.0%} above schedules "
            f"that were found, the best of the three rules with queuing "
            f"{_best_rule(lost).min():.0%} to {_best_rule(lost).max():.0%}",
            verdict(bool(lost["S-C"].max() > 0)),
            "what was found may not be optimal: the loss is at least this",
        ),
        Claim(
            "the cut of each task is chosen to optimise the overall delay",
            "abstract",
            "optimise",
            f"above a proved bound: best schedules found {_ends(proved['best found'])}, Single "
            f"Cutting {_ends(proved['S-C'])}, with queuing {_ends(_best_rule(proved))}",
            verdict(bool(_best_rule(lost).max() <= NEAR)),
            "policies without a guarantee; of the excess over the bound a part is the bound's",
        ),
    ]
    return Part(claims, table, functools.partial(draw_excess, table))


def _best_rule(table: pd.DataFrame) -> pd.Series[float]:
    return table[[m for m in METHODS if m.startswith("S-Q")]].min(axis=1)


def _ends(values: pd.Series[float]) -> str:
    return f"{values.min():.0%} to {values.max():.0%}"


def draw_excess(table: pd.DataFrame) -> Figure:
    """Draw the delay of each method over the proved bound, a row a case, on a log axis."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(9, 5.5), layout="constrained")
    cases = list(dict.fromkeys(zip(table["model"], table["network"], strict=True)))
    at = {case: k for k, case in enumerate(cases)}
    marks = dict(zip([*METHODS, "best found"], "<>os^vD", strict=True))
    for k, (method, marker) in enumerate(marks.items()):
        rows = table[table["method"] == method]
        y = [at[case] for case in zip(rows["model"], rows["network"], strict=True)]
        shown = "black" if method == "best found" else f"C{k}"
        ax.plot(1 + rows["proved excess"], y, marker, color=shown, alpha=0.8, label=method)
    ax.axvline(1, color="C3", linestyle="--", label="proved bound")
    ax.set_yticks(np.arange(len(cases)), [", ".join(case) for case in cases])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ticks = [t for t in (1, 1.2, 1.5, 2, 3, 5, 10, 20, 50) if t <= ax.get_xlim()[1]]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("total delay over the proved bound")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure

"""Figure 6: delay, energy and cost over the number of tasks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.ddpqn.measures import RAW, measures, with_proofs
from optedge.papers.ddpqn.runs import Runs
from optedge.papers.eosdnn.tasks import LINEAR, fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: The published methods, and the optimum.
METHODS = {"ddpqn": "DDPQN", "dqn": "DQN", "greedy": "greedy", "optimum": "optimum"}
NEAR = 0.1  # relative difference of slopes that counts as near


def figure_6(runs: Runs) -> pd.DataFrame:
    """Return what plans of more and more tasks take: a row a network, number and method.

    The published objective. Of learners the last rollout, means of the seeds; ``regret, plan kept``
    is that of the best plan that a run has seen, the greedy one included, from which it starts.
    """
    import pandas as pd

    rows = []
    for network in runs.curves or ():
        for n in runs.tasks:
            problem = runs.problem(network, n)
            exact = runs.exact(problem)
            for method in METHODS:
                if method == "optimum":
                    found = [exact]
                elif method == "greedy":
                    found = [runs.myopic(problem)]
                else:
                    found = [runs.learn(problem, method, s) for s in range(runs.others)]
                plans = [r.info.get("rollout_plan", r.solution) for r in found]
                taken = pd.DataFrame([measures(problem, plan) for plan in plans]).mean()
                kept = float(np.mean([r.objective for r in found]))
                rows.append(
                    {
                        "network": network,
                        "tasks": n,
                        "method": method,
                        **{column: float(taken[column]) for column in RAW.values()},
                        "value": float(taken["value"]),
                        "regret": float(taken["value"]) - exact.objective,
                        "regret, plan kept": kept - exact.objective,
                        "proved gap": exact.gap,
                    }
                )
    return pd.DataFrame(rows)


def judge_figure_6(runs: Runs) -> Part:
    """Check that all grow linearly, and which method has the least delay and the most energy."""
    table = figure_6(runs)
    claims = [*with_proofs(judge(table), table), _in_proportion(runs)]
    return Part(claims, table, functools.partial(draw_figure_6, table))


def judge(table: pd.DataFrame) -> list[Claim]:
    """Return a claim on linearity for each method, and three on the order of the methods."""
    claims = [_linear(table, method) for method in METHODS if method != "optimum"]
    claims += [
        _extreme(table, "delay (s)", "lowest"),
        _extreme(table, "energy (J)", "highest"),
        _near(table),
    ]
    return claims


def _linear(table: pd.DataFrame, method: str) -> Claim:
    texts, bent = [], []
    for network, rows in table[table["method"] == method].groupby("network", sort=False):
        for column in RAW.values():
            line = fit(rows["tasks"], rows[column])
            texts.append(f"{network}, {column}: {line.slope:.3g} a task, R^2 {line.r2:.4f}")
            if line.r2 < LINEAR:
                bent.append(f"{column} of {network}")
    return Claim(
        f"delay, energy and cost are linear in the number of tasks ({METHODS[method]})",
        "figure 6",
        "linear",
        "; ".join(texts),
        verdict(not bent),
        f"a line explains less than {LINEAR:g} of the variance: {', '.join(bent)}"
        if bent
        else "no pool binds: only the balance Z keeps tasks from growing in proportion",
    )


def _in_proportion(runs: Runs) -> Claim:
    """Judge what must hold without Z: then tasks do not meet at all."""
    off, texts = [], []
    for network in runs.curves or ():
        found = []
        for n in runs.tasks:
            problem = runs.problem(network, n, weights={"xi": 0.0})
            taken = measures(problem, runs.exact(problem).solution)
            found.append([taken[column] / n for column in RAW.values()])
        apart = max((max(x) - min(x)) / max(x) for x in zip(*found, strict=True))
        texts.append(f"{network}: " + ", ".join(f"{v:.4g}" for v in found[0]))
        if apart > 1e-9:
            off.append(f"{network} by {apart:.2g}")
    return Claim(
        "without Z and pools the optimum grows in proportion to the number of tasks",
        "figure 6",
        "none; implied by the model",
        "; ".join(texts) + f" a task ({', '.join(RAW.values())})",
        verdict(not off),
        f"differs with the number: {', '.join(off)}" if off else "tasks do not meet",
    )


def _extreme(table: pd.DataFrame, column: str, word: str) -> Claim:
    """Judge by the sum over all numbers of tasks."""
    sign = 1.0 if word == "lowest" else -1.0
    texts, against = [], []
    for network, rows in table.groupby("network", sort=False):
        sums = rows.groupby("method", sort=False)[column].sum()
        texts.append(f"{network}: " + ", ".join(f"{m} {sums[m]:.4g}" for m in METHODS))
        against += [
            f"{rival} ({network})"
            for rival in ("dqn", "greedy")
            if sign * sums[rival] < sign * sums["ddpqn"] * (1 - sign * 1e-9)
        ]
    return Claim(
        f"DDPQN has the {word} {column.split()[0]} of DDPQN, DQN and greedy",
        "figure 6",
        word,
        "; ".join(texts) + f" {column.split()[1]}, summed over the points",
        verdict(not against),
        f"{'lower' if word == 'lowest' else 'higher'}: {', '.join(against)}" if against else "",
    )


def _near(table: pd.DataFrame) -> Claim:
    texts, off = [], []
    for network, rows in table.groupby("network", sort=False):
        sums = rows.groupby("method", sort=False)["cost ($)"].sum()
        apart = abs(sums["ddpqn"] - sums["greedy"]) / sums["greedy"]
        texts.append(f"{network}: {sums['ddpqn']:.4g} against {sums['greedy']:.4g} $")
        if apart > NEAR:
            off.append(f"{network} ({100 * apart:.2g} % apart)")
    return Claim(
        "the cost of DDPQN is near that of greedy",
        "figure 6",
        "near",
        "; ".join(texts),
        verdict(not off),
        f"near: within {100 * NEAR:g} %" + (f"; not so: {', '.join(off)}" if off else ""),
    )


def draw_figure_6(table: pd.DataFrame) -> Figure:
    """Draw delay, energy and cost over the tasks, a row of panels a network."""
    import matplotlib.pyplot as plt

    names = table["network"].unique()
    figure, axes = plt.subplots(len(names), 3, figsize=(11.4, 3.8 * len(names)), squeeze=False)
    figure.set_layout_engine("constrained")
    for line, network in zip(axes, names, strict=True):
        for ax, column in zip(line, RAW.values(), strict=True):
            for k, (method, label) in enumerate(METHODS.items()):
                rows = table[(table["network"] == network) & (table["method"] == method)]
                best = method == "optimum"
                ax.plot(
                    rows["tasks"],
                    rows[column],
                    "--" if best else "osD"[k] + "-",
                    color="0.4" if best else f"C{k}",
                    label=label,
                    alpha=0.8,
                )
            ax.set_xticks(sorted(table["tasks"].unique()))
            ax.set_xlabel("tasks")
            ax.set_ylabel(column)
            ax.set_title(str(network))
            ax.set_ylim(bottom=0)
            ax.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False)
    return figure

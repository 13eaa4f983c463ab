"""Figures 4 and 5: eight learners with the same seeds, transitions and first networks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.offloading import OffloadingProblem
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.ddpqn.measures import normalised_regret
from optedge.papers.ddpqn.runs import SC, Runs
from optedge.papers.ddpqn.sweeps import late
from optedge.solvers.deep_q.options import LEARNERS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

METHOD = "ddpqn"
#: The published objective, and the one in which greedy is far from the optimum.
PUBLISHED, SEPARATING = "published", "SC, Mb"
POINTS = 60  # of a drawn curve


def instances(runs: Runs) -> dict[tuple[str, str], OffloadingProblem]:
    """Return what is learnt: the published objective of each network, and one that separates."""
    found = {(network, PUBLISHED): runs.problem(network) for network in runs.learnt}
    first = runs.learnt[0]
    found[first, SEPARATING] = runs.problem(first, data_unit="Mb", weights=SC)
    return found


def figures_4_and_5(runs: Runs) -> pd.DataFrame:
    """Return every run: a row a network, objective, learner and seed.

    ``loss``, ``reward``, ``regret``: means of the last quarter of the run; ``reward`` is that of a
    greedy episode, ``regret`` what it is below that of the optimum; ``last rollout`` and ``best
    played`` are regrets at the end. ``learning starts`` is the first transition after which there
    was an update.
    """
    import pandas as pd

    rows = []
    for (network, objective), problem in instances(runs).items():
        exact = runs.exact(problem)
        best = exact.objective
        at_home = problem.objective(np.zeros(problem.n_subtasks, dtype=np.int64))
        greedy = runs.myopic(problem).objective
        for learner in LEARNERS:
            for seed in range(runs.seeds):
                info = runs.learn(problem, learner, seed).info
                curve = info["learning"]
                value = late(curve["rollout"])
                started = curve["steps"][curve["updates"] > 0]
                rows.append(
                    {
                        "network": network,
                        "objective": objective,
                        "learner": learner,
                        "seed": seed,
                        "loss": late(curve["loss"]),
                        "reward": -value,
                        "regret": value - best,
                        "normalised regret": normalised_regret(value, best, at_home),
                        "last rollout": info["rollout"] - best,
                        "best played": info["best_played"] - best,
                        "greedy": greedy - best,
                        "optimum": best,
                        "proved": exact.status.name == "OPTIMAL",
                        "learning starts": float(started[0]) if started.size else float("nan"),
                    }
                )
    return pd.DataFrame(rows)


def summary(every: pd.DataFrame) -> pd.DataFrame:
    """Return a row a network, objective and learner: mean, least and largest of its runs."""
    keys = ["network", "objective", "learner"]
    columns = ["loss", "reward", "regret", "normalised regret", "last rollout", "best played"]
    groups = every.groupby(keys, sort=False)
    table = groups[columns].agg(["mean", "min", "max"])
    table.columns = [", ".join(pair) for pair in table.columns]
    table.insert(0, "runs", groups.size())
    for column in ("greedy", "optimum"):
        table[column] = groups[column].first()
    return table.reset_index()


def judge_figure_4(runs: Runs) -> Part:
    """Check that DDPQN has the least loss, and that prioritised learners start later."""
    every = figures_4_and_5(runs)
    table = summary(every)
    claims = [_first(table, case, "loss", "figure 4") for case in instances(runs)]
    claims.append(_starts(every))
    draw = functools.partial(_draw, runs, every, "loss")
    return Part(claims, table, draw)


def judge_figure_5(runs: Runs) -> Part:
    """Check that DDPQN has the best average reward; regrets beside it."""
    every = figures_4_and_5(runs)
    table = summary(every)
    cases = list(instances(runs))
    claims = [_first(table, case, "reward", "figure 5") for case in cases]
    claims += [_kept(table, case) for case in cases]
    return Part(claims, every, functools.partial(_draw, runs, every, "reward"))


def _first(table: pd.DataFrame, case: tuple[str, str], column: str, where: str) -> Claim:
    """Judge whether the mean of DDPQN is the best of the eight; tell if ranges overlap."""
    network, objective = case
    rows = table[(table["network"] == network) & (table["objective"] == objective)]
    rows = rows.set_index("learner")
    sign = 1.0 if column == "loss" else -1.0
    means = sign * rows[f"{column}, mean"]
    own = means[METHOD]
    if not np.isfinite(own):
        claim = f"DDPQN is the best in {column} ({network}, {objective})"
        why = "runs ended before learning started"
        return Claim(claim, where, "best of the eight", "no updates", "cannot be checked", why)
    ahead = [str(name) for name in means.index if means[name] < own - 1e-9]
    low, high = (sign * rows[f"{column}, {end}"] for end in ("min", "max"))
    if column == "reward":
        low, high = high, low
    apart = [
        str(n)
        for n in means.index
        if n != METHOD and (high[METHOD] < low[n] or high[n] < low[METHOD])
    ]
    words = "converges to the least loss" if column == "loss" else "has the best average reward"
    beside = "regret" if column == "loss" else "normalised regret"
    ours = "; ".join(
        f"{name} {row[f'{column}, mean']:.3g} [{row[f'{column}, min']:.3g}, "
        f"{row[f'{column}, max']:.3g}], {beside} {row[f'{beside}, mean']:.3g}"
        for name, row in rows.iterrows()
    )
    reason = f"better on average: {', '.join(ahead)}; " if ahead else ""
    reason += (
        f"ranges of the seeds apart from: {', '.join(apart)}"
        if apart
        else "all ranges of the seeds overlap that of DDPQN"
    )
    if column == "loss":
        reason += "; losses of prioritised learners are weighted by at most 1: not comparable"
    return Claim(
        f"DDPQN {words} ({network}, {objective})",
        where,
        "best of the eight",
        ours,
        verdict(not ahead),
        reason,
    )


def _kept(table: pd.DataFrame, case: tuple[str, str]) -> Claim:
    """Judge the plans: the regret of the last rollout and of the best episode played."""
    network, objective = case
    rows = table[(table["network"] == network) & (table["objective"] == objective)]
    rows = rows.set_index("learner")
    means = rows["last rollout, mean"]
    ahead = [str(name) for name in means.index if means[name] < means[METHOD] - 1e-9]
    greedy = float(rows["greedy"].iloc[0])
    ours = "; ".join(
        f"{name} {row['last rollout, mean']:.3g} ({row['best played, mean']:.3g})"
        for name, row in rows.iterrows()
    )
    reason = f"better on average: {', '.join(ahead)}; " if ahead else ""
    reason += f"greedy has {greedy:.3g}, at once and without learning"
    return Claim(
        f"the plan that DDPQN has learnt is the best of the eight ({network}, {objective})",
        "figure 5",
        "best of the eight",
        f"regret of the last rollout (of the best episode played): {ours}",
        verdict(not ahead),
        reason,
    )


def _starts(every: pd.DataFrame) -> Claim:
    starts = every.groupby("learner", sort=False)["learning starts"].max()
    same = starts.nunique() <= 1
    return Claim(
        "learners with prioritised replay start to learn later",
        "figure 4",
        "later than the others",
        "all after the same number of transitions"
        if same
        else ", ".join(f"{name} {value:.0f}" for name, value in starts.items()),
        "cannot be checked",
        "the paper does not say after how many transitions learning starts; here all learners "
        "start after 1000, so that only what they learn tells them apart",
    )


# ---------------------------------------------------------------------- drawing


def _draw(runs: Runs, every: pd.DataFrame, column: str) -> Figure:
    curves = {
        case: {
            learner: [
                runs.learn(problem, learner, seed).info["learning"] for seed in range(runs.seeds)
            ]
            for learner in LEARNERS
        }
        for case, problem in instances(runs).items()
    }
    return draw_learners(curves, every, column)


def draw_learners(
    curves: dict[tuple[str, str], dict[str, list[dict[str, npt.NDArray[np.float64]]]]],
    every: pd.DataFrame,
    column: str,
) -> Figure:
    """Draw loss or reward over updates, a panel a case: means of the seeds, the range of DDPQN."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(3.7 * len(curves), 4.6), squeeze=False)
    figure.set_layout_engine("constrained")
    for ax, ((network, objective), learners) in zip(axes[0], curves.items(), strict=True):
        for k, (learner, found) in enumerate(learners.items()):
            x, values = _together(found, column)
            own = learner == METHOD
            style: dict[str, Any] = {"linewidth": 2.2 if own else 1.0, "zorder": 3 if own else 2}
            colour = "black" if own else f"C{k}"
            ax.plot(x, values.mean(axis=0), color=colour, label=learner, **style)
            if own:
                ax.fill_between(
                    x, values.min(axis=0), values.max(axis=0), color="0.85", linewidth=0
                )
        if column == "loss":
            ax.set_yscale("log")
        else:
            of = (every["network"] == network) & (every["objective"] == objective)
            ax.axhline(-every["optimum"][of].iloc[0], color="C2", linestyle="--", label="optimum")
        ax.set_title(f"{network}, {objective}")
        ax.set_xlabel("updates")
        ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel("loss" if column == "loss" else "reward of a greedy episode (smoothed)")
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _together(
    found: list[dict[str, npt.NDArray[np.float64]]], column: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return updates, and a row a seed: losses as they are, rewards averaged over a tenth."""
    name = "loss" if column == "loss" else "rollout"
    rows = []
    found = [curve for curve in found if np.isfinite(curve["loss"]).sum() > 1]
    if not found:
        return np.zeros(0), np.zeros((1, 0))
    last = min(float(curve["updates"][-1]) for curve in found)
    first = max(float(curve["updates"][np.isfinite(curve["loss"])][0]) for curve in found)
    x = np.linspace(min(first, last), last, POINTS)
    for curve in found:
        known = np.isfinite(curve[name])
        y = curve[name][known] if column == "loss" else -curve[name][known]
        width = max(1, y.size // 10) if column == "reward" else 1
        padded = np.concatenate([np.full(width - 1, y[0]), y])
        smooth = np.convolve(padded, np.full(width, 1.0 / width), mode="valid")
        rows.append(np.interp(x, curve["updates"][known], smooth))
    return x, np.array(rows)

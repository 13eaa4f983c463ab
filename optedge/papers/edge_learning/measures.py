"""Figures 4 to 6, measured: makespan, spread of loads and busiest server of each method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.makespan import MakespanProblem
from optedge.papers.edge_learning.instances import SETTINGS, STAGES, TASKS, instance
from optedge.solvers.code import random_codes
from optedge.solvers.front import solve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "algorithm 1": ("lp-rounding", {}),
    "algorithm 2": ("sa-rearranging", {}),
    "multiphase": ("multiphase", {}),
}


def figures(
    *, seeds: int = 5, tasks: Sequence[int] = TASKS, time_limit: float | None = None
) -> pd.DataFrame:
    """Measure figures 4, 5 and 6: both settings, three stages, n = 100 to 600.

    ``random`` is the mean of 20 draws. Columns: setting, stage, n, seed, method, makespan (s),
    loads_std (s), tasks_on_busiest.
    """
    import pandas as pd

    rows = []
    for setting in SETTINGS:
        for stage in STAGES:
            for n in tasks:
                for seed in range(seeds):
                    problem = instance(stage, n, setting=setting, seed=seed)
                    where = {"setting": setting, "stage": stage, "n": n, "seed": seed}
                    draws = random_codes(problem, np.random.default_rng(seed), 20)
                    found = {"random": list(draws)}
                    for method, (solver, options) in METHODS.items():
                        result = solve(
                            problem,
                            solver,
                            seed=seed,
                            bound=False,
                            time_limit=60.0 if time_limit is None else time_limit,
                            **options,
                        )
                        found[method] = [result.solution]
                    for method, solutions in found.items():
                        values = [_measure(problem, x) for x in solutions]
                        rows.append({**where, "method": method, **_mean(values)})
    return pd.DataFrame(rows)


def _measure(problem: MakespanProblem, x: Any) -> dict[str, float]:
    return {"makespan": problem.objective(x), **problem.metrics(x)}


def _mean(values: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([v[name] for v in values])) for name in values[0]}


def cuts(measured: pd.DataFrame, column: str = "makespan") -> pd.DataFrame:
    """Return by how much each method is below ``random``, a row (setting, stage, n, method)."""
    wide = measured.pivot_table(
        index=["setting", "stage", "n", "seed"], columns="method", values=column
    )
    relative = 1 - wide.drop(columns="random").div(wide["random"], axis=0)
    mean = relative.groupby(["setting", "stage", "n"]).mean()
    mean.columns.name = "method"
    return mean.reset_index().melt(["setting", "stage", "n"], value_name="cut")


def draw_figures(measured: pd.DataFrame, setting: str = "described") -> Figure:
    """Draw figures 4 to 6: makespan, spread of loads and busiest count over the tasks."""
    import matplotlib.pyplot as plt

    shown = measured[measured["setting"] == setting]
    rows = {
        "makespan": "makespan (s)",
        "loads_std": "std of loads (s)",
        "tasks_on_busiest": "tasks on busiest server",
    }
    figure, axes = plt.subplots(3, 3, figsize=(12, 9), layout="constrained", sharex=True)
    for row, (column, label) in enumerate(rows.items()):
        for ax, stage in zip(axes[row], STAGES, strict=True):
            part = shown[shown["stage"] == stage]
            for k, method in enumerate(["random", *METHODS]):
                line = part[part["method"] == method].groupby("n")[column].mean()
                ax.plot(line.index, line, marker="osD^"[k], markersize=4, label=method, alpha=0.8)
            ax.set_ylim(bottom=0)
            ax.grid(alpha=0.3)
            if row == 0:
                ax.set_title(f"stage {stage}: {STAGES[stage]}")
            if row == 2:
                ax.set_xlabel("tasks")
        axes[row, 0].set_ylabel(label)
    axes[0, 0].legend(frameon=False)
    figure.suptitle(f"figures 4 to 6, setting {setting!r}, mean over seeds")
    return figure

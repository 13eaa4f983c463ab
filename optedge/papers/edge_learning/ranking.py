"""Every makespan solver on the published sizes, beside proved bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optedge.papers.edge_learning.instances import SERVERS, STAGES, instance
from optedge.study import Study, compare

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SOLVERS: tuple[Any, ...] = (
    "highs",
    "local-search",
    "annealing",
    "multiphase",
    "sa-rearranging",
    "lp-rounding",
    "lst",
    "shmoys-tardos",
    "potts",
    "lpt",
    "greedy",
)
RANDOM = ("random", {"draws": 1})
DRAWS = 20  # runs of random choice whose mean the tables show


def comparison(
    *, n_tasks: int = 600, seeds: int = 1, time_limit: float = 5.0, display: bool = False
) -> Study:
    """Run every makespan solver on one instance of each stage; see :func:`comparison_table`."""
    problems = [(instance(stage, n_tasks), {"stage": stage, "n": n_tasks}) for stage in STAGES]
    solved = compare(problems, SOLVERS, seeds=seeds, time_limit=time_limit, display=display)
    drawn = compare(problems, [RANDOM], seeds=DRAWS)
    return Study([*solved.outcomes, *drawn.outcomes])


def comparison_table(study: Study) -> pd.DataFrame:
    """Return makespan, spread of the loads, busiest count, proved gap and seconds per solver.

    ``random`` is the mean of its runs; the others are medians over the seeds.
    """
    runs = study.runs
    columns = ["objective", "loads_std", "tasks_on_busiest", "gap_to_best", "runtime"]
    groups = runs.groupby(["stage", "solver"], sort=False)
    table = groups[columns].median()
    for key in table.index:
        if key[1].startswith("random"):
            table.loc[key] = groups.get_group(key)[columns].mean()
    table["status"] = groups["status"].first()
    table = table.rename(
        columns={
            "objective": "makespan (s)",
            "loads_std": "std of loads (s)",
            "tasks_on_busiest": "tasks on busiest",
            "gap_to_best": "proved gap",
            "runtime": "seconds",
        }
    )
    return table.reset_index().sort_values(
        ["stage", "proved gap"], kind="stable", ignore_index=True
    )


def draw_comparison(study: Study) -> Figure:
    """Draw the gap of each solver to the best proved bound, a panel a stage."""
    import matplotlib.pyplot as plt

    from optedge import plots

    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    for ax, stage in zip(axes, STAGES, strict=True):
        part = Study([o for o in study.outcomes if o.task.columns["stage"] == stage])
        plots.gaps(part, ax)
        ax.set_title(f"stage {stage}: {STAGES[stage]}")
    sizes = {str(o.task.columns["n"]) for o in study.outcomes}
    figure.suptitle(f"{', '.join(sorted(sizes))} learning tasks on {SERVERS} edge servers")
    return figure

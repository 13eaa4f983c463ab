"""Figure 9: the error of collaborative learning beside central training and early exit.

The paper trains ResNet-34 on CIFAR-10 in 64000 iterations; here a network 64-8-64-10 learns 8 x 8
digits (scikit-learn), or Gaussian clouds without it, in seconds. So the claims cannot be checked;
what the same scheme does in small is told beside them.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge import learning
from optedge.learning.data import usual_data
from optedge.papers.claims import Claim, Part
from optedge.plots.training import learning_curves

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NODES, STEPS = 10, 600
DORMANT = 0.5  # as with the mean delay for a threshold and symmetric delays
NEAR = 0.01  # errors that differ by less are called equal
METHODS = ("central", "collaborative", "with dormancy", "early exit")


def figure_9(
    seeds: int = 5, steps: int = STEPS, store: learning.Rows | str | Path | None = None
) -> pd.DataFrame:
    """Return errors on samples not seen: a row a seed, a method and a step that was measured.

    ``with dormancy`` leaves a random half of the tasks to the exit head; ``early exit``, the half
    that the exit head is surest of, has a row for the last step alone.

    Parameters
    ----------
    seeds, steps
        Seeds 0 to ``seeds - 1``, and steps of each training.
    store
        A file that keeps the rows of every finished seed (:class:`optedge.learning.Rows`).

    Returns
    -------
    pandas.DataFrame
        ``method``, ``seed``, ``step``, ``error``, ``upload (kB)`` for the test, ``data``.
    """
    import pandas as pd

    name, rows = usual_data(), store if isinstance(store, learning.Rows) else learning.Rows(store)
    tables = []
    for seed in range(seeds):
        asked: dict[str, Any] = {"data": name, "nodes": NODES, "seed": seed, "steps": steps}
        kept = rows.row({"figure": 9, **asked}, functools.partial(_methods, **asked))
        tables.append(pd.DataFrame(kept).assign(seed=seed, data=name))
    return pd.concat(tables, ignore_index=True)


def _methods(data: str, seed: int, **given: Any) -> dict[str, list[Any]]:
    """Return method, step, error and upload of all methods with one seed, a list each."""
    drawn, given = learning.NAMED[data](seed), {"seed": seed, "trace": True, **given}
    runs = {
        "central": learning.train_central(drawn, **given),
        "collaborative": learning.train(drawn, **given),
        "with dormancy": learning.train(drawn, dormancy=DORMANT, **given),
    }
    last = {method: run.test() for method, run in runs.items()}
    model = runs["collaborative"].model
    sure = learning.entropies(model.scores(drawn.x_test)[0])
    threshold = float(np.quantile(sure, DORMANT))
    last["early exit"] = learning.early_exit(model, drawn.x_test, drawn.y_test, threshold)
    rows: list[tuple[str, int, float, float]] = []
    for method in METHODS:
        sent = last[method].uploaded / 1e3
        if method in runs:
            at_edge = DORMANT if method == "with dormancy" else 0.0
            for row in runs[method].history[:-1]:
                right = at_edge * row["exit_accuracy"] + (1 - at_edge) * row["cloud_accuracy"]
                rows.append((method, int(row["step"]), 1 - float(right), sent))
        rows.append((method, given["steps"], 1 - last[method].mixed, sent))
    names = ("method", "step", "error", "upload (kB)")
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def together_from(table: pd.DataFrame) -> int | None:
    """Return the step from which collaborative and central errors differ by less than ``NEAR``.

    Means over seeds, at the steps that were measured; None if they differ in the end.
    """
    means = table.groupby(["method", "step"])["error"].mean()
    apart = (means["collaborative"] - means["central"]).abs() >= NEAR
    if not apart.any():
        return int(apart.index[0])
    after = apart.index[apart.index > apart.index[apart].max()]
    return int(after[0]) if len(after) else None


def judge_figure_9(
    seeds: int = 5, steps: int = STEPS, store: learning.Rows | str | Path | None = None
) -> Part:
    """Say what the scheme does in small beside both claims of the figure."""
    table = figure_9(seeds, steps, store)
    since = together_from(table)
    equal = "never equal" if since is None else f"within {NEAR} from step {since} on"
    ends = table[table["step"] == steps].groupby("method")
    errors, sent = ends["error"].mean(), ends["upload (kB)"].mean()
    told = {m: f"{m} {errors[m]:.3f} with {sent[m]:.1f} kB up" for m in METHODS}
    data = table["data"].iloc[0]
    why = (
        f"needs ResNet-34 on CIFAR-10; ours are a network 64-8-64-10 on {data}, "
        f"{NODES} nodes, {steps} steps, mean of {seeds} seeds"
    )
    claims = [
        Claim(
            "the error of collaborative learning becomes that of central training",
            "figure 9",
            "equal after about 30 iterations",
            f"{told['collaborative']}, {told['central']}; {equal}",
            "cannot be checked",
            f"{why}; 30 iterations of a schedule of 64000 are hardly meant",
        ),
        Claim(
            "collaborative learning has a lower error than B-Net",
            "figure 9",
            "lower",
            f"{told['with dormancy']}, {told['early exit']}",
            "cannot be checked",
            f"{why}; half of the tasks stay at the edge, at random or the surest",
        ),
    ]
    return Part(claims, table, functools.partial(draw_figure_9, table))


def draw_figure_9(table: pd.DataFrame) -> Figure:
    """Draw mean errors over steps in the band of all seeds; methods of one step as points."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    learning_curves(table, ax)
    ax.set_title(f"64-8-64-10 on {table['data'].iloc[0]}, {NODES} nodes")
    return figure

"""Figure 9: the error of collaborative learning beside central training and early exit.

The paper trains ResNet-34 on CIFAR-10 in 64000 iterations; here a network 64-8-64-10 learns 8 x 8
digits (scikit-learn), or Gaussian clouds without it, in seconds. So the claims cannot be checked;
what the same scheme does in small is told beside them.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge import learning
from optedge.papers.claims import Claim, Part
from optedge.plots.training import learning_curves

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NODES, STEPS = 10, 600
DORMANT = 0.5  # as with the mean delay for a threshold and symmetric delays
METHODS = ("central", "collaborative", "with dormancy", "early exit")


def figure_9(seeds: int = 5, steps: int = STEPS) -> pd.DataFrame:
    """Return errors on samples not seen: a row a seed, a method and a step that was measured.

    ``early exit`` keeps the half of the tasks that its exit head is surest of; like ``with
    dormancy``, whose half is random, it has a row for the last step alone.

    Columns: ``method``, ``seed``, ``step``, ``error``, ``upload (kB)`` for the test, ``data``.
    """
    import pandas as pd

    name = "digits" if importlib.util.find_spec("sklearn") else "prototypes"
    rows = []
    for seed in range(seeds):
        data = learning.NAMED[name](seed)
        given: dict[str, Any] = {"nodes": NODES, "seed": seed, "steps": steps}
        curves = {
            "central": learning.train_central(data, trace=True, **given),
            "collaborative": learning.train(data, trace=True, **given),
        }
        last = {method: run.test() for method, run in curves.items()}
        last["with dormancy"] = learning.train(data, dormancy=DORMANT, **given).test()
        model = curves["collaborative"].model
        sure = learning.entropies(model.scores(data.x_test)[0])
        threshold = float(np.quantile(sure, DORMANT))
        last["early exit"] = learning.early_exit(model, data.x_test, data.y_test, threshold)
        for method in METHODS:
            sent = {"upload (kB)": last[method].uploaded / 1e3, "data": name}
            if method in curves:
                for row in curves[method].history[:-1]:
                    at = {"step": int(row["step"]), "error": 1 - float(row["cloud_accuracy"])}
                    rows.append({"method": method, "seed": seed, **at, **sent})
            at = {"step": steps, "error": 1 - last[method].mixed}
            rows.append({"method": method, "seed": seed, **at, **sent})
    return pd.DataFrame(rows)


def judge_figure_9(seeds: int = 5, steps: int = STEPS) -> Part:
    """Say what the scheme does in small beside both claims of the figure."""
    table = figure_9(seeds, steps)
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
            f"{told['collaborative']}, {told['central']}",
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
    """Draw errors over steps, and the last ones of methods without a curve as points."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    learning_curves(table, ax)
    ax.set_title(f"64-8-64-10 on {table['data'].iloc[0]}, {NODES} nodes")
    return figure

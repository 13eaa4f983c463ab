"""Figure 3: accuracy over the compression ratio, measured with an autoencoder, and its curve.

The points of the published figure are lost, and its 40000 pictures of faces are not here: 8 x 8
digits (scikit-learn), or Gaussian clouds without it, go the same way. Samples are compressed by an
autoencoder of three hidden layers, a network learns from what is restored, a logarithm is fitted,
and the best ratio follows from the curve.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from optedge import learning
from optedge.formulations.accuracy import AccuracyCurve
from optedge.learning.data import usual_data
from optedge.papers.claims import Claim, Part, verdict
from optedge.papers.edge_learning.instances import CURVE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SIZES = (1, 2, 3, 4, 6, 8, 16, 32)  # numbers that 64 are compressed to
NOISE = 0.01  # about one standard deviation of the accuracy on 450 samples
DEMAND = 0.95  # an accuracy that binds


def figure_3(seeds: int = 5) -> pd.DataFrame:
    """Return what :func:`optedge.learning.measure_ratios` finds, a row a seed and a size.

    Each seed has samples for testing of its own; ``data`` names them.
    """
    import pandas as pd

    name = usual_data()
    tables = [
        learning.measure_ratios(learning.NAMED[name](seed), SIZES).assign(seed=seed, data=name)
        for seed in range(seeds)
    ]
    return pd.concat(tables, ignore_index=True)


def fitted_curve(table: pd.DataFrame) -> AccuracyCurve:
    """Return the curve through the points of :func:`figure_3`."""
    return AccuracyCurve.fit(table["ratio"].to_numpy(), table["relative"].to_numpy())


def judge_figure_3(seeds: int = 5) -> Part:
    """Check that accuracy falls as compression grows, and that a logarithm is the shape of it."""
    table = figure_3(seeds)
    curve = fitted_curve(table)
    means = table.groupby("ratio")["relative"].mean()
    where = f"{table['data'].iloc[0]}, mean of {seeds} seeds"
    told = ", ".join(f"{a:.3f} at {r:.4f}" for r, a in means.items())
    x, y = table["ratio"].to_numpy(), table["relative"].to_numpy()
    off = float(np.sqrt(np.mean((curve.accuracy(x) - y) ** 2)))
    straight = float(np.sqrt(np.mean((np.polyval(np.polyfit(x, y, 1), x) - y) ** 2)))
    best, demanding = curve.best_ratio(), curve.best_ratio(DEMAND)
    claims = [
        Claim(
            "the accuracy falls as the samples are compressed more",
            "figure 3",
            "falls",
            f"{told} ({where})",
            verdict(bool((means.diff()[1:] >= -NOISE).all() and means.iloc[0] < means.iloc[-1])),
            "relative to learning on raw samples; other data than the paper's",
        ),
        Claim(
            "the accuracy is concave in the ratio: a ln(R + b) + c",
            "figure 3, eq. (7)",
            "fits",
            f"error {off:.4f} (root mean square), {straight:.4f} of a straight line",
            verdict(off < straight / 2),
            "more is lost with every number less",
        ),
        Claim(
            "the curve of 40000 records",
            "section V",
            f"a = {CURVE.a:.6f}, b = {CURVE.b:.6f}, c = {CURVE.c:.6f}",
            f"a = {curve.a:.6f}, b = {curve.b:.6f}, c = {curve.c:.6f} ({where})",
            "cannot be checked",
            "needs their pictures of faces, and the widths and training of their autoencoder",
        ),
        Claim(
            "the best ratio follows from the measured curve",
            "section III",
            "not printed",
            f"{best.ratio:.4f} with accuracy {best.accuracy:.3f}; {demanding.ratio:.4f} if "
            f"{DEMAND} is demanded",
            "cannot be checked",
            f"the paper gives no number; without a demand it lies {best.ratio + curve.b:.2g} right "
            f"of the fit's pole, where the least ratio measured is {means.index[0]:.4f}",
        ),
    ]
    return Part(claims, table, functools.partial(draw_figure_3, table))


def draw_figure_3(table: pd.DataFrame) -> Figure:
    """Draw mean and span over seeds at every ratio, the fitted curve and its best ratios."""
    import matplotlib.pyplot as plt

    curve = fitted_curve(table)
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    groups = table.groupby("ratio")["relative"]
    means = groups.mean()
    span = [means - groups.min(), groups.max() - means]
    ax.errorbar(means.index, means, span, fmt="o", capsize=3, label="measured, span over seeds")
    ratios = np.geomspace(means.index[0], 1, 300)
    fit = f"{curve.a:.4f} ln(R {curve.b:+.4f}) + {curve.c:.4f}"
    ax.plot(ratios, curve.accuracy(ratios), color="C1", label=fit)
    for demand, marker in ((0.0, "v"), (DEMAND, "^")):
        best = curve.best_ratio(demand)
        words = "best ratio" + (f" of accuracy {demand}" if demand else "")
        ax.plot(best.ratio, best.accuracy, marker, color="black", label=words)
    ax.set_xscale("log")
    ax.set_xlabel("numbers sent / numbers of a sample")
    ax.set_ylabel("accuracy relative to raw samples")
    ax.set_title(f"An autoencoder with three hidden layers on {table['data'].iloc[0]}")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False, loc="lower right")
    return figure

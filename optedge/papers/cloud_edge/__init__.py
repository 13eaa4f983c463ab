"""Xu et al. 2020: environment, split and window instances, claims of the cloud-edge paper.

S. Xu, Z. Zhang, M. Kadoch, M. Cheriet, "A collaborative cloud-edge computing framework in
distributed neural network", EURASIP Journal on Wireless Communications and Networking 2020:211.
Their own system is called ACEFLF in the tables.

The paper gives neither memory, speeds, bandwidths nor energy budgets. Those of ``instances.py``
are the ones that reproduce its tables 1 and 2; ``reproduce`` says how far they go.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from optedge.papers.claims import Part, gather
from optedge.papers.cloud_edge import delays, figures, splits, training, uploads, windows
from optedge.papers.cloud_edge.delays import TABLE_2, fit_delays, fit_energies, table_2
from optedge.papers.cloud_edge.figures import falling_below, figure_5, figure_6
from optedge.papers.cloud_edge.framework import each_split, run
from optedge.papers.cloud_edge.framework_run import FrameworkRun
from optedge.papers.cloud_edge.instances import (
    CLOUD_SPEED,
    MEMORY,
    NODES,
    SPEED,
    best_position,
    costs,
    environment,
    instance,
    setting,
    small_environment,
)
from optedge.papers.cloud_edge.network import resnet34
from optedge.papers.cloud_edge.splits import SPLITS, memory_range, pool_range, random_split, table_1
from optedge.papers.cloud_edge.training import figure_9
from optedge.papers.cloud_edge.uploads import dormant_share, figure_8, map_bytes
from optedge.papers.cloud_edge.windows import (
    below_fcfs,
    convergence,
    figure_7,
    window_instance,
    windowed,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLOUD_SPEED",
    "MEMORY",
    "NODES",
    "PARTS",
    "SPEED",
    "SPLITS",
    "TABLE_2",
    "FrameworkRun",
    "below_fcfs",
    "best_position",
    "convergence",
    "costs",
    "dormant_share",
    "each_split",
    "environment",
    "falling_below",
    "figure_5",
    "figure_6",
    "figure_7",
    "figure_8",
    "figure_9",
    "fit_delays",
    "fit_energies",
    "instance",
    "map_bytes",
    "memory_range",
    "pool_range",
    "random_split",
    "reproduce",
    "resnet34",
    "run",
    "setting",
    "small_environment",
    "table_1",
    "table_2",
    "window_instance",
    "windowed",
]

#: The names that :func:`reproduce` takes, and what judges each.
PARTS: dict[str, Callable[..., Part]] = {
    "table 1": splits.judge_table_1,
    "table 2": delays.judge_table_2,
    "figure 5": figures.judge_figure_5,
    "figure 6": figures.judge_figure_6,
    "figure 7": windows.judge_figure_7,
    "figure 8": uploads.judge_figure_8,
    "figure 9": training.judge_figure_9,
}


def reproduce(
    parts: Iterable[str] | None = None,
    *,
    seeds: int = 5,
    time_limit: float | None = None,
    store: str | Path | None = None,
) -> pd.DataFrame:
    """Check the claims of the paper about splits, scheduling in windows, uploads and learning.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`; all by default.
    seeds
        Of the ants and other searches of figure 7, and of the training of figure 9; all else is
        exact and takes milliseconds.
    time_limit
        Seconds for a window of figure 7.
    store
        A file that keeps the trainings of figure 9; one that was killed resumes there.

    Returns
    -------
    pandas.DataFrame
        A row a claim, with tables and figures (:func:`~optedge.papers.claims.claims_table`).

    Raises
    ------
    ValueError
        If a part is unknown.
    """
    seeded = {
        "figure 7": functools.partial(windows.judge_figure_7, seeds, time_limit),
        "figure 9": functools.partial(training.judge_figure_9, seeds, store=store),
    }
    return gather(parts, {**PARTS, **seeded})

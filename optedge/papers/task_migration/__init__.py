"""Adaptive task migration between edge and cloud: instances, fitted profile, claims.

B. Zhang et al., "An Adaptive Task Migration Scheduling Approach for Edge-Cloud Collaborative
Inference", Wireless Communications and Mobile Computing, 2022.

Five Raspberry Pi 3B and one server with a GPU; 30 frames a device; uplinks of 3G and 4G. The
profile of devices and server is fitted to table 1 of the paper (``instances``): what is said of its
numbers holds for that reading of a system which the paper does not describe in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Part, gather
from optedge.papers.task_migration import (
    bandwidths,
    devices,
    discussion,
    excess,
    rates,
    speedups,
    table_1,
)
from optedge.papers.task_migration.discussion import capacities, crowds
from optedge.papers.task_migration.instances import (
    CHAINS,
    CLOUD,
    EFFICIENCY,
    FRAMES,
    NETWORKS,
    RASPBERRY_PI,
    UPLINKS,
    curve,
    factors,
    instance,
    pipeline,
    platform,
)
from optedge.papers.task_migration.runs import METHODS, Runs
from optedge.papers.task_migration.table_1 import published_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CHAINS",
    "CLOUD",
    "EFFICIENCY",
    "FRAMES",
    "METHODS",
    "NETWORKS",
    "PARTS",
    "RASPBERRY_PI",
    "UPLINKS",
    "Runs",
    "capacities",
    "crowds",
    "curve",
    "factors",
    "instance",
    "pipeline",
    "platform",
    "published_table",
    "reproduce",
]

#: The names that :func:`reproduce` takes, and what judges each.
PARTS: dict[str, Callable[[Runs], Part]] = {
    "table 1": table_1.judge_table_1,
    "figure 2": speedups.judge_figure_2,
    "figure 3": speedups.judge_figure_3,
    "figure 4": devices.judge_figure_4,
    "figure 5": devices.judge_figure_5,
    "figure 6": bandwidths.judge_figure_6,
    "figure 7": bandwidths.judge_figure_7,
    "many devices": discussion.judge_crowds,
    "capacities": discussion.judge_capacities,
    "arrival rates": rates.judge_rates,
    "excess": excess.judge_excess,
}


def reproduce(
    parts: Iterable[str] | None = None,
    *,
    seeds: int = 5,
    time_limit: float | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Check the claims of the paper, and what its policies lose against a proved bound.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`; all by default. Runs that several need are made once.
    seeds
        Without influence: policies have no chance, and the searches of ``excess`` have one seed.
    time_limit
        Seconds of each search of the part ``excess``; None: they end by their candidates alone, so
        that equal options give equal tables.
    **options
        Other fields of :class:`Runs`, such as ``evaluations`` and ``crowds``.

    Returns
    -------
    pandas.DataFrame
        A row a claim, with tables and figures (:func:`~optedge.papers.claims.claims_table`).

    Raises
    ------
    ValueError
        If a part is unknown, or a number is out of its range.
    """
    return gather(parts, PARTS, Runs(time_limit=time_limit, **options))

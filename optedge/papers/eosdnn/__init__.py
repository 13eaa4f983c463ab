"""EosDNN: layers of many tasks between clients, edges and clouds, and their upload; as published.

M. Xue, H. Wu, R. Li, M. Xu, P. Jiao, "EosDNN: An Efficient Offloading Scheme for DNN Inference
Acceleration in Local-Edge-Cloud Collaborative Environments".

Four clients of 1.1 to 2.3 GHz with one pool, five edge servers of 4.2 to 18.3 GHz with two, five
clouds of 40 to 120 GHz with eight; the paper gives ranges, here the servers stand evenly in them.
It lists the rate between edge and cloud twice (5 and 10 MB/s) and two others not at all:
``edge_cloud`` is an argument, edge to edge 10 and cloud to cloud 5 MB/s are our reading.

:func:`instance` is the migration, :func:`upload_instance` an upload, :func:`run` both in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Part, gather
from optedge.papers.eosdnn import (
    clients,
    environments,
    inertia,
    methods,
    model_sizes,
    partitions,
    staircases,
    tasks,
    tiers,
)
from optedge.papers.eosdnn.clients import figure_18
from optedge.papers.eosdnn.environments import figure_15
from optedge.papers.eosdnn.instances import (
    CLIENT_CLOUD,
    CLIENT_EDGE,
    CLOUD_CLOUD,
    EDGE_EDGE,
    NETWORKS,
    TIERS,
    Environment,
    instance,
    servers,
)
from optedge.papers.eosdnn.methods import figure_16
from optedge.papers.eosdnn.model_sizes import table_4
from optedge.papers.eosdnn.partitions import figure_12
from optedge.papers.eosdnn.runs import EVALUATIONS, Runs
from optedge.papers.eosdnn.staircases import figure_13, figure_14
from optedge.papers.eosdnn.tasks import figure_17
from optedge.papers.eosdnn.tiers import tier_table
from optedge.papers.eosdnn.uploads import upload_cases, upload_instance, upload_servers
from optedge.papers.eosdnn.whole import WholeRun, run

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLIENT_CLOUD",
    "CLIENT_EDGE",
    "CLOUD_CLOUD",
    "EDGE_EDGE",
    "EVALUATIONS",
    "NETWORKS",
    "PARTS",
    "TIERS",
    "Environment",
    "Runs",
    "WholeRun",
    "figure_12",
    "figure_13",
    "figure_14",
    "figure_15",
    "figure_16",
    "figure_17",
    "figure_18",
    "instance",
    "reproduce",
    "run",
    "servers",
    "table_4",
    "tier_table",
    "upload_cases",
    "upload_instance",
    "upload_servers",
]

#: The names that :func:`reproduce` takes, and what judges each.
PARTS: dict[str, Callable[[Runs], Part]] = {
    "table 4": model_sizes.judge_table_4,
    "figure 12": partitions.judge_figure_12,
    "figure 13": staircases.judge_figure_13,
    "figure 14": staircases.judge_figure_14,
    "figure 15": environments.judge_figure_15,
    "figure 16": methods.judge_figure_16,
    "figure 17": tasks.judge_figure_17,
    "figure 18": clients.judge_figure_18,
    "tiers": tiers.judge_tiers,
    "inertia": inertia.judge_inertia,
}


def reproduce(
    parts: Iterable[str] | None = None,
    *,
    seeds: int = 5,
    time_limit: float | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Check the claims of the paper about uploads and about migration.

    The paper draws its delays and hardly prints a number of them: what can be checked are orders
    and shapes, each against a certified bound, and savings of uploads against proved optima.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`; all by default. Runs that several need are made once.
    seeds
        Runs of the methods that figure 16 compares; see :class:`Runs`.
    time_limit
        Seconds of each certified run, 5 by default. All searches price 65 000 candidates each.
    **options
        Other fields of :class:`Runs`, such as ``networks`` and ``evaluations``.

    Returns
    -------
    pandas.DataFrame
        A row a claim, with tables and figures (:func:`~optedge.papers.claims.claims_table`).

    Raises
    ------
    ValueError
        If a part or a network is unknown, or a number is out of its range.
    """
    if time_limit is not None:
        options["time_limit"] = time_limit
    runs = Runs(seeds=seeds, **options)
    return gather(parts, PARTS, runs)

"""DDPQN: the weighted offloading of one device's tasks; the published environment.

The paper on offloading by a double duelling prioritised deep Q-network (DDPQN), section 5: one
client of 2.3 GHz, five edges of 4.2 to 18.3 GHz at 2.10 to 2.43 $/h, five clouds of 40 to 120 GHz
at 0.225 to 1.80 $/h, and what a GB between them costs. It gives ranges; here the servers stand
evenly in them, clocks and prices both ascending. It gives no number of pools: none binds by
default. The weights are its own, the standardisation that it does not give is ours (``Weighting``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Part, gather
from optedge.papers.ddpqn import (
    environments,
    learners,
    reference,
    settings,
    sweeps,
    tasks,
    variants,
    weights,
)
from optedge.papers.ddpqn.environments import figure_12, figure_13
from optedge.papers.ddpqn.instances import (
    EOSDNN_POOLS,
    NETWORKS,
    PRICE_PER_GB,
    RATES,
    TIERS,
    WEIGHTS,
    Environment,
    instance,
    servers,
)
from optedge.papers.ddpqn.learners import figures_4_and_5
from optedge.papers.ddpqn.reference import discount_table, reference_table
from optedge.papers.ddpqn.runs import Runs
from optedge.papers.ddpqn.sweeps import figure_3
from optedge.papers.ddpqn.tasks import figure_6
from optedge.papers.ddpqn.weights import figure_7

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EOSDNN_POOLS",
    "NETWORKS",
    "PARTS",
    "PRICE_PER_GB",
    "RATES",
    "TIERS",
    "WEIGHTS",
    "Environment",
    "Runs",
    "discount_table",
    "figure_3",
    "figure_6",
    "figure_7",
    "figure_12",
    "figure_13",
    "figures_4_and_5",
    "instance",
    "reference_table",
    "reproduce",
    "servers",
]

#: The names that :func:`reproduce` takes, and what judges each.
PARTS: dict[str, Callable[[Runs], Part]] = {
    "reference": reference.judge_reference,
    "discount": reference.judge_discount,
    "figure 3": sweeps.judge_figure_3,
    "figure 4": learners.judge_figure_4,
    "figure 5": learners.judge_figure_5,
    "figure 6": tasks.judge_figure_6,
    "figure 7": weights.judge_figure_7,
    "figure 8": variants.judge_figure_8,
    "figure 9": variants.judge_figure_9,
    "figure 10": variants.judge_figure_10,
    "figure 11": variants.judge_figure_11,
    "figure 12": environments.judge_figure_12,
    "figure 13": environments.judge_figure_13,
    "settings": settings.judge_settings,
}


def reproduce(
    parts: Iterable[str] | None = None,
    *,
    seeds: int = 5,
    time_limit: float | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Check the claims of section 5, beside proved optima.

    The paper prints eight percentages; all else are curves without numbers. Learners make the same
    number of transitions from the same seeds, far fewer than it can have made: what they reach is
    told by regrets, the distance to the proved optimum.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`; all by default. Runs that several need are made once.
    seeds
        Runs of each of the eight learners of figures 4 and 5; see :class:`Runs`.
    time_limit
        Seconds of each run; None: 20 for a proof, learners end by their transitions alone, so that
        equal seeds give equal tables.
    **options
        Other fields of :class:`Runs`, such as ``networks`` and ``steps``.

    Returns
    -------
    pandas.DataFrame
        A row a claim, with tables and figures (:func:`~optedge.papers.claims.claims_table`).

    Raises
    ------
    ValueError
        If a part or a network is unknown, or a number is out of its range.
    """
    runs = Runs(seeds=seeds, time_limit=time_limit, **options)
    return gather(parts, PARTS, runs)

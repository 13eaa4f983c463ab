"""Huang et al. 2018: instances, parameters and claims of the edge-learning paper.

Y. Huang, Y. Zhu, X. Fan, X. Ma, F. Wang, J. Liu, Z. Wang, Y. Cui, "Task Scheduling with Optimized
Transmission Time in Collaborative Cloud-Edge Learning", ICCCN 2018.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optedge.papers.claims import Claim, check_parts, claims_table
from optedge.papers.edge_learning import curve, judging
from optedge.papers.edge_learning.curve import figure_3, fitted_curve
from optedge.papers.edge_learning.instances import (
    CURVE,
    RECORD_BYTES,
    RECORDS,
    SERVERS,
    SETTINGS,
    STAGES,
    TASKS,
    counterexample,
    instance,
)
from optedge.papers.edge_learning.judging import PUBLISHED_CUTS
from optedge.papers.edge_learning.measures import METHODS, cuts, draw_figures, figures
from optedge.papers.edge_learning.ranking import (
    DRAWS,
    RANDOM,
    SOLVERS,
    comparison,
    comparison_table,
    draw_comparison,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "CURVE",
    "DRAWS",
    "METHODS",
    "PARTS",
    "PUBLISHED_CUTS",
    "RANDOM",
    "RECORDS",
    "RECORD_BYTES",
    "SERVERS",
    "SETTINGS",
    "SOLVERS",
    "STAGES",
    "TASKS",
    "comparison",
    "comparison_table",
    "counterexample",
    "cuts",
    "draw_comparison",
    "draw_figures",
    "figure_3",
    "figures",
    "fitted_curve",
    "instance",
    "reproduce",
]

_FROM_FIGURES: dict[str, Callable[[Any], list[Claim]]] = {
    "figure 4": judging.judge_figure_4,
    "figure 5": judging.judge_figure_5,
    "figure 6": judging.judge_figure_6,
}
_OTHERS: dict[str, Callable[[], list[Claim]]] = {
    "section 3": judging.judge_section_3,
    "theorem 1": judging.judge_theorem_1,
    "algorithm 2": judging.judge_algorithm_2,
    "complexity": judging.judge_complexity,
}
#: The names that :func:`reproduce` takes.
PARTS = ("comparison", "figure 3", *_FROM_FIGURES, *_OTHERS)


def reproduce(
    parts: Iterable[str] | None = None, *, seeds: int = 5, time_limit: float | None = None
) -> pd.DataFrame:
    """Check the claims of the paper.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`; all by default. ``"comparison"`` runs every solver at n = 600.
    seeds
        Instances per setting, stage and size in figures 4 to 6; trainings of each size in figure 3.
    time_limit
        Seconds per run; 5 by default. The algorithms of the paper end long before.

    Returns
    -------
    pandas.DataFrame
        A row a claim, with tables and figures (:func:`~optedge.papers.claims.claims_table`).

    Raises
    ------
    ValueError
        If a part is unknown.
    """
    limit = 5.0 if time_limit is None else time_limit
    claims: list[Claim] = []
    tables: dict[str, pd.DataFrame] = {}
    drawings: dict[str, Callable[[], Figure]] = {}
    for part in check_parts(parts, PARTS):
        if part == "comparison":
            study = comparison(time_limit=limit)
            tables[part] = comparison_table(study)
            drawings[part] = functools.partial(draw_comparison, study)
            claims += judging.judge_abstract(tables[part])
        elif part == "figure 3":
            found, tables[part], drawing = curve.judge_figure_3(seeds)
            claims += found
            if drawing is not None:
                drawings[part] = drawing
        elif part in _FROM_FIGURES:
            if "figures 4 to 6" not in tables:
                measured = figures(seeds=seeds, time_limit=limit)
                tables["figures 4 to 6"] = measured
                for setting in SETTINGS:
                    drawings[f"figures 4 to 6, {setting}"] = functools.partial(
                        draw_figures, measured, setting
                    )
            claims += _FROM_FIGURES[part](tables["figures 4 to 6"])
        else:
            claims += _OTHERS[part]()
    return claims_table(claims, tables, drawings)

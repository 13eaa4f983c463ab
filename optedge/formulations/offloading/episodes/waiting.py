"""Which episodes instances need: costs from tables, or simulated where layers may wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.offloading.episodes.base import Episodes
from optedge.formulations.offloading.episodes.pairs import PairEpisodes
from optedge.formulations.offloading.episodes.prefixes import PrefixEpisodes, why_not

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

WAITS = ("auto", "none", "telescope")
ONE_ONLY = (
    "several instances, and drawn ones, must be chains whose layers never wait "
    "(or wait='none', which leaves waiting out)."
)


def make_episodes(
    problems: Sequence[OffloadingProblem], wait: str = "auto", *, context: bool = False
) -> Episodes:
    """Return the episodes of one instance or several.

    Parameters
    ----------
    problems
        The instances; an episode is one of them.
    wait
        ``"none"``: steps cost what pairs of servers do, and waiting is left out.
        ``"telescope"``: waiting is simulated. ``"auto"``: simulated where there can be any.
    context
        Whether what servers cost is seen.

    Raises
    ------
    ValueError
        If ``wait`` is another word, waiting is to be simulated in several instances, or an instance
        has no such episodes.
    """
    if not is_simulated(problems, wait):
        return PairEpisodes(problems, context=context)
    if len(problems) > 1:
        raise ValueError(ONE_ONLY)
    return PrefixEpisodes(problems[0], context=context)


def is_simulated(problems: Sequence[OffloadingProblem], wait: str) -> bool:
    """Tell whether the episodes of these instances simulate the waiting."""
    if wait not in WAITS:
        raise ValueError(f"wait must be one of {WAITS}, got {wait!r}.")
    return any(may_wait(p) for p in problems) if wait == "auto" else wait == "telescope"


def may_wait(problem: OffloadingProblem) -> bool:
    """Tell whether layers may wait for each other, for pools, turns or other branches."""
    if not problem.is_chains or problem.order == "strict":  # servers idle until it is their turn
        return True
    together = np.minimum(problem.allowed.sum(axis=0), problem.n_tasks)
    return bool((problem.pools < together).any())


def unfit_for_episodes(problem: Any, options: None) -> str | None:
    """Say why an instance has no episodes, as the registry asks solvers."""
    return why_not(problem)

"""What metaheuristics search: the code of a plan, an integer vector of the server of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.simulation import greedy, simulate

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def costs(problem: OffloadingProblem, codes: npt.ArrayLike) -> FloatArray:
    """Return the objective of each row of ``codes`` (k, n_subtasks), if they name servers."""
    rows = np.require(codes, np.int64, ["C", "W"])  # one compiled form, writeable or not
    if rows.ndim != 2 or rows.shape[1] != problem.n_subtasks:
        raise ValueError(f"codes must have shape (k, {problem.n_subtasks}), got {rows.shape}.")
    # Read without a sign, numbers below 0 are large: one pass over the codes for both ends.
    if rows.size and rows.view(np.uint64).max() >= problem.n_servers:
        raise ValueError(f"codes: servers are 0 to {problem.n_servers - 1}.")
    return simulate.costs(problem.data, problem.allowed, rows)


def to_start(problem: OffloadingProblem) -> IntArray:
    """Return the best of the greedy assignment and those to one tier.

    There is one: every layer may stay at its client.
    """
    plans = [greedy.place(problem), *(greedy.on_tier(problem, tier) for tier in range(3))]
    codes = np.array([code for code in plans if code is not None])
    return np.array(codes[np.argmin(costs(problem, codes))])


def in_line(problem: OffloadingProblem, *, once: bool = False) -> IntArray:
    """Return the group of each layer, ``(n_subtasks,)``, numbered by first layers.

    Two layers a -> b are of one group if b is all that reads a, and a all that b reads: then a
    group never gets a new reader, and no order of merging matters. With ``once`` a layer is merged
    with one other at most, from the first layer on: groups are pairs and single layers.

    Source: EosDNN, prePSO; see ``pre-pso`` for what the paper leaves open.
    """
    head = np.arange(problem.n_subtasks)
    for v, row in enumerate(problem.successors):
        if len(row) != 1 or len(problem.predecessors[row[0]]) != 1:
            continue
        if not once or head[v] == v:  # its first layer has no other partner yet
            head[row[0]] = head[v]
    return np.asarray(np.unique(head, return_inverse=True)[1], dtype=np.int64)

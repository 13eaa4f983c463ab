"""Layers that stand in a line, as one decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import IntArray

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


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

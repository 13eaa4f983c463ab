r"""IONN: shortest paths through the layers, while uploading costs less and less.

Each layer has a node at the client and, if it does not stay there, one on its server. Edges cost
the time of the layer and of the transfers; entering the server's node of a layer that was not yet
sent costs K times its upload time besides. For :math:`K_1 > K_2 > \dots > K_m = 0` the layers on
servers along the shortest path from client to client that were not sent are the next partition. A
path that is on the servers for the layers S costs :math:`f(S) + K \sum_{j \in S} t_j` over those
not sent: the pass over two states that finds the best set finds it too. Of equal paths that with
more layers on servers is taken. Layers on no path are sent last.

Departures: each layer has one server, the one that it is assigned to; the paper of EosDNN does not
say which K are tried.

Source: Jeong, Lee, Shin, Moon, "IONN: Incremental Offloading of Neural Network Computations from
Mobile Devices to Edge Servers", SoCC 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.upload import evaluation
from optedge.formulations.upload.plans import UploadPlan

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

FACTORS = (*(2.0**-k for k in range(12)), 0.0)


def plan(problem: UploadProblem, factors: Sequence[float] = FACTORS) -> UploadPlan:
    """Return the partitions of the paths for each of ``factors``, the values of K in turn."""
    sent, parts = np.zeros(problem.n_layers, dtype=bool), []
    for factor in factors:
        values = problem.values - np.where(sent, 0.0, factor * problem.seconds)
        values.setflags(write=False)  # as those of the problem: compiled once
        new = evaluation.best_set(values, problem.savings, ~problem.stays) & ~sent
        parts.append(new)
        sent |= new
    parts.append(~sent & ~problem.stays)
    return UploadPlan(tuple(tuple(np.flatnonzero(p).tolist()) for p in parts if p.any()))

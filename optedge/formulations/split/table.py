"""The costs of every split of a network as a table, and the views that a problem is made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

Aim = Literal["depth", "work", "delay", "energy", "upload", "weighted"]


@dataclasses.dataclass(frozen=True, eq=False)
class SplitTable:
    """The costs of every position 0..N, made by :func:`split_table`; arrays are read-only.

    Parameters
    ----------
    memory
        Weights and maps of the front in byte, ``(N + 1,)``.
    work
        Work of the front in MAC (2 FLOP), ``(N + 1,)``.
    sent
        Byte that a task sends to the cloud, ``(N + 1,)``.
    execution, wait, upload
        Seconds of a task on each node, ``(n_nodes, N + 1)``: layers, queue (``inf`` if it is not
        stable), link to the cloud (``inf`` without one).
    cloud
        Seconds of a task in the cloud, ``(N + 1,)``.
    uplink
        Seconds from the terminal to the node, the same at every position.
    energy
        Joule that each node spends on its tasks, ``(n_nodes, N + 1)``.
    utilisation
        Share of the nodes' capacity that the arrivals take, ``(N + 1,)``; stable below 1.
    energy_limits
        Joule of each node, ``(n_nodes,)``; ``inf`` without a limit.
    memory_limit
        Byte that the node with the least memory gives to the front.
    deadline
        Most seconds of a task (of all tasks if ``tasks`` says so).
    tasks
        What the latency of one task is multiplied with: 1, or the tasks for the sum over them.
    arrival_rate
        Tasks a second, all nodes together.
    nodes
        Names of the nodes.
    name
        Of the network.
    """

    memory: FloatArray
    work: FloatArray
    sent: FloatArray
    execution: FloatArray
    wait: FloatArray
    upload: FloatArray
    cloud: FloatArray
    uplink: float
    energy: FloatArray
    utilisation: FloatArray
    energy_limits: FloatArray
    memory_limit: float = math.inf
    deadline: float = math.inf
    tasks: float = 1.0
    arrival_rate: float = 0.0
    nodes: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                frozen = np.array(value, dtype=np.float64)
                frozen.setflags(write=False)
                object.__setattr__(self, field.name, frozen)

    @property
    def n_positions(self) -> int:
        """Positions, one more than layers."""
        return int(self.memory.size)

    @property
    def stable(self) -> BoolArray:
        """Where the queues are stable, ``(N + 1,)``."""
        return np.asarray(self.utilisation < 1)

    @property
    def latencies(self) -> FloatArray:
        """Seconds from the terminal to the result on each node, ``(n_nodes, N + 1)``."""
        parts = self.execution + self.wait + self.cloud + self.upload + self.uplink
        return np.asarray(self.tasks * parts)

    @property
    def latency(self) -> FloatArray:
        """The latency on the worst node, which the deadline bounds, ``(N + 1,)``."""
        return np.asarray(self.latencies.max(axis=0))

    @property
    def mean_latency(self) -> FloatArray:
        """The mean latency over the nodes, for reports, ``(N + 1,)``."""
        return np.asarray(self.latencies.mean(axis=0))

    def limits(self) -> list[tuple[str, FloatArray, float]]:
        """Return name, usage of each position and limit of every limit that is finite.

        See :func:`split_problem` for their order and units.
        """
        rows: list[tuple[str, FloatArray, float]] = []
        if self.memory_limit < math.inf:
            rows.append(("memory", self.memory / 1e6, self.memory_limit / 1e6))
        if self.deadline < math.inf:
            rows.append(("latency", self.latency, self.deadline))
        different: dict[tuple[float, ...], int] = {}  # limit and usage to the first node with them
        for v, limit in enumerate(self.energy_limits.tolist()):
            if limit < math.inf:
                different.setdefault((limit, *self.energy[v].tolist()), v)
        for (limit, *_), v in different.items():
            node = self.nodes[v] if self.nodes.count(self.nodes[v]) == 1 else f"node {v}"
            label = "energy" if len(different) == 1 else f"energy of {node}"
            rows.append((label, self.energy[v], limit))
        if self.arrival_rate > 0:
            rows.append(("stability", np.where(self.stable, self.utilisation, np.inf), 1.0))
        if np.isinf(self.upload).any():
            linked = np.isfinite(self.upload).all(axis=0)
            rows.append(("link", np.where(linked, 0.0, np.inf), 1.0))
        return rows or [("memory", self.memory / 1e6, math.inf)]

    def value(self, aim: Aim = "depth", weights: Mapping[str, float] | None = None) -> FloatArray:
        """Return what is maximised, ``(N + 1,)``; see :func:`split_problem` for the aims.

        Where the latency is infinite, and the position infeasible, its least finite value stands.
        """
        if (weights is not None) != (aim == "weighted"):
            raise ValueError("weights go with aim 'weighted', and only with it.")
        costs = {
            "delay": self.latency,
            "energy": self.energy.sum(axis=0),
            "upload": self.sent / 1e6,
        }
        if aim == "depth":
            return np.arange(self.n_positions, dtype=np.float64)
        if aim == "work":
            return self.work / 1e9
        if aim in costs:
            return -_finite(costs[aim])
        if aim != "weighted":
            raise ValueError(f"aim must be depth, work, weighted, {', '.join(costs)}; got {aim!r}.")
        total = np.zeros(self.n_positions)
        for key, weight in (weights or {}).items():
            if key not in costs or not 0 <= weight < math.inf:
                raise ValueError(f"weights: {', '.join(costs)}, at least 0; got {key}={weight!r}.")
            cost = _finite(costs[key])
            total += weight * cost / (cost.max() or 1.0)
        return -total

    def frame(self) -> pd.DataFrame:
        """Return a table with a row a position: MB, GMAC, seconds of the worst node, joule."""
        import pandas as pd

        return pd.DataFrame(
            {
                "position": np.arange(self.n_positions),
                "memory (MB)": self.memory / 1e6,
                "work (GMAC)": self.work / 1e9,
                "sent (MB)": self.sent / 1e6,
                "execution (s)": self.execution.max(axis=0),
                "wait (s)": self.wait.max(axis=0),
                "cloud (s)": self.cloud,
                "upload (s)": self.upload.max(axis=0),
                "uplink (s)": self.uplink,
                "latency (s)": self.latency,
                "energy a node (J)": self.energy.max(axis=0),
                "utilisation": self.utilisation,
            }
        )


def _finite(cost: FloatArray) -> FloatArray:
    known = np.isfinite(cost)
    return np.where(known, cost, cost[known].max() if known.any() else 0.0)

"""What follows from the fields of an offloading problem: graph, seconds, who may run where.

A base of ``OffloadingProblem`` that holds no data of its own: the fields stand in ``problem``, and
are named here for what reads them. It is all that ``costs`` and ``simulation`` make tables of.
"""

from __future__ import annotations

import functools

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray, Problem
from optedge.formulations.offloading.costs import pair_costs
from optedge.formulations.offloading.costs.weighting import Weighting
from optedge.formulations.offloading.simulation import arrays
from optedge.networks import dag

CLIENT, EDGE, CLOUD = 0, 1, 2


class DerivedData(Problem):
    """What ``OffloadingProblem`` knows beside its fields, found when first asked for."""

    successors: dag.Successors
    work_gcycles: FloatArray
    outputs_mb: FloatArray
    tasks: IntArray
    inputs_mb: FloatArray
    clients: IntArray
    speeds_ghz: FloatArray
    rates_mb_s: FloatArray
    pools: FloatArray
    tiers: IntArray
    release: FloatArray
    price_per_hour: FloatArray | None
    price_per_gb: FloatArray | None
    weights: Weighting | None
    order: str
    first_layer: str
    foreign_clients: bool
    return_result: bool

    @property
    def n_subtasks(self) -> int:
        """Number of layers of all tasks together."""
        return int(self.work_gcycles.size)

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return int(self.inputs_mb.size)

    @property
    def n_servers(self) -> int:
        """Number of servers."""
        return int(self.speeds_ghz.size)

    @functools.cached_property
    def sizes(self) -> IntArray:
        """Number of layers of each task, ``(n_tasks,)``."""
        return np.bincount(self.tasks, minlength=self.n_tasks)

    @functools.cached_property
    def first(self) -> IntArray:
        """The first layer of each task, ``(n_tasks,)``."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)

    @functools.cached_property
    def layer(self) -> IntArray:
        """The number of each layer within its task, ``(n_subtasks,)``."""
        return np.arange(self.n_subtasks) - self.first[self.tasks]

    @functools.cached_property
    def rank(self) -> IntArray:
        """Who goes first where ``order`` asks: by layer, then by task; ``(n_subtasks,)``."""
        rank = np.empty(self.n_subtasks, dtype=np.int64)
        rank[np.lexsort((self.tasks, self.layer))] = np.arange(self.n_subtasks)
        return rank

    @functools.cached_property
    def predecessors(self) -> dag.Successors:
        """For each layer those that it reads."""
        return dag.predecessors(self.successors)

    @property
    def is_chains(self) -> bool:
        """Whether every task is a chain."""
        last = np.append(self.first[1:], self.n_subtasks) - 1
        ends = set(last.tolist())
        return all(row == (() if v in ends else (v + 1,)) for v, row in enumerate(self.successors))

    @functools.cached_property
    def seconds(self) -> FloatArray:
        """Execution time of each layer on each server, ``(n_subtasks, n_servers)``."""
        return _frozen(self.work_gcycles[:, None] / self.speeds_ghz)

    @functools.cached_property
    def seconds_per_mb(self) -> FloatArray:
        """Transmission time of one MB between servers, ``(n_servers, n_servers)``; 0 at home."""
        with np.errstate(divide="ignore"):
            pace = 1.0 / self.rates_mb_s
        np.fill_diagonal(pace, 0.0)
        return _frozen(pace)

    @functools.cached_property
    def allowed(self) -> BoolArray:
        """Which servers each layer may use, ``(n_subtasks, n_servers)``.

        The own client, edges and clouds; the first layer only where its input can get.
        """
        allowed = np.ones((self.n_subtasks, self.n_servers), dtype=bool)
        home = self.clients[self.tasks]
        if not self.foreign_clients:
            allowed[:, self.tiers == CLIENT] = False
        allowed[np.arange(self.n_subtasks), home] = True
        for i, a in enumerate(self.first.tolist()):
            allowed[a] &= np.isfinite(self.seconds_per_mb[self.clients[i]])
            if self.first_layer == "client":
                allowed[a] = np.arange(self.n_servers) == self.clients[i]
        allowed.setflags(write=False)
        return allowed

    def arrivals(self, servers: IntArray, ends: FloatArray) -> FloatArray:
        """Return when all that each layer reads has arrived at its server, ``(n_subtasks,)``."""
        arrival = np.zeros(self.n_subtasks)
        at = servers[self.first]
        arrival[self.first] = self.release + self.sending(self.inputs_mb, self.clients, at)
        v, w = self.edges.T
        sent = ends[v] + self.sending(self.outputs_mb[v], servers[v], servers[w])
        np.maximum.at(arrival, w, sent)
        return arrival

    @functools.cached_property
    def edges(self) -> IntArray:
        """All edges (v, w), shape ``(n_edges, 2)``."""
        return dag.edge_array(self.successors)

    def sending(self, size: FloatArray, a: IntArray, b: IntArray) -> FloatArray:
        """Return the seconds that sizes in MB travel; ``inf`` without a connection."""
        with np.errstate(invalid="ignore"):
            return np.asarray(
                np.where(size > 0, size * self.seconds_per_mb[a, b], self._gate[a, b])
            )

    @functools.cached_property
    def _gate(self) -> FloatArray:
        """0 where two servers are connected, else ``inf``."""
        return np.where(np.isfinite(self.seconds_per_mb), 0.0, np.inf)

    @functools.cached_property
    def pairs(self) -> pair_costs.Pairs:
        """Delay, energy and cost of all pairs of servers, where the problem has ``weights``."""
        return pair_costs.measure(self)

    @property
    def standards(self) -> tuple[float, ...]:
        """Shift and scale by which delay, energy and cost are standardised, six numbers.

        Given to the ``Weighting`` of another instance they make its values comparable.

        Raises
        ------
        ValueError
            If the problem has no weights.
        """
        pair_costs.weighting_of(self)
        return tuple(x for pair in self.pairs.standards for x in pair)

    @property
    def is_pairwise(self) -> bool:
        """Whether without waiting the objective is a sum over pairs of servers, or more than it."""
        w = self.weights
        return w is None or not (w.h_wait and w.varphi > 0)

    @property
    def unit(self) -> str:  # type: ignore[override]  # the weighted objective has none
        """Unit of the objective."""
        return "s" if self.weights is None else ""

    @property
    def objective_name(self) -> str:  # type: ignore[override]  # as the unit
        """What the objective is called in figures."""
        return "sum of flow times" if self.weights is None else "weighted objective"

    @functools.cached_property
    def data(self) -> arrays.SimulationData:
        """The arrays that the compiled simulation reads."""
        return arrays.make_data(self)


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array

r"""Offloading layers of many tasks to servers with parallel pools: least sum of flow times.

Task i is born at its client at :math:`r_i` with an input of :math:`g_i` MB. Layer j of it takes
:math:`P_{ij} / Q_s` seconds on server s, where a *pool* (one of :math:`K_s`) is held while it
executes. It may start once the outputs of all layers that it reads have arrived; from server a to
server b they travel :math:`g / v_{ab}` seconds, at once and without contention. Of all schedules,

.. math:: \min \sum_i (C_i - r_i), \qquad C_i \text{ the end of the last layer of task } i .

A schedule names server and start of every layer. Searches choose servers only; the field ``order``
says how such an assignment becomes a schedule (``simulation``).

Source: Xue, Wu, Li, Xu, Jiao, "EosDNN: An Efficient Offloading Scheme for DNN Inference
Acceleration in Local-Edge-Cloud Collaborative Environments", eqs. (1)-(7). Departures: the formulas
say what a delay is made of, not which waiting task a free pool takes: here that is ``order``; a
layer may not run on another user's device (``foreign_clients``); the input of the first layer
waits at the client.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    BoolArray,
    Bound,
    Certificate,
    FloatArray,
    IntArray,
    Lane,
    Problem,
    array_field,
)
from optedge.formulations.offloading import building, merging
from optedge.formulations.offloading.balance import count_certificates, offset_certificates
from optedge.formulations.offloading.costs import pair_costs, paths
from optedge.formulations.offloading.costs.weighting import Weighting as Weighting
from optedge.formulations.offloading.models import arcs, explicit
from optedge.formulations.offloading.plans import schedule, views
from optedge.formulations.offloading.plans.schedule import Schedule as Schedule
from optedge.formulations.offloading.prices import certificates, classes
from optedge.formulations.offloading.simulation import arrays, greedy, simulate, weighing
from optedge.formulations.offloading.simulation.arrays import ORDERS
from optedge.networks import dag
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

Order = Literal["fcfs", "priority", "strict", "planned"]
FirstLayer = Literal["free", "client"]
CLIENT, EDGE, CLOUD = 0, 1, 2
#: What values a certificate of each kind; all others are those of paths.
CERTIFIERS: dict[str, Callable[[OffloadingProblem, Certificate], float]] = {
    certificates.KIND: certificates.certify,
    count_certificates.PRICES: count_certificates.certify,
    count_certificates.VECTORS: count_certificates.certify,
    offset_certificates.KIND: offset_certificates.certify,
}


@dataclasses.dataclass(frozen=True, eq=False)
class OffloadingProblem(Problem):
    """Layers of many tasks to be placed on servers of three tiers, each with parallel pools.

    A solution is a :class:`Schedule`; an assignment (an integer array, the server of each layer) is
    accepted too and means the schedule that ``order`` makes of it.

    Parameters
    ----------
    successors
        For each layer the numbers of the layers that read it, all of the same task. Within a task
        layers are numbered in topological order and its first one is its only source.
    work_gcycles
        Work of each layer in 1e9 cycles, all tasks one after the other, ``(n_subtasks,)``.
    outputs_mb
        Output of each layer in MB, ``(n_subtasks,)``.
    tasks
        The task of each layer, ``(n_subtasks,)``: 0, ..., 0, 1, ..., 1, 2, ...
    inputs_mb
        Input of each task in MB, ``(n_tasks,)``: what its first layer reads.
    clients
        The server at which each task is born, ``(n_tasks,)``.
    speeds_ghz
        Clock of each server, ``(n_servers,)``, positive.
    rates_mb_s
        MB/s between servers, ``(n_servers, n_servers)``; 0 where there is no connection; ``inf``
        takes no time; what stands on the diagonal does not count.
    pools
        Layers that each server runs at a time, ``(n_servers,)``, at least 1, ``inf`` for no limit.
    tiers
        0 (client), 1 (edge) or 2 (cloud) of each server, ``(n_servers,)``.
    release
        Seconds at which each task is born, ``(n_tasks,)``; 0 if left out.
    price_per_hour
        Dollars for an hour that each server executes, ``(n_servers,)``; nothing if left out.
    price_per_gb
        Dollars for 1e9 byte between servers, ``(n_servers, n_servers)``; nothing if left out; what
        stands on the diagonal does not count.
    weights
        The weighted objective of delay, energy, cost, coordination and balance, without unit; None
        (default) for the sum of flow times in seconds.
    order
        How an assignment becomes a schedule: ``"fcfs"`` (default; by arrival), ``"priority"`` (the
        waiting layer of least rank when a pool is free), ``"strict"`` (each server in the order of
        ranks, idling if need be) or ``"planned"`` (task by task as each was born, every layer in
        the first gap that holds it). The rank is layer number, then task.
    first_layer
        ``"free"`` (default): the first layer may run anywhere; ``"client"``: only at home.
    foreign_clients
        Whether layers may run on the client of another task.
    return_result
        Whether the output of the last layer travels back to the client.
    name
        Label used in tables and plots.

    Raises
    ------
    ValueError
        If an array has the wrong shape or an entry is out of its range, if a graph has a cycle or
        two sources. The sentence names the entry.
    """

    successors: dag.Successors
    work_gcycles: FloatArray = array_field("n_subtasks")
    outputs_mb: FloatArray = array_field("n_subtasks")
    tasks: IntArray = array_field("n_subtasks", dtype=np.int64)
    inputs_mb: FloatArray = array_field("n_tasks")
    clients: IntArray = array_field("n_tasks", dtype=np.int64)
    speeds_ghz: FloatArray = array_field("n_servers")
    rates_mb_s: FloatArray = array_field("n_servers", "n_servers", infinite=True)
    pools: FloatArray = array_field("n_servers", infinite=True)
    tiers: IntArray = array_field("n_servers", dtype=np.int64)
    release: FloatArray = array_field("n_tasks", default=None)
    price_per_hour: FloatArray | None = array_field("n_servers", default=None)
    price_per_gb: FloatArray | None = array_field("n_servers", "n_servers", default=None)
    weights: Weighting | None = None
    order: Order = "fcfs"
    first_layer: FirstLayer = "free"
    foreign_clients: bool = False
    return_result: bool = False
    name: str = ""

    #: With more rows than these the search finds nothing.
    largest_model: ClassVar[int] = 300_000
    #: The best schedule need not come first come, first served.
    complete_code: ClassVar[bool] = False
    solution_types: ClassVar[tuple[type, ...]] = (Schedule,)
    #: A sum over tasks is no time at which something ends.
    objective_is_time: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if getattr(self, "release", None) is None:
            release = np.zeros(self.n_tasks)
            release.setflags(write=False)
            object.__setattr__(self, "release", release)
        for field, choices in (("order", ORDERS), ("first_layer", ("free", "client"))):
            if getattr(self, field) not in choices:
                raise ValueError(f"{field} must be one of {choices}, got {getattr(self, field)!r}.")
        if not (self.weights is None or isinstance(self.weights, Weighting)):
            raise ValueError(f"weights must be a Weighting or None, got {self.weights!r}.")
        self._check_tasks()
        self._check_servers()
        for field in ("foreign_clients", "return_result"):
            if not isinstance(getattr(self, field), bool):
                raise ValueError(f"{field} must be True or False, got {getattr(self, field)!r}.")

    def _check_tasks(self) -> None:
        """Check that layers stand task by task, and that each task is a graph with one source."""
        wrong = np.flatnonzero(np.diff(self.tasks, prepend=0) > 1)
        falls = np.flatnonzero(np.diff(self.tasks) < 0)
        if wrong.size or falls.size or self.tasks[0] != 0 or self.tasks[-1] != self.n_tasks - 1:
            raise ValueError(
                f"tasks must be 0, ..., 0, 1, ..., 1, ... up to {self.n_tasks - 1}, without a gap."
            )
        rows = building.checked_tasks(self.successors, self.first.tolist(), self.sizes.tolist())
        object.__setattr__(self, "successors", rows)
        wrong = np.flatnonzero(~(self.work_gcycles > 0))
        if wrong.size:
            raise ValueError(f"work_gcycles[{wrong[0]}] must be positive.")

    def _check_servers(self) -> None:
        for field in ("speeds_ghz", "pools"):
            wrong = np.flatnonzero(~(getattr(self, field) > 0))
            if wrong.size:
                raise ValueError(f"{field}[{wrong[0]}] must be positive.")
        finite = np.isfinite(self.pools)
        wrong = np.flatnonzero(finite & (self.pools != np.floor(self.pools)))
        if wrong.size:
            raise ValueError(f"pools[{wrong[0]}] must be a whole number or inf.")
        wrong = np.flatnonzero((self.tiers < CLIENT) | (self.tiers > CLOUD))
        if wrong.size:
            raise ValueError(f"tiers[{wrong[0]}] must be 0, 1 or 2, got {self.tiers[wrong[0]]}.")
        for i, c in enumerate(self.clients.tolist()):
            if not 0 <= c < self.n_servers or self.tiers[c] != CLIENT:
                raise ValueError(f"clients[{i}]: server {c} is no client.")

    @classmethod
    def chains(
        cls,
        work_gcycles: Sequence[npt.ArrayLike],
        data_mb: Sequence[npt.ArrayLike],
        **fields: Any,
    ) -> Self:
        """Build an instance whose tasks are chains.

        Parameters
        ----------
        work_gcycles
            For each task the work of its layers in 1e9 cycles.
        data_mb
            For each task what its layers read, in MB: the input first, then the output of the layer
            before; one entry more gives the output of the last layer.
        **fields
            The other fields of the problem.
        """
        return cls(**building.of_chains(work_gcycles, data_mb), **fields)

    @classmethod
    def from_network(
        cls,
        graph: LayerGraph,
        platform: Platform,
        n_tasks: int,
        *,
        clients: npt.ArrayLike | None = None,
        **fields: Any,
    ) -> Self:
        """Build the problem of several tasks of one network.

        Parameters
        ----------
        graph
            With measured layers and their clock; its layer 0 is the input tensor. Contract it
            before (``graph.contracted()``) for modules as single layers.
        platform
            Servers given by ``clock_ghz``; tier 0 are the clients. Their prices, if one has any,
            are the ``price_per_hour`` of the problem.
        n_tasks
            Number of tasks.
        clients
            The server at which each task is born, ``(n_tasks,)``; dealt round robin by default.
        **fields
            Other fields of the problem.

        Raises
        ------
        ValueError
            If layer 0 is no input tensor, if a server has no clock or there is no client.
        """
        made = building.of_network(graph, platform, n_tasks, clients)
        return cls(**{**made, **fields})

    # ---- data

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
        arrival[self.first] = self.release + self._sending(self.inputs_mb, self.clients, at)
        v, w = self.edges.T
        sent = ends[v] + self._sending(self.outputs_mb[v], servers[v], servers[w])
        np.maximum.at(arrival, w, sent)
        return arrival

    @functools.cached_property
    def edges(self) -> IntArray:
        """All edges (v, w), shape ``(n_edges, 2)``."""
        return dag.edge_array(self.successors)

    def _sending(self, size: FloatArray, a: IntArray, b: IntArray) -> FloatArray:
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

    # ---- explicit models and bounds

    @property
    def bound_names(self) -> tuple[str, ...]:  # type: ignore[override]  # waiting in H has none
        """The bounds that need no search."""
        return ("DP",) if self.is_pairwise else ()

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]  # graphs have fewer
        """The explicit models: the exact one first."""
        return explicit.kinds(self)

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return an explicit model (``models``); its objective is in ``m.unit`` seconds.

        Parameters
        ----------
        kind
            ``"disjunctive"`` (default): starts, pools and orders, exact and for tiny instances.
            ``"pairs"``: paths without pools, a linear program. ``"static"``: paths with a capacity
            a server. ``"time"``: starts on a grid, rounded down: a bound. With ``weights``:
            ``"balance"`` (default where Z has a weight; chains), exact where no pool binds, and
            ``"pairs"``, a bound if Z has a weight.
        relax
            Whether shares replace the binary decisions.
        """
        return explicit.build(self, self.check_kind(kind), relax)

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return about how many rows and columns the model has."""
        return explicit.size(self, self.check_kind(kind))

    def extract(self, model: Any) -> Schedule | None:
        """Return the schedule that a solved model holds, retimed exactly; None if it is none."""
        return explicit.extract(self, model)

    def fill(self, model: Any, x: Schedule | npt.ArrayLike) -> None:
        """Write a solution into the variables of ``model``."""
        explicit.fill(self, model, self.schedule(x))

    def scaled(self) -> tuple[OffloadingProblem, float]:
        """Return the instance itself, and the unit in seconds that its models have."""
        return self, explicit.unit(self)

    def dual_certificate(self, kind: str, solution: Any, unit: float = 1.0) -> Certificate | None:
        """Return the potentials in the duals of the solved model of paths."""
        return arcs.from_duals(self, solution, unit) if kind == "pairs" else None

    def _compute_bound(self, name: str) -> Bound:
        return paths.bound(self)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound that ``certificate`` proves, in the unit of the objective.

        Potentials of the paths of single tasks (``paths``), prices on the time of the servers
        (``certificates``), prices on their layers (``count_certificates``),
        or caps on offsets of counts (``offset_certificates``).
        """
        return CERTIFIERS.get(certificate.kind, paths.certify)(self, certificate)

    def price_classes(self) -> classes.Classes:
        """Return the classes of tasks that prices on server time do not tell apart."""
        return classes.make(self)

    # ---- what metaheuristics need: the code of a plan is the server of each layer

    @property
    def choices(self) -> BoolArray:
        """Which server each layer may use, ``(n_subtasks, n_servers)``."""
        return self.allowed

    @property
    def moves_per_chunk(self) -> int:
        """Moves that compiled loops price between two looks at the clock."""
        return max(200, 1_500_000 // self.n_subtasks)

    def start_code(self) -> IntArray:
        """Return the best of the greedy assignment and those to one tier, for searches to start.

        There is one: every layer may stay at its client.
        """
        plans = [greedy.place(self), *(greedy.on_tier(self, tier) for tier in range(3))]
        codes = np.array([code for code in plans if code is not None])
        return np.array(codes[np.argmin(self.costs(codes))])

    @property
    def decision_order(self) -> IntArray:
        """The layers in the order of rank, in which :meth:`partial` wants them decided."""
        return self.data.by_rank

    def partial(self, code: IntArray, i: int) -> FloatArray:
        """Return when layer ``i`` is done on each server, those before it in rank as in ``code``.

        Parameters
        ----------
        code
            The server of each layer, ``(n_subtasks,)``; those from ``i`` on in rank do not count.
        i
            The layer to be placed.

        Returns
        -------
        ndarray
            Seconds, ``(n_servers,)``, where each layer placed keeps its pool (``greedy``); ``inf``
            where it may not run or its input does not get. The last layer of a task is done when
            the result is home, if that is asked for.
        """
        return greedy.option_ends(self, code, i)

    def merged_decisions(self, *, once: bool = False) -> IntArray:
        """Return the group of each layer, ``(n_subtasks,)``, if layers in a line are one decision.

        With ``once`` neighbours are merged in pairs only.
        """
        return merging.in_line(self, once=once)

    def tier_code(self, tier: int) -> IntArray | None:
        """Return the greedy assignment to the servers of one tier; None if it has none.

        On tier 0 every layer is on its own client; on the others a layer that may not run there.
        """
        return greedy.on_tier(self, tier)

    def costs(self, codes: npt.ArrayLike) -> FloatArray:
        """Return the objective of each row of ``codes`` (k, n_subtasks); ``inf`` if infeasible.

        Raises
        ------
        ValueError
            If ``codes`` has another shape, or names a server that does not exist.
        """
        rows = np.ascontiguousarray(codes, dtype=np.int64)
        if rows.ndim != 2 or rows.shape[1] != self.n_subtasks:
            raise ValueError(f"codes must have shape (k, {self.n_subtasks}), got {rows.shape}.")
        # Read without a sign, numbers below 0 are large: one pass over the codes for both ends.
        if rows.size and rows.view(np.uint64).max() >= self.n_servers:
            raise ValueError(f"codes: servers are 0 to {self.n_servers - 1}.")
        return simulate.costs(self.data, self.allowed, rows)

    def decode(self, code: npt.ArrayLike) -> Schedule:
        """Return the schedule that the assignment means."""
        return self.schedule(np.array(code, dtype=np.int64))

    def encode(self, x: Schedule | npt.ArrayLike) -> IntArray:
        """Return the servers of a solution."""
        return np.array(x.servers if isinstance(x, Schedule) else x, dtype=np.int64)

    # ---- evaluation

    def schedule(self, x: Schedule | npt.ArrayLike) -> Schedule:
        """Return the schedule that an assignment means; a schedule is returned as it is.

        Raises
        ------
        ValueError
            If an assignment has another shape, or names a server that does not exist.
        """
        if isinstance(x, Schedule):
            return x
        servers = np.asarray(x)
        if servers.shape != (self.n_subtasks,):
            raise ValueError(f"servers must have shape ({self.n_subtasks},), got {servers.shape}.")
        if not ((servers >= 0) & (servers < self.n_servers)).all():
            raise ValueError(f"servers must be 0 to {self.n_servers - 1}.")
        return Schedule(servers, simulate.starts(self, servers))

    def flows(self, x: Schedule | npt.ArrayLike) -> FloatArray:
        """Return the flow time of each task in seconds, ``(n_tasks,)``."""
        plan = self.schedule(x)
        ends = plan.starts + self.seconds[np.arange(self.n_subtasks), plan.servers]
        done = ends
        if self.return_result:
            last = np.array([not row for row in self.successors])
            home = self.clients[self.tasks]
            done = np.where(last, ends + self._sending(self.outputs_mb, plan.servers, home), ends)
        completion = np.full(self.n_tasks, -np.inf)
        np.maximum.at(completion, self.tasks, done)
        return np.asarray(completion - self.release)

    def objective(self, x: Schedule | npt.ArrayLike) -> float:
        """Return the sum of the flow times in seconds, or the weighted objective.

        ``inf`` if ``x`` is infeasible.
        """
        if self.violations(x):
            return math.inf
        plan = self.schedule(x)
        flows = math.fsum(self.flows(plan))
        return flows if self.weights is None else weighing.value(self, plan, flows)

    def indicators(self, x: Schedule | npt.ArrayLike) -> dict[str, FloatArray]:
        """Return what ``weights`` weigh: ``seconds``, ``joule``, ``dollar``, ``coordination``.

        Of each layer, ``(n_subtasks,)``, waiting included in the seconds. Those of a layer that
        reads several others count from the last arrival.

        Raises
        ------
        ValueError
            If the problem has no weights.
        """
        return weighing.indicators(self, self.schedule(x))

    def violations(self, x: Schedule | npt.ArrayLike) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        return schedule.broken(self, x)

    # ---- what one can see of a solution

    def delay_split(self, x: Schedule | npt.ArrayLike) -> FloatArray:
        """Return seconds of execution, transmission and waiting of each task, ``(n_tasks, 3)``.

        Along the critical path of a task that is a graph: traced back from the layer that ends last
        through the predecessor whose output arrived last (of several the lowest number). The three
        sum to the flow time.
        """
        return views.delay_split(self, x)

    def tier_shares(
        self, x: Schedule | npt.ArrayLike, of: Literal["layers", "work"] = "layers"
    ) -> FloatArray:
        """Return the share of clients, edges and clouds in the layers or in their work, ``(3,)``.

        ``of="work"`` weighs each layer by its cycles.
        """
        return views.tier_shares(self, x, of)

    def metrics(self, x: Schedule | npt.ArrayLike) -> dict[str, float]:
        """Return what the flow times are made of, shares of layers by tier, and the last end.

        Seconds of execution, transmission and waiting, summed over the tasks; ``makespan_s`` is the
        time at which the last task is done.
        """
        return views.metrics(self, x)

    def lanes(self, x: Schedule | npt.ArrayLike) -> list[Lane]:
        """Return a lane a pool that is needed, then lanes of transfers by the tiers they join."""
        return views.lanes(self, x)


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array

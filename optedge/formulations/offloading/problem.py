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
    array_field,
)
from optedge.formulations.offloading import building, checks, coding
from optedge.formulations.offloading.balance import count_certificates, offset_certificates
from optedge.formulations.offloading.costs import decisions, paths
from optedge.formulations.offloading.costs.weighting import Weighting as Weighting
from optedge.formulations.offloading.derived import DerivedData
from optedge.formulations.offloading.models import arcs, explicit
from optedge.formulations.offloading.plans import evaluation, indicators, schedule, views
from optedge.formulations.offloading.plans.schedule import Schedule as Schedule
from optedge.formulations.offloading.prices import certificates, classes
from optedge.formulations.offloading.simulation import greedy
from optedge.networks import dag
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

Order = Literal["fcfs", "priority", "strict", "planned"]
FirstLayer = Literal["free", "client"]
#: What values a certificate of each kind; all others are those of paths.
CERTIFIERS: dict[str, Callable[[OffloadingProblem, Certificate], float]] = {
    certificates.KIND: certificates.certify,
    count_certificates.PRICES: count_certificates.certify,
    count_certificates.VECTORS: count_certificates.certify,
    offset_certificates.KIND: offset_certificates.certify,
}


@dataclasses.dataclass(frozen=True, eq=False)
class OffloadingProblem(DerivedData):
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
        checks.settle(self)

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

    def compute_bound(self, name: str) -> Bound:
        """Return the sum of the shortest paths of the tasks (``paths``)."""
        return paths.bound(self)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound that ``certificate`` proves, in the unit of the objective.

        Potentials of paths of single tasks (``paths``), prices on the time of servers (``prices``)
        or on their layers (``count_certificates``), caps on offsets (``offset_certificates``).
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
        """Return the best of the greedy assignment and those to one tier, for searches to start."""
        return coding.to_start(self)

    @property
    def decision_order(self) -> IntArray:
        """The layers in the order of rank, in which :meth:`partial` wants them decided."""
        return self.data.by_rank

    def partial(self, code: IntArray, i: int) -> FloatArray:
        """Return when layer ``i`` is done on each server, in seconds, ``(n_servers,)``.

        Those before it in rank are placed as in ``code`` (n_subtasks,) and keep their pools
        (``greedy``); ``inf`` where it may not run or its input does not get.
        """
        return greedy.option_ends(self, code, i)

    def merged_decisions(self, *, once: bool = False) -> IntArray:
        """Return the group of each layer, ``(n_subtasks,)``, if layers in a line are one decision.

        With ``once`` neighbours are merged in pairs only.
        """
        return coding.in_line(self, once=once)

    def tier_code(self, tier: int) -> IntArray | None:
        """Return the greedy assignment to the servers of one tier; None if it has none."""
        return greedy.on_tier(self, tier)

    def costs(self, codes: npt.ArrayLike) -> FloatArray:
        """Return the objective of each row of ``codes`` (k, n_subtasks); ``inf`` if infeasible.

        Raises
        ------
        ValueError
            If ``codes`` has another shape, or names a server that does not exist.
        """
        return coding.costs(self, codes)

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
        return evaluation.schedule(self, x)

    def flows(self, x: Schedule | npt.ArrayLike) -> FloatArray:
        """Return the flow time of each task in seconds, ``(n_tasks,)``."""
        return evaluation.flows(self, self.schedule(x))

    def objective(self, x: Schedule | npt.ArrayLike) -> float:
        """Return the sum of flow times in seconds, or the weighted objective; ``inf`` if broken."""
        return evaluation.objective(self, x)

    def indicators(self, x: Schedule | npt.ArrayLike) -> dict[str, FloatArray]:
        """Return what ``weights`` weigh: ``seconds``, ``joule``, ``dollar``, ``coordination``.

        Of each layer, ``(n_subtasks,)``, waiting included in the seconds. Those of a layer that
        reads several others count from the last arrival.

        Raises
        ------
        ValueError
            If the problem has no weights.
        """
        return indicators.indicators(self, self.schedule(x))

    def violations(self, x: Schedule | npt.ArrayLike) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        return schedule.broken(self, x)

    # ---- what one can see of a solution

    def delay_split(self, x: Schedule | npt.ArrayLike) -> FloatArray:
        """Return seconds of execution, transmission and waiting of each task, ``(n_tasks, 3)``.

        Of a task that is a graph along its critical path. The three sum to the flow time.
        """
        return views.delay_split(self, x)

    def tier_shares(
        self, x: Schedule | npt.ArrayLike, of: Literal["layers", "work"] = "layers"
    ) -> FloatArray:
        """Return the share of clients, edges and clouds in the layers or their work, ``(3,)``."""
        return views.tier_shares(self, x, of)

    def discount_bias(self, discount: float) -> decisions.DiscountBias:
        """Return how far the best discounted policy is from the optimum of the plain sum.

        By dynamic programming, for chains without a weight on balance; parameters and errors are
        those of ``costs.decisions.discount_bias``.
        """
        return decisions.discount_bias(self, discount)

    def metrics(self, x: Schedule | npt.ArrayLike) -> dict[str, float]:
        """Return what the flow times are made of, shares of layers by tier, and the last end.

        Seconds of execution, transmission and waiting, summed over the tasks; ``makespan_s`` is the
        time at which the last task is done.
        """
        return views.metrics(self, x)

    def lanes(self, x: Schedule | npt.ArrayLike) -> list[Lane]:
        """Return a lane a pool that is needed, then lanes of transfers by the tiers they join."""
        return views.lanes(self, x)

r"""Cutting a network between tiers (device, edge, cloud) as a linear program of differences.

Let :math:`p^k_v = 1` if layer v runs on tier k or beyond, and :math:`q^k_v` the same of the
farthest tier that reads its output; a tensor crosses each hop once, whoever reads it beyond.
With :math:`t^k_v` the seconds of layer v on tier k (:math:`k = 0, \dots, K`) and :math:`s^k_v` the
seconds that its output takes over hop k, from tier k - 1 to tier k,

.. math::

   \min \; \sum_v \Big( t^0_v (1 - p^1_v) + \sum_{k=1}^{K-1} t^k_v (p^k_v - p^{k+1}_v)
   + t^K_v p^K_v \Big) + \sum_{k=1}^{K} \sum_v s^k_v (q^k_v - p^k_v)

   \text{s.t.}\quad p^k_v \le p^k_w, \quad p^k_w \le q^k_v \quad \forall (v, w), \qquad
   p^k_v \le q^k_v, \quad p^{k+1}_v \le p^k_v, \qquad p^k_0 = 0, \quad 0 \le p, q \le 1.

Every row is a difference of two variables, so the matrix is the transpose of an incidence matrix,
totally unimodular, and every vertex is 0/1. The dual is a maximum flow (``flow``). Under heavy load
it is the slowest stage that counts: the largest of the sums above, one a tier and one a hop, which
is NP-hard on a general graph; there p is binary.

Sources: Zhang et al., "An Adaptive Task Migration Scheduling Approach for Edge-Cloud Collaborative
Inference", WCMC 2022, eq. (1) for chains; Hu, Bao, Wang, Liu, "Dynamic Adaptive DNN Surgery",
INFOCOM 2019 (DADS) for graphs. Departures: a plan in the cloud sends nothing back, so that cloud
sets are closed under successors (without those rows a late layer returns to the device for free);
the result is not sent; three tiers.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

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
from optedge.formulations.cut import (
    certificates,
    construction,
    flow,
    models,
    moves,
    positions,
    rules,
    stages,
    views,
)
from optedge.networks import dag
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

if TYPE_CHECKING:
    from optedge.formulations.cut.sweep import BandwidthCurve

Goal = Literal["latency", "throughput"]

BLOCK = 4096  # plans that are listed at a time


@dataclasses.dataclass(frozen=True, eq=False)
class CutProblem(Problem):
    """Layers of one network to be placed on tiers such that an inference is done early.

    A solution is an integer array of shape ``(n_layers,)``: the tier of each layer. It never falls
    along an edge, and layer 0, where the input is born, is on tier 0.

    Parameters
    ----------
    successors
        For each layer the numbers of the layers that read its output; layers are numbered in
        topological order and layer 0 is the only source.
    times
        Seconds of each layer on each tier, shape ``(n_tiers, n_layers)``; two tiers or more.
    sends
        Seconds that the output of each layer takes over each hop, shape
        ``(n_tiers - 1, n_layers)``; hop k joins tiers k and k + 1. ``inf`` where there is no link.
    goal
        ``"latency"`` (default): seconds of one inference. ``"throughput"``: seconds of the slowest
        stage (a tier or a hop), the time between two inferences under heavy load.
    name
        Label used in tables and plots.

    Raises
    ------
    ValueError
        If the graph has a cycle, two sources or an unknown successor, or an array the wrong shape,
        a NaN or a negative entry.
    """

    successors: dag.Successors
    times: FloatArray = array_field("n_tiers", "n_layers")
    sends: FloatArray = array_field("n_hops", "n_layers", infinite=True)
    goal: Goal = "latency"
    name: str = ""

    bound_names: ClassVar[tuple[str, ...]] = ("LP",)
    imports: ClassVar[tuple[str, ...]] = ("scipy.sparse.csgraph",)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "successors", dag.checked_successors(self.successors))
        if len(self.successors) != self.n_layers:
            raise ValueError(
                f"successors must hold {self.n_layers} rows, one a layer of times, got "
                f"{len(self.successors)}."
            )
        if self.n_tiers < 2 or self.sends.shape[0] != self.n_tiers - 1:
            raise ValueError(
                f"times and sends must have shapes (K, n) and (K - 1, n) with K of at least 2, "
                f"got {self.times.shape} and {self.sends.shape}."
            )
        if self.goal not in ("latency", "throughput"):
            raise ValueError(f"goal must be 'latency' or 'throughput', got {self.goal!r}.")

    @classmethod
    def chain(cls, times: npt.ArrayLike, sends: npt.ArrayLike, **fields: Any) -> Self:
        """Build the problem of a chain from ``times`` and ``sends`` alone."""
        n = np.asarray(times).shape[-1]
        successors = tuple((v + 1,) if v + 1 < n else () for v in range(n))
        return cls(successors, np.asarray(times), np.asarray(sends), **fields)

    @classmethod
    def from_network(
        cls,
        graph: LayerGraph,
        platform: Platform,
        *,
        bandwidth: float | None = None,
        **fields: Any,
    ) -> Self:
        """Build the problem of a network on the first server of each tier of a platform.

        Parameters
        ----------
        graph
            The network; its layer 0 is the input tensor.
        platform
            With at least two tiers.
        bandwidth
            Bit/s of the first hop in place of the platform's; 0 leaves only edge-only.
        **fields
            Other fields of the problem.

        Raises
        ------
        ValueError
            If there are fewer than two tiers, or the bandwidth is negative.
        """
        made = construction.of_network(graph, platform, bandwidth)
        return cls(**made, **{"name": graph.name, **fields})

    @classmethod
    def bandwidth_curve(
        cls, graph: LayerGraph, platform: Platform, low: float, high: float, **fields: Any
    ) -> BandwidthCurve:
        """Return the least latency of every bandwidth of the first hop in a range, exactly.

        Parameters and errors are those of :func:`optedge.formulations.cut.sweep.bandwidth_curve`.
        """
        from optedge.formulations.cut.sweep import bandwidth_curve

        return bandwidth_curve(graph, platform, low, high, **fields)

    # ---- data

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return int(self.times.shape[1])

    @property
    def n_tiers(self) -> int:
        """Number of tiers."""
        return int(self.times.shape[0])

    @functools.cached_property
    def edges(self) -> IntArray:
        """All edges (v, w), shape ``(n_edges, 2)``, sorted by v."""
        return dag.edge_array(self.successors)

    @functools.cached_property
    def cut_vertices(self) -> tuple[int, ...]:
        """The layers on every path from the input to the end."""
        return dag.cut_vertices(self.successors)

    @property
    def is_chain(self) -> bool:
        """Whether every layer feeds the next one only."""
        return dag.is_chain(self.successors)

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]  # here it depends on the goal
        """The explicit model of this instance: that of its goal."""
        return (self.goal,)

    # ---- evaluation

    def reach(self, x: npt.ArrayLike) -> IntArray:
        """Return the farthest tier that holds each layer or one that reads it, ``(n_layers,)``."""
        tier = np.asarray(x)
        reach = np.array(tier, dtype=np.int64)
        np.maximum.at(reach, self.edges[:, 0], tier[self.edges[:, 1]])
        return reach

    def crossing(self, x: npt.ArrayLike, hop: int = 0) -> tuple[int, ...]:
        """Return the layers whose output crosses a hop: the cut, as it is usually named.

        Empty where nothing crosses, ``(0,)`` where the input itself is sent.
        """
        tier = np.asarray(x)
        return tuple(np.flatnonzero((tier <= hop) & (hop < self.reach(tier))).tolist())

    def stages(self, x: npt.ArrayLike) -> FloatArray:
        """Return the busy seconds of each tier and then of each hop, ``(2 * n_tiers - 1,)``."""
        tier = np.asarray(x)
        reach = self.reach(tier)
        busy = [self.times[k, tier == k].sum() for k in range(self.n_tiers)]
        sent = [self.sends[k, (tier <= k) & (k < reach)].sum() for k in range(self.n_tiers - 1)]
        return np.array(busy + sent)

    def objective(self, x: npt.ArrayLike) -> float:
        """Return latency or slowest stage of ``x`` in seconds; ``inf`` if ``x`` is infeasible."""
        if self.violations(x):
            return math.inf
        stages = self.stages(x)
        return float(stages.sum() if self.goal == "latency" else stages.max())

    def violations(self, x: npt.ArrayLike) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        return rules.broken(self, x)

    def metrics(self, x: npt.ArrayLike) -> dict[str, float]:
        """Return the seconds on the first and last tier, the seconds of sending, layers beyond."""
        return views.metrics(self, x)

    def lanes(self, x: npt.ArrayLike) -> list[Lane]:
        """Return a lane a tier and a hop: one inference, tier after tier."""
        return views.lanes(self, x)

    # ---- explicit models

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return the explicit model of this module (``cut.models``).

        Parameters
        ----------
        kind
            ``"latency"`` or ``"throughput"``, whichever is the goal of the instance.
        relax
            Whether ``p`` is continuous for throughput too; for latency it always is.

        Returns
        -------
        pyomo.environ.ConcreteModel
            With variables ``p[k, v]`` and ``q[k, v]`` (and ``z``, the slowest stage), rows
            ``no_return[k, v, w]``, ``spread[k, v, w]``, ``stay[k, v]``, ``deeper[k, v]``, and
            ``no_link[k, v]`` where an output cannot cross.
        """
        return models.build(self, self.check_kind(kind), relax)

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return about how many rows and columns the model has."""
        hops, n, edges = self.n_tiers - 1, self.n_layers, len(self.edges)
        return hops * (2 * edges + 2 * n) + 2 * self.n_tiers, 2 * hops * n + 1

    def extract(self, model: Any) -> IntArray:
        """Return the tier of each layer: any threshold of an optimal p is optimal, here 1/2."""
        return models.extract(self, model)

    def fill(self, model: Any, x: npt.ArrayLike) -> None:
        """Write the tiers ``x`` into the variables of ``model``."""
        models.fill(self, model, x)

    def scaled(self) -> tuple[CutProblem, float]:
        """Return the same instance in units near one, and the unit in seconds (a power of two)."""
        return models.scaled(self)

    def dual_certificate(self, kind: str, solution: Any, unit: float = 1.0) -> Certificate | None:
        """Return the multipliers of the rows of the solved linear program of the latency."""
        if kind != "latency":
            return None
        return certificates.from_duals(self, solution.duals, unit)

    # ---- bounds

    def compute_bound(self, name: str) -> Bound:
        """Return the bound of the linear program, or that of the slowest stage."""
        if self.goal == "throughput":
            return stages.stage_bound(self)
        cut = flow.minimum_cut(self)
        return Bound("LP", cut.certificate.value, cut.certificate)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound in seconds that ``certificate`` proves (``cut.certificates``)."""
        return certificates.certify(self, certificate)

    # ---- plans that solvers ask for

    def everything_on(self, tier: int) -> IntArray:
        """Return the plan with every layer but the input on one tier; -1 is the last."""
        x = np.full(self.n_layers, range(self.n_tiers)[tier], dtype=np.int64)
        x[0] = 0
        return x

    @functools.cached_property
    def choices(self) -> BoolArray:
        """Which tier each layer may wish, ``(n_layers, n_tiers)``: the input stays on tier 0."""
        choices = np.ones((self.n_layers, self.n_tiers), dtype=bool)
        choices[0, 1:] = False
        return choices

    @functools.cached_property
    def data(self) -> moves.CutData:
        """The arrays that the compiled moves read."""
        return moves.make_data(self)

    @property
    def moves_per_chunk(self) -> int:
        """Moves that compiled loops price between two looks at the clock."""
        return max(1_000, 10_000_000 // (self.n_layers + len(self.edges)))

    def costs(self, codes: npt.ArrayLike) -> FloatArray:
        """Return the objective of each row of ``codes`` (k, n_layers); ``inf`` if infeasible."""
        return self.values(moves.decode(self, np.asarray(codes)))

    def decode(self, code: npt.ArrayLike) -> IntArray:
        """Return the plan of a code: each layer on the tier that it, or one before it, wishes."""
        plan: IntArray = moves.decode(self, np.asarray(code)[None, :])[0]
        return plan

    def encode(self, x: npt.ArrayLike) -> IntArray:
        """Return a code of a plan: its tiers."""
        return np.array(x, dtype=np.int64)

    def start_code(self) -> IntArray:
        """Return the best plan with one clean cut, for searches to start from."""
        return positions.best_single_cut(self)

    def clean_cuts(self) -> IntArray:
        """Return the plans that cut at cut vertices only, ``(k, n_layers)``, the earliest first."""
        blocks = positions.clean_cuts(self)
        return np.concatenate([positions.plans_of(self, places) for places, _ in blocks])

    def values(self, plans: IntArray) -> FloatArray:
        """Return the objective of each row of ``plans`` (k, n_layers), which send nothing back."""
        layers, (v, w) = np.arange(self.n_layers), self.edges.T
        feeding, starts = np.unique(v, return_index=True)
        reach = plans.copy()
        if v.size:
            reach[:, feeding] = np.maximum.reduceat(plans[:, w], starts, axis=1)
        busy = [np.where(plans == k, self.times[k], 0.0).sum(axis=1) for k in range(self.n_tiers)]
        crossing = [(plans <= k) & (k < reach) for k in range(self.n_tiers - 1)]
        sent = [np.where(c, self.sends[k, layers], 0.0).sum(axis=1) for k, c in enumerate(crossing)]
        stages = np.array(busy + sent)
        return np.asarray(stages.sum(axis=0) if self.goal == "latency" else stages.max(axis=0))

    def solutions(self) -> Iterator[IntArray]:
        """Yield every plan, in blocks of shape ``(k, n_layers)``."""
        if self.is_chain:
            for places, _ in positions.clean_cuts(self, BLOCK):
                yield positions.plans_of(self, places)
            return
        every = dag.monotone_assignments(self.successors, self.n_tiers)
        while block := [list(x) for x in itertools.islice(every, BLOCK)]:
            yield np.array(block, dtype=np.int64)

    def count_solutions(self, limit: int) -> int:
        """Return how many plans there are, or a number above ``limit`` if there are more."""
        if self.is_chain:
            return positions.count_clean_cuts(self)
        every = dag.monotone_assignments(self.successors, self.n_tiers)
        return sum(1 for _ in itertools.islice(every, limit + 1))

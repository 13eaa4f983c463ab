r"""What each split of a network costs: memory, time parts, energy, from a network and nodes.

Position :math:`j = 0..N` puts layers :math:`1..j` on the nodes and the rest into the cloud. With
the work :math:`\tilde Z_j` of the front, a node of speed :math:`F`, the cloud of speed :math:`F_c`,

.. math:: D_j = \sum_{i \le j} (Par_i + Map_i),\quad
          T_j = \frac{\tilde Z_j}{F} + W_q(j) + \frac{\tilde Z_N - \tilde Z_j}{F_c}
                + \frac{Map_j}{\min(WH, L)} + T_{te},\quad
          E_j = k_v \left(\frac{e \tilde Z_j}{F} + \omega \tilde Z_j F\right)

Every task runs its whole front on one node; every node holds the same front.

Source: Xu et al. 2020, eqs. (10)-(22). Departures: the wait has the missing factor of eq. (12) and
its queue is shared by the nodes as the text says; the time in the cloud, which eq. (22) leaves
out although the text lists it, is in; the deadline holds a task (``latency="total"`` sums over the
tasks as eq. (22) does); a queue that is not stable is infeasible; the input tensor is not
counted in the memory, and that of all maps is (only two live at a time in inference).
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from optedge.formulations import queues, uplink
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform, Server

if TYPE_CHECKING:
    import pandas as pd

    from optedge.formulations.split.problem import SplitProblem

FloatArray = npt.NDArray[np.float64]
Aim = Literal["depth", "work", "delay", "energy", "upload", "weighted"]
Waiting = Literal["mmc", "mm1", "literal"]
FLOP_PER_MAC = 2.0
CHOICES = {
    "waiting": ("mmc", "mm1", "literal"),
    "sharing": ("speed", "equal"),
    "last": ("scores", "free"),
    "latency": ("per-task", "total"),
}


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
    def stable(self) -> npt.NDArray[np.bool_]:
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
        spent = np.column_stack([self.energy_limits, self.energy])
        finite = [v for v in range(len(spent)) if math.isfinite(self.energy_limits[v])]
        different = np.unique(spent[finite], axis=0, return_index=True)[1] if finite else ()
        for k in sorted(different):
            v = finite[k]
            node = self.nodes[v] if self.nodes.count(self.nodes[v]) == 1 else f"node {v}"
            label = "energy" if len(different) == 1 else f"energy of {node}"
            rows.append((label, self.energy[v], float(self.energy_limits[v])))
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


def split_table(
    graph: LayerGraph,
    platform: Platform,
    *,
    arrival_rate: float = 0.0,
    waiting: Waiting = "mmc",
    samples: npt.ArrayLike | None = None,
    rule: uplink.Rule = "log-kde",
    slowest: float | None = None,
    upload_bits: float = 0.0,
    n_tasks: float = 1.0,
    sharing: Literal["speed", "equal"] = "speed",
    last: Literal["scores", "free"] = "scores",
    side: Literal["drop", "add"] = "drop",
    skip: bool = False,
    sent_bytes: npt.ArrayLike | None = None,
    weight_bytes: float = 4.0,
    usable_memory: float = 0.8,
    deadline: float = math.inf,
    latency: Literal["per-task", "total"] = "per-task",
) -> SplitTable:
    """Compute what every position costs.

    Parameters
    ----------
    graph
        A chain is taken layer by layer; layer 0 is the input tensor. Of any other network the
        positions are those of ``graph.weighted_chain(side)``.
    platform
        The servers of the lowest tier are the nodes, the one server of the highest tier is the
        cloud; a node without a link to it sends through the best server between, at the lower
        rate of the two links (eq. 15). Speeds are in FLOP/s, twice those in MAC/s; a
        coefficient ``dynamic`` per MAC^2 is four times that per FLOP^2.
    arrival_rate
        Tasks a second of all nodes together, at least 0; 0: nobody waits.
    waiting
        ``"mmc"``: one queue for all nodes (their mean service rate, if they differ); ``"mm1"``: a
        queue a node; ``"literal"``: eq. (12) as printed, not in seconds, with a warning.
    samples, rule, slowest, upload_bits
        Rates of the terminal in bit/s, the estimate (:func:`optedge.formulations.uplink.delay`)
        and the bits of a task; without samples the terminal's delay is 0.
    n_tasks
        Tasks of all nodes together whose energy is counted, positive.
    sharing
        How tasks spread over the nodes: in proportion to ``"speed"``, or ``"equal"``.
    last
        What position N sends: the ``"scores"`` (output of the last layer), or nothing
        (``"free"``).
    side
        What a network with branches does with weighted layers beside its chain
        (``LayerGraph.weighted_chain``): their weights and maps are ``"drop"``-ped as in the paper,
        or ``"add"``-ed to memory and work. They are never sent.
    skip
        Whether a cut inside a block also sends the tensors that go around it
        (:func:`residual_bytes`); the paper does not. A chain has none.
    sent_bytes
        Byte that each position sends, ``(N + 1,)``, in place of the maps, ``last`` and ``skip``.
    weight_bytes
        Byte of one weight, positive; those of the maps are in ``graph.output_bytes``.
    usable_memory
        Share of the least memory of a node that the front may take, in (0, 1].
    deadline
        Most seconds, positive.
    latency
        Whether it holds ``"per-task"``, or for the ``"total"`` of ``n_tasks`` tasks.

    Returns
    -------
    SplitTable
        Position 0 has no work, memory and energy on the nodes, position N none in the cloud.

    Raises
    ------
    ValueError
        If an option is out of its range, layer 0 is not an input tensor, or the platform does not
        have nodes and one cloud.
    """
    _check_choices(waiting=waiting, sharing=sharing, last=last, latency=latency)
    _check_positive(1.0, usable_memory=usable_memory)
    _check_positive(math.inf, deadline=deadline)
    _check_positive(sys.float_info.max, n_tasks=n_tasks, weight_bytes=weight_bytes)
    if not 0 <= arrival_rate < math.inf:
        raise ValueError(f"arrival_rate must be finite and at least 0, got {arrival_rate!r}.")
    chain = graph if graph.is_chain else graph.weighted_chain(side)
    if chain.flops[0] or chain.parameters[0]:
        raise ValueError(f"layer 0 ({chain.names[0]}) must be the input tensor, without work.")
    servers, rates, cloud = _nodes_and_cloud(platform)

    execution = np.cumsum([_seconds(server, chain) for server in servers], axis=1)
    in_cloud = np.cumsum(_seconds(cloud, chain))
    mac = np.cumsum(chain.flops) / FLOP_PER_MAC
    memory = np.cumsum(weight_bytes * chain.parameters + chain.output_bytes)
    sent = _sent(graph, chain, last, skip) if sent_bytes is None else _given(sent_bytes, mac.size)
    shares = _shares(execution[:, -1], sharing)
    wait, utilisation = _queue(execution, mac, arrival_rate * shares, waiting)
    terminal = 0.0
    if samples is not None:
        terminal = uplink.delay(upload_bits, samples, rule, slowest=slowest)
    return SplitTable(
        memory=memory - memory[0],  # the input tensor is not counted
        work=mac,
        sent=sent,
        execution=execution,
        wait=wait,
        upload=_send_seconds(sent, rates),
        cloud=in_cloud[-1] - in_cloud,
        uplink=terminal,
        energy=n_tasks * shares[:, None] * _joule_per_task(servers, execution, mac),
        utilisation=utilisation,
        energy_limits=np.array([server.energy for server in servers]),
        memory_limit=usable_memory * min(server.memory for server in servers),
        deadline=deadline,
        tasks=n_tasks if latency == "total" else 1.0,
        arrival_rate=arrival_rate,
        nodes=tuple(server.name or f"node {v}" for v, server in enumerate(servers)),
        name=graph.name,
    )


def split_problem(
    graph: LayerGraph,
    platform: Platform,
    *,
    aim: Aim = "depth",
    weights: Mapping[str, float] | None = None,
    name: str = "",
    **options: Any,
) -> SplitProblem:
    """Return the problem of the best position for a network on nodes and a cloud (P1).

    Parameters
    ----------
    graph, platform, **options
        As in :func:`split_table`.
    aim
        What is maximised: the ``"depth"`` j (the paper's choice as we read it) or the ``"work"``
        of the front in GMAC, or minus one of: ``"delay"``, the latency on the worst node in
        seconds; ``"energy"`` of all nodes in joule; ``"upload"``, MB sent; ``"weighted"``, the sum
        of these three, each divided by its largest finite value and times its weight.
    weights
        Of ``"weighted"``: some of ``delay``, ``energy`` and ``upload``, at least 0.
    name
        Label; that of the network by default.

    Returns
    -------
    SplitProblem
        Limits, in this order: memory (MB), latency (s), energy of each node (J; nodes with
        the same row share it), stability (utilisation below 1; ``inf`` where the queue is not
        stable), link (``inf`` where there is none). Limits that are infinite are left out; if
        none is finite, memory stands there without a limit.

    Raises
    ------
    ValueError
        If ``aim`` or a weight is unknown, or an option is wrong.

    References
    ----------
    Xu et al. 2020, eq. (22), problem P1. ``f(j)`` is not defined there; "maximum j" and "maximal
    f" are equated in its text.
    """
    from optedge.formulations.split.problem import SplitProblem

    table = split_table(graph, platform, **options)
    rows = table.limits()
    return SplitProblem(
        table.value(aim, weights),
        np.array([usage for _, usage, _ in rows]),
        np.array([limit for _, _, limit in rows]),
        limit_names=tuple(label for label, _, _ in rows),
        name=name or graph.name,
    )


def residual_bytes(graph: LayerGraph) -> FloatArray:
    """Return the byte that each position sends besides its map, as tensors go around the cut.

    Parameters
    ----------
    graph
        A network with branches. Its positions are those of ``graph.weighted_chain()``.

    Returns
    -------
    ndarray
        Shape ``(N + 1,)``. Layers without weights behind the cut run on the node if they can.
        Layers with weights on other branches (projections) run there or in the cloud, all of
        them, whichever sends less.

    Notes
    -----
    ResNet-34: 0 at the ends of blocks (7, 13), a whole map at 20; at 8 the smaller of the block's
    input and its projection. The paper sends the map only.
    """
    numbered = graph.replace(names=tuple(str(v) for v in range(graph.n_layers)))
    positions = [int(text) for text in numbered.weighted_chain().names]
    weighted = set(np.flatnonzero(graph.parameters > 0).tolist())
    unweighted = set(range(graph.n_layers)) - weighted
    ancestors: list[set[int]] = []  # of each layer, itself included
    for v in range(graph.n_layers):
        ancestors.append({v}.union(*(ancestors[u] for u in graph.predecessors[v])))

    def around(cut: int, movable: set[int]) -> float:
        """Return what goes around the cut if the movable layers that can do so run before it."""
        here = set(ancestors[cut])
        for w in sorted(movable - here):
            if here.issuperset(graph.predecessors[w]):
                here.add(w)
        crossing = (u for u in here if cut not in ancestors[u])
        return float(
            sum(graph.output_bytes[u] for u in crossing if not here.issuperset(graph.successors[u]))
        )

    def beside(cut: int) -> set[int]:
        return unweighted | {v for v in weighted if cut not in ancestors[v]}

    return np.array([min(around(v, unweighted), around(v, beside(v))) for v in positions])


# ------------------------------------------------------------------------------ parts


def _check_choices(**given: str) -> None:
    for option, value in given.items():
        if value not in CHOICES[option]:
            raise ValueError(
                f"{option} must be one of {', '.join(CHOICES[option])}, got {value!r}."
            )


def _check_positive(most: float, **given: float) -> None:
    for option, value in given.items():
        if not 0 < value <= most:
            raise ValueError(f"{option} must be in (0, {most:g}], got {value!r}.")


def _nodes_and_cloud(platform: Platform) -> tuple[list[Server], FloatArray, Server]:
    """Return the nodes, their rates to the cloud in bit/s, and the cloud."""
    tiers = platform.tiers
    if len(tiers) < 2 or len(tiers[-1]) != 1:
        raise ValueError(
            "platform must have nodes in its lowest tier and one cloud in another, its highest."
        )
    nodes, (cloud,) = list(tiers[0]), tiers[-1]
    rates = platform.rates[nodes, cloud].copy()
    between = [v for tier in tiers[1:-1] for v in tier]
    if between:
        relayed = np.minimum(platform.rates[np.ix_(nodes, between)], platform.rates[between, cloud])
        rates = np.where(rates > 0, rates, relayed.max(axis=1))
    return [platform.servers[v] for v in nodes], rates, platform.servers[cloud]


def _seconds(server: Server, chain: LayerGraph) -> FloatArray:
    seconds = server.layer_seconds(chain).copy()
    seconds[0] = 0.0  # the input tensor, whatever its type says
    return seconds


def _sent(graph: LayerGraph, chain: LayerGraph, last: str, skip: bool) -> FloatArray:
    plain = chain if graph.is_chain else graph.weighted_chain("drop")  # added maps are not sent
    sent = plain.output_bytes.copy()
    if skip and not graph.is_chain:
        sent += residual_bytes(graph)
    if last == "free":
        sent[-1] = 0.0
    return sent


def _given(sent_bytes: npt.ArrayLike, size: int) -> FloatArray:
    sent = np.array(sent_bytes, dtype=np.float64)
    if sent.shape != (size,) or not (np.isfinite(sent) & (sent >= 0)).all():
        raise ValueError(f"sent_bytes must hold {size} finite numbers, at least 0.")
    return sent


def _send_seconds(sent: FloatArray, rates: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sent > 0, 8 * sent / rates[:, None], 0.0)


def _shares(whole: FloatArray, sharing: str) -> FloatArray:
    """Return the share of the tasks that each node takes; speed counts by the whole network."""
    if sharing == "equal":
        speeds = np.ones_like(whole)
    else:  # a node that takes no time at all takes all tasks
        speeds = 1 / whole if whole.all() else 1.0 * (whole == 0)
    return np.asarray(speeds / speeds.sum())


def _queue(
    execution: FloatArray, mac: FloatArray, arrivals: FloatArray, waiting: str
) -> tuple[FloatArray, FloatArray]:
    """Return the seconds in the queue on each node, and the utilisation."""
    with np.errstate(divide="ignore"):
        service = 1 / execution  # inf where there is no work
    own = arrivals[:, None] * execution
    if waiting == "mmc":
        total = math.fsum(arrivals)
        wait = np.asarray(queues.mmc_wait(total, service.mean(axis=0), arrivals.size))
        usage = total / service.sum(axis=0)
    elif waiting == "mm1":
        wait, usage = queues.mm1_wait(arrivals[:, None], service), own.max(axis=0)
    else:
        speed = np.divide(mac, execution, out=np.ones_like(execution), where=execution > 0)
        wait, usage = queues.literal_wait(arrivals[:, None], mac, speed), own.max(axis=0)
    wait = np.broadcast_to(wait, own.shape)
    endless = np.isinf(wait).any(axis=0)  # rounding must not call it stable
    usage = np.where(endless, np.maximum(usage, 1.0), usage)
    return np.where(usage < 1, wait, np.inf), usage


def _joule_per_task(
    servers: Sequence[Server], execution: FloatArray, mac: FloatArray
) -> FloatArray:
    """Return static and dynamic energy of the front of one task, eqs. (18) and (19)."""
    for server in servers:
        if server.dynamic and server.speed is None:
            raise ValueError(f"server {server.name!r} has dynamic energy: give it by its speed.")
    static = np.array([server.power for server in servers])
    dynamic = np.array([server.dynamic * (server.speed or 0.0) for server in servers])
    return static[:, None] * execution + dynamic[:, None] * FLOP_PER_MAC * mac


def _finite(cost: FloatArray) -> FloatArray:
    known = np.isfinite(cost)
    return np.where(known, cost, cost[known].max() if known.any() else 0.0)

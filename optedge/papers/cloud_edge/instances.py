"""Nodes, cloud and what limits a split: the settings that reproduce the published tables."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from optedge import networks
from optedge.formulations.split import (
    SplitProblem,
    SplitTable,
    residual_bytes,
    split_problem,
    split_table,
)
from optedge.networks.graph import LayerGraph
from optedge.papers.cloud_edge.network import resnet34
from optedge.platforms import Platform, Server, mbit

NODES = (30, 20, 10)
#: Speed of a node and of the cloud in MAC/s: the two that fit the delays of table 2.
SPEED, CLOUD_SPEED = 40.5635e9, 494.41e9
#: Byte of the smallest node that give the splits of table 1, without projections.
MEMORY = {30: 11.6e6, 20: 18.9e6, 10: 36.9e6}
#: Byte that all nodes share equally, which give table 1 with projections and their maps.
POOL = 377e6
UNIFORM = (4e6, 400e6)  # byte of a node in the random setting
USABLE = 0.8  # lambda_0, share of the memory that a front may take
#: Energy that binds: 120 tasks in equal shares, and a budget of 11 GMAC a node.
TASKS, BUDGET_MAC, POWER = 120, 11e9, 10.0
ARRIVALS = 350.0  # tasks a second of the setting whose queue binds

Binding = Literal["memory", "energy", "queueing"]


def node_memory(nodes: int, memory: str | float = "given", seed: int = 0) -> list[float]:
    """Return the memory of each node in byte; see :func:`setting`.

    Raises
    ------
    ValueError
        If the setting is unknown, or knows no memory for this number of nodes.
    """
    if memory == "given":
        if nodes not in MEMORY:
            raise ValueError(f"memory 'given' is known for nodes {tuple(MEMORY)}, got {nodes!r}.")
        return [MEMORY[nodes]] * nodes
    if memory == "pool":
        return [POOL / nodes] * nodes
    if memory == "uniform":
        draws: list[float] = np.random.default_rng([seed, nodes]).uniform(*UNIFORM, nodes).tolist()
        return draws
    if memory == "unlimited":
        return [math.inf] * nodes
    if isinstance(memory, str):
        raise ValueError(
            f"memory must be given, pool, uniform, unlimited or a number of byte, got {memory!r}."
        )
    return [float(memory)] * nodes


def environment(
    nodes: int = 30,
    memory: str | float = "given",
    *,
    bandwidth: float = math.inf,
    power: float = 0.0,
    energy: float = math.inf,
    seed: int = 0,
) -> Platform:
    """Return equal nodes (but perhaps for their memory) and a cloud.

    Parameters
    ----------
    nodes
        How many; 10, 20 or 30 in the paper.
    memory, seed
        As in :func:`setting`.
    bandwidth
        Bit/s from each node to the cloud; the fit of table 2 has no upload time (``inf``).
    power, energy
        Watt of a busy node, and joule that it may spend.
    """
    if not isinstance(nodes, int) or nodes < 1:
        raise ValueError(f"nodes must be a positive integer, got {nodes!r}.")
    flops = 2 * SPEED  # a server's speed is in FLOP/s
    servers = [
        Server(speed=flops, memory=byte, power=power, energy=energy, name=f"node {v}")
        for v, byte in enumerate(node_memory(nodes, memory, seed))
    ]
    rates = np.zeros((nodes + 1, nodes + 1))
    rates[:nodes, nodes] = rates[nodes, :nodes] = bandwidth
    cloud = Server(speed=2 * CLOUD_SPEED, tier=1, name="cloud")
    return Platform((*servers, cloud), rates, name=f"{nodes} nodes and a cloud")


def small_environment(
    nodes: int = 5, *, memory: float = 8e3, bandwidth: float = mbit(1.0)
) -> Platform:
    """Return microcontrollers of 0.2 to 0.6 million MAC/s and 50 mW beside a cloud of 1 GMAC/s.

    Parameters
    ----------
    nodes
        How many, at least 1; their speeds are evenly spaced.
    memory
        Byte of each node, of which a front may take 0.8.
    bandwidth
        Bit/s from each node to the cloud.
    """
    if not isinstance(nodes, int) or nodes < 1:
        raise ValueError(f"nodes must be a positive integer, got {nodes!r}.")
    speeds = 2 * np.linspace(0.2e6, 0.6e6, nodes)  # a server's speed is in FLOP/s
    servers = [
        Server(speed=speed, memory=memory, power=0.05, name=f"node {u}")
        for u, speed in enumerate(speeds.tolist())
    ]
    rates = np.zeros((nodes + 1, nodes + 1))
    rates[:nodes, nodes] = rates[nodes, :nodes] = bandwidth
    cloud = Server(speed=2e9, tier=1, name="cloud")
    return Platform((*servers, cloud), rates, name=f"{nodes} microcontrollers and a cloud")


def setting(
    nodes: int = 30,
    memory: str | float | None = None,
    binding: Binding = "memory",
    *,
    projection: bool | None = None,
    classes: int = 1000,
    bandwidth: float = math.inf,
    skip: bool = False,
    seed: int = 0,
    **options: Any,
) -> tuple[LayerGraph, Platform, dict[str, Any]]:
    """Return network, platform and options of the published experiment.

    Parameters
    ----------
    nodes
        Number of edge nodes; 10, 20 or 30 in the paper.
    memory
        Of a node, of which a front may take 0.8. ``"given"``: 11.6, 18.9 and 36.9 MB for 30, 20,
        10 nodes; ``"pool"``: equal parts of 377 MB; ``"uniform"``: drawn from 4 to 400 MB;
        ``"unlimited"``; or a number of byte. By default ``"given"`` if memory binds.
    binding
        What limits the split: ``"memory"``, which gives table 1; ``"energy"`` of 120 tasks shared
        equally, or a ``"queueing"`` system with 350 tasks a second, whose direction is the text's.
    projection
        Whether the projections of ResNet-34 and their maps are counted; by default with ``"pool"``.
    classes
        Outputs of the network.
    bandwidth
        Bit/s from each node to the cloud.
    skip
        Whether a cut inside a block sends the tensor around it too.
    seed
        Of ``"uniform"``.
    **options
        Returned as they are; they replace those of the setting.

    Raises
    ------
    ValueError
        If a setting is unknown.
    """
    if binding not in ("memory", "energy", "queueing"):
        raise ValueError(f"binding must be memory, energy or queueing, got {binding!r}.")
    if memory is None:
        memory = "given" if binding == "memory" else "unlimited"
    if projection is None:
        projection = memory == "pool"
    # The maps of projections are kept, not sent; the raw image has 8 bit a number.
    sent = resnet34(classes=classes).output_bytes.copy()
    if skip:
        sent += residual_bytes(networks.load("resnet34"))
    sent[0] /= 4
    chosen: dict[str, Any] = {"usable_memory": USABLE, "sent_bytes": sent}
    limits: dict[str, float] = {}
    if binding == "energy":
        chosen |= {"n_tasks": TASKS, "sharing": "equal"}
        limits = {"power": POWER, "energy": POWER * BUDGET_MAC / SPEED}
    elif binding == "queueing":
        chosen["arrival_rate"] = ARRIVALS
    graph = resnet34(projection=projection, classes=classes)
    platform = environment(nodes, memory, bandwidth=bandwidth, seed=seed, **limits)
    return graph, platform, chosen | options


def costs(
    nodes: int = 30, memory: str | float | None = None, binding: Binding = "memory", **options: Any
) -> SplitTable:
    """Return what every position costs; parameters of :func:`setting`, options of split_table."""
    graph, platform, chosen = setting(nodes, memory, binding, **options)
    return split_table(graph, platform, **chosen)


def instance(
    nodes: int = 30, memory: str | float | None = None, binding: Binding = "memory", **options: Any
) -> SplitProblem:
    """Return the split problem of the published experiment.

    Parameters
    ----------
    nodes, memory, binding, **options
        As in :func:`setting` (``projection``, ``classes``, ``bandwidth``, ``skip``, ``seed``) and
        in :func:`optedge.formulations.split.split_problem` (``aim``, ``weights``, ``deadline``,
        ...).
    """
    graph, platform, chosen = setting(nodes, memory, binding, **options)
    name = f"cloud-edge, {nodes} nodes, {binding} binds"
    return split_problem(graph, platform, **{"name": name, **chosen})


def best_position(problem: SplitProblem) -> int:
    """Return the best position by enumeration, the first of equals; ValueError if none is left."""
    best = int(np.argmin(problem.position_costs))
    if math.isinf(problem.position_costs[best]):
        raise ValueError("no position meets all limits.")
    return best

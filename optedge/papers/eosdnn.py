"""EosDNN: the layers of many tasks between clients, edges and clouds; the published environment.

M. Xue, H. Wu, R. Li, M. Xu, P. Jiao, "EosDNN: An Efficient Offloading Scheme for DNN Inference
Acceleration in Local-Edge-Cloud Collaborative Environments".

Four clients of 1.1 to 2.3 GHz with one pool, five edge servers of 4.2 to 18.3 GHz with two, five
clouds of 40 to 120 GHz with eight; the paper gives ranges, here the servers stand evenly in them.
It lists the rate between edge and cloud twice (5 and 10 MB/s) and two others not at all:
``edge_cloud`` is an argument, edge to edge 10 and cloud to cloud 5 MB/s are our reading.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from optedge import networks
from optedge.formulations.offloading import OffloadingProblem
from optedge.platforms import Platform, Server, mbyte

NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet101")
Environment = Literal["L-E-C", "L-E", "L-C"]
#: Range of clocks in GHz, number of servers and pools of each tier.
TIERS = (((1.1, 2.3), 4, 1), ((4.2, 18.3), 5, 2), ((40.0, 120.0), 5, 8))
CLIENT_EDGE, CLIENT_CLOUD, EDGE_EDGE, CLOUD_CLOUD = 10.0, 0.5, 10.0, 5.0  # MB/s


def servers(
    kind: Environment = "L-E-C",
    *,
    edge_cloud: float = 5.0,
    n_clients: int = 4,
    seed: int | None = None,
) -> Platform:
    """Return clients, edges and clouds, or two of the three.

    Parameters
    ----------
    kind
        ``"L-E-C"``; ``"L-E"`` has no clouds, ``"L-C"`` no edges.
    edge_cloud
        MB/s between an edge and a cloud.
    n_clients
        Number of clients.
    seed
        Draws clocks uniformly in their ranges; None spreads them evenly.
    """
    if kind not in ("L-E-C", "L-E", "L-C"):
        raise ValueError(f"kind must be 'L-E-C', 'L-E' or 'L-C', got {kind!r}.")
    rng = None if seed is None else np.random.default_rng(seed)
    found = []
    for tier, ((low, high), count, pool) in enumerate(TIERS):
        if (tier == 1 and kind == "L-C") or (tier == 2 and kind == "L-E"):
            continue
        number = n_clients if tier == 0 else count
        clocks = np.linspace(low, high, number) if rng is None else rng.uniform(low, high, number)
        found += [
            Server(clock_ghz=float(q), tier=tier, pool=pool, name=f"{'bec'[tier]}{k}")
            for k, q in enumerate(clocks)
        ]
    between = np.array(
        [
            [0.0, CLIENT_EDGE, CLIENT_CLOUD],
            [CLIENT_EDGE, EDGE_EDGE, edge_cloud],
            [CLIENT_CLOUD, edge_cloud, CLOUD_CLOUD],
        ]
    )
    tiers = [server.tier for server in found]
    return Platform(tuple(found), mbyte(1.0) * between[np.ix_(tiers, tiers)], name=kind)


def instance(
    network: str = "alexnet",
    n_tasks: int = 12,
    *,
    environment: Environment = "L-E-C",
    first_layer: Literal["free", "client"] = "free",
    modules: Literal["contracted", "dag"] = "contracted",
    edge_cloud: float = 5.0,
    n_clients: int = 4,
    input_size: float = 0.6,
    data_unit: Literal["MB", "Mb"] = "MB",
    seed: int | None = None,
    **fields: Any,
) -> OffloadingProblem:
    """Return the offloading of several tasks of one network.

    Parameters
    ----------
    network
        One of ``NETWORKS``, with the measured times of ``linbin403``.
    n_tasks
        Number of tasks, dealt round robin to the clients; 12 in figures 15 and 16.
    environment, edge_cloud, n_clients, seed
        As in :func:`servers`.
    first_layer
        Whether the first layer runs anywhere or only at the client.
    modules
        Whether modules are single layers, or their branches run in parallel.
    input_size, data_unit
        Of the data set; what its column of sizes means.
    **fields
        Other fields of the problem, such as ``order``.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {network!r}.")
    if modules not in ("contracted", "dag"):
        raise ValueError(f"modules must be 'contracted' or 'dag', got {modules!r}.")
    graph = networks.load(network, source="linbin403", data_unit=data_unit, input_size=input_size)
    platform = servers(environment, edge_cloud=edge_cloud, n_clients=n_clients, seed=seed)
    return OffloadingProblem.from_network(
        graph.contracted() if modules == "contracted" else graph,
        platform,
        n_tasks,
        **{"first_layer": first_layer, "name": f"{network}, {n_tasks} tasks", **fields},
    )

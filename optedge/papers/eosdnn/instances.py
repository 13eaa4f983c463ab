"""The published environment: four clients, five edges, five clouds, and tasks of four networks."""

from __future__ import annotations

from typing import Any, Literal

from optedge.formulations.offloading import OffloadingProblem
from optedge.papers.local_edge_cloud import NETWORKS as NETWORKS
from optedge.papers.local_edge_cloud import Environment as Environment
from optedge.papers.local_edge_cloud import Tier, measured, platform
from optedge.platforms import Platform

#: Clients, edges and clouds: GHz, number, pools.
TIERS = (Tier((1.1, 2.3), 4, 1), Tier((4.2, 18.3), 5, 2), Tier((40.0, 120.0), 5, 8))
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
    between = (
        (0.0, CLIENT_EDGE, CLIENT_CLOUD),
        (CLIENT_EDGE, EDGE_EDGE, edge_cloud),
        (CLIENT_CLOUD, edge_cloud, CLOUD_CLOUD),
    )
    return platform(kind, (TIERS[0]._replace(number=n_clients), *TIERS[1:]), between, seed)


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
    return OffloadingProblem.from_network(
        measured(network, modules, data_unit, input_size),
        servers(environment, edge_cloud=edge_cloud, n_clients=n_clients, seed=seed),
        n_tasks,
        **{"first_layer": first_layer, "name": f"{network}, {n_tasks} tasks", **fields},
    )

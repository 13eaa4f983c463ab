"""The published environment: servers, rates, prices, weights, and instances of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optedge.formulations.offloading import OffloadingProblem, Weighting
from optedge.papers.local_edge_cloud import NETWORKS as NETWORKS
from optedge.papers.local_edge_cloud import Environment as Environment
from optedge.papers.local_edge_cloud import Tier, measured, platform
from optedge.platforms import Platform, Server

#: Clients, edges and clouds: GHz, number, pools, $/h.
TIERS = (
    Tier((2.3, 2.3), 1),
    Tier((4.2, 18.3), 5, per_hour=(2.10, 2.43)),
    Tier((40.0, 120.0), 5, per_hour=(0.225, 1.80)),
)
#: MB/s between clients, edges and clouds; there is no link between two clients.
RATES = ((0.0, 10.0, 0.5), (10.0, 10.0, 0.5), (0.5, 0.5, 5.0))
#: Dollars for 1e9 byte, in the same order.
PRICE_PER_GB = ((0.0, 0.16, 0.8), (0.16, 0.16, 0.8), (0.8, 0.8, 0.4))
#: Pools of a client, an edge and a cloud in the EosDNN paper, which has the same servers.
EOSDNN_POOLS = (1.0, 2.0, 8.0)
#: The published weights.
WEIGHTS = Weighting()


def servers(
    kind: Environment = "L-E-C",
    *,
    n_clients: int = 1,
    n_edges: int = 5,
    n_clouds: int = 5,
    seed: int | None = None,
    rate_fn: Callable[[Server, Server], float] | None = None,
) -> Platform:
    """Return clients, edges and clouds with their prices, or two of the three.

    Parameters
    ----------
    kind
        ``"L-E-C"``; ``"L-E"`` has no clouds, ``"L-C"`` no edges.
    n_clients, n_edges, n_clouds
        Servers of each tier.
    seed
        Draws clocks and prices uniformly in their ranges; None spreads them evenly.
    rate_fn
        Bit/s from one server to another, in place of the published table; see
        :func:`optedge.platforms.shannon`.
    """
    numbers = (n_clients, n_edges, n_clouds)
    tiers = [tier._replace(number=n) for tier, n in zip(TIERS, numbers, strict=True)]
    return platform(kind, tiers, RATES if rate_fn is None else rate_fn, seed)


def instance(
    network: str = "alexnet",
    n_tasks: int = 1,
    *,
    environment: Environment = "L-E-C",
    modules: Literal["contracted", "dag"] = "contracted",
    input_size: float = 0.6,
    data_unit: Literal["MB", "Mb"] = "MB",
    pools: Literal["eosdnn"] | npt.ArrayLike | None = None,
    n_clients: int = 1,
    n_edges: int = 5,
    n_clouds: int = 5,
    seed: int | None = None,
    rate_fn: Callable[[Server, Server], float] | None = None,
    weights: Weighting | Mapping[str, Any] | None = WEIGHTS,
    **fields: Any,
) -> OffloadingProblem:
    """Return the weighted offloading of tasks of one network.

    Parameters
    ----------
    network
        One of ``NETWORKS``, with the measured times of ``linbin403``.
    n_tasks
        Number of tasks, dealt round robin to the clients.
    environment, n_clients, n_edges, n_clouds, seed, rate_fn
        As in :func:`servers`.
    modules
        Whether modules are single layers, or their branches run in parallel.
    input_size, data_unit
        Of the data set; what its column of sizes means.
    pools
        Layers that servers run at a time: None for no limit, ``"eosdnn"`` for those of that paper
        (client 1, edge 2, cloud 8), or a number a server, ``(n_servers,)``.
    weights
        The objective; a mapping changes some of the published weights; None stands for the sum of
        flow times.
    **fields
        Other fields of the problem, such as ``order``.

    Raises
    ------
    ValueError
        If an argument is out of its range; the sentence names it.
    """
    where = servers(
        environment,
        n_clients=n_clients,
        n_edges=n_edges,
        n_clouds=n_clouds,
        seed=seed,
        rate_fn=rate_fn,
    )
    tiers = [server.tier for server in where.servers]
    made = {
        "pools": _pools(pools, tiers),
        "price_per_gb": np.array(PRICE_PER_GB)[np.ix_(tiers, tiers)],
        "weights": Weighting(**weights) if isinstance(weights, Mapping) else weights,
        "name": f"{network}, {n_tasks} tasks, weighted",
    }
    return OffloadingProblem.from_network(
        measured(network, modules, data_unit, input_size),
        where,
        n_tasks,
        **{**made, **fields},
    )


def _pools(pools: Any, tiers: list[int]) -> npt.ArrayLike:
    """Return the pools of each server."""
    if pools is None:
        return np.full(len(tiers), math.inf)
    if isinstance(pools, str):
        if pools != "eosdnn":
            raise ValueError(f"pools must be None, 'eosdnn' or numbers, got {pools!r}.")
        return np.array(EOSDNN_POOLS)[tiers]
    return np.asarray(pools)

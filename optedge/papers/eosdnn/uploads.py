"""The published setting of uploads, and the 32 cases of four networks in eight surroundings.

A client, edges and clouds; 10 MB/s between client and edge and between edges, 5 between edge and
cloud, 0.5 between client and cloud. Layer sizes are printed in MiB and used as MB: the times in
the text fit no other reading (234.47 ms is the second convolution of AlexNet at 10 MB/s). Clocks
of client and servers are not printed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import IntArray
from optedge.formulations.upload import UploadProblem
from optedge.papers.eosdnn.instances import CLIENT_CLOUD, CLIENT_EDGE, CLOUD_CLOUD, EDGE_EDGE
from optedge.papers.local_edge_cloud import NETWORKS, measured
from optedge.platforms import Platform, Server, mbyte

#: Byte a weight: sizes of 4 bytes a weight in MiB, taken for MB as in the paper.
MIB_AS_MB = 4e6 / 2**20
#: Network inputs, in the unit of the data.
INPUTS = {"alexnet": 1.179, "vgg19": 1.1484375, "googlenet": 1.1484375, "resnet101": 1.1484375}
EDGE_CLOUD = 5.0  # MB/s

ServerKind = tuple[str, float]  # "edge" or "cloud", and GHz
ONE_EDGE: tuple[ServerKind, ...] = (("edge", 10.0),)


def upload_servers(client_ghz: float, servers: Sequence[ServerKind] = ONE_EDGE) -> Platform:
    """Return the client, server 0, and edges and clouds with their GHz, linked as published."""
    tiers = [0, *(_tier(kind) for kind, _ in servers)]
    between = np.array(
        [
            [0.0, CLIENT_EDGE, CLIENT_CLOUD],
            [CLIENT_EDGE, EDGE_EDGE, EDGE_CLOUD],
            [CLIENT_CLOUD, EDGE_CLOUD, CLOUD_CLOUD],
        ]
    )
    clocks = [client_ghz, *(ghz for _, ghz in servers)]
    made = tuple(Server(clock_ghz=g, tier=t) for g, t in zip(clocks, tiers, strict=True))
    return Platform(made, mbyte(1.0) * between[np.ix_(tiers, tiers)])


def _tier(kind: str) -> int:
    if kind not in ("edge", "cloud"):
        raise ValueError(f"servers: each is ('edge', GHz) or ('cloud', GHz), got {kind!r}.")
    return 1 if kind == "edge" else 2


def runs_of_equal_length(n_layers: int, n_servers: int, stay: int = 0) -> IntArray:
    """Return a plan ``(n_layers,)``: the first layers stay, the others lie on servers in runs."""
    if not 0 <= stay <= n_layers:
        raise ValueError(f"stay must be 0 to {n_layers} layers, got {stay!r}.")
    left = n_layers - stay
    return np.concatenate([np.zeros(stay, np.int64), 1 + np.arange(left) * n_servers // left])


def upload_instance(
    network: str = "alexnet",
    client_ghz: float = 2.0,
    servers: Sequence[ServerKind] = ONE_EDGE,
    data_unit: Literal["MB", "Mb"] = "MB",
    plan: npt.ArrayLike | None = None,
    *,
    stay: int = 0,
    **fields: Any,
) -> UploadProblem:
    """Return the upload of one network in the published setting.

    Parameters
    ----------
    network
        One of ``NETWORKS`` with the measured times of ``linbin403``; modules are one layer.
    client_ghz
        Clock of the client.
    servers
        Of each ``"edge"`` or ``"cloud"`` and its GHz; the servers are numbered from 1.
    data_unit
        What the column of output sizes means; the input is in the same unit.
    plan
        The server of each layer, 0 where it stays at the client; by default the layers lie on the
        servers in runs of equal length.
    stay
        How many layers in front stay at the client, where no plan is given.
    **fields
        Other fields of the problem, such as ``use``.
    """
    graph = measured(network, "contracted", data_unit, INPUTS.get(network, 0.0))
    if plan is None:
        plan = runs_of_equal_length(graph.n_layers - 1, len(servers), stay)
    elif stay:
        raise TypeError("give plan or stay, not both.")
    around = ", ".join(f"{kind} {ghz:g}" for kind, ghz in servers)
    held = f"{stay} stay, " if stay else ""
    return UploadProblem.from_network(
        graph,
        upload_servers(client_ghz, servers),
        plan,
        bytes_per_parameter=MIB_AS_MB,
        **{"name": f"{network} {client_ghz:g}; {held}{around}; {data_unit}", **fields},
    )


def upload_cases(**fields: Any) -> dict[str, UploadProblem]:
    """Return 32 instances by name: each network in eight surroundings.

    One edge of 10, 4.2 or 18.3 GHz; two edges, or an edge and a cloud of 120 GHz, in halves; two
    layers stay and two edges and a cloud have a third each; the same three, a random one a layer.

    Parameters
    ----------
    **fields
        Other fields of the problems, such as ``use``.
    """
    return {p.name: p for network in NETWORKS for p in _cases(network, fields)}


def _cases(network: str, fields: dict[str, Any]) -> Iterator[UploadProblem]:
    slow, fast, cloud = ("edge", 4.2), ("edge", 18.3), ("cloud", 120.0)
    yield upload_instance(network, 2.0, ONE_EDGE, "Mb", **fields)
    yield upload_instance(network, 2.0, ONE_EDGE, "MB", **fields)
    yield upload_instance(network, 2.3, [slow], "MB", **fields)
    yield upload_instance(network, 1.1, [fast], "Mb", **fields)
    yield upload_instance(network, 2.0, [slow, fast], "Mb", **fields)
    yield upload_instance(network, 2.0, [fast, cloud], "Mb", **fields)
    yield upload_instance(network, 1.1, [slow, fast, cloud], "MB", stay=2, **fields)
    draw = random.Random(1)
    n = measured(network, "contracted", "Mb", 0.0).n_layers - 1
    plan = [1 + draw.randint(0, 2) for _ in range(n)]
    name = f"{network} 1.5; edge 4.2, edge 18.3, cloud 120 at random; Mb"
    yield upload_instance(network, 1.5, [slow, fast, cloud], "Mb", plan, **{"name": name, **fields})

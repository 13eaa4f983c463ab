"""The fields of an offloading problem from chains that are typed, or from a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform


def of_chains(
    work_gcycles: Sequence[npt.ArrayLike], data_mb: Sequence[npt.ArrayLike]
) -> dict[str, Any]:
    """Return what ``OffloadingProblem.chains`` makes of work and data of each task."""
    work = [np.atleast_1d(np.asarray(w, dtype=np.float64)) for w in work_gcycles]
    data = [np.atleast_1d(np.asarray(d, dtype=np.float64)) for d in data_mb]
    if not work:
        raise ValueError("work_gcycles must hold at least one task.")
    if len(work) != len(data):
        raise ValueError(f"data_mb must hold {len(work)} tasks, got {len(data)}.")
    for i, (w, d) in enumerate(zip(work, data, strict=True)):
        if w.size == 0:
            raise ValueError(f"work_gcycles[{i}] must hold at least one layer.")
        if d.size - w.size not in (0, 1):
            raise ValueError(f"data_mb[{i}] must hold {w.size} or {w.size + 1} numbers.")
    sizes = [w.size for w in work]
    ends = set(np.cumsum(sizes).tolist())
    outputs = [np.append(d[1:], np.zeros(1 + k - d.size)) for d, k in zip(data, sizes, strict=True)]
    return {
        "successors": tuple(() if v + 1 in ends else (v + 1,) for v in range(sum(sizes))),
        "work_gcycles": np.concatenate(work),
        "outputs_mb": np.concatenate(outputs),
        "tasks": np.repeat(np.arange(len(work)), sizes),
        "inputs_mb": np.array([d[0] for d in data]),
    }


def of_network(
    graph: LayerGraph, platform: Platform, n_tasks: int, clients: npt.ArrayLike | None
) -> dict[str, Any]:
    """Return what ``OffloadingProblem.from_network`` makes of tasks of one network."""
    if n_tasks < 1:
        raise ValueError(f"n_tasks must be at least 1, got {n_tasks!r}.")
    if graph.types[0] != "input" or len(graph.successors[0]) != 1:
        raise ValueError("layer 0 must be an input tensor that one layer reads.")
    clocks = [server.clock_ghz for server in platform.servers]
    if None in clocks:
        raise ValueError(f"server {clocks.index(None)} has no clock_ghz.")
    homes = [k for k, server in enumerate(platform.servers) if server.tier == 0]
    if clients is None and not homes:
        raise ValueError("the platform has no client (a server of tier 0).")
    size = graph.n_layers - 1
    rows = [[w - 1 for w in row] for row in graph.successors[1:]]
    hourly = np.array([3600 * server.price for server in platform.servers])
    return {
        **({"price_per_hour": hourly} if hourly.any() else {}),
        "successors": tuple(
            tuple(w + i * size for w in row) for i in range(n_tasks) for row in rows
        ),
        "work_gcycles": np.tile(graph.work_gcycles[1:], n_tasks),
        "outputs_mb": np.tile(graph.output_bytes[1:] / 1e6, n_tasks),
        "tasks": np.repeat(np.arange(n_tasks), size),
        "inputs_mb": np.full(n_tasks, graph.output_bytes[0] / 1e6),
        "clients": np.resize(homes, n_tasks) if clients is None else np.asarray(clients),
        "speeds_ghz": np.array(clocks),
        "rates_mb_s": platform.rates / 8e6,
        "pools": np.array([server.pool for server in platform.servers]),
        "tiers": np.array([server.tier for server in platform.servers]),
        "name": f"{graph.name}, {n_tasks} tasks",
    }

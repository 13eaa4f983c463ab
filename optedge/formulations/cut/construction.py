"""The fields of a cut problem from a network and a platform."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform


def of_network(graph: LayerGraph, platform: Platform, bandwidth: float | None) -> dict[str, Any]:
    """Return graph, times and sends of a network on the first server of each tier."""
    line = [tier[0] for tier in platform.tiers]
    if len(line) < 2:
        raise ValueError("a cut needs a platform with at least two tiers.")
    if bandwidth is not None and not bandwidth >= 0:
        raise ValueError(f"bandwidth must be at least 0 bit/s, got {bandwidth!r}.")
    sends = np.array(
        [platform.send_seconds(a, b, graph.output_bytes) for a, b in itertools.pairwise(line)]
    )
    if bandwidth is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            sends[0] = 8 * graph.output_bytes / bandwidth if bandwidth > 0 else np.inf
    return {
        "successors": graph.successors,
        "times": np.array([platform.servers[k].layer_seconds(graph) for k in line]),
        "sends": sends,
    }

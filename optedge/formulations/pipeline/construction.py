"""The cuts of a network that are worth a choice, and their seconds on device, link and cloud."""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.cut import CutProblem, bandwidth_curve
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

RATES = (1.0, 1e15)  # bit/s: below and above, no other plan has the least latency


def network_cuts(
    graph: LayerGraph, platform: Platform, *, bandwidth: float | None = None
) -> tuple[IntArray, FloatArray]:
    """Return the plans of a network that a pipeline chooses from, and their seconds.

    A chain has all of its prefixes. On another graph the plans are those of least latency at some
    bandwidth, which are nested and cost a minimum cut each, without the dominated ones: no other
    has at least as much of each part. The first is cloud-only, the last edge-only in both cases.

    Parameters
    ----------
    graph, platform, bandwidth
        As in :meth:`CutProblem.from_network`, with two tiers.

    Returns
    -------
    tuple
        The tier of each layer, ``(n_cuts, n_layers)``, and the seconds on device, link and cloud,
        ``(n_cuts, 3)``; where there is no link, ``inf`` on the device.

    Raises
    ------
    ValueError
        If the platform has not two tiers, or the bandwidth is negative.
    """
    problem = CutProblem.from_network(graph, platform, bandwidth=bandwidth)
    if problem.n_tiers != 2:
        raise ValueError(
            f"a pipeline has two tiers, devices and cloud; the platform has {problem.n_tiers}."
        )
    plans = problem.clean_cuts() if problem.is_chain else _nested(problem, graph, platform)
    seconds = np.array([problem.stages(x)[[0, 2, 1]] for x in plans])
    if not problem.is_chain:
        kept = _useful(seconds)
        plans, seconds = plans[kept], seconds[kept]
    seconds[np.isinf(seconds).any(axis=1)] = np.inf, 0.0, 0.0
    return plans, seconds


def _nested(problem: CutProblem, graph: LayerGraph, platform: Platform) -> IntArray:
    """Return cloud-only, the plans of least latency for ever slower links, edge-only."""
    curve = bandwidth_curve(graph, platform, *RATES)
    ends = problem.everything_on(1), problem.everything_on(0)
    inside = [x for x in curve.tiers[::-1] if not any((x == end).all() for end in ends)]
    return np.array([ends[0], *inside, ends[1]])


def _useful(seconds: FloatArray) -> IntArray:
    """Return the numbers of both ends and of the triples that none is below in every part."""
    kept = [0]
    for k in range(1, len(seconds) - 1):
        others = np.delete(seconds, k, axis=0)
        below = (others <= seconds[k]).all(axis=1)
        # Of equal triples one is kept: the ends, or the first.
        equal = (others == seconds[k]).all(axis=1)
        equal[:k] = equal[-1] = False
        if not (below & ~equal).any():
            kept.append(k)
    return np.array([*kept, len(seconds) - 1], dtype=np.int64)

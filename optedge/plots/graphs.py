"""Figures of networks: layers, the best cut of every bandwidth, rooflines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.plots.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from optedge.formulations.cut import BandwidthCurve
    from optedge.networks.graph import LayerGraph
    from optedge.platforms import Server


def network(graph: LayerGraph, tiers: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the layers of a network from left to right, coloured by kind, or by tier.

    Parameters
    ----------
    graph
        The network.
    tiers
        The tier of each layer, such as the solution of a :class:`CutProblem`; what is sent is
        drawn heavy.
    ax
        Where to draw; a new figure by default.
    """
    from optedge.networks.drawing import draw

    return draw(graph, tiers, ax)


def bandwidth(curve: BandwidthCurve, ax: Axes | None = None) -> Axes:
    """Draw least latency against bandwidth: a thin line a plan, their lower envelope thick.

    Plans that are best somewhere are coloured; other cuts at cut vertices are grey.

    Parameters
    ----------
    curve
        From :meth:`optedge.CutProblem.bandwidth_curve`.
    ax
        Where to draw; a new figure by default.
    """
    ax = axes_or_new(ax, (7.5, 4.2))
    rates = np.geomspace(curve.low, curve.high, 400)
    rates = np.sort(np.concatenate([rates, curve.switches]))
    best = curve.latency(rates)
    where = "in the cloud" if curve.problem.n_tiers == 2 else "off the device"
    label = "other cuts at cut vertices"
    if curve.problem.n_tiers == 2:
        for plan in curve.problem.clean_cuts():
            stages = curve.problem.stages(plan)
            line = stages[:2].sum() + stages[2] / (curve.efficiency * rates)
            ax.plot(rates / 1e6, line, color="0.85", linewidth=0.8, label=label)
            label = ""
    for k, (bits, seconds) in enumerate(zip(curve.bits, curve.seconds, strict=True)):
        count = int((curve.tiers[k] > 0).sum())
        label = f"1 layer {where}" if count == 1 else f"{count} layers {where}"
        if count == 0:
            label = "edge-only"
        elif (curve.tiers[k, 1:] == curve.problem.n_tiers - 1).all():
            label = "cloud-only"
        line = seconds + bits / (curve.efficiency * rates)
        ax.plot(rates / 1e6, line, color=f"C{k % 10}", linewidth=1.2, label=label)
    ax.plot(rates / 1e6, best, color="black", linewidth=2.6, label="optimum")
    at = curve.latency(curve.switches)
    ax.plot(curve.switches / 1e6, at, "o", color="black", markersize=5, label="switch")
    ax.set_xscale("log")
    ax.set_xlabel(f"{'nominal ' if curve.efficiency < 1 else ''}bandwidth (Mbit/s)")
    ax.set_ylabel("latency (s)")
    ax.set_xlim(curve.low / 1e6, curve.high / 1e6)
    ax.set_ylim(0, 1.6 * float(best.max()))
    ax.legend(frameon=False, fontsize=8)
    return ax


def roofline(graph: LayerGraph, server: Server, ax: Axes | None = None) -> Axes:
    """Draw the rate that each layer can reach on a server against its arithmetic intensity.

    A layer that does few FLOP for each byte that it moves waits for the memory: it stands on the
    slope, left of the ridge. Areas are shares of the time of the network.

    Parameters
    ----------
    graph
        A network with FLOPs. A layer moves its weights (float32), its inputs and its output once;
        layers without work are not drawn.
    server
        With ``speed`` (FLOP/s) and a finite ``streaming`` (byte/s).
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If the server lacks one of the two, or the network has no FLOPs.
    """
    if server.speed is None or not math.isfinite(server.speed + server.streaming):
        raise ValueError(f"server {server.name!r} must have finite speed and streaming.")
    layers = np.flatnonzero(graph.flops > 0)
    if layers.size == 0:
        raise ValueError(f"network {graph.name!r} has no FLOPs.")
    read = np.array([graph.output_bytes[list(row)].sum() for row in graph.predecessors])
    moved = 4 * graph.parameters[layers] + read[layers] + graph.output_bytes[layers]
    intensity = graph.flops[layers] / moved
    rate = np.minimum(server.speed, intensity * server.streaming)
    seconds = graph.flops[layers] / rate
    area = 18 + 1500 * seconds / seconds.sum()
    ridge = server.speed / server.streaming

    ax = axes_or_new(ax, (7, 4.2))
    ends = min(intensity.min(), ridge) / 2, max(intensity.max(), ridge) * 2
    line = np.geomspace(*ends, 200)
    roof = np.minimum(server.speed, line * server.streaming)
    ax.plot(line, roof, color="0.4", linewidth=1, zorder=1)
    kinds = np.array([graph.types[v] or "layer" for v in layers])
    for k, kind in enumerate(dict.fromkeys(kinds.tolist())):
        of = kinds == kind
        label = f"{kind}: {100 * seconds[of].sum() / seconds.sum():.2g} % of the time"
        dots = ax.scatter(intensity[of], rate[of], area[of], color=f"C{k}", alpha=0.5, label=label)
        dots.set_edgecolor("white")
    ax.axvline(ridge, color="0.4", linestyle=":", label=f"ridge {ridge:.3g} FLOP/byte")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(*ends)
    ax.set_xlabel("arithmetic intensity (FLOP/byte)")
    ax.set_ylabel("attainable rate (FLOP/s)")
    ax.set_title(" on ".join(name for name in (graph.name, server.name) if name))
    ax.grid(alpha=0.3)
    legend = ax.legend(frameon=False, fontsize=8, loc="lower right")
    for dot in legend.findobj(lambda handle: hasattr(handle, "set_sizes")):
        dot.set(sizes=[36])
    return ax

"""Figures, with matplotlib; each function takes ``ax=None`` and returns the Axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import Problem
from optedge.solvers.result import OPTIMAL_GAP, Result
from optedge.statistics import anytime_gaps, performance_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from optedge.formulations.cut import BandwidthCurve
    from optedge.networks.graph import LayerGraph
    from optedge.platforms import Server
    from optedge.study import Study

FLOOR = 1e-8  # gaps below are drawn here: a logarithmic axis has no zero
LABELLED = 60  # bars of a Gantt chart that still get a label


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def gantt(
    problem: Problem,
    x: Any,
    ax: Axes | None = None,
    *,
    bound: float | Mapping[str, float] | None = None,
) -> Axes:
    """Draw a schedule: a lane a server, a bar a task, the objective and a bound as lines.

    Parameters
    ----------
    problem, x
        The instance and a feasible solution.
    ax
        Where to draw; a new figure by default.
    bound
        A proved lower bound to draw, or several: name to value.
    """
    lanes = problem.lanes(x)
    ax = _axes(ax, (8, 0.8 + 0.38 * len(lanes)))
    bars = sum(len(lane.bars) for lane in lanes)
    colours = [f"C{k}" for k in (0, 2, 4, 5, 9)]
    for row, lane in enumerate(lanes):
        spans = [(start, length) for start, length, _ in lane.bars]
        fill = [colours[k % len(colours)] for k in range(len(spans))]
        edge = 0.5 if bars <= 20 * LABELLED else 0.0
        ax.broken_barh(
            spans, (row - 0.4, 0.8), facecolors=fill, alpha=0.75, edgecolor="white", linewidth=edge
        )
        if bars <= LABELLED:
            for start, length, label in lane.bars:
                ax.text(start + length / 2, row, label, ha="center", va="center", fontsize=8)
    objective = problem.objective(x)
    unit = problem.unit
    ax.axvline(objective, color="black", linewidth=1.2, label=f"objective {objective:.6g} {unit}")
    bounds = bound if isinstance(bound, Mapping) else {} if bound is None else {"bound": bound}
    for (name, value), style in zip(bounds.items(), itertools.cycle(("--", ":", "-."))):
        if math.isfinite(value):
            label = f"{name} {value:.6g} {unit}"
            ax.axvline(value, color="C3", linestyle=style, linewidth=1.4, label=label)
    ax.set_yticks(range(len(lanes)), [lane.label for lane in lanes])
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.set_xlabel(f"time ({problem.unit})")
    ax.set_xlim(0, 1.02 * objective)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    return ax


def loads(problem: Any, x: Any, ax: Axes | None = None, *, bound: float | None = None) -> Axes:
    """Draw when each server is done, as bars; the bound as a line."""
    done = problem.loads(x)
    ax = _axes(ax, (6, 3.5))
    ax.bar(range(done.size), done, color="C0")
    if bound is not None and math.isfinite(bound):
        ax.axhline(bound, color="C3", linestyle="--", label=f"bound {bound:.6g} {problem.unit}")
        ax.legend(frameon=False, loc="lower right")
    ax.set_xlabel("server")
    ax.set_ylabel(f"done at ({problem.unit})")
    return ax


def gaps(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the gap of every run to the best proved bound, a row a solver, medians as bars.

    The axis is logarithmic in percent; what is at or below 1e-6 % stands there, and all in the
    shaded range counts as optimal. Runs without a solution are counted behind the
    label of their solver.
    """
    runs = study.runs[study.runs["status"] != "SKIPPED"]
    table = study.summary()
    ran = table["runs"] + table["errors"] > 0
    labels = [str(label) for label in table[ran]["solver"]][::-1]
    ax = _axes(ax, (7, 0.8 + 0.32 * len(labels)))
    names = []
    for row, label in enumerate(labels):
        found = runs[(runs["solver"] == label)]
        values = found["gap_to_best"].to_numpy(dtype=float)
        missing = int(np.isinf(values).sum())
        names.append(f"{label} ({missing} without solution)" if missing else label)
        values = 100 * np.maximum(values[np.isfinite(values)], FLOOR)
        if values.size:
            ax.plot(values, np.full(values.size, row), "o", color="C0", alpha=0.4, markersize=5)
            ax.plot(np.median(values), row, "|", color="C3", markersize=14, markeredgewidth=2)
    ax.set_xscale("log")
    ax.set_xlim(100 * FLOOR * 0.5, max(200.0, ax.get_xlim()[1]))
    ax.axvspan(ax.get_xlim()[0], 100 * OPTIMAL_GAP, color="C2", alpha=0.12, linewidth=0)
    ax.text(100 * FLOOR * 0.8, -0.5, "optimal", color="C2", fontsize=8)
    ax.set_ylim(-0.7, len(labels) - 0.3)
    ax.set_yticks(range(len(labels)), names)
    ax.set_xlabel("proved gap (%), median in red")
    ax.grid(axis="x", alpha=0.3)
    return ax


def convergence(runs: Study | Iterable[Result], ax: Axes | None = None) -> Axes:
    """Draw gap over time for the runs on one instance: the median over seeds, with their range.

    Parameters
    ----------
    runs
        A study, or results; those on the first instance are drawn.
    ax
        Where to draw.

    Raises
    ------
    ValueError
        If no run found a solution.
    """
    results = list(runs if isinstance(runs, Iterable) else runs.results)
    results = [r for r in results if r.problem.key == results[0].problem.key and r.history.size]
    results = [r for r in results if math.isfinite(r.objective)]
    if not results:
        raise ValueError("no run found a solution: there is nothing to draw.")
    bound = max(r.bound for r in results)
    ax = _axes(ax, (7, 4))
    last = max(r.runtime for r in results)
    grid = np.geomspace(min(1e-4, last / 2), last, 400)
    for k, label in enumerate(dict.fromkeys(r.solver for r in results)):
        gap = anytime_gaps([r for r in results if r.solver == label], grid, bound)
        gap = 100 * np.maximum(gap, FLOOR)
        middle = np.median(gap, axis=0)
        shown = np.isfinite(middle)
        ax.plot(grid[shown], middle[shown], color=f"C{k}", label=label)
        low, high = gap.min(axis=0)[shown], gap.max(axis=0)[shown]
        ax.fill_between(grid[shown], low, high, color=f"C{k}", alpha=0.2, linewidth=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("gap to the best proved bound (%)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def profile(study: Study, ax: Axes | None = None) -> Axes:
    """Draw the share of runs within a factor of the best proved bound, a curve a solver."""
    ax = _axes(ax, (7, 4))
    curves = performance_profile(study)
    last = max((factors[-1] for factors, _ in curves.values() if factors.size), default=1.0)
    last = 1 + 1.1 * max(last - 1, 1e-6)
    for label, (factors, shares) in curves.items():
        if factors.size:
            excess = np.maximum(100 * (np.append(factors, last) - 1), 100 * FLOOR)
            ax.step(excess, np.append(shares, shares[-1]), where="post", label=label)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("excess over the best proved bound, at most (%)")
    ax.set_ylabel("share of runs")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    return ax


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
        From :func:`optedge.bandwidth_curve`.
    ax
        Where to draw; a new figure by default.
    """
    ax = _axes(ax, (7.5, 4.2))
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

    ax = _axes(ax, (7, 4.2))
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

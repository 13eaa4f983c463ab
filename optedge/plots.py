"""Figures, with matplotlib; each function takes ``ax=None`` and returns the Axes."""

from __future__ import annotations

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

    If lanes say which bars belong together (:class:`Lane`), colours tell tasks apart, named up to
    ten; lanes of transfers are shaded. An objective that is no time, such as a sum of flow times,
    is written above with its bounds. Labels of bars stand where they fit, in charts of up to 60
    bars.

    Parameters
    ----------
    problem, x
        The instance and a feasible solution.
    ax
        Where to draw; a new figure by default.
    bound
        A proved lower bound to draw, or several: name to value.
    """
    from optedge.gantt import draw

    lanes = problem.lanes(x)
    bounds = bound if isinstance(bound, Mapping) else {} if bound is None else {"bound": bound}
    words = 0.8 if problem.objective_is_time else 1.5  # inches for the axis and what stands above
    return draw(problem, x, lanes, bounds, _axes(ax, (8, words + 0.38 * len(lanes))))


def delay_split(
    problem: Any | Mapping[str, Any], solutions: Mapping[str, Any], ax: Axes | None = None
) -> Axes:
    """Draw what a task's flow time is made of, on average: a stacked bar a solution.

    Seconds of execution, transmission and waiting of offloaded tasks, as in figure 15 of "EosDNN".

    Parameters
    ----------
    problem
        The instance, or an instance for each label (such as one for each environment).
    solutions
        Label to feasible solution.
    ax
        Where to draw; a new figure by default.

    Raises
    ------
    ValueError
        If there is no solution, one is infeasible, or a label has no instance.
    """
    if not solutions:
        raise ValueError("there is no solution to draw.")
    of = problem if isinstance(problem, Mapping) else dict.fromkeys(solutions, problem)
    missing = [label for label in solutions if label not in of]
    if missing:
        raise ValueError(f"solution {missing[0]!r} has no instance.")
    means = np.array([of[label].delay_split(x).mean(axis=0) for label, x in solutions.items()])
    ax = _axes(ax, (max(5.0, 1.5 + 0.9 * len(means)), 3.8))
    base, at = np.zeros(len(means)), np.arange(len(means))
    for k, name in enumerate(("execution", "transmission", "waiting")):
        ax.bar(at, means[:, k], 0.6, bottom=base, color=f"C{k}", alpha=0.75, label=name)
        base = base + means[:, k]
    for k, total in enumerate(base):
        ax.text(k, total, f"{total:.3g}", ha="center", va="bottom", fontsize=9)
    ax.set_xticks(at, list(solutions))
    if max(map(len, solutions)) > 9:
        for label in ax.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    ax.set_ylabel("mean flow time of a task (s)")
    ax.set_ylim(0, 1.1 * base.max())
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
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

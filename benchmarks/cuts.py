"""Cutting GoogLeNet and ResNet-101: milliseconds of every exact method, beside networkx.

For both networks, on the fitted profile of ``papers.task_migration`` (ResNet-101 without factors)
and at five bandwidths: milliseconds of ``min-cut``, ``block-cut``, ``highs`` (Pyomo model built
anew) and ``neurosurgeon`` as ``oe.solve`` reports them, of the whole call, and of networkx's
minimum cut on the same flow network, with the values of all. Then sweeps: 200 bandwidths by
``min-cut`` with the problem built anew, and all bandwidths at once by
``oe.CutProblem.bandwidth_curve``. And the slowest stage instead of the latency, as MILP. Medians
over ``--repeats``.

The committed table: ``python benchmarks/cuts.py --out benchmarks/results/cuts.md``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import reporting
from reporting import Report, digits

import optedge as oe
from optedge import networks
from optedge.papers import task_migration
from optedge.platforms import Platform, mbit

NETWORKS = ("googlenet", "resnet101")
RATES = (0.5, 1.1, 2.6, 5.85, 20.0)  # nominal Mbit/s
SOLVERS = ("min-cut", "block-cut", "highs", "neurosurgeon")
SWEEP = 200
TARGETS = {"min-cut": 2.0, "highs": 30.0}  # ms a bandwidth
SWEEP_SECONDS = 1.0


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    report = Report(
        "Cuts: milliseconds a bandwidth",
        {
            "cores used": core,
            "instances": "googlenet and resnet101 of the zoo, profile of papers.task_migration",
            "seeds": "none: everything is deterministic",
            "limits": f"none; medians of {options.repeats} repeats",
        },
        out=options.out,
        libraries=("networkx",),
    )
    rates = RATES[1:3] if options.smoke else RATES
    oe.solve(_problem("googlenet", 1.0), "highs")  # imports
    rows = [
        row
        for name in NETWORKS
        for rate in rates
        for row in _solver_rows(name, rate, options.repeats)
    ]
    report.table("One bandwidth", rows)
    sweeps = [_sweep_row(name, 10 if options.smoke else SWEEP) for name in NETWORKS]
    report.table("A sweep of bandwidths, 0.1 to 100 Mbit/s", sweeps)
    stages = [_stage_row(name, rate) for name in NETWORKS for rate in rates]
    report.table("The slowest stage, highs on the MILP", stages)
    _onnx_table(report)
    _conclude(report, rows, sweeps)
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="repeats of each measurement")
    options = parser.parse_args()
    if options.smoke:
        options.repeats = 2
    return options


def _platform(name: str) -> Platform:
    known = name if name in task_migration.NETWORKS else None
    return task_migration.platform(known)


def _problem(name: str, rate: float) -> oe.CutProblem:
    """Return the problem at a nominal rate in Mbit/s."""
    return oe.CutProblem.from_network(
        networks.load(name),
        _platform(name),
        bandwidth=task_migration.EFFICIENCY * mbit(rate),
        name=name,
    )


def _median(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the median milliseconds of a call, and its last result."""
    times, result = [], None
    for _ in range(repeats):
        began = time.perf_counter()
        result = call()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times), result


def _solver_rows(name: str, rate: float, repeats: int) -> list[dict[str, Any]]:
    reporting.progress(f"{name} at {rate} Mbit/s")
    problem = _problem(name, rate)
    rows = []
    for solver in SOLVERS:
        own = []
        whole, result = 0.0, None
        calls = []
        for _ in range(repeats):
            began = time.perf_counter()
            result = oe.solve(problem, solver, bound=False)
            calls.append(1e3 * (time.perf_counter() - began))
            own.append(1e3 * result.runtime)
        whole = statistics.median(calls)
        rows.append(_row(name, rate, solver, statistics.median(own), whole, result.objective))
    call, value = _median(lambda: networkx_cut(problem), repeats)
    rows.append(_row(name, rate, "networkx", call, call, value))
    return rows


def _row(
    name: str, rate: float, solver: str, own: float, whole: float, value: float
) -> dict[str, Any]:
    return {
        "network": name,
        "Mbit/s": f"{rate:g}",
        "by": solver,
        "solver, ms": digits(own),
        "whole call, ms": digits(whole),
        "latency, s": f"{value:.9g}",
    }


def networkx_cut(problem: oe.CutProblem) -> float:
    """Return the least latency by networkx: the DADS graph with return arcs, in floats."""
    import networkx as nx

    graph = nx.DiGraph()
    device, cloud = problem.times.tolist()
    sends = problem.sends[0].tolist()
    graph.add_edge("s", 0)
    for v, row in enumerate(problem.successors):
        graph.add_edge(v, "t", capacity=device[v])
        if v > 0:
            graph.add_edge("s", v, capacity=cloud[v])
        for w in row:
            graph.add_edge(w, v)
        if len(row) == 1:
            graph.add_edge(v, row[0], capacity=sends[v])
        elif row:
            graph.add_edge(v, (v, "out"), capacity=sends[v])
            graph.add_edges_from(((v, "out"), w) for w in row)
    return float(nx.minimum_cut_value(graph, "s", "t"))


def _sweep_row(name: str, count: int) -> dict[str, Any]:
    reporting.progress(f"{name}, {count} bandwidths")
    rates = np.geomspace(0.1, 100.0, count)
    began = time.perf_counter()
    found = [oe.solve(_problem(name, rate), "min-cut", bound=False).objective for rate in rates]
    swept = time.perf_counter() - began
    share = task_migration.EFFICIENCY
    began = time.perf_counter()
    curve = oe.CutProblem.bandwidth_curve(
        networks.load(name), _platform(name), share * mbit(0.1), share * mbit(100.0)
    )
    spent = time.perf_counter() - began
    effective = np.clip(share * mbit(1.0) * rates, curve.low, curve.high)
    differ = np.abs(curve.latency(effective) / np.array(found) - 1).max()
    return {
        "network": name,
        "bandwidths": count,
        "min-cut each, s": digits(swept),
        "whole curve, ms": digits(1e3 * spent),
        "pieces": len(curve.bits),
        "largest relative difference": f"{differ:.0e}",
    }


def _stage_row(name: str, rate: float) -> dict[str, Any]:
    problem = _problem(name, rate).replace(goal="throughput")
    result = oe.solve(problem, "highs", time_limit=20.0)
    clean = oe.solve(problem, "neurosurgeon")
    return {
        "network": name,
        "Mbit/s": f"{rate:g}",
        "status": str(result.status),
        "slowest stage, s": f"{result.objective:.6g}",
        "LP bound, s": f"{problem.bounds()['LP']:.6g}",
        "seconds": digits(result.runtime),
        "best clean cut, s": f"{clean.objective:.6g}",
    }


ONNX = ("bvlc_alexnet", "vgg19", "inception_v1", "resnet50")


def _onnx_table(report: Report) -> None:
    """Import the full-size models that the onnx package carries, and cut them at 1.1 Mbit/s."""
    try:
        models = networks.light_models()
    except ImportError as error:
        report.note(f"ONNX models are skipped: {error}")
        return
    rows = []
    for name in ONNX:
        if name not in models:
            report.note(f"{name} is skipped: the onnx package here does not carry it.")
            continue
        networks.from_onnx(models[name])  # imports
        milliseconds, graph = _median(lambda path=models[name]: networks.from_onnx(path), 5)
        weighted = np.isin(graph.types, ("conv", "dwconv", "fc"))
        problem = oe.CutProblem.from_network(graph, task_migration.platform(None, "3G"))
        result = oe.solve(problem, "min-cut")
        rows.append(
            {
                "model": name,
                "import, ms": digits(milliseconds),
                "GFLOP / 2 of conv and fc": digits(float(graph.flops[weighted].sum()) / 2e9, 5),
                "parameters": f"{graph.parameters.sum():,.0f}",
                "layers": graph.n_layers,
                "edges": graph.n_edges,
                "cut vertices": len(graph.cut_vertices),
                "best cut at 1.1 Mbit/s, s": f"{result.objective:.6g}",
                "min-cut, ms": digits(1e3 * result.runtime),
            }
        )
    if rows:
        report.table("ONNX models of the onnx package, nodes folded as in the zoo", rows)


def _conclude(report: Report, rows: list[dict[str, Any]], sweeps: list[dict[str, Any]]) -> None:
    for solver, target in TARGETS.items():
        slowest = max(float(r["solver, ms"]) for r in rows if r["by"] == solver)
        word = "under" if slowest < target else "NOT under"
        report.note(f"{solver}: at most {slowest:.2f} ms, {word} the target of {target:g} ms.")
    slowest = max(float(row["min-cut each, s"]) for row in sweeps)
    word = "under" if slowest < SWEEP_SECONDS else "NOT under"
    report.note(f"A sweep takes at most {slowest:.2f} s, {word} the target of {SWEEP_SECONDS:g} s.")
    values: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["by"] != "neurosurgeon":
            values.setdefault((row["network"], row["Mbit/s"]), []).append(float(row["latency, s"]))
    spread = max(max(v) / min(v) - 1 for v in values.values())
    report.note(f"All exact methods and networkx agree to {spread:.0e} relative.")


if __name__ == "__main__":
    main()

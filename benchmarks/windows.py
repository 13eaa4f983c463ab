"""Ants in a sliding window, beside list rules, a swarm, branch and bound and local search.

200 tasks of work U(0.5, 1.5) on 10 nodes of speed U(10, 60), the draw of seed 3
(``cloud_edge.window_instance``), in windows of 20 tasks, 1200 evaluations each (20 ants x 60
iterations). Three tables: every method in windows, with its ratio to the proved bound of the whole
run; how the margin of ants and of a list rule over FCFS depends on the draw; Poisson arrivals at
several loads, windows closed by count or by time.

The committed table: ``python benchmarks/windows.py --out benchmarks/results/windows.md``.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import reporting
from reporting import Report, digits, percent

import optedge as oe
from optedge.papers.cloud_edge import window_instance
from optedge.solvers.atsa import HEURISTICS
from optedge.solvers.registry import find_solver

BUDGET = 1200  # evaluations of a window
LOADS = (0.5, 0.8, 0.95)  # arrivals over what the nodes can serve
Entry = tuple[str, dict[str, Any]]


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    report = Report(
        "Windows: ants beside list rules and a proved bound",
        {
            "cores used": core,
            "instances": f"cloud_edge.window_instance({options.tasks}, 10, seed); seed 3 where not "
            "said otherwise",
            "seeds": f"0..{options.seeds - 1} of methods with chance",
            "limits": f"{BUDGET} evaluations a window; highs {options.seconds:g} s a window",
        },
        out=options.out,
    )
    _warm_up()
    problem = window_instance(options.tasks)
    report.note(f"Proved bound of the whole run: {problem.bound('LP').value:.6f} s.")
    report.table("Every method, windows of 20", _methods(problem, options))
    report.table("The margin over FCFS, other draws", _margins(options))
    report.table("Poisson arrivals", _arrivals(problem, options))
    report.note(
        "Ratio is makespan over bound. Seconds are those of a whole run, all windows with what "
        "`schedule` does around them, compilation outside. Total and makespan are what an ant's "
        "pheromone is the inverse of; memory, 1/time and completion are the heuristics of `atsa`. "
        "A window with highs is cut by the clock; all else repeats exactly."
    )
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of highs in a window")
    parser.add_argument("--seeds", type=int, default=5, help="runs of methods with chance")
    parser.add_argument("--draws", type=int, default=20, help="draws of tasks and nodes")
    options = parser.parse_args()
    options.tasks = 200
    if options.smoke:
        options.tasks, options.seconds, options.seeds, options.draws = 40, 0.2, 2, 2
    return options


def _entries(n_tasks: int, seconds: float) -> dict[str, tuple[Entry, dict[str, Any]]]:
    """Return every method: its solver with options, and how its windows are made."""
    budget = {"max_evaluations": BUDGET}
    found: dict[str, tuple[Entry, dict[str, Any]]] = {
        "earliest completion, one window": (("lpt", {}), {"window": n_tasks}),
        "earliest completion": (("lpt", {}), {}),
        "highs": (("highs", {}), {"time_limit": seconds}),
        "local-search": (("local-search", {}), budget),
    }
    words = {"memory": "memory", "inverse_et": "1/time", "completion": "completion"}
    for heuristic, deposit in itertools.product(HEURISTICS, ("sum", "makespan")):
        told = {"sum": "total", "makespan": "makespan"}[deposit]
        ants = {"heuristic": heuristic, "deposit": deposit}
        found[f"atsa: {told}, {words[heuristic]}"] = (("atsa", ants), budget)
    alone = {"memory": "exclusive", "deposit": "sum"}
    found["atsa: total, memory of the task alone"] = (("atsa", alone), budget)
    for name in ("ant-colony", "particle-swarm"):
        found[name] = ((name, {}), budget)
    found["FCFS"], found["round robin"] = (("fcfs", {}), {}), (("round-robin", {}), {})
    found["random"] = (("random", {"draws": 1}), {})
    return found


def _warm_up() -> None:
    """Compile, or load, every kernel that is timed below."""
    problem = window_instance(40)
    for entry, limits in _entries(40, 0.05).values():
        oe.online.schedule(problem, entry, **limits)


def _methods(problem: oe.MakespanProblem, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for name, (entry, limits) in _entries(problem.n_tasks, options.seconds).items():
        reporting.progress(name)
        ratios, seconds, evaluations = [], [], 0
        for seed in range(1 if find_solver(entry[0]).deterministic else options.seeds):
            if name == "highs" and seed > 0:
                break
            began = time.perf_counter()
            run = oe.online.schedule(problem, entry, seed=seed, bound=False, **limits)
            seconds.append(time.perf_counter() - began)
            ratios.append(run.ratio)
            evaluations = int(run.windows["evaluations"].max())
        yield {
            "method": name,
            "runs": len(ratios),
            "best": f"{min(ratios):.5f}",
            "median": f"{statistics.median(ratios):.5f}",
            "worst": f"{max(ratios):.5f}",
            "evaluations a window": evaluations,
            "s": digits(statistics.median(seconds)),
        }


def _margins(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    methods: dict[str, Entry] = {
        "atsa: total, memory": ("atsa", {"deposit": "sum"}),
        "atsa: makespan, memory": ("atsa", {}),
        "earliest completion": ("lpt", {}),
        "round robin": ("round-robin", {}),
    }
    draws = [window_instance(options.tasks, seed=seed) for seed in range(options.draws)]
    reporting.progress(f"{options.draws} draws")
    fcfs = [oe.online.schedule(p, "fcfs", bound=False).makespan for p in draws]
    for name, entry in methods.items():
        runs = [oe.online.schedule(p, entry, bound=False).makespan for p in draws]
        less = 1 - np.array(runs) / np.array(fcfs)
        yield {
            "method": name,
            "draws": len(draws),
            "below FCFS: least": _signed(less.min()),
            "median": _signed(float(np.median(less))),
            "most": _signed(less.max()),
        }


def _signed(share: float) -> str:
    return f"-{percent(-share)}" if share < 0 else percent(share)


def _arrivals(problem: oe.MakespanProblem, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    most = problem.n_tasks / problem.bound("LP").value
    windows: dict[str, dict[str, Any]] = {
        "10 tasks": {"window": 10},
        "50 ms": {"window": None, "window_seconds": 0.05},
        "10 tasks or 50 ms": {"window": 10, "window_seconds": 0.05},
    }
    solvers: dict[str, tuple[Entry, dict[str, Any]]] = {
        "fcfs": (("fcfs", {}), {}),
        "lpt": (("lpt", {}), {}),
        "atsa": (("atsa", {}), {"max_evaluations": BUDGET}),
    }
    for load, (closed, limits), (name, (entry, budget)) in itertools.product(
        LOADS, windows.items(), solvers.items()
    ):
        reporting.progress(f"load {load:g}, {closed}, {name}")
        with warnings.catch_warnings():  # near the limit a draw may be above it
            warnings.simplefilter("ignore")
            runs = [
                oe.online.schedule(
                    problem,
                    entry,
                    arrivals=oe.online.poisson(problem.n_tasks, load * most, seed=seed),
                    seed=seed,
                    bound=False,
                    **limits,
                    **budget,
                )
                for seed in range(options.seeds)
            ]
        middle = {
            "windows": statistics.median(len(r.rows) for r in runs),
            "mean response, ms": 1e3 * statistics.median(r.mean_response for r in runs),
            "utilisation": statistics.median(r.utilisation for r in runs),
            "makespan / bound": statistics.median(r.ratio for r in runs),
        }
        yield {
            "load": f"{load:g}",
            "window": closed,
            "solver": name,
            "windows": f"{middle['windows']:g}",
            "mean response, ms": digits(middle["mean response, ms"]),
            "utilisation": f"{middle['utilisation']:.3f}",
            "makespan / bound": f"{middle['makespan / bound']:.4f}",
        }


if __name__ == "__main__":
    main()

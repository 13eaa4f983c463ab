"""The published setting: how good, how soon, how many moves a second.

Instances of Huang et al. 2018 (n = 600 tasks, m = 10 servers, stages 1 to 3, one a seed). Three
tables: the excess (value - bound) / bound over the best proved bound of ``local-search`` after
20 ms and of ``local-search`` and ``annealing`` after 2 s; the seconds until an excess of 0.01 %,
0.001 % and 0.0001 % is reached; and the moves priced a second.

Runs go on until the bound itself is reached or time is up (``target_gap=0``). Their seconds are
those of the solver: the start by list rule is in them, compiling the kernels and the bound are
not. History is written between compiled chunks, so a time to target is the end of a chunk.

The committed table: ``python benchmarks/published.py --out benchmarks/results/published.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import reporting
from reporting import Report, count, digits, excess, percent

import optedge as oe
from optedge.formulations.makespan_moves import longest_first
from optedge.papers import edge_learning
from optedge.solvers.code import descent

TARGETS = (1e-4, 1e-5, 1e-6)
Series = dict[tuple[int, str, float], list[oe.Result]]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is run: sizes, seeds and the limits of each solver."""

    n_tasks: int
    seeds: range
    runs: tuple[tuple[str, float], ...]
    rate_seconds: float
    descents: int


def main() -> None:
    """Measure and print."""
    options = _arguments()
    setting = _setting(options)
    core = reporting.one_core()
    limits = ", ".join(f"{solver} {limit:g} s" for solver, limit in setting.runs)
    report = Report(
        "Published setting: quality, time to target, moves a second",
        {
            "cores used": core,
            "instances": f"edge_learning.instance(stage, {setting.n_tasks}, seed=s), stages 1-3",
            "seeds": f"s = {setting.seeds.start}..{setting.seeds.stop - 1}, of instance and solver",
            "limits": f"{limits}; target_gap=0; rates over {setting.rate_seconds:g} s",
        },
        out=options.out,
    )
    problems = _problems(setting)
    _warm_up(next(iter(problems.values())))
    series = _run_all(problems, setting)
    report.table("Excess over the best proved bound", _quality(series, problems))
    report.table("Seconds to reach an excess", _targets(series, problems, setting))
    report.table("Moves priced a second, one core", _rates(problems, setting))
    report.note(
        "Moves of annealing are single reassignments, those of local-search shifts and swaps; both "
        "rates include everything else that the solver does. One descent starts from the "
        "longest-first list rule and is timed alone."
    )
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="instances of each stage")
    return parser.parse_args()


def _setting(options: argparse.Namespace) -> Setting:
    if options.smoke:
        runs = (("local-search", 0.02), ("local-search", 0.2), ("annealing", 0.2))
        return Setting(200, range(2), runs, 0.2, 5)
    runs = (("local-search", 0.02), ("local-search", 2.0), ("annealing", 2.0))
    return Setting(600, range(options.seeds), runs, 1.0, 50)


Problems = dict[tuple[int, int], oe.MakespanProblem]


def _problems(setting: Setting) -> Problems:
    return {
        (stage, seed): edge_learning.instance(stage, setting.n_tasks, seed=seed)
        for stage in edge_learning.STAGES
        for seed in setting.seeds
    }


def _warm_up(problem: oe.MakespanProblem) -> None:
    """Compile, or load, every kernel that is timed below."""
    for solver in ("local-search", "annealing"):
        oe.solve(problem, solver, max_evaluations=200_000)
    _one_descent(problem)


@functools.cache
def _bound(problem: oe.MakespanProblem) -> float:
    """Return the best proved bound: without search, or that of ten seconds of branch and bound.

    Half a second at the size of the smoke run.
    """
    searched = oe.solve(problem, "highs", time_limit=10.0 if problem.n_tasks >= 600 else 0.5)
    return max(*problem.bounds().values(), searched.bound)


def _run_all(problems: Problems, setting: Setting) -> Series:
    series: Series = {}
    for (stage, seed), problem in problems.items():
        reporting.progress(f"stage {stage}, seed {seed}")
        _bound(problem)
        for solver, limit in setting.runs:
            result = oe.solve(problem, solver, seed=seed, time_limit=limit, target_gap=0.0)
            series.setdefault((stage, solver, limit), []).append(result)
    return series


def _quality(series: Series, problems: Problems) -> list[dict[str, Any]]:
    rows = []
    for (stage, solver, limit), results in series.items():
        over = [excess(r.objective, _bound(problems[stage, r.seed])) for r in results]
        if min(over) < -1e-9:
            raise AssertionError(f"{solver}, stage {stage}: a value is below a proved bound.")
        seconds = [r.runtime for r in results]
        rows.append(
            {
                "stage": stage,
                "solver": solver,
                "limit": f"{limit:g} s",
                "excess, median": percent(max(0.0, statistics.median(over))),
                "excess, max": percent(max(0.0, *over)),
                "proved optimal (1e-6)": f"{sum(e <= 1e-6 for e in over)} of {len(over)}",
                "seconds, median": digits(statistics.median(seconds)),
                "seconds, max": digits(max(seconds)),
            }
        )
    return rows


def _targets(series: Series, problems: Problems, setting: Setting) -> list[dict[str, Any]]:
    longest = max(limit for _, limit in setting.runs)
    rows = []
    for (stage, solver, limit), results in series.items():
        if limit < longest:
            continue
        for target in TARGETS:
            times = [_time_to(r, _bound(problems[stage, r.seed]), target) for r in results]
            reached = [t for t in times if math.isfinite(t)]
            rows.append(
                {
                    "stage": stage,
                    "solver": solver,
                    "target": percent(target),
                    "reached": f"{len(reached)} of {len(times)}",
                    "seconds, median": digits(statistics.median(times)),
                    "seconds, max": digits(max(times)),
                }
            )
    return rows


def _time_to(result: oe.Result, bound: float, target: float) -> float:
    """Return when the excess was first at most ``target``, ``inf`` if it never was."""
    rows = result.history
    good = np.flatnonzero(rows["objective"] <= bound * (1 + target))
    return float(rows["seconds"][good[0]]) if good.size else math.inf


def _rates(problems: Problems, setting: Setting) -> list[dict[str, Any]]:
    rows = []
    for stage in edge_learning.STAGES:
        first = problems[stage, setting.seeds.start]
        # Without a bound no run ends early.
        rate = {
            solver: r.evaluations / r.runtime
            for solver in ("annealing", "local-search")
            for r in [oe.solve(first, solver, time_limit=setting.rate_seconds, bound=False)]
        }
        times, moves = _descents(first, setting.descents)
        seconds = statistics.median(times)
        rows.append(
            {
                "stage": stage,
                "annealing, moves/s": count(rate["annealing"]),
                "one descent, ms (median)": digits(1e3 * seconds),
                "one descent, moves": count(moves),
                "one descent, moves/s": count(moves / seconds),
                "local-search, moves/s": count(rate["local-search"]),
            }
        )
    return rows


def _descents(problem: oe.MakespanProblem, repeats: int) -> tuple[Sequence[float], int]:
    """Return the seconds of each of several equal descents, and the moves that one prices."""
    times, moves = [], 0
    for _ in range(repeats):
        seconds, moves = _one_descent(problem)
        times.append(seconds)
    return times, moves


def _one_descent(problem: oe.MakespanProblem) -> tuple[float, int]:
    x = longest_first(problem)
    began = time.perf_counter()
    moves, local = descent(problem.data, x, problem.choices, 1 << 60)
    seconds = time.perf_counter() - began
    if not local:
        raise AssertionError("the descent did not end in a local optimum.")
    return seconds, moves


if __name__ == "__main__":
    main()

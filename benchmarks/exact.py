"""Exact methods on unrelated machines: what is proved, in how many seconds, and what stays open.

Four sets of instances, chosen by ``--sets``:

* ``files``: the 24 packaged files of the R||Cmax benchmark.
* ``hard``: its 23 packaged hard files.
* ``families``: drawn from its seven families (``makespan_families``) at 200 x 20, 500 x 30 and
  1000 x 50.
* ``published``: real-valued data of the paper's setting, three stages of 100, 300 and 600 tasks on
  10 servers.

Each solver of ``--solvers`` has ``--seconds`` (on files and hard files) or ``--shorter`` (the rest)
an instance, with each of ``--seeds`` on the files, and 0 elsewhere. Every row is measured in a
process of its own on one core; with ``--jobs 2`` two at a time, each on its own core. Seconds are
CPU time of the run, compilation and attached bounds not counted; memory is what the process took
beyond what it held before the run.

Every result is verified (``oe.verify``). The script fails if one does not verify, if a value is
below a best known value that is proved optimal, or if a bound is above a best known value. A value
below a best known one that is not proved is told at the end.

The tables: ``python benchmarks/exact.py --jobs 2 --sets files hard --out
benchmarks/results/exact.md``, ``... --sets families --out benchmarks/results/exact_families.md``
and ``... --sets published --shorter 10 --out benchmarks/results/exact_published.md``.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import processes
import reporting
from reporting import Report, count, digits, excess, percent

import optedge as oe
from optedge.formulations.makespan_families import FAMILIES, random_rcmax
from optedge.formulations.makespan_rcmax import rcmax_best_known, rcmax_files
from optedge.papers import edge_learning

SOLVERS = ("makespan-exact", "highs")
SETS = ("files", "hard", "families", "published")
SIZES = ((200, 20), (500, 30), (1000, 50))
TASKS = (100, 300, 600)
SMOKE = ("19", "410", "141")
TOLERANCE = 1e-6  # relative; what HiGHS calls feasible, and no more
COMPILING = 900.0  # seconds that a process may take beside its run
QUICK = 3.0  # seconds

Row = dict[str, Any]


def main() -> None:
    """Measure, verify and print; or measure one row, if started by this script itself."""
    options = _arguments()
    if processes.measured_row(options.row, {"exact": _solved}):
        return
    chosen = processes.cores(options.jobs)
    report = Report(
        "Exact methods on unrelated machines",
        {
            "cores used": processes.cores_used(chosen),
            "seeds": f"files {', '.join(map(str, options.seeds))}; 0 of the others",
            "limits": f"{options.seconds:g} s a run on files and hard files, else "
            f"{options.shorter:g} s",
        },
        out=options.out,
    )
    failed: list[str] = []
    rows: list[Row] = []
    for name in options.sets:
        found: list[Row] = []
        report.table(f"Instances: {name}", _lines(_measured(name, options, chosen, failed), found))
        report.table(f"Summary: {name}", _summaries(found, options.solvers))
        rows += found
    for first, second in zip(options.solvers, options.solvers[1:], strict=False):
        _compare(report, rows, first, second)
    _tell_news(report, rows)
    report.close(failed)


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit on files, hard files")
    parser.add_argument("--shorter", type=float, default=60.0, help="limit on other instances")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="on files")
    parser.add_argument("--solvers", nargs="+", default=SOLVERS, help="exact solvers")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS, help="of instances")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured side by side")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.smoke:
        options.seconds = options.shorter = 1.0
    return options


# ------------------------------------------------------------------------------ instances


def _cases(name: str, smoke: bool) -> list[Row]:
    """Return what :func:`_problem` takes, and what is known of each instance."""
    if name == "families":
        sizes = ((20, 3),) if smoke else SIZES
        return [
            {"family": family, "n": n, "m": m, "known": None, "proved": False}
            for n, m in sizes
            for family in list(FAMILIES)[: 2 if smoke else None]
        ]
    if name == "published":
        return [
            {"stage": stage, "n": n, "known": None, "proved": False}
            for n in ((20,) if smoke else TASKS)
            for stage in list(edge_learning.STAGES)[: 1 if smoke else None]
        ]
    best = rcmax_best_known(hard=name == "hard")
    names = [path.stem for path in rcmax_files(hard=name == "hard")]
    return [
        {"file": stem, "known": best[stem][0], "proved": best[stem][1]}
        for stem in names
        if not smoke or stem in SMOKE
    ]


def _problem(case: Row) -> oe.MakespanProblem:
    if "family" in case:
        return random_rcmax(case["family"], case["n"], case["m"], 0)
    if "stage" in case:
        return edge_learning.instance(case["stage"], case["n"], seed=0)
    paths = {path.stem: path for hard in (False, True) for path in rcmax_files(hard=hard)}
    return oe.read_rcmax(paths[case["file"]])


# ------------------------------------------------------------------------------ one row


def _solved(case: Row, solver: str, seconds: float, seed: int) -> Row:
    """Measure one run; raise if it contradicts what is proved."""
    problem = _problem(case)
    for small in _small():
        oe.solve(small, solver, time_limit=1)
    before, began = processes.peak_memory(), time.process_time()
    result = oe.solve(problem, solver, time_limit=seconds, seed=seed, bound=False)
    compiled = result.info.get("compile_seconds", 0.0)
    used = max(1e-3, time.process_time() - began - compiled)
    peak = processes.peak_memory() - before
    _check(case, result)
    return {
        "label": problem.label,
        "size": f"{problem.n_tasks} x {problem.n_servers}",
        "bound": result.bound,
        "value": result.objective,
        "gap": result.gap,
        "proof": result.proof,
        "tolerance": result.info.get("tolerance", 0.0),
        "seconds": used,
        "peak": peak,
    }


def _small() -> Iterator[oe.MakespanProblem]:
    """Yield instances that import, compile and load what a run may need."""
    yield random_rcmax("JobsCorre", 60, 8, 0)
    yield random_rcmax("U100a120", 60, 6, 0)
    yield edge_learning.instance(3, 20, seed=0)


def _check(case: Row, result: oe.Result) -> None:
    verification = oe.verify(result)
    if not verification.ok:
        raise AssertionError(f"does not verify: {verification.message}")
    if case["known"] is None:
        return
    if case["proved"] and result.objective < case["known"] * (1 - TOLERANCE):
        raise AssertionError(f"{result.objective} is below {case['known']}, which is proved.")
    if result.bound > case["known"] * (1 + TOLERANCE):
        raise AssertionError(f"bound {result.bound} is above {case['known']}.")


def _measured(
    name: str, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> Iterator[Row]:
    """Yield a row for each instance, seed and solver of a set."""
    seconds = options.seconds if name in ("files", "hard") else options.shorter
    tasks = [
        (
            f"{' '.join(str(v) for k, v in case.items() if k not in ('known', 'proved'))}: "
            f"{solver}, seed {seed}",
            {"measure": "exact", "case": case, "solver": solver, "seconds": seconds, "seed": seed},
        )
        for seed in (options.seeds if name == "files" else [0])
        for case in _cases(name, options.smoke)
        for solver in options.solvers
        if seed == 0 or solver != "highs"  # which draws nothing
    ]
    limit = COMPILING + seconds
    for task, found in processes.finished(__file__, tasks, chosen, limit, failed):
        yield {**task["case"], "solver": task["solver"], "seed": task["seed"], **found}


# ------------------------------------------------------------------------------ the tables


def _lines(rows: Iterator[Row], found: list[Row]) -> Iterator[dict[str, str]]:
    """Yield a line a row, and keep the row in ``found``."""
    for row in rows:
        found.append(row)
        yield {
            "instance": row["label"],
            "n x m": row["size"],
            "best known": "-" if row["known"] is None else str(row["known"]),
            "solver": row["solver"],
            "seed": str(row["seed"]),
            "bound": digits(row["bound"], 7),
            "value": digits(row["value"], 7),
            "excess": percent(_over(row)),
            "proved": "yes" if _proved(row) else "-",
            "proof": row["proof"],
            "CPU s": digits(row["seconds"]),
            "MB": count(row["peak"]),
        }


def _over(row: Row) -> float:
    """Return the excess over the best known value; without one, over the proved bound."""
    return excess(row["value"], row["bound"] if row["known"] is None else float(row["known"]))


def _proved(row: Row) -> bool:
    """Tell whether value and bound agree, to the tolerance that the run states."""
    return bool(row["value"] - row["bound"] <= max(row["tolerance"], TOLERANCE * row["value"]))


def _summaries(rows: list[Row], solvers: Sequence[str]) -> Iterator[dict[str, str]]:
    for solver in solvers:
        for seed in sorted({row["seed"] for row in rows if row["solver"] == solver}):
            own = [row for row in rows if row["solver"] == solver and row["seed"] == seed]
            proved = [row["seconds"] for row in own if _proved(row)]
            yield {
                "solver": solver,
                "seed": str(seed),
                "instances": str(len(own)),
                "proved": str(len(proved)),
                f"in under {QUICK:g} s": str(sum(s < QUICK for s in proved)),
                "CPU s of these": digits(sum(proved)),
                "gap, mean": percent(statistics.mean(row["gap"] for row in own)),
                "excess, worst": percent(max(map(_over, own))),
                "MB, most": count(max(row["peak"] for row in own)),
            }


def _compare(report: Report, rows: list[Row], first: str, second: str) -> None:
    """Say how two solvers stand to each other at equal seconds."""
    pairs: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["seed"] == 0:
            pairs.setdefault(row["label"], {})[row["solver"]] = row
    both = [(p[first], p[second]) for p in pairs.values() if first in p and second in p]
    if not both:
        return
    slack = [TOLERANCE * b["value"] for _, b in both]
    worse = [
        a["label"]
        for (a, b), s in zip(both, slack, strict=True)
        if a["value"] > b["value"] + s or a["bound"] < b["bound"] - s
    ]
    ratios = [b["seconds"] / a["seconds"] for a, b in both if _proved(a) and _proved(b)]
    text = f"{first} beside {second}, seed 0, {len(both)} instances: "
    text += f"worse in value or bound by more than {TOLERANCE:g} on {', '.join(worse) or 'none'}"
    if ratios:
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        text += (
            f"; where both prove ({len(ratios)} instances), {second} takes {digits(mean)} times "
            "the CPU seconds (geometric mean)"
        )
    report.note(text + ".")


def _tell_news(report: Report, rows: list[Row]) -> None:
    news = sorted(
        {
            f"{row['label']} ({row['solver']}: {row['value']:.0f})"
            for row in rows
            if row["known"] is not None and row["value"] < row["known"] * (1 - TOLERANCE)
        }
    )
    if news:
        report.note("Better than the best known value: " + ", ".join(news) + ".")


if __name__ == "__main__":
    main()

"""Exact methods on unrelated machines: what is proved, in how many seconds, and what stays open.

Three sets of instances: the 24 packaged files of the R||Cmax benchmark, its 23 packaged hard files,
and instances drawn from its seven families (``makespan_families``) with seeds 0, 1, ... at 200 x
20, 500 x 30 and 1000 x 50. Each solver of ``--solvers`` has ``--seconds`` an instance on one core,
seed 0. Seconds are CPU time of the run, compilation and attached bounds not counted.

Every result is verified (``oe.verify``). The script fails if one does not verify, if a value is
below a best known value that is proved optimal, or if a bound is above a best known value. A value
below a best known one that is not proved is told at the end.

The table: ``python benchmarks/exact.py --out benchmarks/results/exact.md``.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import reporting
from reporting import Report, digits, excess, percent

import optedge as oe
from optedge.formulations.makespan_families import FAMILIES, random_rcmax
from optedge.formulations.makespan_rcmax import rcmax_best_known, rcmax_files

SOLVERS = ("makespan-exact", "highs")
SETS = ("files", "hard", "families")
SIZES = ((200, 20), (500, 30), (1000, 50))
SMOKE = ("19", "410", "141")
TOLERANCE = 1e-6  # relative; what HiGHS calls feasible, and no more


class Case(NamedTuple):
    """An instance, and its best known value if it is a file of the benchmark."""

    problem: oe.MakespanProblem
    known: int | None
    proved: bool


class Row(NamedTuple):
    """What a solver did on an instance."""

    case: Case
    solver: str
    result: oe.Result
    seconds: float  # of the processor


def main() -> None:
    """Measure, verify and print."""
    options = _arguments()
    core = reporting.one_core()
    report = Report(
        "Exact methods on unrelated machines",
        {
            "cores used": core,
            "seeds": f"0; of the families 0 to {options.seeds - 1}",
            "limits": f"{options.seconds:g} s a run",
        },
        out=options.out,
    )
    for solver in options.solvers:  # imports and compilation
        oe.solve(random_rcmax("U1a100", 30, 3, 0), solver, time_limit=2)
    rows: list[Row] = []
    for name in options.sets:
        found: list[Row] = []
        shown = _shown(_measured(name, options), found)
        report.table(f"Instances: {name}", shown)
        rows += found
        report.table(f"Summary: {name}", _summary(found, options.solvers))
    _tell_news(report, rows)
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of every run")
    parser.add_argument("--seeds", type=int, default=1, help="instances of each family and size")
    parser.add_argument("--solvers", nargs="+", default=SOLVERS, help="exact solvers")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS, help="of instances")
    options = parser.parse_args()
    if options.smoke:
        options.seconds = 1.0
    return options


def _cases(name: str, options: argparse.Namespace) -> Iterator[Case]:
    if name == "families":
        for n, m in ((20, 3),) if options.smoke else SIZES:
            for family in FAMILIES:
                for seed in range(options.seeds):
                    yield Case(random_rcmax(family, n, m, seed), None, False)
        return
    hard = name == "hard"
    known = rcmax_best_known(hard=hard)
    for path in rcmax_files(hard=hard):
        if not options.smoke or path.stem in SMOKE:
            yield Case(oe.read_rcmax(path), *known[path.stem])


def _measured(name: str, options: argparse.Namespace) -> Iterator[Row]:
    for case in _cases(name, options):
        for solver in options.solvers:
            reporting.progress(f"{case.problem.label}: {solver}")
            began = time.process_time()
            result = oe.solve(case.problem, solver, time_limit=options.seconds, bound=False)
            compiled = result.info.get("compile_seconds", 0.0)
            row = Row(case, solver, result, time.process_time() - began - compiled)
            _check(row)
            yield row


def _check(row: Row) -> None:
    """Fail loudly if a result contradicts what is proved."""
    where = f"{row.solver} on {row.case.problem.label}"
    verification = oe.verify(row.result)
    if not verification.ok:
        raise AssertionError(f"{where} does not verify: {verification.message}")
    if row.case.known is None:
        return
    if row.case.proved and row.result.objective < row.case.known * (1 - TOLERANCE):
        raise AssertionError(f"{where}: {row.result.objective} is below {row.case.known}.")
    if row.result.bound > row.case.known * (1 + TOLERANCE):
        raise AssertionError(f"{where}: bound {row.result.bound} is above {row.case.known}.")


# ------------------------------------------------------------------------------ the tables


def _shown(rows: Iterator[Row], found: list[Row]) -> Iterator[dict[str, Any]]:
    """Yield a line a row, and keep the row in ``found``."""
    for row in rows:
        found.append(row)
        problem, result = row.case.problem, row.result
        yield {
            "instance": problem.label,
            "n x m": f"{problem.n_tasks} x {problem.n_servers}",
            "best known": "-" if row.case.known is None else row.case.known,
            "solver": row.solver,
            "bound": digits(result.bound, 7),
            "value": digits(result.objective, 7),
            "excess": percent(_over(row)),
            "proved": "yes" if _proved(row) else "-",
            "CPU s": digits(row.seconds),
        }


def _over(row: Row) -> float:
    """Return the excess over the best known value; without one, over the proved bound."""
    known = row.result.bound if row.case.known is None else float(row.case.known)
    return excess(row.result.objective, known)


def _proved(row: Row) -> bool:
    return bool(row.result.gap <= TOLERANCE)


def _summary(rows: list[Row], solvers: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for solver in solvers:
        own = [row for row in rows if row.solver == solver]
        quick = [row.seconds for row in own if _proved(row)]
        gaps = [row.result.gap for row in own]
        yield {
            "solver": solver,
            "instances": len(own),
            "proved": len(quick),
            "in under 3 s": sum(s < 3 for s in quick),
            "CPU s of these": digits(sum(quick)),
            "gap, mean": percent(statistics.mean(gaps)) if gaps else "-",
            "excess, worst": percent(max(map(_over, own), default=math.nan)),
        }


def _tell_news(report: Report, rows: list[Row]) -> None:
    news = [
        f"{row.case.problem.label} ({row.solver}: {row.result.objective:.0f})"
        for row in rows
        if row.case.known is not None and row.result.objective < row.case.known * (1 - TOLERANCE)
    ]
    if news:
        report.note("Better than the best known value: " + ", ".join(news) + ".")


if __name__ == "__main__":
    main()

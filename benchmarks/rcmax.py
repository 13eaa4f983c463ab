"""The 24 packaged benchmark instances of unrelated machines, solved, bounded and verified.

One study: every instance x ``highs``, ``lst``, ``local-search``, ``annealing``, seed 0,
``--seconds`` each on one core. Then ``oe.verify`` recomputes every value and every bound in NumPy.
Per instance: the best known value, and per solver the value and the bound of its run; per result
a verdict: ``certified`` (a certificate proves the bound), ``search, not certified`` (branch and
bound does; the best certified bound stands beside it), or worse.

The script fails if a result does not verify, if a value is below a best known value that is
proved optimal, or if a bound is above a best known value.

The committed table: ``python benchmarks/rcmax.py --out benchmarks/results/rcmax.md``. With
``--store FILE`` a study that was killed resumes where it was.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import reporting
from reporting import Report, digits, excess, percent

import optedge as oe
from optedge.formulations.makespan_rcmax import rcmax_best_known, rcmax_files
from optedge.solvers.verification import Verification
from optedge.study import Study

SOLVERS = ("highs", "lst", "local-search", "annealing")
SMOKE = ("19", "410", "1216")
TOLERANCE = 1e-6  # relative; what HiGHS calls feasible, and no more

Verified = dict[tuple[str, str], tuple[oe.Result, Verification]]


def main() -> None:
    """Measure, verify and print."""
    options = _arguments()
    core = reporting.one_core()
    paths = [p for p in rcmax_files() if not options.smoke or p.stem in SMOKE]
    problems = [oe.read_rcmax(path) for path in paths]
    known = rcmax_best_known()
    report = Report(
        "Unrelated machines: the packaged instances",
        {
            "cores used": core,
            "instances": f"{len(problems)} files, optedge/data/rcmax",
            "seeds": "0",
            "limits": f"{options.seconds:g} s a run, target_gap 1e-6, bounds attached",
            "store": options.store or "none",
        },
        out=options.out,
    )
    _warm_up(problems[0])
    reporting.progress(f"{len(problems)} instances x {len(SOLVERS)} solvers")
    study = oe.compare(
        problems,
        SOLVERS,
        seeds=[0],
        time_limit=options.seconds,
        store=options.store,
        display=not options.smoke,
    )
    verified = {(r.problem.label, r.solver): (r, oe.verify(r)) for r in study.results}
    _check(study, verified, known)
    report.table("Value / bound of each run", _values(problems, verified, known))
    report.table("Verdicts on the bounds", _verdicts(problems, verified))
    report.table("Excess over the best known value", _solver_rows(verified, known))
    report.note(
        "The bounds are attached once an instance, outside the seconds of any run; `lst` reuses "
        "the linear programs of the bound T*, and their seconds are counted as its own."
    )
    report.table("Summary of the study", _summary(study))
    _conclude(report, verified, known)
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of every run")
    parser.add_argument("--store", type=Path, metavar="FILE", help="SQLite file of finished runs")
    options = parser.parse_args()
    if options.smoke:
        options.seconds = 0.5
    return options


def _warm_up(problem: oe.MakespanProblem) -> None:
    """Import and compile what the study will use; runs do not count compilation anyway."""
    for solver in SOLVERS:
        oe.solve(problem.replace(), solver, time_limit=0.2)


def _check(study: Study, verified: Verified, known: dict[str, tuple[int, bool]]) -> None:
    """Fail loudly if a result contradicts what is proved."""
    for outcome in study.outcomes:
        if outcome.result is None:
            raise AssertionError(f"{outcome.task.label}: {outcome.state}, {outcome.message}")
    for (instance, solver), (result, verification) in verified.items():
        best, proved = known[instance]
        where = f"{solver} on {instance}"
        if not verification.ok:
            raise AssertionError(f"{where} does not verify: {verification.message}")
        if proved and verification.objective < best * (1 - TOLERANCE):
            raise AssertionError(f"{where}: {result.objective} is below the optimum {best}.")
        for bound in (result.bound, verification.certified_bound):
            if bound > best * (1 + TOLERANCE):
                raise AssertionError(f"{where}: bound {bound} is above the known value {best}.")


# ------------------------------------------------------------------------------ the tables


def _values(
    problems: list[oe.MakespanProblem], verified: Verified, known: dict[str, tuple[int, bool]]
) -> list[dict[str, Any]]:
    rows = []
    for problem in problems:
        best, proved = known[problem.label]
        row: dict[str, Any] = {
            "file": problem.label,
            "n x m": f"{problem.n_tasks} x {problem.n_servers}",
            "best known": f"{best}" if proved else f"{best} (open)",
        }
        for solver in SOLVERS:
            result, _ = verified[problem.label, solver]
            row[solver] = f"{result.objective:.0f} / {result.bound:.3f}"
        proofs = [s for s in SOLVERS if verified[problem.label, s][0].gap <= 1e-6]
        row["proved optimal by"] = ", ".join(proofs)
        rows.append(row)
    return rows


def _verdicts(problems: list[oe.MakespanProblem], verified: Verified) -> list[dict[str, Any]]:
    """Return the verdicts of each instance, the bound of ``highs`` and what is certified."""
    rows = []
    for problem in problems:
        found = {solver: verified[problem.label, solver] for solver in SOLVERS}
        row: dict[str, Any] = {"file": problem.label}
        for solver, (_, verification) in found.items():
            row[solver] = verification.verdict
        row["largest bound"] = f"{max(v.bound for _, v in found.values()):.3f}"
        row["largest certified bound"] = f"{max(v.certified_bound for _, v in found.values()):.3f}"
        rows.append(row)
    return rows


def _solver_rows(verified: Verified, known: dict[str, tuple[int, bool]]) -> list[dict[str, Any]]:
    rows = []
    for solver in SOLVERS:
        results = [result for (_, name), (result, _) in verified.items() if name == solver]
        over = [excess(r.objective, known[r.problem.label][0]) for r in results]
        rows.append(
            {
                "solver": solver,
                "runs": len(results),
                "best known reached": sum(e <= 0 for e in over),
                "proved optimal": sum(r.gap <= 1e-6 for r in results),
                "excess, median": percent(statistics.median(over)),
                "excess, worst": percent(max(over)),
                "seconds, median": digits(statistics.median(r.runtime for r in results)),
                "attached bounds, s": digits(
                    statistics.median(r.info["bound_seconds"] for r in results)
                ),
            }
        )
    return rows


def _summary(study: Study) -> list[dict[str, Any]]:
    """Return ``study.summary()``, its gaps as percentages."""
    rows = []
    for row in study.summary().to_dict("records"):
        shown = {}
        for name, value in row.items():
            if name.startswith("gap"):
                shown[name] = percent(value)
            elif isinstance(value, float):
                shown[name] = digits(value)
            else:
                shown[name] = value
        rows.append(shown)
    return rows


def _conclude(report: Report, verified: Verified, known: dict[str, tuple[int, bool]]) -> None:
    verdicts = Counter(verification.verdict for _, verification in verified.values())
    listed = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    report.note(f"Verdicts on {len(verified)} results: {listed}. All values and bounds verified.")
    searched = [
        (r.bound, v.certified_bound)
        for r, v in verified.values()
        if v.verdict == "search, not certified"
    ]
    if searched:
        lost = max(1 - certified / bound for bound, certified in searched if bound > 0)
        report.note(
            f"Where branch and bound found the bound, the certified bound beside it is lower by "
            f"at most {percent(lost)}."
        )
    news = [
        f"{name} ({solver}: {result.objective:.0f})"
        for (name, solver), (result, _) in verified.items()
        if math.isfinite(result.objective) and result.objective < known[name][0]
    ]
    if news:
        report.note("Better than the best known value: " + ", ".join(news) + ".")


if __name__ == "__main__":
    main()

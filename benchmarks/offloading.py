"""Offloading with parallel pools: certified gaps, how they grow with the tasks, searches beside.

Tasks of the four measured networks (``papers.eosdnn``), first layer free or at the client. Three
tables, chosen by ``--tables``:

* ``quality``: ``lagrangian`` on ``--tasks`` tasks of each network, ``--seconds`` a run, all
  ``--seeds``: worst and median gap, the seconds until it was below 0.5 and 0.1 %, the certificate
  recomputed.
* ``growth``: up to 1000 tasks, 60 or 120 s each, the first of ``--seeds``: the gap beside its
  target, memory, certificate.
* ``searches``: the searches with ``--evaluations`` each and the simple rules, in order of arrival,
  all ``--search-seeds``: the excess over the bound that ``lagrangian`` certifies in
  ``--lagrangian-seconds``, its own schedules among them.

Every row is measured in a process of its own on one core; with ``--jobs 2`` two at a time, each on
its own core. With ``--out FILE`` the rows stand in FILE.part as soon as they are measured.

The committed table:
``python benchmarks/offloading.py --jobs 2 --out benchmarks/results/offloading.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import processes
import reporting
from reporting import Report, count, digits, excess, percent

import optedge as oe
from optedge.papers import eosdnn
from optedge.solvers.registry import find_solver

TABLES = ("quality", "growth", "searches")
LEVELS = (5e-3, 1e-3)
COMPILING = 600.0  # seconds that a process may take beside its runs
SEARCHES = (
    "genetic",
    "particle-swarm",
    "pso-ga",
    "pre-pso",
    "annealing",
    "ant-colony",
    "local-search",
    "random",
    "greedy",
    "all-client",
    "all-edge",
    "all-cloud",
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of the tables of gaps: an instance, its limit in seconds, and the gap aimed at."""

    network: str
    rule: str
    tasks: int
    seconds: float
    target: float = math.inf

    @property
    def label(self) -> str:
        """The instance in words."""
        return f"{self.tasks} tasks of {self.network}, first layer {self.rule}"


GROWTH = (
    Case("alexnet", "free", 24, 60, 0.004),
    Case("vgg19", "free", 24, 60, 0.005),
    Case("resnet101", "free", 24, 60, 0.008),
    Case("vgg19", "client", 24, 60, 0.006),
    Case("alexnet", "free", 48, 60, 0.006),
    Case("vgg19", "free", 48, 60, 0.02),
    Case("alexnet", "free", 96, 120, 0.015),
    Case("vgg19", "free", 96, 120, 0.035),
    Case("alexnet", "free", 200, 120, 0.025),
    Case("alexnet", "free", 500, 120),
    Case("vgg19", "free", 500, 120),
    Case("alexnet", "free", 1000, 120),
    Case("vgg19", "free", 1000, 120),
)


def main() -> None:
    """Measure and print; or measure one row, if started by this script itself."""
    options = _arguments()
    if processes.measured_row(options.row, MEASURES):
        return
    chosen = processes.cores(options.jobs)
    report = Report(
        "Offloading: certified gaps, growth, and searches beside them",
        {
            "cores used": processes.cores_used(chosen),
            "instances": "eosdnn.instance(network, tasks, first_layer=...)",
            "seeds": f"{_list(options.seeds)}; of the searches {_list(options.search_seeds)}",
            "limits": f"target_gap 0; seconds as stated, compilation outside; "
            f"{options.evaluations} evaluations a search",
        },
        out=options.out,
    )
    failed: list[str] = []
    if "quality" in options.tables:
        _report_quality(report, options, chosen, failed)
    if "growth" in options.tables:
        _report_growth(report, options, chosen, failed)
    if "searches" in options.tables:
        _report_searches(report, options, chosen, failed)
    report.close(failed)


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of a run of quality")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", type=int, default=12, help="of quality and searches")
    parser.add_argument("--search-seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--evaluations", type=int, default=65_000, help="budget of a search")
    parser.add_argument(
        "--lagrangian-seconds", type=float, default=15.0, help="its limit beside the searches"
    )
    parser.add_argument("--jobs", type=int, default=1, help="rows measured side by side")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.networks, options.growth = eosdnn.NETWORKS, GROWTH
    if options.smoke:
        options.seconds, options.lagrangian_seconds, options.tasks = 0.5, 0.5, 4
        options.seeds, options.search_seeds, options.evaluations = [0, 1], [0, 1], 500
        options.networks = eosdnn.NETWORKS[:1]
        options.growth = tuple(
            dataclasses.replace(case, tasks=tasks, seconds=0.5)
            for case, tasks in zip(GROWTH[:2], (6, 12), strict=True)
        )
    return options


def _list(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)


# ------------------------------------------------------------------------------ certified gaps


def _report_quality(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    cases = [
        Case(network, rule, options.tasks, options.seconds)
        for rule in ("free", "client")
        for network in options.networks
    ]
    rows = (
        _quality_row(case, found)
        for case, found in _certified(cases, options.seeds, chosen, failed)
    )
    title = f"Quality: {options.tasks} tasks, {options.seconds:g} s, {len(options.seeds)} seeds"
    report.table(title, rows)
    report.note(
        "Gap is (schedule - bound) / schedule, with the bound that the certificate of the same run "
        "proves. Seconds to a gap, certificate and seconds to verify are the worst of all seeds; - "
        "says that some seed did not get there. Bound and schedule are the best of all seeds."
    )


def _quality_row(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    runs = found["runs"]
    gaps = [run["gap"] for run in runs]
    return {
        "network": case.network,
        "first layer": case.rule,
        "bound without pools, s": f"{found['dp']:.6g}",
        "certified bound, s": f"{max(run['bound'] for run in runs):.6g}",
        "schedule, s": f"{min(run['value'] for run in runs):.6g}",
        "worst gap": percent(max(gaps)),
        "median gap": percent(statistics.median(gaps)),
        **{
            f"s to {percent(level)}": digits(max(run["reached"][k] for run in runs))
            for k, level in enumerate(LEVELS)
        },
        "certificate, kB": f"{max(run['kilobytes'] for run in runs):.0f}",
        "verified in, s": digits(max(run["verified"] for run in runs)),
    }


def _report_growth(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    rows = (
        _growth_row(case, found)
        for case, found in _certified(options.growth, options.seeds[:1], chosen, failed)
    )
    report.table("Growth: the gap beside its target", rows)
    report.note(
        "Peak memory is the high-water mark of a process that measures this row alone, solving and "
        "verifying; data is the mark before (interpreter, libraries, kernels, instance)."
    )


def _growth_row(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    run = found["runs"][0]
    return {
        "tasks": str(case.tasks),
        "network": case.network,
        "first layer": case.rule,
        "layers": str(found["layers"]),
        "certified bound, s": f"{run['bound']:.6g}",
        "schedule, s": f"{run['value']:.6g}",
        "gap": percent(run["gap"]),
        "target": percent(case.target),
        "met": _met(run["gap"], case.target),
        "limit, s": f"{case.seconds:g}",
        "seconds used": digits(run["seconds"]),
        "peak MB": digits(found["peak"]),
        "data MB": digits(found["before"]),
        "certificate, kB": f"{run['kilobytes']:.0f}",
        "verified in, s": digits(run["verified"]),
    }


def _met(gap: float, target: float) -> str:
    if not math.isfinite(target):
        return "-"
    return "yes" if gap <= target else "no"


def _certified(
    cases: list[Case], seeds: list[int], chosen: list[int | None], failed: list[str]
) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Return what was measured of each case; a sentence goes to ``failed`` for one that fails."""
    tasks = [
        {"measure": "gaps", **_fields(case), "seconds": case.seconds, "seeds": seeds}
        for case in cases
    ]
    allowed = COMPILING + 3 * len(seeds) * max(case.seconds for case in cases)
    done = processes.side_by_side(__file__, tasks, chosen, allowed)
    for case, found in zip(cases, done, strict=True):
        reporting.progress(f"{case.label}: done")
        if "state" in found:
            failed.append(f"{case.label}: {found['state']}.")
        else:
            yield case, found


def _fields(case: Case) -> dict[str, Any]:
    return {"network": case.network, "n_tasks": case.tasks, "rule": case.rule}


# ------------------------------------------------------------------------------ searches


def _report_searches(
    report: Report, options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> None:
    for network in options.networks:
        rows = _search_rows(network, options, chosen, failed)
        report.table(f"Searches: {options.tasks} tasks of {network}, first layer free", rows)
    report.note(
        "Excess is (value - bound) / bound with the best bound certified here. The values of "
        f"lagrangian are planned schedules, after {options.lagrangian_seconds:g} s; searches on "
        "codes choose servers and leave the order to arrival, which can be worse than the best "
        "plan even where every server is right. What is deterministic runs once."
    )


def _search_rows(
    network: str,
    options: argparse.Namespace,
    chosen: list[int | None],
    failed: list[str],
) -> Iterator[dict[str, Any]]:
    """Return the rows of one network: first who proves the bound, then the searches."""
    given = {"network": network, "n_tasks": options.tasks, "rule": "free"}
    bounding = {
        "measure": "gaps",
        **given,
        "seconds": options.lagrangian_seconds,
        "seeds": options.search_seeds,
    }
    searching = [
        {
            "measure": "searches",
            **given,
            "solvers": names,
            "seeds": options.search_seeds,
            "evaluations": options.evaluations,
        }
        for names in ([SEARCHES] if options.smoke else [[name] for name in SEARCHES])
    ]
    allowed = COMPILING + 3 * len(options.search_seeds) * options.lagrangian_seconds
    (found,) = processes.side_by_side(__file__, [bounding], chosen, allowed)
    if "state" in found:
        failed.append(f"lagrangian on {network}: {found['state']}.")
        return
    bound = max(run["bound"] for run in found["runs"])
    yield _search_row("lagrangian", found["runs"], bound)
    labelled = [(f"{', '.join(task['solvers'])} on {network}", task) for task in searching]
    for task, found in processes.finished(__file__, labelled, chosen, allowed, failed):
        for name in task["solvers"]:
            yield _search_row(name, found[name], bound)


def _search_row(name: str, runs: list[dict[str, Any]], bound: float) -> dict[str, Any]:
    values = [run["value"] for run in runs]
    if min(values) < bound * (1 - 1e-9):
        raise AssertionError(f"{name}: value {min(values)} below the bound {bound}.")
    over = [excess(value, bound) for value in values]
    return {
        "solver": name,
        "runs": str(len(runs)),
        "median excess": percent(statistics.median(over)),
        "least": percent(min(over)),
        "most": percent(max(over)),
        "best value, s": f"{min(values):.6g}",
        "evaluations": count(statistics.median(run["evaluations"] for run in runs)),
        "seconds a run": digits(statistics.median(run["seconds"] for run in runs)),
        "end": ", ".join(sorted({run["end"] for run in runs})),
    }


# ------------------------------------------------------------------------------ the child


def _gaps(
    network: str, n_tasks: int, rule: str, seconds: float, seeds: list[int]
) -> dict[str, Any]:
    """Run ``lagrangian`` with each seed, and recompute its certificates."""
    tiny = eosdnn.instance("alexnet", 2, first_layer=rule)
    oe.verify(oe.solve(tiny, "lagrangian", time_limit=0.5))  # imports and kernels
    problem = eosdnn.instance(network, n_tasks, first_layer=rule)
    found: dict[str, Any] = {"layers": problem.n_subtasks, "dp": problem.bounds()["DP"]}
    before = processes.peak_memory()
    runs = [_certified_run(problem, seconds, seed) for seed in seeds]
    return {**found, "runs": runs, "before": before, "peak": processes.peak_memory()}


def _certified_run(problem: oe.OffloadingProblem, seconds: float, seed: int) -> dict[str, Any]:
    result = oe.solve(problem, "lagrangian", seed=seed, time_limit=seconds, target_gap=0.0)
    began = time.perf_counter()
    check = oe.verify(result)
    verified = time.perf_counter() - began
    if not check or check.verdict != "certified":
        raise AssertionError(check.message)
    history = result.history
    gaps = (history["objective"] - history["bound"]) / np.abs(history["objective"])
    reached = [history["seconds"][gaps <= level].min(initial=np.inf) for level in LEVELS]
    return {
        **_facts(result),
        "bound": check.certified_bound,
        "gap": reporting.gap(result.objective, check.certified_bound),
        "reached": [float(when) for when in reached],
        "kilobytes": _kilobytes(result.certificate),
        "verified": verified,
    }


def _searches(
    network: str, n_tasks: int, rule: str, solvers: list[str], seeds: list[int], evaluations: int
) -> dict[str, Any]:
    """Run each of ``solvers`` with each seed; what is deterministic with the first one."""
    tiny = eosdnn.instance("alexnet", 2, first_layer=rule)
    problem = eosdnn.instance(network, n_tasks, first_layer=rule)
    found = {}
    for name in solvers:
        oe.solve(tiny, name, max_evaluations=200)  # imports and kernels
        used = seeds[:1] if find_solver(name).deterministic else seeds
        found[name] = [
            _facts(oe.solve(problem, name, seed=seed, max_evaluations=evaluations, target_gap=0.0))
            for seed in used
        ]
    return found


def _facts(result: oe.Result) -> dict[str, Any]:
    if result.stop_reason == "interrupted":  # the rows are lost: no further runs for them
        raise KeyboardInterrupt
    return {
        "value": result.objective,
        "evaluations": result.evaluations,
        "seconds": result.runtime,
        "end": result.stop_reason.replace("_", " "),
    }


def _kilobytes(certificate: oe.Certificate | None) -> float:
    arrays = {} if certificate is None else certificate.arrays
    return sum(array.nbytes for array in arrays.values()) / 1e3


MEASURES = {"gaps": _gaps, "searches": _searches}


if __name__ == "__main__":
    main()

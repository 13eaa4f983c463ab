"""The paper's claim that the linear program is impractical for thousands of servers.

Published setting with n = 60 m tasks. Fully connected with m = 10 and 100 servers; m = 1000 with
at most five servers a task; and m = 1000 fully connected (60 million pairs, 480 MB). Methods: the
array LP (``makespan_relaxations.solve_lp``), the same LP through its Pyomo model (``highs`` with
``kind="lp"``), ``lst``, ``lpt``, ``local-search`` and ``annealing``. A method that declines an
instance is SKIPPED, with its own sentence.

Every row runs in a process of its own, on one core; its peak memory is the high-water mark of that
process, and "data" is the mark before the method started (interpreter, libraries, instance).
Seconds are those of the method, model building included, compilation and attached bounds not; a
method that ignores its limit is ended after three times that and a minute. The attached bound is
computed after the method, in the same process, and counts in neither. All gaps are
(value - bound) / value to the best bound of the instance over all rows.

The committed table: ``python benchmarks/scaling.py --out benchmarks/results/scaling.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import reporting
from processes import in_a_process, peak_memory
from reporting import Report, count, digits, percent

import optedge as oe
from optedge.papers import edge_learning

LINEAR = ("array LP", "highs kind=lp", "lst")
METHODS = (*LINEAR, "lpt", "local-search", "annealing")
SEED = 0


@dataclasses.dataclass(frozen=True)
class Case:
    """An instance of the table: its size, and which servers a task reaches."""

    n_servers: int
    stage: int

    @property
    def n_tasks(self) -> int:
        """Sixty a server, as in the paper's largest experiment."""
        return 60 * self.n_servers

    @property
    def label(self) -> str:
        """Size and reach in words."""
        reach = "all servers" if self.stage == 3 else "1 to 5 servers a task"
        return f"{self.n_tasks} x {self.n_servers}, {reach}"


CASES = (Case(10, 3), Case(100, 3), Case(1000, 2), Case(1000, 3))
SMOKE = (Case(20, 2),)
SMOKE_METHODS = (*LINEAR, "lpt")  # the others would compile for half a minute


def main() -> None:
    """Measure and print; or measure one row, if started by this script itself."""
    options = _arguments()
    if options.row:
        print(json.dumps(_measure(json.loads(options.row))))
        return
    core = reporting.one_core()
    report = Report(
        "Scaling: the linear program beside methods without one",
        {
            "cores used": core,
            "instances": "edge_learning.instance(stage, 60 m, n_servers=m, seed=0), stages 3 and 2",
            "seeds": f"{SEED}, of instance and solver",
            "limits": f"{options.lp_seconds:g} s for {', '.join(LINEAR)}; {options.seconds:g} s "
            "for the others",
        },
        out=options.out,
    )
    found: dict[Case, list[dict[str, Any]]] = {}
    for case in SMOKE if options.smoke else CASES:
        found[case] = _run_case(case, options)
        report.table(_title(case, found[case]), _shown(found[case]))
    _conclude(report, found, options)
    report.close()
    if any(row["state"].startswith("ERROR") for rows in found.values() for row in rows):
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--lp-seconds", type=float, default=120.0, help="limit of methods with LPs")
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of the searches")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.smoke:
        options.lp_seconds, options.seconds = 2.0, 0.3
    return options


# ------------------------------------------------------------------------------ the parent


def _run_case(case: Case, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Draw the instance once, then measure each method on it in its own process."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instance.npz"
        reporting.progress(f"{case.label}: drawing")
        problem = edge_learning.instance(
            case.stage, case.n_tasks, n_servers=case.n_servers, seed=SEED
        )
        np.savez(path, times=problem.times, work=problem.sizes, name=case.label)
        pairs = int(problem.eligible.sum())
        del problem
        for method in SMOKE_METHODS if options.smoke else METHODS:
            reporting.progress(f"{case.label}: {method}")
            limit = options.lp_seconds if method in LINEAR else options.seconds
            task = {"path": str(path), "method": method, "limit": limit}
            row = in_a_process(__file__, task, 3 * limit + 60)
            rows.append({"method": method, "pairs": pairs, **row})
    return rows


def _title(case: Case, rows: list[dict[str, Any]]) -> str:
    return f"{case.label}: {count(rows[0]['pairs'])} pairs"


def _best_bound(rows: list[dict[str, Any]]) -> float:
    return max(row.get("bound", -math.inf) for row in rows)


def _gap(row: dict[str, Any], bound: float) -> float:
    value = row.get("value", math.inf)
    return max(0.0, value - bound) / value if math.isfinite(value) else math.inf


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    best = _best_bound(rows)
    shown = []
    for row in rows:
        value, bound = row.get("value", math.inf), row.get("bound", -math.inf)
        if value < best * (1 - 1e-6):
            raise AssertionError(f"{row['method']}: value {value} below the bound {best}.")
        shown.append(
            {
                "method": row["method"],
                "seconds": digits(row.get("seconds", math.nan)),
                "best found after, s": digits(row.get("found", math.nan)),
                "value, s": f"{value:.7g}" if math.isfinite(value) else "-",
                "own bound, s": f"{bound:.7g}" if math.isfinite(bound) else "-",
                "own bound by": row.get("bound_name", "-"),
                "proved gap": percent(_gap(row, best)),
                "peak MB": digits(row.get("peak", math.nan)),
                "data MB": digits(row.get("before", math.nan)),
                "end": row["state"],
            }
        )
    return shown


def _conclude(
    report: Report, found: dict[Case, list[dict[str, Any]]], options: argparse.Namespace
) -> None:
    """Say in two sentences what the numbers mean for the paper's claim."""
    done, late, declined = [], [], []
    for case, rows in found.items():
        row = next(r for r in rows if r["method"] == "array LP")
        if "bound" in row:
            done.append(f"{digits(row['seconds'], 2)} s at {case.label}")
        elif "seconds" in row:
            late.append(case.label)
        else:
            declined.append(f"{case.label} ({count(row['pairs'])} pairs)")
    parts = [f"On one core the linear program takes {'; '.join(done)}" if done else ""]
    parts.append(f"it is not done in {options.lp_seconds:g} s at {'; '.join(late)}" if late else "")
    parts.append(f"it is declined at {'; '.join(declined)}" if declined else "")
    largest = max((c.n_servers for c, rows in found.items() if "bound" in rows[0]), default=0)
    if late or declined:
        verdict = f"the claim holds for what is left, not for what is done, up to {largest} servers"
    else:
        verdict = "nothing here supports the claim"
    report.note(f"{', and '.join(p for p in parts if p)}: {verdict}.")

    gaps, alone = [], []
    for case, rows in found.items():
        solved = [row for row in rows if "value" in row and row["method"] not in LINEAR]
        if solved:
            least = min(solved, key=lambda row: row["value"])
            gap, seconds = percent(_gap(least, _best_bound(rows))), digits(least["found"], 2)
            gaps.append(f"{gap} at {case.label} ({least['method']}, after {seconds} s)")
            alone.append(percent(_gap(least, least["prices"])))
    report.note(
        f"The methods without a linear program come within {'; '.join(gaps)} of the best proved "
        f"bound, and within {', '.join(alone)} of the bound that needs none either (prices)."
    )


# ------------------------------------------------------------------------------ the child


def _measure(task: dict[str, Any]) -> dict[str, Any]:
    """Run one method on one instance, in this process."""
    # A warm-up on a tiny instance: imports and compilation.
    tiny = edge_learning.instance(3, 30, n_servers=3)
    _run(tiny, task["method"], 1.0)
    with np.load(task["path"]) as data:
        problem = oe.MakespanProblem(data["times"], work=data["work"], name=str(data["name"]))
    before = peak_memory()
    row = _run(problem, task["method"], task["limit"])
    row.update(before=before, peak=peak_memory())
    if "value" in row:
        _attach(problem, row)
    return row


def _run(problem: oe.MakespanProblem, method: str, limit: float) -> dict[str, Any]:
    if method == "array LP":
        return _array_lp(problem, limit)
    name, _, kind = method.partition(" kind=")
    given = {"kind": kind} if kind else {}
    try:
        r = oe.solve(problem, name, seed=SEED, time_limit=limit, bound=False, **given)
    except ValueError as error:  # it declines
        return {"state": f"SKIPPED: {error}"}
    row: dict[str, Any] = {"seconds": r.runtime, "state": r.stop_reason.replace("_", " ")}
    if "model_seconds" in r.info:
        row["state"] += f", {digits(r.info['model_seconds'], 2)} s of it the model"
    if math.isfinite(r.objective):
        improved = r.history["seconds"][r.history["objective"] == r.history["objective"].min()]
        row.update(value=r.objective, found=float(improved[0]))
    if math.isfinite(r.bound):
        row.update(bound=r.bound, bound_name=kind or "T*")
    return row


def _array_lp(problem: oe.MakespanProblem, limit: float) -> dict[str, Any]:
    """Solve the plain linear relaxation from arrays, and certify its bound."""
    from optedge.formulations.makespan_certificates import weights_certificate
    from optedge.formulations.makespan_relaxations import solve_lp
    from optedge.solvers.rounding import declines_lp

    declined = declines_lp(problem, None)
    if declined:
        return {"state": f"SKIPPED: {declined}"}
    began = time.perf_counter()
    try:
        lp = solve_lp(problem, time_limit=limit)
    except TimeoutError:
        return {"seconds": time.perf_counter() - began, "state": "time limit"}
    spent = time.perf_counter() - began
    bound = weights_certificate(problem, lp.servers, lp.memory).value
    return {"seconds": spent, "bound": bound, "bound_name": "LP", "state": "optimal"}


def _attach(problem: oe.MakespanProblem, row: dict[str, Any]) -> None:
    """Add the bound without a linear program, and take what ``oe.solve`` would attach if better."""
    row["prices"] = problem.bound("prices").value
    cheap = problem.best_cheap_bound()
    if cheap is not None and cheap.value > row.get("bound", -math.inf):
        row.update(bound=cheap.value, bound_name=f"{cheap.name} ({digits(cheap.seconds, 2)} s)")


if __name__ == "__main__":
    main()

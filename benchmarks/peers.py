"""The solvers of this package beside other packages, on the same instances and the same clock.

Published setting, stages 1 to 3 (n = 600, m = 10, seed 0), and benchmark file 462 (200 x 20
unrelated machines). Every solver gets ``--seconds`` on one core: simanneal, SciPy's
dual_annealing, mealpy (PSO, GA), pymoo's GA and PyGAD as ``peer_solvers.py`` writes them; CP-SAT
in a process of its own (``cpsat_worker.py``); HiGHS through ``scipy.optimize.milp``; and of ours
``highs``, ``local-search``, ``annealing``, ``multiphase`` and ``lst``. Values are recomputed from
the solutions by the problem. The excess is (value - bound) / bound over the best proved bound of
the instance: of all runs here, of the instance's own bounds, and of a published proof for 462.

Imports and compilation are outside the clock, building a model is inside. A peer that is no
better than the mean of random codes is an error of this script and ends it with code 1.

The committed table:
``python benchmarks/peers.py --cpsat-python PYTHON_WITH_ORTOOLS --out benchmarks/results/peers.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import reporting
from peer_solvers import PEERS, MakespanCodes, Peer, run_peer
from reporting import Report, count, digits, excess, percent

import optedge as oe
from optedge.formulations.makespan_rcmax import rcmax_best_known, rcmax_files
from optedge.papers import edge_learning

WORKER = Path(__file__).with_name("cpsat_worker.py")
OURS = ("highs", "local-search", "annealing", "multiphase", "lst")
SEED = 0


@dataclasses.dataclass(frozen=True)
class Row:
    """What one solver did: the value of its solution, its bound if any, its effort."""

    solver: str
    value: float = math.inf
    bound: float = -math.inf
    evaluations: int | None = None
    seconds: float = math.nan
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Instance:
    """An instance, the bound known before any run, and the mean cost of random codes."""

    problem: oe.MakespanProblem
    bound: float
    random_mean: float


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    ortools = _ortools(options.cpsat_python)
    instances = _instances(options.smoke)
    report = Report(
        "Peers: other packages on the same instances",
        {
            "cores used": core,
            "CP-SAT": f"ortools {ortools}" if ortools else _missing(options.cpsat_python),
            "instances": "; ".join(f"{i.problem.label} ({i.problem.key[:8]})" for i in instances),
            "seeds": f"{SEED}, of instance and solver",
            "starts": "peers start from random codes, searches of optedge from their list rule",
            "limits": f"{options.seconds:g} s a solver; relative gap 1e-6 for all that prove one",
        },
        out=options.out,
        libraries=("simanneal", "mealpy", "pymoo", "pygad"),
    )
    solvers = dict(_solvers(options.seconds, options.cpsat_python if ortools else None))
    _warm_up(instances[0].problem)
    overview: dict[str, dict[str, Any]] = {}
    useless = []
    for instance in instances:
        rows = []
        for name, run in solvers.items():
            reporting.progress(f"{instance.problem.label}: {name}")
            rows.append(_guarded(name, run, instance.problem))
        bound = _best_bound(instance, rows)
        _report_instance(report, instance, rows, bound)
        useless += _useless(instance, rows)
        for row in rows:
            entry = overview.setdefault(row.solver, {"solver": row.solver})
            entry[instance.problem.label] = _excess(row, bound)
    report.table("Excess over the best proved bound, all instances", list(overview.values()))
    for sentence in useless:
        report.note(sentence)
    report.close()
    if useless and not options.smoke:
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of every solver")
    parser.add_argument(
        "--cpsat-python", default=sys.executable, metavar="PATH", help="a Python that has ortools"
    )
    options = parser.parse_args()
    if options.smoke:
        options.seconds = 0.15
    return options


def _instances(smoke: bool) -> list[Instance]:
    n_tasks = 60 if smoke else 600
    stages = (3,) if smoke else tuple(edge_learning.STAGES)
    made = [_instance(edge_learning.instance(s, n_tasks, seed=SEED), -math.inf) for s in stages]
    path = next(p for p in rcmax_files() if p.stem == "462")
    best, proved = rcmax_best_known()["462"]
    made.append(_instance(oe.read_rcmax(path), best if proved else -math.inf))
    return made


def _instance(problem: oe.MakespanProblem, published: float) -> Instance:
    codes = MakespanCodes(problem)
    mean = float(codes.costs(codes.random(np.random.default_rng(SEED), 1000)).mean())
    return Instance(problem, max(published, *problem.bounds().values()), mean)


# ------------------------------------------------------------------------------ the solvers

Run = Callable[[oe.MakespanProblem], Row]


def _solvers(seconds: float, cpsat_python: str | None) -> Iterator[tuple[str, Run]]:
    for name in OURS:
        yield f"optedge {name}", lambda p, name=name: _ours(p, name, seconds)
    yield "scipy milp (HiGHS)", lambda p: _scipy_milp(p, seconds)
    if cpsat_python:
        yield "CP-SAT", lambda p: _cpsat(p, seconds, cpsat_python)
    for name, peer in PEERS.items():
        yield name, lambda p, peer=peer: _peer(p, peer, seconds)


def _guarded(name: str, run: Run, problem: oe.MakespanProblem) -> Row:
    """Run one solver; a missing package or a failure becomes a note in its row."""
    try:
        return dataclasses.replace(run(problem), solver=name)
    except ImportError as error:
        return Row(name, note=f"skipped: {error.name} is missing")
    except Exception as error:
        return Row(name, note=f"failed: {type(error).__name__}: {str(error)[:80]}")


def _warm_up(problem: oe.MakespanProblem) -> None:
    """Import every package and compile every kernel, outside any clock."""
    for name in OURS:
        _ours(problem, name, 0.05)
    _scipy_milp(problem, 0.05)
    for name, peer in PEERS.items():
        _guarded(name, lambda p, peer=peer: _peer(p, peer, 0.0), problem)


def _ours(problem: oe.MakespanProblem, name: str, seconds: float) -> Row:
    # A copy, so that linear programs solved for a bound before are solved again on the clock.
    attach = name != "lst"
    fresh = problem if attach else problem.replace()
    r = oe.solve(fresh, name, seed=SEED, time_limit=seconds, bound=attach)
    searched = name not in ("highs", "lst")
    return Row(
        name,
        r.objective,
        r.bound,
        r.evaluations if searched else None,
        r.runtime,
        f"{r.status}, {r.stop_reason}".replace("_", " "),
    )


def _peer(problem: oe.MakespanProblem, peer: Peer, seconds: float) -> Row:
    done = run_peer(MakespanCodes(problem), peer, seconds, SEED)
    value = problem.objective(done.decisions)
    if not math.isclose(value, done.value, rel_tol=1e-9):
        raise AssertionError(f"the evaluation of the peers is wrong: {done.value} is {value}")
    return Row("", value, evaluations=done.evaluations, seconds=done.seconds, note=done.note)


def _scipy_milp(problem: oe.MakespanProblem, seconds: float) -> Row:
    """Solve the assignment model as arrays; times in units of the list rule's makespan."""
    from model_build import scipy_program
    from scipy.optimize import milp

    began = time.perf_counter()
    program, pairs = scipy_program(problem)
    spent = time.perf_counter() - began
    limits = {"time_limit": max(0.01, seconds - spent), "mip_rel_gap": 1e-6}
    found = milp(**program, options=limits)
    spent = time.perf_counter() - began
    bound = -math.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
    value = math.inf
    if found.x is not None:
        task, server = pairs
        x = np.zeros(problem.n_tasks, dtype=np.int64)
        chosen = found.x[:-1] > 0.5
        x[task[chosen]] = server[chosen]
        value = problem.objective(x)
    note = "OPTIMAL, optimal" if found.status == 0 else "FEASIBLE, time limit"
    return Row("", value, bound, seconds=spent, note=note if found.x is not None else "no solution")


# ------------------------------------------------------------------------------ CP-SAT


def _ortools(python: str) -> str:
    """Return the version of ortools that an interpreter has, empty if it has none."""
    try:
        asked = subprocess.run(
            [python, str(WORKER), "--version"], capture_output=True, text=True, timeout=120
        )
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _missing(python: str) -> str:
    return f"skipped, for {python} has no ortools (choose another with --cpsat-python)"


def _cpsat(problem: oe.MakespanProblem, seconds: float, python: str) -> Row:
    times = [[t if math.isfinite(t) else None for t in row] for row in problem.times.tolist()]
    asked = json.dumps({"times": times, "seconds": seconds, "seed": SEED})
    answer = subprocess.run(
        [python, str(WORKER)], input=asked, capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout)
    x = found["solution"]
    value = math.inf if x is None else problem.objective(np.array(x))
    note = f"{count(found['branches'])} branches, {found['build_seconds']:.2f} s of it model"
    return Row("", value, found["bound"], seconds=found["seconds"], note=note)


# ------------------------------------------------------------------------------ the tables


def _best_bound(instance: Instance, rows: list[Row]) -> float:
    """Return the best proved bound; values below it would refute a proof."""
    bound = max(instance.bound, *(row.bound for row in rows))
    least = min(row.value for row in rows)
    if least < bound * (1 - 2e-6):
        raise AssertionError(f"{instance.problem.label}: value {least} below the bound {bound}.")
    return bound


def _report_instance(report: Report, instance: Instance, rows: list[Row], bound: float) -> None:
    problem = instance.problem
    shown = [_shown(row, bound) for row in sorted(rows, key=lambda row: row.value)]
    report.table(f"{problem.label}: {problem.n_tasks} x {problem.n_servers}", shown)
    over = percent(excess(instance.random_mean, bound))
    report.note(
        f"Best proved bound {bound:.8g} s. Mean of 1000 random codes {instance.random_mean:.5g} s, "
        f"{over} above it."
    )


def _shown(row: Row, bound: float) -> dict[str, str]:
    effort = row.evaluations
    return {
        "solver": row.solver,
        "value, s": f"{row.value:.7g}" if math.isfinite(row.value) else "-",
        "excess": _excess(row, bound),
        "bound returned, s": f"{row.bound:.7g}" if math.isfinite(row.bound) else "-",
        "evaluations": "-" if effort is None else count(effort),
        "evaluations/s": "-" if effort is None else count(effort / max(row.seconds, 1e-9)),
        "seconds": digits(row.seconds),
        "end": row.note,
    }


def _excess(row: Row, bound: float) -> str:
    over = excess(row.value, bound)
    return percent(max(0.0, over) if math.isfinite(over) else over)


def _useless(instance: Instance, rows: list[Row]) -> list[str]:
    """Return a sentence for each solver that is no better than random codes."""
    return [
        f"{row.solver} is no better than random codes on {instance.problem.label}: {row.note}."
        for row in rows
        if not row.value < instance.random_mean and not row.note.startswith("skipped")
    ]


if __name__ == "__main__":
    main()

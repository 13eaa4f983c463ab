"""What explicit models cost: building, compiling and solving their linear relaxation.

For 100 x 10, 300 x 10, 600 x 10 and 600 x 20 tasks x servers (published setting, every task on
every server) and each kind of model of ``MakespanProblem``: seconds of ``p.model()`` (Pyomo), of
``compile_model`` (arrays) and of HiGHS on the linear relaxation, with the rows, columns and
nonzeros that HiGHS gets. Beside them the same assignment model written down as arrays at once,
for ``scipy.optimize.milp`` and for highspy. Medians over ``--repeats``, everything imported first.

The committed table: ``python benchmarks/model_build.py --out benchmarks/results/model_build.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import importlib
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import reporting
from reporting import Report, digits

import optedge as oe
from optedge.papers import edge_learning

SIZES = ((100, 10), (300, 10), (600, 10), (600, 20))
TARGET_SECONDS = 0.5
Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    sizes = SIZES[:1] if options.smoke else SIZES
    report = Report(
        "Explicit models: build, compile, solve the relaxation",
        {
            "cores used": core,
            "instances": "edge_learning.instance(3, n, n_servers=m, seed=0)",
            "seeds": "0",
            "limits": f"none; medians of {options.repeats} repeats",
        },
        out=options.out,
    )
    importlib.import_module("pyomo.environ")
    problems = [edge_learning.instance(3, n, n_servers=m, seed=0) for n, m in sizes]
    _warm_up(edge_learning.instance(3, 20, n_servers=3, seed=0))
    models, arrays = [], []
    for problem in problems:
        reporting.progress(f"{problem.n_tasks} x {problem.n_servers}")
        models += [_model_row(problem, kind, options.repeats) for kind in problem.kinds]
        arrays += [_array_row(problem, name, options.repeats) for name in DIRECT]
    report.table("Pyomo models", models)
    report.table("The assignment model as arrays, without Pyomo", arrays)
    _conclude(report, models)
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="repeats of each measurement")
    options = parser.parse_args()
    if options.smoke:
        options.repeats = 2
    return options


def _warm_up(problem: oe.MakespanProblem) -> None:
    for kind in problem.kinds:
        _model_row(problem, kind, 1)
    for name in DIRECT:
        _array_row(problem, name, 1)


def _timed(make: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the median seconds of a call, and its last result."""
    times, made = [], None
    for _ in range(repeats):
        made = None  # the former result is freed outside the clock
        gc.collect()
        began = time.perf_counter()
        made = make()
        times.append(time.perf_counter() - began)
    return statistics.median(times), made


# ------------------------------------------------------------------------------ Pyomo


def _model_row(problem: oe.MakespanProblem, kind: str, repeats: int) -> dict[str, Any]:
    from optedge.bridge import compile_model, solve_arrays

    build, model = _timed(lambda: problem.model(kind), repeats)
    compiling, compiled = _timed(lambda: compile_model(model), repeats)
    relaxed = dataclasses.replace(compiled.arrays, integer=np.array(False))
    solving, solution = _timed(lambda: solve_arrays(relaxed), repeats)
    if solution.status != "optimal":
        raise AssertionError(f"HiGHS ended the relaxation of {kind} with {solution.status}.")
    rows, columns = compiled.arrays.matrix.shape
    return {
        "tasks x servers": f"{problem.n_tasks} x {problem.n_servers}",
        "kind": kind,
        "rows": rows,
        "columns": columns,
        "nonzeros": compiled.arrays.matrix.nnz,
        "build, s": digits(build),
        "compile, s": digits(compiling),
        "build + compile, s": digits(build + compiling),
        "HiGHS LP, s": digits(solving),
        "LP value, s": f"{solution.objective:.9g}",
    }


def _conclude(report: Report, rows: list[dict[str, Any]]) -> None:
    """Say whether the model of the published size is there in half a second."""
    wanted = ("600 x 10", "assignment")
    for row in rows:
        if (row["tasks x servers"], row["kind"]) == wanted:
            spent = float(row["build + compile, s"])
            word = "under" if spent < TARGET_SECONDS else "NOT under"
            report.note(
                f"The assignment model of the published size (600 x 10) is built and compiled in "
                f"{spent:.2f} s, {word} the target of {TARGET_SECONDS} s."
            )


# ------------------------------------------------------------------------------ arrays


def matrix(problem: oe.MakespanProblem) -> tuple[Any, Pairs]:
    """Return the rows of the assignment model (loads, then tasks) and the pair of each column.

    The last column is the makespan.
    """
    from scipy import sparse

    n, m = problem.times.shape
    task, server = np.nonzero(problem.eligible)
    pairs = np.arange(task.size)
    rows = np.concatenate([server, m + task, np.arange(m)])
    columns = np.concatenate([pairs, pairs, np.full(m, task.size)])
    values = np.concatenate([problem.times[task, server], np.ones(task.size), -np.ones(m)])
    made = sparse.csc_array((values, (rows, columns)), shape=(m + n, task.size + 1))
    return made, (task, server)


def row_bounds(problem: oe.MakespanProblem) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the bounds of the rows of :func:`matrix`."""
    n, m = problem.times.shape
    low = np.concatenate([np.full(m, -np.inf), np.ones(n)])
    return low, np.concatenate([-problem.ready, np.ones(n)])


def scipy_program(
    problem: oe.MakespanProblem, *, relax: bool = False
) -> tuple[dict[str, Any], Pairs]:
    """Return the arguments of ``scipy.optimize.milp``, and the pair of each column but the last."""
    from scipy.optimize import Bounds, LinearConstraint

    rows, pairs = matrix(problem)
    size = pairs[0].size
    program = {
        "c": np.append(np.zeros(size), 1.0),
        "constraints": LinearConstraint(rows, *row_bounds(problem)),
        "integrality": np.zeros(size + 1) if relax else np.append(np.ones(size), 0.0),
        "bounds": Bounds(np.zeros(size + 1), np.append(np.ones(size), np.inf)),
    }
    return program, pairs


def highspy_program(problem: oe.MakespanProblem) -> Any:
    """Return a ``highspy.Highs`` that holds the relaxed assignment model."""
    import highspy

    rows, (task, _) = matrix(problem)
    low, high = row_bounds(problem)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = rows.shape
    lp.col_cost_ = np.append(np.zeros(task.size), 1.0)
    lp.col_lower_ = np.zeros(task.size + 1)
    lp.col_upper_ = np.append(np.ones(task.size), highspy.kHighsInf)
    lp.row_lower_, lp.row_upper_ = low, high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = rows.indptr, rows.indices
    lp.a_matrix_.value_ = rows.data
    highs: Any = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.passModel(lp)
    return highs


def _scipy_value(made: Any) -> float:
    from scipy.optimize import milp

    program, _ = made
    found = milp(**program)
    return float(found.fun) if found.status == 0 else math.nan


def _highspy_value(highs: Any) -> float:
    highs.clearSolver()
    highs.run()
    return float(highs.getObjectiveValue())


DIRECT: dict[str, tuple[Callable[[oe.MakespanProblem], Any], Callable[[Any], float]]] = {
    "scipy.optimize.milp": (lambda p: scipy_program(p, relax=True), _scipy_value),
    "highspy": (highspy_program, _highspy_value),
}


def _array_row(problem: oe.MakespanProblem, name: str, repeats: int) -> dict[str, Any]:
    make, value_of = DIRECT[name]
    build, made = _timed(lambda: make(problem), repeats)
    solving, value = _timed(lambda: value_of(made), repeats)
    return {
        "tasks x servers": f"{problem.n_tasks} x {problem.n_servers}",
        "by": name,
        "build, s": digits(build),
        "LP, s": digits(solving),
        "LP value, s": f"{value:.9g}",
    }


if __name__ == "__main__":
    main()

"""Solve one makespan instance with CP-SAT, in a process of its own.

HiGHS and OR-Tools cannot live in one process, so this script needs nothing but numpy and ortools.
It reads one JSON object from standard input: ``times`` (null where a pair cannot be used),
``seconds``, ``seed``; and writes one: ``solution`` (or null), ``bound``, ``seconds``,
``build_seconds``, ``branches``, ``version``.

CP-SAT computes in integers. Times that are integers stay as they are; others are cut off (rounded
down) at a millionth of the longest, so that the bound, scaled back, holds for the true times. The
solution is priced by the caller with the true times.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

RESOLUTION = 1_000_000


def main() -> None:
    """Read, solve, write."""
    if "--version" in sys.argv:
        import ortools

        print(ortools.__version__)
        return
    given = json.load(sys.stdin)
    times = np.array(given["times"], dtype=np.float64)  # null becomes NaN
    json.dump(solve(times, given["seconds"], given["seed"]), sys.stdout)


def solve(times: np.ndarray, seconds: float, seed: int) -> dict[str, Any]:
    """Return what CP-SAT finds in ``seconds``, building its model included."""
    from ortools.sat.python import cp_model

    began = time.perf_counter()
    usable = ~np.isnan(times)
    unit = _unit(times[usable])
    whole = np.zeros(times.shape, dtype=np.int64)
    whole[usable] = np.floor(times[usable] / unit).astype(np.int64)
    model, choose = _model(cp_model, whole, usable)
    built = time.perf_counter() - began

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_time_in_seconds = max(0.01, seconds - built)
    status = solver.solve(model)
    solution = None
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        solution = [next(j for j, v in row.items() if solver.boolean_value(v)) for row in choose]
    return {
        "solution": solution,
        "bound": solver.best_objective_bound * unit * (1 - 1e-12),
        "seconds": time.perf_counter() - began,
        "build_seconds": built,
        "branches": solver.num_branches,
    }


def _unit(times: np.ndarray) -> float:
    """Return the length of one tick: 1 where all times are whole numbers."""
    if (times == np.floor(times)).all():
        return 1.0
    return float(times.max()) / RESOLUTION


def _model(cp_model: Any, whole: np.ndarray, usable: np.ndarray) -> tuple[Any, list[Any]]:
    """Return the assignment model and the literals of each task, by server."""
    n, m = whole.shape
    model = cp_model.CpModel()
    choose = [{int(j): model.new_bool_var("") for j in np.flatnonzero(usable[i])} for i in range(n)]
    makespan = model.new_int_var(0, int(whole.max(axis=1).sum()), "makespan")
    for row in choose:
        model.add_exactly_one(row.values())
    for j in range(m):
        tasks = np.flatnonzero(usable[:, j]).tolist()
        model.add(sum(int(whole[i, j]) * choose[i][j] for i in tasks) <= makespan)
    model.minimize(makespan)
    return model, choose


if __name__ == "__main__":
    main()

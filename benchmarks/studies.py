"""What a study costs beside its solvers: milliseconds a run, memory, kill -9, a cluster.

Tiny makespan instances and solvers that take microseconds, so that what is measured is the front
door, the writer, the processes and the cluster. Every row stands in a process of its own:

* ``solve`` above the solver's own time, and ``compare`` a run besides, in memory and with a store;
* peak memory of the process that calls ``compare`` for a short and a long study on two worker
  processes, its table included, for few instances with many seeds and many with few;
* the same study ended by kill -9 at random moments and resumed: the rows must be those of one that
  was never killed, and the store must hold each once;
* the same study over dask with two workers, undisturbed and with one of them killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import processes
import reporting

import optedge as oe

LIMIT = 1800.0  # seconds of one row
TINY = [[3, 6], [2, 4], [2, 4], [1, 2]]
SECONDS = ["runtime", "compile_seconds", "bound_seconds"]
SEED = 0  # of the moments at which studies are killed


def main() -> None:
    """Measure and report."""
    parser = reporting.parser(__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="runs of the long study")
    parser.add_argument("--kills", type=int, default=5, help="times that a study is killed")
    parser.add_argument("--row", type=json.loads, help="measure one row (internal)")
    options = parser.parse_args()
    if options.row is not None:
        print(json.dumps(ROWS[options.row.pop("kind")](**options.row)))
        return
    runs, kills, repeats = options.runs, options.kills, 2000
    if options.smoke:
        runs, kills, repeats = 400, 1, 50
    short = runs // 20
    report = reporting.Report(
        "What a study costs beside its solvers",
        {
            "instances": "makespan, 4 tasks on 2 servers",
            "cores": f"{os.cpu_count()}; two worker processes, or two dask workers, and the writer",
            "seeds": f"0, 1, ... of the runs; {SEED} of the moments of killing",
            "peak memory": "of the process that calls `compare`, with `summary()`",
        },
        out=options.out,
        libraries=("joblib", "dask", "distributed"),
    )
    report.table("Above the solver's own time, one process", _overhead(repeats))
    report.table("Long studies with a store, two processes", _long(short, runs))
    report.table("Killed and resumed, two processes", _killed(runs, kills))
    if find_spec("distributed") is None:
        report.note("Without dask.distributed (`pip install optedge[dist]`) there is no cluster.")
    else:
        report.table("Over a cluster of two workers", _clustered(runs))
    report.close()


# ------------------------------------------------------------------------------ the tables


def _overhead(repeats: int) -> Iterator[dict[str, Any]]:
    for solver in ("lpt", "own"):
        reporting.progress(f"overhead of {solver}")
        row = _row({"kind": "overhead", "solver": solver, "repeats": repeats})
        yield {"solver": solver, **{k: reporting.digits(v) for k, v in row.items()}}


def _long(short: int, runs: int) -> Iterator[dict[str, Any]]:
    for shape in ("10 instances", "5 seeds"):
        least = 0.0
        for number in (short, runs):
            reporting.progress(f"{number} runs, {shape}")
            with tempfile.TemporaryDirectory() as folder:
                task = {"kind": "study", "runs": number, "shape": shape, "folder": folder}
                first, again = _row(task), _row(task)
            least = least or first["memory"]
            yield {
                "study": f"two solvers, {shape}",
                "runs": first["rows"],
                "s": reporting.digits(first["seconds"]),
                "ms a run": reporting.digits(1000 * first["seconds"] / first["rows"]),
                "peak MB": f"{first['memory']:.0f}",
                "above the short one, MB": f"{first['memory'] - least:.0f}",
                "file MB": reporting.digits(first["file"]),
                "s to read it again": reporting.digits(again["seconds"]),
                "peak MB then": f"{again['memory']:.0f}",
            }


def _killed(runs: int, kills: int) -> Iterator[dict[str, Any]]:
    task = {"kind": "study", "runs": runs, "shape": "5 seeds"}
    with tempfile.TemporaryDirectory() as folder:
        whole = _row({**task, "folder": folder})
    chance = random.Random(SEED)
    for number in range(1, kills + 1):
        reporting.progress(f"kill {number}")
        with tempfile.TemporaryDirectory() as folder:
            after = _kill({**task, "folder": folder}, chance.randrange(1, runs))
            kept = _stored(folder)
            resumed = _row({**task, "folder": folder})
            if resumed["digest"] != whole["digest"]:
                raise AssertionError(f"kill {number}: the rows are not those of the whole study.")
            yield {
                "kill": number,
                "after s": reporting.digits(after),
                "runs kept": kept,
                "rows when resumed": resumed["rows"],
                "in the store": _stored(folder),
                "the same rows": "yes",
            }


def _clustered(runs: int) -> Iterator[dict[str, Any]]:
    expected = ""
    for where in ("processes", "dask", "dask, one worker killed"):
        reporting.progress(where)
        with tempfile.TemporaryDirectory() as folder:
            task = {"runs": runs, "shape": "5 seeds", "folder": folder}
            if where == "processes":
                row = _row({"kind": "study", "warm": True, **task})
            else:
                row = _row({"kind": "clustered", "kill": where != "dask", **task})
            expected = expected or row["digest"]
            if row["digest"] != expected:
                raise AssertionError(f"{where}: the rows are not those of the processes.")
            yield {
                "where": where,
                "runs": row["rows"],
                "in the store": _stored(folder),
                "s": reporting.digits(row["seconds"]),
                "ms a run": reporting.digits(1000 * row["seconds"] / row["rows"]),
                "peak MB": f"{row['memory']:.0f}",
                "the same rows": "yes",
            }


def _row(task: dict[str, Any]) -> dict[str, Any]:
    """Return what a process of its own measures; it must not fail."""
    row = processes.in_a_process(__file__, task, LIMIT)
    if "state" in row:
        raise RuntimeError(f"{task}: {row['state']}")
    return row


def _kill(task: dict[str, Any], runs: int) -> float:
    """Start a study, kill it when it has kept so many runs, and return the seconds until then."""
    command = [sys.executable, __file__, "--row", json.dumps(task)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and _stored(task["folder"]) < runs:
            time.sleep(0.001)
        process.kill()
    return time.perf_counter() - began


def _stored(folder: str) -> int:
    """Return how many runs a store holds, 0 before it is one."""
    path = Path(folder) / "study.sqlite"
    if not path.exists():
        return 0
    base = sqlite3.connect(path, timeout=60.0)
    try:
        return int(base.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.OperationalError:  # no table yet
        return 0
    finally:
        base.close()


# -------------------------------------------------------------------------------- the rows


def all_on_the_first(problem: oe.MakespanProblem, run: oe.Run) -> list[int]:
    """Put every task on server 0: the least that a solver can do."""
    return [0] * problem.n_tasks


def drawn(problem: oe.MakespanProblem, run: oe.Run) -> Any:
    """Put every task somewhere."""
    return run.rng.integers(problem.n_servers, size=problem.n_tasks)


def _measured_overhead(solver: str, repeats: int) -> dict[str, float]:
    entry: Any = all_on_the_first if solver == "own" else solver
    problem = oe.MakespanProblem(TINY)
    oe.solve(problem, entry)
    above = []
    for seed in range(repeats):
        began = time.perf_counter()
        result = oe.solve(problem, entry, seed=seed)
        above.append(time.perf_counter() - began - result.runtime)
    instances = [oe.MakespanProblem(TINY, ready=[0, k / repeats]) for k in range(repeats)]
    with tempfile.TemporaryDirectory() as folder:
        here = _besides(instances, entry)
        stored = _besides(instances, entry, store=Path(folder) / "study.sqlite")
    return {
        "`solve`, ms: median": 1000 * sorted(above)[repeats // 2],
        "largest of 99 %": 1000 * sorted(above)[(99 * repeats) // 100],
        "`compare`, ms a run": 1000 * here,
        "with a store": 1000 * stored,
    }


def _besides(instances: list[oe.MakespanProblem], entry: Any, **arguments: Any) -> float:
    """Return the seconds a run of ``compare`` with its table, without bounds and solvers' own."""
    for problem in instances:
        problem.best_cheap_bound()
    oe.compare(instances[:1], [entry], seeds=[0]).summary()
    began = time.perf_counter()
    study = oe.compare(instances, [entry], seeds=[0], **arguments)
    runs = study.runs
    return (time.perf_counter() - began - float(runs["runtime"].sum())) / len(runs)


def _measured_study(
    runs: int, shape: str, folder: str, warm: bool = False, **where: Any
) -> dict[str, Any]:
    number = 10 if shape == "10 instances" else max(1, runs // 10)
    where = where or {"n_jobs": 2}
    if warm:  # processes that wait already, as the workers of a cluster do
        _compared(4, 2, **where)
    began = time.perf_counter()
    study = _compared(number, runs // number // 2, store=Path(folder) / "study.sqlite", **where)
    table = study.runs
    study.summary()
    seconds = time.perf_counter() - began
    if table["status"].isin(["ERROR", "SKIPPED"]).any():
        raise AssertionError(table["message"].max())
    text = table.drop(columns=SECONDS).to_csv(index=False)
    return {
        "rows": len(table),
        "seconds": seconds,
        "memory": processes.peak_memory(),
        "file": sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
    }


def _compared(number: int, seeds: int, **arguments: Any) -> oe.Study:
    instances = (oe.MakespanProblem(TINY, ready=[0, k / 100], name=f"{k}") for k in range(number))
    solvers = [all_on_the_first, drawn]
    return oe.compare(instances, solvers, seeds=seeds, bound=False, **arguments)


def _measured_cluster(kill: bool, **study: Any) -> dict[str, Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        _compared(4, 2, backend="dask")
        if kill:
            victim = next(iter(client.run(os.getpid).values()))
            watch = threading.Thread(target=_kill_in_the_middle, args=(victim, study))
            watch.start()
        row = _measured_study(**study, backend="dask")
        if kill:
            watch.join()
            if victim in client.run(os.getpid).values():
                raise AssertionError("the study was over before a worker was killed.")
        return row


def _kill_in_the_middle(victim: int, study: dict[str, Any]) -> None:
    """Kill a worker when half of the runs are kept."""
    while _stored(study["folder"]) < study["runs"] // 2:
        time.sleep(0.05)
    os.kill(victim, signal.SIGKILL)


ROWS: dict[str, Callable[..., dict[str, Any]]] = {
    "overhead": _measured_overhead,
    "study": _measured_study,
    "clustered": _measured_cluster,
}

if __name__ == "__main__":
    main()

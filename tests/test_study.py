"""Studies: every combination once, failures as rows, and nothing lost when killed."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import optedge as oe
from optedge.store import Store

SMALL = oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]], name="small")
OTHER = oe.MakespanProblem.related([5, 4, 3, 3, 3], [1, 1], name="other")


def first_server(problem, run):
    """Put every task on server 0."""
    return [0] * problem.n_tasks


def broken(problem, run):
    """Fail as a user's solver may."""
    raise RuntimeError("no luck")


def test_every_combination_once_and_deterministic_solvers_once_per_instance():
    """Rows come in the order of problems, solvers, seeds; a seed changes nothing for `lpt`."""
    s = oe.compare(
        [SMALL, (OTHER, {"kind": "two equal servers"})],
        ["lpt", "random"],
        seeds=3,
        max_evaluations=50,
    )
    found = s.runs[["instance", "solver", "seed"]].to_numpy().tolist()
    assert found == [
        [name, *row]
        for name in ("small", "other")
        for row in (["lpt", 0], ["random", 0], ["random", 1], ["random", 2])
    ]
    assert s.runs["kind"].tolist()[4:] == ["two equal servers"] * 4


def test_gap_is_to_the_best_proved_bound_of_the_instance():
    """A search bound of one solver judges the others; their own gap stays as it was."""
    runs = oe.compare(SMALL, ["highs", "lpt"], seeds=1).runs.set_index("solver")
    assert runs.loc["lpt", "gap"] == pytest.approx(1 / 9)
    assert runs.loc["lpt", "gap_to_best"] == pytest.approx(0, abs=1e-9)
    assert runs.loc["lpt", "best_bound"] == pytest.approx(6)


def test_failing_and_declining_solvers_are_rows():
    """A study never stops because one run fails."""
    packed = SMALL.replace(memory=[1, 1, 1, 1], capacity=[2, 2])
    s = oe.compare([packed], ["highs", "lst", broken, first_server], seeds=1)
    runs = s.runs.set_index("solver")
    assert runs.loc["broken", "status"] == "ERROR"
    assert runs.loc["broken", "message"] == "RuntimeError: no luck"
    assert runs.loc["lst", "status"] == "SKIPPED"
    assert "memory" in runs.loc["lst", "message"]
    assert runs.loc["first_server", "status"] == "UNKNOWN"  # infeasible: memory
    assert runs.loc["highs", "status"] == "OPTIMAL"
    table = s.summary().set_index("solver")
    assert table.loc["broken", "errors"] == 1
    assert table.loc["lst", "skipped"] == 1
    assert table.loc["first_server", "solved"] == 0
    assert table.loc["first_server", "gap_worst"] == math.inf


def test_options_make_different_rows():
    """One solver with two options is two lines of the table."""
    s = oe.compare(SMALL, [("random", {"draws": 1}), ("random", {"draws": 9})], seeds=2)
    assert set(s.runs["solver"]) == {"random(draws=1)", "random(draws=9)"}


@pytest.mark.parametrize(
    ("solvers", "error", "words"),
    [
        (["lpt", "nonsense"], ValueError, "there is no solver 'nonsense'"),
        ([("random", {"draw": 1})], TypeError, "random has no option 'draw'; its options: draws"),
        ([("random", {"draws": 0})], ValueError, "option draws must be at least 1"),
        ([3], TypeError, "a solver is a name or a function"),
    ],
)
def test_wrong_solvers_are_refused_before_anything_runs(solvers, error, words):
    """What is wrong with the study itself is an error of `compare`, not a row."""
    with pytest.raises(error, match=words.replace("(", r"\(")):
        oe.compare(SMALL, solvers)


def test_wrong_problems_and_seeds_are_refused():
    """A list of lists is not a problem, and no seed is no study."""
    with pytest.raises(TypeError, match="a problem is expected"):
        oe.compare([[1, 2]], ["lpt"])
    with pytest.raises(ValueError, match="seeds must be at least one"):
        oe.compare(SMALL, ["lpt"], seeds=[])


def test_a_solver_of_ones_own_runs_in_worker_processes():
    """Workers get the function itself; results equal those of one process."""
    factor = 1

    def by_index(problem, run):  # a closure, unknown to any module, as in a notebook
        x = np.arange(problem.n_tasks) * factor % problem.n_servers
        run.evaluate(x)

    arguments = dict(seeds=2, max_evaluations=300)
    solvers = [by_index, "local-search", "random"]
    one = oe.compare([SMALL, OTHER], solvers, **arguments).runs
    two = oe.compare([SMALL, OTHER], solvers, **arguments, n_jobs=2).runs
    columns = ["instance", "solver", "seed", "status", "objective", "bound", "evaluations"]
    assert one[columns].equals(two[columns])


# ------------------------------------------------------------------------------ the store


def test_a_finished_study_is_read_from_the_store(tmp_path):
    """The second study runs nothing and has the same rows, seconds included."""
    calls = []

    def counted(problem, run):
        calls.append(run)
        return [0] * problem.n_tasks

    store = tmp_path / "study.sqlite"
    first = oe.compare([SMALL, OTHER], [counted, "lpt"], seeds=2, store=store).runs
    assert len(calls) == 4
    again = oe.compare([SMALL, OTHER], [counted, "lpt"], seeds=2, store=store).runs
    assert len(calls) == 4
    assert first.equals(again)
    oe.compare([SMALL, OTHER], [counted, "lpt"], seeds=3, store=store)
    assert len(calls) == 6, "only what is new is run"


def test_what_a_run_depends_on_is_in_its_key(tmp_path):
    """Other data, options, budgets or source: another run."""
    store = tmp_path / "study.sqlite"
    count = lambda: len(Store(store))  # noqa: E731
    oe.compare(SMALL, [("random", {"draws": 1})], seeds=1, store=store)
    assert count() == 1
    oe.compare(SMALL.replace(name="renamed"), [("random", {"draws": 1})], seeds=1, store=store)
    assert count() == 1, "a name is no data"
    oe.compare(SMALL, [("random", {"draws": 2})], seeds=1, store=store)
    oe.compare(OTHER, [("random", {"draws": 1})], seeds=1, store=store)
    oe.compare(SMALL, [("random", {"draws": 1})], seeds=1, time_limit=9, store=store)
    assert count() == 4


def test_errors_are_tried_again(tmp_path):
    """A run that failed is not kept: its cause may be mended."""
    store = tmp_path / "study.sqlite"
    oe.compare(SMALL, [broken], seeds=1, store=store)
    assert len(Store(store)) == 0


@pytest.mark.parametrize("content", [b"not a database at all, but text" * 50, None])
def test_a_wrong_store_is_refused(tmp_path, content):
    """A text file, or a database of somebody else, is named and left alone."""
    path = tmp_path / "wrong.sqlite"
    if content is None:
        base = sqlite3.connect(path)
        base.execute("CREATE TABLE theirs (a)")
        base.commit()
        base.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"wrong.sqlite is not an optedge store"):
        oe.compare(SMALL, ["lpt"], store=path)
    assert path.read_bytes() == before


def test_a_store_of_another_version_is_refused(tmp_path):
    """A future layout is not guessed at."""
    path = tmp_path / "future.sqlite"
    oe.compare(SMALL, ["lpt"], store=path)
    base = sqlite3.connect(path)
    base.execute("PRAGMA user_version = 7")
    base.commit()
    base.close()
    with pytest.raises(ValueError, match="is a store of version 7, this optedge writes version 2"):
        oe.compare(SMALL, ["lpt"], store=path)


KILLED = textwrap.dedent(
    """
    import sys, time
    import optedge as oe

    def slow(problem, run):
        with open(sys.argv[2], "a") as log:
            log.write(f"{problem.name} {run.rng.integers(10**9)}\\n")
        time.sleep(0.15)
        return [0] * problem.n_tasks

    problems = [oe.MakespanProblem.related([k + 1, 2, 3], [1, 2], name=f"p{k}") for k in range(4)]
    s = oe.compare(problems, [slow, "lpt"], seeds=3, store=sys.argv[1])
    print(s.runs.drop(columns=["runtime", "compile_seconds", "bound_seconds"]).to_json())
    """
)


def test_a_killed_study_resumes_and_repeats_nothing(tmp_path):
    """Kill -9 in the middle: the rows are those of a study that was never killed."""
    script = tmp_path / "study.py"
    script.write_text(KILLED)

    def command(name):
        return [
            sys.executable,
            str(script),
            str(tmp_path / f"{name}.sqlite"),
            str(tmp_path / f"{name}.log"),
        ]

    whole = subprocess.run(command("whole"), capture_output=True, text=True, check=True).stdout
    process = subprocess.Popen(command("killed"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    log = tmp_path / "killed.log"
    waited = time.monotonic() + 60
    while time.monotonic() < waited:
        if log.exists() and len(log.read_text().splitlines()) >= 5:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = len(Store(tmp_path / "killed.sqlite"))
    assert 0 < kept < 16, "killed in the middle"
    resumed = subprocess.run(command("killed"), capture_output=True, text=True, check=True).stdout
    assert resumed == whole
    runs = log.read_text().splitlines()
    # Only the run that was under way when the process died may stand in the log twice.
    assert len(runs) - len(set(runs)) <= 1
    assert len(set(runs)) == 12


def test_an_interrupt_returns_the_finished_rows(tmp_path):
    """Ctrl-C in the third run: two rows are finished, the third is partial and not kept."""
    seen = []

    def third_time(problem, run):
        seen.append(1)
        run.evaluate(np.zeros(problem.n_tasks, dtype=int))
        if len(seen) == 3:
            raise KeyboardInterrupt

    store = tmp_path / "study.sqlite"
    s = oe.compare(SMALL, [third_time], seeds=5, store=store)
    assert s.runs["stop_reason"].tolist() == ["converged", "converged", "interrupted"]
    assert len(Store(store)) == 2

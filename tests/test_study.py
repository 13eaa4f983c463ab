"""Studies: every combination once, failures as rows, and nothing lost when killed."""

from __future__ import annotations

import functools
import gc
import logging
import math
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import optedge as oe
from optedge.store import Row, Store
from optedge.study import cluster, tasks
from optedge.study.pools import MOST, side_by_side
from optedge.study.runs import Call, Done

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
    import os, sys, time
    import optedge as oe

    name, n_jobs = sys.argv[2], int(sys.argv[3])

    def slow(problem, run):
        with open(name, "a") as log:
            log.write(f"{os.getpid()} {problem.name} {run.rng.integers(10**9)}\\n")
        time.sleep(0.15)
        return [0] * problem.n_tasks

    problems = [oe.MakespanProblem.related([k + 1, 2, 3], [1, 2], name=f"p{k}") for k in range(4)]
    s = oe.compare(problems, [slow, "lpt"], seeds=3, store=sys.argv[1], n_jobs=n_jobs)
    print(s.runs.drop(columns=["runtime", "compile_seconds", "bound_seconds"]).to_json())
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_killed_study_resumes_and_repeats_nothing(tmp_path, n_jobs):
    """Kill -9 in the middle: the rows are those of a study that was never killed."""
    script = tmp_path / "study.py"
    script.write_text(KILLED)

    def command(name):
        return [
            sys.executable,
            str(script),
            str(tmp_path / f"{name}.sqlite"),
            str(tmp_path / f"{name}.log"),
            str(n_jobs),
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
    process.communicate()  # until its workers, who write there too, are gone with it
    with Store(tmp_path / "killed.sqlite") as store:
        assert 0 < len(store) < 16, "killed in the middle"
    resumed = subprocess.run(command("killed"), capture_output=True, text=True, check=True).stdout
    assert resumed == whole
    runs = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    # Only runs that were under way when the process died may stand in the log twice: one, or the
    # batches of two workers, who need a second to see that they are alone.
    assert len(runs) - len(set(runs)) <= (1 if n_jobs == 1 else 10)
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


# -------------------------------------------------------------- larger than memory


def small_problem(k):
    """Return a tiny instance, another one for each number."""
    return oe.MakespanProblem.related([k + 1, 2, 3], [1, 2], name=f"p{k}")


def same(a, b):
    """Tell whether two results say the same but for their seconds."""
    names = ("solver", "status", "stop_reason", "objective", "bound", "proof", "seed", "options")
    return (
        all(getattr(a, name) == getattr(b, name) for name in names)
        and a.problem.key == b.problem.key
        and a.problem.label == b.problem.label
        and np.array_equal(a.solution, b.solution)
        and np.array_equal(a.history["objective"], b.history["objective"])
        and (a.certificate is None) == (b.certificate is None)
    )


def test_results_are_read_from_the_store_when_they_are_asked_for(tmp_path):
    """By place, by slice and one after the other they are those of a study in memory."""
    arguments = dict(seeds=2, max_evaluations=40, bound=True)
    solvers = ["random", broken, "lpt"]
    here = oe.compare([SMALL, OTHER], solvers, **arguments)
    there = oe.compare([SMALL, OTHER], solvers, **arguments, store=tmp_path / "s.sqlite")
    assert len(there.results) == len(here.results) == 6
    assert all(same(a, b) for a, b in zip(here.results, there.results, strict=True))
    assert same(there.results[-1], here.results[-1])
    assert [r.solver for r in there.results[1:3]] == ["random", "lpt"]
    assert all(oe.verify(r) for r in there.results)
    assert [o.state for o in there.outcomes] == [o.state for o in here.outcomes]
    columns = [c for c in here.runs.columns if "seconds" not in c and c != "runtime"]
    assert here.runs[columns].equals(there.runs[columns])
    with pytest.raises(IndexError):
        there.results[6]


def test_a_store_that_is_gone_is_named(tmp_path):
    """Results that were left on disk cannot be read from a file that was removed."""
    study = oe.compare(SMALL, ["lpt"], store=tmp_path / "s.sqlite")
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match=r"the store of this study is gone: .*s\.sqlite"):
        study.results[0]
    assert list(tmp_path.iterdir()) == []


def test_problems_of_an_iterator_are_made_when_needed_and_not_kept(tmp_path):
    """At most two are alive at a time, none at the end; rows and results know theirs."""
    alive, most = weakref.WeakSet(), []

    def drawn():
        for k in range(12):
            problem = small_problem(k)
            alive.add(problem)
            yield problem, {"k": k}
            del problem

    def counted(problem, run):
        most.append(len(alive))
        return [0, 0, 0]

    study = oe.compare(drawn(), [counted, "lpt"], seeds=3, store=tmp_path / "s.sqlite")
    assert max(most) <= 2
    gc.collect()
    assert not list(alive)
    assert study.runs["instance"].tolist() == [f"p{k}" for k in range(12) for _ in range(4)]
    assert study.runs["k"].tolist() == [k for k in range(12) for _ in range(4)]
    assert [r.problem.label for r in study.results] == study.runs["instance"].tolist()
    assert study.results[9].objective == study.results[9].problem.objective([0, 0, 0])


def test_problems_of_an_iterator_are_checked_as_they_come(tmp_path):
    """The third is none: an error, and the runs of the others are in the store."""
    store = tmp_path / "s.sqlite"
    with pytest.raises(TypeError, match=r"a problem is expected, such as .*, got 7"):
        oe.compare(iter([SMALL, OTHER, 7]), ["lpt"], store=store)
    with Store(store) as kept:
        assert len(kept) == 2


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("stored", [False, True])
def test_what_is_asked_for_twice_is_run_once_and_shown_twice(tmp_path, stored, n_jobs):
    """The same data under two names, the same solver and the same seed twice."""
    log = tmp_path / "log"

    def logged(problem, run):
        with log.open("a") as file:
            file.write(f"{problem.key[:8]} {run.rng.integers(10**9)}\n")
        return [0] * problem.n_tasks

    study = oe.compare(
        [SMALL, OTHER, SMALL.replace(name="again")],
        [logged, "lpt", logged],
        seeds=[4, 4, 5],
        n_jobs=n_jobs,
        store=tmp_path / "s.sqlite" if stored else None,
    )
    assert len(log.read_text().splitlines()) == len(set(log.read_text().splitlines())) == 4
    names = [name for name in ("small", "other", "again") for _ in range(7)]
    assert study.runs["instance"].tolist() == names
    assert [r.problem.label for r in study.results] == names
    assert study.runs["seed"].tolist() == [4, 4, 5, 4, 4, 4, 5] * 3
    assert study.runs["status"].ne("ERROR").all()


def test_two_solvers_of_one_name_are_told_apart_or_refused(tmp_path):
    """In memory both run; a store, which knows a solver by name and source, cannot keep both."""

    def always(server):
        def place(problem, run):
            return [server] * problem.n_tasks

        return place

    both = [always(0), always(1)]
    assert oe.compare(SMALL, both, seeds=1).runs["objective"].tolist() == [8, 16]
    with pytest.raises(ValueError, match="two different solvers are both called 'place': a store"):
        oe.compare(SMALL, both, seeds=1, store=tmp_path / "s.sqlite")


def test_a_run_that_cannot_be_shown_or_written_is_an_error_row(tmp_path):
    """Metrics that raise, and a solution that has no form in a file: a row that says so."""

    class Odd(oe.MakespanProblem):
        def metrics(self, x):
            raise ZeroDivisionError("no metrics")

    assert oe.compare(Odd(SMALL.times), ["lpt"]).runs["message"].tolist() == [
        "ZeroDivisionError: no metrics"
    ]

    def odd_object(problem, run):
        run.offer(np.zeros(4, dtype=complex).astype(object), 8.0)

    runs = oe.compare(SMALL, [odd_object, "lpt"], seeds=1, store=tmp_path / "s.sqlite").runs
    assert runs["status"].tolist() == ["ERROR", "FEASIBLE"]


def test_an_instance_is_written_once_and_a_run_once(tmp_path):
    """Many seeds share one document; a run that another process kept first is left as it is."""
    store = tmp_path / "s.sqlite"
    oe.compare([SMALL, OTHER], ["random", "lpt"], seeds=4, max_evaluations=5, store=store)
    base = sqlite3.connect(store)
    assert base.execute("SELECT count(*) FROM problems").fetchone() == (2,)
    assert base.execute("SELECT count(*) FROM setups").fetchone() == (2,)
    first = base.execute("SELECT id, problem, setup, seed FROM runs").fetchone()
    base.close()
    with Store(store) as kept:
        row = next(iter(kept.rows([first[0]])))[1]
        other = row._replace(objective=-1.0)
        assert kept.put(first[1], first[2], int(first[3]), other, b"") == first[0]
        assert len(kept) == 10
        assert next(iter(kept.rows([first[0]])))[1] == row


def test_rows_keep_what_json_and_sqlite_have_no_word_for(tmp_path):
    """NaN, infinities, a large seed and numbers of NumPy come back as they were."""
    with Store(tmp_path / "s.sqlite") as kept:
        problem, setup = kept.problem_number(SMALL), kept.setup_number("own", {"solver": "own"})
        metrics = {"a": math.inf, "b": np.float64(0.1), "c": np.int64(3), "d": math.nan}
        row = Row("UNKNOWN", "converged", metrics=metrics)
        number = kept.put(problem, setup, 2**100, row, b"{}")
        assert kept.find(problem, setup, 2**100) == number
        found = dict(kept.rows([number]))[number]
    assert found[:5] == row[:5]
    assert math.isnan(found.runtime)
    assert found.metrics["a"] == math.inf
    assert math.isnan(found.metrics["d"])
    assert (found.metrics["b"], found.metrics["c"]) == (0.1, 3)


def test_sources_and_versions_are_looked_up_once_a_study(tmp_path, monkeypatch):
    """Not once a run: reading package metadata takes longer than a tiny run."""
    asked = []
    monkeypatch.setattr(tasks, "version", lambda name: asked.append(name) or "0")
    solvers = [("random", {"draws": 1}), "lpt"]
    oe.compare([SMALL, OTHER], solvers, seeds=9, store=tmp_path / "s.sqlite")
    assert len(asked) == 2


# ------------------------------------------------------------------------- side by side


class Threads:
    """A pool of threads in which a run may hand back the rest of its batch, or die."""

    deaths = (ChildProcessError,)

    def __init__(self, size, mortal=()):
        self.executor, self.size, self.mortal = ThreadPoolExecutor(2), size, set(mortal)
        self.batches, self.prepared = [], []

    def width(self):
        """Return three batches."""
        return 3

    def prepare(self, call):
        """Note the call."""
        self.prepared.append(call.place)

    def submit(self, calls, job):
        """Run the first few of the batch."""
        self.batches.append([call.place for call in calls])
        return self.executor.submit(self.batch, calls)

    def batch(self, calls):
        """Run them, unless one of them is deadly."""
        if self.mortal & {call.place for call in calls}:
            raise ChildProcessError("died")
        return [Done(call.place, Row("FEASIBLE")) for call in calls[: self.size]]


def calls_of(number):
    """Return that many calls, and a list of those that were asked for."""
    asked = []

    def drawn():
        for place in range(number):
            asked.append(place)
            yield Call(place, SMALL, None, {}, 0)

    return drawn(), asked


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_call_is_run_once_however_batches_are_cut(size):
    """What a batch hands back goes into a later one; batches are as long as the last ones allow."""
    calls, _ = calls_of(700)
    pool = Threads(size)
    done = [one.place for one in side_by_side(calls, None, pool)]
    assert sorted(done) == pool.prepared == list(range(700))
    assert max(map(len, pool.batches)) <= min(2 * size, MOST)


def test_no_more_is_asked_for_than_the_taker_has_room_for():
    """Who takes one result and waits finds three batches under way, not the whole study."""
    calls, asked = calls_of(10_000)
    running = side_by_side(calls, None, Threads(10))
    next(running)
    time.sleep(0.1)
    assert len(asked) <= 3 * 20
    assert sum(1 for _ in running) == 9_999


def test_a_run_that_kills_its_process_is_an_error_and_takes_no_other_with_it():
    """The runs of its batch are tried again one at a time."""
    calls, _ = calls_of(300)
    done = list(side_by_side(calls, None, Threads(1000, mortal={3, 77, 299})))
    assert sorted(one.place for one in done) == list(range(300))
    bad = {one.place: one.row for one in done if one.row.status == "ERROR"}
    assert sorted(bad) == [3, 77, 299]
    assert bad[77].message == "ChildProcessError: died"


def suicidal(problem, run):
    """End the process without a word, as a library may, on one of the instances."""
    if problem.name == "p1":
        os.kill(os.getpid(), signal.SIGKILL)
    return [0, 0, 0]


@pytest.mark.slow
def test_a_worker_process_that_dies_is_an_error_row():
    """The other runs are done by other processes."""
    study = oe.compare([small_problem(k) for k in range(4)], [suicidal], seeds=2, n_jobs=2)
    died = study.runs["status"] == "ERROR"
    assert study.runs["instance"][died].tolist() == ["p1", "p1"]
    assert study.runs["message"][died].str.startswith("TerminatedWorkerError").all()
    assert len(study.runs) == 8


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_interrupt_while_writing_returns_the_finished_rows(tmp_path, monkeypatch, n_jobs):
    """Ctrl-C in the writer: what is in the store is in the table, and the study can be resumed."""
    put = Store.put

    def third_time(self, *row):
        if len(self) == 3:
            raise KeyboardInterrupt
        return put(self, *row)

    study = functools.partial(
        oe.compare, SMALL, [first_server], seeds=9, n_jobs=n_jobs, store=tmp_path / "s.sqlite"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", third_time)
        assert len(study().runs) == 3
    assert len(study().runs) == 9


# ------------------------------------------------------------------------------ a cluster


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"backend": "spark"}, ValueError, "backend must be one of"),
        ({"address": "tcp://a:1"}, ValueError, 'address is that of a cluster: it needs backend="d'),
    ],
)
def test_wrong_backends_are_refused(arguments, error, words):
    """Before anything runs."""
    with pytest.raises(error, match=words):
        oe.compare(SMALL, ["lpt"], **arguments)


def test_dask_that_is_not_installed_is_named(monkeypatch):
    """With the extra that has it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"optedge\[dist\]"):
        oe.compare(SMALL, ["lpt"], backend="dask")


def test_a_cluster_that_is_not_there_is_named(monkeypatch):
    """Neither a client nor an answer at the address."""
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match="needs a cluster: give its address, or make a dask"):
        oe.compare(SMALL, ["lpt"], backend="dask")
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(ConnectionError, match=f"no dask scheduler answers at '{address}': "):
            oe.compare(SMALL, ["lpt"], backend="dask", address=address)


@pytest.fixture(scope="module")
def client():
    """Return a client of two workers on this machine, each a process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


def test_a_cluster_gives_the_rows_of_one_process(client, tmp_path):
    """A closure and a function, over the client that is there and at an address."""
    shift = 1

    def shifted(problem, run):
        return (np.arange(problem.n_tasks) + shift) % problem.n_servers

    solvers, problems = [shifted, first_server, broken], [SMALL, OTHER]
    here = oe.compare(problems, solvers, seeds=2).runs
    there = oe.compare(problems, solvers, seeds=2, backend="dask").runs
    stored = oe.compare(
        iter(problems),
        solvers,
        seeds=2,
        store=tmp_path / "s.sqlite",
        backend="dask",
        address=client.scheduler.address,
    ).runs
    columns = ["instance", "solver", "seed", "status", "objective", "bound", "message"]
    assert here[columns].equals(there[columns])
    assert here[columns].equals(stored[columns])


def test_a_worker_without_the_package_or_with_another_version_is_named(client, monkeypatch):
    """Before anything is sent to it."""

    def hide(name):
        sys.modules[name] = None

    def show(name):
        del sys.modules[name]

    worker = next(iter(client.run(os.getpid)))
    client.run(hide, "optedge.study", workers=[worker])
    with pytest.raises(ImportError, match=f"the dask worker {worker} cannot import optedge: "):
        oe.compare(SMALL, ["lpt"], backend="dask")
    client.run(show, "optedge.study", workers=[worker])
    monkeypatch.setattr(cluster, "version", lambda name: "7.0")
    with pytest.raises(ValueError, match=r"has optedge .*, here it is 7\.0; install the same"):
        oe.compare(SMALL, ["lpt"], backend="dask")


def test_a_killed_worker_of_a_cluster_loses_no_row(client, tmp_path):
    """Its runs are done by another one; each is kept once."""

    def slow(problem, run):
        time.sleep(0.02)
        return [0] * problem.n_tasks

    victim = next(iter(client.run(os.getpid).values()))
    killer = threading.Timer(0.4, os.kill, (victim, signal.SIGKILL))
    killer.start()
    runs = oe.compare(
        SMALL, [slow], seeds=80, bound=False, store=tmp_path / "s.sqlite", backend="dask"
    ).runs
    killer.join()
    assert runs["seed"].tolist() == list(range(80))
    assert runs["status"].eq("FEASIBLE").all()
    with Store(tmp_path / "s.sqlite") as kept:
        assert len(kept) == 80


@pytest.mark.slow
def test_a_cluster_that_is_lost_on_the_way_is_an_error_and_its_rows_are_kept(tmp_path):
    """The scheduler goes with all workers: the study can be resumed elsewhere."""
    distributed = pytest.importorskip("distributed")
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    )

    def drawn():
        for k in range(1000):
            if k == 30:
                local.close()
            yield small_problem(k)

    def slow(problem, run):
        time.sleep(0.1)
        return [0] * problem.n_tasks

    with pytest.raises(ConnectionError, match="the dask cluster was lost in the middle"):
        oe.compare(
            drawn(),
            [slow],
            seeds=1,
            bound=False,
            store=tmp_path / "s.sqlite",
            backend="dask",
            address=local.scheduler_address,
        )
    with Store(tmp_path / "s.sqlite") as kept:
        assert len(kept) > 0

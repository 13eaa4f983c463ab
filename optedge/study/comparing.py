"""Many runs: problems x solvers x seeds, on one clock, against the best proved bounds."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from optedge.formulations.base import Problem
from optedge.solvers.result import OPTIMAL_GAP
from optedge.store import Row, Store
from optedge.study.outcomes import Outcomes
from optedge.study.pools import Pool, Processes, in_turn, side_by_side
from optedge.study.runs import Call, Done, Job
from optedge.study.table import Study
from optedge.study.tasks import (
    Entry,
    Plan,
    Task,
    check_problem,
    enter_setups,
    listed,
    make_instance,
    make_seeds,
    make_setups,
)

BACKENDS = ("processes", "dask")


def compare(
    problems: Problem | Iterable[Problem | tuple[Problem, Mapping[str, Any]]],
    solvers: Entry | Iterable[Entry | tuple[Entry, Mapping[str, Any]]],
    *,
    seeds: int | Iterable[int] = 5,
    time_limit: float = 10.0,
    max_evaluations: int | None = None,
    target_gap: float = OPTIMAL_GAP,
    threads: int = 1,
    bound: bool = True,
    n_jobs: int = 1,
    store: str | Path | None = None,
    display: bool = False,
    backend: Literal["processes", "dask"] = "processes",
    address: str | None = None,
) -> Study:
    """Run every solver on every instance with every seed.

    Parameters
    ----------
    problems
        Instances; one may stand in a pair with a dict, whose entries become columns of the table.
        An iterator is asked for the next one when there is room for its runs; with a store no
        problem is then held longer than they take.
    solvers
        Names or functions ``f(problem, run)``; one may stand in a pair with a dict of options.
    seeds
        The seeds, or how many (5 means 0 to 4). A deterministic solver runs once per instance.
    time_limit, max_evaluations, target_gap, threads, bound
        As for :func:`optedge.solve`, for each run.
    n_jobs
        Runs at the same time, each in a process of its own (-1: one a core); a cluster has as many
        as it has workers.
    store
        An SQLite file that keeps every finished run: a study that was killed resumes there and
        repeats nothing. A run is known by its instance, solver and its source, options, seed,
        budgets and the version of this package; runs that failed are tried again. Results are read
        from the file when they are asked for; without a store they stay in memory.
    display
        Whether to show progress.
    backend
        ``"processes"`` on this machine, or the workers of a ``"dask"`` cluster (extra ``dist``).
        They need this package in the same version; start them with one thread each, for a worker
        runs one task at a time. Runs of a worker that is lost go to another one. Bounds are
        computed, and the store is written, by this process alone.
    address
        Of the cluster's scheduler; if left out, the dask client that this process has.

    Returns
    -------
    Study
        A run that fails is a row ERROR, one that a solver declines a row SKIPPED. What is asked for
        twice is run once and has two rows. Ctrl-C returns the rows that are finished.

    Raises
    ------
    ValueError, TypeError
        If a solver, an option or a backend does not exist, before anything runs; if a problem is
        none, or two solvers of one name do not do the same and there is a store; if ``store`` is no
        store or one of another version; if there is no cluster, or one of another version.
    ImportError, ConnectionError
        If dask is not installed here or this package not there; if no cluster answers, or if it is
        lost on the way.

    Examples
    --------
    A study over several machines, more than memory holds; ``dask scheduler`` and ``dask worker
    ADDRESS --nthreads 1`` make a cluster:

    >>> import optedge as oe
    >>> drawn = (oe.papers.edge_learning.instance(stage=3, n_tasks=n) for n in range(50, 5000))
    >>> oe.compare(  # doctest: +SKIP
    ...     drawn,
    ...     ["local-search", "annealing"],
    ...     store="study.sqlite",
    ...     backend="dask",
    ...     address="tcp://10.0.0.1:8786",
    ... ).summary()
    """
    _check_backend(backend, address)
    budgets = {
        "time_limit": float(time_limit),
        "max_evaluations": max_evaluations,
        "target_gap": target_gap,
        "threads": threads,
        "bound": bound,
    }
    # What a solver is called and what is no problem at all is said before a store is made.
    setups = make_setups(solvers)
    numbers = make_seeds(seeds)
    if isinstance(problems, Collection):
        for problem, _ in listed(problems):
            check_problem(problem)
    with contextlib.ExitStack() as stack:
        kept = None if store is None else stack.enter_context(Store(Path(store).absolute()))
        if kept is not None:
            enter_setups(setups, budgets, kept)
        plan = Plan(setups, numbers)
        ledger = _Ledger(plan, kept, stack.enter_context(_progress(display, problems, plan)))
        job = Job(budgets, encoded=kept is not None)
        with contextlib.suppress(KeyboardInterrupt), _pool(backend, address, n_jobs) as pool:
            calls = ledger.calls(problems, bound=bound and pool is not None)
            running = in_turn(calls, job) if pool is None else side_by_side(calls, job, pool)
            with contextlib.closing(running):
                for done in running:
                    ledger.take(done)
        return ledger.study()


def _check_backend(backend: str, address: str | None) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}.")
    if address is not None and backend != "dask":
        raise ValueError(f'address is that of a cluster: it needs backend="dask", got {backend!r}.')


@contextlib.contextmanager
def _pool(backend: str, address: str | None, n_jobs: int) -> Iterator[Pool | None]:
    """Yield where runs go side by side; None if they run here, one after the other."""
    if backend == "dask":
        from optedge.study.cluster import Cluster

        with Cluster(address) as cluster:
            yield cluster
        return
    processes = 1
    if n_jobs != 1:
        from joblib import effective_n_jobs

        processes = effective_n_jobs(n_jobs)
    if processes == 1:
        yield None
        return
    with Processes(processes) as pool:
        yield pool


class _Ledger:
    """Which tasks are still to be run, and what became of the others."""

    def __init__(self, plan: Plan, kept: Store | None, tick: Callable[[], None]) -> None:
        self._plan, self._kept, self._tick = plan, kept, tick
        self._outcomes = Outcomes(plan, None if kept is None else kept.path)
        self._places = 0

    def calls(self, problems: Any, bound: bool) -> Iterator[Call]:
        """Yield the tasks that have to be run; the others are known already.

        The bound of an instance is computed here, if at all, and not in every worker.
        """
        hold = isinstance(problems, Problem | Collection)  # the caller holds them in any case
        for problem, columns in listed(problems):
            instance = make_instance(problem, columns, self._kept, hold)
            bounded = not bound
            for place in self._plan.add(instance):
                self._places += 1
                task = self._plan.task(place)
                if self._plan.original(place) != place or self._is_known(place, task, problem):
                    self._tick()
                    continue
                if not bounded:
                    bounded = True
                    with contextlib.suppress(Exception):  # the run itself will say so
                        problem.best_cheap_bound()
                yield Call(place, problem, task.solver, task.options, task.seed)

    def _is_known(self, place: int, task: Task, problem: Problem) -> bool:
        """Tell whether a task needs no run: it is declined, or in the store."""
        why = _declined(task, problem)
        if why:
            self._outcomes.hold(place, Row("SKIPPED", message=why))
            return True
        if self._kept is None:
            return False
        number = self._kept.find(task.instance.number, task.setup.number, task.seed)
        if number:
            self._outcomes.number(place, number)
        return number > 0

    def take(self, done: Done) -> None:
        """Keep what came back; KeyboardInterrupt if the run was interrupted itself."""
        task = self._plan.task(done.place)
        if done.document is not None and self._kept is not None:
            numbers = (task.instance.number, task.setup.number, task.seed)
            number = self._kept.put(*numbers, done.row, done.document)
            self._outcomes.number(done.place, number)
        else:
            result = done.result
            if result is not None:  # from a worker it came without its problem
                result = dataclasses.replace(result, problem=task.problem)
            self._outcomes.hold(done.place, done.row, result)
        self._tick()
        if done.row.stop_reason == "interrupted":
            raise KeyboardInterrupt

    def study(self) -> Study:
        """Return the study of all that is known."""
        self._outcomes.finish(self._places)
        return Study(self._outcomes)


def _declined(task: Task, problem: Problem) -> str | None:
    """Return why a solver will not take an instance; None if it will."""
    solver = task.solver
    misfit = solver.misfit(problem)
    if misfit or solver.declines is None:
        return misfit
    why = solver.refusal(problem, solver.make_options(task.options))
    return f"{solver.name} declines: {why}" if why else None


@contextlib.contextmanager
def _progress(display: bool, problems: Any, plan: Plan) -> Iterator[Callable[[], None]]:
    """Yield a function to call at each finished run; it moves a bar if ``display``."""
    if not display:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    total: int | None = None  # an iterator does not tell
    if isinstance(problems, Problem | Collection):
        total = sum(1 for _ in listed(problems)) * len(plan.pairs)
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        job = bar.add_task("runs", total=total)
        yield lambda: bar.advance(job)

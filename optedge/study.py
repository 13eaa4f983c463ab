"""Many runs: problems x solvers x seeds, on one clock, against the best proved bounds."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optedge.formulations.base import Problem
from optedge.solvers.front import solve
from optedge.solvers.registry import Solver, find_solver
from optedge.solvers.result import OPTIMAL_GAP, Result, relative_gap
from optedge.store import Store

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("optedge")

Entry = str | Solver | Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One run of a study: an instance, a solver with options, a seed, and columns to show."""

    problem: Problem
    solver: Solver
    options: Mapping[str, Any]
    seed: int
    columns: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The solver with the options that it was given."""
        if not self.options:
            return self.solver.name
        return f"{self.solver.name}({', '.join(f'{k}={v}' for k, v in self.options.items())})"


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a task: a result, or a sentence on why there is none.

    ``state`` is ``"done"``, ``"ERROR"`` (the solver raised) or ``"SKIPPED"`` (it declined).
    """

    task: Task
    state: str
    result: Result | None = None
    message: str = ""


class Study:
    """The outcomes of :func:`compare`.

    Parameters
    ----------
    outcomes
        One a task, in the order of problems, solvers, seeds.
    """

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = list(outcomes)

    @property
    def results(self) -> list[Result]:
        """The results of all runs that finished."""
        return [o.result for o in self.outcomes if o.result is not None]

    @functools.cached_property
    def best_bounds(self) -> dict[str, float]:
        """The largest proved bound of each instance (by its key) over all runs."""
        best: dict[str, float] = {}
        for result in self.results:
            key = result.problem.key
            best[key] = max(best.get(key, -math.inf), result.bound)
        return best

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """One row a run: instance, solver, seed, status, objective, bound, gap, seconds, ...

        ``gap`` is to the bound of the run itself, ``gap_to_best`` to the best proved bound of the
        instance over all runs. Columns given beside the problems and the problem's metrics follow.
        """
        import pandas as pd

        return pd.DataFrame([self._row(o) for o in self.outcomes])

    def _row(self, outcome: Outcome) -> dict[str, Any]:
        task, result = outcome.task, outcome.result
        best = self.best_bounds.get(task.problem.key, -math.inf)
        row: dict[str, Any] = {
            "instance": task.problem.label,
            **task.columns,
            "solver": task.label,
            "seed": task.seed,
            "status": outcome.state if result is None else str(result.status),
            "stop_reason": "" if result is None else result.stop_reason,
            "objective": math.inf if result is None else result.objective,
            "bound": -math.inf if result is None else result.bound,
            "gap": math.inf if result is None else result.gap,
            "best_bound": best,
            "gap_to_best": math.inf if result is None else relative_gap(result.objective, best),
            "proof": "none" if result is None else result.proof,
            "runtime": math.nan if result is None else result.runtime,
            "evaluations": 0 if result is None else result.evaluations,
            "message": outcome.message,
        }
        if result is not None:
            row["compile_seconds"] = result.info.get("compile_seconds", math.nan)
            row["bound_seconds"] = result.info.get("bound_seconds", math.nan)
            if result.solution is not None:
                row.update(task.problem.metrics(result.solution))
        return row

    def summary(self, by: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table of all solvers, best median first.

        Parameters
        ----------
        by
            Column or columns of :attr:`runs` to divide by, before the solver.

        Returns
        -------
        pandas.DataFrame
            Per solver: runs, how many found a solution, how many are proved optimal, the median,
            mean and worst gap to the best proved bound of the instance (``inf`` for a run without
            a solution), median seconds and evaluations, and how many were skipped or failed.
        """
        import pandas as pd

        groups = [*([by] if isinstance(by, str) else by or []), "solver"]
        rows = []
        for key, part in self.runs.groupby(groups, sort=False):
            ran = part[~part["status"].isin(["SKIPPED", "ERROR"])]
            gaps = ran["gap_to_best"]
            rows.append(
                {
                    **dict(zip(groups, key if isinstance(key, tuple) else (key,), strict=True)),
                    "runs": len(ran),
                    "solved": int(ran["objective"].lt(math.inf).sum()),
                    "optimal": int(gaps.le(OPTIMAL_GAP).sum()),
                    "gap_median": gaps.median() if len(ran) else math.nan,
                    "gap_mean": gaps.mean() if len(ran) else math.nan,
                    "gap_worst": gaps.max() if len(ran) else math.nan,
                    "seconds_median": ran["runtime"].median(),
                    "evaluations_median": ran["evaluations"].median(),
                    "skipped": int(part["status"].eq("SKIPPED").sum()),
                    "errors": int(part["status"].eq("ERROR").sum()),
                }
            )
        table = pd.DataFrame(rows)
        return table.sort_values([*groups[:-1], "gap_median"], kind="stable", ignore_index=True)


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
) -> Study:
    """Run every solver on every instance with every seed.

    Parameters
    ----------
    problems
        Instances; one may stand in a pair with a dict, whose entries become columns of the table.
    solvers
        Names or functions ``f(problem, run)``; one may stand in a pair with a dict of options.
    seeds
        The seeds, or how many (5 means 0 to 4). A deterministic solver runs once per instance.
    time_limit, max_evaluations, target_gap, threads, bound
        As for :func:`optedge.solve`, for each run.
    n_jobs
        Runs at the same time, each in a process of its own (-1: one a core).
    store
        An SQLite file that keeps every finished run: a study that was killed resumes there and
        repeats nothing. A run is known by its instance, solver and its source, options, seed,
        budgets and the version of this package; runs that failed are tried again.
    display
        Whether to show progress.

    Returns
    -------
    Study
        A run that fails is a row ERROR, one that a solver declines a row SKIPPED. Ctrl-C returns
        the rows that are finished.

    Raises
    ------
    ValueError, TypeError
        If a solver or an option does not exist, before anything runs; if ``store`` is no store or
        one of another version.
    """
    tasks = list(_tasks(_listed(problems), _listed(solvers), _seeds(seeds)))
    budgets = {
        "time_limit": float(time_limit),
        "max_evaluations": max_evaluations,
        "target_gap": target_gap,
        "threads": threads,
        "bound": bound,
    }
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(Store(store)) if store is not None else None
        tick = stack.enter_context(_progress(display, len(tasks)))
        outcomes: dict[int, Outcome] = {}
        waiting = []
        for index, task in enumerate(tasks):
            known = _known(task, kept, budgets)
            if known is None:
                waiting.append(index)
            else:
                outcomes[index] = known
                tick()
        with contextlib.suppress(KeyboardInterrupt):
            for index, outcome in _run_all(tasks, waiting, budgets, n_jobs):
                outcomes[index] = outcome
                result = outcome.result
                interrupted = result is not None and result.stop_reason == "interrupted"
                if kept is not None and result is not None and not interrupted:
                    kept.put(_settings(tasks[index], budgets), result)
                tick()
                if interrupted:
                    break
    return Study([outcomes[index] for index in sorted(outcomes)])


# ------------------------------------------------------------------------------ the tasks


def _listed(things: Any) -> list[tuple[Any, Mapping[str, Any]]]:
    """Return (thing, dict) pairs of one thing or several, paired or not."""
    single = isinstance(things, Problem | str | Solver) or callable(things)
    pairs = []
    for thing in [things] if single else things:
        pairs.append(thing if isinstance(thing, tuple) else (thing, {}))
    return pairs


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen:
        raise ValueError("seeds must be at least one.")
    return chosen


def _tasks(
    problems: list[tuple[Any, Mapping[str, Any]]],
    solvers: list[tuple[Any, Mapping[str, Any]]],
    seeds: list[int],
) -> Iterator[Task]:
    for problem, _ in problems:
        if not isinstance(problem, Problem):
            raise TypeError(f"a problem is expected, such as oe.MakespanProblem, got {problem!r}.")
    chosen = [(find_solver(entry), dict(options)) for entry, options in solvers]
    for solver, options in chosen:
        solver.make_options(options)  # a wrong option is an error of the study, not of one run
    for problem, columns in problems:
        for solver, options in chosen:
            for seed in seeds[:1] if solver.deterministic else seeds:
                yield Task(problem, solver, options, seed, dict(columns))


def _known(task: Task, kept: Store | None, budgets: Mapping[str, Any]) -> Outcome | None:
    """Return what is known of a task without running it: it is declined, or in the store."""
    if not task.solver.accepts(task.problem):
        name = type(task.problem).__name__
        return Outcome(task, "SKIPPED", message=f"{task.solver.name} is not made for {name}.")
    if task.solver.declines is not None:
        why = task.solver.declines(task.problem, task.solver.make_options(task.options))
        if why:
            return Outcome(task, "SKIPPED", message=f"{task.solver.name} declines: {why}")
    result = kept.get(_settings(task, budgets)) if kept is not None else None
    if result is None:
        return None
    return Outcome(task, "done", dataclasses.replace(result, problem=task.problem))


def _settings(task: Task, budgets: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the outcome of a run depends on."""
    return {
        "instance": task.problem.key,
        "solver": task.solver.name,
        "source": task.solver.source_hash,
        "options": {name: repr(value) for name, value in sorted(task.options.items())},
        "seed": task.seed,
        "budgets": {name: repr(value) for name, value in sorted(budgets.items())},
        "version": version("optedge"),
    }


# ------------------------------------------------------------------------------ running


def _run_all(
    tasks: list[Task], waiting: list[int], budgets: Mapping[str, Any], n_jobs: int
) -> Iterator[tuple[int, Outcome]]:
    """Run the waiting tasks and yield each outcome as soon as it is there."""
    if n_jobs == 1:
        for index in waiting:
            yield index, _run_one(tasks[index], budgets)
        return
    from joblib import Parallel, delayed

    _compile_in_advance(tasks, waiting)
    calls = (
        delayed(_run_in_worker)(index, _bounded(tasks[index], budgets), budgets)
        for index in waiting
    )
    with Parallel(n_jobs=n_jobs, return_as="generator_unordered") as pool:
        for index, outcome in pool(calls):
            result = outcome.result
            if result is not None:  # the instance was not sent back
                result = dataclasses.replace(result, problem=tasks[index].problem)
            yield index, dataclasses.replace(outcome, task=tasks[index], result=result)


def _run_one(task: Task, budgets: Mapping[str, Any]) -> Outcome:
    """Run one task; an exception of the solver becomes its outcome."""
    try:
        result = solve(task.problem, task.solver, seed=task.seed, **budgets, **task.options)
    except Exception as error:
        _log.info("%s failed on %s", task.label, task.problem.label, exc_info=True)
        return Outcome(task, "ERROR", message=f"{type(error).__name__}: {error}")
    return Outcome(task, "done", result)


def _run_in_worker(index: int, task: Task, budgets: Mapping[str, Any]) -> tuple[int, Outcome]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        outcome = _run_one(task, budgets)
    bare: Any = None
    light = dataclasses.replace(task, problem=bare)
    result = outcome.result
    if result is not None:
        result = dataclasses.replace(result, problem=bare)
    return index, dataclasses.replace(outcome, task=light, result=result)


def _bounded(task: Task, budgets: Mapping[str, Any]) -> Task:
    """Return the task; the bound of its instance is computed here, not in every worker."""
    if budgets["bound"]:
        task.problem.best_cheap_bound()
    return task


def _compile_in_advance(tasks: list[Task], waiting: list[int]) -> None:
    """Compile the kernels of each searching solver once, so that the workers find them on disk."""
    seen = set()
    for index in waiting:
        task = tasks[index]
        kind = (task.solver.name, type(task.problem))
        if task.solver.kind == "metaheuristic" and kind not in seen:
            seen.add(kind)
            with contextlib.suppress(Exception):  # it will be reported by the run itself
                solve(task.problem, task.solver, max_evaluations=1000, bound=False, **task.options)


@contextlib.contextmanager
def _progress(display: bool, total: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call at each finished run; it moves a bar if ``display``."""
    if not display:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        job = bar.add_task("runs", total=total)
        yield lambda: bar.advance(job)

"""The front door: ``solve`` makes the run, calls the solver, and trusts nothing that it says."""

from __future__ import annotations

import dataclasses
import importlib
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optedge.formulations.base import Bound, Problem
from optedge.formulations.base.contract import value_of, wrong_choices
from optedge.solvers.registry import Options, Solver, find_solver
from optedge.solvers.result import OPTIMAL_GAP, Result, SolverError, Status, relative_gap
from optedge.solvers.run import Run

_log = logging.getLogger("optedge")

MODELLING = ("pyomo.environ", "optedge.bridge")
AGREEMENT = 1e-6  # relative difference between two values of one solution


def solve(
    problem: Problem,
    solver: str | Solver | Callable[..., Any],
    *,
    seed: int = 0,
    time_limit: float = 60.0,
    max_evaluations: int | None = None,
    target_gap: float = OPTIMAL_GAP,
    threads: int = 1,
    callback: Callable[[Run], Any] | None = None,
    display: bool = False,
    start: Any = None,
    bound: bool = True,
    **options: Any,
) -> Result:
    """Run one solver on one instance and return its solution with a proved gap.

    Parameters
    ----------
    problem
        The instance.
    solver
        The name of a registered solver (``oe.list_solvers(problem)``), or a function
        ``f(problem, run)`` that offers solutions to the run or returns one.
    seed
        Seed of the only source of chance, a non-negative integer. The same seed and evaluation
        budget give the same history but for its seconds.
    time_limit
        Seconds that the solver may take, compilation not counted; ``inf`` for none.
    max_evaluations
        Candidates that it may price; None for no limit.
    target_gap
        The run may stop at this relative gap.
    threads
        Threads that HiGHS may use.
    callback
        Called with the run between steps; returning True stops it.
    display
        Whether to show a line of progress.
    start
        A solution to start from, for solvers that can.
    bound
        Whether to attach the best bound that is cheap to compute (once per instance).
    **options
        Options of the solver.

    Returns
    -------
    Result
        The best solution found, the largest proved bound and the gap between them. Ctrl-C
        returns what was found so far.

    Raises
    ------
    ValueError
        If there is no solver of that name, if it declines this instance (the sentence says why),
        or if a number is out of its range.
    TypeError
        If the solver is not made for this class of problem, or has no such option.
    SolverError
        If the solver's own value of its solution differs from the problem's by more than 1e-6, or
        if a bound that it claims exceeds its own solution by more.
    """
    chosen, typed = _prepare(problem, solver, options)
    _check_budgets(seed, time_limit, max_evaluations, target_gap, threads)
    if start is not None and problem.violations(start):
        raise ValueError(f"start: {problem.violations(start)[0]}")
    # Half a second the first time: not the solver's.
    for library in (*problem.imports, *(MODELLING if "model" in chosen.needs else ())):
        importlib.import_module(library)
    attached, interrupted = _attach(problem, bound)

    with _progress(display, chosen.name) as progress:
        run = Run(
            problem,
            seed=seed,
            time_limit=time_limit,
            max_evaluations=max_evaluations,
            target_gap=target_gap,
            threads=threads,
            callback=callback,
            start=start,
            attached=attached,
            progress=progress,
        )
        if interrupted:
            run.stop("interrupted")
        else:
            _execute(problem, chosen, typed, run)
    result = _result(problem, chosen, typed, run, seed, attached)
    _log.info("%r", result)
    return result


def _prepare(
    problem: Problem, solver: str | Solver | Callable[..., Any], options: Mapping[str, Any]
) -> tuple[Solver, Options | None]:
    """Return solver and options if they fit the problem."""
    if not isinstance(problem, Problem):
        raise TypeError(f"a problem is expected, such as oe.MakespanProblem, got {problem!r}.")
    chosen = find_solver(solver)
    misfit = chosen.misfit(problem)
    if misfit:
        raise TypeError(misfit)
    wrong = wrong_choices(problem) if "code" in problem.offers else None
    if wrong and chosen.needs & {"code", "enumerable", "partial", "merges"}:
        raise ValueError(wrong)
    typed = chosen.make_options(options)
    declined = chosen.refusal(problem, typed)
    if declined:
        raise ValueError(f"{chosen.name} declines {problem.label}: {declined}")
    return chosen, typed


def _check_budgets(
    seed: int, time_limit: float, max_evaluations: int | None, target_gap: float, threads: int
) -> None:
    if not _is_whole(seed, 0):
        raise ValueError(f"seed must be a non-negative integer, got {seed!r}.")
    if not time_limit >= 0:
        raise ValueError(f"time_limit must be a number of seconds, at least 0, got {time_limit!r}.")
    if max_evaluations is not None and not _is_whole(max_evaluations, 1):
        raise ValueError(
            f"max_evaluations must be an integer, at least 1, got {max_evaluations!r}."
        )
    if not target_gap >= 0:
        raise ValueError(f"target_gap must be at least 0, got {target_gap!r}.")
    if not _is_whole(threads, 1):
        raise ValueError(f"threads must be an integer, at least 1, got {threads!r}.")


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int | np.integer) and value is not True and int(value) >= least


def _attach(problem: Problem, wanted: bool) -> tuple[Bound | None, bool]:
    """Return the bound to attach, and whether Ctrl-C came while it was computed."""
    try:
        return problem.best_cheap_bound() if wanted else None, False
    except KeyboardInterrupt:
        return None, True


def _progress(display: bool, label: str) -> Any:
    """Return a context manager that gives the run's progress hook, or None to stay silent."""
    import contextlib

    if not display:
        return contextlib.nullcontext(None)
    from optedge.solvers.progress import progress_line

    return progress_line(label)


def _execute(problem: Problem, solver: Solver, options: Options | None, run: Run) -> None:
    """Call the solver; a proof that there is no solution and Ctrl-C end it early."""
    if run.bound == math.inf:
        run.declare_infeasible(problem.explain())
        return
    try:
        returned = solver.run(problem, options, run)
        if returned is not None and run.evaluate(returned) == math.inf:
            run.refuse(returned)
        run.done()  # a gap that closed with the last offer
    except KeyboardInterrupt:
        run.stop("interrupted")
    run.stop("converged")


def _result(
    problem: Problem,
    solver: Solver,
    options: Options | None,
    run: Run,
    seed: int,
    attached: Bound | None,
) -> Result:
    """Recompute the objective, check the claims, and put the result together."""
    objective = math.inf if run.solution is None else value_of(problem, run.solution)
    if run.solution is not None and not _agree(objective, run.objective):
        raise SolverError(_disagreement(problem, solver, run, objective))
    bound = run.bound
    if bound > objective:
        if not _agree(bound, objective):
            raise SolverError(_too_high(problem, solver, run, objective, attached))
        bound = objective
    if run.infeasible:
        status = Status.INFEASIBLE
    elif run.solution is None:
        status = Status.UNKNOWN
    else:
        proved = relative_gap(objective, bound) <= OPTIMAL_GAP
        status = Status.OPTIMAL if proved else Status.FEASIBLE
    seconds = 0.0 if attached is None else attached.seconds
    return Result(
        problem=problem,
        solver=solver.name,
        status=status,
        stop_reason=run.stop_reason,
        objective=objective,
        bound=bound,
        proof=run.proof,
        solution=run.solution,
        certificate=run.certificate,
        runtime=run.seconds,
        evaluations=run.evaluations,
        seed=int(seed),
        options={} if options is None else dataclasses.asdict(options),
        history=run.history,
        info={**run.info, "compile_seconds": run.compile_seconds, "bound_seconds": seconds},
    )


def _disagreement(problem: Problem, solver: Solver, run: Run, objective: float) -> str:
    """Say who is wrong about the value of the final solution: the solver, or the problem itself."""
    name = type(problem).__name__
    if run.code is None:
        return (
            f"{solver.name} valued its solution {run.objective!r}, the problem says {objective!r}."
        )
    return (
        f"{name} contradicts itself: costs says {run.objective!r} for the code "
        f"{run.code.tolist()}, objective says {objective!r} for its decode."
    )


def _too_high(
    problem: Problem, solver: Solver, run: Run, objective: float, attached: Bound | None
) -> str:
    """Say whose bound lies above a solution: that of the problem, its model's, or the solver's."""
    name = type(problem).__name__
    if attached is not None and attached.value == run.bound:
        return (
            f"{name} contradicts itself: its bound {attached.name} is {run.bound!r}, but a "
            f"solution of {objective!r} exists."
        )
    claim = f"{solver.name} claims the bound {run.bound!r} above {objective!r}"
    if "model" in solver.needs:
        return f"{claim}: the model of {name} and its objective disagree."
    return f"{claim}."


def _agree(a: float, b: float) -> bool:
    if not (math.isfinite(a) and math.isfinite(b)):
        return a == b
    return abs(a - b) <= AGREEMENT * max(abs(a), abs(b), 1e-9)

r"""The pipeline's makespan bounded on finer and finer grids of times.

A grid of counts refutes an end (``pipeline.grid``); the latest end that it refutes is searched for,
each next grid begins where the last one stopped. Where the cloud serves in order of admission and
devices hold, ``pipeline.openers`` goes on from there: windows of the latency that promises most on
a coarse grid. Every bound is raised with the multipliers that prove it; only the last step, branch
and bound on counts alone, has none, and is left out where it cannot help.
"""

from __future__ import annotations

import dataclasses
import math

from optedge.formulations.base import Certificate
from optedge.formulations.pipeline import PipelineProblem, windows
from optedge.formulations.pipeline.bounds import counts, ends, merged, openers, refuting
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

FINER = 2  # times the steps of the grid before
COARSEST = 45  # steps
TRIED = 3  # latencies that are tried as windows of openers, the longest first
TRIED_STEPS, TRIED_AT = 65, 1.02  # steps, and times the bound so far
AHEAD = 1.003  # times the bound so far: where a finer grid begins
REACH = 1.02  # counts alone are tried again within this of their bound


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeGridOptions(Options):
    """Options of ``time-grid``."""

    steps: int = option(360, "of the finest grid", low=2, high=refuting.MOST_STEPS)
    opener_steps: int = option(200, "of the grid with openers", low=4, high=refuting.MOST_STEPS)
    close: float = option(0.002, "relative distance at which a search for an end stops", above=0)
    openers: bool = option(True, "whether windows of openers are tried, where they are valid")
    count_seconds: float = option(20.0, "seconds of branch and bound on counts alone", low=0)


@register(
    "time-grid",
    options=TimeGridOptions,
    problems=(PipelineProblem,),
    kind="heuristic",
    guarantee="a bound by counts on a grid of times, certified; the solution is a simple rule's",
    source="own: time-indexed relaxation of counts, window openers; weak duality",
    deterministic=True,
)
def time_grid(problem: PipelineProblem, options: TimeGridOptions, run: Run) -> None:
    """Raise the bound grid by grid; the plan offered is the best of a few simple ones.

    ``run.info`` holds the linear ``programs`` solved and the ``stages``: name, steps, the bound
    after it and the seconds since the start.
    """
    if run.start is not None:
        run.evaluate(run.start)
    run.info.update(programs=0, stages=[])
    if run.done():
        return
    run.evaluate(windows.known_plan(problem))
    if not 0 < run.objective < math.inf:
        return
    if problem.goal != "makespan":
        _mean_delay(problem, options, run)
        return
    alone = counts.bound(problem)
    run.raise_bound(alone.value, alone.certificate)
    *coarser, finest = _finer(options.steps)
    for steps in coarser:
        _refine(problem, ends.chosen(problem, run.objective, steps), "grid", options, run)
    if options.openers and not run.done():
        _open(problem, options, run)
    _refine(problem, ends.chosen(problem, run.objective, finest), "grid", options, run)
    if run.bound <= REACH * alone.value and options.count_seconds > 0 and not run.done():
        _count(problem, options, run)


def _refine(
    problem: PipelineProblem,
    relaxation: refuting.Relaxation,
    name: str,
    options: TimeGridOptions,
    run: Run,
) -> None:
    """Search for the latest end that a relaxation refutes, from the bound on."""
    if run.done():
        return

    def found(certificate: Certificate) -> None:
        run.raise_bound(certificate.value, certificate)

    _, programs = ends.latest(
        problem,
        relaxation,
        AHEAD * run.bound,
        run.objective,
        lower=run.bound,
        close=options.close,
        seconds=run.time_left,
        stop=run.done,
        found=found,
    )
    _record(name, round(run.objective / relaxation.step), programs, run)


def _open(problem: PipelineProblem, options: TimeGridOptions, run: Run) -> None:
    """Choose the latency of windows on a coarse grid, then search with it."""
    end, best = TRIED_AT * run.bound, (math.inf, 0.0)
    for threshold in sorted(merged.main_latencies(problem, run.objective))[::-1][:TRIED]:
        relaxation = ends.chosen(problem, run.objective, TRIED_STEPS, threshold)
        if run.done() or openers.why_not(problem, threshold, end, relaxation.step):
            continue
        trial = refuting.attempt(problem, relaxation, end, run.time_left, run.done)
        _record("latency", TRIED_STEPS, trial.programs, run)
        best = min(best, (trial.tasks, threshold))
    if best[1] and not run.done():
        run.info["threshold"] = best[1]
        for steps in _finer(options.opener_steps)[-2:]:
            relaxation = ends.chosen(problem, run.objective, steps, best[1])
            if not openers.why_not(problem, best[1], run.bound, relaxation.step):
                _refine(problem, relaxation, "openers", options, run)


def _count(problem: PipelineProblem, options: TimeGridOptions, run: Run) -> None:
    """Raise the bound of counts that are whole numbers, without a certificate."""
    from optedge.bridge import solve_arrays

    program = counts.make(problem, apart=True)
    seconds = min(options.count_seconds, run.time_left)
    found = solve_arrays(program.arrays, time_limit=seconds, should_stop=run.done)
    if math.isfinite(found.bound):
        # HiGHS' rows hold to a millionth.
        run.raise_bound(found.bound * program.unit * (1 - 1e-6))
    _record("counts", 0, 0, run)


def _mean_delay(problem: PipelineProblem, options: TimeGridOptions, run: Run) -> None:
    """Raise the bound of the mean delay, which one program gives for each grid."""
    for steps in _finer(options.steps):
        if run.done():
            return
        found = ends.mean_delay(problem, steps, run.time_left, run.done)
        if found.certificate is not None:
            run.raise_bound(found.value, found.certificate)
        _record("grid", steps, 1, run)


def _finer(finest: int) -> list[int]:
    """Return the steps of finer and finer grids, each twice as fine, down to the finest."""
    found = [finest]
    while found[0] >= FINER * COARSEST:
        found.insert(0, found[0] // FINER)
    return found


def _record(name: str, steps: int, programs: int, run: Run) -> None:
    run.info["programs"] += programs
    run.info["stages"].append(
        {"name": name, "steps": steps, "bound": run.bound, "seconds": run.seconds}
    )

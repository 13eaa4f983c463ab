"""The search for the latest end that a relaxation refutes, and the bound ``grid``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate
from optedge.formulations.pipeline import windows
from optedge.formulations.pipeline.bounds import merged, refuting
from optedge.formulations.pipeline.bounds.refuting import Relaxation

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelineProblem

MOST_TRIALS = 12  # ends that are tried
COARSE = 40  # steps of the bound that needs no search
CLOSE = 0.002  # relative: how near to the latest end that can be refuted


def latest(
    problem: PipelineProblem,
    relaxation: Relaxation,
    start: float,
    upper: float,
    *,
    lower: float = 0.0,
    close: float = CLOSE,
    seconds: float = math.inf,
    stop: Callable[[], bool] = lambda: False,
    found: Callable[[Certificate], None] = lambda certificate: None,
) -> tuple[Certificate | None, int]:
    """Return the certificate of about the latest end that can be refuted, and the programs solved.

    How many tasks can be done grows about evenly with the end: the next one is where a line
    through the last trials says that all can just not be done.

    Parameters
    ----------
    problem
        An instance whose goal is the makespan.
    relaxation
        The rows.
    start, upper
        The end that is tried first, and the value of a plan.
    lower
        Ends below are of no interest: the search is over when even that can not be refuted.
    close
        Relative: how near to the latest end the search goes.
    seconds
        For one program.
    stop
        Asked between programs and within.
    found
        Called with every certificate, the ends rise.
    """
    n, best, programs, slope = problem.n_tasks, None, 0, problem.n_tasks / upper
    # With several types each has its own limit: tasks no longer tell how far away an end is.
    plain = np.unique(problem.kind).size > 1
    end, room = min(max(start, 1e-3 * upper), upper), close * upper
    before: tuple[float, float] | None = None
    for _ in range(MOST_TRIALS):
        if stop() or not end > 0:
            break
        trial = refuting.attempt(problem, relaxation, end, seconds, stop)
        programs += trial.programs
        if not math.isfinite(trial.tasks):
            break
        if before is not None and (before[0] - end) * (before[1] - trial.tasks) > 0:
            slope = (before[1] - trial.tasks) / (before[0] - end)
        before = (end, trial.tasks)
        away = (n - trial.tasks) / slope
        if trial.certificate is not None:
            best, lower = trial.certificate, end
            found(trial.certificate)
            if away <= room / 2 and not plain:
                break
            end += max(away - room / 4, room / 2)
        else:
            upper = end
            end += away - room / 4
        if upper - lower <= room or (end <= lower and not plain):
            break
        if plain or end >= upper:
            end = (max(lower, 0.5 * upper) + upper) / 2
    return best, programs


def bound(problem: PipelineProblem, start: float) -> Bound:
    """Return the bound ``grid``: a coarse grid, without openers.

    Parameters
    ----------
    problem
        The instance.
    start
        An end that is likely to be refuted, such as another bound.
    """
    upper = problem.objective(windows.known_plan(problem))
    if not upper > 0:  # nothing takes any time: there is nothing to refute
        return Bound(refuting.KIND, 0.0)
    if problem.goal != "makespan":
        return mean_delay(problem, COARSE)
    relaxation = chosen(problem, upper, COARSE)
    certificate, programs = latest(problem, relaxation, start, upper)
    value = 0.0 if certificate is None else certificate.value
    return Bound(refuting.KIND, value, certificate, info={"programs": programs})


def mean_delay(
    problem: PipelineProblem,
    number: int,
    seconds: float = math.inf,
    stop: Callable[[], bool] | None = None,
) -> Bound:
    """Return the bound on the mean delay on a grid of ``number`` steps, up to a known plan's end.

    It is 0 if ``seconds`` or ``stop`` end the program.
    """
    plan = windows.known_plan(problem)
    end = float(np.nanmax(problem.times(plan).done))
    relaxation = Relaxation(end / number, merged.grouped(problem, end))
    return refuting.mean_delay(problem, relaxation, end, seconds, stop)


def chosen(
    problem: PipelineProblem,
    upper: float,
    number: int,
    threshold: float = 0.0,
    most: int = merged.MOST,
) -> Relaxation:
    """Return the relaxation of about ``number`` steps, which fit the main latencies well."""
    labels = merged.grouped(problem, upper, most)
    main = merged.main_latencies(problem, upper)
    if threshold:
        main = [threshold, *main]
    return Relaxation(merged.fitting_step(upper / number, main), labels, threshold)

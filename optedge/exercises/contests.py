"""Heuristics that are handed in: tried on many hidden instances, judged by their mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.exercises.answers import Refused
from optedge.formulations.base import Problem
from optedge.solvers.front import solve
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """Instances on which a mean is taken."""

    problems: tuple[Problem, ...]


Hidden = Batch | Problem


def worse_than(
    rival: str, answer: Callable[..., Any], hidden: Hidden, budget: int, **options: Any
) -> str:
    """Return ``""`` if the mean of a heuristic is at most that of a solver, else a sentence.

    Parameters
    ----------
    rival
        The name of a solver that needs no budget.
    answer
        ``f(problem, run)``, which returns a solution.
    hidden
        Several instances, or a single one. On each it gets a run of its own, with seed 0.
    budget
        Candidates that it may price through the run.
    **options
        Options of the rival.

    Raises
    ------
    Refused
        If a solution is infeasible, or the budget is exceeded.
    """
    problems = hidden.problems if isinstance(hidden, Batch) else (hidden,)
    # The rival goes first: compiling what both need is not on the clock of the answer.
    others = [solve(p, rival, bound=False, **options).objective for p in problems]
    own = [_value(answer, p, budget) for p in problems]
    mean, level = float(np.mean(own)), float(np.mean(others))
    if mean <= level + 1e-9 * abs(level):
        return ""
    many = f"the mean of {len(own)} instances is" if len(own) > 1 else "the value is"
    return f"{many} {mean:g}, that of {rival!r} {level:g}"


def _value(answer: Callable[..., Any], p: Problem, budget: int) -> float:
    run = Run(p, seed=0, max_evaluations=budget)
    x = answer(p, run)
    x = x if isinstance(x, p.solution_types) else np.asarray(x)
    faults = p.violations(x)
    if faults:
        raise Refused(faults[0].rstrip("."))
    if run.evaluations > budget:
        raise Refused(f"your function prices {run.evaluations} candidates, {budget} are allowed")
    return p.objective(x)


def one_alone(hidden: Hidden) -> Iterator[Hidden]:
    """List the instances of a batch one by one: where a mean is worse, one of them is."""
    if isinstance(hidden, Batch):
        yield from hidden.problems

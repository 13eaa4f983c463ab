"""Dynamic programming where a problem falls apart into paths, or follows one line of tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from optedge.formulations.base import Bound, Problem
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import paths
from optedge.formulations.pipeline import PipelineProblem, labels
from optedge.solvers.registry import register
from optedge.solvers.run import Run


@functools.singledispatch
def by_paths(problem: Problem, stop: Callable[[], bool]) -> tuple[Any, Bound]:
    """Return the plan of the dynamic program and the bound that its table proves.

    A problem joins ``dp`` by registering a function for its class here, above the solver. The plan
    is a solution; a long recursion asks ``stop`` now and then whether the run is over.
    """
    raise TypeError(f"{type(problem).__name__} has no dynamic program.")


@by_paths.register
def _offloading(problem: OffloadingProblem, stop: Callable[[], bool]) -> tuple[Any, Bound]:
    plan = problem.decode(paths.shortest(problem).servers)
    known = "DP" in problem.bound_names
    return plan, problem.bound("DP") if known else paths.bound(problem)


@by_paths.register
def _pipeline(problem: PipelineProblem, stop: Callable[[], bool]) -> tuple[Any, Bound]:
    return labels.best(problem, stop)


def _unfit(problem: Any, options: None) -> str | None:
    """Say why the paths of an instance have no value of their own."""
    if isinstance(problem, PipelineProblem):
        return labels.why_not(problem)
    if isinstance(problem, OffloadingProblem) and not problem.is_pairwise:
        return "waiting counts in its coordination (h_wait): costs are no sum over pairs."
    return None


@register(
    "dp",
    problems=[kind for kind in by_paths.registry if kind is not object],
    kind="exact",
    guarantee="the optimum where no pool is ever busy, or on one device; else its bound",
    source="Viterbi 1967, task by task; blocks of branches by their longest; labels on one device",
    deterministic=True,
    declines=_unfit,
)
def dp(problem: Any, run: Run) -> None:
    """Take the best path of each part alone; its value bounds, its plan is valued exactly."""
    if run.done():
        return
    plan, bound = by_paths(problem, run.done)
    run.info.update(bound.info)
    run.evaluate(plan)
    run.raise_bound(bound.value, bound.certificate)

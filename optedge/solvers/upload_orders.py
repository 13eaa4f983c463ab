"""Exact orders of upload: by intervals of the chain in polynomial time, and by all subsets."""

from __future__ import annotations

import dataclasses

from optedge.formulations.base import Certificate
from optedge.formulations.upload import UploadProblem, bounds, integers, intervals, subsets
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

ROUNDING = 1e-12  # relative; far above that of the table of subsets


@dataclasses.dataclass(frozen=True, kw_only=True)
class SubsetDpOptions(Options):
    """Options of ``subset-dp``."""

    memory_mb: int = option(subsets.MEMORY_MB, "memory for the table", low=1)


@register(
    "interval-dp",
    problems=(UploadProblem,),
    kind="exact",
    guarantee="the optimum if no saving is negative; else a plan and a bound",
    source="own: the last upload splits the chain, sides merge by density (Sidney 1975)",
    deterministic=True,
)
def interval_dp(problem: UploadProblem, run: Run) -> None:
    """Run the recursion on whole numbers: the value of its order is the bound, without rounding.

    With a negative saving the order is that of a heuristic. The bound is then that of a second run,
    in which such savings count as 0.
    """
    try:
        found = intervals.best_order(problem, stop=run.done)
        run.evaluate(problem.plan_of_order(found.order))
        run.info["blocks"] = len(found.blocks)
        if not found.exact:
            run.info["note"] = "a saving is negative: the order is that of a heuristic."
            found = intervals.best_order(problem, lift=True, stop=run.done)
    except intervals.Stopped:
        return
    value = integers.rounded_down(found.value)
    run.raise_bound(value, Certificate(bounds.KIND, value, {}))


@register(
    "subset-dp",
    options=SubsetDpOptions,
    problems=(UploadProblem,),
    kind="exact",
    guarantee="the optimum under best use; under forced use if no saving is negative",
    source="Held, Karp 1962; Bellman 1962",
    deterministic=True,
)
def subset_dp(problem: UploadProblem, options: SubsetDpOptions, run: Run) -> None:
    """Fill the table of all subsets; too large a one is not begun, ``interval-dp`` runs instead.

    ``run.info["note"]`` says so then.
    """
    if run.done():
        return
    if reason := subsets.why_not(problem, options.memory_mb):
        interval_dp(problem, run)
        run.info["note"] = f"{reason} interval-dp ran instead."
        return
    value, order = subsets.best_order(problem, options.memory_mb)
    run.evaluate(problem.plan_of_order(order))
    run.raise_bound(value * (1.0 - ROUNDING))

"""Two steps: whole modules first, then the branches inside them."""

from __future__ import annotations

from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import blocks, paths
from optedge.solvers.registry import register
from optedge.solvers.run import Run


def _several_ends(problem: OffloadingProblem, options: None) -> str | None:
    for group in blocks.groups(problem):
        if group.blocks[-1].branches:
            return f"task {group.members[0]} ends in several layers; two steps need one."
    return None


@register(
    "two-step",
    problems=(OffloadingProblem,),
    kind="heuristic",
    guarantee="none; where no pool is ever busy never below the plan of dp, equal to it on chains",
    source="EosDNN, sec. V-A; Xue et al. (DDPQN), sec. 3.1",
    deterministic=True,
    declines=_several_ends,
)
def two_step(problem: OffloadingProblem, run: Run) -> None:
    """Place each module as one layer of summed work, keep its ends, then place its branches.

    Notes
    -----
    The value of the first step is in ``info`` for those who compare with the paper. It adds up the
    work of branches that run in parallel, so it is the delay of no plan.
    """
    if run.done():
        return
    servers, value = paths.two_step(problem)
    run.info["step_1_value_of_no_plan"] = value
    run.evaluate(problem.decode(servers))

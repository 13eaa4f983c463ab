"""The greedy baseline of the DDPQN paper: every layer where it costs least at once."""

from __future__ import annotations

from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.episodes.base import myopic as myopic_plan
from optedge.formulations.offloading.episodes.waiting import make_episodes, unfit_for_episodes
from optedge.solvers.code import offer_code
from optedge.solvers.registry import register
from optedge.solvers.run import Run


@register(
    "myopic",
    problems=(OffloadingProblem,),
    kind="heuristic",
    source="greedy baseline of the DDPQN paper: the best policy for discount 0",
    deterministic=True,
    declines=unfit_for_episodes,
)
def myopic(problem: OffloadingProblem, run: Run) -> None:
    """Place layer after layer, task after task, each where the objective grows least.

    Waiting and balance are part of what a layer costs (``greedy`` in contrast looks at ends alone,
    first layers of all tasks first).
    """
    if not run.done():
        _, plan = myopic_plan(make_episodes([problem]))
        offer_code(problem, run, plan, evaluations=int(problem.choices.sum()))

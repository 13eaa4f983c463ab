"""The policies of Zhang et al. for devices that share a cloud: Single Cutting, and with Queuing."""

from __future__ import annotations

import dataclasses

from optedge.formulations.pipeline import PipelineProblem
from optedge.formulations.pipeline.policies import RULES, queueing, single_cutting
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

SOURCE = "Zhang et al., WCMC 2022"


@dataclasses.dataclass(frozen=True, kw_only=True)
class QueueingOptions(Options):
    """Options of ``queueing``."""

    rule: str = option(
        "paper",
        "how a task that would wait in the cloud is cut; best-of: the best of all and of S-C",
        choices=(*RULES, "best-of"),
    )


@register(
    "single-cutting",
    problems=(PipelineProblem,),
    kind="heuristic",
    source=f"{SOURCE}, algorithm 1",
    deterministic=True,
)
def cut_alone(problem: PipelineProblem, run: Run) -> None:
    """Cut every task where it is done first if it is alone; who leaves its device first goes."""
    if not run.done():
        run.evaluate(single_cutting(problem))


@register(
    "queueing",
    options=QueueingOptions,
    problems=(PipelineProblem,),
    kind="heuristic",
    source=f"{SOURCE}, algorithm 2",
    deterministic=True,
)
def queue(problem: PipelineProblem, options: QueueingOptions, run: Run) -> None:
    """Cut a task that would wait in the cloud later, so that its device works in the meantime.

    The rules stand in :func:`optedge.formulations.pipeline.policies.queueing`. A rule may do worse
    than Single Cutting; ``best-of`` simulates that and all three.
    """
    if options.rule != "best-of":
        if not run.done():
            run.evaluate(queueing(problem, options.rule))
        return
    for rule in (None, *RULES):
        if run.done():
            return
        run.evaluate(single_cutting(problem) if rule is None else queueing(problem, rule))

"""Greedy: decide one after the other, each time at the least increase of the cost."""

from __future__ import annotations

from typing import Any

from optedge.solvers.code import offer_code, place_in_order
from optedge.solvers.registry import register
from optedge.solvers.run import Run


@register(
    "greedy",
    needs=("code", "partial"),
    kind="heuristic",
    guarantee="makespan: n_servers times the optimum (list scheduling by completion time)",
    source="Ibarra and Kim, J. ACM 24 (1977), for the makespan; baseline of EosDNN",
    deterministic=True,
)
def decide_in_order(problem: Any, run: Run) -> None:
    """Give every decision, in the problem's order, its cheapest option; ties: the lowest.

    What an option costs is the problem's ``partial``: for the makespan the completion time, tasks
    in the order of the data; for offloading the end of the layer beside those placed before, first
    layers of all tasks first.
    """
    code = place_in_order(problem)
    if code is not None:
        offer_code(problem, run, code, evaluations=int(problem.choices.sum()))

"""List rules of the makespan problem."""

from __future__ import annotations

from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.makespan_moves import longest_first
from optedge.solvers.registry import register
from optedge.solvers.run import Run


@register(
    "lpt",
    problems=(MakespanProblem,),
    kind="heuristic",
    guarantee=(
        "related servers, every task everywhere: 2m/(m+1) times the optimum; "
        "equal servers: 4/3 - 1/(3m); otherwise none better than m"
    ),
    source="Graham 1969; Gonzalez, Ibarra, Sahni, SIAM J. Comput. 6 (1977)",
    deterministic=True,
)
def longest_processing_time(problem: MakespanProblem, run: Run) -> None:
    """Place the largest task first, each where it is done earliest; ties: the lowest server.

    The size of a task is the problem's ``work``, or its least time. This is also the corrected
    first step of the paper's Algorithm 2, which prints the order ascending and keeps the last
    improving server instead of the best.
    """
    x = longest_first(problem)
    if (x >= 0).all():
        run.offer(x, float(problem.costs(x[None])[0]), int(problem.eligible.sum()))

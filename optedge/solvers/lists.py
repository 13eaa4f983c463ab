"""List rules of the makespan problem."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray
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


@register(
    "fcfs",
    problems=(MakespanProblem,),
    kind="heuristic",
    source="Xu et al. 2020 (a baseline of figure 7, which they do not define)",
    deterministic=True,
)
def first_come_first_served(problem: MakespanProblem, run: Run) -> None:
    """Give each task in order of arrival to the node that is free first; ties: the lowest node.

    How long the task would take there is not looked at. A node that cannot take it, or has no
    memory left for it, is passed over.
    """
    _in_order(problem, run, lambda i, load: load)


@register(
    "round-robin",
    problems=(MakespanProblem,),
    kind="heuristic",
    source="the weaker rule that the word FCFS may mean in Xu et al. 2020, figure 7",
    deterministic=True,
)
def in_turn(problem: MakespanProblem, run: Run) -> None:
    """Give task i to node i modulo the number of nodes, whatever its speed and load.

    The next node in turn takes what that one cannot.
    """
    m = problem.n_servers
    _in_order(problem, run, lambda i, load: np.asarray((np.arange(m) - i) % m, np.float64))


def _in_order(
    problem: MakespanProblem, run: Run, rank: Callable[[int, FloatArray], FloatArray]
) -> None:
    """Place each task on the allowed node of least rank, given when each is free, and offer it."""
    load, used = problem.ready.copy(), np.zeros(problem.n_servers)
    x = np.empty(problem.n_tasks, np.int64)
    for i in range(problem.n_tasks):
        allowed: BoolArray = problem.eligible[i]
        if problem.memory is not None and problem.room is not None:
            allowed = allowed & (used + problem.memory[i] <= problem.room)
        if not allowed.any():
            return  # memory stops the rule
        x[i] = j = int(np.argmin(np.where(allowed, rank(i, load), np.inf)))
        load[j] += problem.times[i, j]
        used[j] += 0.0 if problem.memory is None else problem.memory[i]
    run.offer(x, float(problem.costs(x[None])[0]))

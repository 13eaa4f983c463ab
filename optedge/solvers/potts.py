"""Rounding by an exact step: Potts."""

from __future__ import annotations

import numpy as np

from optedge.formulations.makespan import MakespanProblem
from optedge.solvers.front import solve
from optedge.solvers.registry import register
from optedge.solvers.rounding import declines_lp, solved_relaxation
from optedge.solvers.run import Run


@register(
    "potts",
    problems=(MakespanProblem,),
    kind="approximation",
    guarantee="W_LP + optimum, at most 2 times the optimum, if its search is not cut off",
    source="Potts, Discrete Applied Math. 10 (1985)",
    deterministic=True,
    declines=declines_lp,
)
def potts(problem: MakespanProblem, run: Run) -> None:
    """Keep the whole tasks of a vertex of the plain relaxation; place its split tasks optimally.

    A vertex splits at most n_servers - 1 tasks. They are placed by HiGHS on top of the loads of
    the whole tasks, which is never worse than placing them alone, as in the paper.
    """
    lp = solved_relaxation(problem, run)
    if lp is None:
        return
    x = np.argmax(lp.shares, axis=1)
    split = (lp.shares > 0).sum(axis=1) > 1
    run.info["split_tasks"] = int(split.sum())
    if split.any():
        whole = np.flatnonzero(~split)
        busy = np.bincount(x[whole], problem.times[whole, x[whole]], problem.n_servers)
        rest = MakespanProblem(problem.times[split], ready=problem.ready + busy)
        best = solve(rest, "highs", time_limit=run.time_left, threads=run.threads, bound=False)
        run.info["split_status"] = str(best.status)
        x[split] = np.argmax(lp.shares[split], axis=1) if best.solution is None else best.solution
        if best.stop_reason == "interrupted":
            run.stop("interrupted")
    run.evaluate(x)

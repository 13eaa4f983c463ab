"""Rounding of linear programs for the makespan: as published, and with a proved factor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optedge.formulations.base import Certificate, FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.makespan_bounds import cached_deadline
from optedge.formulations.makespan_certificates import weights_certificate
from optedge.formulations.makespan_relaxations import LinearProgram, solve_lp
from optedge.solvers.registry import register
from optedge.solvers.run import Run

MOST_PAIRS = 1_000_000


def declines_lp(problem: MakespanProblem, options: Any) -> str | None:
    """Return why a rounding method does not take the instance, if it does not."""
    if problem.memory is not None:
        return "its rounding does not respect memory."
    rows, columns = problem.model_size("lp")
    if columns > MOST_PAIRS:
        return f"its linear program would have {rows} rows and {columns / 1e6:.0f}M columns."
    return None


def solved_relaxation(problem: MakespanProblem, run: Run) -> LinearProgram | None:
    """Return a vertex of the plain linear relaxation, its bound raised; None when time is up."""
    limit = run.time_left if math.isfinite(run.time_left) else None
    try:
        lp = solve_lp(problem, time_limit=limit)
    except TimeoutError:
        run.stop("time_limit")
        return None
    certificate = weights_certificate(problem, lp.servers, lp.memory)
    run.raise_bound(certificate.value, certificate)
    return lp


@register(
    "lp-rounding",
    problems=(MakespanProblem,),
    kind="approximation",
    guarantee=(
        "d times the optimum, d = most servers with a share of one task; 2 only where each task "
        "has at most two servers (the published factor 2 does not hold)"
    ),
    source="Huang et al. 2018, Algorithm 1",
    deterministic=True,
    declines=declines_lp,
)
def round_largest_share(problem: MakespanProblem, run: Run) -> None:
    """Solve the linear relaxation to a vertex and put each task where its share is largest.

    As published. Theorem 1 of the paper claims makespan <= 2 W_LP; with work (100, 307, 307),
    speeds (10, 100, 100) and the last two tasks tied to one server each it returns 10 where the
    optimum is 4.07. What holds: the largest of d shares is at least 1/d, so the makespan is at
    most d W_LP. :func:`optedge.solvers.rounding.lenstra_shmoys_tardos` is the correction.
    """
    lp = solved_relaxation(problem, run)
    if lp is not None:
        run.info["split_tasks"] = int(((lp.shares > 0).sum(axis=1) > 1).sum())
        run.info["most_shares"] = int((lp.shares > 0).sum(axis=1).max())
        run.evaluate(np.argmax(lp.shares, axis=1))


@register(
    "lst",
    problems=(MakespanProblem,),
    kind="approximation",
    guarantee="2 T*, at most 2 times the optimum",
    source="Lenstra, Shmoys, Tardos, Math. Programming 46 (1990)",
    deterministic=True,
    declines=declines_lp,
)
def lenstra_shmoys_tardos(problem: MakespanProblem, run: Run) -> None:
    """Prune the pairs longer than T*, take a vertex, and match its split tasks to servers.

    In the graph of split tasks and servers every component of a vertex is a tree or a tree plus
    one edge, so that all split tasks can be matched to different servers; each server gets at
    most one of them, of length at most T*, on top of a load of at most T*. Ready times are fixed
    loads and keep the factor.
    """
    found = raise_deadline(problem, run)
    if found is None:
        return
    shares, certificate = found
    run.evaluate(match_split_tasks(shares))
    run.info["ratio_to_T*"] = run.objective / certificate.value if certificate.value else 1.0


def raise_deadline(problem: MakespanProblem, run: Run) -> tuple[FloatArray, Certificate] | None:
    """Return the vertex at T* with its certificate, T* raised; None if time is up."""
    limit = run.time_left if math.isfinite(run.time_left) else None
    began = run.seconds
    try:
        deadline = cached_deadline(problem, limit)
    except TimeoutError:
        run.stop("time_limit")
        return None
    # The programs may have been solved for the attached bound; they are this method's own work.
    run.charge(max(0.0, deadline.seconds - (run.seconds - began)))
    run.info["linear_programs"] = deadline.solves
    if deadline.certificate is None:
        return None
    run.raise_bound(deadline.value, deadline.certificate)
    return deadline.lp.shares, deadline.certificate


def match_split_tasks(shares: FloatArray) -> IntArray:
    """Round the shares (n_tasks, n_servers) of a vertex: split tasks go to different servers.

    Raises
    ------
    ValueError
        If no matching covers all split tasks; then the shares are no vertex.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    x: IntArray = np.argmax(shares, axis=1)
    split = np.flatnonzero((shares > 0).sum(axis=1) > 1)
    if split.size:
        graph = csr_array(shares[split] > 0)
        server = maximum_bipartite_matching(graph, perm_type="column")
        if (server < 0).any():
            raise ValueError("the shares are no vertex: their split tasks cannot all be matched.")
        x[split] = server
    return x

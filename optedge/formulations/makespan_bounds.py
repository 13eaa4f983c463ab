r"""Proved lower bounds of the makespan problem that need no search.

All are certified by weak duality (``makespan_certificates``);
:math:`W_{LP} \le W_{pmtn} \le T^* \le OPT`.

* ``prices``: weights from a subgradient method, for instances too large for a linear program;
* ``LP``: the weights are the duals of the linear relaxation;
* ``preemptive``: weights of the tasks too (the rows of Lawler and Labetoulle, J. ACM 25, 1978, with
  ready times);
* ``pruned``: the linear program without the pairs that overrun a known makespan;
* ``T*``: the least deadline T such that the pairs with :math:`r_j + v_{ij} \le T` admit a
  fractional schedule of makespan T (Lenstra, Shmoys, Tardos, Math. Programming 46, 1990).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate
from optedge.formulations.makespan_certificates import memory_excess, weights_certificate
from optedge.formulations.makespan_moves import longest_first_makespan
from optedge.formulations.makespan_prices import prices_bound
from optedge.formulations.makespan_relaxations import (
    LinearProgram,
    longest_least_end,
    memory_prices,
    solve_lp,
)

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem


def lp_bound(problem: MakespanProblem) -> Bound:
    """Return the bound of the linear relaxation."""
    return _from_lp(problem, "LP", solve_lp(problem))


def preemptive_bound(problem: MakespanProblem) -> Bound:
    """Return the bound of the relaxation in which a task may be split but not run in parallel."""
    lp = solve_lp(problem, preemptive=True)
    if math.isinf(lp.value):
        return _no_schedule(problem, "preemptive")
    certificate = weights_certificate(problem, lp.servers, lp.memory, lp.tasks)
    return Bound("preemptive", certificate.value, certificate)


def pruned_bound(problem: MakespanProblem) -> Bound:
    """Return the bound of the linear program over pairs that the list rule's makespan allows."""
    known = longest_first_makespan(problem)
    return _from_lp(problem, "pruned", solve_lp(problem, known), threshold=known)


def _from_lp(
    problem: MakespanProblem, name: str, lp: LinearProgram, threshold: float | None = None
) -> Bound:
    if math.isinf(lp.value):
        return _no_schedule(problem, name)
    certificate = weights_certificate(problem, lp.servers, lp.memory, threshold=threshold)
    return Bound(name, certificate.value, certificate)


@dataclasses.dataclass(frozen=True, eq=False)
class Deadline:
    """The deadline bound T*, and the vertex that a rounding starts from.

    Parameters
    ----------
    value
        T* in seconds, as certified.
    lp
        The linear program whose vertex is feasible at T*.
    longest
        The longest end ``ready + time`` that its pairs may have, at most T* (seconds).
    solves
        Number of linear programs.
    certificate
        Weights and threshold.
    seconds
        What it took.
    """

    value: float
    lp: LinearProgram
    longest: float
    solves: int
    certificate: Certificate | None
    seconds: float = 0.0


def deadline(problem: MakespanProblem, time_limit: float | None = None) -> Deadline:
    r"""Find T* by bisection over the ends of single pairs, with O(log(nm)) linear programs.

    Let :math:`e_1 < e_2 < \dots` be the distinct values :math:`r_j + v_{ij}` and :math:`W_k` the
    optimum of the linear program over the pairs that end by :math:`e_k`; it does not increase
    in k. Then :math:`T^* = \min_k \max(W_k, e_k)`, which is :math:`\min(W_{k-1}, e_k)` at the first
    k with :math:`W_k \le e_k`. No tolerance on T is needed.

    Raises
    ------
    TimeoutError
        If ``time_limit`` (seconds, for all programs together) passes.
    """
    ends_at = None if time_limit is None else time.perf_counter() + time_limit
    points = np.unique((problem.ready + problem.times)[problem.eligible])
    solved: dict[int, LinearProgram] = {}

    def at(k: int) -> LinearProgram:
        if k not in solved:
            left = None if ends_at is None else max(0.0, ends_at - time.perf_counter())
            solved[k] = solve_lp(problem, float(points[k]), time_limit=left)
        return solved[k]

    # The full program bounds e_k from below; beyond a known schedule W_k <= e_k must hold.
    whole = at(points.size - 1).value
    if math.isinf(whole):
        return Deadline(math.inf, at(points.size - 1), math.inf, 1, None)
    lowest = max(longest_least_end(problem), whole * (1 - 1e-9))
    first = int(np.searchsorted(points, lowest))
    known = int(np.searchsorted(points, longest_first_makespan(problem), side="right"))
    last = max(first, min(known, points.size))
    while first < last:
        middle = (first + last) // 2
        if at(middle).value <= points[middle]:
            last = middle
        else:
            first = middle + 1

    if last == 0:
        before, threshold = at(0), float(np.nextafter(points[0], -math.inf))
    else:
        before, threshold = at(last - 1), float(points[last - 1])
    if last == points.size or (last > 0 and before.value <= points[last]):
        lp, longest = before, threshold
    else:
        lp, longest = at(last), float(points[last])
    servers, memory = before.servers, before.memory
    if math.isinf(before.value) and problem.memory is not None:
        # It is memory that forbids the shorter pairs: prices high enough reach the next one.
        prices = memory_prices(problem, threshold)
        excess = memory_excess(problem, prices, threshold)
        if 0 < excess < math.inf:
            servers = np.full(problem.n_servers, 1 / problem.n_servers)
            memory = prices * (2 * float(points[last]) / excess)
    certificate = weights_certificate(problem, servers, memory, threshold=threshold)
    return Deadline(certificate.value, lp, longest, len(solved), certificate)


def deadline_bound(problem: MakespanProblem) -> Bound:
    """Return T*, with the number of linear programs in ``info``."""
    found = cached_deadline(problem)
    if math.isinf(found.value):
        return _no_schedule(problem, "T*")
    return Bound("T*", found.value, found.certificate, info={"linear_programs": found.solves})


def cached_deadline(problem: MakespanProblem, time_limit: float | None = None) -> Deadline:
    """Return :func:`deadline` of the instance, computed once."""
    if "_deadline" not in problem.__dict__:
        began = time.perf_counter()
        found = deadline(problem, time_limit)
        spent = time.perf_counter() - began
        problem.__dict__["_deadline"] = dataclasses.replace(found, seconds=spent)
    kept: Deadline = problem.__dict__["_deadline"]
    return kept


def _no_schedule(problem: MakespanProblem, name: str) -> Bound:
    """Return the bound ``inf`` with the prices of memory that prove it."""
    prices = memory_prices(problem)
    if not memory_excess(problem, prices) > 0:  # so nearly feasible that nothing is proved
        return Bound(name, -math.inf)
    return Bound(name, math.inf, Certificate("memory", math.inf, {"memory": prices}))


COMPUTE: dict[str, Callable[[MakespanProblem], Bound]] = {
    "prices": prices_bound,
    "LP": lp_bound,
    "preemptive": preemptive_bound,
    "pruned": pruned_bound,
    "T*": deadline_bound,
}

r"""Proved lower bounds of the makespan problem, and the certificates that prove them.

All come from weak duality. For weights :math:`w \ge 0` of the servers, :math:`s \ge 0` of the tasks
with :math:`\sum_j w_j + \sum_i s_i = 1`, and prices :math:`\mu \ge 0` of memory, every schedule has

.. math::

   C \;\ge\; \sum_j w_j r_j - \sum_j \mu_j P_j
   + \sum_i \min_{j \in E_i} \big( w_j v_{ij} + s_i (r_j + v_{ij}) + \mu_j q_i \big),

because a server is busy for its load and a task ends no earlier than the server was ready plus its
own time. Four bounds use it, :math:`W_{LP} \le W_{pmtn} \le T^* \le OPT`:

* ``prices``: weights from a subgradient method, for instances too large for a linear program;
* ``LP``: the weights are the duals of the linear relaxation (s = 0);
* ``preemptive``: s too (the rows of Lawler and Labetoulle, J. ACM 25, 1978, with ready times);
* ``pruned``: the linear program without the pairs that overrun a known makespan;
* ``T*``: the least deadline T such that the pairs with :math:`r_j + v_{ij} \le T` admit a
  fractional schedule of makespan T (Lenstra, Shmoys, Tardos, Math. Programming 46, 1990).

A schedule either uses a pair longer than a threshold, and then lasts at least as long as the next
longer pair, or it does not, and then the weights of the remaining pairs bound it. One threshold
with its weights therefore certifies ``pruned`` and ``T*``.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import (
    BoolArray,
    Bound,
    Certificate,
    FloatArray,
    IntArray,
    simplex_weights,
)
from optedge.formulations.makespan_moves import SLACK, longest_first_makespan
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem

BLOCK = 1 << 20  # entries of times that are valued at once


# -------------------------------------------------------------------- valuing multipliers


def dual_value(
    problem: MakespanProblem,
    servers: FloatArray,
    memory: FloatArray,
    tasks: FloatArray | None = None,
    threshold: float = math.inf,
) -> float:
    """Return the bound of the module's formula, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance.
    servers, memory, tasks
        The multipliers w (n_servers,), mu (n_servers,) and s (n_tasks,); all non-negative.
    threshold
        Only pairs that end by this time are allowed (seconds).

    Returns
    -------
    float
        Seconds; ``inf`` if some task has no pair left.
    """
    terms = [servers * problem.ready]
    if problem.room is not None:
        terms.append(-memory * problem.room)
    rows = max(1, BLOCK // problem.n_servers)
    for first in range(0, problem.n_tasks, rows):
        block = slice(first, first + rows)
        times = problem.times[block]
        ends = problem.ready + times
        with np.errstate(invalid="ignore"):  # 0 * inf where a pair is not allowed anyway
            cost = servers * times
            if tasks is not None:
                cost += tasks[block, None] * ends
        if problem.memory is not None:
            cost += problem.memory[block, None] * memory
        allowed = problem.eligible[block] & (ends <= threshold)
        terms.append(np.where(allowed, cost, np.inf).min(axis=1))
    every = np.concatenate(terms)
    if np.isinf(every).any():
        return math.inf
    # Each term has at most six roundings and fsum one: eight units cover them all.
    safe = math.fsum(every) - 8 * 2.0**-53 * math.fsum(np.abs(every))
    total = math.fsum(servers) + (0.0 if tasks is None else math.fsum(tasks))
    return max(0.0, safe / total * (1 - 2.0**-52))


def next_breakpoint(problem: MakespanProblem, threshold: float) -> float:
    """Return the earliest end of a single pair after ``threshold``; ``inf`` if there is none."""
    ends = problem.ready + problem.times
    return float(ends[problem.eligible & (ends > threshold)].min(initial=math.inf))


def certify(problem: MakespanProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, in seconds.

    Parameters
    ----------
    problem
        The instance.
    certificate
        Of kind ``"weights"`` (arrays ``servers``, optionally ``tasks``; together they sum to 1),
        ``"deadline"`` (``servers``, summing to 1, and ``threshold`` of shape (1,)) or ``"memory"``
        (``memory``, summing to 1: proves that there is no solution). The first two take
        ``memory`` (n_servers,) as well.

    Raises
    ------
    ValueError
        If an array is missing, of the wrong shape, negative, not finite, or does not sum to 1.
    """
    n, m = problem.n_tasks, problem.n_servers
    arrays = certificate.arrays
    if certificate.kind == "memory":
        prices = simplex_weights(certificate, {"memory": (m,)})
        return math.inf if _memory_excess(problem, prices) > 0 else -math.inf
    shapes: dict[str, tuple[int, ...]] = {"servers": (m,)}
    if certificate.kind == "weights" and "tasks" in arrays:
        shapes["tasks"] = (n,)
    if certificate.kind not in ("weights", "deadline"):
        raise ValueError(f"MakespanProblem knows no certificate {certificate.kind!r}.")
    simplex_weights(certificate, shapes)
    memory = arrays.get("memory", np.zeros(m))
    if memory.shape != (m,) or not np.isfinite(memory).all() or (memory < 0).any():
        raise ValueError(f"certificate array 'memory' must be ({m},), finite and non-negative.")
    if certificate.kind == "weights":
        return dual_value(problem, arrays["servers"], memory, arrays.get("tasks"))
    threshold = arrays.get("threshold", np.zeros(0))
    if threshold.shape != (1,) or np.isnan(threshold).any():
        raise ValueError("certificate array 'threshold' must hold one number of seconds.")
    value = dual_value(problem, arrays["servers"], memory, None, float(threshold[0]))
    return min(value, next_breakpoint(problem, float(threshold[0])))


def weights_certificate(
    problem: MakespanProblem,
    servers: FloatArray,
    memory: FloatArray,
    tasks: FloatArray | None = None,
    threshold: float | None = None,
) -> Certificate:
    """Return the certificate of multipliers as a solver gave them: clipped, scaled, valued."""
    servers, memory = np.maximum(servers, 0), np.maximum(memory, 0)
    tasks = None if tasks is None else np.maximum(tasks, 0)
    total = math.fsum(servers) + (0.0 if tasks is None else math.fsum(tasks))
    if total <= 0:  # every load row is slack, as when no task takes any time
        servers, total = np.full(problem.n_servers, 1 / problem.n_servers), 1.0
        memory = np.zeros(problem.n_servers)
    arrays = {"servers": servers / total}
    if problem.memory is not None:
        arrays["memory"] = memory / total
    if tasks is not None:
        arrays["tasks"] = tasks / total
    if threshold is not None:
        arrays["threshold"] = np.array([threshold])
    kind = "weights" if threshold is None else "deadline"
    bare = Certificate(kind, 0.0, arrays)
    return dataclasses.replace(bare, value=certify(problem, bare))


# ------------------------------------------------------------------------ linear programs


@dataclasses.dataclass(frozen=True, eq=False)
class LinearProgram:
    """A solved linear relaxation: an optimal vertex and its multipliers.

    ``value`` is the makespan in seconds (``inf`` if infeasible), ``shares`` (n_tasks, n_servers)
    the vertex, ``servers``, ``memory`` (n_servers,) and ``tasks`` (n_tasks,) the multipliers.
    """

    value: float
    shares: FloatArray
    servers: FloatArray
    memory: FloatArray
    tasks: FloatArray


def solve_lp(
    problem: MakespanProblem,
    deadline: float = math.inf,
    *,
    preemptive: bool = False,
    time_limit: float | None = None,
) -> LinearProgram:
    """Solve the linear relaxation over the pairs that end by ``deadline`` (seconds).

    Parameters
    ----------
    problem
        The instance.
    deadline
        Pairs with ``ready + time`` above it are left out.
    preemptive
        Whether each task adds the row that its own ends, weighted by its shares, are at most C.
    time_limit
        Seconds for HiGHS; TimeoutError when they pass.
    """
    from scipy import sparse

    from optedge.bridge import Arrays, solve_arrays

    n, m = problem.times.shape
    allowed = _allowed(problem, deadline)
    nothing = LinearProgram(math.inf, np.zeros((n, m)), np.zeros(m), np.zeros(m), np.zeros(n))
    if not allowed.any(axis=1).all():
        return nothing
    task, server = np.nonzero(allowed)
    times = problem.times[task, server]
    # In units of a typical makespan, so that the tolerances of HiGHS are relative ones.
    scale = longest_least_end(problem) or 1.0
    pairs = task.size
    columns = np.arange(pairs)

    entries = [(server, columns, times / scale), (m + task, columns, np.ones(pairs))]
    entries.append((np.arange(m), np.full(m, pairs), -np.ones(m)))
    upper = [-problem.ready / scale, np.ones(n)]
    rows = m + n
    if problem.memory is not None and problem.room is not None:
        size = float(problem.room.max())
        entries.append((rows + server, columns, problem.memory[task] / size))
        upper.append(problem.room / size)
        rows += m
    if preemptive:
        entries.append((rows + task, columns, (problem.ready[server] + times) / scale))
        entries.append((rows + np.arange(n), np.full(n, pairs), -np.ones(n)))
        upper.append(np.zeros(n))
        rows += n
    where, which, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    row_upper = np.concatenate(upper)
    row_lower = np.full(rows, -np.inf)
    row_lower[m : m + n] = 1.0

    solution = solve_arrays(
        Arrays(
            cost=np.append(np.zeros(pairs), 1.0),
            matrix=sparse.csc_array((value, (where, which)), shape=(rows, pairs + 1)),
            row_lower=row_lower,
            row_upper=row_upper,
            lower=np.zeros(pairs + 1),
            upper=np.full(pairs + 1, np.inf),
            integer=np.zeros(pairs + 1, dtype=bool),
        ),
        time_limit=time_limit,
    )
    if solution.stop_reason == "interrupted":  # the bridge caught a Ctrl-C
        raise KeyboardInterrupt
    if solution.status == "infeasible":
        return nothing
    if solution.status != "optimal" or solution.x is None or solution.row_duals is None:
        reason = solution.stop_reason
        raise TimeoutError(f"the linear program of {pairs} pairs ended with {reason}.")
    duals = -solution.row_duals
    shares = np.zeros((n, m))
    shares[task, server] = np.where(solution.x[:-1] < 1e-9, 0.0, solution.x[:-1])
    has_memory = problem.memory is not None
    return LinearProgram(
        value=scale * float(solution.x[-1]),
        shares=shares,
        servers=duals[:m],
        memory=duals[m + n : 2 * m + n] * (scale / size) if has_memory else np.zeros(m),
        tasks=duals[rows - n :] if preemptive else np.zeros(n),
    )


def longest_least_end(problem: MakespanProblem) -> float:
    """Return the largest, over the tasks, of the least time at which the task can end; seconds."""
    ends = np.where(problem.eligible, problem.ready + problem.times, np.inf)
    return float(max(ends.min(axis=1).max(), problem.ready.max()))


# ------------------------------------------------------------------------------ the bounds


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
        prices = _memory_prices(problem, threshold)
        excess = _memory_excess(problem, prices, threshold)
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


# -------------------------------------------------------------------- without a linear program


@kernel
def _cheapest(
    times: FloatArray, servers: IntArray, counts: IntArray, ready: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Return the dual value of ``weights`` and the load of each server where it is cheapest.

    Row i of ``times`` and ``servers`` holds the ``counts[i]`` pairs of task i.
    """
    load = ready.copy()
    value = (weights * ready).sum()
    for i in range(times.shape[0]):
        best, where = np.inf, 0
        for k in range(counts[i]):
            cost = weights[servers[i, k]] * times[i, k]
            if cost < best:
                best, where = cost, k
        value += best
        load[servers[i, where]] += times[i, where]
    return value, load


@kernel
def _cheapest_dense(
    times: FloatArray, ready: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Do the same where most pairs are allowed; ``times`` is ``inf`` elsewhere."""
    load = ready.copy()
    value = (weights * ready).sum()
    for i in range(times.shape[0]):
        best, where = np.inf, 0
        for j in range(ready.size):
            cost = weights[j] * times[i, j]
            if cost < best:
                best, where = cost, j
        value += best
        load[where] += times[i, where]
    return value, load


def _evaluator(problem: MakespanProblem) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return the function from weights to dual value and loads that suits the instance."""
    times, counts = problem.data.times, problem.eligible.sum(axis=1)
    width = int(counts.max())
    if 4 * width > problem.n_servers:
        return lambda weights: _cheapest_dense(times, problem.ready, weights)
    servers = np.zeros((problem.n_tasks, width), np.int64)
    task, server = np.nonzero(problem.eligible)
    servers[task, np.arange(task.size) - np.repeat(np.cumsum(counts) - counts, counts)] = server
    short = np.take_along_axis(times, servers, axis=1)
    return lambda weights: _cheapest(short, servers, counts, problem.ready, weights)


def prices_bound(problem: MakespanProblem, entries: int = 2 * 10**9) -> Bound:
    """Return the bound of weights found by multiplicative subgradient steps; memory is ignored.

    The start, the inverse of a server's mean time, is optimal for servers that differ by speed
    only and that every task can use. About ``entries`` pairs are looked at in all, in at most
    2000 steps; it ends early when 100 steps gain nothing.
    """
    evaluate = _evaluator(problem)
    pairs = int(problem.eligible.sum())
    totals = np.where(problem.eligible, problem.times, 0).sum(axis=0)
    means = totals / np.maximum(problem.eligible.sum(axis=0), 1)
    weights = np.where(means > 0, 1 / np.where(means > 0, means, 1), 0.0)
    weights = weights / weights.sum() if weights.any() else np.full(means.size, 1 / means.size)
    best_value, best_weights, since = -math.inf, weights, 0
    for step in range(min(2000, max(10, entries // pairs))):
        # A server of weight zero would draw every task for nothing.
        value, load = evaluate(np.maximum(weights, 1e-12))
        since += 1
        if value > best_value * (1 + 1e-9) or step == 0:
            best_value, best_weights, since = value, weights, 0
        if since == 100 or load.max() == 0:
            break
        rate = 0.5 / math.sqrt(1 + step)
        weights = weights * np.exp(rate * (load / load.max() - 1))
        weights = weights / weights.sum()
    certificate = weights_certificate(problem, best_weights, np.zeros(problem.n_servers))
    return Bound("prices", certificate.value, certificate)


# -------------------------------------------------------------------------------- no schedule


def _memory_excess(
    problem: MakespanProblem, prices: FloatArray, threshold: float = math.inf
) -> float:
    """Return by how much the priced memory of the tasks must exceed that of the servers.

    Only pairs that end by ``threshold`` count; ``inf`` if some task has none.
    """
    if problem.memory is None or problem.room is None:
        return -math.inf
    allowed = _allowed(problem, threshold)
    cheapest = np.where(allowed, problem.memory[:, None] * prices, np.inf).min(axis=1)
    if np.isinf(cheapest).any():
        return math.inf
    needed, offered = math.fsum(cheapest), math.fsum(prices * problem.room)
    return needed - offered - SLACK * max(needed, offered)


def _memory_prices(problem: MakespanProblem, threshold: float = math.inf) -> FloatArray:
    """Return prices of memory that show best how short it is: duals of the least overload."""
    from scipy import sparse

    from optedge.bridge import Arrays, solve_arrays

    allowed = _allowed(problem, threshold)
    if problem.memory is None or problem.room is None or not allowed.any(axis=1).all():
        return np.zeros(problem.n_servers)
    n, m = problem.times.shape
    task, server = np.nonzero(allowed)
    pairs, size = task.size, float(problem.room.max())
    rows = np.concatenate([server, m + task, np.arange(m)])
    columns = np.concatenate([np.arange(pairs), np.arange(pairs), np.full(m, pairs)])
    values = np.concatenate([problem.memory[task] / size, np.ones(pairs), -np.ones(m)])
    solution = solve_arrays(
        Arrays(
            cost=np.append(np.zeros(pairs), 1.0),
            matrix=sparse.csc_array((values, (rows, columns)), shape=(m + n, pairs + 1)),
            row_lower=np.concatenate([np.full(m, -np.inf), np.ones(n)]),
            row_upper=np.concatenate([problem.room / size, np.ones(n)]),
            lower=np.zeros(pairs + 1),
            upper=np.full(pairs + 1, np.inf),
            integer=np.zeros(pairs + 1, dtype=bool),
        )
    )
    if solution.row_duals is None:
        return np.zeros(m)
    prices = np.maximum(-solution.row_duals[:m], 0)
    total = float(prices.sum())
    return np.asarray(prices / total) if total > 0 else np.zeros(m)


def _allowed(problem: MakespanProblem, threshold: float) -> BoolArray:
    """Return the pairs that may be used and end by ``threshold``."""
    return problem.eligible & (problem.ready + problem.times <= threshold)


def _no_schedule(problem: MakespanProblem, name: str) -> Bound:
    """Return the bound ``inf`` with the prices of memory that prove it."""
    prices = _memory_prices(problem)
    if not _memory_excess(problem, prices) > 0:  # so nearly feasible that nothing is proved
        return Bound(name, -math.inf)
    return Bound(name, math.inf, Certificate("memory", math.inf, {"memory": prices}))


def memory_overload(problem: MakespanProblem) -> tuple[list[int], float] | None:
    """Return servers whose memory is too small for the tasks that only they can take, if any."""
    if problem.memory is None or problem.capacity is None:
        return None
    scarce: IntArray = np.flatnonzero(_memory_prices(problem) > 1e-9)
    bound_to = ~np.delete(problem.eligible, scarce, axis=1).any(axis=1)
    short = float(problem.memory[bound_to].sum() - problem.capacity[scarce].sum())
    return (scarce.tolist(), short) if short > 0 else None


COMPUTE: dict[str, Callable[[MakespanProblem], Bound]] = {
    "prices": prices_bound,
    "LP": lp_bound,
    "preemptive": preemptive_bound,
    "pruned": pruned_bound,
    "T*": deadline_bound,
}

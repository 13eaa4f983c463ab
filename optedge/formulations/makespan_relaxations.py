"""The linear relaxations of the makespan problem, written down as arrays and solved by HiGHS.

The same programs as ``MakespanProblem.model(relax=True)``, for methods that solve many of them.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan_certificates import allowed_pairs

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem


LONGEST = 1e12  # typical makespans: what lasts longer is cut, for HiGHS; bounds are valued uncut


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
    allowed = allowed_pairs(problem, deadline)
    nothing = LinearProgram(math.inf, np.zeros((n, m)), np.zeros(m), np.zeros(m), np.zeros(n))
    if not allowed.any(axis=1).all():
        return nothing
    task, server = np.nonzero(allowed)
    # In units of a typical makespan, so that the tolerances of HiGHS are relative ones.
    scale = longest_least_end(problem) or 1.0
    times = np.minimum(problem.times[task, server], LONGEST * scale)
    pairs = task.size
    columns = np.arange(pairs)

    entries = [(server, columns, times / scale), (m + task, columns, np.ones(pairs))]
    entries.append((np.arange(m), np.full(m, pairs), -np.ones(m)))
    upper = [-problem.ready / scale, np.ones(n)]
    rows = m + n
    if problem.memory is not None and problem.room is not None:
        size = float(problem.room.max()) or 1.0
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


def memory_prices(problem: MakespanProblem, threshold: float = math.inf) -> FloatArray:
    """Return prices of memory that show best how short it is: duals of the least overload."""
    from scipy import sparse

    from optedge.bridge import Arrays, solve_arrays

    allowed = allowed_pairs(problem, threshold)
    if problem.memory is None or problem.room is None or not allowed.any(axis=1).all():
        return np.zeros(problem.n_servers)
    n, m = problem.times.shape
    task, server = np.nonzero(allowed)
    pairs, size = task.size, float(problem.room.max()) or 1.0
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


def memory_overload(problem: MakespanProblem) -> tuple[list[int], float] | None:
    """Return servers whose memory is too small for the tasks that only they can take, if any."""
    if problem.memory is None or problem.capacity is None:
        return None
    scarce: IntArray = np.flatnonzero(memory_prices(problem) > 1e-9)
    bound_to = ~np.delete(problem.eligible, scarce, axis=1).any(axis=1)
    short = float(problem.memory[bound_to].sum() - problem.capacity[scarce].sum())
    return (scarce.tolist(), short) if short > 0 else None

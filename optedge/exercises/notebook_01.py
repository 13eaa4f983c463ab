"""Exercises of notebook 01, how far rounding can be from the optimum."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.exercises.answers import (
    Refused,
    differs,
    guessed,
    model_optimum,
    number,
    same,
    whole,
)
from optedge.exercises.drawing import (
    best_makespan,
    drop_task_server_or_time,
    fewer,
    schedule_fault,
    tiny_makespan,
    tiny_makespan_with_memory,
)
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import Certificate, FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.papers.edge_learning import counterexample
from optedge.solvers.front import solve

MOST_TASKS, MOST_SERVERS = 6, 5  # of a counterexample: everything can be tried
S5 = ((2, 7, 7), (6, 4, 5), (5, 2, 3), (7, 7, 9), (4, 9, 8), (9, 5, 5))
SHORT = 15  # sum of prices that fit on a slip of paper


@prediction("01-p1")
def split_task(guess: Any) -> str:
    """Guess the task of C1 that the relaxation splits, and the makespan after rounding."""
    c1 = counterexample()
    x = c1.model(relax=True)
    model_optimum(x)
    split = {i for (i, j), share in x.x.items() if 1e-6 < share.value < 1 - 1e-6}
    return guessed(guess, min(split), solve(c1, "lp-rounding").objective)


@prediction("01-p2")
def where_annealing_ends(guess: Any) -> str:
    """Guess where the published annealing leaves S1's tasks, and the makespan."""
    s1 = MakespanProblem.related([6, 4, 4, 2], [2, 1])
    r = solve(s1, "sa-rearranging", variant="published", seed=0)
    return guessed(guess, int(r.solution[0]), r.objective)


@exercise("01-1")
def bound_of_thirds(answer: Any) -> str:
    """Say which bound the weights (1/3, 1/3, 1/3) prove for C1."""
    thirds = Certificate("weights", 0.0, {"servers": np.full(3, 1 / 3)})
    return differs(answer, counterexample().certify(thirds), 1e-3)


def _handed_in(answer: Any) -> MakespanProblem:
    """Return the instance that was handed in as times or as a problem; a faulty one is refused."""
    try:
        p = answer if isinstance(answer, MakespanProblem) else MakespanProblem(answer)
    except (ValueError, TypeError) as error:
        raise Refused(str(error).rstrip(".")) from error
    n, m = p.times.shape
    if n > MOST_TASKS or m > MOST_SERVERS:
        raise Refused(
            f"at most {MOST_TASKS} tasks and {MOST_SERVERS} servers are allowed, got {n} and {m}"
        )
    return p


def _is_c1(p: MakespanProblem) -> bool:
    """Tell whether an instance is C1 or of its family, up to the order of tasks and of servers."""
    for i in range(p.n_tasks):
        row = np.sort(p.times[i])
        rest = np.delete(p.times, i, axis=0)
        family = row[-1] == 10 and (row[:-1] == 1).all() and p.n_tasks == p.n_servers > 1
        if family and (np.isfinite(rest).sum(axis=1) == 1).all():
            own = rest[np.isfinite(rest)]
            if np.allclose(own, 9 / p.n_servers + 0.07):
                return True
    return False


@exercise("01-2", kind="counterexample", points=2)
def above_twice(answer: Any) -> str:
    """Find times, not those of C1 or its family, on which lp-rounding exceeds twice the optimum."""
    p = _handed_in(answer)
    if _is_c1(p):
        return "this is an instance of the notebook; find another one"
    rounded, best = solve(p, "lp-rounding", bound=False).objective, best_makespan(p)
    if rounded > 2 * best * (1 + 1e-9):
        return ""
    return f"lp-rounding gives {rounded:g}, and twice the optimum is {2 * best:g}"


def rounding_traps(rng: np.random.Generator, size: int) -> MakespanProblem:
    """Draw tiny instances, every third with a task whose largest share lies where it is long."""
    if size % 3:
        return tiny_makespan(rng, size)
    m = int(rng.integers(3, 6))
    times = np.full((m, m), np.inf)
    times[0] = 1
    times[0, 0] = rng.integers(8, 13)
    # Server 0 gets just the largest share, so that it does not stay with a rule that looks at it.
    times[np.arange(1, m), np.arange(1, m)] = round((times[0, 0] - 1) / m + 0.05, 2)
    order = rng.permutation(m)
    return MakespanProblem(times[np.ix_(order, rng.permutation(m))])


@exercise("01-3", draw=rounding_traps, smaller=drop_task_server_or_time, points=2)
def matching_step(answer: Callable[[MakespanProblem], Any], p: MakespanProblem) -> str:
    """Write rounded(p), the matching step: feasible, and at most 2 T*."""
    x = answer(p)
    fault = schedule_fault(p, x)
    if fault:
        return fault
    deadline, value = p.bound("T*").value, p.objective(x)
    if value <= 2 * deadline * (1 + 1e-9):
        return ""
    return f"makespan {value:g}, but 2 T* = {2 * deadline:g}"


@exercise(
    "01-4",
    kind="model",
    draw=tiny_makespan_with_memory,
    smaller=drop_task_server_or_time,
    points=4,
)
def memory_rows(answer: Callable[..., Any], p: MakespanProblem) -> str:
    """Write model(p, memory, capacity) with memory rows: its optimum equals enumeration."""
    bare = p.replace(memory=None, capacity=None)
    found, best = model_optimum(answer(bare, p.memory, p.capacity)), best_makespan(p)
    if same(found, best):
        return ""
    says = "is infeasible" if np.isinf(found) else f"has the optimum {found:g}"
    truth = "there is no schedule" if np.isinf(best) else f"enumeration finds {best:g}"
    return f"your model {says}, {truth}"


@dataclasses.dataclass(frozen=True, eq=False)
class Priced:
    """A deadline, and prices at which the servers pack what they finish by then.

    Parameters
    ----------
    times
        Seconds, ``(n, m)``; ``inf`` where a task cannot go.
    deadline
        Whole seconds.
    prices
        Whole numbers from 0, ``(n,)``.
    """

    times: FloatArray
    deadline: int
    prices: IntArray

    def knapsacks(self) -> IntArray:
        """Return the largest sum of prices that each server finishes by the deadline, ``(m,)``."""
        sets = np.array(list(itertools.product((0, 1), repeat=self.prices.size)))
        reachable = np.where(np.isfinite(self.times), self.times, self.deadline + 1.0)
        fits = sets @ reachable <= self.deadline
        worth: IntArray = np.where(fits, (sets @ self.prices)[:, None], 0).max(axis=0)
        return worth


@prediction("01-p3")
def packed_by_work(guess: Any) -> str:
    """Guess the knapsacks of S1's servers at the deadline 5, if prices are the work."""
    s1 = MakespanProblem.related([6, 4, 4, 2], [2, 1])
    return guessed(guess, *Priced(s1.times, 5, np.array([6, 4, 4, 2])).knapsacks().tolist())


@exercise("01-5", kind="solution")
def prices_on_a_slip(answer: Any) -> str:
    """Find whole prices, 15 in all at most, that refute the deadline 9 of S5."""
    prices = whole(answer, (len(S5),))
    if (prices < 0).any():
        raise Refused("a price is below 0, which proves nothing")
    total = int(prices.sum())
    if total > SHORT:
        return f"the prices sum to {total}, and at most {SHORT} are allowed"
    packed = int(Priced(np.array(S5, dtype=np.float64), 9, prices).knapsacks().sum())
    if packed < total:
        return ""
    return f"the servers can pack {packed}, which is not below the sum of the prices, {total}"


def priced(rng: np.random.Generator, size: int) -> Priced:
    """Draw an instance with a deadline near its optimum, and prices from 0 to 9."""
    p = tiny_makespan(rng, size)
    deadline = max(1, int(best_makespan(p)) + int(rng.integers(-2, 2)))
    return Priced(p.times, deadline, rng.integers(0, 10, p.n_tasks))


def smaller_priced(p: Priced) -> Iterator[Priced]:
    """List the instances with fewer tasks, a server less, or a time or a price of 1."""
    n, m = p.times.shape
    for tasks in fewer(n):
        yield Priced(p.times[tasks], p.deadline, p.prices[tasks])
    for servers in fewer(m):
        yield Priced(p.times[:, servers], p.deadline, p.prices)
    for i, j in np.argwhere(np.isfinite(p.times) & (p.times != 1)).tolist():
        times = p.times.copy()
        times[i, j] = 1
        yield dataclasses.replace(p, times=times)
    for i in np.flatnonzero(p.prices > 1).tolist():
        yield dataclasses.replace(p, prices=np.where(np.arange(n) == i, 1, p.prices))


@exercise("01-6", draw=priced, smaller=smaller_priced, points=2)
def excess_of_prices(answer: Callable[..., Any], p: Priced) -> str:
    """Write excess(times, deadline, prices): what the knapsacks hold above the sum of prices."""
    value = number(answer(p.times.copy(), p.deadline, p.prices.copy()))
    packed, total = int(p.knapsacks().sum()), int(p.prices.sum())
    if same(value, packed - total):
        return ""
    return f"you say {value:g}; the servers can pack {packed}, and the prices sum to {total}"

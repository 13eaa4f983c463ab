"""Exercises of notebook 02, when multipliers find the optimum of a discrete choice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.bridge import solve_model
from optedge.exercises.answers import Refused, guessed, model_optimum, number, same, vector
from optedge.exercises.drawing import fewer
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import FloatArray
from optedge.formulations.split.problem import SplitProblem

MEMORY = np.array([0.0, 2, 3, 7, 12])
SWEEP = np.arange(13)  # the memory limits of section 6
RATIO = 10


def p_a() -> SplitProblem:
    """Return the instance P-A of the notebook."""
    usage = np.array([MEMORY, [9, 7, 6, 5, 8], [0, 1, 3, 4, 9]])
    return SplitProblem(
        np.arange(5.0), usage, np.array([6.0, 8, 4]), ("memory", "latency", "energy")
    )


def sweep() -> tuple[FloatArray, FloatArray]:
    """Return relaxation and integer optimum of P-A with its memory alone, for all limits."""
    depth, usage = np.arange(5.0), MEMORY[None, :]
    found = [SplitProblem(depth, usage, np.array([limit])).minimise_dual() for limit in SWEEP]
    return np.array([d.theta for d in found]), np.array([d.optimum for d in found])


@prediction("02-p1")
def tight_model(guess: Any) -> str:
    """Guess which relaxation gives the optimum, AGG or DIS, and the value of the other one."""
    p = p_a()
    values = {kind: -solve_model(p.model(kind, relax=True)).objective for kind in p.kinds}
    best = -min(p.objective(np.array([j])) for j in range(p.n_positions))
    tight = [kind for kind, value in values.items() if same(value, best)]
    loose = [value for kind, value in values.items() if kind not in tight]
    return guessed(guess, tight[0].upper(), loose[0])


@prediction("02-p2")
def where_both_agree(guess: Any) -> str:
    """Guess the memory limits at which relaxation and integers agree."""
    relaxed, whole = sweep()
    return guessed(guess, SWEEP[relaxed - whole < 1e-9].tolist())


@exercise("02-1")
def largest_gap(answer: Any) -> str:
    """Find the largest gap between relaxation and integers, and the memory limit."""
    gap, limit = vector(answer, (2,))
    gaps = np.subtract(*sweep())
    if not same(gap, gaps.max(), 1e-3):
        return f"a gap of {gap:g} is too {'large' if gap > gaps.max() else 'small'}"
    at = SWEEP[gaps > gaps.max() - 1e-6]
    return "" if limit in at else f"the gap is right, but it is not at a memory limit of {limit:g}"


def one_limit(rng: np.random.Generator, size: int) -> SplitProblem:
    """Draw up to six positions under one limit, whole numbers; some position meets it."""
    n = int(rng.integers(1 if size <= 5 else 3, 2 + min(size // 2, 5)))
    value, usage = rng.integers(0, 10, (2, n)).astype(np.float64)
    limit = float(rng.integers(int(usage.min()), int(usage.max()) + 2))
    return SplitProblem(value, usage[None, :], np.array([limit]))


def smaller_split(p: SplitProblem) -> Iterator[SplitProblem]:
    """List the instances with fewer positions, or a value or a usage set to 0 or 1."""
    limit, usage = p.limits[0], p.usage[0]
    for keep in fewer(p.n_positions):
        if (usage[keep] <= limit).any():
            yield p.replace(value=p.value[keep], usage=usage[None, keep])
    for j in range(p.n_positions):
        for digit in (0, 1):
            if p.value[j] > digit:
                yield p.replace(value=np.where(np.arange(usage.size) == j, digit, p.value))
            changed = np.where(np.arange(usage.size) == j, digit, usage)
            if usage[j] > digit and (changed <= limit).any():
                yield p.replace(usage=changed[None, :])


@exercise("02-2", draw=one_limit, smaller=smaller_split, points=2)
def least_theta(answer: Callable[[SplitProblem], Any], p: SplitProblem) -> str:
    """Write least(p): the best price of the one limit and theta there; theta equals the LP."""
    price, value = vector(answer(p), (2,))
    if price < 0:
        return f"a price must not be negative, got {price:g}"
    there, least = p.theta(price), p.minimise_dual()
    if not same(value, there):
        below = f", and below the optimum {least.optimum:g}" if value < least.optimum else ""
        return f"at your price {price:g} theta is {there:g}; you return {value:g}{below}"
    if same(there, least.theta, 1e-3):
        return ""
    return f"theta is {there:g} at your price {price:g}, and {least.theta:g} at a better one"


@exercise("02-3", kind="counterexample", points=2)
def ten_times(answer: Any) -> str:
    """Find three positions and one limit: the relaxation is worth ten times the optimum."""
    p = answer if isinstance(answer, SplitProblem) else _choice(answer)
    if p.n_positions != 3 or p.n_limits != 1:
        return f"three positions and one limit are asked for, got {p.n_positions} and {p.n_limits}"
    if not p.feasible.any():
        return "no position meets the limit; there is no optimum to compare with"
    found = p.minimise_dual()
    if found.optimum <= 0:
        return f"the optimum is {found.optimum:g}; a ratio needs a positive one"
    if found.theta >= RATIO * found.optimum * (1 - 1e-9):
        return ""
    return f"the relaxation is worth {found.theta:g}, the optimum {found.optimum:g}"


def _choice(answer: Any) -> SplitProblem:
    """Return the instance of three things that were handed in; faulty ones are refused."""
    try:
        value, usage, limit = answer
    except (TypeError, ValueError) as error:
        raise Refused("(value, usage, limit) is expected, or an oe.SplitProblem") from error
    try:
        return SplitProblem(value, np.array([usage]), np.array([number(limit)]))
    except (TypeError, ValueError) as error:
        raise Refused(str(error).rstrip(".")) from error


@dataclasses.dataclass(frozen=True, eq=False)
class TwoChoices:
    """A position and a server to be chosen: what each pair earns and uses, rooms of servers."""

    value: FloatArray  # (n_positions, n_servers)
    usage: FloatArray  # (n_positions, n_servers)
    limits: FloatArray  # (n_servers,)

    @property
    def best(self) -> float:
        """What the best pair within its limit earns; ``-inf`` if there is none."""
        return float(self.value[self.usage <= self.limits].max(initial=-math.inf))


def position_and_server(rng: np.random.Generator, size: int) -> TwoChoices:
    """Draw up to four positions on up to three servers; at times all lose, or none fits."""
    n, m = int(rng.integers(1, 2 + min(size // 2, 3))), int(rng.integers(1, 2 + min(size // 3, 2)))
    value, usage = rng.integers(-3, 10, (n, m)), rng.integers(1, 10, (n, m))
    if size % 4 == 0:
        value -= 10  # to choose nothing would be best
    return TwoChoices(value.astype(float), usage.astype(float), rng.integers(1, 9, m).astype(float))


def smaller_choices(c: TwoChoices) -> Iterator[TwoChoices]:
    """List the instances with fewer positions or servers, or with a value set to 1."""
    n, m = c.value.shape
    for keep in fewer(n):
        yield TwoChoices(c.value[keep], c.usage[keep], c.limits)
    for keep in fewer(m):
        yield TwoChoices(c.value[:, keep], c.usage[:, keep], c.limits[keep])
    for j, k in np.argwhere((c.value != 1) & (c.value > 0)).tolist():
        value = c.value.copy()
        value[j, k] = 1
        yield dataclasses.replace(c, value=value)


@exercise("02-4", kind="model", draw=position_and_server, smaller=smaller_choices, points=4)
def two_choices(answer: Callable[[FloatArray, FloatArray, FloatArray], Any], c: TwoChoices) -> str:
    """Write model(value, usage, limits), two binary choices: its optimum equals enumeration."""
    found, best = _earned(answer(c.value, c.usage, c.limits)), c.best
    if same(found, best):
        return ""
    says = "is infeasible" if np.isinf(found) else f"earns {found:g}"
    truth = "no pair is within its limit" if np.isinf(best) else f"the best pair earns {best:g}"
    return f"your model {says}, {truth}"


def _earned(model: Any) -> float:
    """Return what a model earns, one that minimises the negative too; ``-inf`` if infeasible."""
    import pyomo.environ as pyo

    found = model_optimum(model)
    objectives = list(model.component_data_objects(pyo.Objective, active=True))
    if not objectives:
        raise Refused("your model has no objective")
    maximises = objectives[0].sense == pyo.maximize
    return found if maximises and not math.isinf(found) else -found

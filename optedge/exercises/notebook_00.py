"""Exercises of notebook 00, what "within 10 % of optimal" means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.exercises.answers import differs, guessed, same, vector
from optedge.exercises.drawing import all_makespans, best_makespan, fewer, schedule_fault
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import Certificate, FloatArray
from optedge.formulations.makespan import MakespanProblem


def tour() -> MakespanProblem:
    """Return the instance of the notebook."""
    return MakespanProblem(np.array([[3, 6], [2, 4], [2, 4], [1, 2]]))


def related_servers(rng: np.random.Generator, size: int) -> MakespanProblem:
    """Draw tasks on up to four servers that differ by speed only."""
    n = int(rng.integers(1, 2 + min(size // 2, 6)))
    m = int(rng.integers(1, 2 + min(1 + size // 5, 3)))
    return MakespanProblem.related(rng.integers(1, 10, n), rng.integers(1, 6, m))


def speeds_of(p: MakespanProblem) -> FloatArray:
    """Return the speeds of related servers."""
    return np.asarray(p.sizes[0] / p.times[0])


def smaller_related(p: MakespanProblem) -> Iterator[MakespanProblem]:
    """List the instances with fewer tasks, a server less, or a work or a speed set to 1."""
    work, speeds = p.sizes, speeds_of(p)
    for tasks in fewer(work.size):
        yield MakespanProblem.related(work[tasks], speeds)
    for j in range(speeds.size if speeds.size > 1 else 0):
        yield MakespanProblem.related(work, np.delete(speeds, j))
    for i in np.flatnonzero(work != 1).tolist():
        yield MakespanProblem.related(np.where(np.arange(work.size) == i, 1, work), speeds)
    for j in np.flatnonzero(speeds != 1).tolist():
        yield MakespanProblem.related(work, np.where(np.arange(speeds.size) == j, 1, speeds))


@prediction("00-p1")
def best_of_sixteen(guess: Any) -> str:
    """Guess the best makespan of the 16 assignments, and how many reach it."""
    values = all_makespans(tour())
    return guessed(guess, float(values.min()), int((values == values.min()).sum()))


@exercise("00-1")
def bound_of_equal_weights(answer: Any) -> str:
    """Say which bound the weights (1/2, 1/2) prove for the instance of the tour."""
    equal = Certificate("weights", 0.0, {"servers": np.full(2, 0.5)})
    return differs(answer, tour().certify(equal))


@exercise("00-2")
def optimal_assignments(answer: Any) -> str:
    """Count the optimal ones of the 16 assignments."""
    values = all_makespans(tour())
    return differs(answer, float((values == values.min()).sum()))


@exercise("00-3", draw=related_servers, smaller=smaller_related, points=2)
def longest_first(answer: Callable[[MakespanProblem], Any], p: MakespanProblem) -> str:
    """Write lpt(p): feasible, and at most 2m/(m+1) times the optimum on m related servers."""
    x = answer(p)
    fault = schedule_fault(p, x)
    if fault:
        return fault
    best, factor = best_makespan(p), 2 * p.n_servers / (p.n_servers + 1)
    value = p.objective(x)
    if value <= factor * best * (1 + 1e-9):
        return ""
    return f"makespan {value:g}, but {factor:.4g} times the optimum is {factor * best:g}"


@exercise("00-4", draw=related_servers, smaller=smaller_related, points=2)
def weights_of_speeds(answer: Callable[[Any], Any], p: MakespanProblem) -> str:
    """Write weights(speeds), the best weights of related servers: their bound equals the LP."""
    speeds = speeds_of(p)
    weights = vector(answer(speeds.copy()), speeds.shape)
    if (weights < 0).any() or not same(float(weights.sum()), 1):
        return f"weights must not be negative and sum to 1, got {weights.round(6).tolist()}"
    proved, best = float((weights * p.times).min(axis=1).sum()), p.bound("LP").value
    if same(proved, best):
        return ""
    return f"your weights prove {proved:g}, the LP {best:g}, for speeds {speeds.tolist()}"

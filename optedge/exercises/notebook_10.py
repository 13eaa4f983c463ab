"""Exercises of notebook 10, which models to cache on which server."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.exercises.answers import guessed, model_optimum, same
from optedge.exercises.drawing import fewer
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import BoolArray, FloatArray

NEAR, FAR = 1.0, 4.0  # what a request costs that a neighbour serves, or the cloud


@dataclasses.dataclass(frozen=True, eq=False)
class Caches:
    """Which models each server keeps: sizes, requests, memory."""

    size: FloatArray  # (n_models,)
    asked: FloatArray  # (n_servers, n_models)
    memory: FloatArray  # (n_servers,)

    def cost(self, kept: BoolArray) -> float:
        """Return the cost of all requests; ``inf`` if a memory is too small."""
        if (kept @ self.size > self.memory).any():
            return math.inf
        elsewhere = np.where(kept.any(axis=0), NEAR, FAR)
        return float((np.where(kept, 0.0, elsewhere) * self.asked).sum())

    def plans(self) -> Iterator[BoolArray]:
        """List every 0/1 matrix (n_servers, n_models): tiny instances."""
        for bits in itertools.product((False, True), repeat=self.asked.size):
            yield np.array(bits).reshape(self.asked.shape)

    def best(self) -> float:
        """Return the least cost by trying every plan."""
        return min(self.cost(kept) for kept in self.plans())


def two_servers() -> Caches:
    """Return the instance of the notebook."""
    return Caches(np.array([2.0, 2, 1]), np.array([[5.0, 4, 3], [5, 4, 3]]), np.array([3.0, 3]))


def draw_caches(rng: np.random.Generator, size: int) -> Caches:
    """Draw up to three servers and three models, nine pairs at most; servers ask differently."""
    n, m = int(rng.integers(1, 2 + min(size // 3, 2))), int(rng.integers(1, 2 + min(size // 4, 2)))
    return Caches(
        rng.integers(1, 5, m).astype(float),
        rng.integers(0, 10, (n, m)).astype(float),
        rng.integers(1, 7, n).astype(float),
    )


def smaller_caches(c: Caches) -> Iterator[Caches]:
    """List the instances with fewer servers or models, or with a number of requests set to 1."""
    n, m = c.asked.shape
    for servers in fewer(n):
        yield Caches(c.size, c.asked[servers], c.memory[servers])
    for models in fewer(m):
        yield Caches(c.size[models], c.asked[:, models], c.memory)
    for j, k in np.argwhere(c.asked > 1).tolist():
        asked = c.asked.copy()
        asked[j, k] = 1
        yield dataclasses.replace(c, asked=asked)


def most_asked(c: Caches) -> BoolArray:
    """Return what servers keep that look at their own requests alone."""
    kept = np.zeros(c.asked.shape, bool)
    for j, row in enumerate(c.asked):
        for k in np.argsort(-row, kind="stable"):
            kept[j, k] = kept[j] @ c.size + c.size[k] <= c.memory[j]
    return kept


@prediction("10-p1")
def rule_and_optimum(guess: Any) -> str:
    """Guess what the rule of most requests costs, and the least cost."""
    c = two_servers()
    return guessed(guess, c.cost(most_asked(c)), c.best())


@prediction("10-p2")
def weak_bound(guess: Any) -> str:
    """Guess the bound of the relaxation whose rows are added up."""
    from scipy.optimize import linprog

    c = two_servers()
    n, m = c.asked.shape
    # Shares kept x[i, k], then shares served y[j, k, i]; what nobody serves the cloud does.
    x = np.arange(n * m).reshape(n, m)
    y = n * m + np.arange(n * m * n).reshape(n, m, n)
    columns = n * m + n * m * n
    cost, rows, limits = np.zeros(columns), [], []
    for j, k, i in np.ndindex(n, m, n):
        cost[y[j, k, i]] = c.asked[j, k] * ((NEAR if i != j else 0.0) - FAR)
    for i, k in np.ndindex(n, m):
        rows.append(np.zeros(columns))
        rows[-1][y[:, k, i]], rows[-1][x[i, k]] = 1, -n
        limits.append(0.0)
        rows.append(np.zeros(columns))
        rows[-1][y[i, k]] = 1
        limits.append(1.0)
    for i in range(n):
        rows.append(np.zeros(columns))
        rows[-1][x[i]] = c.size
        limits.append(c.memory[i])
    found = linprog(cost, np.array(rows), limits, bounds=(0, 1))
    return guessed(guess, float(FAR * c.asked.sum() + found.fun))


@exercise("10-1", kind="model", draw=draw_caches, smaller=smaller_caches, points=4)
def own_model(answer: Callable[[FloatArray, FloatArray, FloatArray], Any], c: Caches) -> str:
    """Write cache_model(size, asked, memory): its optimum equals enumeration."""
    found, best = model_optimum(answer(c.size.copy(), c.asked.copy(), c.memory.copy())), c.best()
    if same(found, best):
        return ""
    return f"your model's optimum is {found:g}, enumeration finds {best:g}"

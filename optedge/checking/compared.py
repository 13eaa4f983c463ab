"""How values and solutions are compared, and the value of a solution with all that it may tell."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np

TOLERANCE = 1e-6


def same(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Tell whether two values are equal, relatively where they are large."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return a == b
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def above(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Tell whether ``a`` exceeds ``b`` by more than rounding; NaN counts as above."""
    if a == b:
        return False
    return not a <= b + tolerance * max(1.0, abs(b))


def alike(x: Any, y: Any) -> bool:
    """Tell whether two solutions are equal, whatever they are made of."""
    if dataclasses.is_dataclass(x):
        return type(x) is type(y) and all(
            alike(getattr(x, f.name), getattr(y, f.name)) for f in dataclasses.fields(x)
        )
    if isinstance(x, list | tuple) and isinstance(y, list | tuple):  # maybe rows of other lengths
        return len(x) == len(y) and all(map(alike, x, y))
    return bool(np.array_equal(np.asarray(x), np.asarray(y)))


def least(problem: Any, known: list[Any]) -> float:
    """Return the least objective of the solutions that are known; ``inf`` if there are none."""
    return min((float(problem.objective(x)) for x in known), default=math.inf)


def wrong_value(problem: Any, x: Any) -> str | None:
    """Say what is wrong with objective, violations and metrics of a solution, if anything is."""
    kept = copy.deepcopy(x)
    value = problem.objective(x)
    if not isinstance(value, float | int | np.floating | np.integer):
        return f"objective must return a number, got {value!r} for {x!r}."
    if math.isnan(value):
        return f"objective returned NaN for {x!r}."
    if value == -math.inf:
        return f"objective returned -inf for {x!r}; what is infeasible has the objective inf."
    violations = problem.violations(x)
    if not isinstance(violations, list | tuple) or not all(isinstance(v, str) for v in violations):
        return f"violations must return a list of sentences, got {violations!r} for {x!r}."
    if math.isfinite(value) == bool(violations):
        return f"the objective of {x!r} is {value:g}, its violations are {violations}."
    if math.isfinite(value):
        metrics = problem.metrics(x)
        numbers = isinstance(metrics, dict) and all(np.isscalar(v) for v in metrics.values())
        if not numbers:
            return f"metrics must return a dict of numbers, got {metrics!r}."
    if not alike(x, kept):
        return f"evaluating {kept!r} changed it to {x!r}."
    again = float(problem.objective(x))
    if not same(again, float(value), 1e-12):
        return f"objective of {x!r} is {value:g} the first time and {again:g} the second."
    return None

"""Reading what was handed in: a number, an array, a model; what is none of these is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optedge.bridge import solve_model
from optedge.formulations.base import FloatArray

#: Seconds that a model that was handed in may take; those of tiny instances take milliseconds.
MODEL_SECONDS = 5.0


class Refused(Exception):
    """An answer that is wrong or cannot be read; the text is one sentence without a full stop."""


def show(value: Any) -> str:
    """Return a short text of an object, cut after 200 characters."""
    if isinstance(value, float | np.floating):
        return f"{value:.10g}"
    text = str(value.tolist()) if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= 200 else text[:200] + "..."


def number(answer: Any) -> float:
    """Return an answer as a finite float.

    Raises
    ------
    Refused
        If it is no number, NaN or infinite.
    """
    if isinstance(answer, np.ndarray) and answer.ndim == 0:
        answer = answer.item()
    if isinstance(answer, bool | np.bool_) or not isinstance(answer, int | float | np.number):
        raise Refused(f"one number is expected, got {type(answer).__name__} {show(answer)}")
    if isinstance(answer, complex | np.complexfloating):
        raise Refused(f"a real number is expected, got {show(answer)}")
    value = float(answer)
    if math.isnan(value):
        raise Refused("NaN is not a number")
    if math.isinf(value):
        raise Refused("a finite number is expected, got infinity")
    return value


def vector(answer: Any, shape: tuple[int, ...], *, infinite: bool = False) -> FloatArray:
    """Return an answer as an array of floats of a given shape.

    Raises
    ------
    Refused
        If it holds anything but numbers, a NaN, an infinity (unless allowed), or has another shape.
    """
    try:
        array = np.array(answer)
        if array.dtype.kind not in "iuf":
            raise ValueError(array.dtype)
    except (ValueError, TypeError):
        raise Refused(
            f"an array of numbers is expected, got {type(answer).__name__} {show(answer)}"
        ) from None
    if array.shape != shape:
        raise Refused(f"an array of shape {shape} is expected, got shape {array.shape}")
    array = array.astype(np.float64)
    if np.isnan(array).any():
        raise Refused(f"entry {_first(np.isnan(array))} is NaN")
    if not infinite and np.isinf(array).any():
        raise Refused(f"entry {_first(np.isinf(array))} is infinite")
    return array


def _first(mask: np.ndarray[Any, Any]) -> str:
    where = np.argwhere(mask)[0].tolist()
    return str(where[0] if len(where) == 1 else tuple(where))


def whole(answer: Any, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return an answer as an array of whole numbers of a given shape.

    Raises
    ------
    Refused
        As for :func:`vector`, and if an entry is not whole.
    """
    array = vector(answer, shape)
    broken = array != np.rint(array)
    if broken.any():
        raise Refused(f"entry {_first(broken)} is {array[broken][0]:g}, a whole number is expected")
    return array.astype(np.int64)


def same(a: float, b: float, tolerance: float = 1e-6) -> bool:
    """Tell whether two numbers agree but for rounding, relative to the larger one or to 1."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return a == b
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def differs(answer: Any, truth: float, tolerance: float = 1e-6) -> str:
    """Return ``""`` if a number is the right one, else a sentence that does not tell which is."""
    value = number(answer)
    if same(value, truth, tolerance):
        return ""
    return f"{value:g} is too {'large' if value > truth else 'small'}"


def guessed(guess: Any, *truth: Any, tolerance: float = 1e-2) -> str:
    """Return ``""`` if a guess holds, else a sentence with what is true.

    Parameters
    ----------
    guess
        One thing, or as many in a tuple or list as there are truths.
    *truth
        Numbers (equal up to ``tolerance``), words (in any case), or lists (equal as sets).
    """
    wanted = truth if len(truth) > 1 else (truth[0],)
    given = tuple(guess) if len(truth) > 1 and isinstance(guess, tuple | list) else (guess,)
    told = ", ".join(show(t) for t in wanted)
    if len(given) != len(wanted):
        raise Refused(f"{len(wanted)} things are asked for, got {show(guess)}; it is {told}")
    if all(_matches(g, t, tolerance) for g, t in zip(given, wanted, strict=True)):
        return ""
    return f"you said {', '.join(show(g) for g in given)}; it is {told}"


def _matches(guess: Any, truth: Any, tolerance: float) -> bool:
    if isinstance(truth, bool):
        return isinstance(guess, bool | np.bool_) and bool(guess) == truth
    if isinstance(truth, str):
        return isinstance(guess, str) and guess.strip().casefold() == truth.casefold()
    if isinstance(truth, list | tuple | set):
        try:
            return sorted(guess) == sorted(truth)
        except (TypeError, ValueError):
            return False
    try:
        return same(number(guess), float(truth), tolerance)
    except Refused:
        return False


def model_optimum(model: Any) -> float:
    """Return the optimum of a Pyomo model that was handed in; ``inf`` if it is infeasible.

    Raises
    ------
    Refused
        If it is no Pyomo model, is not linear, or has no finite optimum.
    """
    import pyomo.environ as pyo

    if not isinstance(model, pyo.ConcreteModel):
        raise Refused(f"a Pyomo ConcreteModel is expected, got {type(model).__name__}")
    try:
        solved = solve_model(model, time_limit=MODEL_SECONDS)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise Refused(f"your model cannot be solved: {error}".rstrip(".")) from error
    if solved.status == "infeasible":
        return math.inf
    if solved.status != "optimal":
        raise Refused(
            f"your model has no optimum that is found within {MODEL_SECONDS:g} s: {solved.status}"
        )
    return float(solved.objective)

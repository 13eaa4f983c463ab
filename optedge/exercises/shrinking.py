"""The smallest instance on which an answer fails, and how it is shown."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from optedge.exercises.answers import show

#: Instances that are tried at most.
MOST = 300


def shrink(
    failing: tuple[Any, str],
    smaller: Callable[[Any], Iterable[Any]],
    verdict: Callable[[Any], str],
    keep: Callable[[tuple[Any, str]], None],
    seconds: float,
) -> None:
    """Go from a failing instance to a smaller failing one, until none of the smaller ones fails.

    Parameters
    ----------
    failing
        The instance and what the answer was told there.
    smaller
        Lists the instances to try next, the greatest step first.
    verdict
        Returns ``""`` where the answer is right, else a sentence.
    keep
        Is told each smaller instance with its sentence: a caller who stops this has the last one.
    seconds
        No instance is tried later than that.
    """
    tried, instance, end = 0, failing[0], time.monotonic() + seconds
    moved = True
    while moved:
        moved = False
        for candidate in smaller(instance):
            if tried == MOST or time.monotonic() > end:
                return
            tried += 1
            said = verdict(candidate)
            if said:
                instance, moved = candidate, True
                keep((candidate, said))
                break


def describe(instance: Any) -> str:
    """Return an instance as text, a problem by the fields that were given to it."""
    if isinstance(instance, tuple):
        return ", ".join(describe(part) for part in instance)
    if not dataclasses.is_dataclass(instance) or isinstance(instance, type):
        return show(instance)
    parts = []
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        default = field.default is not dataclasses.MISSING
        if (
            value is None
            or (isinstance(value, str) and not value)
            or (default and value is field.default)
        ):
            continue
        if default and isinstance(value, np.ndarray) and not value.any():
            continue  # ready times of 0 are those of an instance without
        parts.append(f"{field.name}={_numbers(value)}")
    return f"{type(instance).__name__}({', '.join(parts)})"


def _numbers(value: Any) -> str:
    """Return an array as nested lists with short numbers."""
    if isinstance(value, np.ndarray):
        if value.ndim and value.size <= 60:
            return "[" + ", ".join(_numbers(row) for row in value) + "]"
        return f"{value.item():.12g}" if value.ndim == 0 else f"array of shape {value.shape}"
    if isinstance(value, float | np.floating):
        return f"{value:.12g}"
    if isinstance(value, np.integer):
        return str(int(value))
    return show(value)

"""What a class must have to be a problem, told in a sentence when its first instance is made.

What only shows at run time (choices, values) is told when a solver first asks for it.
"""

from __future__ import annotations

import functools
import inspect
import math
from typing import Any

import numpy as np

#: Methods that come together: who gives the first must give the others.
TOGETHER = {
    "model": ("extract", "fill"),
    "costs": ("choices",),
    "decode": ("choices",),
    "partial": ("choices",),
    "solutions": ("values", "count_solutions"),
}


@functools.cache
def check_class(cls: Any, base: Any) -> None:
    """Refuse a problem class that lacks something.

    Parameters
    ----------
    cls
        The class of the problem that is being made.
    base
        ``Problem``; what it leaves open counts as lacking.

    Raises
    ------
    TypeError
        If the class is no frozen dataclass with ``eq=False``, has no ``objective``, gives one of
        the methods that come together without the others, gives ``model`` with other parameters,
        or has a field where the base class has a method.
    """
    name = cls.__name__
    undeclared = [
        field
        for owner in cls.__mro__
        for field in inspect.get_annotations(owner)
        if field not in cls.__dataclass_fields__
        and "ClassVar" not in str(inspect.get_annotations(owner)[field])
    ]
    if undeclared or cls.__eq__ is not object.__eq__:
        why = f"{undeclared[0]} is no field yet" if undeclared else "arrays have no simple equality"
        raise TypeError(
            f"{name}: decorate the class with @dataclasses.dataclass(frozen=True, eq=False); {why}."
        )
    hidden = [f for f in cls.__dataclass_fields__ if _is_method(inspect.getattr_static(base, f, 0))]
    if hidden:
        raise TypeError(
            f"{name}: the field {hidden[0]} hides what every problem has by that name; rename it."
        )
    if not _gives(cls, base, "objective"):
        raise TypeError(f"{name} lacks the method objective(x), the exact value of a solution.")
    for method, others in TOGETHER.items():
        if _gives(cls, base, method):
            missing = [other for other in others if not _gives(cls, base, other)]
            if missing:
                raise TypeError(f"{name} gives {method}, but lacks {' and '.join(missing)}.")
    if _gives(cls, base, "model"):
        wanted, given = (list(inspect.signature(c.model).parameters) for c in (base, cls))
        if wanted[1:] != given[1:]:
            got = ", ".join(given)
            raise TypeError(
                f"{name}.model must take (self, kind=None, *, relax=False), got ({got})."
            )


def _gives(cls: Any, base: Any, name: str) -> bool:
    """Tell whether the class has something of that name, maybe a field, which the base has not."""
    own: Any = inspect.getattr_static(cls, name, None)
    given = own is not None and own is not inspect.getattr_static(base, name, None)
    return given or name in cls.__dataclass_fields__


def _is_method(thing: Any) -> bool:
    computed = (property, functools.cached_property, classmethod, staticmethod)
    return inspect.isfunction(thing) or isinstance(thing, computed)


def wrong_choices(problem: Any) -> str | None:
    """Return a sentence if ``choices`` is no matrix of bool with an option for each decision."""
    name, choices = type(problem).__name__, problem.choices
    if not isinstance(choices, np.ndarray) or choices.dtype != bool or choices.ndim != 2:
        got = type(choices).__name__
        if isinstance(choices, np.ndarray):
            got = f"{choices.dtype} of shape {choices.shape}"
        return f"{name}.choices must be a matrix of bool (n_decisions, n_options), got {got}."
    stuck = np.flatnonzero(~choices.any(axis=1))
    if stuck.size or not choices.size:
        which = f"decision {stuck[0]} has no option" if stuck.size else "there is nothing to decide"
        return f"{name}.choices: {which}."
    return None


def value_of(problem: Any, x: Any) -> float:
    """Return the objective of ``x`` as the problem computes it, if that is a number.

    Raises
    ------
    TypeError, ValueError
        If the objective is something else, NaN or -inf.
    """
    value = problem.objective(x)
    if not isinstance(value, float | int | np.floating | np.integer):
        raise TypeError(
            f"{type(problem).__name__}.objective must return a number, got {value!r} for {x!r}."
        )
    if math.isnan(value):
        raise ValueError(f"{type(problem).__name__}.objective returned NaN for {x!r}.")
    if value == -math.inf:
        name = type(problem).__name__
        raise ValueError(
            f"{name}.objective returned -inf for {x!r}; objectives are minimised, and what is "
            "infeasible has the objective inf."
        )
    return float(value)

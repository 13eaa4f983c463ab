"""What a class must have to be a problem, told in a sentence when its first instance is made."""

from __future__ import annotations

import functools
import inspect
from typing import Any

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
        the methods that come together without the others, or gives ``model`` with other parameters.
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
    if not _gives(cls, base, "objective"):
        raise TypeError(f"{name} lacks the method objective(x), the exact value of a solution.")
    for method, others in TOGETHER.items():
        if _gives(cls, base, method):
            missing = [other for other in others if not _gives(cls, base, other)]
            if missing:
                raise TypeError(f"{name} gives {method}, but lacks {' and '.join(missing)}.")
    if _gives(cls, base, "model"):
        wanted, given = (list(inspect.signature(c.model).parameters) for c in (base, cls))
        if wanted != given:
            got = ", ".join(given)
            raise TypeError(
                f"{name}.model must take (self, kind=None, *, relax=False), got ({got})."
            )


def _gives(cls: Any, base: Any, name: str) -> bool:
    """Tell whether the class has something of that name which the base has not."""
    own: Any = inspect.getattr_static(cls, name, None)
    return own is not None and own is not inspect.getattr_static(base, name, None)

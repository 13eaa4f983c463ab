"""Problem classes by name: those of the package, of plugins, and those of a user.

A user's class must have been defined or imported; it is found among the subclasses of ``Problem``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import optedge.formulations
from optedge.disk import shown
from optedge.formulations.base import Problem
from optedge.plugins import load_plugins


@functools.cache
def _import_formulations() -> None:
    """Import every module of ``optedge.formulations``, and the plugins: their classes are known."""
    for module in pkgutil.iter_modules(optedge.formulations.__path__):
        importlib.import_module(f"{optedge.formulations.__name__}.{module.name}")
    load_plugins()


def _subclasses(cls: type[Problem]) -> Iterator[type[Problem]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def all_classes() -> list[type[Problem]]:
    """Return every problem class that is known: of the package, of plugins, of the user.

    A class without an ``objective`` is only the base of others.
    """
    _import_formulations()
    return [c for c in _subclasses(Problem) if c.objective is not Problem.objective]


def _classes() -> dict[str, type[Problem]]:
    """Return all problem classes by name; the package's own win, else the newest."""
    found = all_classes()
    shipped = [c for c in found if c.__module__.partition(".")[0] == "optedge"]
    return {c.__name__: c for c in [*found, *shipped]}


def class_named(name: Any) -> type[Problem]:
    """Return the problem class of that name; ValueError listing the known ones."""
    classes = _classes()
    if not isinstance(name, str) or name not in classes:
        known = ", ".join(sorted(classes))
        raise ValueError(
            f"class: there is no problem class {shown(repr(name))} (known are {known}); "
            "define or import it before loading."
        )
    return classes[name]


def class_for_suffix(suffix: str) -> type[Problem] | None:
    """Return the problem class that reads files with this ending, if there is one."""
    if not suffix or suffix == ".json":
        return None
    return next((c for c in _classes().values() if suffix in c.suffixes), None)


def check_name(cls: type[Problem]) -> None:
    """Raise ValueError if a file that names ``cls`` would be read as another class."""
    meant = _classes().get(cls.__name__)
    if meant is None or not same_class(meant, cls):
        other = "no problem class" if meant is None else f"the class of {meant.__module__}"
        raise ValueError(
            f"{cls.__name__} of {cls.__module__} cannot be saved: in a file that name means "
            f"{other}."
        )


def same_class(a: type, b: type) -> bool:
    """Tell whether two classes are one, or the same one defined twice."""
    # A cell of a notebook may be run twice.
    return (a.__module__, a.__qualname__) == (b.__module__, b.__qualname__)

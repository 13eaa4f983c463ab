"""The exercises and where they stand: one file a notebook, read when an id of it is asked for."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import os
import pkgutil
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: What an answer is: the object itself, or a function that is tried on instances.
VALUES = ("value", "solution", "counterexample", "prediction")
FUNCTIONS = ("function", "model")

Test = Callable[..., str]
Draw = Callable[[np.random.Generator, int], Any]
Smaller = Callable[[Any], Iterable[Any]]


@dataclasses.dataclass(frozen=True)
class Exercise:
    """One exercise: how its instances are drawn and shrunk, and what tells right from wrong."""

    id: str
    kind: str
    points: float
    trials: int
    test: Test
    draw: Draw | None = None
    smaller: Smaller | None = None

    @property
    def title(self) -> str:
        """The first line of the docstring of the test."""
        return (self.test.__doc__ or "").strip().partition("\n")[0]


_FOUND: dict[str, Exercise] = {}


def exercise(
    id: str,
    *,
    kind: str | None = None,
    draw: Draw | None = None,
    smaller: Smaller | None = None,
    trials: int = 20,
    points: float = 1,
) -> Callable[[Test], Test]:
    """Register a test as an exercise.

    The test is called with the answer, and with an instance if there is ``draw``: ``test(answer)``
    or ``test(answer, instance)``. It returns ``""`` if the answer is right, else one sentence that
    says why not (without a full stop); it may raise :class:`Refused` with such a sentence. The
    first line of its docstring is the title.

    Parameters
    ----------
    id
        What ``check`` is called with, e.g. ``"01-3"``.
    kind
        ``"value"`` (default without ``draw``), ``"solution"``, ``"counterexample"``: the answer is
        an object. ``"function"`` (default with ``draw``), ``"model"`` (a function that builds a
        Pyomo model): it is called. The answer that the test gets refuses a changed argument.
    draw
        ``draw(rng, size)`` returns an instance, of which ``rng``, a NumPy generator, is the only
        chance; sizes grow from 1 to ``trials``.
    smaller
        ``smaller(instance)`` lists or yields instances that are a little smaller, none for the
        smallest; a failing instance is replaced by one of them as long as the answer fails there
        too.
    trials
        How many instances are drawn.
    points
        What a right answer earns; a wrong one earns 0.

    Raises
    ------
    ValueError
        If the id is taken, or the kind is none of these.
    TypeError
        If ``draw``, ``smaller`` or the test cannot be called as above.
    """
    kind = kind or ("value" if draw is None else "function")
    if kind not in (*VALUES, *FUNCTIONS) or kind == "prediction":
        kinds = ", ".join(k for k in (*VALUES, *FUNCTIONS) if k != "prediction")
        raise ValueError(f"exercise {id}: kind must be one of {kinds}, got {kind!r}.")
    if trials < 1 or not points >= 0:
        raise ValueError(f"exercise {id}: trials must be at least 1 and points at least 0.")
    if draw is not None:
        _check_call(id, "draw", draw, ("rng", "size"))
    if smaller is not None:
        _check_call(id, "smaller", smaller, ("instance",))

    def decorate(test: Test) -> Test:
        _check_call(id, "the test", test, ("answer",) if draw is None else ("answer", "instance"))
        many = 1 if draw is None else trials
        _register(Exercise(id, kind, points, many, test, draw, smaller))
        return test

    return decorate


def _check_call(id: str, what: str, function: Any, names: tuple[str, ...]) -> None:
    """Refuse what cannot be called with these arguments, before a student meets it."""
    wanted = f"exercise {id}: {what} must be a function of ({', '.join(names)})"
    if not callable(function):
        raise TypeError(f"{wanted}, got {function!r}.")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have none
        return
    try:
        signature.bind(*names)
    except TypeError as error:
        raise TypeError(f"{wanted}, got one of {signature}.") from error


def prediction(id: str) -> Callable[[Test], Test]:
    """Register a test of a guess: it scores nothing, and says what is true where the guess is not.

    Parameters
    ----------
    id
        E.g. ``"01-p1"``.
    """

    def decorate(test: Test) -> Test:
        _register(Exercise(id, "prediction", 0, 1, test))
        return test

    return decorate


def _register(new: Exercise) -> None:
    old = _FOUND.get(new.id)
    # A cell of a notebook that is run again registers its exercise again.
    again = old is not None and old.test.__module__ == new.test.__module__ == "__main__"
    if old is not None and not again:
        raise ValueError(f"exercise {new.id!r} exists; give another id.")
    _FOUND[new.id] = new


def _notebooks() -> list[str]:
    """Return the files of exercises that the package has, ``"notebook_00"`` and so on."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    return sorted(name for name in names if name.startswith("notebook_"))


def _load_notebook(name: str) -> None:
    importlib.import_module(f"optedge.exercises.{name}")


def find(id: str) -> Exercise:
    """Return an exercise.

    Raises
    ------
    ValueError
        If there is none with this id; near ones are listed.
    """
    if id not in _FOUND:
        name = f"notebook_{str(id).partition('-')[0]}"
        if name in _notebooks():
            _load_notebook(name)
    if id not in _FOUND:
        known = [e.id for e in exercises()]
        near = difflib.get_close_matches(str(id), known, n=4, cutoff=0.5) or known
        raise ValueError(f"there is no exercise {id!r}; there are {', '.join(near)}.")
    return _FOUND[id]


def exercises() -> list[Exercise]:
    """Return all exercises and predictions, those of the package and those that were loaded."""
    for name in _notebooks():
        _load_notebook(name)
    return [_FOUND[id] for id in sorted(_FOUND)]


def list_exercises() -> pd.DataFrame:
    """Return all exercises and predictions as a table.

    Returns
    -------
    pandas.DataFrame
        One row an exercise: id, kind, points, title.
    """
    import pandas as pd

    rows = [{"id": e.id, "kind": e.kind, "points": e.points, "title": e.title} for e in exercises()]
    return pd.DataFrame(rows, columns=["id", "kind", "points", "title"])


def load(path: str | os.PathLike[str]) -> list[str]:
    """Run a Python file of exercises, and return the ids that it adds.

    This is the one place of the package that runs a file given by path: load only what you trust.

    Parameters
    ----------
    path
        A file with functions under ``@oe.exercises.exercise(...)``.

    Raises
    ------
    ValueError
        If the file is not there, adds no exercise, or takes an id that exists; nothing of it is
        kept then. Nothing of it is kept either if it raises an error of its own.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{path}: there is no such file.")
    exercises()  # an id of the package is taken, whether its notebook was opened or not
    before = dict(_FOUND)
    module = types.ModuleType(f"optedge_exercises_of_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
        added = [id for id in _FOUND if id not in before]
        if not added:
            raise ValueError(f"{path}: it adds no exercise.")
    except BaseException:
        _FOUND.clear()
        _FOUND.update(before)
        del sys.modules[module.__name__]
        raise
    return added

"""The register of solvers: a name, an algorithm, typed options, what it accepts and guarantees."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from optedge.formulations.base import Problem
from optedge.formulations.base.offers import OFFERS
from optedge.kernels import source_of
from optedge.plugins import load_plugins

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("exact", "approximation", "heuristic", "metaheuristic", "own")


# ---------------------------------------------------------------------------- options


def option(
    default: Any,
    help: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare one option of a solver.

    Parameters
    ----------
    default
        Its value unless given.
    help
        One line, shown by ``optedge solvers`` and in error messages.
    low, high, above, below
        The range: inclusive and exclusive ends.
    choices
        The strings allowed.
    """
    metadata = dict(help=help, low=low, high=high, above=above, below=below, choices=choices)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Base of the options of a solver: checks types and ranges when it is made.

    Raises
    ------
    TypeError, ValueError
        If an option is of the wrong type or out of its range; the sentence names it.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value, hint = getattr(self, field.name), hints[field.name]
            allowed = getattr(hint, "__args__", (hint,))  # the members of a union
            whole = isinstance(value, int) and not isinstance(value, bool)
            if whole and float in allowed and int not in allowed:
                value = float(value)
                object.__setattr__(self, field.name, value)
            right = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
            if not right:
                names = " or ".join("None" if t is type(None) else t.__name__ for t in allowed)
                raise TypeError(f"option {field.name} must be {names}, got {value!r}.")
            _check_range(field, value)


def _check_range(field: dataclasses.Field[Any], value: Any) -> None:
    limits = field.metadata
    if not limits or value is None:
        return
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"option {field.name} must be one of {limits['choices']}, got {value!r}.")
    if isinstance(value, int | float) and not isinstance(value, bool):
        inside = limits["low"] <= value <= limits["high"]
        if not (inside and limits["above"] < value < limits["below"]):
            raise ValueError(f"option {field.name} must be {range_text(limits)}, got {value!r}.")


def range_text(limits: Mapping[str, Any]) -> str:
    """Return the range of an option in words, empty if there is none."""
    if limits.get("choices"):
        return " | ".join(limits["choices"])
    parts = []
    for end, word in (("low", "at least"), ("above", "above")):
        if limits.get(end, -math.inf) > -math.inf:
            parts.append(f"{word} {limits[end]:g}")
    for end, word in (("high", "at most"), ("below", "below")):
        if limits.get(end, math.inf) < math.inf:
            parts.append(f"{word} {limits[end]:g}")
    return " and ".join(parts)


# ---------------------------------------------------------------------------- solvers


@dataclasses.dataclass(frozen=True, eq=False)
class Solver:
    """A registered algorithm.

    Parameters
    ----------
    name
        The string given to :func:`optedge.solve`.
    function
        ``f(problem, run)``, or ``f(problem, options, run)`` if there is an options class. It
        offers solutions to the run, or returns one.
    options
        Its options class; None if it has no options.
    problems
        The problem classes that it is for; None if any that offers what it needs.
    needs
        Words that a problem must offer: ``model``, ``code``, ... (``formulations.base.offers``).
    kind
        ``exact``, ``approximation``, ``heuristic``, ``metaheuristic`` or ``own`` (a user's).
    guarantee
        What it promises, in words or as a formula; ``"none"`` if nothing.
    source
        Where the algorithm comes from.
    deterministic
        Whether the seed has no influence.
    declines
        ``f(problem, options) -> sentence or None``: why it will not take this instance.
    """

    name: str
    function: Callable[..., Any]
    options: type[Options] | None = None
    problems: tuple[type[Problem], ...] | None = None
    needs: frozenset[str] = frozenset()
    kind: str = "own"
    guarantee: str = "none"
    source: str = ""
    deterministic: bool = False
    declines: Callable[[Any, Any], str | None] | None = None

    def accepts(self, problem: Problem) -> bool:
        """Tell whether the solver is made for problems of this kind."""
        fits = self.problems is None or isinstance(problem, self.problems)
        return fits and not self.missing(problem)

    def missing(self, problem: Problem) -> set[str]:
        """Return what the solver needs and ``problem`` does not offer."""
        return set(self.needs - problem.offers)

    def misfit(self, problem: Problem) -> str | None:
        """Return why the solver is not made for problems of this kind; None if it is."""
        if self.accepts(problem):
            return None
        missing = ", ".join(sorted(self.missing(problem)))
        why = f": {problem.label} offers no {missing}" if missing else ""
        return f"{self.name} is not made for {type(problem).__name__}{why}."

    def refusal(self, problem: Problem, options: Options | None) -> str | None:
        """Return why the solver will not take this instance; None if it will."""
        return None if self.declines is None else self.declines(problem, options)

    @property
    def option_names(self) -> list[str]:
        """The names of its options."""
        return [] if self.options is None else [f.name for f in dataclasses.fields(self.options)]

    def make_options(self, given: Mapping[str, Any]) -> Options | None:
        """Return the typed options; TypeError naming the valid ones for an unknown name."""
        unknown = [name for name in given if name not in self.option_names]
        if unknown:
            known = ", ".join(self.option_names) or "none"
            raise TypeError(f"{self.name} has no option {unknown[0]!r}; its options: {known}.")
        return None if self.options is None else self.options(**given)

    def run(self, problem: Problem, options: Options | None, run: Any) -> Any:
        """Call the algorithm."""
        if self.options is None:
            return self.function(problem, run)
        return self.function(problem, options, run)

    @functools.cached_property
    def source_hash(self) -> str:
        """A hash of the algorithm's source: of its file, or of the function in a notebook."""
        function = inspect.unwrap(self.function)
        if not hasattr(function, "__code__"):  # an object that can be called
            function = type(function).__call__
        source = source_of(function)
        if function.__module__ == "__main__":
            with contextlib.suppress(OSError, TypeError):  # typed at a prompt: no source
                source = inspect.getsource(function).encode()
        return hashlib.sha256(source).hexdigest()[:16]


_solvers: dict[str, Solver] = {}


def register(
    name: str,
    *,
    options: type[Options] | None = None,
    problems: type[Problem] | Iterable[type[Problem]] | None = None,
    needs: str | Iterable[str] = (),
    kind: str = "own",
    guarantee: str = "none",
    source: str = "",
    deterministic: bool = False,
    declines: Callable[[Any, Any], str | None] | None = None,
) -> Callable[[F], F]:
    """Give a solver function a name for :func:`optedge.solve`.

    Parameters are those of :class:`Solver`; the function itself is returned unchanged.

    Raises
    ------
    ValueError
        If the name belongs to another function already, or the kind or a need is unknown.
    TypeError
        If the options are no frozen dataclass that inherits from :class:`Options`, or the function
        does not take ``(problem, run)``, with options ``(problem, options, run)``.

    Examples
    --------
    >>> import optedge as oe
    >>> @oe.register("all-on-the-first", deterministic=True)
    ... def first(problem, run):
    ...     return [0] * problem.n_tasks
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
    classes = (problems,) if isinstance(problems, type) else problems
    classes = None if classes is None else tuple(classes)
    words = frozenset([needs] if isinstance(needs, str) else needs)
    unknown = sorted(words - {"model", *OFFERS})
    if unknown and classes is None:
        known = ", ".join(sorted(["model", *OFFERS]))
        raise ValueError(f"no problem offers {unknown[0]!r}; a solver may need some of {known}.")
    _check_options(options)

    def enter(function: F) -> F:
        if (function.__module__ or "").partition(".")[0] != __name__.partition(".")[0]:
            _load_own()  # so that nobody takes a name before its owner
        _check_parameters(name, function, 2 if options is None else 3)
        known = _solvers.get(name)
        if known is not None and _identity(known.function) != _identity(function):
            raise ValueError(
                f"there is a solver {name!r} already, in {known.function.__module__}; "
                f"that of {function.__module__} needs another name."
            )
        _solvers[name] = Solver(
            name=name,
            function=function,
            options=options,
            problems=classes,
            needs=words,
            kind=kind,
            guarantee=guarantee,
            source=source,
            deterministic=deterministic,
            declines=declines,
        )
        return function

    return enter


def _check_options(options: Any) -> None:
    """Refuse a class of options that was not made a dataclass."""
    if options is None:
        return
    name = getattr(options, "__name__", repr(options))
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise TypeError(f"options must be a class that inherits from oe.Options, got {name}.")
    fields = {field.name for field in dataclasses.fields(options)}
    if not set(inspect.get_annotations(options)) <= fields:
        raise TypeError(
            f"{name}: decorate the class with @dataclasses.dataclass(frozen=True, kw_only=True)."
        )


def _check_parameters(name: str, function: Any, wanted: int) -> None:
    """Refuse a solver function that cannot be called with so many values."""
    form = "(problem, run)" if wanted == 2 else "(problem, options, run)"
    try:
        inspect.signature(function).bind(*range(wanted))
    except TypeError:
        raise TypeError(f"the solver {name!r} must be a function of {form}.") from None


def _identity(function: Callable[..., Any]) -> tuple[str, str]:
    # A cell of a notebook may be run twice.
    return function.__module__, function.__qualname__


@functools.cache
def _load_own() -> None:
    """Import every module of this package: their solvers are registered."""
    import optedge.solvers as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def _load_all() -> None:
    """Register the solvers of this package, then those of plugins."""
    _load_own()
    load_plugins()


def all_solvers() -> list[Solver]:
    """Return every registered solver, sorted by name."""
    _load_all()
    return [_solvers[name] for name in sorted(_solvers)]


def find_solver(solver: str | Solver | Callable[..., Any]) -> Solver:
    """Return the solver meant by a name, a registered function or any ``f(problem, run)``.

    Raises
    ------
    ValueError
        If there is no solver of that name; the choices are listed.
    TypeError
        If ``solver`` is none of these.
    """
    if isinstance(solver, Solver):
        return solver
    _load_all()
    if isinstance(solver, str):
        if solver not in _solvers:
            choices = ", ".join(sorted(_solvers))
            raise ValueError(f"there is no solver {solver!r}; the choices are {choices}.")
        return _solvers[solver]
    if not callable(solver):
        raise TypeError(f"a solver is a name or a function of (problem, run), got {solver!r}.")
    for known in _solvers.values():
        if known.function is solver:
            return known
    name = getattr(solver, "__name__", type(solver).__name__)
    if name in _solvers:
        name = f"{name} (own)"
    return Solver(name=name, function=solver)


def list_solvers(problem: Problem | None = None) -> pd.DataFrame:
    """Return the solvers that accept ``problem`` (all for None) as a table.

    Returns
    -------
    pandas.DataFrame
        One row a solver: name, kind, guarantee, source, options.
    """
    import pandas as pd

    listed = [s for s in all_solvers() if problem is None or s.accepts(problem)]
    rows = [
        {
            "name": s.name,
            "kind": s.kind,
            "guarantee": s.guarantee,
            "source": s.source,
            "options": ", ".join(s.option_names),
        }
        for s in listed
    ]
    return pd.DataFrame(rows, columns=["name", "kind", "guarantee", "source", "options"])

"""The faces that users learn once: the same methods on all problems, the same facts of solvers."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import get_args, get_type_hints

import pytest

import optedge as oe
from optedge.files.classes import all_classes
from optedge.formulations.base import Problem
from optedge.solvers.registry import KINDS, all_solvers, range_text

CLASSES = [c for c in all_classes() if c.__module__.startswith("optedge.")]
SOLVERS = [s for s in all_solvers() if s.function.__module__.startswith("optedge.")]
OPTIONS = [
    pytest.param(s, f, id=f"{s.name}-{f.name}")
    for s in {s.options: s for s in SOLVERS if s.options}.values()
    for f in dataclasses.fields(s.options)
]
#: Constructors from a network share what comes first; what a problem needs beside is its own.
OWN_PARAMETERS = {"from_network": ["cls", "graph", "platform"]}
#: Options that take any text: the name of a model, which the problem checks, a file, numbers.
FREE_TEXT = {"kind", "checkpoint", "resume", "factors"}


def public_methods(cls):
    """Return the methods of a class by name; fields, properties and constants are data."""
    fields = {f.name for f in dataclasses.fields(cls)}
    found = {}
    for name in dir(cls):
        own = inspect.getattr_static(cls, name)
        if isinstance(own, classmethod | staticmethod):
            own = own.__func__
        if inspect.isfunction(own) and not name.startswith("_") and name not in fields:
            found[name] = own
    return found


def face(function, only=None):
    """Return the parameters of a function: names, kinds and defaults."""
    parameters = inspect.signature(function).parameters.values()
    rows = [(p.name, p.kind.description, p.default) for p in parameters]
    return rows if only is None else [row for row in rows if row[0] in only]


SHARED = sorted(
    name
    for name in {name for cls in CLASSES for name in public_methods(cls)}
    if sum(name in public_methods(cls) for cls in CLASSES) > 1
)


# --------------------------------------------------------------------- problems


def test_the_package_has_problem_classes():
    """The tests below look at something."""
    assert {"MakespanProblem", "CutProblem", "SplitProblem", "OffloadingProblem"} <= {
        cls.__name__ for cls in CLASSES
    }
    assert {"objective", "violations", "model", "costs", "partial", "read"} <= set(SHARED)


@pytest.mark.parametrize("name", SHARED)
def test_shared_methods_have_one_signature(name):
    """A method of several classes, and of the base class, takes the same parameters everywhere."""
    having = [cls for cls in [Problem, *CLASSES] if name in public_methods(cls)]
    only = OWN_PARAMETERS.get(name)
    first, *others = [(cls.__name__, face(public_methods(cls)[name], only)) for cls in having]
    for other, parameters in others:
        assert parameters == first[1], f"{other}.{name} differs from {first[0]}.{name}"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_what_every_problem_class_has(cls):
    """What the base class leaves open is there, and every method of its own says what it does."""
    given = {name for name, f in public_methods(cls).items() if name not in public_methods(Problem)}
    own = {"objective", "violations", "model", "extract", "fill", "compute_bound", "certify"}
    left = {name for name in own if getattr(cls, name) is getattr(Problem, name)}
    assert left == set()
    assert cls.kinds
    assert cls.bound_names
    mute = [n for n in given | own if not (public_methods(cls)[n].__doc__ or "").strip()]
    assert mute == []
    assert cls.__dataclass_params__.frozen
    assert "name" in {f.name for f in dataclasses.fields(cls)}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_what_is_data_in_the_base_class_is_data_everywhere(cls):
    """A property or constant of the base class is no method in a subclass, nor the reverse."""
    for name in dir(Problem):
        if name.startswith("_"):
            continue
        methods = [name in public_methods(c) for c in (Problem, cls)]
        assert methods[0] == methods[1], name


# --------------------------------------------------------------------- solvers


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.name)
def test_every_solver_says_what_it_is(solver):
    """Kind, guarantee, source and a docstring; exact ones and approximations guarantee something.

    The help of the command line shows the first paragraph of the docstring.
    """
    assert solver.kind in set(KINDS) - {"own"}
    assert solver.guarantee.strip()
    assert solver.source.strip()
    assert (solver.guarantee == "none") <= (solver.kind not in ("exact", "approximation"))
    assert re.fullmatch(r"[a-z0-9-]+", solver.name)
    assert solver.problems or solver.needs, "it must say which problems it is for"
    assert (solver.function.__doc__ or "").strip()
    takes = ["problem", "run"] if solver.options is None else ["problem", "options", "run"]
    assert list(inspect.signature(solver.function).parameters) == takes


@pytest.mark.parametrize(("solver", "field"), OPTIONS)
def test_every_option_has_type_range_and_help(solver, field):
    """A type, a range or choices unless it is yes or no or free text, and one line of help."""
    hint = get_type_hints(solver.options)[field.name]
    types = set(get_args(hint) or (hint,)) - {type(None)}
    assert types <= {bool, int, float, str}
    text = field.metadata["help"]
    assert 0 < len(text) < 100
    assert "\n" not in text
    assert not text.endswith(".")
    if types != {bool} and field.name not in FREE_TEXT:
        assert range_text(field.metadata), "say low, high, above, below or choices"
    if str in types and field.name not in FREE_TEXT:
        assert field.metadata["choices"]


def test_free_text_is_where_it_was_meant():
    """An exception that no solver needs any more goes."""
    fields = {param.values[1].name: param.values for param in OPTIONS}
    text = {
        name
        for name, (solver, field) in fields.items()
        if str in get_args(get_type_hints(solver.options)[name]) and not field.metadata["choices"]
    }
    assert text == FREE_TEXT


@pytest.mark.parametrize("solver", [s for s in SOLVERS if s.options], ids=lambda s: s.name)
def test_options_as_they_are_by_default(solver):
    """The defaults are valid, and the class of the options says whose they are."""
    assert solver.make_options({}) == solver.options()
    assert (solver.options.__doc__ or "").strip()
    assert solver.options.__dataclass_params__.frozen


def test_list_solvers_has_the_columns_that_it_promises():
    """One row a solver, all in text, none of it empty but options."""
    table = oe.list_solvers()
    assert list(table.columns) == ["name", "kind", "guarantee", "source", "options"]
    assert {s.name for s in SOLVERS} <= set(table["name"])
    shipped = table[table["name"].isin([s.name for s in SOLVERS])]
    for column in ("name", "kind", "guarantee", "source"):
        assert (shipped[column].str.strip() != "").all()


# --------------------------------------------------------------------- the names at the top


def test_few_names_at_the_top():
    """About 30 names, each of them there, sorted, with a docstring if it is ours to document."""
    assert len(oe.__all__) <= 35
    assert list(oe.__all__) == sorted(oe.__all__)
    for name in oe.__all__:
        thing = getattr(oe, name)
        assert (inspect.getdoc(thing) or "").strip(), name

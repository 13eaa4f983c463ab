"""How a value of a declared type stands in a file: its JSON type, and the way there and back.

The declarations are those of the dataclasses: annotations, and ``array_field`` where the array has
named axes. To teach the files another type, add it to :func:`form_of`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec
import numpy as np

from optedge.files.arrays import ARRAY, declared_array
from optedge.files.untyped import ANYTHING
from optedge.files.wire import Form, Number, convert, join, spelled


def _same(value: Any, where: str) -> Any:
    return value


def form_of(hint: Any) -> Form:
    """Return the form of values annotated with ``hint``."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hint is np.ndarray or origin is np.ndarray:
        return ARRAY
    if origin is Literal:
        return Form(hint, _same, _same)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Form(hint, lambda value, where: hint(value).value, _same)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return record(hint)
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and type(None) in args:
        return optional(form_of(args[0] if args[1] is type(None) else args[1]))
    if origin is tuple and len(args) == 2 and args[1] is ...:
        return _sequence(form_of(args[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping) and args[0] is str:
        return mapping(form_of(args[1]))
    return ANYTHING


# ------------------------------------------------------------------- numbers and containers


def _scalar(kind: type, wire: Any) -> Form:
    def pack(value: Any, where: str) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        wrong = isinstance(value, bool) is not (kind is bool)
        if wrong or not isinstance(value, (int, float) if kind is float else kind):
            raise ValueError(f"{where} must be {kind.__name__}, got {value!r}.")
        return spelled(value) if isinstance(value, float) else value

    def unpack(value: Any, where: str) -> Any:
        return float(value) if kind is float and isinstance(value, str) else value

    return Form(wire, pack, unpack)


_SCALARS: dict[Any, Form] = {
    bool: _scalar(bool, bool),
    int: _scalar(int, int),
    float: _scalar(float, Number),
    str: _scalar(str, str),
}


def optional(form: Form) -> Form:
    """Return the form of values that may be None."""
    return Form(
        form.wire | None,
        lambda value, where: None if value is None else form.pack(value, where),
        lambda value, where: None if value is None else form.unpack(value, where),
    )


def _sequence(form: Form) -> Form:
    def each(step: Callable[[Any, str], Any], values: Iterable[Any], where: str) -> list[Any]:
        return [step(value, f"{where}[{k}]") for k, value in enumerate(values)]

    return Form(
        list[form.wire],  # type: ignore[name-defined]  # a type made at run time, for msgspec
        lambda values, where: each(form.pack, values, where),
        lambda values, where: tuple(each(form.unpack, values, where)),
    )


def mapping(form: Form) -> Form:
    """Return the form of mappings from strings to values of ``form``."""

    def pack(values: Mapping[Any, Any], where: str) -> dict[str, Any]:
        return {str(k): form.pack(value, f"{where}[{k!r}]") for k, value in values.items()}

    def unpack(values: Mapping[str, Any], where: str) -> dict[str, Any]:
        # Converted here and not by the outer type: msgspec does not name the keys of a mapping.
        places = {k: f"{where}[{k!r}]" for k in values}
        return {
            k: form.unpack(convert(value, form.wire, places[k]), places[k])
            for k, value in values.items()
        }

    return Form(dict[str, Any], pack, unpack)


# ------------------------------------------------------------------------- dataclasses


@functools.cache
def record(cls: Any) -> Form:
    """Return the form of a dataclass: an object of its fields."""
    return make_record(cls)


def make_record(
    cls: type,
    special: Mapping[str, Form] | None = None,
    base: type[msgspec.Struct] | None = None,
    reserved: Iterable[str] = (),
) -> Form:
    """Return the form of a dataclass.

    Parameters
    ----------
    cls
        The dataclass; fields with a default may be missing in a file.
    special
        Forms of fields whose annotation does not tell enough.
    base
        A struct whose members stand in the file before the fields.
    reserved
        The names that these have in the file; a field of such a name gets an underscore.
    """
    hints = _hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    forms = {name: _field_form(field, hints) for name, field in fields.items()}
    forms.update(special or {})
    spelling = {name: f"{name}_" if name in reserved else name for name in fields}
    wire = msgspec.defstruct(
        cls.__name__,
        [_member(fields[name], forms[name].wire, spelling[name]) for name in fields],
        bases=(base,) if base else None,
        forbid_unknown_fields=True,
        kw_only=True,
    )

    def pack(value: Any, where: str) -> dict[str, Any]:
        return {
            spelling[name]: form.pack(getattr(value, name), join(where, name))
            for name, form in forms.items()
        }

    def unpack(value: Any, where: str) -> Any:
        found = {name: getattr(value, name) for name in forms}
        given = {
            name: forms[name].unpack(entry, join(where, name))
            for name, entry in found.items()
            if entry is not msgspec.UNSET
        }
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}" if where else str(error)) from error

    return Form(wire, pack, unpack)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError:  # a name that is known inside a function only
        return {}


def _field_form(field: dataclasses.Field[Any], hints: Mapping[str, Any]) -> Form:
    if "axes" not in field.metadata:
        return form_of(hints.get(field.name, Any))
    form = declared_array(field)
    return optional(form) if field.default is None else form


def _member(field: dataclasses.Field[Any], wire: Any, spelling: str) -> tuple[str, Any, Any]:
    needed = field.default is field.default_factory is dataclasses.MISSING
    if needed:
        return field.name, wire, msgspec.field(name=spelling)
    unset: Any = msgspec.UNSET
    return (
        field.name,
        wire if wire is Any else wire | msgspec.UnsetType,
        msgspec.field(name=spelling, default=unset),
    )

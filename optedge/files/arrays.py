"""How arrays stand in a file.

An array with named axes (``array_field``) is nested lists, with null where an entry is ``inf``. Any
other is an object with ``dtype``, ``shape`` and flat ``data``; a structured one, of its columns.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from optedge.disk import shown
from optedge.files.wire import Form, Number, join, spelled


class Array(msgspec.Struct, tag_field="$type", tag="array", forbid_unknown_fields=True):
    """The JSON of an array of any shape and type of number."""

    dtype: Literal[
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64",
    ]  # fmt: skip
    shape: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]
    data: list[bool | Number]


DTYPES = typing.get_args(typing.get_type_hints(Array)["dtype"])
_ENTRIES: dict[str, tuple[tuple[type, ...], str]] = {
    "b": ((bool,), "true or false"),
    "i": ((int,), "a whole number"),
    "u": ((int,), "a whole number"),
    "f": ((int, float, str), "a number"),
}


def _column(array: Any) -> list[Any]:
    """Return the entries of a flat array, infinite ones by their names."""
    entries: list[Any] = array.tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [spelled(entry) for entry in entries]
    return entries


def pack_array(value: Any, where: str) -> Array:
    """Return what stands for an array; TypeError if its entries are not numbers."""
    array = np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{where}: an array of {array.dtype} cannot be written to a file.")
    return Array(typing.cast(Any, array.dtype.name), array.shape, _column(array.ravel()))


def unpack_array(value: Array, where: str) -> Any:
    """Return the array; ValueError if type, shape and entries do not fit together."""
    dtype, count = np.dtype(value.dtype), math.prod(value.shape)
    if len(value.data) != count:
        raise ValueError(
            f"{join(where, 'data')}: shape {value.shape} needs {count} entries, "
            f"got {len(value.data)}."
        )
    kinds, words = _ENTRIES[dtype.kind]
    for k, entry in enumerate(value.data):
        if type(entry) not in kinds:
            found = shown(repr(entry))
            raise ValueError(f"{join(where, 'data')}[{k}]: expected {words}, got {found}.")
    try:
        return np.array(value.data, dtype=dtype).reshape(value.shape)
    except (OverflowError, ValueError) as error:  # too large an entry, or too long an axis
        raise ValueError(f"{where}: {error}.") from None


#: An array of any shape and type of number.
ARRAY = Form(Array, pack_array, unpack_array)


def table(dtype: np.dtype[np.void]) -> Form:
    """Return the form of structured arrays ``(n,)`` of ``dtype``: an object of columns."""
    names: tuple[str, ...] = dtype.names or ()
    entries = [list[Number] if dtype[name].kind == "f" else list[int] for name in names]
    columns = zip(names, entries, strict=True)
    wire = msgspec.defstruct("Table", list(columns), forbid_unknown_fields=True)

    def pack(value: Any, where: str) -> dict[str, Any]:
        return {name: _column(value[name]) for name in names}

    def unpack(value: Any, where: str) -> Any:
        rows = len(getattr(value, names[0]))
        array = np.empty(rows, dtype=dtype)
        for name in names:
            column, place = getattr(value, name), join(where, name)
            if len(column) != rows:
                first = join(where, names[0])
                raise ValueError(f"{place}: expected {rows} entries as {first}, got {len(column)}.")
            try:
                array[name] = column
            except OverflowError as error:
                raise ValueError(f"{place}: {error}.") from None
        return array

    return Form(wire, pack, unpack)


# ------------------------------------------------------------------------- with named axes


def declared_array(field: dataclasses.Field[Any]) -> Form:
    """Return the form of an ``array_field``: nested lists, null where an entry is ``inf``."""
    dtype, infinite = np.dtype(field.metadata["dtype"]), bool(field.metadata["infinite"])
    depth = len(field.metadata["axes"])
    wire: Any = _entry_type(dtype)
    if infinite and dtype.kind == "f":
        wire = wire | None
    for _ in range(depth):
        wire = list[wire]

    def pack(value: Any, where: str) -> Any:
        array = np.asarray(value, dtype=dtype)
        wrong = np.isnan(array) | (np.isneginf(array) if infinite else np.isinf(array))
        if wrong.any():
            raise ValueError(f"{where} holds an entry that is NaN or may not be infinite.")
        return array.tolist()  # msgspec writes null for inf

    def unpack(value: Any, where: str) -> Any:
        ragged = _ragged(value, _first_shape(value, depth), where) if depth > 1 else None
        if ragged:
            raise ValueError(ragged)
        array = np.array(value, dtype=dtype)
        if infinite and dtype.kind == "f":
            array[np.isnan(array)] = np.inf  # null came as NaN, which JSON cannot hold
        return array

    return Form(wire, pack, unpack)


def _entry_type(dtype: np.dtype[Any]) -> Any:
    if dtype.kind not in "iu":
        return {"b": bool, "f": float}[dtype.kind]
    ends = np.iinfo(dtype)
    # msgspec takes no limits beyond int64.
    limits = msgspec.Meta(ge=int(ends.min), le=min(int(ends.max), 2**63 - 1))
    return Annotated[int, limits]


def _first_shape(value: Any, depth: int) -> tuple[int, ...]:
    shape = []
    for _ in range(depth):
        shape.append(len(value) if value is not None else 0)
        value = value[0] if value else None
    return tuple(shape)


def _ragged(value: Any, shape: tuple[int, ...], where: str) -> str | None:
    """Return a sentence on the first row that is not of the length that ``shape`` says."""
    if len(value) != shape[0]:
        return f"{where}: expected {shape[0]} entries as in the first row, got {len(value)}."
    if len(shape) > 1:
        for k, row in enumerate(value):
            found = _ragged(row, shape[1:], f"{where}[{k}]")
            if found:
                return found
    return None

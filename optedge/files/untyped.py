"""How a value without a declared type stands in a file: it says itself what it is.

JSON values stand for themselves; everything else is an object with ``$type``.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np

from optedge.files.arrays import DTYPES, Array, pack_array, unpack_array
from optedge.files.wire import Form, convert, join


class _Float(msgspec.Struct, tag_field="$type", tag="float", forbid_unknown_fields=True):
    value: Literal["inf", "-inf", "nan"]


class _Tuple(msgspec.Struct, tag_field="$type", tag="tuple", forbid_unknown_fields=True):
    items: list[Any]


class _Dict(msgspec.Struct, tag_field="$type", tag="dict", forbid_unknown_fields=True):
    items: list[tuple[str | int | float | bool | None, Any]]


def _pack_anything(value: Any, where: str, strict: bool = True) -> Any:
    """Return what stands for ``value``; unless ``strict``, the ``repr`` of what has no form."""
    again = functools.partial(_pack_anything, strict=strict)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _Float(typing.cast(Any, str(value)))
    if isinstance(value, list | tuple):
        items = [again(entry, f"{where}[{k}]") for k, entry in enumerate(value)]
        return items if isinstance(value, list) else _Tuple(items)
    if isinstance(value, Mapping) and all(isinstance(k, str | int | float) for k in value):
        entries = [(again(k, where), again(v, f"{where}[{k!r}]")) for k, v in value.items()]
        plain = all(isinstance(k, str) and k != "$type" for k in value)
        return dict(entries) if plain else _Dict(entries)
    if isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
        return pack_array(value, where)
    if strict:
        raise TypeError(f"{where}: a {type(value).__name__} cannot be written to a file.")
    return repr(value)


def _unpack_anything(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_unpack_anything(entry, f"{where}[{k}]") for k, entry in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "$type" not in value:
        return {k: _unpack_anything(entry, f"{where}[{k!r}]") for k, entry in value.items()}
    known = convert(value, _Float | Array | _Tuple | _Dict, where)
    match known:
        case _Float():
            return float(known.value)
        case Array():
            return unpack_array(known, where)
        case _Tuple():
            return tuple(_unpack_anything(known.items, join(where, "items")))
        case _Dict():
            pairs = known.items
            return {k: _unpack_anything(v, f"{where}[{k!r}]") for k, v in pairs}


#: A value that says itself what it is; TypeError when it has no form.
ANYTHING = Form(Any, _pack_anything, _unpack_anything)

#: The same for facts about a run: the text of a value that has no form is enough.
FACT = Form(Any, functools.partial(_pack_anything, strict=False), _unpack_anything)

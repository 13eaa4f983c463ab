"""Problems and results as versioned JSON; no problem class is named here."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any

import msgspec

from optedge.disk import read_limited, shown, write_atomic
from optedge.files.arrays import table
from optedge.files.classes import check_name, class_for_suffix, class_named, same_class
from optedge.files.forms import make_record, mapping, optional, record
from optedge.files.untyped import ANYTHING, FACT
from optedge.files.wire import Form, convert, decode
from optedge.formulations.base import Problem
from optedge.networks.graph import LayerGraph
from optedge.networks.tables import decode_json, write_json
from optedge.solvers.result import HISTORY, Result

FORMAT = "optedge"
VERSION = 1
KINDS = ("problem", "result", "network")


class _Header(msgspec.Struct):
    """What every file begins with; ``class`` is that of the problem."""

    file_format: Any = msgspec.field(default=None, name="format")
    file_version: Any = msgspec.field(default=None, name="version")
    file_kind: Any = msgspec.field(default=None, name="kind")
    file_class: Any = msgspec.field(default=None, name="class")


_HEADER = ("format", "version", "kind", "class")


# -------------------------------------------------------------------------- files


def save(thing: object, path: str | os.PathLike[str]) -> None:
    """Write a problem, a result or a network to a JSON file.

    Parameters
    ----------
    thing
        A problem, a result (it is written with its problem) or a layer graph.
    path
        Where to. A file that stands there is replaced when the new one is complete.

    Raises
    ------
    TypeError
        If ``thing`` is neither, or holds something that cannot be written; the sentence says what.
    """
    if isinstance(thing, LayerGraph):
        write_json(thing, path)
    elif isinstance(thing, Problem):
        write_atomic(path, encode_problem(thing))
    elif isinstance(thing, Result):
        write_atomic(path, encode_result(thing))
    else:
        wanted = "a problem, a result or a network is expected"
        raise TypeError(f"{wanted}, got {type(thing).__name__}.")


def load(path: str | os.PathLike[str]) -> Any:
    """Return the problem, the result or the network that :func:`save` wrote.

    Parameters
    ----------
    path
        The file. A class of your own must be defined or imported before. An ending that a problem
        class has in ``suffixes``, such as ``.txt``, is read by that class.

    Returns
    -------
    Problem, Result or LayerGraph
        Equal to what was saved, to the last digit.

    Raises
    ------
    ValueError
        If it is no file of optedge, or broken, or its data are invalid; the sentence names the
        file and the field.
    FileNotFoundError
        If there is no such file.
    """
    reader = class_for_suffix(os.path.splitext(path)[1])
    if reader is not None:
        return reader.read(path)
    try:
        return _decode(read_limited(path), KINDS)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


# -------------------------------------------------------------------------- bytes


def encode_problem(problem: Problem) -> bytes:
    """Return the content of a problem's file."""
    return _encode("problem", type(problem), problem)


def encode_result(result: Result) -> bytes:
    """Return the content of a result's file."""
    return _encode("result", type(result.problem), result)


def decode_problem(data: bytes) -> Problem:
    """Return the problem in what :func:`encode_problem` returned; ValueError if it is broken."""
    problem: Problem = _decode(data, ("problem",))
    return problem


def decode_result(data: bytes) -> Result:
    """Return the result in what :func:`encode_result` returned; ValueError if it is broken."""
    result: Result = _decode(data, ("result",))
    return result


def _encode(kind: str, cls: Any, thing: Any) -> bytes:
    check_name(cls)
    header = dict(zip(_HEADER, (FORMAT, VERSION, kind, cls.__name__), strict=True))
    members = header | _form(kind, cls).pack(thing, "")
    lines = [msgspec.json.encode(k) + b": " + msgspec.json.encode(v) for k, v in members.items()]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def _decode(data: bytes, kinds: tuple[str, ...]) -> Any:
    header = _checked_header(data, kinds)
    if header.file_kind == "network":
        return decode_json(data)
    cls: Any = class_named(header.file_class)
    form = _form(header.file_kind, cls)
    try:
        return form.unpack(decode(data, form.wire), "")
    except RecursionError:
        raise ValueError("its JSON is nested too deeply.") from None


def _checked_header(data: bytes, kinds: tuple[str, ...]) -> _Header:
    if not data.strip():
        raise ValueError("the file is empty.")
    if not data.lstrip().startswith(b"{"):
        decode(data, Any)  # a better sentence if it is not even JSON
        raise ValueError("not an optedge file: its JSON is no object.")
    header: _Header = decode(data, _Header)
    values = msgspec.structs.astuple(header)
    if header.file_format != FORMAT:
        raise ValueError(f"not an optedge file: format must be {FORMAT!r}.")
    for name, value in zip(_HEADER, values, strict=True):
        if value is None and not (name == "class" and header.file_kind == "network"):
            raise ValueError(f"the field {name} is missing.")
    version = header.file_version
    if type(version) is not int or version < 1:
        raise ValueError(f"version: expected a whole number from 1, got {shown(repr(version))}.")
    if version > VERSION:
        raise ValueError(
            f"version: written by a newer optedge: version {version}, this one reads up to "
            f"{VERSION}."
        )
    if header.file_kind not in kinds:
        choices = " or ".join(repr(kind) for kind in kinds)
        raise ValueError(f"kind: expected {choices}, got {shown(repr(header.file_kind))}.")
    return header


# --------------------------------------------------------------- forms of whole files


@functools.cache
def _form(kind: str, cls: Any) -> Form:
    """Return how a file of that kind and class stands in JSON, header included."""
    if kind == "problem":
        return make_record(cls, base=_Header, reserved=_HEADER)
    special = {
        "problem": record(cls),
        "solution": optional(solution_form(cls)),
        "options": mapping(FACT),
        "info": mapping(FACT),
        "history": table(HISTORY),
    }
    return make_record(Result, special, base=_Header, reserved=_HEADER)


def solution_form(cls: Any) -> Form:
    """Return the form of solutions: arrays, plain values, or a dataclass that the problem names."""
    types = {t.__name__: t for t in cls.solution_types}

    def pack(x: Any, where: str) -> Any:
        if not dataclasses.is_dataclass(x):
            return ANYTHING.pack(x, where)
        name = type(x).__name__
        if name not in types or not same_class(types[name], type(x)):
            raise TypeError(
                f"{where}: to write a {name} to a file, {cls.__name__} must name it: "
                f"solution_types: ClassVar[tuple[type, ...]] = ({name},)."
            )
        return {"$type": name, **record(types[name]).pack(x, where)}

    def unpack(value: Any, where: str) -> Any:
        name = value.get("$type") if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in types:
            return ANYTHING.unpack(value, where)
        form = record(types[name])
        fields = {k: entry for k, entry in value.items() if k != "$type"}
        return form.unpack(convert(fields, form.wire, where), where)

    return Form(Any, pack, unpack)

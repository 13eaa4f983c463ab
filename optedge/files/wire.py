"""What stands in the JSON, and what is wrong with it in one sentence that names the field.

Only what is JSON's own business is here; which value becomes which JSON, the other files say.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from optedge.disk import shown

#: A float; JSON has no number for the three.
Number = int | float | Literal["inf", "-inf", "nan"]


@dataclasses.dataclass(frozen=True)
class Form:
    """How values of one type are written.

    Parameters
    ----------
    wire
        The type of the JSON, which msgspec checks.
    pack, unpack
        From the value to what msgspec encodes, and from checked JSON to the value. The second
        parameter is the name of the place, for messages.
    """

    wire: Any
    pack: Callable[[Any, str], Any]
    unpack: Callable[[Any, str], Any]


def spelled(number: float) -> float | str:
    """Return the number, or its name if JSON has none for it."""
    return number if math.isfinite(number) else str(number)


# ---------------------------------------------------------------------- reading, and errors

_AT = re.compile(r"(?P<text>.*) - at `\$(?P<path>.*)`", re.DOTALL)
_FIELD = re.compile(
    r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL
)
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "an object",
    "str": "a string",
    "NoneType": "null",
    "dict": "an object",
    "list": "a list",
}


def join(where: str, name: str) -> str:
    """Return the name of a field of ``where``: ``problem.times``, or ``times`` at the top."""
    return f"{where}.{name}" if where and not name.startswith("[") else where + name


def decode(data: bytes, wire: Any) -> Any:
    """Return the JSON in ``data`` as the type ``wire``.

    Raises
    ------
    ValueError
        If it is no JSON, or not of that type; the sentence names the field.
    """
    try:
        return msgspec.json.decode(data, type=wire)
    except msgspec.ValidationError as error:
        raise ValueError(_sentence(str(error), "")) from None
    except UnicodeDecodeError:
        raise ValueError("not JSON: its text is not UTF-8.") from None
    except msgspec.DecodeError as error:
        text = str(error).removeprefix("JSON is malformed: ")
        cut = text == f"invalid number (byte {len(data)})"  # such as -, at the very end
        if cut or "truncated" in text:
            raise ValueError("truncated: its JSON ends too early.") from None
        raise ValueError(f"not JSON: {text}.") from None
    except RecursionError:
        raise ValueError("its JSON is nested too deeply.") from None


def convert(value: Any, wire: Any, where: str) -> Any:
    """Return decoded JSON as the type ``wire``; ValueError that names the field below ``where``."""
    try:
        return msgspec.convert(value, wire)
    except msgspec.ValidationError as error:
        raise ValueError(_sentence(str(error), where)) from None


def _sentence(text: str, where: str) -> str:
    """Return what msgspec says, with the place first and JSON's words for types."""
    at = _AT.fullmatch(text)
    if at:
        text, where = at["text"], join(where, at["path"].removeprefix("."))
    field = _FIELD.fullmatch(text)
    if field:
        place = join(where, shown(field["name"]))
        missing = field["what"] == "missing required"
        return f"the field {place} is missing." if missing else f"there is no field {place}."
    text = re.sub("`([^`]*)`", lambda m: _type_name(m[1]), text)
    text = re.sub("Invalid (enum )?value (.*)", r"\2 is none of its values", text)
    text = re.sub(r"got (\w+)$", lambda m: f"got {_WORDS.get(m[1], m[1])}", text)
    text = shown(text[0].lower() + text[1:], 200)
    return f"{where}: {text}." if where else f"{text}."


def _type_name(union: str) -> str:
    parts = union.split(" | ")
    words = [_WORDS.get(part, part) for part in parts if part != "int" or "float" not in parts]
    if "float" in parts and "str" in parts:  # the strings are names of numbers
        words[words.index(_WORDS["str"])] = "'inf'"
    return " or ".join(words)

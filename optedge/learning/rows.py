"""Finished runs in one JSON file: what was measured once is read, not measured again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from optedge import nets
from optedge.disk import read_limited, write_atomic
from optedge.kernels import source_of

FORMAT = "optedge rows 1"


class Rows:
    """Rows by what was asked for, kept in a file as each is finished.

    The file is written anew after every run, to another name first: whoever kills the process
    loses the run that is under way and nothing else. A run of another version of this package, of
    edited files of ``optedge.learning`` or of the file that measures it, is another run. One
    process at a time writes a file.

    Parameters
    ----------
    path
        The file; made with the first row. None keeps rows in memory alone.

    Raises
    ------
    ValueError
        If the file holds something else.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._rows: dict[str, dict[str, Any]] = {}
        if self.path is not None and self.path.exists():
            self._rows = _read(self.path)

    def __len__(self) -> int:
        return len(self._rows)

    def row(
        self, asked: Mapping[str, Any], measure: Callable[[], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return what was measured for ``asked``, or measure and keep it.

        Parameters
        ----------
        asked
            All that the row depends on: numbers, text, arrays, and objects that are made of them.
        measure
            A function that returns numbers, text, and lists of them by name.

        Raises
        ------
        TypeError
            If a part of ``asked`` cannot be told apart from others of its kind.
        """
        told = _plain(asked, "asked")
        key = json.dumps([_source(), _source_of(measure), told], sort_keys=True)
        if key not in self._rows:
            # Through JSON at once, so that a row is the same before and after it was kept.
            self._rows[key] = json.loads(json.dumps(measure(), default=_number))
            if self.path is not None:
                document = {"format": FORMAT, "rows": self._rows}
                write_atomic(self.path, json.dumps(document, indent=0).encode())
        return dict(self._rows[key])


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(read_limited(path))
    except ValueError as error:
        raise ValueError(f"{path} is no file of kept rows: {error}.") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path} is no file of kept rows of this version.")
    rows: dict[str, dict[str, Any]] = document["rows"]
    return rows


@functools.cache
def _source() -> str:
    """Return the version and a hash of all that decides what training gives."""
    digest = hashlib.sha256()
    for path in [Path(nets.__file__), *sorted(Path(__file__).parent.glob("*.py"))]:
        digest.update(path.read_bytes())
    return f"{version('optedge')} {digest.hexdigest()[:16]}"


def _source_of(measure: Callable[..., Any]) -> str:
    """Return a hash of the file of a function, also of one with some arguments filled in."""
    function = measure.func if isinstance(measure, functools.partial) else measure
    return hashlib.sha256(source_of(function)).hexdigest()[:16]


def _plain(value: Any, where: str) -> Any:
    """Return what tells a value apart from others, as JSON can write it."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        kept = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
        return [str(value.dtype), list(value.shape), kept]
    if isinstance(value, Mapping):
        return {str(name): _plain(one, f"{where}[{name!r}]") for name, one in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(one, f"{where}[{k}]") for k, one in enumerate(value)]
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value)]
        return [type(value).__qualname__, {f: _plain(getattr(value, f), where) for f in fields}]
    if getattr(value, "__dict__", None) and not callable(value):
        return [type(value).__qualname__, _plain(vars(value), where)]
    raise TypeError(f"{where} cannot be kept: {value!r} is not made of numbers, text and arrays.")


def _number(value: Any) -> Any:
    """Return a number of NumPy as JSON can write it."""
    return value.item()

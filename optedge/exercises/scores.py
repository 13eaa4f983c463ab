"""Points of this session, and the file that holds a row a student."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from optedge.disk import read_limited, write_atomic
from optedge.exercises import registry

COLUMNS = ["student", "points", "total", "version"]

_BEST: dict[str, float] = {}


def keep(id: str, points: float) -> None:
    """Remember the points of an exercise; the best answer of a session counts."""
    _BEST[id] = max(points, _BEST.get(id, 0.0))


def forget() -> None:
    """Start the session again: no points."""
    _BEST.clear()


def record(
    path: str | os.PathLike[str], student: str, ids: Iterable[str] | None = None
) -> tuple[float, float]:
    """Write the points of this session into a CSV file, one row a student.

    A row of the same student is replaced. The file is written under a temporary name and renamed;
    two sessions that write at the same moment may lose one row.

    Parameters
    ----------
    path
        The file; it is made if it is not there. Columns: student, points, total, version.
    student
        Name or number, one line.
    ids
        The exercises that count; all of the package and of loaded files by default.

    Returns
    -------
    tuple
        Points, and what could be earned.

    Raises
    ------
    ValueError
        If the student has no name, an id does not exist, or the file holds something else.
    """
    if not isinstance(student, str) or not student.strip() or len(student.splitlines()) != 1:
        raise ValueError(f"student must be a name in one line, got {student!r}.")
    if isinstance(ids, str):
        raise ValueError(f"ids must be a list of ids, got {ids!r}.")
    wanted = (
        registry.exercises() if ids is None else [registry.find(id) for id in dict.fromkeys(ids)]
    )
    points, total = sum(_BEST.get(e.id, 0.0) for e in wanted), sum(e.points for e in wanted)
    rows = [row for row in _read(Path(path)) if row[0] != student]
    rows.append([student, f"{points:g}", f"{total:g}", version("optedge")])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_atomic(path, text.getvalue().encode())
    return points, total


def _read(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    rows = list(csv.reader(io.StringIO(read_limited(path).decode("utf-8-sig"))))
    if rows and (rows[0] != COLUMNS or any(len(row) != len(COLUMNS) for row in rows)):
        raise ValueError(f"{path}: this is no file of points; its columns must be {COLUMNS}.")
    return rows[1:]

"""Benchmark instances of unrelated machines: text files with n, m and n rows of m times."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import numpy as np

from optedge.disk import read_limited, shown
from optedge.formulations.makespan import MakespanProblem

_FOLDER = Path(__file__).resolve().parent.parent / "data" / "rcmax"


def rcmax_files(*, hard: bool = False) -> list[Path]:
    """Return the instance files that come with the package, sorted by number.

    Parameters
    ----------
    hard
        The 23 files that exact methods find hard, up to 1000 tasks or 50 servers, in place of the
        24 of the usual sample.

    Returns
    -------
    list of Path
        Files for :func:`read_rcmax`. Their source is named in the README beside them.
    """
    files = (p for p in _folder(hard).glob("*.txt") if p.stem.isdigit())
    return sorted(files, key=lambda p: int(p.stem))


def rcmax_best_known(*, hard: bool = False) -> dict[str, tuple[int, bool]]:
    """Return the best known makespan of each packaged instance and whether it is proved optimal.

    Parameters
    ----------
    hard
        Whether the hard files are meant, as in :func:`rcmax_files`.

    Returns
    -------
    dict
        The file's stem, such as ``"1066"``, to ``(value, proved)``.
    """
    with open(_folder(hard) / "bks.csv", newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(Path(row["file"]).stem))
    return {
        Path(row["file"]).stem: (int(row["best_known"]), row["proved_optimal"] == "1")
        for row in rows
    }


def _folder(hard: bool) -> Path:
    return _FOLDER / "hard" if hard else _FOLDER


def read_rcmax(path: str | os.PathLike[str]) -> MakespanProblem:
    """Return the problem in a benchmark file of unrelated machines.

    Parameters
    ----------
    path
        A text file: the number of tasks n, the number of servers m, then n rows of m times, in
        seconds by our convention. Only the order of the numbers counts, not the lines.

    Returns
    -------
    MakespanProblem
        Its name is the file's name without ending.

    Raises
    ------
    ValueError
        If the file does not hold these numbers; the sentence names the file and what is wrong.
    FileNotFoundError
        If there is no such file.
    """
    try:
        numbers = _numbers(read_limited(path))
        tasks, servers = _sizes(numbers)
        times = np.array(numbers[2:]).reshape(tasks, servers)
        return MakespanProblem(times, name=Path(path).stem)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _numbers(data: bytes) -> list[float]:
    found = []
    for k, line in enumerate(data.decode("utf-8-sig", errors="replace").splitlines(), start=1):
        for word in line.split():
            try:
                number = float(word)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise ValueError(f"line {k}: {shown(word)!r} is not a number.")
            if number < 0:
                raise ValueError(f"line {k}: {word} is negative.")
            found.append(number)
    return found


def _sizes(numbers: list[float]) -> tuple[int, int]:
    """Return n and m if the count of the numbers after them is n * m."""
    if len(numbers) < 2:
        raise ValueError("the header, two numbers n and m, is missing.")
    for name, number in zip("nm", numbers, strict=False):
        if number < 1 or not number.is_integer():
            raise ValueError(f"header: {name} must be a whole number from 1, got {number:g}.")
    tasks, servers = int(numbers[0]), int(numbers[1])
    given = len(numbers) - 2
    if given != tasks * servers:
        few = "few" if given < tasks * servers else "many"
        raise ValueError(
            f"too {few} numbers: the header says {tasks} x {servers} = {tasks * servers} times, "
            f"there are {given}."
        )
    return tasks, servers

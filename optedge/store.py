"""The store of a study: finished runs in one SQLite file, so that a killed study resumes.

Three tables. ``problems`` holds each instance once, ``setups`` each solver with its source,
options, budgets and version; a row of ``runs`` is the one run of an instance, a setup and a seed,
with the columns of the study's table beside the result itself, which is read when it is asked for.
"""

from __future__ import annotations

import functools
import json
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from optedge.files import decode_problem, encode_problem
from optedge.files.arrays import table
from optedge.files.documents import solution_form
from optedge.files.forms import make_record, mapping, optional
from optedge.files.untyped import FACT
from optedge.files.wire import Form, decode
from optedge.formulations.base import Problem
from optedge.solvers.result import HISTORY, Result

SCHEMA = 2
APPLICATION = 0x0E0ED6E5  # marks the file as ours
AT_ONCE = 500  # rows of one query

_TABLES = (
    """
    CREATE TABLE problems (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
        document BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE setups (
        id INTEGER PRIMARY KEY, solver TEXT NOT NULL, settings TEXT NOT NULL UNIQUE
    )
    """,
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, problem INTEGER NOT NULL REFERENCES problems,
        setup INTEGER NOT NULL REFERENCES setups, seed TEXT NOT NULL,
        finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, status TEXT NOT NULL,
        stop_reason TEXT NOT NULL, objective REAL NOT NULL, bound REAL NOT NULL,
        proof TEXT NOT NULL, runtime REAL, evaluations INTEGER NOT NULL, compile_seconds REAL,
        bound_seconds REAL, metrics TEXT NOT NULL, message TEXT NOT NULL,
        result BLOB NOT NULL,
        UNIQUE (problem, setup, seed)
    )
    """,
)


class Row(NamedTuple):
    """What the table of a study shows of one run, its instance, solver and seed left out."""

    status: str
    stop_reason: str = ""
    objective: float = math.inf
    bound: float = -math.inf
    proof: str = "none"
    runtime: float = math.nan
    evaluations: int = 0
    compile_seconds: float = math.nan
    bound_seconds: float = math.nan
    metrics: Mapping[str, float] = {}
    message: str = ""


_COLUMNS = Row._fields


def row_of(result: Result) -> Row:
    """Return the row of a result."""
    metrics = {} if result.solution is None else result.problem.metrics(result.solution)
    return Row(
        status=str(result.status),
        stop_reason=result.stop_reason,
        objective=float(result.objective),
        bound=float(result.bound),
        proof=result.proof,
        runtime=float(result.runtime),
        evaluations=int(result.evaluations),
        compile_seconds=result.info.get("compile_seconds", math.nan),
        bound_seconds=result.info.get("bound_seconds", math.nan),
        metrics=metrics,
        message="" if result.solution is not None else _why_none(result),
    )


def _why_none(result: Result) -> str:
    """Say why a run has no solution, if it is known."""
    refused = result.info.get("refused")
    return str(result.info.get("reason", "")) or (f"it returned {refused}" if refused else "")


# ------------------------------------------------------------- a result without its problem


def encode_bare(result: Result) -> bytes:
    """Return a result as JSON, without its problem.

    Raises
    ------
    TypeError
        If it holds something that cannot be written.
    """
    cls: Any = type(result.problem)
    return msgspec.json.encode(_bare(cls).pack(result, ""))


def decode_bare(data: bytes, problem: Problem) -> Result:
    """Return the result in what :func:`encode_bare` returned, on ``problem``."""
    cls: Any = type(problem)
    form = _bare(cls)
    result: Result = form.unpack(decode(data, form.wire), "")
    object.__setattr__(result, "problem", problem)
    return result


@functools.cache
def _bare(cls: Any) -> Form:
    special = {
        "problem": Form(None, lambda value, where: None, lambda value, where: None),
        "solution": optional(solution_form(cls)),
        "options": mapping(FACT),
        "info": mapping(FACT),
        "history": table(HISTORY),
    }
    return make_record(Result, special)


# -------------------------------------------------------------------------------- the file


class Store:
    """Finished runs on disk, written one at a time and kept if the process is killed.

    A run that was kept survives the death of the process; when the machine itself dies, those of
    its last seconds may be missing, and the file is whole.

    Parameters
    ----------
    path
        The SQLite file; made if it does not exist.

    Raises
    ------
    ValueError
        If the file is no store, or one of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        # The process reads and writes under one lock: tasks may be asked for by another thread.
        self._base = sqlite3.connect(self.path, timeout=60.0, check_same_thread=False)
        self._lock = threading.RLock()
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._base.close()
            raise ValueError(f"{self.path} is not an optedge store: {error}.") from None
        except ValueError:
            self._base.close()
            raise

    def _prepare(self) -> None:
        application = self._base.execute("PRAGMA application_id").fetchone()[0]
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        empty = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty and application == 0:
            self._base.execute("PRAGMA journal_mode = WAL")
            with self._base:
                self._base.execute("BEGIN")
                for definition in _TABLES:
                    self._base.execute(definition)
                self._base.execute(f"PRAGMA application_id = {APPLICATION}")
                self._base.execute(f"PRAGMA user_version = {SCHEMA}")
        elif application != APPLICATION:
            raise ValueError(f"{self.path} is not an optedge store.")
        elif version != SCHEMA:
            raise ValueError(
                f"{self.path} is a store of version {version}, this optedge writes version"
                f" {SCHEMA}; take a new file."
            )
        self._base.execute("PRAGMA synchronous = NORMAL")

    # ---- writing

    def problem_number(self, problem: Problem) -> int:
        """Return the number of an instance, which is written if it is new."""
        query = "SELECT id FROM problems WHERE key = ?"
        if self._one(query, problem.key) is None:
            text = encode_problem(problem)
            self._insert("problems", key=problem.key, label=problem.label, document=text)
        return int(self._one(query, problem.key)[0])

    def setup_number(self, solver: str, settings: Mapping[str, Any]) -> int:
        """Return the number of a solver with all that its outcome depends on beside the seed."""
        text, query = (
            json.dumps(settings, sort_keys=True),
            "SELECT id FROM setups WHERE settings = ?",
        )
        if self._one(query, text) is None:
            self._insert("setups", solver=solver, settings=text)
        return int(self._one(query, text)[0])

    def put(self, problem: int, setup: int, seed: int, row: Row, result: bytes) -> int:
        """Keep a finished run, unless it is there already, and return its number."""
        values = dict(zip(_COLUMNS, row, strict=True))
        values["metrics"] = json.dumps(row.metrics, default=_plain)
        number = self._insert(
            "runs", problem=problem, setup=setup, seed=str(seed), **values, result=result
        )
        return number or self.find(problem, setup, seed)

    def _insert(self, name: str, **values: Any) -> int:
        """Insert a row and return its number; 0 if another process was faster."""
        places = ", ".join("?" * len(values))
        command = f"INSERT OR IGNORE INTO {name} ({', '.join(values)}) VALUES ({places})"
        with self._lock, self._base:
            done = self._base.execute(command, tuple(values.values()))
            return int(done.lastrowid or 0) if done.rowcount == 1 else 0

    # ---- reading

    def find(self, problem: int, setup: int, seed: int) -> int:
        """Return the number of a finished run, 0 if there is none."""
        found = self._one(
            "SELECT id FROM runs WHERE problem = ? AND setup = ? AND seed = ?",
            *(problem, setup, str(seed)),
        )
        return 0 if found is None else int(found[0])

    def rows(self, numbers: Iterable[int]) -> Iterator[tuple[int, Row]]:
        """Return number and row of those runs, in the order of the file."""
        wanted = sorted(set(numbers))
        for first in range(0, len(wanted), AT_ONCE):
            part = wanted[first : first + AT_ONCE]
            query = f"SELECT id, {', '.join(_COLUMNS)} FROM runs WHERE id IN ({_places(part)})"
            with self._lock:
                found = self._base.execute(query, part).fetchall()
            for number, *values in found:
                yield number, _row(values)

    def result(self, number: int, problem: Problem) -> Result:
        """Return the result of a run on ``problem``."""
        return decode_bare(self._content("result", "runs", number), problem)

    def problem(self, number: int) -> Problem:
        """Return an instance, under the name that it had first."""
        return decode_problem(self._content("document", "problems", number))

    def _content(self, column: str, name: str, number: int) -> bytes:
        found = self._one(f"SELECT {column} FROM {name} WHERE id = ?", number)
        if found is None:
            raise LookupError(f"{self.path} does not hold number {number} of {name} any more.")
        return bytes(found[0])

    def _one(self, query: str, *values: Any) -> Any:
        with self._lock:
            return self._base.execute(query, values).fetchone()

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM runs")[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()


def _row(values: list[Any]) -> Row:
    # SQLite has no NaN: it keeps NULL.
    known: dict[str, Any] = {
        name: math.nan if value is None else value
        for name, value in zip(_COLUMNS, values, strict=True)
    }
    return Row(**known | {"metrics": json.loads(known["metrics"])})


def _plain(number: Any) -> Any:
    """Return a number of NumPy as JSON can write it."""
    return number.item()


def _places(values: list[int]) -> str:
    return ", ".join("?" * len(values))

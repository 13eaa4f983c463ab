"""The store of a study: finished runs in one SQLite file, so that a killed study resumes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from optedge.files import decode_result, encode_result
from optedge.solvers.result import Result

SCHEMA = 1
APPLICATION = 0x0E0ED6E5  # marks the file as ours

_TABLE = """
CREATE TABLE runs (
    key TEXT PRIMARY KEY, instance TEXT NOT NULL, solver TEXT NOT NULL, seed INTEGER NOT NULL,
    settings TEXT NOT NULL, finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, result BLOB NOT NULL
)
"""


def run_key(settings: Mapping[str, Any]) -> str:
    """Return the key of a run: a hash of everything that its outcome depends on."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class Store:
    """Finished runs on disk, written one at a time and kept if the process is killed.

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
        self._base = sqlite3.connect(self.path, timeout=60.0)
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
                self._base.execute(_TABLE)
                self._base.execute(f"PRAGMA application_id = {APPLICATION}")
                self._base.execute(f"PRAGMA user_version = {SCHEMA}")
        elif application != APPLICATION:
            raise ValueError(f"{self.path} is not an optedge store.")
        elif version != SCHEMA:
            raise ValueError(
                f"{self.path} is a store of version {version}, this optedge writes version"
                f" {SCHEMA}; take a new file."
            )

    def get(self, settings: Mapping[str, Any]) -> Result | None:
        """Return the finished run of these settings, or None."""
        found = self._base.execute(
            "SELECT result FROM runs WHERE key = ?", (run_key(settings),)
        ).fetchone()
        return None if found is None else decode_result(found[0])

    def put(self, settings: Mapping[str, Any], result: Result) -> None:
        """Keep a finished run; it is on disk when this returns."""
        row = (
            run_key(settings),
            result.problem.label,
            result.solver,
            result.seed,
            json.dumps(settings, sort_keys=True),
            encode_result(result),
        )
        with self._base:
            self._base.execute(
                "INSERT OR REPLACE INTO runs (key, instance, solver, seed, settings, result)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )

    def __len__(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM runs").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()

# SPDX-License-Identifier: MIT
"""The store: one SQLite file with every run that was ever added, its outcome and its numbers.

SQLite and not a file a night: a run is added whole or not at all (one transaction), two nights that end
together wait for each other, and a run that is there already is left alone, so that adding twice is adding
once. Runs are never changed nor removed; `export` gives all of them as CSV and Parquet.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from scxval.catalog.model import AXES
from scxval.errors import ScxvalError
from scxval.history.readings import RunRecord

SCHEMA = 1
# Another night that is being added is waited for.
WAIT_S = 60.0
# "scxh" in ASCII (sqlite.org/pragma.html#pragma_application_id): the file is one of these.
APPLICATION_ID = 0x73637868
_CREATE = f"""
CREATE TABLE IF NOT EXISTS runs (
  identity TEXT PRIMARY KEY, {", ".join(f"{axis} TEXT NOT NULL" for axis in AXES)}, rep INTEGER NOT NULL,
  started_s REAL NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, host TEXT NOT NULL,
  kernel TEXT NOT NULL, scheduler_digest TEXT NOT NULL, scxval TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings (
  identity TEXT NOT NULL REFERENCES runs, what TEXT NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (identity, what)) WITHOUT ROWID;
"""
_RUN = (
    *("identity", *AXES, "rep", "started_s", "outcome", "reason"),
    *("host", "kernel", "scheduler_digest", "scxval"),
)


@dataclass(frozen=True)
class Added:
    """How many runs were new, and how many were there already."""

    new: int
    known: int


@contextlib.contextmanager
def opened(path: Path, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The store, in one transaction: all of what is done in it stays, or nothing.

    Raises ScxvalError for a file that is missing (unless `create`), is no store, or is of another version.
    """
    if not path.exists() and not create:
        raise ScxvalError(
            f"no history at {path}: `snakemake history` or `scxval history add` makes it"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise ScxvalError(f"cannot open history {path}: {error}") from error
    try:
        connection.execute("BEGIN IMMEDIATE" if create else "BEGIN")
        _check(connection, path, create)
        yield connection
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise ScxvalError(f"history {path}: {error}") from error
    finally:
        # What was not committed is undone.
        connection.close()


def _check(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if create and not tables and not application:
        for statement in _CREATE.strip().split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        return
    if application != APPLICATION_ID:
        raise ScxvalError(f"{path} is a database, but not a history of scxval: name another file")
    if version != SCHEMA:
        raise ScxvalError(
            f"history {path} is of schema {version}, this scxval knows {SCHEMA}: export it with the scxval"
            " that made it, or name another file"
        )


def add(path: Path, runs: Iterable[RunRecord]) -> Added:
    """Add runs, all or none; those that are there already are left as they are. Raises ScxvalError."""
    new = known = 0
    with opened(path, create=True) as store:
        for run in runs:
            values = (
                *(run.identity, *run.axes, run.rep, run.started_s, run.outcome, run.reason),
                *(run.host, run.kernel, run.scheduler, run.scxval),
            )
            marks = ", ".join("?" * len(_RUN))
            done = store.execute(
                f"INSERT OR IGNORE INTO runs ({', '.join(_RUN)}) VALUES ({marks})", values
            )
            if not done.rowcount:
                known += 1
                continue
            new += 1
            store.executemany(
                "INSERT INTO readings VALUES (?, ?, ?, ?)",
                ((run.identity, r.what, r.unit, r.value) for r in run.readings),
            )
    return Added(new, known)


def runs_table(path: Path) -> pa.Table:
    """Every run, in order of time. Raises ScxvalError."""
    return _table(path, f"SELECT {', '.join(_RUN)} FROM runs ORDER BY started_s, identity")


def readings_table(path: Path) -> pa.Table:
    """Every reading with its run's axes and time, in order of time and name. Raises ScxvalError."""
    columns = ", ".join(f"runs.{name}" for name in _RUN if name != "reason")
    return _table(
        path,
        f"SELECT {columns}, what, unit, value FROM readings JOIN runs USING (identity)"
        " ORDER BY started_s, runs.identity, what",
    )


def _table(path: Path, query: str) -> pa.Table:
    with opened(path) as store:
        found = store.execute(query)
        names = [column[0] for column in found.description]
        columns = list(zip(*found.fetchall(), strict=True)) or [() for _ in names]
    kinds = {"rep": pa.int64(), "started_s": pa.float64(), "value": pa.float64()}
    arrays = [
        pa.array(column, kinds.get(n, pa.string()))
        for n, column in zip(names, columns, strict=True)
    ]
    return pa.table(arrays, names=names)

# SPDX-License-Identifier: MIT
"""The store: one SQLite file with every run that was ever added, its outcome and its numbers.

SQLite and not a Parquet file a night: a batch is added whole or not at all (one transaction, whatever kills
it), two sweeps that end together wait for each other, a run that is there already is found by its identity,
and all that comes with Python. Nothing is ever changed or removed; `content` gives all of it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.catalog.model import AXES
from scxval.errors import ScxvalError
from scxval.history.readings import MADE_WITH, Reading, RunRecord

SCHEMA = 1
# Another sweep that is being added is waited for.
WAIT_S = 60.0
# "scxh" in ASCII (sqlite.org/pragma.html#pragma_application_id): the file is one of these.
APPLICATION_ID = 0x73637868
_TEXTS = (*AXES, "outcome", "reason", "unused", *(f"with_{name}" for name in MADE_WITH))
_QUANTITY = ("metric", "stat", "task", "scope", "unit")
_CREATE = (
    f"""CREATE TABLE runs (
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, rep INTEGER NOT NULL, started_s REAL NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in _TEXTS)})""",
    f"""CREATE TABLE quantities (
    id INTEGER PRIMARY KEY, {", ".join(f"{name} TEXT NOT NULL" for name in _QUANTITY)},
    UNIQUE ({", ".join(_QUANTITY)}))""",
    """CREATE TABLE readings (
    run INTEGER NOT NULL REFERENCES runs, quantity INTEGER NOT NULL REFERENCES quantities,
    value REAL NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (run, quantity)) WITHOUT ROWID""",
)
_RUN = ("identity", "rep", "started_s", *_TEXTS)
_KINDS = {
    **{"rep": pa.int64(), "started_s": pa.float64(), "value": pa.float64(), "n": pa.int64()},
    **{"run": pa.int64(), "quantity": pa.int64()},
}


@dataclass(frozen=True)
class Added:
    """How many runs were new, how many were there already, and `completed`: of these, how many got numbers
    that they did not have (a quantity that was configured since). `differing`: how many are there with other
    numbers, which stay. `made`: the store was not there before.
    """

    new: int = 0
    known: int = 0
    completed: int = 0
    differing: int = 0
    made: bool = False


@contextlib.contextmanager
def opened(path: Path, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The store, in one transaction: all of what is done in it stays, or nothing.

    Raises ScxvalError for a file that is missing (unless `create`), damaged, no store, or of another version.
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


def _is_new(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not connection.execute("PRAGMA application_id").fetchone()[0]


def _check(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    if create and _is_new(connection):
        return
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise ScxvalError(f"{path} is a database, but not a history of scxval: name another file")
    if version != SCHEMA:
        raise ScxvalError(
            f"history {path} is of schema {version}, this scxval knows {SCHEMA}: export it with the scxval"
            " that made it, or name another file"
        )
    damage = _damage(connection, path)
    if damage:
        raise ScxvalError(
            f"history {path} is damaged ({damage}): take a copy of it, or name another file"
        )


def _damage(connection: sqlite3.Connection, path: Path) -> str:
    """What is wrong with the file, "" for nothing: SQLite reads what is cut off its end as zeros."""
    pages, each = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    size = path.stat().st_size
    if size != pages * each:
        return f"{size} bytes of {pages * each}"
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return "" if found == "ok" else " ".join(found.split())


def _make(connection: sqlite3.Connection) -> None:
    for statement in _CREATE:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def add(path: Path, runs: Iterable[RunRecord]) -> Added:
    """Add runs, all or none. One that is there already gets the numbers that it lacks. Raises ScxvalError."""
    new = known = completed = differing = 0
    with opened(path, create=True) as store:
        made = _is_new(store)
        if made:
            _make(store)
        for run in runs:
            found = store.execute("SELECT id FROM runs WHERE identity = ?", (run.identity,))
            row = found.fetchone()
            if row is None:
                new += 1
                _insert(store, _insert_run(store, run), run.readings)
                continue
            known += 1
            there = _there(store, row[0])
            lacking = [r for r in run.readings if _key(r) not in there]
            differing += any(
                (r.value, r.n) != there.get(_key(r), (r.value, r.n)) for r in run.readings
            )
            completed += bool(lacking)
            _insert(store, row[0], lacking)
    return Added(new, known, completed, differing, made)


def _key(reading: Reading) -> tuple[str, ...]:
    return tuple(str(getattr(reading, name)) for name in _QUANTITY)


def _insert_run(store: sqlite3.Connection, run: RunRecord) -> int:
    values = (
        *(run.identity, run.rep, run.started_s, *run.axes, run.outcome, run.reason, run.unused),
        *astuple(run.made_with),
    )
    marks = ", ".join("?" * len(_RUN))
    done = store.execute(f"INSERT INTO runs ({', '.join(_RUN)}) VALUES ({marks})", values)
    assert done.lastrowid is not None
    return done.lastrowid


def _insert(store: sqlite3.Connection, run: int, readings: Sequence[Reading]) -> None:
    names, marks = ", ".join(_QUANTITY), ", ".join("?" * len(_QUANTITY))
    where = " AND ".join(f"{name} = ?" for name in _QUANTITY)
    for reading in readings:
        key = _key(reading)
        store.execute(f"INSERT OR IGNORE INTO quantities ({names}) VALUES ({marks})", key)
        store.execute(
            f"INSERT INTO readings SELECT ?, id, ?, ? FROM quantities WHERE {where}",
            (run, reading.value, reading.n, *key),
        )


def _there(store: sqlite3.Connection, run: int) -> dict[tuple[str, ...], tuple[float, int]]:
    found = store.execute(
        f"SELECT {', '.join(_QUANTITY)}, value, n FROM readings"
        " JOIN quantities ON quantities.id = quantity WHERE run = ?",
        (run,),
    )
    return {row[:-2]: row[-2:] for row in found}


@dataclass(frozen=True)
class Content:
    """A store's content at one moment. `readings` has run and quantity as row numbers of the other two."""

    runs: pa.Table
    quantities: pa.Table
    readings: pa.Table


def content(path: Path) -> Content:
    """Everything, in an order that does not depend on that of adding. Raises ScxvalError."""
    with opened(path) as store:
        runs = _rows(store, f"SELECT id, {', '.join(_RUN)} FROM runs ORDER BY started_s, identity")
        names = ", ".join(_QUANTITY)
        quantities = _rows(store, f"SELECT id, {names} FROM quantities ORDER BY {names}")
        found = store.execute("SELECT run, quantity, value, n FROM readings").fetchall()
    of_run = {row[0]: number for number, row in enumerate(runs)}
    of_quantity = {row[0]: number for number, row in enumerate(quantities)}
    numbered = sorted((of_run[run], of_quantity[what], value, n) for run, what, value, n in found)
    return Content(
        _table(_RUN, [row[1:] for row in runs]),
        _table(_QUANTITY, [row[1:] for row in quantities]),
        _table(("run", "quantity", "value", "n"), numbered),
    )


def _rows(store: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return store.execute(query).fetchall()


def _table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    arrays = [pa.array(c, _KINDS.get(n, pa.string())) for n, c in zip(names, columns, strict=True)]
    return pa.table(arrays, names=list(names))


def runs_table(path: Path) -> pa.Table:
    """Every run, in order of time. Raises ScxvalError."""
    return content(path).runs


def readings_table(path: Path) -> pa.Table:
    """Every reading with its run's identity, axes, repetition and time, in order. Raises ScxvalError."""
    found = content(path)
    of_run = found.runs.select(["identity", *AXES, "rep", "started_s"])
    columns = [
        *of_run.take(found.readings["run"]).itercolumns(),
        *found.quantities.take(found.readings["quantity"]).itercolumns(),
        *found.readings.select(["value", "n"]).itercolumns(),
    ]
    return pa.table(columns, names=[*of_run.column_names, *_QUANTITY, "value", "n"])

# SPDX-License-Identifier: MIT
"""The store: added once however often, whole or not at all, readable only by who knows its schema."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.history.command import export
from scxval.history.readings import Reading, RunRecord
from scxval.history.store import Added, add, content, readings_table, runs_table

from ..conftest import ROOT
from .nights import nights, run

SOME = tuple(nights([100.0, 120.0, 90.0]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(SOME), max_size=9), max_size=5))
def test_any_order_and_any_repeats_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[RunRecord]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    new = sum(add(folder / "a", batch).new for batch in batches)
    distinct = {record.identity: record for batch in batches for record in batch}
    assert new == len(distinct)
    add(folder / "b", list(distinct.values()))
    if batches:
        assert readings_table(folder / "a").equals(readings_table(folder / "b"))
        assert runs_table(folder / "a").equals(runs_table(folder / "b"))


def test_twice_is_once(tmp_path: Path) -> None:
    store = tmp_path / "deep/history.sqlite"
    assert add(store, SOME) == Added(9, 0, made=True)
    assert add(store, [*SOME, run(5, 0, 7.0)]) == Added(1, 9)


def test_a_batch_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    store = tmp_path / "h"
    add(store, SOME[:2])

    def broken() -> Iterator[RunRecord]:
        yield SOME[5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add(store, broken())
    assert runs_table(store).num_rows == 2
    twice = replace(SOME[6], readings=SOME[6].readings * 2)
    with pytest.raises(ScxvalError, match="UNIQUE"):
        add(store, [SOME[5], twice])
    assert runs_table(store).num_rows == 2


def _add(store: Path, night: int) -> None:
    add(store, [run(night, rep, float(rep + 1)) for rep in range(5)])


def test_two_nights_that_end_together(tmp_path: Path) -> None:
    store = tmp_path / "h"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_add, args=(store, night)) for night in range(3)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert runs_table(store).num_rows == 15


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "h"
    with pytest.raises(ScxvalError, match="no history at"):
        runs_table(store)
    other = sqlite3.connect(store)
    other.execute("CREATE TABLE mine (x)")
    other.close()
    before = store.read_bytes()
    with pytest.raises(ScxvalError, match="not a history of scxval"):
        add(store, SOME)
    assert store.read_bytes() == before
    store.write_bytes(b"some text that is no database" * 40)
    with pytest.raises(ScxvalError, match="file is not a database"):
        add(store, SOME)
    assert store.read_bytes().startswith(b"some text")


def test_another_version_is_named(tmp_path: Path) -> None:
    store = tmp_path / "h"
    add(store, SOME)
    other = sqlite3.connect(store)
    other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(ScxvalError, match="schema 7, this scxval knows 1"):
        readings_table(store)


def test_a_cut_file_is_said(tmp_path: Path) -> None:
    store = tmp_path / "h"
    add(store, [run(n, r, 1.0 + n + r) for n in range(40) for r in range(5)])
    store.write_bytes(store.read_bytes()[:6000])
    with pytest.raises(ScxvalError, match="malformed"):
        readings_table(store)


def test_all_of_it_can_be_taken_out(tmp_path: Path) -> None:
    store = tmp_path / "h"
    failed = run(4, 0, None, outcome="panic")
    add(store, [*SOME, failed])
    files = export(store, tmp_path / "out")
    assert [file.name for file in files] == [
        "runs.parquet",
        "runs.csv",
        "readings.parquet",
        "readings.csv",
    ]
    runs = pq.read_table(tmp_path / "out/runs.parquet").to_pylist()
    assert {r["identity"] for r in runs} == {r.identity for r in (*SOME, failed)}
    assert runs[-1]["outcome"] == "panic"
    readings = pq.read_table(tmp_path / "out/readings.parquet").to_pylist()
    assert sorted(r["value"] for r in readings) == sorted(r.readings[0].value for r in SOME)


def test_a_known_run_gets_the_numbers_that_it_lacks(tmp_path: Path) -> None:
    store = tmp_path / "h"
    first = run(0, 0, 7.0)
    other = Reading("migrations", "value", 3.0, "1/s", 12)
    add(store, [first])
    more = replace(first, readings=(*first.readings, other))
    assert add(store, [more]) == Added(known=1, completed=1)
    assert add(store, [more]) == Added(known=1)
    assert readings_table(store).num_rows == 2


def test_other_numbers_of_a_known_run_do_not_replace_the_first(tmp_path: Path) -> None:
    store = tmp_path / "h"
    first = run(0, 0, 7.0)
    add(store, [first])
    changed = replace(first, readings=(replace(first.readings[0], value=8.0),))
    assert add(store, [changed]) == Added(known=1, differing=1)
    assert readings_table(store)["value"].to_pylist() == [7.0]


_KILLED = """
import sqlite3, sys
from pathlib import Path
from scxval.history import store
from tests.history.nights import run

def many():
    for number in range(100_000):
        yield run(number % 300, number, float(number + 1))
        if number == 3000:
            print("writing", flush=True)
            sys.stdin.read()

real = sqlite3.connect
def small(*args, **more):
    # With few pages in memory the changes are in the file while the transaction still runs.
    connection = real(*args, **more)
    connection.execute("PRAGMA cache_size = 5")
    return connection
sqlite3.connect = small
store.add(Path(sys.argv[1]), many())
"""


@pytest.mark.parametrize("there", [0, 9])
def test_killed_while_it_adds(tmp_path: Path, there: int) -> None:
    store = tmp_path / "h"
    if there:
        add(store, SOME)
    size = store.stat().st_size if there else 0
    command = [sys.executable, "-c", _KILLED, str(store)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as adding:
        assert adding.stdout is not None and adding.stdout.readline() == "writing\n"
        # It has been writing into the file, with a journal to undo that.
        assert store.stat().st_size > size and (tmp_path / "h-journal").stat().st_size
        adding.kill()
    assert add(store, SOME) == Added(9 - there, there, made=not there)
    assert runs_table(store).num_rows == 9 and readings_table(store).num_rows == 9


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_anywhere_is_never_read_as_less(
    tmp_path_factory: pytest.TempPathFactory, part: float
) -> None:
    store = tmp_path_factory.mktemp("cut") / "h"
    add(store, [run(n, r, 1.0 + n + r) for n in range(20) for r in range(5)])
    whole = store.read_bytes()
    store.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ScxvalError, match=r"/h[ :]"):
        content(store)


def test_the_same_bytes_go_out_whatever_the_order_of_adding(tmp_path: Path) -> None:
    add(tmp_path / "a", SOME)
    for record in reversed(SOME):
        add(tmp_path / "b", [record])
    for name in ("a", "b"):
        export(tmp_path / name, tmp_path / f"out-{name}")
    for file in (tmp_path / "out-a").iterdir():
        assert file.read_bytes() == (tmp_path / "out-b" / file.name).read_bytes()

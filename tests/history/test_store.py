# SPDX-License-Identifier: MIT
"""The store: added once however often, whole or not at all, readable only by who knows its schema."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.history.command import export
from scxval.history.readings import RunRecord
from scxval.history.store import Added, add, readings_table, runs_table

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
    assert add(store, SOME) == Added(9, 0)
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

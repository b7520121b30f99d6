# SPDX-License-Identifier: MIT
"""What tracers really give against what they promise: on a real run of two, and with one known fault each."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.model import Cell
from scxval.compare.verdict import Verdict
from scxval.events.table import read_events
from scxval.study.granularity import (
    COLUMNS,
    Reading,
    by_kind,
    count_columns,
    judge_column,
    judge_kind,
    others_rows,
    read_readings,
)

from .two_tracers import CELL, CELLS, TRACERS, make_run


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> list[Reading]:
    root = tmp_path_factory.mktemp("runs")
    make_run(root, CELLS[0])
    found, unread = read_readings(root, CELLS[:1])
    assert not unread
    return found


def one(readings: list[Reading], tracer: str) -> Reading:
    return next(reading for reading in readings if reading.tracer == tracer)


def changed(reading: Reading, kinds: list[str] | None = None, **fields: list[str]) -> Reading:
    """The same table with another promise."""
    record = reading.capability
    told = {**record.fields, **fields}
    return replace(reading, capability=replace(record, kinds=kinds or record.kinds, fields=told))


def test_counts_are_those_of_the_table_row_by_row(readings: list[Reading], tmp_path: Path) -> None:
    folder = make_run(tmp_path, CELLS[0]) / "parts"
    for tracer in TRACERS:
        table = read_events(folder / tracer / "events.parquet")
        found = one(readings, tracer)
        listed = table.to_pylist()
        assert found.rows == Counter(row["kind"] for row in listed)
        for column in COLUMNS:
            filled = Counter(row["kind"] for row in listed if row[column] is not None)
            assert {k: n for (k, c), n in found.filled.items() if c == column and n} == filled
        assert count_columns(table.slice(0, 0)) == ({}, {})


def test_real_tracers_give_what_they_promise(readings: list[Reading]) -> None:
    for tracer in TRACERS:
        kinds = by_kind([one(readings, tracer)])
        for name, kind in kinds.items():
            assert judge_kind(kind, 0, 100).verdict is not Verdict.DISAGREE, name
            for column, filled in kind.columns.items():
                assert judge_column(filled, 100).verdict is not Verdict.DISAGREE, (name, column)
    assert one(readings, "perf-sched").beside == ("bpftrace",)


def test_a_column_that_is_promised_and_empty_is_found(readings: list[Reading]) -> None:
    perf = one(readings, "perf-sched")
    told = [*perf.capability.fields["TaskScheduled"], "vtime"]
    kind = by_kind([changed(perf, TaskScheduled=told)])["TaskScheduled"]
    found = judge_column(kind.columns["vtime"], 100)
    assert found.verdict is Verdict.DISAGREE
    assert f"empty in all {kind.rows} rows" in found.reason
    assert judge_column(kind.columns["vtime"], kind.rows + 1).verdict is Verdict.INCONCLUSIVE


def test_a_column_that_nobody_promised_is_found(readings: list[Reading]) -> None:
    perf = one(readings, "perf-sched")
    told = [c for c in perf.capability.fields["TaskScheduled"] if c != "comm"]
    kind = by_kind([changed(perf, TaskScheduled=told)])["TaskScheduled"]
    assert judge_column(kind.columns["comm"], 100).verdict is Verdict.DISAGREE


def test_a_kind_that_nobody_promised_is_found(readings: list[Reading]) -> None:
    perf = one(readings, "perf-sched")
    left = [kind for kind in perf.capability.kinds if kind != "TaskWoke"]
    kind = by_kind([changed(perf, kinds=left)])["TaskWoke"]
    assert judge_kind(kind, 0, 100).verdict is Verdict.DISAGREE


def test_a_kind_that_only_the_other_tracer_saw_is_found(readings: list[Reading]) -> None:
    perf, bpftrace = (one(readings, tracer) for tracer in TRACERS)
    promises = changed(perf, kinds=[*perf.capability.kinds, "DsqInsert", "KickCpu"])
    elsewhere = others_rows([promises, bpftrace], "perf-sched")
    assert elsewhere["DsqInsert"] == bpftrace.rows["DsqInsert"] > 100
    kinds = by_kind([promises])
    assert judge_kind(kinds["DsqInsert"], elsewhere["DsqInsert"], 100).verdict is Verdict.DISAGREE
    assert judge_kind(kinds["DsqInsert"], 99, 100).verdict is Verdict.INCONCLUSIVE
    assert judge_kind(kinds["DsqInsert"], 0, 100).verdict is Verdict.INCONCLUSIVE
    # Another scheduler's rows say nothing of this one.
    far = replace(bpftrace, place=("fair", *bpftrace.place[1:]))
    assert not others_rows([promises, far], "perf-sched")


def test_runs_without_tables_are_named(tmp_path: Path) -> None:
    cells = [*CELLS, replace(CELL, tracer="none")]
    make_run(tmp_path, CELLS[0], outcome="panic")
    make_run(tmp_path, CELLS[1])
    shutil.rmtree(tmp_path / CELLS[1].path / "parts/bpftrace")
    (tmp_path / CELLS[1].path / "parts/perf-sched/capability.json").write_text("{")
    found, unread = read_readings(tmp_path, cells)
    assert not found
    assert list(unread) == [str(tmp_path / cell.path) for cell in cells]
    assert any(why == "outcome panic" for why in unread.values())
    assert any("not a capability record" in why for why in unread.values())
    assert any("cannot read" in why for why in unread.values())


def test_a_tracer_alone_is_read_from_the_run_itself(tmp_path: Path) -> None:
    alone = replace(CELL, tracer="bpftrace")
    folder = make_run(tmp_path, CELLS[0])
    target = tmp_path / alone.path
    target.mkdir(parents=True)
    for file in (folder / "parts/bpftrace").iterdir():
        shutil.copy(file, target)
    status(target, outcome="tracer_lost_events")
    (found,), unread = read_readings(tmp_path, [alone])
    assert (found.tracer, found.beside, found.cell) == ("bpftrace", (), alone.path)
    assert not unread and sum(found.rows.values()) > 1000


def status(folder: Path, **record: Any) -> None:
    (folder / "status.json").write_text(json.dumps({"schema": 1, **record}))


def test_parts_of_columns_are_over_runs(readings: list[Reading]) -> None:
    perf = one(readings, "perf-sched")
    half: Mapping[tuple[str, str], int] = {k: n // 2 for k, n in perf.filled.items()}
    column = by_kind([perf, replace(perf, filled=half)])["TaskScheduled"].columns["comm"]
    assert (column.promised, column.rows) == (2, 2 * perf.rows["TaskScheduled"])
    assert column.most == 1 and column.least == pytest.approx(0.5, abs=0.01)
    assert column.share == pytest.approx(0.75, abs=0.01)


def test_cells_are_places(readings: list[Reading]) -> None:
    assert {reading.place for reading in readings} == {place(CELL)}


def place(cell: Cell) -> tuple[str, str, str, str]:
    return (cell.scheduler, cell.workload, cell.isolation, cell.machine)

# SPDX-License-Identifier: MIT
"""Alignments of real tables with themselves, changed copies, and each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scxval.compare.alignment import Alignment, align
from scxval.compare.alignment.result import ROWS_SCHEMA
from scxval.errors import ScxvalError
from scxval.events.schema import EVENT_SCHEMA, TraceKind
from scxval.tracers.convert import converters
from tests.captures import Capture, captures
from tests.compare.alignment.tables import (
    SEQUENCES,
    cut,
    kinds,
    of_tasks,
    sequence,
    timed,
    with_column,
)

NAMES = sorted(path.stem for path in SEQUENCES.glob("*.parquet"))
names = st.sampled_from(NAMES)
# Kinds on which no other row's token and no activation depends.
FREE = {
    TraceKind.PICK_TASK,
    TraceKind.SET_NEXT_TASK,
    TraceKind.PUT_PREV_TASK,
    TraceKind.DSQ_INSERT,
    TraceKind.DSQ_INSERT_VTIME,
    TraceKind.TICK,
}


def both(a: pa.Table, b: pa.Table, comms: list[str] | None = None, band: int = 64) -> Alignment:
    return align(a, b, kinds(a, b), comms, band)


def numbers(found: Alignment) -> tuple[int, ...]:
    counts = found.counts
    return (counts.matched, counts.substituted, counts.inserted, counts.deleted)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_with_itself_is_all_matched(name: str) -> None:
    table = sequence(name)
    found = both(table, table)
    assert numbers(found) == (found.counts.rows_a, 0, 0, 0)
    assert found.similarity == 1
    assert found.error is not None and found.error.max_abs == 0
    assert found.drift is not None and found.drift.line.offset_ns == 0
    assert found.drift.residual.max_abs == 0
    assert found.divergence is None
    left = found.counts.rows_a + sum(found.removed_a.values())
    assert left == len(table) and found.removed_a == found.removed_b


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.name)
def test_what_a_converter_makes_of_a_capture_is_itself(capture: Capture) -> None:
    table = converters()[capture.source].convert(capture.path).table
    found = both(table, table)
    assert found.counts.matched == found.counts.rows_a == found.counts.rows_b
    assert found.counts.rows_a + sum(found.removed_a.values()) == len(table)
    json.dumps(found.summary(), allow_nan=False)


@pytest.mark.parametrize("other", [n for n in NAMES if n.endswith("periodic_mix")])
def test_every_row_of_both_is_there_once(other: str, tmp_path: Path) -> None:
    a, b = sequence("scx_simple.periodic_mix"), sequence(other)
    found = both(a, b)
    rows, counts = found.rows, found.counts
    assert rows.schema == ROWS_SCHEMA
    for side, table, total in (("a", a, counts.rows_a), ("b", b, counts.rows_b)):
        told = rows[f"seq_{side}"].drop_null()
        assert len(told) == total
        wanted = pc.is_in(of_tasks(table)["kind"].cast(pa.string()), pa.array(sorted(kinds(a, b))))
        mine = of_tasks(table).filter(wanted)
        assert sorted(told.to_pylist()) == sorted(mine["seq"].to_pylist())
    ops = rows["op"].cast(pa.string()).to_pylist()
    assert tuple(map(ops.count, ("matched", "substituted", "inserted", "deleted"))) == numbers(
        found
    )
    assert ops.count("edge") == counts.edge_a + counts.edge_b
    assert counts.cost <= counts.rows_a + counts.rows_b
    kind_a, kind_b = (rows[f"kind_{side}"].to_pylist() for side in "ab")
    same = [op for op, x, y in zip(ops, kind_a, kind_b, strict=True) if x == y]
    assert same.count("matched") == counts.matched
    assert same.count("substituted") == counts.substituted
    parts = [task.counts for task in found.tasks]
    assert len(found.tasks) == len(found.place.names)
    assert sum(part.matched for part in parts) == counts.matched
    assert sum(part.edge_a + part.edge_b for part in parts) == ops.count("edge")
    found.write(tmp_path / "alignment.parquet")
    assert pq.read_table(tmp_path / "alignment.parquet").equals(rows)


@given(names, names)
@settings(max_examples=25)
def test_sides_exchanged_exchange_insertions_and_deletions(a: str, b: str) -> None:
    there, back = both(sequence(a), sequence(b)), both(sequence(b), sequence(a))
    matched, substituted, inserted, deleted = numbers(there)
    assert numbers(back) == (matched, substituted, deleted, inserted)
    assert there.similarity == back.similarity
    assert (there.counts.edge_a, there.counts.edge_b) == (back.counts.edge_b, back.counts.edge_a)


@given(names, st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=30)
def test_rows_that_are_taken_away_are_deleted_and_no_others(
    name: str, count: int, seed: int
) -> None:
    table = sequence(name)
    kind = table["kind"].cast(pa.string())
    free = pc.and_(pc.is_in(kind, pa.array(map(str, FREE))), pc.greater(table["tid"], 0))
    # Threads of one name are told apart by which comes first.
    comm = table["comm"].cast(pa.string()).to_pylist()
    whose = list(zip(table["tid"].to_pylist(), comm, strict=True))
    first = [whose.index(task) for task in set(whose)]
    places = np.setdiff1d(np.flatnonzero(pc.fill_null(free, False).to_numpy()), first)
    gone = np.random.default_rng(seed).choice(places, min(count, len(places)), replace=False)
    left = table.take(np.setdiff1d(np.arange(len(table)), gone))
    found = align(table, left, kinds(table), None, 64, window_ns=1 << 60)
    assert numbers(found) == (found.counts.rows_b, 0, 0, len(gone))


@given(names, st.permutations(range(1, 40)))
@settings(max_examples=20)
def test_other_pids_change_nothing(name: str, order: list[int]) -> None:
    table = sequence(name)
    tid = table["tid"].to_numpy(zero_copy_only=False)
    real = np.unique(tid[tid > 0])
    new = np.resize(np.array(order) * 1000, len(real)) + np.arange(len(real))
    place = np.clip(np.searchsorted(real, tid), 0, len(real) - 1)
    moved = np.where(tid > 0, new[place], 0)
    column = pa.array(moved.astype(np.int32), mask=np.isnan(tid))
    found = both(table, with_column(table, "tid", column))
    assert numbers(found) == (found.counts.rows_a, 0, 0, 0)


@given(names, st.integers(0, 10**9), st.integers(0, 3))
@settings(max_examples=20)
def test_shift_and_stretch_change_errors_and_drift_only(name: str, by_ns: int, times: int) -> None:
    table = sequence(name)
    time_ns = table["time_ns"].to_numpy()
    found = both(table, timed(table, time_ns + time_ns // 4 * times + by_ns))
    assert numbers(found) == (found.counts.rows_a, 0, 0, 0)
    line = found.drift
    assert line is not None
    assert line.residual.max_abs <= 4
    if line.line.drift_ppm is not None:
        assert line.line.drift_ppm == pytest.approx(250_000 * times, abs=1)
    if times == 0:
        assert line.line.offset_ns == by_ns
        assert found.error is not None and found.error.max_abs == 0
    else:
        assert found.error is not None and found.error.p99 > 0


@given(names, st.floats(0.0, 0.05), st.floats(0.5, 0.95))
@example("scx_simple.periodic_mix", 0.00390625, 0.5)
@settings(max_examples=40)
def test_what_only_the_window_cuts_is_held_against_nobody(
    name: str, late: float, length: float
) -> None:
    table = sequence(name)
    end = int(table["time_ns"].to_numpy()[-1])
    first, span = int(late * end), int(length * end)
    a, b = cut(table, 0, span), cut(table, first, first + span)
    found = align(a, b, kinds(table), None, 64, window_ns=span)
    # Only tasks that are in one activation all along: with others, numbers begin elsewhere.
    for task in found.tasks:
        rows = found.rows.filter(pc.equal(found.rows["task"].cast(pa.string()), task.task))
        begins = _first_wakeup(rows, "a")
        if begins is None or begins < first or task.activations_a != task.activations_b:
            continue
        assert task.counts.inserted == task.counts.deleted == 0
        # Where a task was before the window, its first row cannot know.
        assert task.counts.substituted <= 1


def test_one_activation_more_is_the_windows_doing_and_two_are_not() -> None:
    table = sequence("scx_simple.periodic_mix")
    rows = table.filter(pc.equal(table["comm"].cast(pa.string()), "per8"))
    span = int(0.5 * int(table["time_ns"].to_numpy()[-1]))
    for periods, inserted in ((1, False), (3, True)):
        # So much is cut from A's end, though A's window says that it reaches as far as B's.
        a, b = cut(rows, 0, span - periods * 8_000_000), cut(rows, 0, span)
        found = align(a, b, kinds(table), None, 64, window_ns=span - 4_000_000)
        (task,) = found.tasks
        assert task.activations_b - task.activations_a == periods
        assert (task.counts.inserted > 0) is inserted


def _first_wakeup(rows: pa.Table, side: str) -> int | None:
    """When activation 1 begins, which both have."""
    later = rows.filter(pc.equal(rows["activation"], 1))
    times = later[f"time_{side}_ns"].drop_null()
    other = later[f"time_{'b' if side == 'a' else 'a'}_ns"].drop_null()
    return times[0].as_py() if len(times) and len(other) else None


def test_a_schedulers_other_ways_are_seen() -> None:
    a, b = sequence("scx_simple.periodic_mix"), sequence("scx_qmap.periodic_mix")
    found = both(a, b, ["per8"])
    # scx_simple inserts when a task is enqueued, by vtime; scx_qmap when a CPU asks, into a queue.
    assert found.divergence is not None
    assert found.divergence.what == "per8, activation 1: only B: DsqInsert user slice given"
    assert found.divergence.lines[found.divergence.at].startswith(">")
    assert found.similarity is not None and 0.8 < found.similarity < 0.95
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert summary["tasks"][0]["task"] == "per8"
    assert summary["divergence"]["lines"] == found.divergence.lines


def test_only_what_both_fill_is_compared() -> None:
    table = sequence("scx_simple.oversub")
    for name in ("other_cpu", "flags", "slice_ns", "dsq_id", "success", "reason"):
        nothing = pa.nulls(len(table), EVENT_SCHEMA.field(name).type)
        assert both(table, with_column(table, name, nothing)).counts.cost == 0
    # Told to compare what one side lacks, it does.
    nothing = pa.nulls(len(table), pa.uint64())
    fields = {TraceKind.ENQUEUE_TASK: ["flags"]}
    lacking = with_column(table, "flags", nothing)
    found = align(table, lacking, kinds(table), None, 64, fields=fields)
    assert found.counts.substituted > 0 and found.counts.deleted == found.counts.inserted == 0


def test_tasks_of_one_side_only_are_unmatched() -> None:
    table = sequence("scx_simple.oversub")
    renamed = pc.if_else(pc.equal(table["comm"].cast(pa.string()), "hog3"), "other", table["comm"])
    column = renamed.cast(pa.string()).combine_chunks().dictionary_encode()
    found = both(table, with_column(table, "comm", column.cast(EVENT_SCHEMA.field("comm").type)))
    rows = next(task.counts.rows_a for task in found.tasks if task.task == "hog3")
    assert numbers(found)[1:] == (0, rows, rows)


def test_a_name_that_looks_like_a_second_thread_is_a_task_of_its_own() -> None:
    table = sequence("scx_simple.oversub")
    comm = table["comm"].cast(pa.string())
    for old, new in (("hog2", "hog1"), ("hog3", "hog1#2")):
        comm = pc.if_else(pc.equal(comm, old), new, comm)
    column = comm.combine_chunks().dictionary_encode().cast(EVENT_SCHEMA.field("comm").type)
    named = with_column(table, "comm", column)
    found = both(named, named)
    assert sorted(task.task for task in found.tasks).count("hog1#2") == 2
    assert found.similarity == 1


def test_another_cpu_is_one_difference() -> None:
    table = sequence("scx_simple.periodic_mix")
    found = both(table, _elsewhere(table))
    assert found.counts.substituted == 1
    assert found.divergence is not None and "TaskWoke waking" in found.divergence.what


def _elsewhere(table: pa.Table) -> pa.Table:
    """The table with the last activation of a task on one CPU, where it was not before."""
    kind, comm = (table[name].cast(pa.string()).to_pylist() for name in ("kind", "comm"))
    reason = table["reason"].cast(pa.string()).to_pylist()
    rows = [k for k in range(len(kind)) if comm[k] == "per8"]
    begin = max(k for k in rows if kind[k] == "TaskWoke" and reason[k] == "waking")
    moved = [k for k in rows if k >= begin]
    other = table["other_cpu"].to_pylist()
    cpu = table["cpu"].to_pylist()
    for k in moved:
        other[k] = None if other[k] is None else 7
        cpu[k] = 7 if kind[k] in ("TaskScheduled", "TaskSlept", "TaskPreempted") else cpu[k]
    moved_table = with_column(table, "other_cpu", pa.array(other, pa.int16()))
    return with_column(moved_table, "cpu", pa.array(cpu, pa.int16()))


def test_empty_tables_have_no_similarity() -> None:
    table = sequence("scx_simple.oversub")
    nothing = both(table.slice(0, 0), table.slice(0, 0))
    assert nothing.similarity is None and nothing.divergence is None and nothing.drift is None
    assert nothing.summary()["tasks"] == [] and len(nothing.rows) == 0
    one = align(table, table.slice(0, 0), kinds(table), None, 64)
    assert one.similarity == 0 and one.counts.deleted == one.counts.rows_a


def test_a_band_of_nothing_is_refused() -> None:
    table = sequence("scx_simple.oversub")
    with pytest.raises(ScxvalError, match="band"):
        align(table, table, kinds(table), None, 0)

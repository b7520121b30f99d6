# SPDX-License-Identifier: MIT
"""Rows as arrays: order, completion of names, lives of tids, wide columns and evidence."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.events.columns import (
    EVIDENCE,
    KIND,
    KINDS,
    NARROW,
    NULL,
    REASONS,
    WIDE,
    Columns,
    Names,
    Side,
    Wide,
    complete_tasks,
    join,
    merge,
    off_cpu,
    rows,
    switches,
    to_table,
)
from scxval.events.gather import Gathered
from scxval.events.schema import EVENT_SCHEMA, Reason, TraceKind

K = TraceKind
KIND_CODES = [EVIDENCE, KIND[K.TASK_SCHEDULED], KIND[K.TASK_WOKE], KIND[K.TASK_FORKED]]


def made(events: list[tuple], first_seq: int = 0) -> Columns:
    """Rows from (time, cpu, kind code, tid, pid, comm code)."""
    table = np.array(events, dtype=np.int64).reshape(-1, 6)
    seq = first_seq + np.arange(len(table))
    return rows(
        table[:, 0],
        seq,
        table[:, 1],
        table[:, 2],
        0,
        tid=table[:, 3],
        pid=table[:, 4],
        comm=table[:, 5],
    )


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 3),
        st.sampled_from(KIND_CODES),
        st.integers(-1, 4),
        st.sampled_from([-1, -1, 1, 2]),
        st.sampled_from([-1, -1, 0, 1, 2]),
    ),
    max_size=40,
)


def equal(first: Columns, second: Columns) -> bool:
    return to_rows(first) == to_rows(second)


def to_rows(columns: Columns) -> list[tuple]:
    """Everything that is in the columns, by row; a wide column that is not there is all unknown."""
    narrow = [getattr(columns, f.name).tolist() for f in fields(columns) if f.name != "wide"]
    wide = []
    for name in WIDE:
        found = columns.wide.get(name)
        known = found.known.tolist() if found else [False] * len(columns)
        values = found.values.tolist() if found else [None] * len(columns)
        wide.append([v if k else None for v, k in zip(values, known, strict=True)])
    return list(zip(*narrow, *wide, strict=True))


# -- order


@settings(deadline=None)
@given(EVENTS, st.lists(st.integers(0, 40), max_size=4), st.randoms())
def test_merge_and_gather_sort_by_time_cpu_and_seq(events, cuts, rng):
    whole = made(events)
    order = sorted(range(len(events)), key=lambda n: (events[n][0], events[n][1], n))
    expected = [to_rows(whole)[n] for n in order]
    edges = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    parts = [whole.take(np.arange(a, b)) for a, b in pairwise(edges)]
    gathered = Gathered()
    for part in parts:
        gathered.add(part)
    assert to_rows(gathered.take()) == expected
    rng.shuffle(parts)
    assert to_rows(merge(parts)) == expected
    assert to_rows(merge([whole])) == expected


def test_nothing_is_a_table_without_rows():
    for columns in (merge([]), join([]), Gathered().take(), made([])):
        assert to_table(complete_tasks(columns), [], []).equals(EVENT_SCHEMA.empty_table())


def test_gathered_is_empty_once_taken():
    gathered = Gathered()
    gathered.add(made([(5, 0, 0, 1, 1, 0)]))
    assert len(gathered.take()) == 1
    assert len(gathered.take()) == 0


def test_arrays_stay_as_narrow_as_the_table():
    gathered = Gathered()
    parts = [made([(n, 0, 0, 1, 1, 0)] * 5000, 5000 * n) for n in range(3)]
    for part in parts:
        gathered.add(part)
    for columns in (parts[0], join(parts), gathered.take()):
        for name, dtype in NARROW.items():
            assert getattr(columns, name).dtype == dtype, name


# -- completion


def slowly_completed(events: list[tuple]) -> list[tuple[int, int]]:
    """pid and comm of every row: nearest before in the same life of the tid, else nearest after."""
    result = []
    for n, (_, _, _, tid, _pid, _comm) in enumerate(events):
        life = [n]
        for step in (-1, 1):
            at = n
            # Going back, a fork is the first of its life; going on, it is the first of the next.
            while tid > 0:
                if step < 0 and events[at][3] == tid and events[at][2] == KIND[K.TASK_FORKED]:
                    break
                at += step
                if not 0 <= at < len(events):
                    break
                if events[at][3] != tid:
                    continue
                if step > 0 and events[at][2] == KIND[K.TASK_FORKED]:
                    break
                life.append(at)
        before = sorted((at for at in life if at <= n), reverse=True)
        after = sorted(at for at in life if at > n)
        nearest = [*before, *after]
        found = [
            next((events[at][column] for at in nearest if events[at][column] >= 0), NULL)
            for column in (4, 5)
        ]
        result.append((0 if tid == 0 else found[0], found[1]))
    return result


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_completion_as_the_slow_one(events):
    events = sorted(events, key=lambda event: event[:2])
    done = complete_tasks(made(events))
    assert list(zip(done.pid.tolist(), done.comm.tolist(), strict=True)) == slowly_completed(events)


def test_more_tids_than_sixteen_bits():
    tids = np.arange(1, 70_001)
    twice = np.concatenate([tids, tids])
    time = np.arange(len(twice))
    comm = np.concatenate([tids % 100, np.full(len(tids), NULL)])
    done = complete_tasks(rows(time, time, time * 0, K.TASK_WOKE, 0, tid=twice, comm=comm))
    assert (done.comm[70_000:] == tids % 100).all()


def test_evidence_tells_names_and_is_dropped():
    events = [
        (1, 0, EVIDENCE, 7, 3, 0),
        (2, 0, KIND[K.TASK_WOKE], 7, NULL, NULL),
        (3, 0, EVIDENCE, 7, NULL, 1),
    ]
    table = to_table(complete_tasks(made(events)), ["first", "second"], ["probe"])
    found = table.select(["time_ns", "pid", "comm", "seq"]).to_pylist()
    assert found == [{"time_ns": 2, "pid": 3, "comm": "first", "seq": 1}]


# -- tables


@settings(deadline=None)
@given(EVENTS, st.data())
def test_tables_hold_what_rows_held(events, data):
    u64 = st.integers(0, 2**64 - 1)
    count = len(events)
    values = data.draw(st.lists(u64, min_size=count, max_size=count))
    known = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    wide = Wide(np.array(values, dtype=np.uint64), np.array(known, dtype=np.bool_))
    base = made(events)
    columns = Columns(
        **{name: getattr(base, name) for name in NARROW}, wide={"vtime": wide, "prev_state": wide}
    )
    table = to_table(columns, ["a", "b", "c"], ["probe"])
    assert table.schema.equals(EVENT_SCHEMA)
    kept = [n for n in range(count) if events[n][2] != EVIDENCE]
    for row, n in zip(table.to_pylist(), kept, strict=True):
        _, _, kind, tid, pid, comm = events[n]
        assert row["kind"] == KINDS[kind]
        assert (row["tid"], row["pid"]) == (None if tid < 0 else tid, None if pid < 0 else pid)
        assert row["comm"] == (None if comm < 0 else "abc"[comm])
        assert row["vtime"] == (values[n] if known[n] else None)
        signed = values[n] - (values[n] >> 63 << 64)
        assert row["prev_state"] == (signed if known[n] else None)
        assert (row["dsq_id"], row["reason"], row["success"]) == (None, None, None)


def test_wide_columns_of_some_parts_are_unknown_in_the_others():
    with_slice = rows(
        np.array([5]),
        np.array([0]),
        np.array([1]),
        K.DSQ_INSERT,
        0,
        wide={"slice_ns": np.array([-1], dtype=np.int64)},
    )
    plain = made([(4, 0, 0, 1, 1, 0)], first_seq=1)
    gathered = Gathered()
    gathered.add(plain)
    gathered.add(with_slice)
    for columns in (merge([with_slice, plain]), gathered.take()):
        table = to_table(columns, ["a"], ["probe"])
        assert table["slice_ns"].to_pylist() == [None, 2**64 - 1]
        assert table["slice_ns"].type == pa.uint64()


def test_a_column_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="no column slice"):
        rows(np.array([1]), np.array([1]), np.array([1]), K.TICK, 0, slice=3)


# -- switches


@pytest.mark.parametrize(
    ("state", "yielded", "sees_yields", "kind", "reason"),
    [
        (0, False, False, K.TASK_PREEMPTED, Reason.UNKNOWN),
        (0, False, True, K.TASK_PREEMPTED, Reason.PREEMPT),
        (0, True, True, K.TASK_YIELDED, Reason.YIELD),
        (0x100, True, True, K.TASK_PREEMPTED, Reason.PREEMPT),
        (0x1, True, True, K.TASK_SLEPT, Reason.SLEEP),
        (0x80, False, False, K.TASK_SLEPT, Reason.SLEEP),
        (0x10, False, False, K.TASK_COMPLETED, Reason.EXIT),
        (0x21, False, False, K.TASK_COMPLETED, Reason.EXIT),
        (0x1000, False, False, K.TASK_SLEPT, Reason.UNKNOWN),
        (-1, False, False, K.TASK_PREEMPTED, Reason.PREEMPT),
    ],
)
def test_states(state, yielded, sees_yields, kind, reason):
    kinds, reasons = off_cpu(np.array([state]), np.array([yielded]), sees_yields)
    assert (KINDS[kinds[0]], REASONS[reasons[0]]) == (kind, reason)


def test_a_switch_is_two_rows_but_for_idle_and_the_unknown():
    prev, after = np.array([5, 0, NULL]), np.array([6, 7, 0])
    state = np.array([1, 0, 0])
    kind, reason = off_cpu(state)
    made_rows = switches(
        np.array([10, 20, 30]),
        np.array([0, 1, 2]),
        np.array([0, 0, 1]),
        0,
        prev=Side(prev),
        next=Side(after),
        off_kind=kind,
        off_reason=reason,
        prev_state=state,
    )
    table = to_table(merge([made_rows]), [], ["sched_switch"]).to_pylist()
    assert [(r["kind"], r["tid"], r["other_tid"], r["prev_state"], r["seq"]) for r in table] == [
        ("TaskSlept", 5, 6, 1, 0),
        ("TaskScheduled", 6, 5, None, 1),
        ("TaskScheduled", 7, 0, None, 3),
        ("CpuIdle", 0, None, None, 5),
    ]


# -- names


@given(
    st.lists(st.binary(max_size=15).map(lambda b: b.replace(b"\0", b"x")), max_size=20), st.data()
)
def test_names_have_one_code_each(raw, data):
    names = Names()
    cut = data.draw(st.integers(0, len(raw)))
    codes: list[int] = []
    for part in (raw[:cut], raw[cut:]):
        block = np.zeros((len(part), 16), dtype=np.uint8)
        for n, name in enumerate(part):
            block[n, : len(name)] = list(name)
        codes += names.codes(block).tolist()
    expected = [name.decode("utf-8", "replace") for name in raw]
    assert [names.list[code] for code in codes] == expected
    assert len(names.list) == len(set(expected))
    assert all(names.of(name) == code for name, code in zip(expected, codes, strict=True))

# SPDX-License-Identifier: MIT
"""Event tables as tracks: real captures, tables of any kind, hostile names, and what must not be drawn."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.events.schema import EVENT_SCHEMA, SLICE_INFINITE, TraceKind
from scxval.events.table import sorted_table
from scxval.formats.perfetto.track_events import COUNTER, INSTANT
from scxval.perfetto.build import make_timeline
from scxval.perfetto.encode import write_trace
from scxval.perfetto.instants import SWITCHES
from scxval.perfetto.side import Side, find_side, harmless, read_side

from .read_back import KERNEL, SIMULATOR, Back, Span, copied, read_back, side_of

ROWS = {
    "time_ns": 0,
    "cpu": 0,
    "kind": "Tick",
    "probe": "made",
    "seq": 0,
}


def table(*rows: dict[str, object]) -> pa.Table:
    """An event table of rows, `seq` by their order."""
    full = [{**ROWS, "seq": at, **row} for at, row in enumerate(rows)]
    return sorted_table(pa.Table.from_pylist(full, schema=EVENT_SCHEMA))


def drawn(*sides: Side) -> Back:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pftrace"
        write_trace(make_timeline(sides).timeline, path)
        return read_back(path)


def on(time: int, tid: int, cpu: int = 0, **more: object) -> dict[str, object]:
    return {
        "time_ns": time, "cpu": cpu, "kind": "TaskScheduled", "tid": tid, "comm": f"t{tid}", **more
    }  # fmt: skip


def off(time: int, tid: int, kind: str = "TaskSlept", cpu: int = 0) -> dict[str, object]:
    reason = {"TaskSlept": "sleep", "TaskPreempted": "preempt"}.get(kind)
    return {
        "time_ns": time, "cpu": cpu, "kind": kind, "tid": tid, "comm": f"t{tid}", "reason": reason
    }  # fmt: skip


def woke(time: int, tid: int, to: int, reason: str = "wakeup", cpu: int = 0) -> dict[str, object]:
    return {
        "time_ns": time, "cpu": cpu, "kind": "TaskWoke", "tid": tid, "comm": f"t{tid}",
        "other_cpu": to, "reason": reason,
    }  # fmt: skip


def idle(time: int, cpu: int = 0) -> dict[str, object]:
    return {"time_ns": time, "cpu": cpu, "kind": "CpuIdle", "tid": 0}


def lengths(back: Back, track: str) -> list[tuple[int, int]]:
    return [(event.time_ns, event.value) for event in back.of(COUNTER, track)]


def spans(back: Back, track: str) -> list[tuple[str | None, int, int]]:
    return [(s.name, s.start_ns, s.end_ns) for s in back.slices() if s.track.endswith(track)]


ONE_WAKE = table(
    idle(0),
    idle(0, cpu=1),
    woke(100, 7, to=1, reason="waking"),
    woke(110, 7, to=1),
    {"time_ns": 120, "kind": "DsqInsert", "tid": 7, "dsq_id": 5, "slice_ns": SLICE_INFINITE},
    on(150, 7, cpu=1),
    off(180, 7, cpu=1),
    idle(180, cpu=1),
    woke(200, 7, to=1, reason="waking"),
    idle(230),
)


def test_one_wakeup_from_waking_to_running() -> None:
    back = drawn(side_of(ONE_WAKE))
    assert spans(back, "/CPU 1") == [("t7", 150, 180)]
    assert spans(back, "/t7 [7]") == [
        ("runnable", 100, 150), ("running on CPU 1", 150, 180), ("asleep", 180, 200),
        ("runnable", 200, 230),
    ]  # fmt: skip
    assert lengths(back, "(all CPUs)") == [(0, 0), (100, 1), (150, 0), (200, 1)]
    assert lengths(back, "/CPU 1 runqueue") == [(0, 0), (110, 1), (150, 0)]
    assert lengths(back, "/CPU 0 runqueue") == [(0, 0)]
    assert lengths(back, "/0x5") == [(0, 0), (120, 1), (150, 0)]
    ran = next(s for s in back.slices() if s.name == "t7")
    assert ran.args == {
        "tid": 7, "left": "TaskSlept", "reason": "sleep", "dsq": "0x5", "slice_ns": "infinite",
        "inserted_ns": 120,
    }  # fmt: skip
    (arrow,) = [event for event in back.events if event.flow_out]
    (head,) = [event for event in back.events if event.flow_in]
    assert (arrow.name, arrow.time_ns, arrow.track[-16:]) == ("TaskWoke", 100, "CPU 0 operations")
    assert (head.name, head.time_ns) == ("t7", 150)
    assert arrow.flow_out == head.flow_in


def test_an_arrow_without_a_slice_to_end_at_is_not_drawn() -> None:
    back = drawn(side_of(ONE_WAKE, window_ns=(0, 150), traced_ns=(0, 150)))
    assert not [event for event in back.events if event.flow_out or event.flow_in]


def test_a_move_takes_a_waiting_task_to_another_runqueue() -> None:
    moved = {"time_ns": 130, "kind": "TaskMigrated", "tid": 7, "other_cpu": 0}
    rows = [*ONE_WAKE.slice(0, 5).to_pylist(), moved, on(150, 7, cpu=0)]
    back = drawn(side_of(table(*[{**row, "seq": at} for at, row in enumerate(rows)])))
    assert lengths(back, "/CPU 1 runqueue") == [(0, 0), (110, 1), (130, 0)]
    assert lengths(back, "/CPU 0 runqueue") == [(0, 0), (130, 1), (150, 0)]


def test_a_second_insert_moves_a_task_between_queues() -> None:
    insert = {"kind": "DsqInsert", "tid": 7, "comm": "t7"}
    back = drawn(
        side_of(
            table(
                {"time_ns": 0, **insert, "dsq_id": 1},
                {"time_ns": 10, **insert, "dsq_id": 2},
                on(20, 7),
                off(30, 7),
            )
        )
    )
    assert lengths(back, "/0x1") == [(0, 1), (10, 0)]
    assert lengths(back, "/0x2") == [(0, 0), (10, 1), (20, 0)]


def test_what_cannot_be_seen_has_no_track() -> None:
    side = side_of(ONE_WAKE)
    deaf = replace(
        side.capability,
        kinds=[k for k in side.capability.kinds if not k.startswith(("TaskWoke", "DsqInsert"))],
    )
    kept = pc.invert(pc.is_in(ONE_WAKE["kind"].cast(pa.string()), pa.array(["TaskWoke"])))
    made = make_timeline([side_of(ONE_WAKE.filter(kept), capability=deaf)])
    names = [track.name for track in made.timeline.tracks]
    assert not [n for n in names if "runnable" in n or "runqueue" in n or "0x5" in n]
    assert "dispatch queues" not in names
    assert any("no wakeups seen" in note for note in made.notes)
    assert any("no inserts" in note for note in made.notes)
    states = {
        slice_.name for slice_ in drawn(side_of(ONE_WAKE.filter(kept), capability=deaf)).slices()
    }
    assert "asleep" not in states and "runnable" not in states


def test_sched_waking_does_not_tell_a_runqueue() -> None:
    kept = pc.not_equal(pc.fill_null(ONE_WAKE["reason"].cast(pa.string()), ""), "wakeup")
    made = make_timeline([side_of(ONE_WAKE.filter(kept))])
    assert not [track for track in made.timeline.tracks if "runqueue" in track.name]
    assert any("which CPU's runqueue" in note for note in made.notes)


def test_a_stretch_without_records_is_not_idle() -> None:
    back = drawn(side_of(table(on(0, 7), off(50, 8), idle(50), idle(60))))
    assert spans(back, "/CPU 0") == [("not known", 0, 50)]


@pytest.mark.parametrize("folder", [KERNEL, SIMULATOR], ids=["kernel", "simulator"])
def test_every_row_in_the_window_is_drawn_once(folder: Path) -> None:
    side = read_side(folder, "x")
    back = drawn(side)
    rows = side.events.to_pylist()
    start, end = side.traced_ns
    switches = {*map(str, SWITCHES)}
    inside = [row for row in rows if start <= row["time_ns"] <= end]
    points = [row for row in inside if row["kind"] not in switches]
    said = back.of(INSTANT)
    assert sorted((e.time_ns, e.name, e.args["seq"]) for e in said) == sorted(
        (row["time_ns"] - side.window_ns[0], row["kind"], row["seq"]) for row in points
    )
    assert all(
        e.args.get("tid") == r["tid"] and e.args.get("comm") == r["comm"]
        for e, r in zip(
            sorted(said, key=lambda e: e.args["seq"]),
            sorted(points, key=lambda r: r["seq"]),
            strict=True,
        )
    )
    began = {
        (row["time_ns"] - side.window_ns[0], row["tid"])
        for row in inside
        if row["kind"] == "TaskScheduled" and row["time_ns"] < end
    }
    on_cpus = [s for s in back.slices() if "/CPUs/" in s.track and s.name != "idle"]
    assert {(s.start_ns, s.args["tid"]) for s in on_cpus if s.start_ns} >= {
        b for b in began if b[0]
    }
    by_task = [s for s in back.slices() if (s.name or "").startswith("running on")]
    assert sorted((s.start_ns, s.end_ns, s.args["tid"]) for s in on_cpus) == sorted(
        (s.start_ns, s.end_ns, s.args["tid"]) for s in by_task
    )


def test_kernel_and_simulator_share_zero_and_nothing_else() -> None:
    kernel, simulator = read_side(KERNEL, "x"), read_side(SIMULATOR, "x")
    both, alone = drawn(kernel, simulator), [drawn(kernel), drawn(simulator)]
    roots = {track.split("/CPUs")[0] for track in both.tracks if "/CPUs" in track}
    assert roots == {
        "kernel: scx_simple/periodic_mix/bpftrace/taskset/tcg4/rep5",
        "simulator: builtin/scx_simple/periodic_mix/tcg4/seed0",
    }
    assert both.tracks == [track for one in alone for track in one.tracks]
    workloads = sorted((s for s in both.slices() if s.name == "workload"), key=lambda s: s.track)
    assert [s.start_ns for s in workloads] == [0, 0]
    assert [s.end_ns for s in workloads] == [
        side.window_ns[1] - side.window_ns[0] for side in (kernel, simulator)
    ]
    flows = [flow for event in both.events for flow in event.flow_in]
    assert len(flows) == len(set(flows)) == sum(one.counts()["flow"] for one in alone)
    for kind, count in both.counts().items():
        assert count == sum(one.counts()[kind] for one in alone)


def test_a_trace_that_ends_before_its_workload_says_so() -> None:
    made = make_timeline([read_side(KERNEL, "x")])
    assert "1724.3 of 2523.8 ms of the workload were traced" in made.notes[0]
    back = drawn(read_side(KERNEL, "x"))
    (traced,) = [s for s in back.slices() if s.name == "traced"]
    # Nothing is drawn as if it had gone on to the workload's end.
    assert max(s.end_ns for s in back.slices() if s.name != "workload") == traced.end_ns


def test_an_incomparable_clock_is_refused_beside_another(tmp_path: Path) -> None:
    outside = copied(SIMULATOR, tmp_path / "outside", clock="realtime")
    table_only = outside / "events.parquet"
    (outside / "status.json").unlink()
    alone = find_side(str(table_only), [])
    assert drawn(alone).counts()["slice"] > 0
    with pytest.raises(ScxvalError, match="clock realtime, which cannot be laid beside"):
        make_timeline([read_side(KERNEL, "x"), alone])


def test_a_workload_window_of_another_clock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScxvalError, match="clock boottime, the workload's window is not"):
        read_side(copied(KERNEL, tmp_path / "x", clock="boottime"), "x")


HOSTILE = [
    b"\0\x1b[31mred\x07",
    b"\xed\xa0\x80\xed\xbf\xbf lone surrogates",
    b"\xff\xfe not UTF-8",
    b"A" * 65536,
    "\u202egnp.exe".encode(),
    b"</script><img src=x onerror=alert(1)>",
    b'",\n"ph":"E',
    b"",
]


def hostile_table() -> pa.Table:
    """A table whose task names are bytes that no kernel and no Python string would have."""
    rows = [
        row for at in range(len(HOSTILE)) for row in (on(10 * at, at + 1), off(10 * at + 5, at + 1))
    ]
    made = table(*rows)
    lengths = [len(name) for name in HOSTILE]
    ends = [sum(lengths[:at]) for at in range(len(lengths) + 1)]
    offsets = pa.py_buffer(b"".join(end.to_bytes(4, "little") for end in ends))
    text = pa.py_buffer(b"".join(HOSTILE))
    raw = pa.Array.from_buffers(pa.string(), len(HOSTILE), [None, offsets, text])
    codes = pa.array([tid - 1 for tid in made["tid"].to_pylist()], pa.int32())
    column = pa.DictionaryArray.from_arrays(codes, raw)
    return made.set_column(5, EVENT_SCHEMA.field("comm"), column)


def test_hostile_names_are_shown_and_break_nothing() -> None:
    back = drawn(side_of(harmless(hostile_table())))
    names = [
        s.name or ""
        for s in sorted(back.slices(), key=lambda s: s.start_ns)
        if "/CPU 0" in s.track and s.name != "not known"
    ]
    assert len(names) == len(HOSTILE)
    assert names[0] == r"\x00\x1b[31mred\x07"
    assert all(name.isprintable() for name in names)
    assert len(names[3]) == 200 and names[3].endswith("A\u2026")
    assert names[4] == r"\u202egnp.exe"
    assert all(name.isprintable() for name in back.tracks)


def test_a_cpu_that_was_idle_all_the_time_is_there() -> None:
    back = drawn(side_of(table(idle(0, cpu=1), on(0, 7), off(50, 7), idle(50), idle(60))))
    assert spans(back, "/CPU 0") == [("t7", 0, 50)]
    assert spans(back, "/CPU 1") == [("idle", 0, 60)]
    assert not [track for track in back.tracks if "CPU 2" in track]


def test_unknown_kinds_and_huge_numbers_are_kept() -> None:
    top = (1 << 64) - 1
    back = drawn(
        side_of(
            table(
                {
                    "kind": "Later",
                    "tid": 1,
                    "dsq_id": top,
                    "slice_ns": top,
                    "vtime": top,
                    "flags": top,
                },
                {"time_ns": 9, "kind": "Later", "vtime": 1 << 63, "prev_state": -5},
            )
        )
    )
    first, second = back.of(INSTANT)
    assert first.name == "Later"
    assert first.args["slice_ns"] == "infinite"
    assert first.args["vtime"] == str(top) and second.args["vtime"] == str(1 << 63)
    assert second.args["prev_state"] == -5


KINDS = st.sampled_from([str(kind) for kind in TraceKind])
ANY_ROW = st.fixed_dictionaries(
    {
        "time_ns": st.integers(0, 40),
        "cpu": st.integers(-1, 3),
        "kind": KINDS,
        "tid": st.integers(0, 4),
        "comm": st.sampled_from(["a", "b", None]),
        "other_cpu": st.sampled_from([0, 1, 2, None]),
        "dsq_id": st.sampled_from([0, 1, 1 << 63, None]),
        "reason": st.sampled_from(["waking", "wakeup", "wakeup_new", "preempt", None]),
    }
)


@given(st.lists(ANY_ROW, min_size=1, max_size=60), st.integers(0, 20), st.integers(21, 60))
def test_any_table_gives_a_sound_trace(rows: list[dict[str, object]], start: int, end: int) -> None:
    events = table(*rows)
    side = side_of(events, window_ns=(start, end), traced_ns=(start, end))
    back = drawn(side)
    times = [event.time_ns for event in back.events]
    assert times == sorted(times)
    assert all(0 <= time <= end - start for time in times)
    assert all(event.value >= 0 for event in back.of(COUNTER) if "frequency" not in event.track)
    outs = {flow: e.time_ns for e in back.events for flow in e.flow_out}
    ins = {flow: e.time_ns for e in back.events for flow in e.flow_in}
    assert outs.keys() == ins.keys()
    assert all(outs[flow] <= ins[flow] for flow in outs)
    _assert_apart([s for s in back.slices() if not s.track.endswith("/window")])


def _assert_apart(slices: list[Span]) -> None:
    """No two slices of a track overlap."""
    ends: dict[str, int] = {}
    for slice_ in sorted(slices, key=lambda s: (s.track, s.start_ns, s.end_ns)):
        assert slice_.start_ns >= ends.get(slice_.track, 0)
        ends[slice_.track] = slice_.end_ns


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "a.pftrace", tmp_path / "b.pftrace"]
    for file in files:
        write_trace(make_timeline([read_side(KERNEL, file.name)]).timeline, file)
    assert files[0].read_bytes() == files[1].read_bytes()

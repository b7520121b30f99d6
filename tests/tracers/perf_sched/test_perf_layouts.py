# SPDX-License-Identifier: MIT
"""Every layout that an event may choose for its samples, from files written field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.tracers.perf_sched.convert import convert

from . import perf_file
from .perf_file import (
    CALLCHAIN,
    CPU,
    ID,
    IDENTIFIER,
    RAW,
    READ,
    TID,
    TIME,
    USUAL,
    Event,
    File,
    fork,
    record,
    switch,
)

ANY_FOLDER = [HealthCheck.function_scoped_fixture]


def rows_of(file: File, folder: Path) -> list[dict[str, Any]]:
    path = folder / "perf.data"
    path.write_bytes(file.bytes())
    return convert(path).table.to_pylist()


def brief(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@settings(max_examples=150, deadline=None, suppress_health_check=ANY_FOLDER)
@given(
    optional=st.sets(st.sampled_from([1 << n for n in range(10)])),
    identified=st.booleans(),
    read_format=st.integers(0, 31),
    chain=st.integers(0, 40),
)
def test_any_set_of_parts(
    tmp_path: Path, optional: set[int], identified: bool, read_format: int, chain: int
) -> None:
    sample_type = sum(optional | {TIME, CPU, RAW}) | (IDENTIFIER if identified else 0)
    event = Event(sample_type=sample_type, read_format=read_format)
    data = event.sample(1000, 3, switch(7, 8), chain=chain)
    data += event.sample(2000, 3, switch(8, 0, 0x100, ("b", "swapper/3")), 8, 8, chain)
    rows = rows_of(File([event], data), tmp_path)
    assert brief(rows, "time_ns", "cpu", "kind", "tid", "comm", "other_tid") == [
        (1000, 3, "TaskSlept", 7, "a", 8),
        (1000, 3, "TaskScheduled", 8, "b", 7),
        (2000, 3, "TaskPreempted", 8, "b", 0),
        (2000, 3, "CpuIdle", 0, "swapper/3", 8),
    ]
    assert rows[0]["pid"] == (7 if TID in optional else None)


def test_events_of_different_layouts_are_told_apart(tmp_path: Path) -> None:
    plain = Event(ids=(1,))
    deep = Event("sched_process_fork", USUAL | CALLCHAIN | READ, ids=(2,))
    other = Event("cycles", USUAL & ~RAW, ids=(3,))
    data = other.sample(5, 0, b"") + plain.sample(10, 1, switch(7, 8))
    data += deep.sample(20, 1, fork(8, 9), 8, 8)
    rows = rows_of(File([plain, deep, other], data), tmp_path)
    assert brief(rows, "time_ns", "kind", "tid") == [
        (10, "TaskSlept", 7),
        (10, "TaskScheduled", 8),
        (20, "TaskForked", 9),
    ]


def test_what_perf_knew_before_is_the_first_life_of_a_number(tmp_path: Path) -> None:
    """A number that is used again has another thread group; its FORK comes before its tracepoint."""
    run, new = Event(ids=(1,)), Event("sched_process_fork", ids=(2,))
    data = run.comm(0, 40, 50, "first") + run.forked(0, 40, 50)
    data += run.sample(100, 0, switch(1, 50, names=("x", "first")), 1, 1)
    data += run.sample(200, 0, switch(50, 1, names=("first", "x")), -1, -1)
    data += run.forked(210, 40, 50, kind=4)
    data += run.forked(290, 60, 50) + new.sample(300, 0, fork(60, 50), 60, 60)
    data += run.sample(400, 0, switch(1, 50, names=("x", "second")), 1, 1)
    rows = rows_of(File([run, new], data), tmp_path)
    of_50 = [row for row in rows if row["tid"] == 50]
    assert brief(of_50, "time_ns", "kind", "pid", "comm") == [
        (100, "TaskScheduled", 40, "first"),
        (200, "TaskSlept", 40, "first"),
        (300, "TaskForked", 60, "second"),
        (400, "TaskScheduled", 60, "second"),
    ]


def test_bytes_between_records_are_no_records(tmp_path: Path) -> None:
    """AUXTRACE is followed by data of its own, which looks like anything."""
    event = Event()
    aux = event.sample(1, 0, switch(3, 4))
    data = record(71, len(aux).to_bytes(8, "little") + bytes(32)) + aux
    data += event.sample(10, 1, switch(7, 8)) + record(68, b"")
    assert brief(rows_of(File([event], data), tmp_path), "tid") == [(7,), (8,)]


def test_losses_told_twice_count_once(tmp_path: Path) -> None:
    event = Event()
    numbers = (5, 9, 7)
    parts = [n.to_bytes(8, "little") for n in numbers]
    data = event.sample(10, 1, switch(7, 8))
    data += record(2, parts[0] + parts[0] + event.trailer(11, 1))
    data += record(13, parts[1] + event.trailer(0, 1))
    # What a BPF filter left out was no loss.
    data += record(13, parts[2] + event.trailer(0, 1), misc=1 << 15)
    path = tmp_path / "perf.data"
    path.write_bytes(File([event], data).bytes())
    assert convert(path).capability.lost == 9


REFUSED = [
    (Event(sample_type=USUAL & ~TIME), "samples have no time; record"),
    (Event(sample_type=USUAL & ~(CPU | RAW)), "samples have no CPU and no record"),
    (Event("cycles"), "holds none of the tracepoints sched_switch,"),
]


@pytest.mark.parametrize(("event", "why"), REFUSED)
def test_what_cannot_be_told_is_refused(tmp_path: Path, event: Event, why: str) -> None:
    with pytest.raises(ScxvalError, match=why) as told:
        rows_of(File([event], event.sample(10, 1, switch(7, 8))), tmp_path)
    assert "\n" not in str(told.value)
    assert str(tmp_path / "perf.data") in str(told.value)


def test_samples_that_do_not_name_their_event_are_refused(tmp_path: Path) -> None:
    layout = USUAL & ~IDENTIFIER
    events = [Event(sample_type=layout, ids=(1,)), Event("cycles", layout, ids=(2,))]
    with pytest.raises(ScxvalError, match="do not say which event"):
        rows_of(File(events, events[0].sample(10, 1, switch(7, 8))), tmp_path)
    named = [Event(sample_type=layout | ID, ids=(1,)), Event("cycles", layout | ID, ids=(2,))]
    data = named[0].sample(10, 1, switch(7, 8)) + named[1].sample(11, 1, b"")
    assert brief(rows_of(File(named, data), tmp_path), "tid") == [(7,), (8,)]


@pytest.mark.parametrize(
    ("event", "clock", "named"),
    [
        (Event(flags=perf_file.SAMPLE_ID_ALL), "perf", "the kernel's own clock"),
        (Event(clock=4), "mono_raw", "mono_raw"),
        (Event(clock=77), "clock 77", "clock 77"),
        (Event(clock=1), GUEST_CLOCK, ""),
    ],
)
def test_times_of_another_clock_are_told(
    tmp_path: Path, event: Event, clock: str, named: str
) -> None:
    path = tmp_path / "perf.data"
    path.write_bytes(File([event], event.sample(10, 1, switch(7, 8))).bytes())
    capability = convert(path).capability
    assert capability.clock == clock
    told = [note for note in capability.notes if "not CLOCK_MONOTONIC" in note]
    assert len(told) == bool(named)
    assert not named or (named in told[0] and "record -k CLOCK_MONOTONIC" in told[0])


def test_events_of_several_clocks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    events = [Event(), Event("sched_process_fork", clock=4, ids=(2,))]
    path.write_bytes(File(events, events[0].sample(10, 1, switch(7, 8))).bytes())
    with pytest.raises(ScxvalError, match=r"several clocks \(mono_raw, monotonic\)"):
        convert(path)

# SPDX-License-Identifier: MIT
"""systing's output: a trace in its layout, made of a real capture's events, read back as those events."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from scxval.errors import ScxvalError
from scxval.events.columns import KINDS, REASONS, off_cpu
from scxval.tracers.convert import recognise
from scxval.tracers.systing.convert import convert, recognises
from tests.fixtures.systing.make import BOOT_AHEAD_NS, made
from tests.formats.perfetto.protos import Trace

FIXTURES = Path(__file__).parents[2] / "fixtures"
MADE = FIXTURES / "systing/made.pb.gz"


@pytest.fixture(scope="module")
def source():
    return Trace.FromString(gzip.decompress((FIXTURES / "scxtop-rusty/scxtop.pb.gz").read_bytes()))


@pytest.fixture(scope="module")
def conversion():
    return convert(MADE)


@pytest.fixture
def converted(tmp_path):
    def of(trace):
        path = tmp_path / "trace.pb"
        path.write_bytes(trace if isinstance(trace, bytes) else trace.SerializeToString())
        return convert(path)

    return of


def columns(table, *names):
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_the_fixture_is_what_its_script_makes(source):
    assert gzip.decompress(MADE.read_bytes()) == made(source).SerializeToString()


def test_the_events_of_the_source_come_back(conversion, source):
    """Times to the reading delay of the snapshot's clocks; the first switch's other side is unknown."""
    expected, first = [], set()
    events = [(p.ftrace_events.cpu, e) for p in source.packet for e in p.ftrace_events.event]
    for cpu, e in events:
        time = e.timestamp - 350
        if e.HasField("sched_switch"):
            s = e.sched_switch
            known = cpu in first
            first.add(cpu)
            if known and s.prev_pid:
                expected.append((time, cpu, "off", s.prev_pid, s.next_pid, s.prev_state, None))
            kind = "TaskScheduled" if s.next_pid else "CpuIdle"
            other = s.prev_pid if known else None
            expected.append((time, cpu, kind, s.next_pid, other, None, None))
        if e.HasField("sched_waking"):
            w = e.sched_waking
            expected.append((time, w.target_cpu, "TaskWoke", w.pid, None, None, w.target_cpu))
    off = ("TaskPreempted", "TaskSlept", "TaskCompleted")
    names = ("time_ns", "cpu", "kind", "tid", "other_tid", "prev_state", "other_cpu")
    found = [
        (time, cpu, "off" if kind in off else kind, *rest)
        for time, cpu, kind, *rest in columns(conversion.table, *names)
    ]
    key = lambda row: tuple(-1 if value is None else value for value in map(str, row))  # noqa: E731
    assert sorted(found, key=key) == sorted(expected, key=key)
    assert len(expected) > 13000


def test_names_states_and_thread_groups(conversion, source):
    table, record = conversion.table, conversion.capability
    group = {
        p.track_descriptor.thread.tid: p.track_descriptor.thread.pid
        for p in source.packet
        if p.track_descriptor.HasField("thread")
    }
    for cpu, tid, pid, comm in columns(table, "cpu", "tid", "pid", "comm"):
        if tid == 0:
            assert (pid, comm) == (0, f"swapper/{cpu}")
        else:
            assert comm and len(comm) <= 15
            assert pid == group.get(tid, tid)
    for kind, reason, state in columns(table, "kind", "reason", "prev_state"):
        if state is not None:
            kinds, reasons = off_cpu(np.array([state]))
            assert (kind, reason) == (KINDS[kinds[0]], REASONS[reasons[0]])
    assert record.unparsed == 0
    assert "other_tid" not in record.fields["TaskWoke"]
    assert not {"TaskForked", "TaskMigrated", "DsqInsert"} & set(record.kinds)
    assert set(table["kind"].to_pylist()) <= set(record.kinds)
    assert any(f"less {BOOT_AHEAD_NS + 350} ns" in note for note in record.notes)


def small(*snapshots):
    trace = Trace()
    for clocks in snapshots:
        snapshot = trace.packet.add().clock_snapshot
        for number, time in clocks:
            snapshot.clocks.add(clock_id=number, timestamp=time)
    told = trace.packet.add().track_descriptor
    told.uuid, told.process.pid = 1, 7
    bundle = trace.packet.add().ftrace_events
    bundle.cpu = 3
    compact = bundle.compact_sched
    compact.intern_table.extend(["a name that is longer than a task's", "b"])
    compact.switch_timestamp.extend([10**10, 100, 100])
    compact.switch_next_pid.extend([7, 8, 7])
    compact.switch_next_prio.extend([120] * 3)
    compact.switch_prev_state.extend([0, 256, 1])
    compact.switch_next_comm_index.extend([0, 1, 9])
    event = bundle.event.add(timestamp=10**10 + 50, pid=8)
    event.sched_wakeup_new.comm = "b"
    event.sched_wakeup_new.pid = 8
    event.sched_wakeup_new.target_cpu = 1
    return trace


HOUR = 3600 * 10**9


def test_a_machine_that_never_slept_needs_no_offset(converted):
    conversion = converted(small([(6, 10**9 + 400), (3, 10**9), (1, 5)]))
    names = ("time_ns", "cpu", "kind", "tid", "comm", "other_tid", "reason", "other_cpu")
    assert columns(conversion.table, *names) == [
        (10**10, 3, "TaskScheduled", 7, "a name that is ", None, None, None),
        (10**10 + 50, 3, "TaskWoke", 8, "b", None, "wakeup_new", 1),
        (10**10 + 100, 3, "TaskPreempted", 7, "a name that is ", 8, "preempt", None),
        (10**10 + 100, 3, "TaskScheduled", 8, "b", 7, None, None),
        (10**10 + 200, 3, "TaskSlept", 8, "b", 7, "sleep", None),
        # Its index is beyond the bundle's names: taken from the task's other rows, never a wrong one.
        (10**10 + 200, 3, "TaskScheduled", 7, "a name that is ", 8, None, None),
    ]
    assert not any("BOOTTIME" in note for note in conversion.capability.notes)


def test_without_clocks_it_is_said_aloud(converted):
    conversion = converted(small())
    assert conversion.capability.window_ns == (10**10, 10**10 + 200)
    assert any("times are CLOCK_BOOTTIME and the file" in n for n in conversion.capability.notes)


def test_clocks_that_went_apart_are_refused(converted):
    trace = small([(6, 10**9), (3, 10**9)], [(6, 2 * 10**9 + HOUR), (3, 2 * 10**9)])
    with pytest.raises(
        ScxvalError, match=r"suspended during the trace .* moved by 3600000000000 ns"
    ):
        converted(trace)


def test_times_before_the_boot_are_counted(converted):
    conversion = converted(small([(6, 10**9 + HOUR), (3, 10**9), (1, 5)]))
    assert len(conversion.table) == 0
    assert conversion.capability.unparsed == 4
    assert any("cannot be" in note for note in conversion.capability.notes)


def test_tasks_and_cpus_that_cannot_be_are_counted(converted):
    trace = small([(6, 10**9), (3, 10**9), (1, 5)])
    compact = trace.packet[2].ftrace_events.compact_sched
    compact.switch_next_pid[1] = 2**22 + 1
    for pid, cpu in ((7, -1), (-7, 1), (7, 2**15), (7, 0)):
        compact.waking_timestamp.append(5)
        compact.waking_pid.append(pid)
        compact.waking_target_cpu.append(cpu)
        compact.waking_comm_index.append(0)
    conversion = converted(trace)
    assert conversion.capability.unparsed == 4
    found = columns(conversion.table, "kind", "tid", "other_tid")
    # What the unreadable switch brought on CPU is unknown: nothing goes off at the next one.
    assert found == [
        ("TaskWoke", 7, None),
        ("TaskScheduled", 7, None),
        ("TaskWoke", 8, None),
        ("TaskScheduled", 7, None),
    ]


def test_it_is_told_from_other_perfetto_traces(source):
    assert recognise(MADE) == "systing"
    assert recognise(FIXTURES / "scxtop-rusty/scxtop.pb.gz") == "scxtop"
    assert recognises(small([(6, 1), (3, 1), (1, 1)]).SerializeToString())
    assert not recognises(small([(6, 1), (1, 1)]).SerializeToString())
    assert not recognises(small().SerializeToString())
    assert not recognises(b"")


def test_a_file_that_is_none_is_refused(converted):
    with pytest.raises(ScxvalError, match="no packet of a Perfetto trace"):
        converted(b"hello")

# SPDX-License-Identifier: MIT
"""scxtop's trace against a slow reading by the protobuf library, over a real capture."""

from __future__ import annotations

import gzip
from collections import defaultdict
from pathlib import Path

import pyarrow.compute as pc
import pytest

from scxval.errors import ScxvalError
from scxval.events.schema import DSQ_LOCAL, Reason, TraceKind
from scxval.tracers.scxtop.convert import convert, recognises
from tests.formats.perfetto.protos import Trace

FIXTURE = Path(__file__).parents[2] / "fixtures/scxtop-rusty/scxtop.pb.gz"
MONOTONIC = 3


@pytest.fixture(scope="module")
def body() -> bytes:
    return gzip.decompress(FIXTURE.read_bytes())


@pytest.fixture(scope="module")
def conversion():
    return convert(FIXTURE)


@pytest.fixture
def converted(tmp_path):
    def of(trace):
        path = tmp_path / "trace"
        path.write_bytes(trace if isinstance(trace, bytes) else trace.SerializeToString())
        return convert(path)

    return of


def columns(table, *names):
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def events_of(trace):
    return [(p.ftrace_events.cpu, e) for p in trace.packet for e in p.ftrace_events.event]


def slowly(trace):
    """Rows as (time, cpu, kind, tid, comm, other_tid, prev_state, reason), by the rules alone."""
    events = events_of(trace)
    kinds = ("sched_switch", "sched_waking", "sched_wakeup")
    by_kind = [max(e.timestamp for _, e in events if e.HasField(kind)) for kind in kinds]
    by_cpu = defaultdict(int)
    for cpu, e in events:
        by_cpu[cpu] = max(by_cpu[cpu], e.timestamp)
    end = min(*by_kind, *by_cpu.values())
    rows = []
    for n, (cpu, e) in enumerate(events):
        if e.timestamp > end:
            continue
        at = (e.timestamp, cpu)
        if e.HasField("sched_switch"):
            s = e.sched_switch
            prev, on = s.prev_comm.rstrip("\0"), s.next_comm.rstrip("\0")
            if s.prev_pid:
                kind, reason = (
                    ("TaskCompleted", "exit")
                    if s.prev_state & 0x80
                    else ("TaskSlept", "sleep")
                    if s.prev_state
                    else ("TaskPreempted", "unknown")
                )
                row = (kind, s.prev_pid, prev, s.next_pid, s.prev_state, reason)
                rows.append((*at, 2 * n, *row))
            kind = "TaskScheduled" if s.next_pid else "CpuIdle"
            name = on if s.next_pid else f"swapper/{cpu}"
            rows.append((*at, 2 * n + 1, kind, s.next_pid, name, s.prev_pid, None, None))
        for field, reason in (("sched_waking", "waking"), ("sched_wakeup", "wakeup")):
            if e.HasField(field):
                w = getattr(e, field)
                row = ("TaskWoke", w.pid, w.comm.rstrip("\0"), None, None, reason)
                rows.append((*at, 2 * n, *row))
        if e.HasField("sched_process_fork"):
            f = e.sched_process_fork
            name = f.child_comm.rstrip("\0")
            rows.append((*at, 2 * n, "TaskForked", f.child_pid, name, f.parent_pid, None, None))
    return end, sorted(rows, key=lambda row: row[:3])


def test_every_row_is_what_a_slow_reading_gives(conversion, body):
    trace = Trace.FromString(body)
    end, rows = slowly(trace)
    names = ("time_ns", "cpu", "seq", "kind", "tid", "comm", "other_tid", "prev_state", "reason")
    assert columns(conversion.table, *names) == rows
    assert len(rows) > 15000
    record = conversion.capability
    assert record.window_ns == (rows[0][0], rows[-1][0])
    assert (record.lost, record.unparsed, record.examples) == (0, 0, [])
    late = sum(e.timestamp > end for _, e in events_of(trace))
    assert late > 100
    assert any(f"the last {late} records, after {end} ns, are left out" in n for n in record.notes)


def test_what_the_file_does_not_say_is_null_and_no_field(conversion):
    table, record = conversion.table, conversion.capability
    woke = table.filter(pc.equal(table["kind"], "TaskWoke"))
    assert woke["other_tid"].null_count == woke["other_cpu"].null_count == len(woke)
    assert "other_tid" not in record.fields["TaskWoke"]
    assert "other_cpu" not in record.fields["TaskWoke"]
    for kind in ("DsqInsert", "TaskMigrated", "TaskYielded"):
        assert kind not in record.kinds
    assert set(table["kind"].to_pylist()) <= set(record.kinds)


def test_thread_groups_come_from_descriptors_and_exits(conversion, body):
    trace = Trace.FromString(body)
    group = {
        p.track_descriptor.thread.tid: p.track_descriptor.thread.pid
        for p in trace.packet
        if p.track_descriptor.HasField("thread")
    }
    assert len(group) > 5
    seen = {}
    for tid, pid in columns(conversion.table, "tid", "pid"):
        seen.setdefault(tid, set()).add(pid)
    assert seen[0] == {0}
    for tid, pid in group.items():
        assert seen.get(tid, {pid}) == {pid}, tid


def test_the_queue_of_a_task_is_that_of_its_switchs_sample(conversion, body):
    trace = Trace.FromString(body)
    names = {
        p.track_descriptor.uuid: p.track_descriptor.static_name
        for p in trace.packet
        if p.track_descriptor.HasField("counter")
    }
    samples, switches = defaultdict(list), defaultdict(list)
    for p in trace.packet:
        name = names.get(p.track_event.track_uuid, "")
        if name.endswith("latency ns"):
            assert p.timestamp % 1000 == 0
            samples[p.timestamp].append((int(name.split()[1]), p.track_event.counter_value))
    for _, e in events_of(trace):
        if e.HasField("sched_switch"):
            switches[e.timestamp // 1000 * 1000].append(e)
    found = 0
    rows = columns(conversion.table, "time_ns", "kind", "tid", "dsq_id")
    for time, kind, _, dsq_id in rows:
        stamp = time // 1000 * 1000
        sure = len(samples[stamp]) == len(switches[stamp]) == 1 and samples[stamp][0][1] > 0
        expected = samples[stamp][0][0] if kind == "TaskScheduled" and sure else None
        assert dsq_id == expected, (time, kind)
        found += expected is not None
    on = sum(kind == "TaskScheduled" for _, kind, *_ in rows)
    assert found > 0.99 * on
    assert {dsq for *_, dsq in rows} == {None, 0, DSQ_LOCAL}


def test_the_same_bytes_twice_and_gzip_or_not(conversion, converted, body):
    again = converted(body)
    assert again.table.equals(conversion.table)
    assert again.capability == conversion.capability


def small(events=()):
    """A trace as scxtop begins one, with events on CPU 0: (time, field, values)."""
    trace = Trace()
    snapshot = trace.packet.add().clock_snapshot
    for number in (3, 6, 1, 2, 4, 5):
        snapshot.clocks.add(clock_id=number, timestamp=10**9)
    bundle = trace.packet.add(trusted_pid=5).ftrace_events
    bundle.cpu = 0
    for time, field, values in events:
        event = bundle.event.add(timestamp=time, pid=1)
        inner = getattr(event, field)
        inner.SetInParent()
        for name, value in values.items():
            setattr(inner, name, value)
    return trace


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        (0x0, TraceKind.TASK_PREEMPTED, Reason.UNKNOWN),
        (0x1, TraceKind.TASK_SLEPT, Reason.SLEEP),
        (0x102, TraceKind.TASK_SLEPT, Reason.SLEEP),  # TASK_KILLABLE, not "preempted"
        (0x402, TraceKind.TASK_SLEPT, Reason.SLEEP),  # TASK_IDLE
        (0x2001, TraceKind.TASK_SLEPT, Reason.SLEEP),  # freezable
        (0x80, TraceKind.TASK_COMPLETED, Reason.EXIT),  # TASK_DEAD, not TASK_IDLE
        (0x20, TraceKind.TASK_COMPLETED, Reason.EXIT),
    ],
)
def test_a_state_is_the_tasks_own_word(converted, state, kind, reason):
    switch = {"prev_pid": 5, "prev_state": state, "prev_comm": "a" * 16, "next_pid": 6}
    table = converted(small([(1000, "sched_switch", switch)])).table
    off, on = table.to_pylist()
    assert (off["kind"], off["reason"], off["prev_state"]) == (kind, reason, state)
    assert off["comm"] == "a" * 15
    assert (on["tid"], on["comm"]) == (6, None)


def test_events_that_cannot_be_are_counted(converted):
    huge = {"prev_pid": 5, "next_pid": 2**22 + 1}
    trace = small(
        [
            (1000, "sched_switch", {"next_pid": 7, "next_comm": "x"}),
            (1001, "sched_switch", huge),
            (1002, "sched_waking", {"pid": -1}),
            (1003, "sched_waking", {"pid": 2**22, "comm": "y"}),
        ]
    )
    conversion = converted(trace)
    assert columns(conversion.table, "kind", "tid") == [("TaskScheduled", 7)]
    assert conversion.capability.unparsed == 2
    assert "event whose fields cannot be so at byte" in conversion.capability.examples[0]


def test_samples_of_one_microsecond_are_nobodys(converted):
    trace = small(
        [(at, "sched_switch", {"prev_pid": 1, "next_pid": 2}) for at in (5001, 7001, 9000, 9999)]
    )
    track = trace.packet.add().track_descriptor
    track.uuid, track.static_name = 2**63 + 5, "DSQ 77 latency ns"
    track.counter.unit_name = "DSQ 77 latency ns"
    other = trace.packet.add().track_descriptor
    other.uuid, other.static_name = 2**63 + 6, "DSQ 77 nr_queued"
    for time, uuid, value in (
        (5000, track.uuid, 3),
        (7000, track.uuid, 0),
        (9000, track.uuid, 4),
        (7000, other.uuid, 9),
        (5000, other.uuid, 2**32 - 2),
    ):
        packet = trace.packet.add(timestamp=time, trusted_packet_sequence_id=1)
        packet.track_event.type = 4
        packet.track_event.track_uuid = uuid
        packet.track_event.counter_value = value
    on = [r for r in converted(trace).table.to_pylist() if r["kind"] == "TaskScheduled"]
    assert [row["dsq_id"] for row in on] == [77, None, None, None]


def test_a_tid_that_two_tasks_had_takes_no_thread_group(converted):
    def described(trace):
        for tid in (50, 60, 70):
            thread = trace.packet.add().track_descriptor.thread
            thread.tid, thread.pid = tid, 5
        return trace

    fork = {"parent_pid": 1}
    events = [
        (1000, "sched_switch", {"prev_pid": 50, "next_pid": 60}),
        (1001, "sched_process_fork", {**fork, "child_pid": 60}),
        (1002, "sched_process_fork", {**fork, "child_pid": 70}),
        (1003, "sched_process_fork", {**fork, "child_pid": 70}),
        (1004, "sched_switch", {"prev_pid": 60, "next_pid": 70}),
    ]
    rows = columns(converted(described(small(events))).table, "time_ns", "tid", "pid")
    assert rows == [
        (1000, 50, 5),
        (1000, 60, None),
        (1001, 60, 5),
        (1002, 70, None),
        (1003, 70, None),
        (1004, 60, 5),
        (1004, 70, None),
    ]


def test_a_cut_keeps_rows_and_says_so(converted, conversion, body):
    whole = columns(conversion.table, "time_ns", "cpu", "seq", "kind", "tid")
    for share in (0.35, 0.6, 0.9, 0.999):
        cut = converted(body[: int(len(body) * share)])
        rows = columns(cut.table, "time_ns", "cpu", "seq", "kind", "tid")
        assert set(rows) <= set(whole)
        assert cut.capability.unparsed > 0
        assert any("the rest of the file, cut off" in note for note in cut.capability.notes)


def test_a_cpu_that_falls_silent_ends_the_table(converted):
    trace = small([(at, "sched_waking", {"pid": 3, "comm": "x"}) for at in range(1000, 2000, 100)])
    bundle = trace.packet.add().ftrace_events
    bundle.cpu = 1
    bundle.event.add(timestamp=1450).softirq_entry.vec = 1
    conversion = converted(trace)
    assert [t for (t,) in columns(conversion.table, "time_ns")] == [1000, 1100, 1200, 1300, 1400]
    assert any("and CPU 1 has nothing later" in note for note in conversion.capability.notes)


def test_a_trace_without_events_is_an_empty_table(converted):
    conversion = converted(small())
    assert len(conversion.table) == 0
    assert conversion.capability.window_ns is None
    assert "TaskScheduled" in conversion.capability.kinds


@pytest.mark.parametrize("text", [b"", b"hello", b"\x0a\xff\xff\xff\xff\x0f", b"\x00" * 100])
def test_another_file_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "trace"
    path.write_bytes(text)
    with pytest.raises(ScxvalError) as caught:
        convert(path)
    assert str(caught.value).count("\n") == 0
    assert not recognises(text)


def test_it_is_told_from_other_perfetto_traces(body):
    assert recognises(body[:4096])
    assert recognises(small().SerializeToString())
    other = Trace.FromString(small().SerializeToString())
    del other.packet[0].clock_snapshot.clocks[2:]
    assert not recognises(other.SerializeToString())
    other.packet.add().track_descriptor.name = 'scxtop_topo:{"nr_cpus":4}'
    assert recognises(other.SerializeToString())

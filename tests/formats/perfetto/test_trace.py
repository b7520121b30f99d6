# SPDX-License-Identifier: MIT
"""Packets, sequences, interned strings, tracks and ftrace bundles against the protobuf library."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.formats.perfetto.clocks import read_clocks
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.ftrace import read_bundles, read_compact, read_events
from scxval.formats.perfetto.head import first_packets
from scxval.formats.perfetto.interned import read_interned
from scxval.formats.perfetto.packets import read_packets
from scxval.formats.perfetto.track_events import (
    DOUBLE,
    INT,
    STRING,
    read_annotations,
    read_flows,
    read_track_events,
)
from scxval.formats.perfetto.tracks import read_threads, read_tracks

from .protos import Trace, number_of

FIXTURE = Path(__file__).parents[2] / "fixtures/scxtop-rusty/scxtop.pb.gz"
relaxed = settings(deadline=None)


def read(trace, cut: int | None = None):
    body = trace if isinstance(trace, bytes) else trace.SerializeToString()
    data = np.frombuffer(body[:cut], dtype=np.uint8)
    faults = Faults()
    return data, read_packets(data, faults), faults


def names_of(trace):
    """The names of track events as the reader resolves them, and its faults."""
    data, packets, faults = read(trace)
    events = read_track_events(data, packets, read_interned(data, packets), faults)
    return [events.names[c] if c >= 0 else None for c in events.name], faults


def test_a_real_capture_packet_by_packet():
    trace = Trace.FromString(gzip.decompress(FIXTURE.read_bytes()))
    data, packets, faults = read(trace.SerializeToString())
    assert faults.unparsed == 0
    assert packets.timestamp.tolist() == [p.timestamp for p in trace.packet]
    assert packets.sequence.tolist() == [p.trusted_packet_sequence_id for p in trace.packet]
    events = read_track_events(data, packets, read_interned(data, packets), faults)
    expected = [p.track_event for p in trace.packet if p.HasField("track_event")]
    assert len(expected) > 5000
    assert events.counter.tolist() == [e.counter_value for e in expected]
    assert events.track.view(np.uint64).tolist() == [e.track_uuid for e in expected]
    bundles = read_bundles(data, packets, faults)
    found = read_events(data, bundles, faults)
    slow = [(p.ftrace_events.cpu, e) for p in trace.packet for e in p.ftrace_events.event]
    assert len(slow) > 15000
    assert found.time.tolist() == [e.timestamp for _, e in slow]
    assert found.cpu.tolist() == [cpu for cpu, _ in slow]
    assert found.pid.tolist() == [e.pid for _, e in slow]
    for kind in ("sched_switch", "sched_waking", "sched_process_fork", "softirq_entry"):
        where = [i for i, (_, e) in enumerate(slow) if e.HasField(kind)]
        assert np.flatnonzero(found.number == number_of(slow[0][1], kind)).tolist() == where
    clocks = read_clocks(data, packets).of_snapshots()
    snapshot = next(p.clock_snapshot for p in trace.packet if p.HasField("clock_snapshot"))
    assert clocks == [{c.clock_id: c.timestamp for c in snapshot.clocks}]
    tracks = read_tracks(data, packets, faults)
    described = [p.track_descriptor for p in trace.packet if p.HasField("track_descriptor")]
    assert tracks.uuid.view(np.uint64).tolist() == [d.uuid for d in described]
    for i, d in enumerate(described):
        thread, process = d.HasField("thread"), d.HasField("process")
        pid = d.thread.pid if thread else d.process.pid if process else -1
        assert (tracks.tid[i], tracks.pid[i]) == (d.thread.tid if thread else -1, pid)
        name = d.name or d.static_name
        assert (tracks.names[tracks.name[i]] if name else "") == name
    threads = read_threads(data, packets)
    trees = [t for p in trace.packet for t in p.process_tree.processes]
    assert threads.pid.tolist() == [t.pid for t in trees]


ACTION = st.tuples(
    st.sampled_from(["define", "event", "inline", "clear", "drop"]),
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from(["a", "b", "c"]),
)


@relaxed
@given(st.lists(ACTION, max_size=60))
def test_an_id_is_what_its_sequence_said_last_and_nothing_else(actions):
    """Against dictionaries: one a sequence, emptied when its state is cleared or a packet is gone."""
    trace, known, expected, missing, gaps = Trace(), {}, [], 0, 0
    for what, sequence, iid, name in actions:
        packet = trace.packet.add()
        if sequence:
            packet.trusted_packet_sequence_id = sequence
        first = sequence not in known
        state = known.setdefault(sequence, {})
        if what == "clear":
            packet.sequence_flags = 1
            state.clear()
        if what == "drop":
            packet.previous_packet_dropped = True
            state.clear()
            gaps += bool(sequence) and not first
        if what == "define" and sequence:
            packet.interned_data.event_names.add(iid=iid, name=name)
            state[iid] = name
        if what == "inline":
            packet.track_event.name = name
            packet.track_event.type = 3
            expected.append(name)
        elif what != "clear":
            packet.track_event.name_iid = iid
            packet.track_event.type = 3
            expected.append(state.get(iid) if sequence else None)
            missing += expected[-1] is None
    names, faults = names_of(trace)
    assert names == expected
    assert faults.unparsed == missing
    assert read(trace)[1].gaps == gaps
    if missing:
        assert "event name id that its sequence does not explain" in faults.examples[0]


def test_ids_are_of_their_own_table_and_may_be_huge():
    trace = Trace()
    packet = trace.packet.add(trusted_packet_sequence_id=9)
    packet.interned_data.event_categories.add(iid=2**64 - 1, name="category")
    packet.interned_data.debug_annotation_names.add(iid=2**64 - 1, name="annotation")
    packet.interned_data.debug_annotation_string_values.add(iid=2**64 - 1, name="value")
    event = trace.packet.add(trusted_packet_sequence_id=9).track_event
    event.type, event.name_iid = 1, 2**64 - 1
    event.category_iids.append(2**64 - 1)
    event.debug_annotations.add(name_iid=2**64 - 1, string_value_iid=2**64 - 1)
    event.debug_annotations.add(name="inline", double_value=1.5)
    event.debug_annotations.add(name="annotation", int_value=-3)
    event.debug_annotations.add(name_iid=4, int_value=-3)
    event.debug_annotations.add(name="annotation", string_value_iid=5)
    event.flow_ids.extend([7, 2**64 - 1])
    data, packets, faults = read(trace)
    interned = read_interned(data, packets)
    events = read_track_events(data, packets, interned, faults)
    assert events.name.tolist() == [-1]
    assert events.categories[events.category[0]] == "category"
    annotations = read_annotations(data, packets, events, interned, faults)
    names = [annotations.names[code] for code in annotations.name]
    assert names == ["annotation", "inline", "annotation", "annotation"]
    assert annotations.sort.tolist() == [STRING, DOUBLE, INT, STRING]
    assert annotations.strings[annotations.value[0]] == "value"
    assert annotations.doubles(np.arange(4)).tolist()[1:3] == [1.5, -3.0]
    assert annotations.value[3] == -1
    assert sorted(faults.counts.values()) == [1, 1, 1]
    assert read_flows(data, events)[1].view(np.uint64).tolist() == [7, 2**64 - 1]


def test_default_clocks_of_a_sequence():
    trace = Trace()
    trace.packet.add(trusted_packet_sequence_id=1, timestamp=1)
    trace.packet.add(trusted_packet_sequence_id=1).trace_packet_defaults.timestamp_clock_id = 3
    trace.packet.add(trusted_packet_sequence_id=1, timestamp=2)
    trace.packet.add(trusted_packet_sequence_id=2, timestamp=2)
    trace.packet.add(trusted_packet_sequence_id=1, timestamp=2, timestamp_clock_id=6)
    trace.packet.add(trusted_packet_sequence_id=1, sequence_flags=1, timestamp=3)
    assert read(trace)[1].clock_id.tolist() == [-1, 3, 3, -1, 6, -1]


def bundle_trace(events: int = 20):
    trace = Trace()
    for cpu in range(3):
        bundle = trace.packet.add(trusted_packet_sequence_id=1).ftrace_events
        bundle.cpu = cpu
        for n in range(events):
            event = bundle.event.add(timestamp=1000 * n + cpu, pid=7)
            event.sched_waking.comm = f"task{n}"
            event.sched_waking.pid = n
    return trace


def test_a_cut_at_any_byte_keeps_what_came_before_it():
    body = bundle_trace().SerializeToString()
    data, packets, faults = read(body)
    whole = read_events(data, read_bundles(data, packets, faults), faults)
    assert len(whole) == 60 and not faults.unparsed
    ends = (whole.start + whole.length).tolist()
    seen = set()
    for size in range(1, len(body)):
        data, packets, faults = read(body, size)
        events = read_events(data, read_bundles(data, packets, faults), faults)
        assert events.time.tolist() == whole.time[: len(events)].tolist()
        assert len(events) == sum(end <= size for end in ends)
        if faults.unparsed == 0:
            seen.add(size)
    # Only a cut between packets goes unseen: the format has no end.
    assert len(seen) == 2


def test_events_that_cannot_be():
    trace = bundle_trace(2)
    del trace.packet[1:]
    bundle = trace.packet[0].ftrace_events
    bundle.event.add(pid=3).softirq_entry.vec = 1
    bundle.event.add(timestamp=2**64 - 1).softirq_entry.vec = 1
    bundle.event.add(timestamp=9)
    trace.packet.add().ftrace_events.event.add(timestamp=1).softirq_entry.vec = 1
    trace.packet.add().ftrace_events.cpu = 2**32 - 1
    trace.packet.add(compressed_packets=b"x")
    data, packets, faults = read(trace)
    events = read_events(data, read_bundles(data, packets, faults), faults)
    assert events.time.tolist() == [0, 1000, 9]
    assert events.number.tolist() == [20, 20, 0]
    assert faults.counts == {
        "compressed packets (expand them with traceconv)": 1,
        "ftrace bundle without a CPU": 2,
        "ftrace event that cannot be read": 2,
    }
    assert all(" at byte " in example for example in faults.examples)


def test_what_follows_a_broken_packet_is_not_read():
    body = bundle_trace().SerializeToString()
    _, packets, faults = read(body + b"\x0b" + body)
    assert len(packets) == 3
    assert faults.examples == [
        f"the rest of the file, cut off or not a packet, at byte {len(body)}"
    ]


COMPACT = st.lists(
    st.tuples(
        st.integers(0, 2**40), st.integers(0, 2**20), st.integers(0, 2**22), st.integers(0, 5)
    ),
    max_size=30,
)


@relaxed
@given(st.lists(COMPACT, max_size=4), st.booleans())
def test_compact_switches_and_wakings(bundles, waking):
    trace, expected, unknown = Trace(), [], 0
    for cpu, rows in enumerate(bundles):
        bundle = trace.packet.add().ftrace_events
        bundle.cpu = cpu
        compact = bundle.compact_sched
        compact.intern_table.extend([f"{cpu}:{n}" for n in range(4)])
        time = 0
        for delta, state, pid, name in rows:
            time += delta
            if waking:
                compact.waking_timestamp.append(delta)
                compact.waking_target_cpu.append(state)
                compact.waking_pid.append(pid)
                compact.waking_comm_index.append(name)
            else:
                compact.switch_timestamp.append(delta)
                compact.switch_prev_state.append(state)
                compact.switch_next_pid.append(pid)
                compact.switch_next_comm_index.append(name)
            expected.append((cpu, time, state, pid, f"{cpu}:{name}" if name < 4 else None))
            unknown += name >= 4
    data, packets, faults = read(trace)
    switches, wakings = read_compact(data, read_bundles(data, packets, faults), faults)
    found, none = (wakings, switches) if waking else (switches, wakings)
    columns = (
        found.cpu,
        found.time,
        found.target_cpu if waking else found.prev_state,
        found.pid if waking else found.next_pid,
    )
    names = [found.names[code] if code >= 0 else None for code in found.comm]
    assert list(zip(*(c.tolist() for c in columns), names, strict=True)) == expected
    assert not len(none.time)
    assert faults.unparsed == 0


def test_compact_columns_of_different_lengths_are_left_out():
    trace = Trace()
    for extra in (0, 1):
        bundle = trace.packet.add().ftrace_events
        bundle.cpu = extra
        compact = bundle.compact_sched
        compact.intern_table.append("x")
        compact.switch_timestamp.extend([5, 5])
        compact.switch_prev_state.extend([0, 1])
        compact.switch_next_pid.extend([1] * (2 + extra))
        compact.switch_next_comm_index.extend([0, 0])
    data, packets, faults = read(trace)
    switches, _ = read_compact(data, read_bundles(data, packets, faults), faults)
    assert switches.cpu.tolist() == [0, 0]
    assert faults.counts == {"compact sched events whose columns do not agree": 1}


@relaxed
@given(st.data())
def test_a_mutated_trace_never_stops_the_reader(choose):
    body = bytearray(mutable().SerializeToString())
    for _ in range(choose.draw(st.integers(1, 6))):
        body[choose.draw(st.integers(0, len(body) - 1))] = choose.draw(st.integers(0, 255))
    data, packets, faults = read(bytes(body[: choose.draw(st.integers(1, len(body)))]))
    interned = read_interned(data, packets)
    events = read_track_events(data, packets, interned, faults)
    read_annotations(data, packets, events, interned, faults)
    bundles = read_bundles(data, packets, faults)
    read_events(data, bundles, faults)
    read_compact(data, bundles, faults)
    read_tracks(data, packets, faults)
    read_threads(data, packets)
    read_clocks(data, packets).of_snapshots()
    first_packets(bytes(body))


def mutable():
    trace = bundle_trace(3)
    compact = trace.packet[0].ftrace_events.compact_sched
    compact.intern_table.extend(["a", "b"])
    compact.switch_timestamp.extend([1, 2])
    compact.switch_prev_state.extend([1, 2])
    compact.switch_next_pid.extend([1, 2])
    compact.switch_next_comm_index.extend([0, 1])
    packet = trace.packet.add(trusted_packet_sequence_id=1, sequence_flags=1)
    packet.interned_data.event_names.add(iid=1, name="n")
    packet.interned_data.debug_annotation_names.add(iid=1, name="d")
    event = trace.packet.add(trusted_packet_sequence_id=1, timestamp=4).track_event
    event.type, event.name_iid, event.track_uuid = 1, 1, 5
    event.debug_annotations.add(name_iid=1, int_value=5)
    event.debug_annotations.add(name="s", string_value="v")
    track = trace.packet.add().track_descriptor
    track.uuid, track.name, track.thread.tid, track.thread.pid = 5, "t", 6, 5
    trace.packet.add().process_tree.threads.add(tid=6, tgid=5, name="t")
    clock = trace.packet.add().clock_snapshot.clocks.add()
    clock.clock_id, clock.timestamp = 3, 1000
    return trace


@pytest.mark.parametrize("head", [b"", b"\x0a", b"hello world " * 40, b"\x0a\xff\xff\xff\xff\x0f"])
def test_heads_of_other_files(head):
    assert not any(first_packets(head))


def test_the_head_of_a_real_capture():
    packets = first_packets(gzip.decompress(FIXTURE.read_bytes())[:4096])
    assert set(packets[0]) == {6}
    assert len(packets) > 20

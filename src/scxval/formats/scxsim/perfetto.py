# SPDX-License-Identifier: MIT
"""The simulator's Perfetto protobuf: ONCPU slices on a track for each task, instants for the rest.

A CPU has the track `swapper/<n>` with the thread id -(n+1), as wprof's idle threads have; what is on
it happened on that CPU, anything else says its CPU in an annotation. Times are nanoseconds from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scxval.errors import ScxvalError
from scxval.events.columns import KIND, NULL, REASON, Bools, Columns, Ints, Names, Wide, rows
from scxval.events.schema import MAX_CPU, TraceKind
from scxval.formats.conversion import Conversion, Losses
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.head import first_packets, message_fields
from scxval.formats.perfetto.interned import read_interned
from scxval.formats.perfetto.packets import TRACK_DESCRIPTOR, Packets, read_packets
from scxval.formats.perfetto.track_events import (
    BOOL,
    INSTANT,
    INT,
    SLICE_BEGIN,
    SLICE_END,
    STRING,
    UINT,
    Annotations,
    TrackEvents,
    read_annotations,
    read_track_events,
)
from scxval.formats.perfetto.tracks import Tracks, read_tracks
from scxval.formats.perfetto.wire import Data, Int64s
from scxval.formats.scxsim.kinds import (
    ABOUT_A_CPU,
    CALL_REACH,
    OFF,
    TRACK_REACH,
    Kinds,
    instant_kind,
)
from scxval.formats.scxsim.rows import MAX_TID, finish
from scxval.formats.source import read_source

SOURCE = "scxsim-perfetto"
_PROCESS = b"scxsim"
# Fields of TrackDescriptor and ProcessDescriptor.
_OF_PROCESS, _PROCESS_NAME = 3, 6
_INTERRUPTS = ("HARDIRQ", "SOFTIRQ")
_NO_KIND = -2


def recognises(head: bytes) -> bool:
    """Whether a file begins with the track of a process that is named scxsim."""
    packets = first_packets(head)
    track = packets[0].get(TRACK_DESCRIPTOR) if packets else None
    if not isinstance(track, bytes):
        return False
    process = dict(message_fields(track)).get(_OF_PROCESS)
    return isinstance(process, bytes) and (_PROCESS_NAME, _PROCESS) in message_fields(process)


def convert(path: Path) -> Conversion:
    """Read a file, plain or gzip; what cannot be read is counted. Raises ScxvalError for no trace."""
    source = read_source(path)
    data = np.frombuffer(source.data, dtype=np.uint8)
    faults = Faults()
    packets = read_packets(data, faults)
    if not len(packets):
        raise ScxvalError(f"{path}: no packet of a Perfetto trace can be read; simulate again")
    kinds, names = Kinds(), Names()
    columns, probes = _rows(data, packets, kinds, names, faults)
    gaps = f"{packets.gaps} places where the file says that packets were dropped"
    return finish(
        SOURCE,
        columns,
        (kinds, names, probes),
        {**TRACK_REACH, **CALL_REACH},
        Losses(0, faults.unparsed, faults.examples),
        [source.note, gaps if packets.gaps else "", *faults.notes()],
    )


@dataclass(frozen=True)
class _Lanes:
    """Of each event: the CPU or the task whose track it is on, NULL where it is none's."""

    cpu: Int64s
    tid: Int64s


@dataclass(frozen=True)
class _Numbers:
    """An annotation's value for each event, and where there is one."""

    value: Int64s
    known: Bools

    def within(self, low: int, high: int) -> Int64s:
        """The values in a range, NULL elsewhere."""
        good = self.known & (self.value >= low) & (self.value <= high)
        return np.where(good, self.value, NULL)


@dataclass(frozen=True)
class _Read:
    """Events with a time, their annotations, tracks, and kinds (codes; _NO_KIND: none)."""

    events: TrackEvents
    time_ns: Int64s
    notes: Annotations
    lanes: _Lanes
    kind: Ints

    def number(self, name: str) -> _Numbers:
        """An annotation that is a number."""
        return _numbers(self.notes, name, len(self.events))

    def of(self, *kinds: TraceKind) -> Bools:
        """Which events are of these kinds."""
        return np.isin(self.kind, [KIND[kind] for kind in kinds])

    @property
    def own(self) -> Bools:
        """Which are of the simulator's own kinds."""
        return self.kind >= len(KIND)


def _rows(
    data: Data, packets: Packets, kinds: Kinds, names: Names, faults: Faults
) -> tuple[Columns, list[str]]:
    """The rows, and their probes by code; what is no row is counted."""
    interned = read_interned(data, packets)
    events = read_track_events(data, packets, interned, faults)
    time_ns = packets.timestamp[events.packet]
    timed = packets.timed[events.packet] & (time_ns >= 0)
    faults.at("track event without a time", packets.spans.start[events.packet[~timed]])
    events, time_ns = events.take(np.flatnonzero(timed)), time_ns[timed]
    notes = read_annotations(data, packets, events, interned, faults)
    tracks = read_tracks(data, packets, faults)
    lanes = _lanes(events, tracks)
    kind, probe, probes = _kinds(events, notes, lanes, kinds)
    read = _Read(events, time_ns, notes, lanes, kind)
    cpu, tid, wide = _cpu(read), _tid(read), _wide(read)
    other_cpu = _other_cpu(read, kinds)
    moved = read.of(TraceKind.DSQ_MOVE_TO_LOCAL)
    success = np.where(moved, read.number("success").within(0, 1), NULL)
    prev = read.number("prev_pid").within(1, MAX_TID)
    good = (kind != _NO_KIND) & (cpu != NULL) & ~_lacking(kind, tid, other_cpu, wide)
    good &= ~(moved & (success == NULL))
    faults.at("event that lacks what its kind has", packets.spans.start[events.packet[~good]])
    made = rows(
        time_ns[good],
        events.packet[good],
        cpu[good],
        kind[good],
        0,
        tid=tid[good],
        comm=_comms(tid, cpu, read.of(TraceKind.CPU_IDLE), tracks, names)[good],
        other_tid=np.where(read.of(TraceKind.BALANCE), prev, NULL)[good],
        other_cpu=other_cpu[good],
        reason=_reasons()[kind[good]],
        success=success[good],
        wide={name: column.take(good) for name, column in wide.items()},
    )
    made.probe[:] = probe[good]
    return made, probes


def _cpu(read: _Read) -> Int64s:
    """The CPU of each event: its lane's, else as it says; a wakeup says it as the target only."""
    said = read.number("cpu").within(0, MAX_CPU)
    target = read.number("target_cpu").within(0, MAX_CPU)
    cpu = np.where(read.lanes.cpu != NULL, read.lanes.cpu, said)
    return np.where((cpu == NULL) & read.of(TraceKind.TASK_WOKE), target, cpu)


def _tid(read: _Read) -> Int64s:
    """The task of each event: its track's, else as it says."""
    said = read.number("pid").within(1, MAX_TID)
    tid = np.where(read.lanes.tid != NULL, read.lanes.tid, said)
    return np.where(read.of(TraceKind.CPU_IDLE), 0, tid)


def _other_cpu(read: _Read, kinds: Kinds) -> Int64s:
    """The CPU that each event is about, where that is another one than its own."""
    about = np.isin(read.kind, [kinds.code[name] for name in ABOUT_A_CPU if name in kinds.code])
    other = np.full(len(read.events), NULL, dtype=np.int64)
    for name, which in (
        ("selected_cpu", read.of(TraceKind.SELECT_TASK_RQ)),
        ("target_cpu", read.of(TraceKind.KICK_CPU) | read.own),
        ("cpu", about),
    ):
        given = read.number(name).within(0, MAX_CPU)
        other = np.where(which & (other == NULL), given, other)
    return other


def _reasons() -> Int64s:
    """The reason of each kind, codes."""
    reasons = np.full(Kinds.LIMIT + 1, NULL)
    for kind, why in OFF.values():
        reasons[KIND[kind]] = NULL if why is None else REASON[why]
    return reasons


def _lacking(kind: Ints, tid: Int64s, other_cpu: Int64s, wide: dict[str, Wide]) -> Bools:
    """Events without something that every one of their kind has: they are damaged."""
    lacking = np.zeros(len(kind), dtype=np.bool_)
    for name, columns in {**TRACK_REACH, **CALL_REACH}.items():
        which = kind == KIND[TraceKind(name)]
        if "tid" in columns:
            lacking |= which & (tid == NULL)
        if "other_cpu" in columns:
            lacking |= which & (other_cpu == NULL)
        for column in columns & set(wide):
            lacking |= which & ~wide[column].known
    return lacking


def _wide(read: _Read) -> dict[str, Wide]:
    inserts = read.of(TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME)
    queued = inserts | read.own | read.of(TraceKind.DSQ_MOVE_TO_LOCAL)
    flagged = read.own | read.of(TraceKind.ENQUEUE_TASK)
    slice_ns, vtime = read.number("slice_ns"), read.number("vtime")
    return {
        "dsq_id": _either(read.number("scx_dsq_id"), read.number("dsq_id"), queued),
        "flags": _either(read.number("enq_flags"), read.number("deq_flags"), flagged),
        "slice_ns": _bits(slice_ns.value, slice_ns.known & inserts),
        "vtime": _bits(vtime.value, vtime.known & read.of(TraceKind.DSQ_INSERT_VTIME)),
    }


def _either(first: _Numbers, second: _Numbers, which: Bools) -> Wide:
    """The first of two annotations that is there."""
    value = np.where(first.known, first.value, second.value)
    return _bits(value, which & (first.known | second.known))


def _bits(value: Int64s, known: Bools) -> Wide:
    return Wide(np.where(known, value, 0).astype(np.int64).view(np.uint64), known)


def _numbers(notes: Annotations, name: str, count: int) -> _Numbers:
    """The numbers of an annotation; texts by its name are none."""
    at = notes.named(name)
    at = at[np.isin(notes.sort[at], (BOOL, UINT, INT))]
    value, known = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    value[notes.event[at]], known[notes.event[at]] = notes.value[at], True
    return _Numbers(value, known)


def _lanes(events: TrackEvents, tracks: Tracks) -> _Lanes:
    """What each event's track is of; of descriptors of one track the last that names a thread counts."""
    # NULL is -1, which is also the thread id of CPU 0: whoever has a thread's name is one.
    threads = np.flatnonzero((tracks.tid != NULL) | (tracks.task_name >= 0))
    of = {
        int(tracks.uuid[k]): int(tracks.tid[k])
        for k in threads
        if tracks.tid[k] != NULL or tracks.names[tracks.task_name[k]] == "swapper/0"
    }
    distinct, place = np.unique(events.track, return_inverse=True)
    tid = np.array([of.get(uuid, 0) for uuid in distinct.tolist()], dtype=np.int64)
    tid = tid[place] if len(distinct) else np.zeros(0, dtype=np.int64)
    cpu = np.where((tid < 0) & (tid >= -MAX_CPU - 1), -tid - 1, NULL)
    return _Lanes(cpu, np.where((tid > 0) & (tid <= MAX_TID), tid, NULL))


def _kinds(
    events: TrackEvents, notes: Annotations, lanes: _Lanes, kinds: Kinds
) -> tuple[Ints, Ints, list[str]]:
    """Each event's kind and probe, codes; _NO_KIND where nothing says the kind."""
    oncpu = events.categories.index("ONCPU") if "ONCPU" in events.categories else NULL - 1
    why = np.full(len(events), NULL, dtype=np.int64)
    at = notes.named("offcpu_reason")
    at = at[notes.sort[at] == STRING]
    why[notes.event[at]] = notes.value[at]
    slices = events.category == oncpu
    # A slice is named after its task: that says nothing of its kind.
    name = np.where(slices, NULL, events.name)
    why = np.where(slices & (events.type == SLICE_END), why, NULL)
    on_cpu = (lanes.cpu != NULL).astype(np.int64)
    key = np.stack([events.type.astype(np.int64), events.category, name, why, on_cpu])
    distinct, place = np.unique(key, axis=1, return_inverse=True)
    codes, probes = [], Names()
    probe = []
    for kind_of, category, named, reason, lane in distinct.T.tolist():
        text = events.names[named] if named >= 0 else ""
        group = events.categories[category] if category >= 0 else ""
        because = notes.strings[reason] if reason >= 0 else ""
        found = _kind(kind_of, group, text, because, bool(lane))
        code = kinds.of(found) if found else None
        codes.append(_NO_KIND if code is None else code)
        probe.append(probes.of(text or group or "end") if code is not None else 0)
    place = place.reshape(-1)
    if not codes:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), []
    return np.array(codes)[place], np.array(probe)[place], probes.list or ["none"]


def _kind(kind: int, category: str, name: str, reason: str, on_cpu: bool) -> str:
    """The kind of an event; "" for none."""
    if category == "ONCPU" and kind == SLICE_BEGIN:
        return TraceKind.TASK_SCHEDULED
    if category == "ONCPU" and kind == SLICE_END:
        return str(OFF[reason][0]) if reason in OFF else reason
    if kind == INSTANT:
        return instant_kind(name)
    # The end of an interrupt has neither category nor name.
    if on_cpu and kind == SLICE_BEGIN and category in _INTERRUPTS:
        return "IrqStart"
    if on_cpu and kind == SLICE_END and not name:
        return "IrqEnd"
    return name or category


def _comms(tid: Int64s, cpu: Int64s, idle: Bools, tracks: Tracks, names: Names) -> Ints:
    """The names of tasks by their tracks, and of idle."""
    named = np.flatnonzero((tracks.tid > 0) & (tracks.task_name >= 0))
    known = {int(tracks.tid[k]): names.of(tracks.names[tracks.task_name[k]]) for k in named}
    distinct, place = np.unique(np.where(idle, NULL - 1 - cpu, tid), return_inverse=True)
    codes = [
        names.of(f"swapper/{NULL - 1 - task}") if task < NULL else known.get(task, NULL)
        for task in distinct.tolist()
    ]
    return np.array(codes, dtype=np.int32)[place] if codes else np.zeros(0, dtype=np.int32)

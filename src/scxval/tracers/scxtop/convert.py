# SPDX-License-Identifier: MIT
"""scxtop's trace to event rows: bundles of tracepoints a CPU, and samples of dispatch queues.

What is odd about the file (scxtop 1.1): times are CLOCK_MONOTONIC and nothing says so; a wakeup has the
woken task where the waker belongs, and the CPU that it happened on as the target; a task with pid 0 has
no fields; prev_state is the task's state word itself, without the bit that tells a preemption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError
from scxval.events.columns import (
    EVIDENCE,
    KIND,
    NULL,
    REASON,
    Columns,
    Ints,
    Names,
    Side,
    Wide,
    rows,
    switches,
)
from scxval.events.gather import Gathered
from scxval.events.schema import Reason, TraceKind
from scxval.formats.conversion import Conversion, Losses, conclude
from scxval.formats.perfetto.clocks import (
    BOOTTIME,
    MONOTONIC,
    MONOTONIC_COARSE,
    MONOTONIC_RAW,
    REALTIME,
    REALTIME_COARSE,
)
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.ftrace import (
    SCHED_PROCESS_EXIT,
    SCHED_PROCESS_FORK,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    Bundles,
    FtraceEvents,
    read_bundles,
    read_events,
)
from scxval.formats.perfetto.head import first_packets, message_fields
from scxval.formats.perfetto.packets import CLOCK_SNAPSHOT, TRACK_DESCRIPTOR, read_packets
from scxval.formats.perfetto.text import task_names
from scxval.formats.perfetto.tracks import Tracks, read_tracks
from scxval.formats.perfetto.wire import LEN, VARINT, Bools, Data, Fields, Int64s
from scxval.formats.source import read_source
from scxval.tracers.scxtop.ends import common_end
from scxval.tracers.scxtop.samples import Samples, queue_of_switches, read_samples

SOURCE = "scxtop"
# The clocks of its one snapshot, in its own order, which no other tool has.
_CLOCKS = [MONOTONIC, BOOTTIME, REALTIME, REALTIME_COARSE, MONOTONIC_COARSE, MONOTONIC_RAW]
_TOPOLOGY = b"scxtop_topo:"
PROBES = (
    "sched_switch",
    "sched_waking",
    "sched_wakeup",
    "sched_process_fork",
    "sched_process_exit",
    "thread_descriptor",
)
# Fields of SchedSwitchFtraceEvent and its like.
_SWITCH = ((1, LEN), (2, VARINT), (4, VARINT), (5, LEN), (6, VARINT))
_WAKEUP = ((1, LEN), (2, VARINT))
_FORK = ((2, VARINT), (3, LEN), (4, VARINT))
_EXIT = ((1, LEN), (2, VARINT), (3, VARINT))
# PID_MAX_LIMIT on 64-bit machines (include/linux/threads.h): no task has a greater number.
_MAX_PID = 1 << 22
# The task's own state word (include/linux/sched.h, 7.2): TASK_DEAD, and what EXIT_* leave in it.
# 0x100 is TASK_WAKEKILL here, where the tracepoint has "preempted".
_DEAD = 0x80 | 0x10 | 0x20
# Events whose rows are made at once, to bound memory.
_AT_ONCE = 1 << 19
_SWITCHED = frozenset(("tid", "other_tid", "prev_state", "reason"))
REACH = {
    TraceKind.TASK_PREEMPTED: _SWITCHED,
    TraceKind.TASK_SLEPT: _SWITCHED,
    TraceKind.TASK_COMPLETED: _SWITCHED,
    TraceKind.TASK_SCHEDULED: frozenset(("tid", "other_tid", "dsq_id")),
    TraceKind.CPU_IDLE: frozenset(("tid", "other_tid")),
    TraceKind.TASK_WOKE: frozenset(("tid", "reason")),
    TraceKind.TASK_FORKED: frozenset(("tid", "other_tid")),
}
NOTES = (
    "scxtop does not say who woke a task, nor on which CPU it was placed",
    "scxtop drops the bit that tells a preemption in the kernel: why a runnable task left is unknown",
)


def recognises(head: bytes) -> bool:
    """Whether a file begins as scxtop's: a snapshot of its six clocks, or its topology."""
    packets = first_packets(head)
    if not packets or set(packets[0]) != {CLOCK_SNAPSHOT}:
        return False
    return _clock_order(packets[0][CLOCK_SNAPSHOT]) == _CLOCKS or any(
        _TOPOLOGY in body
        for packet in packets
        if isinstance(body := packet.get(TRACK_DESCRIPTOR), bytes)
    )


def _clock_order(snapshot: int | bytes) -> list[int | bytes]:
    """The clocks of a ClockSnapshot, in its order."""
    assert isinstance(snapshot, bytes)
    clocks = [body for number, body in message_fields(snapshot) if number == 1]
    return [dict(message_fields(c)).get(1, 0) for c in clocks if isinstance(c, bytes)]


def convert(path: Path) -> Conversion:
    """Read a trace into the event table; what cannot be read is counted.

    Raises ScxvalError for a file that is no Perfetto trace.
    """
    source = read_source(path)
    cut_note, data = source.note, np.frombuffer(source.data, dtype=np.uint8)
    faults = Faults()
    packets = read_packets(data, faults)
    if not len(packets):
        raise ScxvalError(f"{path}: no packet of a Perfetto trace can be read; trace again")
    bundles = read_bundles(data, packets, faults)
    tracks = read_tracks(data, packets, faults)
    latencies, _ = read_samples(data, packets, tracks, faults)
    gaps = packets.gaps
    del packets
    events = read_events(data, bundles, faults)
    end, note = common_end(data, bundles, events)
    names = Names()
    rows = _gathered(_Reading(data, events, names, faults, end), latencies, tracks)
    # What the rows were made from goes before the table is made.
    del data, events, latencies, source
    notes = [*NOTES, note, *_other_notes(bundles, gaps), cut_note, *faults.notes()]
    losses = Losses(lost=0, unparsed=faults.unparsed, examples=faults.examples)
    return conclude(SOURCE, [rows], names, PROBES, REACH, losses, notes)


def _gathered(reading: _Reading, latencies: Samples, tracks: Tracks) -> Columns:
    """All rows in canonical order, made piece by piece."""
    rows = Gathered()
    forks, exits = reading.forks(), reading.exits()
    switched = reading.places(SCHED_SWITCH)
    queues = queue_of_switches(reading.events.time[switched], latencies)
    for at in range(0, len(switched), _AT_ONCE):
        part = slice(at, at + _AT_ONCE)
        rows.add(reading.switches(switched[part], queues[0][part], queues[1][part]))
    for number, reason in ((SCHED_WAKING, Reason.WAKING), (SCHED_WAKEUP, Reason.WAKEUP)):
        places = reading.places(number)
        for at in range(0, len(places), _AT_ONCE):
            rows.add(reading.wakeups(places[at : at + _AT_ONCE], reason))
    for piece in (forks, exits, _thread_groups(tracks, forks, exits, reading.end)):
        rows.add(piece)
    return rows.take()


@dataclass(frozen=True)
class _Reading:
    """The events of a trace on their way to rows."""

    data: Data
    events: FtraceEvents
    names: Names
    faults: Faults
    end: int

    def places(self, number: int) -> Int64s:
        """The events of one tracepoint that are not after the end."""
        return np.flatnonzero((self.events.number == number) & (self.events.time <= self.end))

    def select(
        self, places: Int64s, wanted: Sequence[tuple[int, int]], pids: Sequence[int]
    ) -> tuple[Int64s, Fields, Bools]:
        """Fields of events of one tracepoint: those that can be, with their places and a mask of them.

        `pids` are the rows of `wanted` that are pids.
        """
        found = self.events.fields(self.data, places, wanted)
        good = found.ok
        for row in pids:
            good = good & (found.value[row] >= 0) & (found.value[row] <= _MAX_PID)
        if good.all():
            return places, found, good
        self.faults.at("event whose fields cannot be so", self.events.start[places[~good]])
        keep = np.flatnonzero(good)
        return (
            places[keep],
            Fields(found.value[:, keep], found.length[:, keep], found.ok[keep]),
            good,
        )

    def comms(self, found: Fields, row: int) -> Ints:
        """Codes of tasks' names, NULL where a record has none."""
        there = found.length[row] >= 0
        codes = np.full(len(there), NULL, dtype=np.int32)
        if there.all():
            there = slice(None)
        codes[there] = self.names.codes(task_names(self.data, found.spans(row, there)))
        return codes

    def switches(self, places: Int64s, dsq_id: npt.NDArray[np.uint64], known: Bools) -> Columns:
        """Rows of sched_switch, with the queue that each task came from where that is known."""
        which, found, good = self.select(places, _SWITCH, (1, 4))
        time, cpu = self.events.time[which], self.events.cpu[which]
        state = found.value[2]
        kind, reason = off_cpu_of_state(state)
        made = switches(
            time,
            which,
            cpu,
            PROBES.index("sched_switch"),
            prev=self.side(found, 1, 0, cpu),
            next=self.side(found, 4, 3, cpu),
            off_kind=kind,
            off_reason=reason,
            prev_state=state,
        )
        dsq_id, known = dsq_id[good], known[good] & (found.value[4] > 0)
        # The rows of what comes on CPU are the last ones, in the order of the switches.
        off = len(made) - len(which)
        queues = Wide(
            np.append(np.zeros(off, dtype=np.uint64), np.where(known, dsq_id, np.uint64(0))),
            np.append(np.zeros(off, dtype=np.bool_), known),
        )
        return replace(made, wide={**made.wide, "dsq_id": queues})

    def side(self, found: Fields, pid: int, comm: int, cpu: Ints) -> Side:
        """The tasks on one side of switches; idle, of which the file says nothing, by its name."""
        tid = found.value[pid].astype(np.int32)
        codes = self.comms(found, comm)
        idle = np.flatnonzero(tid == 0)
        cpus, place = np.unique(cpu[idle], return_inverse=True)
        names = [self.names.of(f"swapper/{number}") for number in cpus.tolist()]
        codes[idle] = np.array(names, dtype=np.int32)[place] if names else NULL
        return Side(tid, None, codes)

    def wakeups(self, places: Int64s, reason: Reason) -> Columns:
        """Rows of sched_waking or sched_wakeup: waker and target CPU are not in the file."""
        which, found, _ = self.select(places, _WAKEUP, (1,))
        probe = "sched_waking" if reason is Reason.WAKING else "sched_wakeup"
        return rows(
            self.events.time[which],
            2 * which,
            self.events.cpu[which],
            TraceKind.TASK_WOKE,
            PROBES.index(probe),
            tid=found.value[1],
            comm=self.comms(found, 0),
            reason=reason,
        )

    def forks(self) -> Columns:
        """Rows of sched_process_fork."""
        which, found, _ = self.select(self.places(SCHED_PROCESS_FORK), _FORK, (0, 2))
        return rows(
            self.events.time[which],
            2 * which,
            self.events.cpu[which],
            TraceKind.TASK_FORKED,
            PROBES.index("sched_process_fork"),
            tid=found.value[2],
            comm=self.comms(found, 1),
            other_tid=found.value[0],
        )

    def exits(self) -> Columns:
        """What sched_process_exit tells of a task: its name and thread group."""
        which, found, _ = self.select(self.places(SCHED_PROCESS_EXIT), _EXIT, (1, 2))
        return rows(
            self.events.time[which],
            2 * which,
            self.events.cpu[which],
            EVIDENCE,
            PROBES.index("sched_process_exit"),
            tid=found.value[1],
            pid=np.where(found.length[2] >= 0, found.value[2], NULL),
            comm=self.comms(found, 0),
        )


def off_cpu_of_state(state: Int64s) -> tuple[Ints, Ints]:
    """Codes of kind and reason for tasks that went off CPU with these state words of their own."""
    tests = [(state & _DEAD) != 0, state == 0]
    kind = np.select(
        tests,
        [KIND[TraceKind.TASK_COMPLETED], KIND[TraceKind.TASK_PREEMPTED]],
        KIND[TraceKind.TASK_SLEPT],
    )
    reason = np.select(tests, [REASON[Reason.EXIT], REASON[Reason.UNKNOWN]], REASON[Reason.SLEEP])
    return kind.astype(np.int8), reason.astype(np.int8)


def _thread_groups(tracks: Tracks, forks: Columns, exits: Columns, end: int) -> Columns:
    """What descriptors tell of tasks' thread groups, as evidence.

    They say nothing about when: of a tid that a task got during the trace it is the new task's, unless
    that may have been several.
    """
    tid = np.where(tracks.tid >= 0, tracks.tid, tracks.pid)
    good = (tid > 0) & (tid <= _MAX_PID) & (tracks.pid > 0) & (tracks.pid <= _MAX_PID)
    tid, pid = tid[good], tracks.pid[good]
    born, lives = np.unique(forks.tid, return_counts=True)
    new = np.isin(tid, born)
    usable = ~new | (np.isin(tid, born[lives == 1]) & ~np.isin(tid, exits.tid))
    tid, pid, new = tid[usable], pid[usable], new[usable]
    return rows(
        np.where(new, end, 0),
        np.zeros(len(tid), dtype=np.int64),
        np.zeros(len(tid), dtype=np.int16),
        EVIDENCE,
        PROBES.index("thread_descriptor"),
        tid=tid,
        pid=pid,
    )


def _other_notes(bundles: Bundles, gaps: int) -> list[str]:
    notes = []
    if bundles.lost.any():
        notes.append(f"{int(bundles.lost.sum())} bundles follow events that the kernel lost")
    if gaps:
        notes.append(f"{gaps} gaps where packets of a sequence were dropped")
    return notes

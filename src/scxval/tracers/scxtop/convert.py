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
from scxval.events.schema import Reason, TraceKind
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
from scxval.formats.perfetto.wire import LEN, VARINT, Data, Fields, Int64s
from scxval.formats.source import read_source
from scxval.tracers.conversion import Conversion, Losses, conclude
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
# Tracepoints that every busy moment has.
_STEADY = {SCHED_SWITCH: "sched_switch", SCHED_WAKING: "sched_waking", SCHED_WAKEUP: "sched_wakeup"}
# PID_MAX_LIMIT on 64-bit machines (include/linux/threads.h): no task has a greater number.
_MAX_PID = 1 << 22
# The task's own state word (include/linux/sched.h, 7.2): TASK_DEAD, and what EXIT_* leave in it.
# 0x100 is TASK_WAKEKILL here, where the tracepoint has "preempted".
_DEAD = 0x80 | 0x10 | 0x20
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
    data = np.frombuffer(source.data, dtype=np.uint8)
    faults = Faults()
    packets = read_packets(data, faults)
    if not len(packets):
        raise ScxvalError(f"{path}: no packet of a Perfetto trace can be read; trace again")
    bundles = read_bundles(data, packets, faults)
    events = read_events(data, bundles, faults)
    tracks = read_tracks(data, packets, faults)
    latencies, _ = read_samples(data, packets, tracks, faults)
    names = Names()
    reading = _Reading(data, events, names, faults)
    parts = [
        reading.switches(latencies),
        reading.wakeups(SCHED_WAKING, Reason.WAKING),
        reading.wakeups(SCHED_WAKEUP, Reason.WAKEUP),
        reading.forks(),
        reading.exits(),
    ]
    end, note = _common_end(bundles, events)
    parts = [part.take(part.time_ns <= end) if note else part for part in parts]
    parts.append(_thread_groups(tracks, parts))
    notes = [*NOTES, note, *_other_notes(bundles, packets.gaps), source.note, *faults.notes()]
    losses = Losses(lost=0, unparsed=faults.unparsed, examples=faults.examples)
    return conclude(SOURCE, parts, names, PROBES, REACH, losses, [n for n in notes if n])


@dataclass(frozen=True)
class _Reading:
    """The events of a trace on their way to rows."""

    data: Data
    events: FtraceEvents
    names: Names
    faults: Faults

    def select(
        self, number: int, wanted: Sequence[tuple[int, int]], pids: Sequence[int]
    ) -> tuple[Int64s, Fields]:
        """Places and fields of a tracepoint's events; `pids` are the rows of `wanted` that are pids."""
        which, found = self.events.select(self.data, number, wanted)
        good = found.ok
        for row in pids:
            good = good & (found.value[row] >= 0) & (found.value[row] <= _MAX_PID)
        if good.all():
            return which, found
        self.faults.at("event whose fields cannot be so", self.events.start[which[~good]])
        keep = np.flatnonzero(good)
        return which[keep], Fields(found.value[:, keep], found.length[:, keep], found.ok[keep])

    def comms(self, found: Fields, row: int) -> Ints:
        """Codes of tasks' names, NULL where a record has none."""
        there = found.length[row] >= 0
        codes = np.full(len(there), NULL, dtype=np.int32)
        if there.all():
            there = slice(None)
        codes[there] = self.names.codes(task_names(self.data, found.spans(row, there)))
        return codes

    def switches(self, latencies: Samples) -> Columns:
        """Rows of sched_switch, with the queue that each task came from where a sample tells."""
        which, found = self.select(SCHED_SWITCH, _SWITCH, (1, 4))
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
        dsq_id, known = queue_of_switches(time, latencies)
        known &= found.value[4] > 0
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

    def wakeups(self, number: int, reason: Reason) -> Columns:
        """Rows of sched_waking or sched_wakeup: waker and target CPU are not in the file."""
        which, found = self.select(number, _WAKEUP, (1,))
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
        which, found = self.select(SCHED_PROCESS_FORK, _FORK, (0, 2))
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
        which, found = self.select(SCHED_PROCESS_EXIT, _EXIT, (1, 2))
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


def _common_end(bundles: Bundles, events: FtraceEvents) -> tuple[int, str]:
    """Until when nothing can be missing, and "" or a note on what came after.

    scxtop detaches its probes one by one, and discards what is then still in its ring buffers, one for
    each CPU or some. Whatever a CPU's last record is, all before it are there. A bundle that the file's
    end cut off is no measure.
    """
    of_cpu = np.full(1 << 15, -1, dtype=np.int64)
    np.maximum.at(of_cpu, events.cpu, events.time)
    ends = {f"CPU {cpu}": int(of_cpu[cpu]) for cpu in np.unique(bundles.cpu[~bundles.cut]).tolist()}
    for number, name in _STEADY.items():
        times = events.time[events.number == number]
        ends[name] = int(times.max()) if len(times) else -1
    ends = {who: end for who, end in ends.items() if end >= 0}
    if not ends:
        return 0, ""
    first = min(ends, key=lambda who: ends[who])
    after = int((events.time > ends[first]).sum())
    if not after:
        return ends[first], ""
    return ends[first], (
        f"the last {after} records, after {ends[first]} ns, are left out: scxtop detaches its probes one "
        f"by one and discards the end of its ring buffers, and {first} has nothing later"
    )


def _thread_groups(tracks: Tracks, parts: Sequence[Columns]) -> Columns:
    """What descriptors tell of tasks' thread groups, as evidence.

    They say nothing about when: of a tid that a task got during the trace it is the new task's, unless
    that may have been several.
    """
    tid = np.where(tracks.tid >= 0, tracks.tid, tracks.pid)
    good = (tid > 0) & (tid <= _MAX_PID) & (tracks.pid > 0) & (tracks.pid <= _MAX_PID)
    tid, pid = tid[good], tracks.pid[good]
    forked = np.concatenate([p.tid[p.kind == KIND[TraceKind.TASK_FORKED]] for p in parts])
    ended = np.concatenate([p.tid[p.kind == EVIDENCE] for p in parts])
    born, lives = np.unique(forked, return_counts=True)
    new = np.isin(tid, born)
    usable = ~new | (np.isin(tid, born[lives == 1]) & ~np.isin(tid, ended))
    tid, pid, new = tid[usable], pid[usable], new[usable]
    last = max((int(p.time_ns.max()) for p in parts if len(p)), default=0)
    return rows(
        np.where(new, last, 0),
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

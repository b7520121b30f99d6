# SPDX-License-Identifier: MIT
"""systing's Perfetto output to event rows: compact switches a CPU, and all wakings with CPU 0's.

systing makes the file from its own tables (run slices, wakings). So a switch has the state that the slice
before it ended with, which the CPU's first switch does not; the CPU's last end is not in the file, nor
are migrations, forks and who woke a task. Times are CLOCK_BOOTTIME.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.events.columns import (
    EVIDENCE,
    NULL,
    Columns,
    Ints,
    Names,
    Side,
    off_cpu,
    rows,
    switches,
)
from scxval.events.schema import MAX_CPU, Reason, TraceKind
from scxval.formats.conversion import Conversion, Losses, conclude
from scxval.formats.perfetto.clocks import BOOTTIME, MONOTONIC, REALTIME, Clocks, read_clocks
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.ftrace import (
    SCHED_PROCESS_EXIT,
    SCHED_WAKEUP_NEW,
    CompactSwitches,
    CompactWakings,
    FtraceEvents,
    read_bundles,
    read_compact,
    read_events,
)
from scxval.formats.perfetto.head import first_packets, message_fields
from scxval.formats.perfetto.packets import (
    CLOCK_SNAPSHOT,
    TRACK_DESCRIPTOR,
    read_packets,
)
from scxval.formats.perfetto.text import task_names
from scxval.formats.perfetto.tracks import Tracks, read_tracks
from scxval.formats.perfetto.wire import LEN, VARINT, Bools, Data, Int64s
from scxval.formats.source import read_source

SOURCE = "systing"
PROBES = ("sched_switch", "sched_waking", "sched_wakeup_new", "sched_process_exit", "descriptor")
_SYSTEM_INFO = 45
_SEQUENCE = 10
_CLOCKS = {BOOTTIME, MONOTONIC, REALTIME}
# PID_MAX_LIMIT on 64-bit machines (include/linux/threads.h): no task has a greater number.
_MAX_PID = 1 << 22
# Clocks of one snapshot are read one after another: less than this apart they are the same.
_SNAPSHOT_NS = 1_000_000
_WAKEUP_NEW = ((1, LEN), (2, VARINT), (5, VARINT))
_EXIT = ((1, LEN), (2, VARINT), (3, VARINT))
# Compact switches, compact wakings, and events on their own.
_SWITCHED, _WOKEN, _ALONE = range(3)
_SORTS = 3
_OFF = frozenset(("tid", "other_tid", "prev_state", "reason"))
REACH = {
    TraceKind.TASK_PREEMPTED: _OFF,
    TraceKind.TASK_SLEPT: _OFF,
    TraceKind.TASK_COMPLETED: _OFF,
    TraceKind.TASK_SCHEDULED: frozenset(("tid", "other_tid")),
    TraceKind.CPU_IDLE: frozenset(("tid", "other_tid")),
    TraceKind.TASK_WOKE: frozenset(("tid", "other_cpu", "reason")),
}
NOTES = (
    "systing does not say on which CPU a task was woken: cpu of a waking is the CPU that the task was on",
    "systing does not say who woke a task; how many events it missed is in its own output only",
)


def recognises(head: bytes) -> bool:
    """Whether a file begins as systing's: three clocks, then its system or the first process."""
    packets = first_packets(head)
    if len(packets) < 2 or set(packets[0]) != {CLOCK_SNAPSHOT}:
        return False
    snapshot = packets[0][CLOCK_SNAPSHOT]
    assert isinstance(snapshot, bytes)
    readings = [body for number, body in message_fields(snapshot) if number == 1]
    clocks = [dict(message_fields(c)).get(1) for c in readings if isinstance(c, bytes)]
    second = set(packets[1])
    return sorted(map(str, clocks)) == sorted(map(str, _CLOCKS)) and second in (
        {_SYSTEM_INFO, _SEQUENCE},
        {TRACK_DESCRIPTOR},
    )


def convert(path: Path) -> Conversion:
    """Read a trace into the event table, times as CLOCK_MONOTONIC; what cannot be read is counted.

    Raises ScxvalError for a file that is no Perfetto trace, or whose clocks went apart in it.
    """
    source = read_source(path)
    data = np.frombuffer(source.data, dtype=np.uint8)
    faults = Faults()
    packets = read_packets(data, faults)
    if not len(packets):
        raise ScxvalError(f"{path}: no packet of a Perfetto trace can be read; trace again")
    try:
        offset_ns, clock, clock_note = boot_minus_monotonic(read_clocks(data, packets))
    except ScxvalError as error:
        raise ScxvalError(f"{path}: {error}") from error
    bundles = read_bundles(data, packets, faults)
    switched, woken = read_compact(data, bundles, faults)
    events = read_events(data, bundles, faults)
    names = Names()
    parts = [
        _switches(switched, names, offset_ns, faults),
        _wakings(woken, names, offset_ns, faults),
        _new(data, events, names, offset_ns, faults),
        _exits(data, events, names, offset_ns, faults),
        _thread_groups(read_tracks(data, packets, faults)),
    ]
    losses = Losses(lost=0, unparsed=faults.unparsed, examples=faults.examples)
    notes = [*NOTES, clock_note, source.note, *faults.notes()]
    if bundles.lost.any():
        notes.append(f"{int(bundles.lost.sum())} bundles follow events that the kernel lost")
    return conclude(SOURCE, parts, names, PROBES, REACH, losses, notes, ordered=False, clock=clock)


def boot_minus_monotonic(clocks: Clocks) -> tuple[int, str, str]:
    """What to take off times of CLOCK_BOOTTIME, the clock that this gives, and "" or a note on it.

    Raises ScxvalError when it was not the same in all snapshots: the machine was suspended in between.
    """
    apart = [
        s[BOOTTIME] - s[MONOTONIC] for s in clocks.of_snapshots() if {BOOTTIME, MONOTONIC} <= set(s)
    ]
    if not apart:
        return (
            0,
            "boot",
            (
                "times are CLOCK_BOOTTIME and the file does not relate it to CLOCK_MONOTONIC: they are "
                "wrong by as long as the machine was suspended since its boot"
            ),
        )
    if max(apart) - min(apart) > _SNAPSHOT_NS:
        raise ScxvalError(
            f"the machine was suspended during the trace (CLOCK_BOOTTIME moved by "
            f"{max(apart) - min(apart)} ns against CLOCK_MONOTONIC); trace again"
        )
    if abs(apart[0]) < _SNAPSHOT_NS:
        return 0, GUEST_CLOCK, ""
    return (
        apart[0],
        GUEST_CLOCK,
        (
            f"times of CLOCK_BOOTTIME less {apart[0]} ns, which is exact to the microseconds between two "
            "readings of clocks"
        ),
    )


def _ordinal(place: Int64s, sort: int) -> Int64s:
    """A record's ordinal by its place among the records of its sort, which are kept apart in the file."""
    return place * _SORTS + sort


def _name_codes(codes: Ints, texts: list[str], names: Names) -> Ints:
    """Codes of the file's own names as codes of `names`, at most 15 bytes each, NULL for none."""
    known = [
        names.of(text.encode()[:15].decode("utf-8", "ignore")) if text else NULL for text in texts
    ]
    return np.array([*known, NULL], dtype=np.int32)[codes]


def _idle_names(codes: Ints, tid: Int64s, cpu: Ints, names: Names) -> Ints:
    """Idle is swapper/<cpu>, whatever name systing's table has for it."""
    idle = np.flatnonzero(tid == 0)
    cpus, place = np.unique(cpu[idle], return_inverse=True)
    if len(cpus):
        known = [names.of(f"swapper/{number}") for number in cpus.tolist()]
        codes[idle] = np.array(known, dtype=np.int32)[place]
    return codes


def _switches(found: CompactSwitches, names: Names, offset_ns: int, faults: Faults) -> Columns:
    """Rows of switches: what goes off a CPU is what came on it before, nothing for a CPU's first."""
    good = _sound(found.next_pid, found.time - offset_ns, faults)
    comm = _name_codes(found.comm, found.names, names)
    comm = _idle_names(comm, found.next_pid, found.cpu, names)
    # By CPU, in the order of time: a CPU may have several bundles.
    order = np.lexsort((found.time, found.cpu))
    cpu, tid = found.cpu[order], np.where(good, found.next_pid, NULL)[order].astype(np.int32)
    begins = np.append(True, cpu[1:] != cpu[:-1])[: len(cpu)]
    prev_tid = np.where(begins, NULL, np.append(NULL, tid[:-1])[: len(tid)])
    prev_comm = np.append(NULL, comm[order][:-1])[: len(tid)]
    keep = tid >= 0
    state = found.prev_state[order]
    kind, reason = off_cpu(state)
    return switches(
        found.time[order][keep] - offset_ns,
        _ordinal(order[keep], _SWITCHED),
        cpu[keep],
        PROBES.index("sched_switch"),
        prev=Side(prev_tid[keep], None, prev_comm[keep]),
        next=Side(tid[keep], None, comm[order][keep]),
        off_kind=kind[keep],
        off_reason=reason[keep],
        prev_state=state[keep],
    )


def _wakings(found: CompactWakings, names: Names, offset_ns: int, faults: Faults) -> Columns:
    good = _sound(found.pid, found.time - offset_ns, faults, found.target_cpu)
    codes = _name_codes(found.comm, found.names, names)
    return rows(
        found.time[good] - offset_ns,
        2 * _ordinal(np.flatnonzero(good), _WOKEN),
        found.target_cpu[good],
        TraceKind.TASK_WOKE,
        PROBES.index("sched_waking"),
        tid=found.pid[good],
        comm=codes[good],
        other_cpu=found.target_cpu[good],
        reason=Reason.WAKING,
    )


def _new(data: Data, events: FtraceEvents, names: Names, offset_ns: int, faults: Faults) -> Columns:
    which, found = events.select(data, SCHED_WAKEUP_NEW, _WAKEUP_NEW)
    good = found.ok & _sound(found.value[1], events.time[which] - offset_ns, faults, found.value[2])
    which = which[good]
    there = np.flatnonzero(good & (found.length[0] >= 0))
    comm = np.full(len(found.ok), NULL, dtype=np.int32)
    comm[there] = names.codes(task_names(data, found.spans(0, there)))
    return rows(
        events.time[which] - offset_ns,
        2 * _ordinal(which, _ALONE),
        events.cpu[which],
        TraceKind.TASK_WOKE,
        PROBES.index("sched_wakeup_new"),
        tid=found.value[1][good],
        comm=comm[good],
        other_cpu=found.value[2][good],
        reason=Reason.WAKEUP_NEW,
    )


def _exits(
    data: Data, events: FtraceEvents, names: Names, offset_ns: int, faults: Faults
) -> Columns:
    """What sched_process_exit tells of a task: its thread group."""
    which, found = events.select(data, SCHED_PROCESS_EXIT, _EXIT)
    good = found.ok & _sound(found.value[1], events.time[which] - offset_ns, faults)
    good &= (found.value[2] > 0) & (found.value[2] <= _MAX_PID)
    which = which[good]
    return rows(
        events.time[which] - offset_ns,
        2 * _ordinal(which, _ALONE),
        events.cpu[which],
        EVIDENCE,
        PROBES.index("sched_process_exit"),
        tid=found.value[1][good],
        pid=found.value[2][good],
    )


def _thread_groups(tracks: Tracks) -> Columns:
    """What descriptors tell of tasks' thread groups, as evidence."""
    tid = np.where(tracks.tid >= 0, tracks.tid, tracks.pid)
    good = (tid > 0) & (tid <= _MAX_PID) & (tracks.pid > 0) & (tracks.pid <= _MAX_PID)
    none = np.zeros(int(good.sum()), dtype=np.int64)
    return rows(
        none,
        none,
        none.astype(np.int16),
        EVIDENCE,
        PROBES.index("descriptor"),
        tid=tid[good],
        pid=tracks.pid[good],
    )


def _sound(pid: Int64s, time: Int64s, faults: Faults, target_cpu: Int64s | None = None) -> Bools:
    """Which events can be: those that cannot are counted."""
    good = (pid >= 0) & (pid <= _MAX_PID) & (time >= 0)
    if target_cpu is not None:
        good &= (target_cpu >= 0) & (target_cpu <= MAX_CPU)
    faults.count("sched event whose task, CPU or time cannot be", int((~good).sum()))
    return good

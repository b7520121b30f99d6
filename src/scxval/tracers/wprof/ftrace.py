# SPDX-License-Identifier: MIT
"""wprof's ftrace view (-e sched in a Perfetto file): switches in compact form, wakings as events.

The compact form has no previous task: it is the next one of the switch before on that CPU, and unknown for
the first. Wakings have what the other formats have not: the target CPU, which at sched_waking is still
the wakee's previous one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.events.columns import NULL, Columns, Ints, Names, Side, Wide, off_cpu, switches
from scxval.events.schema import MAX_CPU
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.ftrace import (
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    Bundles,
    CompactSwitches,
    FtraceEvents,
    read_compact,
    read_events,
)
from scxval.formats.perfetto.text import task_names
from scxval.formats.perfetto.wire import LEN, VARINT, Data, Int64s
from scxval.tracers.wprof import rows as made
from scxval.tracers.wprof.session import LATEST_NS

# Fields of SchedWaking and SchedWakeupNew: comm, pid, target_cpu.
_FIELDS = ((1, LEN), (2, VARINT), (5, VARINT))
Pids = Callable[[Ints], Int64s]


@dataclass(frozen=True)
class Wakings:
    """Wakings (or new tasks' wakeups, `new`) in order of time: `ns` as in the file, task, waker, target
    CPU (NULL where it is not said), and a code of the wakee's name."""

    ns: Int64s
    cpu: npt.NDArray[np.int16]
    tid: Int64s
    waker: npt.NDArray[np.int32]
    target_cpu: Int64s
    comm: npt.NDArray[np.int64]
    record: Int64s
    new: bool

    def targets(self, ns: Int64s, cpu: Ints, tid: Ints) -> Int64s:
        """The target CPUs of the wakings at these moments, NULL where there is none here."""
        found = np.full(len(ns), NULL, dtype=np.int64)
        if not len(self.ns):
            return found
        first = np.searchsorted(self.ns, ns)
        # Two CPUs may wake in the same nanosecond.
        for place in (first, first + 1):
            place = np.minimum(place, len(self.ns) - 1)
            same = (self.ns[place] == ns) & (self.cpu[place] == cpu) & (self.tid[place] == tid)
            found = np.where(same, self.target_cpu[place], found)
        return found

    def rows(self, pid_of: Pids, mono_ns: int) -> Columns:
        """Rows, for a file without the track events that say the same."""
        return made.wake_rows(
            made.Moments(self.ns + mono_ns, self.cpu, self.record),
            Side(self.tid, pid_of(self.tid), self.comm),
            self.waker,
            self.new,
            self.target_cpu,
        )


def read_wakings(data: Data, bundles: Bundles, names: Names, faults: Faults) -> list[Wakings]:
    """Wakings, and wakeups of new tasks."""
    events = read_events(data, bundles, faults)
    return [
        _wakings(data, events, names, number, faults) for number in (SCHED_WAKING, SCHED_WAKEUP_NEW)
    ]


def _wakings(
    data: Data, events: FtraceEvents, names: Names, number: int, faults: Faults
) -> Wakings:
    which, found = events.select(data, number, _FIELDS)
    tid, cpu = found.value[1], found.value[2]
    good = found.ok & (found.length[1] >= 0) & (tid > 0) & (tid < 1 << 31)
    faults.at("waking that cannot be read", events.start[which[~good]])
    comm = np.full(len(which), NULL, dtype=np.int64)
    named = np.flatnonzero(good & (found.length[0] >= 0))
    comm[named] = names.codes(task_names(data, found.spans(0, named)))
    target = np.where((found.length[2] >= 0) & (cpu >= 0) & (cpu <= MAX_CPU), cpu, NULL)
    timed = (events.time[which] >= 0) & (events.time[which] < LATEST_NS)
    keep = np.flatnonzero(good & timed & (events.pid[which] >= 0))
    keep = keep[np.argsort(events.time[which[keep]], kind="stable")]
    which = which[keep]
    return Wakings(
        events.time[which],
        events.cpu[which],
        tid[keep],
        events.pid[which],
        target[keep],
        comm[keep],
        which,
        number == SCHED_WAKEUP_NEW,
    )


def switch_rows(
    data: Data, bundles: Bundles, names: Names, pid_of: Pids, mono_ns: int, faults: Faults
) -> tuple[Columns, int]:
    """Rows of switches, and how many of them do not say who went off its CPU."""
    found, _ = read_compact(data, bundles, faults)
    good = (found.time >= 0) & (found.time < LATEST_NS)
    good &= (found.next_pid >= 0) & (found.next_pid < 1 << 31)
    faults.at("compact switch that makes no sense", np.flatnonzero(~good) * 0)
    found = CompactSwitches(
        found.cpu[good],
        found.time[good],
        found.prev_state[good],
        found.next_pid[good],
        found.comm[good],
        found.names,
    )
    next_tid = found.next_pid
    prev = _previous(found)
    kind, reason = off_cpu(found.prev_state)
    known = np.ones(len(prev), dtype=np.bool_)
    rows = switches(
        found.time + mono_ns,
        np.arange(len(prev)),
        found.cpu,
        made.SWITCH,
        prev=Side(prev, pid_of(prev)),
        next=Side(next_tid, pid_of(next_tid), _comms(found, names)),
        off_kind=kind,
        off_reason=reason,
        prev_state=Wide(found.prev_state.view(np.uint64), known),
    )
    return rows, int((prev == NULL).sum())


def _previous(found: CompactSwitches) -> npt.NDArray[np.int64]:
    """The task before each switch: the next one of the switch before on the same CPU."""
    order = np.lexsort((found.time, found.cpu))
    tid, cpu = found.next_pid[order], found.cpu[order]
    before = np.append(NULL, tid[:-1])
    before[np.append(True, cpu[1:] != cpu[:-1])] = NULL
    prev = np.empty(len(order), dtype=np.int64)
    prev[order] = before[: len(order)]
    return prev


def _comms(found: CompactSwitches, names: Names) -> npt.NDArray[np.int64]:
    """Codes of the next tasks' names; idle has none here, and is swapper and its CPU in the kernel."""
    known = np.array([*(names.of(n) if n else NULL for n in found.names), NULL], dtype=np.int64)
    comm = known[found.comm]
    for cpu in np.unique(found.cpu).tolist():
        comm[(found.next_pid == 0) & (found.cpu == cpu)] = names.of(f"swapper/{cpu}")
    return comm

# SPDX-License-Identifier: MIT
"""wprof's ftrace view (-e sched in a Perfetto file): switches in compact form, wakings as events.

The compact form has no previous task: it is the next one of the switch before on that CPU, and unknown for
the first. Wakings have what the other formats have not: the target CPU, which at sched_waking is still
the wakee's previous one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scxval.events.columns import NULL, Columns, Names, Side, Wide, off_cpu, switches
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

# Fields of SchedWaking and SchedWakeupNew: comm, pid, target_cpu.
_FIELDS = ((1, LEN), (2, VARINT), (4, VARINT))
_MAX_CPU = np.iinfo(np.int16).max
Pids = Callable[[Int64s], Int64s]


def waking_rows(
    data: Data, bundles: Bundles, names: Names, pid_of: Pids, mono_ns: int, faults: Faults
) -> list[Columns]:
    """Rows of wakings and of new tasks' wakeups, with the CPU that they name."""
    events = read_events(data, bundles, faults)
    return [
        _wakings(data, events, names, pid_of, mono_ns, number, faults)
        for number in (SCHED_WAKING, SCHED_WAKEUP_NEW)
    ]


def _wakings(
    data: Data,
    events: FtraceEvents,
    names: Names,
    pid_of: Pids,
    mono_ns: int,
    number: int,
    faults: Faults,
) -> Columns:
    which, found = events.select(data, number, _FIELDS)
    tid, cpu = found.value[1], found.value[2]
    good = found.ok & (found.length[1] >= 0) & (tid > 0) & (tid < 1 << 31)
    faults.at("waking that cannot be read", events.start[which[~good]])
    which, tid, cpu = which[good], tid[good], cpu[good]
    raw = task_names(data, found.spans(0, good & (found.length[0] >= 0)))
    comm = np.full(len(which), NULL, dtype=np.int64)
    comm[found.length[0][good] >= 0] = names.codes(raw)
    known = (found.length[2][good] >= 0) & (cpu >= 0) & (cpu <= _MAX_CPU)
    return made.wake_rows(
        made.Moments(events.time[which] + mono_ns, events.cpu[which], which),
        Side(tid, pid_of(tid), comm),
        events.pid[which],
        number == SCHED_WAKEUP_NEW,
        np.where(known, cpu, NULL),
    )


def switch_rows(
    data: Data, bundles: Bundles, names: Names, pid_of: Pids, mono_ns: int, faults: Faults
) -> tuple[Columns, int]:
    """Rows of switches, and how many of them do not say who went off its CPU."""
    found, _ = read_compact(data, bundles, faults)
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

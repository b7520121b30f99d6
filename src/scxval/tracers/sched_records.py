# SPDX-License-Identifier: MIT
"""Records of the kernel's sched tracepoints to event rows: the same for perf, trace-cmd and ftrace.

What a row means is in docs/events.md. A source hands over each tracepoint's fields as columns under
the kernel's own names; nothing here knows how they were stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
from scxval.events.schema import Reason, TraceKind
from scxval.formats.conversion import Conversion, Losses, Reach, conclude

# The fields that are read of each tracepoint; names of tasks are codes of one `Names`.
FIELDS: dict[str, tuple[str, ...]] = {
    "sched_switch": ("prev_pid", "prev_comm", "prev_state", "next_pid", "next_comm"),
    "sched_waking": ("pid", "comm", "target_cpu"),
    "sched_wakeup": ("pid", "comm", "target_cpu"),
    "sched_wakeup_new": ("pid", "comm", "target_cpu"),
    "sched_migrate_task": ("pid", "comm", "dest_cpu"),
    # Its names are dynamic strings since 6.16: the child's comes from its first other record.
    "sched_process_fork": ("parent_pid", "child_pid"),
    "sched_process_exit": ("pid", "comm"),
}
COMM_FIELDS = frozenset(("prev_comm", "next_comm", "comm"))
CPU_FIELDS = frozenset(("target_cpu", "dest_cpu"))
# PID_MAX_LIMIT (include/linux/threads.h) of every 64-bit machine: a greater number is damage.
MAX_TID = 1 << 22
_WAKEUPS = {
    "sched_waking": Reason.WAKING,
    "sched_wakeup": Reason.WAKEUP,
    "sched_wakeup_new": Reason.WAKEUP_NEW,
}
PROBES = tuple(FIELDS)


@dataclass(frozen=True)
class Records:
    """All records of one tracepoint, one element each.

    `record` is the record's ordinal in the source, over all tracepoints. `by` is the tid of the task
    that was running (common_pid), `by_pid` its thread group where the source knows it, else NULL.
    """

    name: str
    time_ns: npt.NDArray[np.int64]
    cpu: Ints
    record: npt.NDArray[np.int64]
    by: Ints
    values: dict[str, Ints]
    by_pid: Ints | None = None


def columns_of(records: Records) -> Columns:
    """The rows that a tracepoint's records become."""
    if records.name == "sched_switch":
        return _switches(records)
    kind: TraceKind | int
    if records.name in _WAKEUPS:
        kind, tid, other_tid = TraceKind.TASK_WOKE, "pid", records.by
    elif records.name == "sched_migrate_task":
        kind, tid, other_tid = TraceKind.TASK_MIGRATED, "pid", records.by
    elif records.name == "sched_process_fork":
        kind, tid = TraceKind.TASK_FORKED, "child_pid"
        other_tid = records.values["parent_pid"]
    else:
        kind, tid, other_tid = EVIDENCE, "pid", np.full(len(records.record), NULL)
    values = records.values
    cpu = values.get("target_cpu", values.get("dest_cpu"))
    return rows(
        records.time_ns,
        2 * records.record,
        records.cpu,
        kind,
        PROBES.index(records.name),
        tid=values[tid],
        comm=values.get("comm", NULL),
        other_tid=other_tid,
        other_cpu=NULL if cpu is None else cpu,
        reason=_WAKEUPS.get(records.name, NULL),
    )


def _switches(records: Records) -> Columns:
    values = records.values
    kind, reason = off_cpu(values["prev_state"])
    pid = records.by_pid
    if pid is not None:
        pid = np.where(records.by == values["prev_pid"], pid, NULL)
    return switches(
        records.time_ns,
        records.record,
        records.cpu,
        PROBES.index("sched_switch"),
        prev=Side(values["prev_pid"], pid, values["prev_comm"]),
        next=Side(values["next_pid"], None, values["next_comm"]),
        off_kind=kind,
        off_reason=reason,
        prev_state=values["prev_state"],
    )


def reach_of(tracepoints: Iterable[str]) -> Reach:
    """Kinds that a trace of these tracepoints can hold, and their columns.

    None of them tells a yield from a preemption, so TaskYielded is not among them.
    """
    reach: dict[TraceKind, frozenset[str]] = {}
    for name in tracepoints:
        if name == "sched_switch":
            off = frozenset(("tid", "other_tid", "prev_state", "reason"))
            on = frozenset(("tid", "other_tid"))
            leaves = (TraceKind.TASK_PREEMPTED, TraceKind.TASK_SLEPT, TraceKind.TASK_COMPLETED)
            reach |= dict.fromkeys(leaves, off)
            reach |= dict.fromkeys((TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE), on)
        elif name in _WAKEUPS:
            reach[TraceKind.TASK_WOKE] = frozenset(("tid", "other_tid", "other_cpu", "reason"))
        elif name == "sched_migrate_task":
            reach[TraceKind.TASK_MIGRATED] = frozenset(("tid", "other_tid", "other_cpu"))
        elif name == "sched_process_fork":
            reach[TraceKind.TASK_FORKED] = frozenset(("tid", "other_tid"))
    return reach


def convert_columns(
    source: str,
    parts: list[Columns],
    recorded: Iterable[str],
    names: Names,
    losses: Losses,
    notes: Sequence[str] = (),
    clock: str = GUEST_CLOCK,
) -> Conversion:
    """Table and capability of a trace of sched tracepoints, by rows that `columns_of` has made.

    `recorded` names the tracepoints that were on, whether or not they left a record; rows of kind
    EVIDENCE tell tasks' names and thread groups. `clock` is that of the times, as in Capability.
    """
    return conclude(source, parts, names, PROBES, reach_of(recorded), losses, notes, clock=clock)

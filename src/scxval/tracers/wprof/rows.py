# SPDX-License-Identifier: MIT
"""wprof's records to event rows, whichever of its formats they came in, and what a trace could see.

A switch is two rows, a waking one (its `cpu` is the waker's), an insertion into a dispatch queue one at the
moment of the insertion: wprof tells of it only when the wait ends, so that its `cpu` is the one where
it ended, and what never ran is not there. wprof names a task's state; `prev_state` is the number
that the tracepoint sched_switch has for that name, null where there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scxval.events.columns import EVIDENCE, NULL, Columns, Ints, Side, Wide, off_cpu, rows, switches
from scxval.events.schema import Reason, TraceKind
from scxval.formats.conversion import Reach
from scxval.tracers.wprof import LOST_PATTERN
from scxval.tracers.wprof.words import INSERTS, STATES

SOURCE = "wprof"
# Names of rows' probes are records of the JSON output, whatever the format.
PROBES = ("switch", "waking", "wakeup_new", "fork", "scx_dsq", "task")
SWITCH, WAKING, WAKEUP_NEW, FORK, SCX_DSQ, TASK = range(len(PROBES))

# Names with a number of their own in the tracepoint (include/linux/sched.h, 7.2: TASK_REPORT and
# __task_state_index). A killable or RT-lock wait and a frozen task are uninterruptible there.
_STATE_VALUES = {
    "runnable": 0x0,
    "interruptible_sleep": 0x1,
    "uninterruptible_sleep": 0x2,
    "killable_sleep": 0x2,
    "rtlock_wait": 0x2,
    "frozen": 0x2,
    "stopped": 0x4,
    "traced": 0x8,
    "exit_dead": 0x10,
    "exit_zombie": 0x20,
    "parked": 0x40,
    "idle": 0x80,
    "preempted": 0x100,
}
# What becomes of a task with one of the other names; anything else is of an unknown reason.
_LIKE = {"exit_trace": 0x10, "task_dead": 0x10, "freezable": 0x1}
_NO_STATE = 0x400
_VALUE = np.array([_STATE_VALUES.get(n, 0) for n in STATES] + [0], dtype=np.uint64)
_KNOWN = np.array([n in _STATE_VALUES for n in STATES] + [False])
_MEANS = np.array(
    [_STATE_VALUES.get(n, _LIKE.get(n, _NO_STATE)) for n in STATES] + [_NO_STATE], dtype=np.uint64
)
FIFO, VTIME, MOVE, UNKNOWN_INSERT = range(4)
INSERT_SORT = np.array([FIFO] * 2 + [VTIME] * 2 + [MOVE] * 4 + [UNKNOWN_INSERT])
# The sort by an insert type's place in INSERTS; the last element is for any other name.
INSERT_KINDS = {FIFO: TraceKind.DSQ_INSERT, VTIME: TraceKind.DSQ_INSERT_VTIME}


@dataclass(frozen=True)
class Moments:
    """When and where records happened: MONOTONIC ns, CPU, and the record's ordinal in the source."""

    time_ns: npt.NDArray[np.int64]
    cpu: Ints
    record: npt.NDArray[np.int64]


def switch_rows(at: Moments, prev: Side, next: Side, state: Ints) -> Columns:
    """Rows of switches; `state` are places in STATES, or -1 and -2 for any other name."""
    state = np.where(state < 0, len(STATES), state)
    kind, reason = off_cpu(_MEANS[state])
    return switches(
        at.time_ns,
        at.record,
        at.cpu,
        SWITCH,
        prev=prev,
        next=next,
        off_kind=kind,
        off_reason=reason,
        prev_state=Wide(_VALUE[state], _KNOWN[state]),
    )


def leave_rows(at: Moments, prev: Side, state: Ints) -> Columns:
    """Rows of tasks that went off their CPU for nobody knows whom; none for idle."""
    leaves = prev.tid > 0
    state = np.where(state < 0, len(STATES), state)[leaves]
    kind, reason = off_cpu(_MEANS[state])
    return rows(
        at.time_ns[leaves],
        2 * at.record[leaves],
        at.cpu[leaves],
        kind,
        SWITCH,
        tid=prev.tid[leaves],
        pid=NULL if prev.pid is None else prev.pid[leaves],
        comm=NULL if prev.comm is None else prev.comm[leaves],
        reason=reason,
        wide={"prev_state": Wide(_VALUE[state], _KNOWN[state])},
    )


def wake_rows(
    at: Moments, wakee: Side, waker: Ints, new: bool, target_cpu: Ints | None = None
) -> Columns:
    """Rows of wakings, or of the first wakeup of new tasks."""
    return rows(
        at.time_ns,
        2 * at.record,
        at.cpu,
        TraceKind.TASK_WOKE,
        WAKEUP_NEW if new else WAKING,
        reason=Reason.WAKEUP_NEW if new else Reason.WAKING,
        other_tid=waker,
        other_cpu=NULL if target_cpu is None else target_cpu,
        tid=wakee.tid,
        pid=_or_null(wakee.pid),
        comm=_or_null(wakee.comm),
    )


def fork_rows(at: Moments, child: Side, parent: Ints) -> Columns:
    """Rows of new tasks."""
    return rows(
        at.time_ns,
        2 * at.record,
        at.cpu,
        TraceKind.TASK_FORKED,
        FORK,
        other_tid=parent,
        tid=child.tid,
        pid=_or_null(child.pid),
        comm=_or_null(child.comm),
    )


def insert_rows(
    at: Moments, task: Side, sort: Ints, dsq: npt.NDArray[np.uint64]
) -> tuple[Columns, ...]:
    """Rows of insertions into dispatch queues, of both kinds; moves between queues have no row."""
    made = []
    for code, kind in INSERT_KINDS.items():
        which = np.flatnonzero(sort == code)
        made.append(
            rows(
                at.time_ns[which],
                2 * at.record[which],
                at.cpu[which],
                kind,
                SCX_DSQ,
                wide={"dsq_id": dsq[which]},
                tid=task.tid[which],
                pid=NULL if task.pid is None else task.pid[which],
                comm=NULL if task.comm is None else task.comm[which],
            )
        )
    return tuple(made)


def evidence_rows(at: Moments, task: Side) -> Columns:
    """Rows that only say what a task is called and whose it is."""
    return rows(
        at.time_ns,
        2 * at.record,
        at.cpu,
        EVIDENCE,
        TASK,
        tid=task.tid,
        pid=_or_null(task.pid),
        comm=_or_null(task.comm),
    )


def _or_null(values: Ints | None) -> Ints | int:
    return NULL if values is None else values


@dataclass
class Inserts:
    """Records of waits in dispatch queues, by what began the wait."""

    count: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, dtype=np.int64))
    without_start: int = 0

    def add(self, sort: Ints, has_start: npt.NDArray[np.bool_]) -> None:
        """Count some of them; one without a start began before the session."""
        self.count += np.bincount(sort[has_start], minlength=4)
        self.without_start += int((~has_start).sum())

    def sort_of(self, insert: Ints) -> Ints:
        """The sorts of insert types, places in INSERTS or -1 and -2 for any other name."""
        return INSERT_SORT[np.where(insert < 0, len(INSERTS), insert)]


@dataclass(frozen=True)
class Captured:
    """What a session recorded: None where the format does not say."""

    sched: bool = True
    wakeup: bool = True
    task_life: bool = True
    scx: bool | None = None


_OFF = frozenset(("tid", "other_tid", "prev_state", "reason"))
_ON = frozenset(("tid", "other_tid"))


def reach(captured: Captured, inserts: Inserts, target_cpu: bool = False) -> Reach:
    """Kinds that the session could show, with their columns.

    A dispatch queue's kind is there only when it was seen: wprof 0.5 hooks the insert functions that
    schedulers for 6.19 and later no longer call, so that none seen is not none made.
    """
    kinds: dict[TraceKind, frozenset[str]] = {}
    if captured.sched:
        leaves = (TraceKind.TASK_PREEMPTED, TraceKind.TASK_SLEPT, TraceKind.TASK_COMPLETED)
        kinds |= dict.fromkeys(leaves, _OFF)
        kinds |= dict.fromkeys((TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE), _ON)
    if captured.wakeup:
        target = ("other_cpu",) if target_cpu else ()
        kinds[TraceKind.TASK_WOKE] = frozenset(("tid", "other_tid", "reason", *target))
    if captured.task_life:
        kinds[TraceKind.TASK_FORKED] = _ON
    for sort, kind in INSERT_KINDS.items():
        if inserts.count[sort]:
            kinds[kind] = frozenset(("tid", "dsq_id"))
    return kinds


def dsq_notes(captured: Captured, inserts: Inserts, switched: int) -> list[str]:
    """What is to be known about dispatch queues in this trace."""
    notes = []
    seen = int(inserts.count[FIFO] + inserts.count[VTIME])
    if captured.scx is False:
        notes.append("recorded without -f scx: insertions into dispatch queues are not measured")
    elif not seen:
        unsaid = "" if captured.scx else " (it is not said whether -f scx was on)"
        notes.append(
            f"no insertion into a dispatch queue beside {switched} switches{unsaid}: not measured. "
            "wprof 0.5 does not hook scx_bpf_dsq_insert___v2 and __scx_bpf_dsq_insert_vtime, which "
            "sched_ext schedulers call from Linux 6.19 on; bpftrace and scxtop do"
        )
    else:
        notes.append(
            "insertions into dispatch queues: those of tasks that ran or were moved later; cpu is where "
            "that happened; a kind of insertion that was never seen is not measured"
        )
    if inserts.count[MOVE]:
        notes.append(
            f"{inserts.count[MOVE]} moves between dispatch queues (scx_bpf_dsq_move) have no kind and "
            "were left out"
        )
    if inserts.without_start:
        notes.append(
            f"{inserts.without_start} waits in dispatch queues that began before the session were left out"
        )
    return notes


def losses(trace: Path) -> tuple[int, list[str]]:
    """Events that wprof says it lost, in tracer.log beside the trace; a note when there is none."""
    log = trace.with_name("tracer.log")
    if not log.is_file():
        return 0, ["wprof tells of lost events on stderr only, and no tracer.log lies beside"]
    text = log.read_text(encoding="utf-8", errors="replace")
    return sum(int(m[1]) for m in re.finditer(LOST_PATTERN, text, re.MULTILINE)), []

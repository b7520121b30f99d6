# SPDX-License-Identifier: MIT
"""What each record of the simulator is called in its files, and as a kind of event."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scxval.events.columns import KIND, KINDS
from scxval.events.schema import Reason, TraceKind

# Why a slice ends, as both track formats say it.
OFF: dict[str, tuple[TraceKind, Reason | None]] = {
    "preempted": (TraceKind.TASK_PREEMPTED, Reason.PREEMPT),
    "yielded": (TraceKind.TASK_YIELDED, Reason.YIELD),
    "slept": (TraceKind.TASK_SLEPT, Reason.SLEEP),
    "completed": (TraceKind.TASK_COMPLETED, Reason.EXIT),
    # The task was on its CPU when the simulation ended: that is no reason of the task's.
    "sim_end": (TraceKind.SIMULATION_END, None),
}
# Instants of the two track formats; `ops.` is taken off first.
INSTANTS: dict[str, str] = {
    "wake": TraceKind.TASK_WOKE,
    "WAKEE": TraceKind.TASK_WOKE,
    "idle": TraceKind.CPU_IDLE,
    "CPU_IDLE": TraceKind.CPU_IDLE,
    "select_task_rq": TraceKind.SELECT_TASK_RQ,
    "enqueue": TraceKind.ENQUEUE_TASK,
    "enqueue_task": TraceKind.ENQUEUE_TASK,
    "balance": TraceKind.BALANCE,
    "pick_task": TraceKind.PICK_TASK,
    "set_next_task": TraceKind.SET_NEXT_TASK,
    "put_prev_task": TraceKind.PUT_PREV_TASK,
    "dsq_insert": TraceKind.DSQ_INSERT,
    "dsq_insert_vtime": TraceKind.DSQ_INSERT_VTIME,
    "dsq_move_to_local": TraceKind.DSQ_MOVE_TO_LOCAL,
    "kick_cpu": TraceKind.KICK_CPU,
    "IPI_SEND:single": TraceKind.KICK_CPU,
    "tick": TraceKind.TICK,
    "SOFTIRQ:timer": TraceKind.TICK,
}
# The names of the calls that the JSONL records.
CALLS: dict[str, str] = {
    "select_cpu": TraceKind.SELECT_TASK_RQ,
    "enqueue": TraceKind.ENQUEUE_TASK,
    "dispatch": TraceKind.BALANCE,
    "running": TraceKind.SET_NEXT_TASK,
    "stopping": TraceKind.PUT_PREV_TASK,
    "tick": TraceKind.TICK,
    "dsq_insert": TraceKind.DSQ_INSERT,
    "dsq_insert_vtime": TraceKind.DSQ_INSERT_VTIME,
    "dsq_move_to_local": TraceKind.DSQ_MOVE_TO_LOCAL,
    "kick_cpu": TraceKind.KICK_CPU,
}
# Kinds that the simulator got later; scxval has no others for them. Its names in files are theirs in
# snake case but for the last ones.
_LATER = re.findall(
    r"\w+",
    """
    DispatchRejected Runnable Dequeue Quiescent UpdateIdle InitTask ExitTask Enable SetCpumask
    CgroupInit CgroupExit CgroupSetBandwidth CgroupMove CreateDsq DestroyDsq DsqNrQueued
    IrqStart IrqEnd FutexBoost CgroupBwCharge CgroupBwDenied CgroupBwDequeueOnThrottle
    CgroupBwReenqueueOnReplenish CgroupBwReplenish LavdBailOnCgroupThrottle
    LavdReenqueueViaBtqDrain CbwPutAside CbwDrainBtqBatch CbwThrottleCgroups CgroupBwThrottle
    CgroupBwRefill HelperNow HelperTaskCgroup HelperTaskCpu MigrationDisabledSet
    """,
)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


LATER = {
    **{_snake(name): name for name in _LATER},
    "cgroup_bw_consume": "CgroupBwConsumeNs",
    "now": "HelperNow",
    "task_cgroup": "HelperTaskCgroup",
    "task_cpu": "HelperTaskCpu",
}

# Columns of the kinds that the two track formats have in common.
TRACK_REACH: dict[str, frozenset[str]] = {
    **{str(kind): frozenset(("tid", "reason")) for kind, reason in OFF.values() if reason},
    TraceKind.SIMULATION_END: frozenset(("tid",)),
    TraceKind.TASK_SCHEDULED: frozenset(("tid",)),
    TraceKind.TASK_WOKE: frozenset(("tid",)),
    TraceKind.CPU_IDLE: frozenset(("tid",)),
    TraceKind.PICK_TASK: frozenset(("tid",)),
}
CALL_REACH: dict[str, frozenset[str]] = {
    TraceKind.PUT_PREV_TASK: frozenset(("tid",)),
    TraceKind.SELECT_TASK_RQ: frozenset(("tid", "other_cpu")),
    TraceKind.ENQUEUE_TASK: frozenset(("tid", "flags")),
    TraceKind.BALANCE: frozenset(("other_tid",)),
    TraceKind.SET_NEXT_TASK: frozenset(("tid",)),
    TraceKind.DSQ_INSERT: frozenset(("tid", "dsq_id", "slice_ns")),
    TraceKind.DSQ_INSERT_VTIME: frozenset(("tid", "dsq_id", "slice_ns", "vtime")),
    TraceKind.DSQ_MOVE_TO_LOCAL: frozenset(("dsq_id", "success")),
    TraceKind.KICK_CPU: frozenset(("other_cpu",)),
    TraceKind.TICK: frozenset(("tid",)),
}
# Those of its own kinds that have the CPU they are about in `cpu`; of the others that is where they are.
ABOUT_A_CPU = ("UpdateIdle", "IrqStart", "IrqEnd")
# What a kind of the simulator's own may fill.
OWN_COLUMNS = ("tid", "other_cpu", "dsq_id", "flags")


@dataclass
class Kinds:
    """Codes of kinds: those of every source, then the simulator's own in the order of their coming."""

    code: dict[str, int] = field(default_factory=lambda: {str(k): KIND[k] for k in KINDS})

    # Codes are 8 bits wide in a table's making.
    LIMIT = 127

    def of(self, kind: str) -> int | None:
        """The code of a kind; None for no name of a kind, and when there is no room for another one."""
        if kind not in self.code and (
            len(self.code) >= self.LIMIT or not re.fullmatch(r"[\w.:-]{1,64}", kind, re.ASCII)
        ):
            return None
        return self.code.setdefault(kind, len(self.code))

    @property
    def list(self) -> list[str]:
        """The kinds by code."""
        return list(self.code)


def instant_kind(name: str) -> str:
    """The kind of an instant of a track format; its own name when it is not known."""
    bare = name.removeprefix("ops.")
    return INSTANTS.get(name) or LATER.get(bare) or name


def call_kind(name: str) -> str:
    """The kind of a call in the JSONL; its own name when it is not known."""
    return CALLS.get(name) or LATER.get(name) or name

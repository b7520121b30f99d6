# SPDX-License-Identifier: MIT
"""The canonical event table: one row per event, whatever traced or simulated it.

Rows are sorted by (time_ns, cpu, seq). Times are integer nanoseconds of the guest's CLOCK_MONOTONIC;
only comparisons rebase them. A null is "this source does not say", never zero.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

# Dictionary columns use 32-bit indices so that one schema serves every source.
_TEXT = pa.dictionary(pa.int32(), pa.string())

EVENT_SCHEMA = pa.schema(
    [
        pa.field("time_ns", pa.int64(), nullable=False),
        pa.field("cpu", pa.int16(), nullable=False),
        pa.field("kind", _TEXT, nullable=False),
        # The task the event is about; idle is tid 0, pid 0. Null: the source names no task.
        pa.field("tid", pa.int32()),
        pa.field("pid", pa.int32()),
        pa.field("comm", _TEXT),
        # Per kind: waker (TaskWoke), the task that goes off or on CPU on the other side of a switch.
        pa.field("other_tid", pa.int32()),
        # Per kind: previous CPU (SelectTaskRq: selected CPU), target CPU (KickCpu, TaskWoke), the CPU
        # whose frequency changed (CpuFrequency).
        pa.field("other_cpu", pa.int16()),
        pa.field("dsq_id", pa.uint64()),
        pa.field("slice_ns", pa.uint64()),
        pa.field("vtime", pa.uint64()),
        # Per kind: wakeup, enqueue or kick flags; CpuFrequency: the new frequency in kHz.
        pa.field("flags", pa.uint64()),
        # The raw task state word as the source printed it; see `reason` for what it means.
        pa.field("prev_state", pa.int64()),
        pa.field("reason", _TEXT),
        pa.field("success", pa.bool_()),
        # The tracepoint, function or record that the row came from.
        pa.field("probe", _TEXT, nullable=False),
        # The record's ordinal in the source file.
        pa.field("seq", pa.int64(), nullable=False),
    ]
)

# What the columns of CPUs hold: no kernel has more (NR_CPUS is at most 8192).
MAX_CPU = (1 << 15) - 1


class TraceKind(StrEnum):
    """The simulator scxsim's vocabulary, shared by every source. The set is open: keep unknown kinds."""

    TASK_SCHEDULED = "TaskScheduled"
    TASK_PREEMPTED = "TaskPreempted"
    TASK_YIELDED = "TaskYielded"
    TASK_SLEPT = "TaskSlept"
    TASK_WOKE = "TaskWoke"
    TASK_COMPLETED = "TaskCompleted"
    CPU_IDLE = "CpuIdle"
    SIMULATION_END = "SimulationEnd"
    PUT_PREV_TASK = "PutPrevTask"
    SELECT_TASK_RQ = "SelectTaskRq"
    ENQUEUE_TASK = "EnqueueTask"
    BALANCE = "Balance"
    PICK_TASK = "PickTask"
    SET_NEXT_TASK = "SetNextTask"
    DSQ_INSERT = "DsqInsert"
    DSQ_INSERT_VTIME = "DsqInsertVtime"
    DSQ_MOVE_TO_LOCAL = "DsqMoveToLocal"
    KICK_CPU = "KickCpu"
    TICK = "Tick"
    # Beyond the simulator's set: what real kernels also show.
    DEQUEUE_TASK = "DequeueTask"
    TASK_MIGRATED = "TaskMigrated"
    TASK_FORKED = "TaskForked"
    CPU_FREQUENCY = "CpuFrequency"


# Kinds that take the task off its CPU: each closes the slice that a TaskScheduled opened.
SWITCH_OUT_KINDS = (
    TraceKind.TASK_PREEMPTED,
    TraceKind.TASK_YIELDED,
    TraceKind.TASK_SLEPT,
    TraceKind.TASK_COMPLETED,
    TraceKind.SIMULATION_END,
)


class Reason(StrEnum):
    """Why a task left its CPU, and which of several records a wakeup is."""

    PREEMPT = "preempt"
    YIELD = "yield"
    SLEEP = "sleep"
    EXIT = "exit"
    UNKNOWN = "unknown"
    WAKING = "waking"
    WAKEUP = "wakeup"
    WAKEUP_NEW = "wakeup_new"


# Dispatch queue ids built into the kernel (include/linux/sched/ext.h, 7.2).
DSQ_INVALID = 1 << 63
DSQ_GLOBAL = (1 << 63) + 1
DSQ_LOCAL = (1 << 63) + 2
DSQ_BYPASS = (1 << 63) + 3
DSQ_LOCAL_ON = 0xC000000000000000
# A slice that never ends (SCX_SLICE_INF there).
SLICE_INFINITE = (1 << 64) - 1


def dsq_name(dsq_id: int) -> str:
    """A dispatch queue's name: GLOBAL, LOCAL, LOCAL_ON(3), or the id in hexadecimal."""
    fixed = {
        DSQ_INVALID: "INVALID",
        DSQ_GLOBAL: "GLOBAL",
        DSQ_LOCAL: "LOCAL",
        DSQ_BYPASS: "BYPASS",
    }
    if dsq_id in fixed:
        return fixed[dsq_id]
    if dsq_id & DSQ_LOCAL_ON == DSQ_LOCAL_ON:
        return f"LOCAL_ON({dsq_id & 0xFFFFFFFF})"
    return f"{dsq_id:#x}"

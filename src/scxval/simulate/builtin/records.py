# SPDX-License-Identifier: MIT
"""The engine's records (`struct sim_record`) as an event table and its capability, by whole columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.events.capability import Capability
from scxval.events.columns import (
    KIND,
    NULL,
    REASON,
    Columns,
    Names,
    Wide,
    canonical_order,
    complete_tasks,
    rows,
    to_table,
)
from scxval.events.schema import Reason, TraceKind
from scxval.simulate.base import VIRTUAL_CLOCK
from scxval.simulate.builtin.api import enumerators, record_dtype
from scxval.simulate.builtin.program import SimTask

SOURCE = "builtin"

_SWITCH = "sim:sched_switch"
# What each kind would come from in a kernel: a tracepoint, an operation of its class, or a kfunc.
PROBES: dict[TraceKind, str] = {
    TraceKind.TASK_SCHEDULED: _SWITCH,
    TraceKind.TASK_PREEMPTED: _SWITCH,
    TraceKind.TASK_YIELDED: _SWITCH,
    TraceKind.TASK_SLEPT: _SWITCH,
    TraceKind.TASK_WOKE: "sim:sched_wakeup",
    TraceKind.TASK_COMPLETED: _SWITCH,
    TraceKind.CPU_IDLE: _SWITCH,
    TraceKind.SIMULATION_END: "sim:end",
    TraceKind.PUT_PREV_TASK: "sim:put_prev_task",
    TraceKind.SELECT_TASK_RQ: "sim:select_task_rq",
    TraceKind.ENQUEUE_TASK: "sim:enqueue_task",
    TraceKind.BALANCE: "sim:balance",
    TraceKind.PICK_TASK: "sim:pick_task",
    TraceKind.SET_NEXT_TASK: "sim:set_next_task",
    TraceKind.DSQ_INSERT: "sim:scx_bpf_dsq_insert",
    TraceKind.DSQ_INSERT_VTIME: "sim:scx_bpf_dsq_insert_vtime",
    TraceKind.DSQ_MOVE_TO_LOCAL: "sim:scx_bpf_dsq_move_to_local",
    TraceKind.KICK_CPU: "sim:scx_bpf_kick_cpu",
    TraceKind.TICK: "sim:task_tick",
    TraceKind.DEQUEUE_TASK: "sim:dequeue_task",
    TraceKind.TASK_MIGRATED: "sim:sched_migrate_task",
}
_WAKING = "sim:sched_waking"
# The row of each CPU that says that it is idle at first.
_START = "sim:start"
_TASK = ["tid", "pid", "comm"]
_OFF = [*_TASK, "other_tid", "prev_state", "reason"]
# What the engine fills (engine/*.c); a column that it may leave out is among them.
FIELDS: dict[TraceKind, list[str]] = {
    TraceKind.TASK_SCHEDULED: [*_TASK, "other_tid"],
    TraceKind.TASK_PREEMPTED: _OFF,
    TraceKind.TASK_YIELDED: _OFF,
    TraceKind.TASK_SLEPT: _OFF,
    TraceKind.TASK_WOKE: [*_TASK, "other_tid", "other_cpu", "reason"],
    TraceKind.TASK_COMPLETED: _OFF,
    TraceKind.CPU_IDLE: ["tid", "pid", "other_tid"],
    TraceKind.SIMULATION_END: _TASK,
    TraceKind.PUT_PREV_TASK: [*_TASK, "other_tid", "other_cpu", "slice_ns"],
    TraceKind.SELECT_TASK_RQ: [*_TASK, "other_tid", "other_cpu", "flags"],
    TraceKind.ENQUEUE_TASK: [*_TASK, "other_tid", "other_cpu", "flags"],
    TraceKind.BALANCE: [*_TASK, "other_cpu"],
    TraceKind.PICK_TASK: [*_TASK, "other_tid", "other_cpu", "success"],
    TraceKind.SET_NEXT_TASK: [*_TASK, "other_tid", "other_cpu", "slice_ns"],
    TraceKind.DSQ_INSERT: [*_TASK, "other_tid", "dsq_id", "slice_ns", "flags"],
    TraceKind.DSQ_INSERT_VTIME: [*_TASK, "other_tid", "dsq_id", "slice_ns", "vtime", "flags"],
    TraceKind.DSQ_MOVE_TO_LOCAL: ["other_tid", "dsq_id", "success"],
    TraceKind.KICK_CPU: ["other_tid", "other_cpu", "flags"],
    TraceKind.TICK: [*_TASK, "other_cpu", "slice_ns"],
    TraceKind.DEQUEUE_TASK: [*_TASK, "other_tid", "other_cpu", "flags"],
    TraceKind.TASK_MIGRATED: [*_TASK, "other_tid", "other_cpu"],
}
# What is there whatever the scheduling class; the rest is sched_ext's.
LIFECYCLE = (
    TraceKind.TASK_SCHEDULED,
    TraceKind.TASK_PREEMPTED,
    TraceKind.TASK_YIELDED,
    TraceKind.TASK_SLEPT,
    TraceKind.TASK_WOKE,
    TraceKind.TASK_COMPLETED,
    TraceKind.CPU_IDLE,
    TraceKind.SIMULATION_END,
    TraceKind.TASK_MIGRATED,
)
Records = npt.NDArray[np.void]


def to_events(
    chunks: Iterable[Records], tasks: Iterable[SimTask], sched_ext: bool, cpus: int
) -> tuple[pa.Table, Capability]:
    """The event table of records in the order in which they were written, and what it can show.

    Before them stands a CpuIdle of each of the `cpus` at time 0: one that nothing ever runs on has no record,
    and was idle. No records (the scheduler never attached) make no rows.

    Of a scheduler that is not of sched_ext the kinds of sched_ext's class are left out: the engine
    carries such a model on the same queues, which a kernel would not show.
    """
    kinds = list(PROBES) if sched_ext else list(LIFECYCLE)
    names = Names()
    known = {task.tid: (task.pid, names.of(task.name)) for task in tasks}
    probes = [*dict.fromkeys(PROBES.values()), _WAKING, _START]
    columns = _columns(chunks, known, probes, cpus)
    if not sched_ext:
        columns = columns.take(np.isin(columns.kind, [KIND[kind] for kind in kinds]))
    table = to_table(complete_tasks(columns), names.list, probes)
    span = columns.time_ns
    capability = Capability(
        source=SOURCE,
        kinds=[str(kind) for kind in kinds],
        fields={str(kind): FIELDS[kind] for kind in kinds},
        window_ns=(int(span[0]), int(span[-1])) if len(span) else None,
        events=table.num_rows,
        clock=VIRTUAL_CLOCK,
        notes=["simulated: nothing but the workload's tasks runs"],
    )
    return table, capability


def _columns(
    chunks: Iterable[Records], known: dict[int, tuple[int, int]], probes: list[str], cpus: int
) -> Columns:
    records = [chunk for chunk in chunks if len(chunk)]
    if not records:
        return rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int16), 0, 0)
    whole = np.concatenate([_all_idle(cpus), *records])
    order = canonical_order(whole["time_ns"], whole["cpu"], np.arange(len(whole)))
    seq = np.arange(len(whole), dtype=np.int64) if order is None else order.astype(np.int64)
    made = whole if order is None else whole[order]
    has = {name: (made["has"] & bit) != 0 for name, bit in enumerators("sim_has").items()}
    pid, comm = _tasks(made["tid"], known)
    # The idle task is 0, no task at all -1.
    nobody = made["tid"] < 0
    reason = made["reason"].astype(np.int8) - 1
    probe = np.array([probes.index(p) for p in PROBES.values()], np.int16)[made["kind"]]
    probe[reason == REASON[Reason.WAKING]] = probes.index(_WAKING)
    probe[seq < cpus] = probes.index(_START)

    def narrow(name: str, bit: str) -> npt.NDArray[np.signedinteger]:
        return np.where(has[bit], made[name].astype(np.int32), NULL)

    def wide(name: str, bit: str) -> Wide:
        return Wide(np.ascontiguousarray(made[name]).view(np.uint64), has[bit])

    columns = rows(
        made["time_ns"].copy(),
        seq,
        made["cpu"],
        made["kind"].astype(np.int8),
        0,
        wide={
            "dsq_id": wide("dsq_id", "SIM_HAS_DSQ"),
            "slice_ns": wide("slice_ns", "SIM_HAS_SLICE"),
            "vtime": wide("vtime", "SIM_HAS_VTIME"),
            "flags": wide("flags", "SIM_HAS_FLAGS"),
            "prev_state": wide("prev_state", "SIM_HAS_STATE"),
        },
        tid=made["tid"],
        pid=np.where(nobody, NULL, pid),
        comm=comm,
        other_tid=narrow("other_tid", "SIM_HAS_OTHER_TID"),
        other_cpu=narrow("other_cpu", "SIM_HAS_OTHER_CPU"),
        reason=reason,
        success=narrow("success", "SIM_HAS_SUCCESS"),
    )
    return replace(columns, probe=probe)


def _all_idle(cpus: int) -> Records:
    idle = np.zeros(cpus, dtype=record_dtype())
    idle["kind"] = KIND[TraceKind.CPU_IDLE]
    idle["cpu"] = np.arange(cpus)
    return idle


def _tasks(
    tid: npt.NDArray[np.signedinteger], known: dict[int, tuple[int, int]]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Thread group and code of the name of each tid; idle is pid 0 without a name."""
    most = max(known, default=0)
    pids = np.full(most + 1, NULL, dtype=np.int32)
    comms = np.full(most + 1, NULL, dtype=np.int32)
    pids[0] = 0
    for number, (pid, comm) in known.items():
        pids[number], comms[number] = pid, comm
    inside = np.clip(tid, 0, most)
    return pids[inside], comms[inside]

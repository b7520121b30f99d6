# SPDX-License-Identifier: MIT
"""The simulator's three files of one list of records, as its exporters write them.

The protobuf is encoded by the protobuf library from the messages' public numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.formats.perfetto.protos import Trace
from tests.simulate.scxsim.scenario import LOCAL_ON, Record

PROCESS, TASK, CPU = 0x5C50_0000_0000_0001, 0x5C50_0100_0000_0000, 0x5C50_0200_0000_0000
PROCESS_PID = 0x5C51_5C51
OFF = {
    "TaskPreempted": "preempted",
    "TaskYielded": "yielded",
    "TaskSlept": "slept",
    "TaskCompleted": "completed",
    "SimulationEnd": "sim_end",
}
OPS = {
    "PutPrevTask": "put_prev_task",
    "SelectTaskRq": "select_task_rq",
    "EnqueueTask": "enqueue_task",
    "Balance": "balance",
    "PickTask": "pick_task",
    "SetNextTask": "set_next_task",
    "DsqMoveToLocal": "dsq_move_to_local",
}
STRUCTOPS = {
    "Runnable": "ops.runnable",
    "UpdateIdle": "ops.update_idle",
    "InitTask": "ops.init_task",
    "Enable": "ops.enable",
}
CALLS = {
    "SelectTaskRq": ("structop", "select_cpu"),
    "EnqueueTask": ("structop", "enqueue"),
    "Balance": ("structop", "dispatch"),
    "SetNextTask": ("structop", "running"),
    "PutPrevTask": ("structop", "stopping"),
    "Tick": ("structop", "tick"),
    "DsqInsert": ("helper", "dsq_insert"),
    "DsqInsertVtime": ("helper", "dsq_insert_vtime"),
    "DsqMoveToLocal": ("helper", "dsq_move_to_local"),
    "KickCpu": ("helper", "kick_cpu"),
    "Runnable": ("structop", "runnable"),
    "UpdateIdle": ("structop", "update_idle"),
    "InitTask": ("structop", "init_task"),
    "Enable": ("structop", "enable"),
}


def dsq_text(dsq_id: int) -> str:
    if dsq_id & LOCAL_ON == LOCAL_ON:
        return f"LOCAL_ON({dsq_id & 0xFFFFFFFF})"
    named = {(1 << 63) + 1: "GLOBAL", (1 << 63) + 2: "LOCAL"}
    return named.get(dsq_id, f"{dsq_id:#x}")


# -- Perfetto


def perfetto(records: Iterable[Record], tasks: list[str], cpus: int) -> bytes:
    trace = Trace()

    def track(uuid: int, parent: bool = True):
        packet = trace.packet.add(trusted_packet_sequence_id=1)
        packet.track_descriptor.uuid = uuid
        if parent:
            packet.track_descriptor.parent_uuid = PROCESS
        return packet.track_descriptor

    first = track(PROCESS, parent=False)
    first.process.pid, first.process.process_name = PROCESS_PID, "scxsim"
    lanes = [(CPU | c, -(c + 1), f"swapper/{c}") for c in range(cpus)]
    lanes += [(TASK | pid, pid, name) for pid, name in enumerate(tasks, 1)]
    for uuid, tid, name in lanes:
        thread = track(uuid).thread
        thread.pid, thread.tid, thread.thread_name = PROCESS_PID, tid, name
    for record in records:
        _packet(trace, record, tasks)
    return trace.SerializeToString()


def _packet(trace, record: Record, tasks: list[str]) -> None:
    packet = trace.packet.add(timestamp=record.time_ns, trusted_packet_sequence_id=1)
    event, args, kind, cpu = packet.track_event, record.args, record.kind, record.cpu
    pid = args.get("pid")
    comm = tasks[pid - 1] if pid else ""

    def note(**values) -> None:
        for name, value in values.items():
            made = event.debug_annotations.add(name=name)
            if isinstance(value, bool):
                made.bool_value = value
            elif isinstance(value, str):
                made.string_value = value
            elif name.removeprefix("wakee_").removeprefix("prev_") in ("pid", "tid", "rc"):
                made.int_value = value
            else:
                made.uint_value = value

    def of(kind_of: int, uuid: int, category: str, name: str) -> None:
        event.type, event.track_uuid = kind_of, uuid
        event.categories.append(category)
        if name:
            event.name = name

    def whose() -> None:
        note(pid=pid, tid=pid, comm=comm)

    if kind == "TaskScheduled":
        of(1, TASK | pid, "ONCPU", comm)
        note(cpu=cpu)
        whose()
    elif kind in OFF:
        of(2, TASK | pid, "ONCPU", "")
        note(cpu=cpu, pid=pid, tid=pid, offcpu_reason=OFF[kind])
    elif kind == "TaskWoke":
        of(3, TASK | pid, "WAKEE", "WAKEE")
        note(target_cpu=cpu, wakee_pid=pid, wakee_tid=pid, wakee_comm=comm)
    elif kind == "CpuIdle":
        of(3, CPU | cpu, "IDLE", "CPU_IDLE")
        note(cpu=cpu)
    elif kind in ("DsqInsert", "DsqInsertVtime"):
        vtime = {"vtime": args["vtime"]} if kind == "DsqInsertVtime" else {}
        of(3, TASK | pid, "SCX_DSQ", "dsq_insert_vtime" if vtime else "dsq_insert")
        dsq = args["dsq_id"]
        note(cpu=cpu, scx_dsq_id=dsq, scx_dsq=dsq_text(dsq), slice_ns=args["slice"], **vtime)
        whose()
    elif kind == "KickCpu":
        of(3, CPU | cpu, "IPI_SEND", "IPI_SEND:single")
        note(sender_cpu=cpu, target_cpu=args["target_cpu"])
    elif kind == "Tick":
        of(3, CPU | cpu, "SOFTIRQ", "SOFTIRQ:timer")
        note(cpu=cpu)
        whose()
    elif kind in OPS:
        of(3, CPU | cpu, "SCXSIM_OPS", OPS[kind])
        given = {k: v for k, v in args.items() if k != "pid" and v is not None}
        if "dsq_id" in given:
            dsq = given.pop("dsq_id")
            note(scx_dsq_id=dsq, scx_dsq=dsq_text(dsq))
        note(**given)
        if pid:
            whose()
    else:
        of(3, CPU | cpu, "SCXSIM_STRUCTOP", STRUCTOPS.get(kind, kind))
        note(**{k: int(v) if k == "idle" else v for k, v in args.items()})


# -- Chrome JSON


def chrome(records: Iterable[Record], tasks: list[str], cpus: int) -> bytes:
    elements = []
    for cpu in range(cpus):
        for what, name in (("process_name", f"CPU {cpu}"), ("thread_name", "running")):
            elements.append({"ph": "M", "pid": cpu, "tid": 0, "name": what, "args": {"name": name}})
    elements += [_element(record, tasks) for record in records]
    lines = (json.dumps(e, sort_keys=True, separators=(",", ":")) for e in elements)
    return b'{"traceEvents":[' + ",".join(lines).encode() + b"]}"


def _element(record: Record, tasks: list[str]) -> dict:
    kind, args = record.kind, dict(record.args)
    base = {"pid": record.cpu, "tid": 0, "ts": record.time_ns // 1000}
    pid = args.get("pid")
    if kind == "TaskScheduled":
        return {**base, "ph": "B", "name": tasks[pid - 1], "cat": "sched", "args": {"pid": pid}}
    if kind in OFF:
        return {**base, "ph": "E", "cat": "sched", "args": {"reason": OFF[kind], "pid": pid}}
    base |= {"ph": "i", "s": "t"}
    if kind == "CpuIdle":
        return {**base, "name": "idle"}
    if kind == "TaskWoke":
        return {**base, "name": "wake", "args": {"task": tasks[pid - 1], "pid": pid}}
    if "dsq_id" in args:
        args["dsq_id"] = dsq_text(args["dsq_id"])
    if "slice" in args:
        args["slice_ns"] = args.pop("slice")
    if kind == "EnqueueTask":
        return {
            **base,
            "name": "enqueue",
            "cat": "ops",
            "args": {"pid": pid, "enq_flags": f"{args['enq_flags']:#x}"},
        }
    plain = {"KickCpu": "kick_cpu", "Tick": "tick", "DsqInsert": "dsq_insert"}
    plain |= {"DsqInsertVtime": "dsq_insert_vtime", "DsqMoveToLocal": "dsq_move_to_local"}
    if kind in plain:
        return {**base, "name": plain[kind], "cat": "kfunc", "args": args}
    if kind in OPS:
        return {**base, "name": OPS[kind], "cat": "ops", "args": args}
    return {
        **base,
        "tid": pid or 0,
        "name": STRUCTOPS.get(kind, kind),
        "cat": "structop",
        "args": args,
    }


# -- JSONL


def jsonl(records: Iterable[Record]) -> bytes:
    return "".join(line for record in records for line in _lines(record)).encode()


def _lines(record: Record) -> list[str]:
    if record.kind not in CALLS:
        return []
    sort, name = CALLS[record.kind]
    args = dict(record.args)
    outer = args["pid"] if sort == "structop" and record.kind in STRUCTOPS and "pid" in args else 0
    if "pid" in args:
        args = {"task_pid": args.pop("pid"), **args}
    returned = None
    if record.kind == "SelectTaskRq":
        returned, args["wake_flags"] = args.pop("selected_cpu"), 0
    elif record.kind == "DsqMoveToLocal":
        returned = int(args.pop("success"))
    elif record.kind == "InitTask":
        returned = args.pop("rc")
    elif record.kind == "Balance":
        args = {"prev_cpu": record.cpu, "prev_pid": args["prev_pid"] or -1}
    elif record.kind == "PutPrevTask":
        args["still_runnable"] = int(args["still_runnable"])
    elif record.kind in ("DsqInsert", "DsqInsertVtime"):
        args["enq_flags"] = 0
    elif record.kind == "KickCpu":
        args = {"cpu_arg": args["target_cpu"], "flags": 0}
    elif record.kind == "UpdateIdle":
        args = {"cpu_arg": args["cpu"], "idle": args["idle"]}

    def line(phase: str, given: dict, value: int | None) -> str:
        body = {"ts_ns": record.time_ns, "cpu": record.cpu, "pid": outer, "kind": sort}
        body |= {"name": name, "phase": phase, "args": given, "ret": value}
        return json.dumps(body, separators=(",", ":")) + "\n"

    lines = [line("entry", args, None)]
    return lines if returned is None else [*lines, line("exit", {}, returned)]

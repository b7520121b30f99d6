# SPDX-License-Identifier: MIT
"""A second, slow reading of a bpftrace text, one line at a time: what the fast one must agree with.

Written from the semantics in the converter's docstring and sharing no code with it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

LEAD = re.compile(rb"(\d{1,19}) (\d{1,5}) ([A-Za-z_0-9]+)(?: (.*))?", re.DOTALL)
COMM = rb"[^\n]{0,15}"
FIELD = {"d": rb"(-?\d{1,10})", "u": rb"(\d{1,20})", "x": rb"0x([0-9a-f]{1,16})"}

# key:conversion pairs, then names. Several forms of a record are tried in order.
FORMS: dict[str, list[str]] = {
    "sched_switch": [
        "prev_pid:d prev_prio:d prev_state:x next_pid:d next_prio:d prev_tgid:d | and",
        "prev_pid:d prev_prio:d prev_state:x next_pid:d next_prio:d |",
    ],
    "sched_waking": ["by:d pid:d prio:d target_cpu:d | comm"],
    "sched_wakeup": ["by:d pid:d prio:d target_cpu:d | comm"],
    "sched_wakeup_new": ["by:d pid:d prio:d target_cpu:d | comm"],
    "sched_migrate_task": ["by:d pid:d prio:d orig_cpu:d dest_cpu:d"],
    "sched_process_fork": ["pid:d child_pid:d"],
    "sched_process_exit": ["pid:d tgid:d prio:d | comm"],
    "select_task_rq_scx": ["by:d pid:d prev_cpu:d wake_flags:x"],
    "select_task_rq_scx_ret": ["by:d ret_cpu:d"],
    "enqueue_task_scx": ["by:d rq_cpu:d pid:d flags:x"],
    "dequeue_task_scx": ["by:d rq_cpu:d pid:d flags:x"],
    "pick_task_scx": ["by:d rq_cpu:d"],
    "pick_task_scx_ret": ["by:d pid:d ret:d"],
    "set_next_task_scx": ["by:d rq_cpu:d pid:d first:d slice:u"],
    "put_prev_task_scx": ["by:d rq_cpu:d pid:d slice:u next_pid:d"],
    "task_tick_scx": ["rq_cpu:d pid:d slice:u"],
    "yield_task_scx": ["by:d rq_cpu:d"],
    "yield_task_fair": ["by:d rq_cpu:d"],
    "scx_bpf_dsq_insert___v2": ["by:d pid:d dsq:x slice:u enq_flags:x"],
    "scx_bpf_dsq_insert": ["by:d pid:d dsq:x slice:u enq_flags:x"],
    "__scx_bpf_dsq_insert_vtime": ["by:d pid:d dsq:x slice:u vtime:u enq_flags:x"],
    "scx_bpf_dsq_insert_vtime": ["by:d pid:d dsq:x slice:u vtime:u enq_flags:x"],
    "scx_bpf_dsq_move_to_local___v2": ["by:d dsq:x enq_flags:x"],
    "scx_bpf_dsq_move_to_local___v2_ret": ["by:d ret:d", "ret:d"],
    "scx_bpf_dsq_move_to_local": ["by:d dsq:x"],
    "scx_bpf_kick_cpu": ["by:d target:d flags:x"],
    "cpu_frequency": ["by:d on_cpu:d khz:u"],
    "BEGIN": [""],
    "END": [""],
}
KIND = {
    "sched_waking": "TaskWoke",
    "sched_wakeup": "TaskWoke",
    "sched_wakeup_new": "TaskWoke",
    "sched_migrate_task": "TaskMigrated",
    "sched_process_fork": "TaskForked",
    "select_task_rq_scx": "SelectTaskRq",
    "enqueue_task_scx": "EnqueueTask",
    "dequeue_task_scx": "DequeueTask",
    "pick_task_scx": "PickTask",
    "set_next_task_scx": "SetNextTask",
    "put_prev_task_scx": "PutPrevTask",
    "task_tick_scx": "Tick",
    "scx_bpf_dsq_insert___v2": "DsqInsert",
    "scx_bpf_dsq_insert": "DsqInsert",
    "__scx_bpf_dsq_insert_vtime": "DsqInsertVtime",
    "scx_bpf_dsq_insert_vtime": "DsqInsertVtime",
    "scx_bpf_dsq_move_to_local___v2": "DsqMoveToLocal",
    "scx_bpf_dsq_move_to_local": "DsqMoveToLocal",
    "scx_bpf_kick_cpu": "KickCpu",
    "cpu_frequency": "CpuFrequency",
}
OLDER = {
    "scx_bpf_dsq_insert": "scx_bpf_dsq_insert___v2",
    "scx_bpf_dsq_move_to_local": "scx_bpf_dsq_move_to_local___v2",
}


class Record(NamedTuple):
    time: int
    cpu: int
    line: int
    name: str
    f: dict[str, Any]


def parse_record(number: int, line: bytes) -> Record | None:
    """One line, or None when it is no record."""
    lead = LEAD.fullmatch(line)
    if lead is None or int(lead[1]) >= 1 << 63 or int(lead[2]) >= 1 << 15:
        return None
    name = lead[3].decode()
    for form in FORMS.get(name, []):
        fields = parse_form(name, form, lead[4])
        if fields is not None:
            return Record(int(lead[1]), int(lead[2]), number, name, fields)
    return None


def parse_form(name: str, form: str, rest: bytes | None) -> dict[str, Any] | None:
    if not form:
        return {} if rest is None else None
    numbers, bar, names = form.partition("|")
    pairs = [pair.split(":") for pair in numbers.split()]
    text = b" ".join(key.encode() + b"=" + FIELD[kind] for key, kind in pairs)
    names = names.strip()
    if bar:
        text += b" " + (b'comm="(%s)"' % COMM if names == "comm" else b'prev_comm="(.*)"')
    match = re.fullmatch(text, rest or b"", re.DOTALL)
    if match is None:
        return None
    found: dict[str, Any] = {}
    for (key, kind), value in zip(pairs, match.groups(), strict=False):
        number = int(value, 16 if kind == "x" else 10)
        if kind == "d" and not -(1 << 31) <= number < 1 << 31:
            return None
        if number >= 1 << 64 or ((key.endswith("cpu") or key == "target") and number >= 1 << 15):
            return None
        if name == "sched_switch" and key in ("prev_pid", "next_pid") and number < 0:
            return None
        found[key] = number
    if names == "comm":
        found["comm"] = match[match.lastindex].decode("utf-8", "replace")
    elif bar:
        between = b'" and next_comm="' if names == "and" else b'" next_comm="'
        both = match[match.lastindex]
        places = [
            at
            for at in range(16)
            if both.startswith(between, at) and len(both) - at - len(between) <= 15
        ]
        if not places:
            return None
        known = len(places) == 1
        at = places[0]
        found["prev_comm"] = both[:at].decode("utf-8", "replace") if known else None
        found["next_comm"] = both[at + len(between) :].decode("utf-8", "replace") if known else None
    return found


class Reading:
    """All lines of a text and the rows they make, as dictionaries without pid and filled names."""

    def __init__(self, text: bytes) -> None:
        lines = text.split(b"\n")
        cut = lines.pop()
        self.total = len(lines) + bool(cut)
        self.unparsed = int(bool(cut))
        self.other = self.lost = 0
        self.records: list[Record] = []
        for number, line in enumerate(lines):
            record = parse_record(number, line)
            if record is not None:
                self.records.append(record)
            elif lost := re.fullmatch(rb"Lost (\d{1,18}) events", line):
                self.lost += int(lost[1])
                self.other += 1
            elif not line or re.fullmatch(rb"# scxval bpftrace 1|# probe .*", line, re.DOTALL):
                self.other += 1
            else:
                self.unparsed += 1
        self.records.sort(key=lambda r: (r.time, r.cpu, r.line))
        self.names = Counter(r.name for r in self.records)
        gone = {old for old, new in OLDER.items() if old in self.names and new in self.names}
        self.used = [r for r in self.records if r.name.removesuffix("_ret") not in gone]
        self.rows = self.make_rows()

    def make_rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        state: dict[int, dict[str, Any]] = {}
        entry: dict[tuple[int, str], tuple[Record, dict[str, Any]] | None] = {}
        for record in self.used:
            f, name = record.f, record.name
            rq = state.setdefault(f.get("rq_cpu", record.cpu), {"yielder": None, "picks": 0})
            base = {
                "time_ns": record.time,
                "cpu": record.cpu,
                "seq": 2 * record.line,
                "probe": name,
            }
            if name.startswith("yield_task_"):
                rq["yielder"], rq["picks"] = f["by"], 0
            elif name == "sched_switch":
                rows += switch_rows(base, f, rq)
                rq["yielder"] = None
            elif name.endswith("_ret"):
                function = name.removesuffix("_ret")
                open_entry = entry.pop((record.cpu, function), None)
                if open_entry and f.get("by", open_entry[0].f["by"]) == open_entry[0].f["by"]:
                    row = open_entry[1]
                    if "ret_cpu" in f:
                        row["other_cpu"] = positive(f["ret_cpu"])
                    else:
                        row["success"] = f["ret"] != 0
                    if name == "pick_task_scx_ret":
                        row["tid"] = positive(f["pid"])
            elif name in KIND:
                if name == "pick_task_scx":
                    rq["picks"] += 1
                row = {**base, "kind": KIND[name], **columns(name, f)}
                rows.append(row)
                entry[record.cpu, name] = (record, row)
        return rows


def positive(number: int | None) -> int | None:
    return number if number is not None and number >= 0 else None


def columns(name: str, f: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"tid": positive(f.get("pid")), "other_tid": positive(f.get("by"))}
    if name == "sched_process_fork":
        row = {"tid": positive(f["child_pid"]), "other_tid": positive(f["pid"])}
    if name == "put_prev_task_scx":
        row["other_tid"] = positive(f["next_pid"])
    for key in ("rq_cpu", "target_cpu", "dest_cpu", "target", "on_cpu"):
        if key in f:
            row["other_cpu"] = positive(f[key])
    for key, column in (("dsq", "dsq_id"), ("slice", "slice_ns"), ("vtime", "vtime")):
        if key in f:
            row[column] = f[key]
    for key in ("flags", "wake_flags", "enq_flags", "khz"):
        if key in f:
            row["flags"] = f[key]
    if KIND[name] == "TaskWoke":
        row["reason"] = name.removeprefix("sched_")
    return row


def switch_rows(
    base: dict[str, Any], f: dict[str, Any], rq: dict[str, Any]
) -> list[dict[str, Any]]:
    prev, after, state = f["prev_pid"], f["next_pid"], f["prev_state"]
    rows = []
    if prev != 0:
        yielded = rq["yielder"] == prev and rq["picks"] <= 1
        if state & 0x100:
            kind, reason = "TaskPreempted", "preempt"
        elif state & 0x30:
            kind, reason = "TaskCompleted", "exit"
        elif state == 0:
            kind, reason = ("TaskYielded", "yield") if yielded else ("TaskPreempted", None)
        else:
            kind, reason = "TaskSlept", "sleep" if state < 0x100 else "unknown"
        signed = state - (1 << 64) if state >= 1 << 63 else state
        row = {**base, "kind": kind, "reason": reason, "prev_state": signed}
        rows.append({**row, "tid": positive(prev), "other_tid": positive(after)})
    row = {**base, "kind": "TaskScheduled" if after else "CpuIdle", "seq": base["seq"] + 1}
    return [*rows, {**row, "tid": positive(after), "other_tid": positive(prev)}]

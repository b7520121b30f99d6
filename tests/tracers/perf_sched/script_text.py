# SPDX-License-Identifier: MIT
"""The text of `perf script` as rows: a slow reading of the same file by perf itself."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path
from typing import Any

LINE = re.compile(r"^.* (-?\d+)/(-?\d+)\s+\[(\d+)\]\s+(\d+)\.(\d{9}):\s+sched:(\w+): (.*)$")
SWITCH = re.compile(r"^(.*):(\d+) \[-?\d+\] (\S+) ==> (.*):(\d+) \[-?\d+\]$")
NEW = re.compile(r"^(.*):(\d+) \[-?\d+\] CPU:(\d+)$")
WAKING = re.compile(r"^comm=(.*) pid=(\d+) prio=-?\d+ target_cpu=(\d+)$")
MIGRATED = re.compile(r"^comm=(.*) pid=(\d+) prio=-?\d+ orig_cpu=\d+ dest_cpu=(\d+)$")
FORKED = re.compile(r"^comm=(.*) pid=(\d+) child_comm=(.*) child_pid=(\d+)$")
# perf prints R for 0 and for 0x100 (preempted in the kernel) alike.
STATES = {"R": {0, 0x100}, "S": {1}, "D": {2}, "X": {0x10}, "Z": {0x20}, "I": {0x80}, "P": {0x40}}
ENDED = {"X": "TaskCompleted", "Z": "TaskCompleted", "R": "TaskPreempted"}

Row = dict[str, Any]


def script_rows(path: Path) -> tuple[list[Row], Counter[str]]:
    """The rows that each event makes, in perf's order of time, and how many events of each name."""
    rows: list[Row] = []
    counts: Counter[str] = Counter()
    with gzip.open(path, "rt") as lines:
        for line in lines:
            match = LINE.match(line.rstrip("\n"))
            assert match, line
            pid, tid, cpu, seconds, nanos, name, text = match.groups()
            counts[name] += 1
            # A task that is almost gone has no number there (-1), though its own record has it.
            by = {"other_tid": int(tid)} if int(tid) >= 0 else {}
            base = {"time_ns": int(seconds) * 10**9 + int(nanos), "cpu": int(cpu), "probe": name}
            rows += [base | row for row in _rows(name, text, int(pid), by)]
    return rows, counts


def _rows(name: str, text: str, pid: int, by: Row) -> list[Row]:
    if name == "sched_switch":
        prev_comm, prev, state, next_comm, following = _groups(SWITCH, text)
        off = {
            "kind": ENDED.get(state, "TaskSlept"),
            "tid": int(prev),
            "comm": prev_comm,
            "other_tid": int(following),
            "states": STATES[state],
        }
        if int(prev) == by.get("other_tid") and pid >= 0:
            off["pid"] = pid
        on = {"kind": "TaskScheduled" if int(following) else "CpuIdle"}
        on |= {"tid": int(following), "comm": next_comm, "other_tid": int(prev)}
        return [off, on] if int(prev) else [on]
    if name in ("sched_waking", "sched_wakeup_new"):
        comm, woken, cpu = _groups(NEW if name == "sched_wakeup_new" else WAKING, text)
        row = {"kind": "TaskWoke", "tid": int(woken), "comm": comm, **by}
        return [row | {"other_cpu": int(cpu), "reason": name.removeprefix("sched_")}]
    if name == "sched_migrate_task":
        comm, moved, cpu = _groups(MIGRATED, text)
        row = {"kind": "TaskMigrated", "tid": int(moved), "comm": comm, **by}
        return [row | {"other_cpu": int(cpu)}]
    if name == "sched_process_fork":
        _, parent, _, child = _groups(FORKED, text)
        return [{"kind": "TaskForked", "tid": int(child), "other_tid": int(parent)}]
    return []


def _groups(pattern: re.Pattern[str], text: str) -> tuple[Any, ...]:
    match = pattern.match(text)
    assert match, text
    return match.groups()

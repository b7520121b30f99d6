# SPDX-License-Identifier: MIT
"""A slow reading of wprof's JSON, written apart from the converter: json.loads and a dictionary a row."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from scxval.events.schema import EVENT_SCHEMA

FIXTURES = Path(__file__).parents[2] / "fixtures"
CAPTURES = ("wprof-rusty", "wprof-legacykf")
JSON = "replay-default.ndjson.gz"
PERFETTO = "replay-default.pb.gz"
EXTRAS = "replay-sched-tidpid-extras.pb.gz"

# What wprof calls a state: what became of the task, why, and the number in the kernel's tracepoint.
STATES = {
    "runnable": ("TaskPreempted", "unknown", 0),
    "preempted": ("TaskPreempted", "preempt", 256),
    "interruptible_sleep": ("TaskSlept", "sleep", 1),
    "uninterruptible_sleep": ("TaskSlept", "sleep", 2),
    "killable_sleep": ("TaskSlept", "sleep", 2),
    "idle": ("TaskSlept", "sleep", 128),
    "exit_zombie": ("TaskCompleted", "exit", 32),
    "exit_dead": ("TaskCompleted", "exit", 16),
}
INSERTS = {"dsq_insert": "DsqInsert", "dsq_insert_vtime": "DsqInsertVtime"}


def text(capture: str, name: str = JSON) -> bytes:
    """A capture's file, unpacked."""
    return gzip.decompress((FIXTURES / capture / name).read_bytes())


def slow_rows(data: bytes, start_ns: int) -> list[dict[str, Any]]:
    """The event table's rows of a JSON replay whose session began at `start_ns`."""
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(data.splitlines()):
        event = json.loads(line)
        if number == 0 or "t" not in event:
            continue
        kind = event["t"]
        seq = 2 * number
        base = {"time_ns": ns(event["ts"], start_ns), "cpu": event["cpu"], "probe": kind}
        if kind == "switch":
            prev, next_ = task(event["prev"]), task(event["next"])
            off, reason, state = STATES[event["prev_state"]]
            if prev["tid"] != 0:
                rows.append(
                    {**base, **prev, "kind": off, "reason": reason, "prev_state": state}
                    | {"other_tid": next_["tid"], "seq": seq}
                )
            on = "TaskScheduled" if next_["tid"] else "CpuIdle"
            rows.append({**base, **next_, "kind": on, "other_tid": prev["tid"], "seq": seq + 1})
        elif kind in ("waking", "wakeup_new"):
            woken = {"kind": "TaskWoke", "reason": kind, "seq": seq}
            rows.append(
                {**base, **task(event["wakee"]), **woken, "other_tid": task(event["waker"])["tid"]}
            )
        elif kind == "fork":
            forked = {"kind": "TaskForked", "other_tid": event["task"]["tid"], "seq": seq}
            rows.append({**base, **task(event["child"]), **forked})
        elif kind == "scx_dsq" and event["insert_type"] in INSERTS and "start_ts" in event:
            base["time_ns"] = ns(event["start_ts"], start_ns)
            inserted = {"kind": INSERTS[event["insert_type"]], "seq": seq}
            inserted["dsq_id"] = event["dsq_id"] % (1 << 64)
            rows.append({**base, **task(event["task"]), **inserted})
    rows.sort(key=lambda row: (row["time_ns"], row["cpu"], row["seq"]))
    return [{**dict.fromkeys(EVENT_SCHEMA.names), **row} for row in rows]


def ns(seconds: float, start_ns: int) -> int:
    """wprof's nine decimals, as a double, back to nanoseconds."""
    return round(seconds * 1e9) + start_ns


def task(given: dict[str, Any]) -> dict[str, Any]:
    """A task object's columns."""
    return {"tid": given.get("tid", 0), "pid": given["pid"], "comm": given["comm"][:15]}

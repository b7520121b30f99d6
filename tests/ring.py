# SPDX-License-Identifier: MIT
"""Ring-buffer pages read and written slowly, one record at a time, by the rules of ring_buffer.c."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """A data record: its time, its bytes, and where they begin in the pages."""

    time_ns: int
    data: bytes
    at: int


@dataclass(frozen=True)
class Event:
    """What a page is written of: `kind` is data, extend, stamp or padding, `step` its time's share."""

    kind: str
    step: int
    data: bytes = b""


@dataclass
class Page:
    """A page being written."""

    time_ns: int
    events: list[Event] = field(default_factory=list)

    def encode(self, size: int = 4096, flags: int = 0, missed: int | None = None) -> bytes:
        """The page, with the number of missed events behind its data where there is one."""
        body = b"".join(encode(event) for event in self.events)
        word = len(body) | flags
        if missed is not None:
            body += struct.pack("<q", missed)
        return (struct.pack("<QQ", self.time_ns, word) + body).ljust(size, b"\0")


def encode(event: Event) -> bytes:
    """One record of the ring buffer."""
    low, high = event.step & ((1 << 27) - 1), event.step >> 27
    if event.kind in ("extend", "stamp"):
        return struct.pack("<II", {"extend": 30, "stamp": 31}[event.kind] | low << 5, high)
    assert not high
    data = event.data.ljust(-(-len(event.data) // 4) * 4, b"\0")
    if event.kind == "padding":
        return struct.pack("<II", 29 | low << 5, 4 + len(data)) + data
    if 0 < len(data) <= 28 * 4:
        return struct.pack("<I", len(data) // 4 | low << 5) + data
    return struct.pack("<II", low << 5, 4 + len(data)) + data


def read(pages: bytes, size: int = 4096) -> Iterator[Record]:
    """All data records of whole pages that hold what they say."""
    for page in range(0, len(pages), size):
        time, word = struct.unpack_from("<QQ", pages, page)
        at, end = page + 16, page + 16 + (word & 0x3FFFFFFF)
        while at < end:
            (head,) = struct.unpack_from("<I", pages, at)
            kind, delta = head & 31, head >> 5
            (array,) = struct.unpack_from("<I", pages, at + 4) if at + 8 <= end else (0,)
            if kind == 29 and delta == 0:
                break
            if kind == 29:
                time += 0 if delta == 1 else delta
                at += 4 + array + -array % 4
            elif kind == 30:
                time += delta + (array << 27)
                at += 8
            elif kind == 31:
                stamp = delta + (array << 27) | time & 0xF8 << 56
                time = stamp + (1 << 59 if stamp < time and time >> 59 else 0)
                at += 8
            else:
                time += delta
                at, length = (at + 8, array - 4) if kind == 0 else (at + 4, kind * 4)
                yield Record(time, pages[at : at + length], at)
                at += length + -length % 4


def fields(format_text: str) -> dict[str, tuple[int, int, bool, bool]]:
    """Offset, size and sign of every field by name, and whether it only says where a text is."""
    found = re.findall(
        r"field:([^;]*?)(\w+)(?:\[\w*\])?;\s*offset:(\d+);\s*size:(\d+);\s*signed:(\d)", format_text
    )
    return {
        name: (int(at), int(size), sign == "1", "__data_loc" in kind)
        for kind, name, at, size, sign in found
    }


def rows(cpu: int, pages: bytes, formats: list[str]) -> Iterator[tuple[object, ...]]:
    """Rows of the event table that a CPU's records of sched tracepoints make, in the order of `row`."""
    known = {}
    for text in formats:
        number, name = re.search(r"^ID: (\d+)", text, re.M), re.search(r"^name: (\w+)", text, re.M)
        assert number and name
        known[int(number[1])] = (name[1], fields(text))
    for record in read(pages):
        name, places = known[struct.unpack_from("<H", record.data)[0]]
        value: dict[str, int | str] = {}
        for key, (at, size, sign, elsewhere) in places.items():
            raw = record.data[at : at + size]
            if elsewhere:
                where = int.from_bytes(raw, "little")
                text = record.data[where & 0xFFFF :][: where >> 16]
                value[key] = text.split(b"\0")[0].decode()
            elif size == 16:
                value[key] = raw.split(b"\0")[0].decode()
            else:
                value[key] = int.from_bytes(raw, "little", signed=sign)
        yield from row(name, record.time_ns, cpu, value)


_WAKE = {"sched_waking": "waking", "sched_wakeup": "wakeup", "sched_wakeup_new": "wakeup_new"}


def row(
    name: str, time_ns: int, cpu: int, value: dict[str, int | str]
) -> Iterator[tuple[object, ...]]:
    """(time_ns, cpu, kind, tid, comm, other_tid, other_cpu, prev_state, reason) of a record."""
    by = value["common_pid"]
    if name == "sched_switch":
        state = int(value["prev_state"])
        if value["prev_pid"] != 0:
            kind, reason = "TaskSlept", "sleep"
            if state & 0x100:
                kind, reason = "TaskPreempted", "preempt"
            elif state & 0x30:
                kind, reason = "TaskCompleted", "exit"
            elif state == 0:
                kind, reason = "TaskPreempted", "unknown"
            yield (
                *(time_ns, cpu, kind, value["prev_pid"], value["prev_comm"]),
                *(value["next_pid"], None, state, reason),
            )
        kind = "CpuIdle" if value["next_pid"] == 0 else "TaskScheduled"
        yield (
            *(time_ns, cpu, kind, value["next_pid"], value["next_comm"]),
            *(value["prev_pid"], None, None, None),
        )
    elif name in _WAKE:
        yield (
            *(time_ns, cpu, "TaskWoke", value["pid"], value["comm"], by),
            *(value["target_cpu"], None, _WAKE[name]),
        )
    elif name == "sched_migrate_task":
        yield (
            *(time_ns, cpu, "TaskMigrated", value["pid"], value["comm"], by),
            *(value["dest_cpu"], None, None),
        )
    elif name == "sched_process_fork":
        # The child's name is in its own records.
        yield (
            *(time_ns, cpu, "TaskForked", value["child_pid"], None),
            *(value["parent_pid"], None, None, None),
        )


COLUMNS = (
    "time_ns",
    "cpu",
    "kind",
    "tid",
    "comm",
    "other_tid",
    "other_cpu",
    "prev_state",
    "reason",
)

# SPDX-License-Identifier: MIT
"""Writes perf.data with struct, from the kernel's headers alone: whatever a test wants in it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

IP, TID, TIME, ADDR, READ, CALLCHAIN, ID, CPU, PERIOD, STREAM_ID, RAW = (1 << n for n in range(11))
IDENTIFIER = 1 << 16
USUAL = IDENTIFIER | IP | TID | TIME | CPU | PERIOD | RAW
SAMPLE_ID_ALL, USE_CLOCKID = 1 << 18, 1 << 25
COMMON = """
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
"""
SWITCH = f"""name: sched_switch
ID: 310
format:{COMMON}
	field:char prev_comm[16];	offset:8;	size:16;	signed:0;
	field:pid_t prev_pid;	offset:24;	size:4;	signed:1;
	field:int prev_prio;	offset:28;	size:4;	signed:1;
	field:long prev_state;	offset:32;	size:8;	signed:1;
	field:char next_comm[16];	offset:40;	size:16;	signed:0;
	field:pid_t next_pid;	offset:56;	size:4;	signed:1;
	field:int next_prio;	offset:60;	size:4;	signed:1;
"""
FORK = f"""name: sched_process_fork
ID: 304
format:{COMMON}
	field:__data_loc char[] parent_comm;	offset:8;	size:4;	signed:0;
	field:pid_t parent_pid;	offset:12;	size:4;	signed:1;
	field:__data_loc char[] child_comm;	offset:16;	size:4;	signed:0;
	field:pid_t child_pid;	offset:20;	size:4;	signed:1;
"""
POINTS = {"sched_switch": (310, SWITCH), "sched_process_fork": (304, FORK)}


def switch(prev: int, following: int, state: int = 1, names: tuple[str, str] = ("a", "b")) -> bytes:
    first, second = (name.encode() for name in names)
    return struct.pack(
        "<HBBi16siiq16sii", 310, 0, 0, prev, first, prev, 120, state, second, following, 120
    )


def fork(parent: int, child: int) -> bytes:
    return (
        struct.pack("<HBBiIiIi", 304, 0, 0, parent, 2 << 16 | 24, parent, 2 << 16 | 26, child)
        + b"a\0b\0"
    )


def record(kind: int, body: bytes, misc: int = 0) -> bytes:
    body += bytes(-len(body) % 8)
    return struct.pack("<IHH", kind, misc, 8 + len(body)) + body


@dataclass
class Event:
    """An event: what its samples hold."""

    name: str = "sched_switch"
    sample_type: int = USUAL
    read_format: int = 0
    flags: int = SAMPLE_ID_ALL | USE_CLOCKID
    clock: int = 1
    ids: tuple[int, ...] = (10, 11)

    def attr(self) -> bytes:
        point = POINTS[self.name][0] if self.name in POINTS else 9
        kind = 2 if self.name in POINTS else 1
        head = struct.pack(
            "<IIQQQQQ", kind, 144, point, 1, self.sample_type, self.read_format, self.flags
        )
        return (head.ljust(92, b"\0") + struct.pack("<i", self.clock)).ljust(144, b"\0")

    def sample(
        self, time: int, cpu: int, raw: bytes, pid: int = 7, tid: int = 7, chain: int = 3
    ) -> bytes:
        body = b""
        for bit, part in (
            (IDENTIFIER, struct.pack("<Q", self.ids[0] if self.ids else 0)),
            (IP, bytes(8)),
            (TID, struct.pack("<ii", pid, tid)),
            (TIME, struct.pack("<Q", time)),
            (ADDR, b"\xff" * 8),
            (ID, struct.pack("<Q", self.ids[0] if self.ids else 0)),
            (STREAM_ID, b"\xee" * 8),
            (CPU, struct.pack("<II", cpu, 0xDDDDDDDD)),
            (PERIOD, struct.pack("<Q", 1)),
            (READ, self._read()),
            (CALLCHAIN, struct.pack("<Q", chain) + b"\xcc" * 8 * chain),
        ):
            body += part if self.sample_type & bit else b""
        if self.sample_type & RAW:
            # Padded so that size and data fill whole 8 bytes.
            raw += bytes(-(len(raw) + 4) % 8)
            body += struct.pack("<I", len(raw)) + raw
        return record(9, body)

    def _read(self) -> bytes:
        more = (self.read_format & 3).bit_count()
        each = 1 + (self.read_format & 0x14).bit_count()
        if not self.read_format & 8:
            return b"\xbb" * 8 * (more + each)
        return struct.pack("<Q", 2) + b"\xbb" * 8 * (more + 2 * each)

    def trailer(self, time: int, cpu: int, pid: int = 0, tid: int = 0) -> bytes:
        if not self.flags & SAMPLE_ID_ALL:
            return b""
        found = b""
        for bit, part in (
            (TID, struct.pack("<ii", pid, tid)),
            (TIME, struct.pack("<Q", time)),
            (ID, struct.pack("<Q", 10)),
            (STREAM_ID, bytes(8)),
            (CPU, struct.pack("<II", cpu, 0)),
            (IDENTIFIER, struct.pack("<Q", 10)),
        ):
            found += part if self.sample_type & bit else b""
        return found

    def comm(self, time: int, pid: int, tid: int, name: str) -> bytes:
        text = name.encode() + b"\0"
        text += bytes(-len(text) % 8)
        return record(3, struct.pack("<ii", pid, tid) + text + self.trailer(time, 0))

    def forked(self, time: int, pid: int, tid: int, kind: int = 7) -> bytes:
        body = struct.pack("<iiiiQ", pid, 1, tid, 1, time)
        return record(kind, body + self.trailer(time, 0))


@dataclass
class File:
    """A whole file; `data` are its records."""

    events: list[Event] = field(default_factory=lambda: [Event()])
    data: bytes = b""
    described: tuple[str, ...] = ("sched_switch", "sched_process_fork")

    def tracing(self) -> bytes:
        found = b"\x17\x08Dtracing0.6\0" + struct.pack("<BBI", 0, 8, 4096)
        for name in (b"header_page", b"header_event"):
            found += name + b"\0" + struct.pack("<Q", 5) + b"page:"
        texts = [POINTS[name][1].encode() for name in self.described]
        found += struct.pack("<I", 0) + struct.pack("<I", 1) + b"sched\0"
        found += struct.pack("<I", len(texts))
        for text in texts:
            found += struct.pack("<Q", len(text)) + text
        return found + struct.pack("<IIQ", 0, 0, 0)

    def bytes(self) -> bytes:
        attrs, ids = b"", b""
        at = 104 + 160 * len(self.events)
        for event in self.events:
            mine = struct.pack(f"<{len(event.ids)}Q", *event.ids)
            attrs += event.attr() + struct.pack("<QQ", at + len(ids), len(mine))
            ids += mine
        begin = at + len(ids)
        end = begin + len(self.data)
        tracing = self.tracing()
        head = struct.pack(
            "<8s8Q4Q",
            b"PERFILE2",
            104,
            160,
            104,
            len(attrs),
            begin,
            len(self.data),
            0,
            0,
            2,
            0,
            0,
            0,
        )
        section = struct.pack("<QQ", end + 16, len(tracing))
        return head + attrs + ids + self.data + section + tracing

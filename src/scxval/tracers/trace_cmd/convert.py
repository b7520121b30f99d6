# SPDX-License-Identifier: MIT
"""Turns trace.dat into the event table and its capability record.

What a row means is in docs/events.md, and for the sched tracepoints in sched_records. `seq` is twice the
record's place in the file (CPU after CPU), plus one for what comes on in a switch. Times are taken as
they were recorded: offsets that trace-cmd would add when it reports are not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scxval.errors import ScxvalError
from scxval.formats.ringbuffer import PageLayout, parse_layout
from scxval.tracers.conversion import Conversion
from scxval.tracers.raw_records import (
    Bytes,
    RingReader,
    losses_of,
    notes_of,
    parse_tracepoints,
    selected_clock,
    task_evidence,
)
from scxval.tracers.sched_records import FIELDS, convert_records
from scxval.tracers.trace_cmd.file import (
    MAGIC,
    Buffer,
    CpuPages,
    Cursor,
    Header,
    opened,
    read_header,
    unpack,
)

SOURCE = "trace-cmd"


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file is that of a trace.dat, of any version."""
    return head.startswith(MAGIC)


def convert(path: Path) -> Conversion:
    """Convert a trace.dat of version 6 or 7, plain or .gz.

    The pages of one CPU are held at a time. Raises ScxvalError for a file that cannot be read, or
    whose times are not CLOCK_MONOTONIC.
    """
    with opened(path) as cursor:
        header = read_header(cursor)
        buffer = next((b for b in header.buffers if b.cpus), header.buffers[0])
        selected_clock(buffer.clock or header.clock, str(path))
        layout = _layout(header, buffer)
        points = parse_tracepoints(header.formats)
        recorded = [point.name for point in points if point.name in FIELDS]
        if not recorded:
            raise ScxvalError(
                f"{path}: none of the tracepoints {', '.join(FIELDS)} was recorded: record them with -e"
            )
        reader = RingReader(layout, points)
        for place in buffer.cpus:
            reader.add(place.cpu, _pages(cursor, header, place, reader))
    tally = reader.tally
    # trace-cmd does not save thread groups.
    evidence = task_evidence(header.cmdlines, "", reader.names, tally.last_ns, tally.records)
    notes = [*_notes(header, buffer), *notes_of(tally)]
    losses = losses_of(tally, header.stats)
    return convert_records(
        SOURCE, reader.records(), recorded, reader.names, losses, notes, [evidence]
    )


def _layout(header: Header, buffer: Buffer) -> PageLayout:
    layout = parse_layout(header.header_page, header.header_event)
    # Sub-buffers of more than a page: the instance's own size counts.
    size = buffer.page_bytes or layout.page_bytes
    if size % 8 or not 64 <= size <= 1 << 26:
        raise ScxvalError(f"pages of {size} bytes; expected 64 to 2^26")
    return PageLayout(size, layout.commit_bytes)


def _pages(cursor: Cursor, header: Header, place: CpuPages, reader: RingReader) -> Bytes:
    """A CPU's pages, unpacked, up to where the file is cut off or damaged."""
    there = max(0, min(place.size, cursor.size - place.offset))
    if there < place.size:
        reader.tally.cut.append(place.cpu)
    cursor.file.seek(min(place.offset, cursor.size))
    data = cursor.file.read(there)
    if header.compression == "none":
        return np.frombuffer(data, dtype=np.uint8)
    pieces = []
    try:
        for piece in _chunks(data, header.compression, f"CPU {place.cpu}"):
            pieces.append(np.frombuffer(piece, dtype=np.uint8))
    except ScxvalError as error:
        reader.tally.unreadable(1, str(error))
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint8)


def _chunks(data: bytes, compression: str, what: str) -> Iterator[bytes]:
    if not data:
        return
    count = int.from_bytes(data[:4], "little")
    at = 4
    for number in range(count):
        if at + 8 > len(data):
            raise ScxvalError(f"{what}: chunk {number} of {count} is cut off")
        packed, unpacked = struct.unpack_from("<II", data, at)
        at += 8
        yield unpack(data[at : at + packed], unpacked, compression, f"{what}: chunk {number}")
        at += packed


def _notes(header: Header, buffer: Buffer) -> list[str]:
    notes = []
    others = [b.instance or "(top)" for b in header.buffers if b is not buffer]
    if others:
        notes.append(f"instances that are not in the table: {', '.join(others)}")
    if header.time_offset:
        notes.append(f"a time offset of {header.time_offset} in the file is not applied")
    return notes

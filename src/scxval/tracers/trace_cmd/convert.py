# SPDX-License-Identifier: MIT
"""Turns trace.dat into the event table and its capability record.

What a row means is in sched_records. `seq` is twice the record's place in the file (CPU after CPU),
plus one for what comes on in a switch. Times are taken as they were recorded: offsets that trace-cmd
would add when it reports are not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from scxval.errors import ScxvalError
from scxval.formats.conversion import Conversion
from scxval.formats.ringbuffer import PageLayout, parse_layout
from scxval.tracers.raw_records import (
    RingReader,
    opened,
    page_blocks,
    parse_tracepoints,
    pieces_of,
    selected_clock,
)
from scxval.tracers.sched_records import FIELDS
from scxval.tracers.trace_cmd.file import (
    MAGIC,
    Buffer,
    CpuPages,
    Cursor,
    Header,
    read_header,
    unpack,
)

SOURCE = "trace-cmd"


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file is that of a trace.dat, of any version."""
    return head.startswith(MAGIC)


def convert(path: Path) -> Conversion:
    """Convert a trace.dat of version 6 or 7, plain or .gz.

    Raises ScxvalError for a file that cannot be read, or whose clock does not count nanoseconds.
    """
    with opened(path) as (file, cut):
        cursor = Cursor(file, str(path))
        header = read_header(cursor)
        buffer = next((b for b in header.buffers if b.cpus), header.buffers[0])
        clock, clock_note = selected_clock(buffer.clock or header.clock, str(path))
        layout = _layout(header, buffer)
        points = parse_tracepoints(header.formats)
        if not any(point.name in FIELDS for point in points):
            raise ScxvalError(
                f"{path}: none of the tracepoints {', '.join(FIELDS)} was recorded: record them with -e"
            )
        reader = RingReader(layout, points)
        for place in buffer.cpus:
            pieces = _pages(cursor, header, place, reader)
            for block in page_blocks(pieces, layout.page_bytes):
                reader.add(place.cpu, block)
    notes = [clock_note, *_notes(header, buffer, cut)]
    # trace-cmd does not save thread groups.
    return reader.conclude(SOURCE, (header.cmdlines, ""), header.stats, notes, clock)


def _layout(header: Header, buffer: Buffer) -> PageLayout:
    layout = parse_layout(header.header_page, header.header_event)
    # Sub-buffers of more than a page: the instance's own size counts.
    size = buffer.page_bytes or layout.page_bytes
    if size % 8 or not 64 <= size <= 1 << 26:
        raise ScxvalError(f"pages of {size} bytes; expected 64 to 2^26")
    return PageLayout(size, layout.commit_bytes)


def _pages(cursor: Cursor, header: Header, place: CpuPages, reader: RingReader) -> Iterator[bytes]:
    """A CPU's pages, unpacked piece by piece, up to where the file is cut off or damaged."""
    there = max(0, min(place.size, cursor.size - place.offset))
    if there < place.size:
        reader.tally.cut.append(place.cpu)
    if header.compression == "none" or not there:
        yield from pieces_of(cursor.file, place.offset, there)
        return
    try:
        yield from _chunks(cursor.file, place.offset, there, header.compression, place.cpu)
    except ScxvalError as error:
        reader.tally.unreadable(1, str(error))


def _chunks(file: BinaryIO, at: int, size: int, compression: str, cpu: int) -> Iterator[bytes]:
    end = at + size
    file.seek(at)
    count = int.from_bytes(file.read(min(4, size)), "little")
    at += 4
    for number in range(count):
        what = f"CPU {cpu}: chunk {number} of {count}"
        head = file.read(8)
        if at + 8 > end:
            raise ScxvalError(f"{what} is cut off")
        packed, unpacked = struct.unpack("<II", head)
        at += 8 + packed
        if at > end:
            raise ScxvalError(f"{what} is cut off")
        yield unpack(file.read(packed), unpacked, compression, what)


def _notes(header: Header, buffer: Buffer, cut: str) -> list[str]:
    notes = [cut] if cut else []
    others = [b.instance or "(top)" for b in header.buffers if b is not buffer]
    if others:
        notes.append(f"instances that are not in the table: {', '.join(others)}")
    if header.time_offset:
        notes.append(f"a time offset of {header.time_offset} in the file is not applied")
    return notes

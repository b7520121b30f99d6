# SPDX-License-Identifier: MIT
"""Turns raw ftrace into the event table and its capability record: ftrace.tar, or the text of tracefs.

What a row means is in sched_records. `seq` is twice the record's place in the file (CPU after CPU in
a tar, the line's number in a text), plus one for what comes on in a switch.
"""

from __future__ import annotations

from pathlib import Path

from scxval.errors import ScxvalError
from scxval.formats.conversion import Conversion
from scxval.formats.ringbuffer import PageLayout, parse_layout
from scxval.formats.source import read_head
from scxval.tracers.ftrace.archive import PREFIX, Archive, read_archive
from scxval.tracers.ftrace.text import convert_text, is_text
from scxval.tracers.raw_records import (
    RingReader,
    opened,
    page_blocks,
    parse_tracepoints,
    pieces_of,
    selected_clock,
)
from scxval.tracers.sched_records import FIELDS

SOURCE = "ftrace"
_HEAD_BYTES = 4096


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file is the recorder's tar, or a text of `trace` or `trace_pipe`."""
    return _is_tar(head) or is_text(head)


def _is_tar(head: bytes) -> bool:
    return head.startswith(PREFIX.encode()) and head[257:262] == b"ustar"


def convert(path: Path) -> Conversion:
    """Convert ftrace.tar or a tracefs text, plain or .gz.

    Raises ScxvalError for a file that cannot be read, or whose clock does not count nanoseconds.
    """
    if not _is_tar(read_head(path, _HEAD_BYTES)):
        return convert_text(SOURCE, path)
    with opened(path) as (file, cut):
        archive = read_archive(file)
        clock, clock_note = selected_clock(archive.text("trace_clock"), str(path))
        layout = _layout(archive)
        points = parse_tracepoints(archive.formats)
        if not any(point.name in FIELDS for point in points):
            raise ScxvalError(f"{path}: no format of any of {', '.join(FIELDS)}; record again")
        reader = RingReader(layout, points)
        for cpu, (at, size) in archive.pages.items():
            for block in page_blocks(pieces_of(file, at, size), layout.page_bytes):
                reader.add(cpu, block)
    # Told once a CPU, however often it was met.
    reader.tally.cut += archive.short
    saved = (archive.texts.get("saved_cmdlines", ""), archive.texts.get("saved_tgids", ""))
    notes = [clock_note, *_notes(archive, cut)]
    return reader.conclude(SOURCE, saved, archive.stats.values(), notes, clock)


def _layout(archive: Archive) -> PageLayout:
    return parse_layout(archive.text("events/header_page"), archive.text("events/header_event"))


def _notes(archive: Archive, cut: str) -> list[str]:
    notes = [cut] if cut else []
    absent = sorted(set(archive.stats) - set(archive.pages))
    if absent:
        notes.append(f"the file is cut off: no pages of CPU {', '.join(map(str, absent))}")
    elif not archive.complete:
        notes.append("the file has no end mark: it is cut off")
    return notes

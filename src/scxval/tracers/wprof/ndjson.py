# SPDX-License-Identifier: MIT
"""wprof's JSON output (-J): a header line, stack traces, then one event a line in order of time.

The file is read in pieces, so that what is in memory is the table, not the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError
from scxval.events.columns import Columns, Names, Side, merge
from scxval.events.gather import Gathered
from scxval.formats.conversion import EXAMPLE_CHARS, EXAMPLES, Conversion, Losses, conclude
from scxval.formats.source import Source, whole_lines
from scxval.tracers.wprof import rows
from scxval.tracers.wprof.interning import Interner
from scxval.tracers.wprof.scan import BAD, FIRST, NONE, SECOND, WAKER, Lines, read_lines
from scxval.tracers.wprof.session import check_version, from_timestamp, origin
from scxval.tracers.wprof.words import EVENTS

# What the header has and no other line: enough to tell it from other tools' JSON.
HEADER_KEYS = (b'"version"', b'"timer_freq_hz"', b'"capture_ipis"')
# How a stack trace's line begins; the header says how many there are.
STACK = b'{"id":'
CUT_NOTE = "the file ends within a line: only what came before is here"


def recognises(head: bytes) -> bool:
    """Whether a file begins with the header of wprof's JSON."""
    first = head.partition(b"\n")[0].lstrip(b" ")
    return first.startswith(b"{") and all(key in first for key in HEADER_KEYS)


@dataclass(frozen=True)
class Header:
    """The first line, as far as it matters here."""

    captured: rows.Captured
    timestamp: str
    duration_ns: int | None
    stacks: int
    notes: list[str]


def read_header(line: bytes, where: str) -> Header:
    """Read the header line. Raises ScxvalError when it is none, or of a foreign version."""
    try:
        data = json.loads(line)
        version = str(data["version"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ScxvalError(
            f"{where}: its first line is no header of wprof's JSON: {error}"
        ) from error
    check_version(version, where)
    try:
        return Header(
            captured=rows.Captured(
                sched=bool(data.get("capture_sched", True)),
                wakeup=bool(data.get("capture_wakeup", True)),
                task_life=bool(data.get("capture_task_life", True)),
                scx=bool(data.get("capture_scx", False)),
            ),
            timestamp=str(data.get("timestamp", "")),
            duration_ns=round(float(data["dur"]) * 1e9) if "dur" in data else None,
            stacks=int(data.get("stack_cnt", 0)),
            notes=_extras(data.get("extras")),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise ScxvalError(f"{where}: the header of wprof's JSON cannot be read: {error}") from error


def _extras(given: Any) -> list[str]:
    """A note with the options that a recording was made with, such as filters."""
    if not given:
        return []
    told = " ".join(map(str, given)) if isinstance(given, list) else str(given)
    return [f"recorded with {told[:EXAMPLE_CHARS]}: what a filter left out is not here"]


@dataclass
class _Reading:
    """What has been read so far."""

    names: Names = field(default_factory=Names)
    interner: Interner = field(default_factory=Interner)
    gathered: Gathered = field(default_factory=Gathered)
    inserts: rows.Inserts = field(default_factory=rows.Inserts)
    examples: list[str] = field(default_factory=list)
    unparsed: int = 0
    switches: int = 0
    lines: int = 0
    cut: str = ""


def convert(path: Path) -> Conversion:
    """Convert a file of wprof's JSON, plain or gzip.

    Raises ScxvalError when it cannot be read or its header is missing or of a foreign version.
    """
    pieces = whole_lines(path)
    first = next(pieces, Source(b""))
    line, _, rest = first.data.partition(b"\n")
    header = read_header(line, str(path))
    began = origin(path, from_timestamp(header.timestamp, header.duration_ns))
    reading = _Reading(lines=1)
    for piece in _with_first(Source(rest, first.note), pieces):
        _take(piece, header.stacks, began.mono_ns, reading)
    lost, loss_notes = rows.losses(path)
    notes = [*([reading.cut] if reading.cut else []), began.note, *header.notes, *loss_notes]
    notes += rows.dsq_notes(header.captured, reading.inserts, reading.switches)
    return conclude(
        rows.SOURCE,
        [reading.gathered.take()],
        reading.names,
        rows.PROBES,
        rows.reach(header.captured, reading.inserts),
        Losses(lost, reading.unparsed, reading.examples),
        notes,
        # wprof has sorted its records by time, and an insertion is dated back.
        ordered=False,
        clock=began.clock,
    )


def _with_first(first: Source, others: Iterator[Source]) -> Iterator[Source]:
    yield first
    yield from others


def _take(piece: Source, stacks: int, mono_ns: int, reading: _Reading) -> None:
    """Add a piece's rows to what was read."""
    lines = read_lines(piece.data, reading.interner)
    number = reading.lines + np.arange(len(lines.kind))
    bad = np.flatnonzero(lines.kind == BAD)
    bad = bad[(number[bad] > stacks) | ~_begins(piece.data, lines.begin[bad], STACK)]
    reading.lines += len(number)
    if piece.note or (len(bad) and bad[-1] == len(number) - 1 and piece.data[-1:] != b"\n"):
        reading.cut = piece.note or CUT_NOTE
    reading.unparsed += len(bad)
    for row in bad[: EXAMPLES - len(reading.examples)]:
        begin = int(lines.begin[row])
        text = piece.data[begin : begin + EXAMPLE_CHARS].partition(b"\n")[0]
        reading.examples.append(f"line {number[row] + 1}: {text.decode('utf-8', 'replace')}")
    reading.gathered.add(merge(_rows(lines, number, mono_ns, reading)))


def _begins(text: bytes, at: npt.NDArray[np.int64], what: bytes) -> npt.NDArray[np.bool_]:
    """Whether these bytes stand at each place."""
    data = np.frombuffer(text + bytes(len(what)), dtype=np.uint8)
    return np.asarray((data[at[:, None] + np.arange(len(what))] == list(what)).all(axis=1))


def _rows(
    lines: Lines, number: npt.NDArray[np.int64], mono_ns: int, reading: _Reading
) -> list[Columns]:
    """The rows of a piece."""

    codes = reading.interner.codes(reading.names)

    def of(kind: str) -> npt.NDArray[np.int64]:
        return np.flatnonzero(lines.kind == EVENTS.index(kind))

    def at(which: npt.NDArray[np.int64], ns: npt.NDArray[np.int64] = lines.ns) -> rows.Moments:
        return rows.Moments(ns[which] + mono_ns, lines.cpu[which], number[which])

    def task(slot: int, which: npt.NDArray[np.int64]) -> Side:
        comm = codes[lines.comm[slot][which]]
        return Side(lines.tid[slot][which], lines.pid[slot][which], comm)

    switch, fork, insert = of("switch"), of("fork"), of("scx_dsq")
    told = np.flatnonzero(lines.kind > EVENTS.index("scx_dsq"))
    sort = reading.inserts.sort_of(lines.insert[insert])
    has_start = lines.start_ns[insert] != NONE
    reading.inserts.add(sort, has_start)
    reading.switches += len(switch)
    insert, sort = insert[has_start], sort[has_start]
    parts = [
        rows.switch_rows(at(switch), task(FIRST, switch), task(SECOND, switch), lines.state[switch])
    ]
    for name in ("waking", "wakeup_new"):
        woke = of(name)
        waker = lines.tid[WAKER][woke]
        parts.append(rows.wake_rows(at(woke), task(SECOND, woke), waker, name == "wakeup_new"))
    parts.append(rows.fork_rows(at(fork), task(SECOND, fork), lines.tid[FIRST][fork]))
    parts += rows.insert_rows(
        at(insert, lines.start_ns), task(FIRST, insert), sort, lines.dsq[insert]
    )
    parts.append(rows.evidence_rows(at(told), task(FIRST, told)))
    return [part for part in parts if len(part)]

# SPDX-License-Identifier: MIT
"""Turns a bpftrace text into the event table and its capability record, piece by piece.

What a row means is in docs/events.md. Here: `seq` is twice the line's number, plus one for what
comes on in a switch. The kernel skips a probe that fires inside another BPF program on the same CPU,
and nothing reports it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scxval.events.columns import Columns, Names, merge
from scxval.events.gather import Gathered
from scxval.formats.conversion import Conversion, Losses, conclude
from scxval.formats.source import Blocks, line_pieces
from scxval.tracers.bpftrace import LOST_PATTERN, SCRIPT_FILE
from scxval.tracers.bpftrace.pairing import settle_returns, settle_yields
from scxval.tracers.bpftrace.probes import HEADER, Point
from scxval.tracers.bpftrace.reach import attached_points, duplicates, reach_of, sees_yields
from scxval.tracers.bpftrace.records import LineCounts, Records, read_records
from scxval.tracers.bpftrace.rows import PROBE_NAMES, makes_rows, rows_of

SOURCE = "bpftrace"
# Text read at a time: what is made of it on the way to rows is several times as large.
PIECE_BYTES = 4 << 20


@dataclass(frozen=True)
class TextConversion(Conversion):
    """With how every line and record was used.

    `rows` counts records that made rows (a switch counts once), `evidence` those that made none:
    exits, yields and returns. `duplicates` were dropped because a preferred name covers them.
    """

    lines: LineCounts
    rows: int
    evidence: int
    duplicates: int


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file (some kilobytes) is this tracer's text."""
    first = head.decode("utf-8", "replace").lstrip("\n").split("\n", 1)[0]
    return first == HEADER or re.fullmatch(r"Attached \d+ probes?|\d+ \d+ BEGIN", first) is not None


def convert(path: Path) -> TextConversion:
    """Convert a trace, plain or gzip.

    trace.bt and tracer.log beside it are used when they are there: for the list of probes when the
    trace has no header, and for lost events. Raises ScxvalError when the file cannot be read.
    """
    script = path.with_name(SCRIPT_FILE)
    log = path.with_name("tracer.log")
    trace = _Trace()
    blocks = Blocks(path, PIECE_BYTES)
    trace.read(blocks)
    trace.notes += [blocks.note]
    return trace.conclude(
        script.read_text(encoding="utf-8", errors="replace") if script.is_file() else "",
        log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "",
    )


def convert_text(
    text: bytes, script: str = "", log: str = "", piece_bytes: int = PIECE_BYTES
) -> TextConversion:
    """Convert a trace that is in memory; `script` and `log` are trace.bt and tracer.log, or ""."""
    trace = _Trace()
    trace.read(text[at : at + piece_bytes] for at in range(0, len(text), piece_bytes))
    return trace.conclude(script, log)


class _Trace:
    """What the pieces read so far add up to."""

    def __init__(self) -> None:
        self.names = Names()
        self.gathered = Gathered()
        self.seen: Counter[Point] = Counter()
        self.listed: frozenset[str] = frozenset()
        self.counts = LineCounts()
        self.lost = 0
        self.examples: list[str] = []
        self.ended = False
        self.ambiguous_names = 0
        self.notes: list[str] = []

    def read(self, blocks: Iterable[bytes]) -> None:
        """Read the whole text."""
        for text in line_pieces(blocks):
            self._add(read_records(text, self.names, self.counts.lines))

    def _add(self, records: Records) -> None:
        for group in records.groups:
            self.seen[group.point] += len(group.line)
        # Pieces in order are nearly the whole in order, which is then sorted fast.
        self.gathered.add(merge([rows_of(group) for group in records.groups]))
        self.listed |= records.attached
        self.counts += records.counts
        self.lost += records.lost
        self.examples += records.examples
        self.ended |= records.ended
        self.ambiguous_names += records.ambiguous_names

    def conclude(self, script: str, log: str) -> TextConversion:
        """Settle what takes the whole trace, and make the table."""
        again = duplicates(self.seen)
        attached, origin = attached_points(self.listed, self.seen, script)
        columns, unpaired = self._settled(frozenset(again), sees_yields(attached, self.seen))
        reach, blind = reach_of(attached, self.seen)
        notes = [
            *self.notes,
            *(
                f"{count} records of {name} left out: the newer function it calls is traced too"
                for name, count in again.items()
            ),
            origin,
            *self._line_notes(),
            f"{unpaired} returns had no entry before them and were left out" if unpaired else "",
            blind,
        ]
        lost = sum(int(m[1]) for m in re.finditer(LOST_PATTERN, log, re.MULTILINE))
        losses = Losses(self.lost + lost, self.counts.unparsed, self.examples)
        done = conclude(SOURCE, columns, self.names, PROBE_NAMES, reach, losses, notes)
        rows = sum(
            count
            for point, count in self.seen.items()
            if makes_rows(point) and point.function not in again
        )
        return TextConversion(
            done.table,
            done.capability,
            self.counts,
            rows=rows,
            evidence=self.counts.records - rows - sum(again.values()),
            duplicates=sum(again.values()),
        )

    def _settled(self, again: frozenset[str], yields: bool) -> tuple[list[Columns], int]:
        """All rows in order, returns and yields settled, as the one part."""
        columns = self.gathered.take()
        if again:
            drop = [point.record for point in self.seen if point.function in again]
            codes = [PROBE_NAMES.index(record) for record in drop]
            columns = columns.take(~np.isin(columns.probe, codes))
        columns, unpaired = settle_returns(settle_yields(columns, yields))
        return [columns], unpaired

    def _line_notes(self) -> list[str]:
        notes = []
        if not self.ended:
            notes.append("no END record: the trace was cut off, or its end was lost")
        if self.ambiguous_names:
            notes.append(
                f"{self.ambiguous_names} switches hold a task name that imitates the record; "
                "their names were taken from other records"
            )
        return notes

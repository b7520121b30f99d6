# SPDX-License-Identifier: MIT
"""Reads tracefs text (`trace`, `trace_pipe`, per_cpu/cpuN/trace) of the sched tracepoints, whole columns.

A line is what print_trace_line writes (kernel/trace/trace_output.c):

    %16s-%-7d [(%7d) ][%03d] flags %5llu.%06llu: tracepoint: fields

so a task's name, whatever it holds, ends at the 16th byte. In the fields a name ends at the last place
where what follows it can begin, at most 15 bytes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.events.columns import NULL, Ints, Names
from scxval.events.gather import Gathered
from scxval.formats.conversion import EXAMPLES, Conversion, Losses
from scxval.formats.scan import SPACE, Flags, Lines, Positions, Scan
from scxval.formats.source import Blocks, line_pieces
from scxval.tracers.ftrace.fields import PARSERS, Parsed
from scxval.tracers.raw_records import others_note, selected_clock
from scxval.tracers.sched_records import FIELDS, MAX_TID, Records, columns_of, convert_columns

_BLOCK_BYTES = 1 << 22
_LINE = re.compile(
    rb"[^\n]{16}-\d{1,7} *(?:\([ \d-]{7}\) )?\[\d{3,}\] (?:\S+ +)? *\d+\.\d{6}: \w+: "
)
_LOST = re.compile(r"CPU:\d+ \[LOST (?:(\d{1,18}) )?EVENTS\]")
_WRITTEN = re.compile(r"# entries-in-buffer/entries-written: (\d{1,18})/(\d{1,18})\s")

_NAME_BYTES = 16
# Where "[" of the CPU may stand: behind a pid padded to 7 (or 5 until 5.8), with or without thread group.
_BRACKETS = (25, 35, 23, 33)
_OPEN, _CLOSE, _COLON, _DOT, _DASH, _HASH = b"[]:.-#"
UNNAMED_CLOCK = "text: it does not name its clock, which is taken to be trace_clock mono"


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file is that of tracefs text."""
    if head.startswith(b"# tracer: "):
        return True
    lines = [line for line in head.split(b"\n") if not line.startswith((b"CPU:", b"#####"))]
    return bool(lines) and _LINE.match(lines[0]) is not None


@dataclass
class _Tally:
    lines: int = 0
    lost: int = 0
    unknown_gaps: int = 0
    unparsed: int = 0
    examples: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    cut: bool = False
    # Entries that the header of `trace` names, and those that are here, readable or not.
    named: int = 0
    entries: int = 0


@dataclass(frozen=True)
class _Leads:
    """The part of event lines before the fields; `name` is where the tracepoint's name begins."""

    line: Positions
    start: Positions
    end: Positions
    cpu: Ints
    by: Ints
    by_pid: Ints
    time_ns: Ints
    name: Positions


def convert_text(source: str, path: Path) -> Conversion:
    """Convert a text. Raises ScxvalError when no line of it is an event's."""
    clock, clock_note = GUEST_CLOCK, UNNAMED_CLOCK
    beside = path.with_name("trace_clock")
    if beside.is_file():
        told = beside.read_text(encoding="utf-8", errors="replace")
        clock, clock_note = selected_clock(told, str(beside))
    names, tally = Names(), _Tally()
    rows, seen = Gathered(), dict.fromkeys(FIELDS, 0)
    blocks = Blocks(path, _BLOCK_BYTES)
    for piece in line_pieces(blocks):
        # A last line without an end may be cut inside a number.
        tally.cut = not piece.endswith(b"\n")
        if not tally.cut:
            _read_block(piece, names, tally, rows, seen)
    recorded = [name for name, count in seen.items() if count]
    if not recorded:
        raise ScxvalError(
            f"{path}: no line of a sched tracepoint with a time in seconds ({tally.unparsed} lines "
            f"unread, {sum(tally.others.values())} of other tracepoints): record {', '.join(FIELDS)}"
        )
    losses = Losses(tally.lost + tally.unknown_gaps, tally.unparsed, tally.examples)
    notes = [blocks.note, clock_note, *_notes(tally)]
    return convert_columns(source, [rows.take()], recorded, names, losses, notes, clock)


def _notes(tally: _Tally) -> list[str]:
    notes = [
        "text: times are of microseconds, so that events may seem to happen at once",
        "text: which tracepoints were on is not said; only kinds with events count as seen",
    ]
    if tally.unknown_gaps:
        notes.append(f"{tally.unknown_gaps} gaps without a number of lost events")
    if tally.cut:
        notes.append("the last line has no end: the text is cut off, and that line left out")
    if tally.named > tally.entries:
        notes.append(
            f"{tally.named - tally.entries} of the {tally.named} entries that the header names are "
            "not here: the text is cut off, or lines were taken out"
        )
    return notes + others_note(tally.others)


def _read_block(
    text: bytes, names: Names, tally: _Tally, rows: Gathered, seen: dict[str, int]
) -> None:
    scan = Scan(text)
    lines = scan.lines()
    base = tally.lines
    tally.lines += len(lines.start)
    leads, is_event = _leads(scan, lines)
    tally.entries += len(leads.line)
    _read_other_lines(scan, lines, np.flatnonzero(~is_event), tally)
    taken = np.zeros(len(leads.line), dtype=np.bool_)
    for name in FIELDS:
        literal = f"{name}: ".encode()
        which = np.flatnonzero(scan.holds(leads.name, literal))
        taken[which] = True
        if not len(which):
            continue
        at = leads.name[which] + len(literal)
        parsed = PARSERS[name](scan, at, leads.end[which])
        good = parsed.good
        for bad in which[~good][: EXAMPLES - len(tally.examples)].tolist():
            tally.examples.append(scan.text(int(leads.start[bad]), int(leads.end[bad])))
        tally.unparsed += int((~good).sum())
        seen[name] += int(good.sum())
        rows.add(columns_of(_records(name, leads, which[good], parsed, names, base)))
    _count_others(scan, leads.name[~taken], leads.end[~taken], tally)


def _records(
    name: str, leads: _Leads, which: Positions, parsed: Parsed, names: Names, base: int
) -> Records:
    good = parsed.good
    values: dict[str, Ints] = {n: v[good] for n, v in parsed.numbers.items()}
    for column, raw in parsed.names.items():
        values[column] = names.codes(raw[good]).astype(np.int32)
    return Records(
        name,
        leads.time_ns[which],
        leads.cpu[which],
        leads.line[which] + base,
        leads.by[which],
        values,
        leads.by_pid[which],
    )


def _leads(scan: Scan, lines: Lines) -> tuple[_Leads, Flags]:
    """The beginnings of all event lines, and which lines those are."""
    start, end = lines.start, lines.end
    good = (scan.byte(start + _NAME_BYTES) == _DASH) & (end - start > 2 * _NAME_BYTES)
    bracket = np.full(len(start), -1, dtype=np.int64)
    for offset in _BRACKETS:
        here = (bracket < 0) & (scan.byte(start + offset) == _OPEN)
        bracket[here] = start[here] + offset
    good &= bracket > 0
    # Places of lines that are no events' must still be within the text.
    bracket = np.where(good, bracket, start)

    def word_end(at: Positions) -> Positions:
        return scan.word_end(at, end)

    pid_at = start + _NAME_BYTES + 1
    by, ok = scan.decimal(pid_at, np.minimum(word_end(pid_at), bracket))
    good &= ok & (by <= MAX_TID)
    by_pid = _thread_groups(scan, start, bracket)
    after = word_end(bracket)
    cpu, ok = scan.decimal(bracket + 1, after - 1)
    good &= ok & (cpu < 2**15) & (scan.byte(after - 1) == _CLOSE)
    stamp = np.minimum(after + 1, end)
    first = scan.byte(stamp)
    has_flags = (first != SPACE) & ((first < ord("0")) | (first > ord("9")))
    stamp = np.where(has_flags, word_end(stamp), stamp)
    for _ in range(12):
        stamp = np.where(scan.byte(stamp) == SPACE, stamp + 1, stamp)
    stamp = np.minimum(stamp, end)
    stop = word_end(stamp)
    good &= (scan.byte(stop - 1) == _COLON) & (scan.byte(stop - 8) == _DOT) & (stop < end)
    seconds, ok = scan.decimal(stamp, stop - 8)
    good &= ok & (seconds < 2**33)
    micros, ok = scan.decimal(stop - 7, stop - 1)
    good &= ok
    time_ns = seconds.astype(np.int64) * 10**9 + micros.astype(np.int64) * 1000
    leads = _Leads(
        line=np.flatnonzero(good),
        start=start[good],
        end=end[good],
        cpu=cpu[good].astype(np.int16),
        by=by[good].astype(np.int32),
        by_pid=by_pid[good].astype(np.int32),
        time_ns=time_ns[good],
        name=stop[good] + 1,
    )
    return leads, good


def _thread_groups(scan: Scan, start: Positions, bracket: Positions) -> Ints:
    """The thread group "(%7d) " before the CPU, NULL where there is none or it is not known."""
    at = bracket - 9
    for _ in range(7):
        at = np.where(scan.byte(at) == SPACE, at + 1, at)
    there = (bracket - start > 30) & (scan.byte(bracket - 2) == ord(")"))
    group, ok = scan.decimal(at, bracket - 2)
    return np.where(there & ok & (group <= MAX_TID), group.astype(np.int64), NULL)


def _read_other_lines(scan: Scan, lines: Lines, which: Positions, tally: _Tally) -> None:
    """Headers, gaps, and lines that cannot be read."""
    first = scan.byte(lines.start[which])
    for place in which[(first == _HASH) | (first == ord("C"))].tolist():
        text = scan.text(int(lines.start[place]), int(lines.end[place]))
        written, lost = _WRITTEN.match(text), _LOST.fullmatch(text)
        if written:
            tally.named += int(written[1])
            tally.lost += max(0, int(written[2]) - int(written[1]))
        elif lost:
            tally.lost += int(lost[1] or 0)
            tally.unknown_gaps += lost[1] is None
        elif not text.startswith("#"):
            _unread(tally, text)
    empty = lines.end[which] == lines.start[which]
    unread = which[(first != _HASH) & (first != ord("C")) & ~empty]
    tally.unparsed += len(unread)
    for place in unread[: EXAMPLES - len(tally.examples)].tolist():
        tally.examples.append(scan.text(int(lines.start[place]), int(lines.end[place])))


def _unread(tally: _Tally, text: str) -> None:
    tally.unparsed += 1
    tally.entries += 1
    if len(tally.examples) < EXAMPLES:
        tally.examples.append(text)


def _count_others(scan: Scan, at: Positions, end: Positions, tally: _Tally) -> None:
    if not len(at):
        return
    stop = scan.word_end(at, end)
    named = (scan.byte(stop - 1) == _COLON) & (stop - at <= 2 * _NAME_BYTES)
    size = np.where(named, stop - 1 - at, 0)
    raw = np.concatenate(
        [scan.sixteen(at, size), scan.sixteen(at + _NAME_BYTES, size - _NAME_BYTES)], axis=1
    )
    found, counts = np.unique(raw.view("S32"), return_counts=True)
    for name, count in zip(found.tolist(), counts.tolist(), strict=True):
        text = name.decode("utf-8", "replace") or "(others)"
        tally.others[text] = tally.others.get(text, 0) + count

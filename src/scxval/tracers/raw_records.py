# SPDX-License-Identifier: MIT
"""Ring buffers of many CPUs to records of the sched tracepoints: what trace-cmd and raw ftrace share.

Pages are decoded a megabyte at a time, while they are in the processor's cache, so that memory holds
what is read of the records and not the records.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.events.clocks import foreign_clock
from scxval.events.columns import EVIDENCE, NULL, Columns, Ints, Names, rows
from scxval.events.gather import Gathered
from scxval.events.schema import MAX_CPU
from scxval.formats.conversion import EXAMPLES, Conversion, Losses
from scxval.formats.ringbuffer import PageLayout, PageRecords, Sizes, read_pages
from scxval.formats.source import GZIP_MAGIC, read_source
from scxval.formats.tracepoint import Field, Tracepoint, integers, parse_tracepoint, places, texts
from scxval.tracers.sched_records import (
    COMM_FIELDS,
    CPU_FIELDS,
    FIELDS,
    MAX_TID,
    PROBES,
    Records,
    columns_of,
    convert_columns,
)

Bytes = npt.NDArray[np.uint8]

_COMMON = ("common_type", "common_pid")
# Lines of saved_cmdlines ("pid comm") and saved_tgids ("tid tgid").
_SAVED = re.compile(r"^\s*(\d{1,10}) (.*)$", re.MULTILINE)
CLOCK = "mono"
_NS_CLOCKS = frozenset(("local", "global", "perf", "mono_raw", "boot", "tai"))
# Fits the second cache of most processors with all that is made of it.
_BLOCK_BYTES = 1 << 20


@dataclass
class Tally:
    """What was met on the way that is not in the table; added up over all CPUs."""

    records: int = 0
    missed: int = 0
    gaps: int = 0
    unknown_gaps: int = 0
    unparsed: int = 0
    examples: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    first_ns: int | None = None
    last_ns: int = 0

    def unreadable(self, count: int, example: str) -> None:
        """Count records or pages that cannot be read."""
        self.unparsed += count
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


class RingReader:
    """Decodes CPUs' pages one after another into `rows`."""

    def __init__(self, layout: PageLayout, tracepoints: Sequence[Tracepoint]) -> None:
        """Raises ScxvalError when a tracepoint that is read has not the fields it needs."""
        self.layout = layout
        self.names = Names()
        self.tally = Tally()
        self._by_id = {point.id: point for point in tracepoints}
        # Of a tracepoint that is described twice one description counts.
        self.known = [point for point in self._by_id.values() if point.name in FIELDS]
        if len({point.name for point in self.known}) < len(self.known):
            raise ScxvalError("a tracepoint is described with several IDs; the file is damaged")
        for point in self.known:
            point.demand([*_COMMON, *FIELDS[point.name]])
        kinds = {p.fields.get("common_type") for p in tracepoints} - {None}
        if len(kinds) != 1:
            raise ScxvalError("the tracepoints' formats do not agree on where common_type lies")
        self._type = next(iter(kinds))
        self._pages: dict[int, int] = {}
        self.rows = Gathered()

    def add(self, cpu: int, data: Bytes) -> None:
        """Decode pages of one CPU, those after the ones before.

        Raises ScxvalError for a CPU number that no table holds.
        """
        if not 0 <= cpu <= MAX_CPU:
            raise ScxvalError(f"CPU {cpu}: expected at most {MAX_CPU}")
        before = self._pages.get(cpu, 0)
        pages = read_pages(data, self.layout, before)
        self._pages[cpu] = before + len(data) // self.layout.page_bytes
        self._count(cpu, pages)
        assert self._type is not None
        fits = pages.size >= self._type.offset + self._type.size
        kind = np.full(len(pages.start), -1, dtype=np.int32)
        kind[fits] = integers(data, pages.start[fits], self._type)
        ordinal = self.tally.records
        self.tally.records += len(kind)
        for point in self.known:
            which = np.flatnonzero(kind == point.id)
            if len(which):
                records = self._records(point, cpu, data, pages, which, ordinal)
                self.rows.add(columns_of(records))
        self._count_others(kind)

    def _records(
        self,
        point: Tracepoint,
        cpu: int,
        data: Bytes,
        pages: PageRecords,
        which: Ints,
        ordinal: int,
    ) -> Records:
        """The records of one tracepoint among a CPU's; those that cannot be are counted."""
        needed = [point.fields[name] for name in (*_COMMON, *FIELDS[point.name])]
        reach = max(f.offset + f.size for f in needed)
        short = pages.size[which] < reach
        if short.any():
            self.tally.unreadable(
                int(short.sum()), f"CPU {cpu}: {point.name} of less than {reach} bytes"
            )
            which = which[~short]
        start, size = pages.start[which], pages.size[which]
        good = np.ones(len(which), dtype=np.bool_)
        values: dict[str, Ints] = {}
        for name in FIELDS[point.name]:
            values[name] = self._values(data, start, size, point.fields[name], good)
        by = _limited(integers(data, start, point.fields["common_pid"]), MAX_TID, good)
        if not good.all():
            bad = int(np.flatnonzero(~good)[0])
            told = {n: int(v[bad]) for n, v in values.items() if n not in COMM_FIELDS}
            self.tally.unreadable(
                int((~good).sum()), f"CPU {cpu}: {point.name} with an impossible number: {told}"
            )
            which, by = which[good], by[good]
            values = {name: value[good] for name, value in values.items()}
        return Records(
            point.name,
            pages.time_ns[which],
            np.full(len(which), cpu, dtype=np.int16),
            which + ordinal,
            by.astype(np.int32),
            {name: _narrow(name, value) for name, value in values.items()},
        )

    def _values(
        self, data: Bytes, start: Ints, size: Sizes, where: Field, good: npt.NDArray[np.bool_]
    ) -> Ints:
        if where.name in COMM_FIELDS:
            if where.dynamic:
                begin, length = places(data, start, where)
                good &= begin - start + length <= size
            return self.names.codes(texts(data, start, where))
        found = integers(data, start, where)
        if where.name in CPU_FIELDS:
            return _limited(found, MAX_CPU, good)
        return found if where.name == "prev_state" else _limited(found, MAX_TID, good)

    def conclude(
        self,
        source: str,
        saved: tuple[str, str],
        stats: Iterable[str],
        notes: Sequence[str],
        clock: str,
    ) -> Conversion:
        """Table and capability of all that was added.

        `saved` are saved_cmdlines and saved_tgids, "" where there is none; `stats` the CPUs' statistics.
        """
        tally = self.tally
        self.rows.add(task_evidence(*saved, self.names, tally.last_ns, tally.records))
        recorded = [point.name for point in self.known]
        notes = [*notes, *notes_of(tally)]
        made, losses = [self.rows.take()], losses_of(tally, stats)
        return convert_columns(source, made, recorded, self.names, losses, notes, clock)

    def _count(self, cpu: int, pages: PageRecords) -> None:
        tally = self.tally
        tally.missed += pages.missed
        tally.gaps += pages.gaps
        tally.unknown_gaps += pages.unknown_gaps
        for fault in pages.faults:
            tally.unreadable(0, f"CPU {cpu}: {fault}")
        tally.unparsed += pages.bad_pages
        if pages.cut:
            tally.cut.append(cpu)
        if len(pages.time_ns):
            first = int(pages.time_ns.min())
            tally.first_ns = first if tally.first_ns is None else min(first, tally.first_ns)
            tally.last_ns = max(tally.last_ns, int(pages.time_ns.max()))

    def _count_others(self, kind: npt.NDArray[np.int32]) -> None:
        ids, counts = np.unique(kind, return_counts=True)
        for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
            point = self._by_id.get(number)
            if point is None:
                name = f"tracepoint {number}" if number >= 0 else "record without a tracepoint"
                self.tally.unreadable(count, f"{name}, which the trace does not describe")
            elif point.name not in FIELDS:
                self.tally.others[point.name] = self.tally.others.get(point.name, 0) + count


def _limited(values: Ints, most: int, good: npt.NDArray[np.bool_]) -> Ints:
    good &= (values >= 0) & (values <= most)
    return values


def _narrow(name: str, values: Ints) -> Ints:
    if name == "prev_state":
        return values
    return values.astype(np.int16 if name in CPU_FIELDS else np.int32)


# -- files


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """A file whose parts are read in any order, and "" or a note that it is cut off.

    A gzip file is held in memory. Raises ScxvalError when it cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ScxvalError(f"cannot read trace {path}: {error.strerror or error}") from error
    with file:
        if file.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
            file.seek(0)
            yield file, ""
            return
    source = read_source(path)
    yield io.BytesIO(source.data), source.note


def page_blocks(pieces: Iterable[bytes], page_bytes: int) -> Iterator[Bytes]:
    """The same bytes in blocks of some whole pages; only the last may end within a page."""
    most = max(page_bytes, _BLOCK_BYTES - _BLOCK_BYTES % page_bytes)
    held = bytearray()
    for piece in pieces:
        held += piece
        whole = len(held) - len(held) % page_bytes
        if whole >= most:
            yield np.frombuffer(bytes(held[:whole]), dtype=np.uint8)
            del held[:whole]
    if held:
        yield np.frombuffer(bytes(held), dtype=np.uint8)


def pieces_of(file: BinaryIO, at: int, size: int) -> Iterator[bytes]:
    """A part of a file, piece by piece, up to the file's end."""
    while size > 0:
        file.seek(at)
        piece = file.read(min(size, _BLOCK_BYTES))
        if not piece:
            return
        yield piece
        at += len(piece)
        size -= len(piece)


# -- what the kernel says beside the pages


def parse_tracepoints(formats: Iterable[str]) -> list[Tracepoint]:
    """The tracepoints that a trace describes. Only those that are read must be readable."""
    found = []
    for text in formats:
        try:
            found.append(parse_tracepoint(text))
        except ScxvalError:
            if any(f"name: {name}\n" in text for name in FIELDS):
                raise
    return found


def pairs(text: str) -> list[tuple[int, str]]:
    """Lines of saved_cmdlines or saved_tgids: a tid, and its name or thread group."""
    return [
        (int(match[1]), match[2]) for match in _SAVED.finditer(text) if int(match[1]) <= MAX_TID
    ]


def task_evidence(cmdlines: str, tgids: str, names: Names, last_ns: int, record: int) -> Columns:
    """Rows of kind EVIDENCE for what the kernel knew of tasks when the trace ended.

    They come last: of a tid that had several lives only the last one is meant.
    """
    named = [(tid, name) for tid, name in pairs(cmdlines) if tid > 0 and name != "<...>"]
    grouped = [
        (tid, int(pid))
        for tid, pid in pairs(tgids)
        if tid > 0 and pid.isascii() and pid.isdigit() and 0 < int(pid) <= MAX_TID
    ]
    tid = np.array([t for t, _ in named] + [t for t, _ in grouped], dtype=np.int32)
    comm = np.array([names.of(n) for _, n in named] + [NULL] * len(grouped), dtype=np.int32)
    pid = np.array([NULL] * len(named) + [p for _, p in grouped], dtype=np.int32)
    time = np.full(len(tid), last_ns, dtype=np.int64)
    seq = np.full(len(tid), 2 * record, dtype=np.int64)
    # Behind the last row of any CPU at that time.
    cpu = np.full(len(tid), MAX_CPU, dtype=np.int16)
    probe = PROBES.index("sched_process_exit")
    return rows(time, seq, cpu, EVIDENCE, probe, tid=tid, comm=comm, pid=pid)


_STAT = re.compile(r"^(overrun|commit overrun|dropped events): (\d+)\s*$", re.MULTILINE)


def stats_lost(text: str) -> int:
    """Events lost by a CPU, by its per_cpu/cpuN/stats: overwritten, nested too deep, or dropped."""
    return sum(int(match[2]) for match in _STAT.finditer(text))


def selected_clock(text: str, where: str) -> tuple[str, str]:
    """The clock that the text of `trace_clock` selects, as in Capability, and "" or a note on it.

    Without a text it is local, trace-cmd's default. Raises ScxvalError for a clock that does not count
    nanoseconds (Documentation/trace/ftrace.rst: counter, uptime, x86-tsc).
    """
    chosen = re.search(r"\[([\w-]+)\]", text)
    clock = chosen[1] if chosen else (text.strip() or "local")
    if clock == CLOCK:
        return GUEST_CLOCK, ""
    again = f"record again with trace_clock {CLOCK} (trace-cmd record -C {CLOCK})"
    if clock not in _NS_CLOCKS:
        raise ScxvalError(f"{where}: trace clock {clock} does not count nanoseconds: {again}")
    order = "; each CPU has its own, so that the order between CPUs may be wrong"
    return clock, foreign_clock(f"trace clock {clock}", again) + (order if clock == "local" else "")


def others_note(others: Mapping[str, int]) -> list[str]:
    """A note on records of tracepoints that make no rows, by name; none without any."""
    if not others:
        return []
    told = ", ".join(f"{name} {count}" for name, count in sorted(others.items()))
    return [f"records of other tracepoints, not in the table: {told}"]


def notes_of(tally: Tally) -> list[str]:
    """What a reader of the table must know of how the pages were read."""
    notes = others_note(tally.others)
    if tally.cut:
        cpus = ", ".join(map(str, sorted(set(tally.cut))))
        notes.append(f"the trace is cut off: CPU {cpus} ends within a page; what came before is in")
    if tally.gaps:
        notes.append(
            f"{tally.gaps} gaps, {tally.unknown_gaps} of them without a number of lost events"
        )
    return notes


def losses_of(tally: Tally, stats: Iterable[str]) -> Losses:
    """Lost events: what the CPUs' stats say, or what the pages say where that is more.

    Both count the same events, but stats are of the moment they were read, and a page's number is
    sometimes missing: a gap without one is at least one event.
    """
    by_stats = sum(map(stats_lost, stats))
    by_pages = tally.missed + tally.unknown_gaps
    return Losses(max(by_stats, by_pages), tally.unparsed, tally.examples)

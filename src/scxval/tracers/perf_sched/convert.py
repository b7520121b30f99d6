# SPDX-License-Identifier: MIT
"""perf.data to event rows: samples of the sched tracepoints, piece by piece, in whole columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.events.clocks import foreign_clock
from scxval.events.columns import NULL, Columns, Names
from scxval.events.schema import MAX_CPU
from scxval.formats.conversion import EXAMPLES, Conversion, Losses
from scxval.formats.tracepoint import Tracepoint, integers, places, texts
from scxval.tracers.perf_sched.chain import Chain, Piece, Type
from scxval.tracers.perf_sched.compressed import Compressed
from scxval.tracers.perf_sched.file import (
    FOREIGN_MAGIC,
    HOW_TO_RECORD,
    MAGIC,
    OLD_MAGIC,
    PERF_CLOCK,
    Contents,
    open_file,
)
from scxval.tracers.perf_sched.limits import sound
from scxval.tracers.perf_sched.samples import CPU, TID, TIME, Events, Layout, trailer_of
from scxval.tracers.perf_sched.sideband import Sideband
from scxval.tracers.sched_records import (
    COMM_FIELDS,
    FIELDS,
    Records,
    columns_of,
    convert_columns,
)

SOURCE = "perf-sched"
_COMMON = ("common_type", "common_pid")
_I64_MAX = np.uint64(np.iinfo(np.int64).max)


def recognises(head: bytes) -> bool:
    """Whether a file begins as perf.data, of whatever version and byte order."""
    return head.startswith((MAGIC, FOREIGN_MAGIC, OLD_MAGIC))


def convert(path: Path) -> Conversion:
    """Read perf.data, written to a file or a pipe, compressed or not, into the event table.

    Raises ScxvalError for one that cannot be read at all: another byte order, cut before the
    descriptions of its tracepoints, or times of several clocks.
    """
    contents = open_file(path)
    try:
        reading = _Reading(contents)
        reading.read()
        return reading.conclude()
    except ScxvalError as error:
        raise ScxvalError(f"{path}: {error}") from error


def count_lost(path: Path) -> int:
    """Events lost by a recording, from its LOST and LOST_SAMPLES records alone.

    Raises ScxvalError when it cannot be read at all.
    """
    contents = open_file(path)
    side = Sideband(trailer_of(contents.attrs), Names())
    for piece in Chain(contents.data, contents.begin, contents.end).pieces():
        side.count_losses(piece)
    return side.lost


@dataclass
class _Damage:
    """Records that cannot be used: how many for each reason, and where the first of them is."""

    count: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, why: str, where: npt.NDArray[np.int64]) -> None:
        if len(where):
            self.count[why] += len(where)
            self.first.setdefault(why, int(where[0]))

    @property
    def total(self) -> int:
        return sum(self.count.values())

    @property
    def examples(self) -> list[str]:
        return [
            f"byte {self.first[why]}: {why} ({count} such)"
            for why, count in self.count.most_common(EXAMPLES)
        ]


class _Reading:
    """One file on its way to rows."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.names = Names()
        self.damage = _Damage()
        self.sideband = Sideband(trailer_of(contents.attrs), self.names)
        self.compressed = Compressed()
        self.notes = list(contents.notes)
        self.points = self._points()
        self.events = Events(contents.attrs, list(self.points))
        self.forked: list[Records] = []
        self.parts: list[Columns] = []
        self.unused: Counter[str] = Counter()

    def _points(self) -> dict[int, Tracepoint]:
        """The events that make rows, by their place among the attrs."""
        described = self.contents.tracepoints
        found = {}
        for number, attr in enumerate(self.contents.attrs):
            point = None if attr.tracepoint is None else described.get(attr.tracepoint)
            if point is not None and point.name in FIELDS:
                point.demand([*_COMMON, *FIELDS[point.name]])
                found[number] = point
        if not found:
            raise ScxvalError(f"holds none of the tracepoints {', '.join(FIELDS)}; {HOW_TO_RECORD}")
        return found

    def read(self) -> None:
        """Take in all records."""
        data = self.contents
        chain = Chain(data.data, data.begin, data.end)
        begin = data.begin
        for piece in chain.pieces():
            self._piece(piece)
            data.release(begin, int(piece.end[-1]))
            begin = int(piece.end[-1])
        self._end_of(chain, "byte")
        unpacked = self.compressed.unpack(self.notes)
        if unpacked is not None:
            chain = Chain(unpacked, 0, unpacked.size, chain.ordinal)
            for piece in chain.pieces():
                self._piece(piece)
            self._end_of(chain, "byte of the unpacked records")

    def _end_of(self, chain: Chain, what: str) -> None:
        if not chain.whole:
            at = chain.stopped_at
            self.damage.add("no whole record begins here", np.array([at]))
            self.notes.append(
                f"cut or damaged at {what} {at}: nothing of the {chain.end - at} bytes that follow is read"
            )

    def _piece(self, piece: Piece) -> None:
        self.sideband.read(piece)
        self.compressed.read(piece)
        self.damage.add("a record of a type that perf does not have", piece.strange)
        samples = piece.of(Type.SAMPLE)
        event = self.events.of(samples)
        self.damage.add("a sample of no event of this file", samples.place[event < 0])
        for number, count in enumerate(np.bincount(event[event >= 0]).tolist()):
            point = self.points.get(number)
            if count and point is None:
                self.unused[self._name(number)] += count
            elif count and point is not None:
                mine = samples.take(np.flatnonzero(event == number))
                self._samples(mine, self.events.layouts[number], point)

    def _name(self, number: int) -> str:
        """What an event that makes no rows is called."""
        attr = self.contents.attrs[number]
        point = self.contents.tracepoints.get(attr.tracepoint or 0)
        return point.name if point else "events that are no tracepoints"

    def _samples(self, samples: Piece, layout: Layout, point: Tracepoint) -> None:
        """Rows of one tracepoint's samples."""
        begin, size, whole = layout.raw(samples)
        whole &= size >= point.size
        self.damage.add(f"a {point.name} that is too short", samples.place[~whole])
        if not whole.all():
            samples, begin, size = samples.take(whole), begin[whole], size[whole]
        data = samples.data
        values = {name: integers(data, begin, point.fields[name]) for name in _COMMON}
        time = samples.read(layout.offset(TIME), "<u8")
        cpu = samples.read(layout.offset(CPU), "<u4")
        fits = (values["common_type"] == point.id) & (time <= _I64_MAX) & (cpu <= MAX_CPU)
        for name in FIELDS[point.name]:
            described = point.fields[name]
            if name not in COMM_FIELDS:
                values[name] = integers(data, begin, described)
            elif described.dynamic:
                where, length = places(data, begin, described)
                fits &= where + length <= begin + size
        fits &= sound(values)
        self.damage.add(f"a {point.name} that contradicts itself", samples.place[~fits])
        if not fits.all():
            samples, begin, time, cpu = samples.take(fits), begin[fits], time[fits], cpu[fits]
            values = {name: value[fits] for name, value in values.items()}
        for name in COMM_FIELDS & set(FIELDS[point.name]):
            values[name] = self.names.codes(texts(data, begin, point.fields[name]))
        by = values.pop("common_pid")
        del values["common_type"]
        records = Records(
            name=point.name,
            time_ns=time.astype(np.int64),
            cpu=cpu.astype(np.int16),
            record=samples.ordinal,
            by=by,
            values=values,
            by_pid=_thread_group(samples, layout, by),
        )
        if point.name == "sched_process_fork":
            self.forked.append(records)
        self.parts.append(columns_of(records))

    def conclude(self) -> Conversion:
        """Table and capability."""
        side = self.sideband
        losses = Losses(side.lost, self.damage.total, self.damage.examples)
        notes = [*self.notes]
        clock = self.events.clock
        if clock != GUEST_CLOCK:
            named = "the kernel's own clock" if clock == PERF_CLOCK else clock
            notes.insert(0, foreign_clock(named, HOW_TO_RECORD))
        if self.unused:
            told = ", ".join(f"{name} {count}" for name, count in sorted(self.unused.items()))
            notes.append(f"samples that make no events: {told}")
        if side.throttled:
            notes.append(f"the kernel throttled events {side.throttled} times: some may be missing")
        recorded = [point.name for point in self.points.values()]
        # Handed over whole: the rows are not held beside the table.
        parts = self.parts + side.evidence_with(self.forked)
        self.parts = []
        self.forked = []
        return convert_columns(SOURCE, parts, recorded, self.names, losses, notes, clock)


def _thread_group(
    samples: Piece, layout: Layout, by: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The thread group of the running task, where the sample tells it of the same task.

    Samples count tasks as perf's own pid namespace does, and a task that is almost gone as -1
    (perf_event_pid_type, kernel/events/core.c).
    """
    if not layout.has(TID):
        return np.full(len(samples), NULL)
    at = layout.offset(TID)
    pid, tid = samples.read(at, "<i4"), samples.read(at + 4, "<i4")
    return np.where((tid == by) & (pid >= 0), pid, NULL)

# SPDX-License-Identifier: MIT
"""Splits a piece of a bpftrace text into records: which line is what, and all values of every line.

A piece is some whole lines. Every line is accounted for in `LineCounts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scxval.events.columns import Names
from scxval.events.schema import MAX_CPU
from scxval.formats.conversion import EXAMPLE_CHARS, EXAMPLES
from scxval.formats.scan import DECIMAL, HEXADECIMAL, SIGNED, Flags, Lines, Positions, Scan, Words
from scxval.tracers.bpftrace.probes import (
    BEGIN,
    COMM_BYTES,
    END,
    HEADER,
    HEADER_PROBE,
    PROBES,
    Point,
)

# Tokens of a line before its key=value pairs: time, CPU, record name.
LEAD = 3
TIME_MAX = 2**63 - 1

LOST = re.compile(r"Lost (\d{1,18}) events")
# What bpftrace itself says on stderr, in a file that holds both streams.
ATTACHED = re.compile(r"Attach(ed|ing) \d+ probes?(\.\.\.)?")
NUMBER = re.compile(r"(\w+)=(0x)?%(d|x|llu|llx) ?")
NAME = re.compile(r'(\w+)="%s')
# A line that is no record of a known name.
UNKNOWN = -1


@dataclass(frozen=True)
class Layout:
    """A line format taken apart: numbers in fixed places, then names between fixed texts."""

    numbers: tuple[tuple[str, bytes, int], ...]
    names: tuple[str, ...]
    texts: tuple[bytes, ...]

    @property
    def not_negative(self) -> tuple[str, ...]:
        """Keys that may not be below zero: a switch without its tasks is none."""
        pids = ("prev_pid", "next_pid")
        return pids if all(any(pid == key for key, _, _ in self.numbers) for pid in pids) else ()

    @classmethod
    def of(cls, line: str) -> Layout:
        """Take a format such as `by=%d flags=0x%llx comm="%s"` apart."""
        numbers = []
        at = 0
        while match := NUMBER.match(line, at):
            key, prefix, conversion = match.groups()
            base = HEXADECIMAL if prefix else SIGNED if conversion == "d" else DECIMAL
            numbers.append((key, f"{key}={prefix or ''}".encode(), base))
            at = match.end()
        names = tuple(NAME.findall(line, at))
        texts = tuple(text.encode() for text in line[at:].split("%s")) if names else ()
        return cls(tuple(numbers), names, texts)


@dataclass(frozen=True)
class Group:
    """Records of one point in one layout, in the order of their lines, one array of values a key.

    `line` counts from the text's first. Task names are codes into the names handed to
    `read_records`, -1 where the line does not tell them apart.
    """

    point: Point
    time_ns: Positions
    cpu: Positions
    line: Positions
    values: dict[str, Positions | Words]


@dataclass(frozen=True)
class LineCounts:
    """How many lines of the text were what; together they are all lines."""

    blank: int = 0
    header: int = 0
    lost: int = 0
    markers: int = 0
    records: int = 0
    unparsed: int = 0

    @property
    def lines(self) -> int:
        """All of them."""
        return sum(vars(self).values())

    def __add__(self, other: LineCounts) -> LineCounts:
        """Those of two pieces."""
        return LineCounts(**{name: n + getattr(other, name) for name, n in vars(self).items()})


@dataclass(frozen=True)
class Records:
    """A parsed piece. `lost` are events that its lines report, `ended` whether END is among them."""

    groups: list[Group]
    attached: frozenset[str]
    counts: LineCounts
    lost: int
    examples: list[str]
    ended: bool
    ambiguous_names: int


def known_points() -> list[Point]:
    """Every attach point that any kernel's script may have."""
    return [p for probe in PROBES for p in (*probe.variants, *probe.returns.values())]


class Reader:
    """Reads one piece; `records()` is the result."""

    def __init__(self, text: bytes, names: Names, first_line: int) -> None:
        self.scan = Scan(text)
        self.lines: Lines = self.scan.lines()
        self.cut_off = bool(text) and not text.endswith(b"\n")
        self.names = names
        self.first_line = first_line

    @cached_property
    def _is_record(self) -> Flags:
        """Lines that begin with a digit; a last line without its newline is never one.

        It may be cut inside a number, which nothing else would show.
        """
        first = self.scan.byte(self.lines.start)
        found = (first >= ord("0")) & (first <= ord("9")) & (self.lines.end > self.lines.start)
        if self.cut_off:
            found[-1] = False
        return found

    def records(self) -> Records:
        """Parse everything."""
        blank = self.lines.end == self.lines.start
        other = np.flatnonzero(~(self._is_record | blank))
        header, attached, lost, strange = self._other_lines(other)
        index = np.flatnonzero(self._is_record)
        time_ns, cpu, kind, bad = self._leads(index)
        kind[bad] = UNKNOWN
        groups, unread = self._groups(index, kind, time_ns, cpu)
        unparsed = np.sort(np.concatenate([strange, index[bad], unread]))
        markers = [int((kind == code).sum()) for code in (0, 1)]
        counts = LineCounts(
            blank=int(blank.sum()),
            header=header,
            lost=len(lost),
            markers=sum(markers),
            records=sum(len(group.line) for group in groups),
            unparsed=len(unparsed),
        )
        return Records(
            groups=groups,
            attached=attached,
            counts=counts,
            lost=sum(lost),
            examples=[self._line(at)[:EXAMPLE_CHARS] for at in unparsed[:EXAMPLES]],
            ended=markers[1] > 0,
            ambiguous_names=sum(
                int((g.values["prev_comm"] < 0).sum()) for g in groups if "prev_comm" in g.values
            ),
        )

    def _line(self, at: int) -> str:
        return self.scan.text(int(self.lines.start[at]), int(self.lines.end[at]))

    def _other_lines(self, lines: Positions) -> tuple[int, frozenset[str], list[int], Positions]:
        """Number of header lines, probes that they list, numbers of lost events, other lines."""
        header, attached, lost, strange = 0, set(), [], []
        for at in lines.tolist():
            text = self._line(at)
            if self.cut_off and at == len(self.lines.start) - 1:
                strange.append(at)
            elif match := LOST.fullmatch(text):
                lost.append(int(match[1]))
            elif text == HEADER or ATTACHED.fullmatch(text):
                header += 1
            elif text.startswith(HEADER_PROBE):
                header += 1
                attached.add(text.removeprefix(HEADER_PROBE))
            else:
                strange.append(at)
        return header, frozenset(attached), lost, np.array(strange, dtype=np.int64)

    def _leads(self, index: Positions) -> tuple[Positions, Positions, Positions, Flags]:
        """Time, CPU, record code and badness of lines; the code is a place in `_RECORDS`."""
        begin, end = self.lines.start[index], self.lines.end[index]
        first = self.lines.first_space[index]
        spaces = self.lines.spaces
        bad = spaces[first + 1] >= end
        # A bad line has no second or third token: read its first instead and forget it.
        one = np.minimum(spaces[first], end)
        two = np.where(bad, one, spaces[first + 1])
        three = np.where(bad, one, np.minimum(spaces[first + 2], end))
        time_ns, good = self.scan.decimal(begin, one)
        bad |= ~good | (time_ns > TIME_MAX)
        cpu, good = self.scan.decimal(np.minimum(one + 1, end), two)
        bad |= ~good | (cpu > MAX_CPU)
        code = self.scan.which(np.minimum(two + 1, end), three, _RECORDS)
        bad |= code < 0
        time_ns[bad] = 0
        cpu[bad] = 0
        return time_ns.astype(np.int64), cpu.astype(np.int16), code, bad

    def _groups(
        self, line: Positions, kind: Positions, time_ns: Positions, cpu: Positions
    ) -> tuple[list[Group], Positions]:
        """The records of every point, and the lines that fit no layout of theirs."""
        groups = []
        unread = [np.zeros(0, dtype=np.int64)]
        for number, layouts in _LAYOUTS.items():
            at = np.flatnonzero(kind == number)
            for layout in layouts if len(at) else ():
                good, values = self._parse(line[at], layout)
                if good.any():
                    put = at[good]
                    numbers = self.first_line + line[put]
                    groups.append(Group(_POINTS[number], time_ns[put], cpu[put], numbers, values))
                at = at[~good]
            unread.append(line[at])
        for marker in (0, 1):
            at = np.flatnonzero(kind == marker)
            place = line[at]
            longer = self.lines.spaces[self.lines.first_space[place] + 2] < self.lines.end[place]
            # BEGIN with something behind it is not the marker.
            unread.append(place[longer])
            kind[at[longer]] = UNKNOWN
        return groups, np.concatenate(unread)

    def _parse(self, line: Positions, layout: Layout) -> tuple[Flags, dict[str, Positions | Words]]:
        """Which of the lines fit the layout, and the values of those that do."""
        keys, prefixes, bases = zip(*layout.numbers, strict=True)
        last = LEAD + len(keys) - (0 if layout.names else 1)
        found, good = self.scan.fields(self.lines, line, LEAD, prefixes, bases)
        good &= self.lines.spaces[self.lines.first_space[line] + last - 1] < self.lines.end[line]
        enough = np.flatnonzero(good)
        first, end = self.lines.first_space[line[enough]], self.lines.end[line[enough]]
        fits = np.ones(len(enough), dtype=np.bool_)
        values = {key: numbers[enough] for key, numbers in zip(keys, found, strict=True)}
        for key, numbers in values.items():
            if key.endswith("cpu") or key == "target":
                fits &= numbers <= MAX_CPU
            elif key in layout.not_negative:
                fits &= numbers >= 0
        tail = self.lines.spaces[first + last - 1] + 1
        if not layout.names:
            fits &= self.lines.spaces[first + last] >= end
        elif len(layout.names) == 1:
            fits &= self._one_name(tail, end, layout, values)
        else:
            fits &= self._two_names(tail, end, layout, values)
        good[enough] = fits
        return good, {key: value[fits] for key, value in values.items()}

    def _one_name(
        self, tail: Positions, end: Positions, layout: Layout, values: dict[str, Positions | Words]
    ) -> Flags:
        before, after = layout.texts
        start = tail + len(before)
        size = end - len(after) - start
        fits = self.scan.holds(tail, before) & self.scan.holds(end - len(after), after)
        fits &= (size >= 0) & (size <= COMM_BYTES)
        values[layout.names[0]] = self.names.codes(
            self.scan.sixteen(start, np.where(fits, size, 0))
        )
        return fits

    def _two_names(
        self, tail: Positions, end: Positions, layout: Layout, values: dict[str, Positions | Words]
    ) -> Flags:
        """Find the text between two names; a line with several places for it keeps no names."""
        before, between, after = layout.texts
        start = tail + len(before)
        stop = end - len(after)
        places = np.zeros(len(tail), dtype=np.int64)
        size = np.zeros(len(tail), dtype=np.int64)
        for first_size in range(COMM_BYTES + 1):
            near = np.flatnonzero(self.scan.byte(start + first_size) == between[0])
            rest = stop[near] - start[near] - first_size - len(between)
            near = near[(rest >= 0) & (rest <= COMM_BYTES)]
            near = near[self.scan.holds(start[near] + first_size, between)]
            places[near] += 1
            size[near] = first_size
        fits = self.scan.holds(tail, before) & self.scan.holds(stop, after) & (places > 0)
        certain = fits & (places == 1)
        second = start + size + len(between)
        for name, at, length in (
            (layout.names[0], start, size),
            (layout.names[1], second, stop - second),
        ):
            codes = self.names.codes(self.scan.sixteen(at, np.where(certain, length, 0)))
            values[name] = np.where(certain, codes, -1)
        return fits


_MARKERS = [BEGIN.encode(), END.encode()]
_RECORDS = [*_MARKERS, *(point.record.encode() for point in known_points())]
_POINTS = dict(enumerate(known_points(), len(_MARKERS)))
_LAYOUTS = {
    number: [Layout.of(line) for line in (point.line, *point.older)]
    for number, point in _POINTS.items()
}


def read_records(text: bytes, names: Names, first_line: int = 0) -> Records:
    """Parse whole lines, the first of which is line `first_line` of the text.

    Only the text's last line may lack its newline: it is never a record. Nothing raises: what cannot
    be read is counted, with examples.
    """
    return Reader(text, names, first_line).records()

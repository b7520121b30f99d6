# SPDX-License-Identifier: MIT
"""Samples of perf.data: where their parts lie, and the tracepoint's own record within each.

The order of the parts is that of PERF_RECORD_SAMPLE in include/uapi/linux/perf_event.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError
from scxval.tracers.perf_sched.chain import HEADER_BYTES, Piece, Places, numbers
from scxval.tracers.perf_sched.file import HOW_TO_RECORD, Attr

Bools = npt.NDArray[np.bool_]

# Bits of sample_type.
IP, TID, TIME, ADDR, READ, CALLCHAIN, ID, CPU, PERIOD, STREAM_ID, RAW = (1 << n for n in range(11))
IDENTIFIER = 1 << 16
# Parts of 8 bytes each, in their order.
_IN_SAMPLE = (IDENTIFIER, IP, TID, TIME, ADDR, ID, STREAM_ID, CPU, PERIOD)
_IN_TRAILER = (TID, TIME, ID, STREAM_ID, CPU, IDENTIFIER)
_NEEDED = {TIME: "time", CPU: "CPU", RAW: "record"}
# Bits of read_format.
_READ_ENABLED, _READ_RUNNING, _READ_ID, _READ_GROUP, _READ_LOST = (1 << n for n in range(5))


@dataclass(frozen=True)
class Layout:
    """Where the parts of one event's samples lie, in bytes from the record's begin."""

    attr: Attr

    def offset(self, part: int) -> int:
        """Where a part of 8 bytes lies; the sample must have it."""
        return HEADER_BYTES + 8 * (self.attr.sample_type & _before(part)).bit_count()

    def has(self, part: int) -> bool:
        """Whether the samples have this part."""
        return bool(self.attr.sample_type & part)

    @cached_property
    def fixed_bytes(self) -> int:
        """Bytes up to the first part of no fixed size, the record's header included."""
        return HEADER_BYTES + 8 * (self.attr.sample_type & _before(READ)).bit_count()

    def raw(self, samples: Piece) -> tuple[Places, Places, Bools]:
        """Begin and size of each sample's raw data, and which samples hold what they say."""
        at = samples.place + self.fixed_bytes
        sound = at <= samples.end
        if self.has(READ):
            at, sound = self._after_read(samples, at, sound)
        if self.has(CALLCHAIN):
            count, sound = _count(samples, at, sound)
            at = at + 8 + 8 * count
        sound = sound & (at + 4 <= samples.end)
        size = numbers(samples.data, np.where(sound, at, 0), "<u4").astype(np.int64)
        begin = at + 4
        return begin, size, sound & (begin + size <= samples.end)

    def _after_read(self, samples: Piece, at: Places, sound: Bools) -> tuple[Places, Bools]:
        """Behind the counter's values (struct read_format)."""
        form = self.attr.read_format
        times = (form & (_READ_ENABLED | _READ_RUNNING)).bit_count()
        more = (form & (_READ_ID | _READ_LOST)).bit_count()
        if not form & _READ_GROUP:
            return at + 8 * (1 + times + more), sound
        count, sound = _count(samples, at, sound)
        return at + 8 * (1 + times) + 8 * (1 + more) * count, sound


def _before(part: int) -> int:
    """All parts before this one; READ and what follows it come after all of fixed size."""
    known = _IN_SAMPLE[: _IN_SAMPLE.index(part)] if part in _IN_SAMPLE else _IN_SAMPLE
    return sum(known)


def _count(samples: Piece, at: Places, sound: Bools) -> tuple[Places, Bools]:
    """A count of 8-byte things that fit into the record."""
    sound = sound & (at + 8 <= samples.end)
    count = numbers(samples.data, np.where(sound, at, 0), "<u8")
    room = np.maximum(samples.end - at - 8, 0) // 8
    sound = sound & (count <= room.astype(np.uint64))
    return np.where(sound, count, 0).astype(np.int64), sound


class Events:
    """The file's events: tells of each sample which event it is of.

    Raises ScxvalError when the samples cannot be told apart, or a tracepoint's lack a part that is
    needed.
    """

    def __init__(self, attrs: Sequence[Attr], wanted: Sequence[int]) -> None:
        self.layouts = [Layout(attr) for attr in attrs]
        for attr in (attrs[n] for n in wanted):
            missing = [name for bit, name in _NEEDED.items() if not attr.sample_type & bit]
            if missing:
                raise ScxvalError(
                    f"its samples have no {' and no '.join(missing)}; {HOW_TO_RECORD}"
                )
        clocks = {attrs[n].clock for n in wanted}
        if len(clocks) > 1:
            told = ", ".join(sorted(clocks))
            raise ScxvalError(f"its events have times of several clocks ({told}); {HOW_TO_RECORD}")
        self.clock = clocks.pop()
        self._id_at = self._id_offset(attrs)
        ids = [(number, n) for n, attr in enumerate(attrs) for number in attr.ids]
        ids.sort()
        self._ids = np.array([number for number, _ in ids], dtype=np.uint64)
        self._event_of_id = np.array([n for _, n in ids], dtype=np.int64)

    @staticmethod
    def _id_offset(attrs: Sequence[Attr]) -> int | None:
        """Where every sample has its id; None with one event, which needs none."""
        if all(attr.sample_type & IDENTIFIER for attr in attrs):
            return HEADER_BYTES
        alike = len({attr.sample_type for attr in attrs}) == 1
        if alike and attrs[0].sample_type & ID:
            return Layout(attrs[0]).offset(ID)
        if len(attrs) > 1:
            raise ScxvalError(f"its samples do not say which event they are of; {HOW_TO_RECORD}")
        return None

    def of(self, samples: Piece) -> npt.NDArray[np.int64]:
        """The event of each sample, by its place among the attrs; -1: no event has its id."""
        if self._id_at is None:
            return np.zeros(len(samples), dtype=np.int64)
        event = np.full(len(samples), -1, dtype=np.int64)
        if not self._ids.size:
            return event
        long_enough = samples.at_least(self._id_at + 8)
        ids = numbers(samples.data, samples.place[long_enough] + self._id_at, "<u8")
        near = np.minimum(np.searchsorted(self._ids, ids), self._ids.size - 1)
        event[long_enough] = np.where(self._ids[near] == ids, self._event_of_id[near], -1)
        return event


@dataclass(frozen=True)
class Trailer:
    """What stands at the end of every record that is no sample: nothing, or the same for all."""

    bits: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return 8 * self.bits.bit_count()

    def back(self, part: int) -> int | None:
        """Bytes from a part's begin to the record's end; None without the part."""
        if not self.bits & part:
            return None
        following = _IN_TRAILER[_IN_TRAILER.index(part) :]
        return 8 * (self.bits & sum(following)).bit_count()


def trailer_of(attrs: Sequence[Attr]) -> Trailer:
    """The trailer of records that are no samples (sample_id_all); none if the events differ in it."""
    kinds = {attr.sample_type & sum(_IN_TRAILER) if attr.sample_id_all else 0 for attr in attrs}
    return Trailer(kinds.pop() if len(kinds) == 1 else 0)

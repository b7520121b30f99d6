# SPDX-License-Identifier: MIT
"""The records of perf.data, each of which only the one before tells the place of.

A record begins with its type (u32), misc (u16) and size (u16) (struct perf_event_header,
include/uapi/linux/perf_event.h). Types and what follows a record: tools/lib/perf/include/perf/event.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

HEADER_BYTES = 8
# Records taken at a time: what is made of them is small, and their pages can then be given back.
PIECE_RECORDS = 1 << 16


class Type(IntEnum):
    """The record types that are read."""

    LOST = 2
    COMM = 3
    EXIT = 4
    THROTTLE = 5
    FORK = 7
    SAMPLE = 9
    LOST_SAMPLES = 13
    HEADER_ATTR = 64
    TRACING_DATA = 66
    AUXTRACE = 71
    COMPRESSED = 81
    COMPRESSED2 = 83


_KNOWN = np.zeros(256, dtype=np.bool_)
_KNOWN[1:23] = _KNOWN[64:87] = True
_AUXTRACE = int(Type.AUXTRACE)
_TRACING_DATA = int(Type.TRACING_DATA)


@compiled
def _chain(data: Bytes, begin: int, end: int, places: Places) -> tuple[int, int]:
    """Places of records from `begin` on, as many as fit; how many, and where the next one begins.

    A place before `end` where the array is not full is one where no whole record lies.
    """
    count = 0
    place = np.int64(begin)
    while count < places.size and place + 8 <= end:
        size = np.int64(data[place + 6]) | np.int64(data[place + 7]) << 8
        kind = np.int64(0)
        for byte in range(4):
            kind |= np.int64(data[place + byte]) << (8 * byte)
        following = place + size
        if size < 8 or following > end:
            break
        # Bytes that belong to no record follow these two.
        if kind in (_AUXTRACE, _TRACING_DATA) and size >= 16:
            more = np.int64(0)
            for byte in range(8 if kind == _AUXTRACE else 4):
                more |= np.int64(data[place + 8 + byte]) << (8 * byte)
            following += (more + 7) // 8 * 8
            if more < 0 or more > end or following > end:
                break
        places[count] = place
        count += 1
        place = following
    return count, int(place)


def numbers(data: Bytes, at: Places, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """The number of this type at each place, aligned or not; all must lie within `data`."""
    number = np.dtype(kind)
    if not at.size:
        return np.zeros(0, dtype=number)
    view = np.ndarray((data.size - number.itemsize + 1,), number, buffer=data, strides=(1,))
    return view[at]


@dataclass(frozen=True)
class Piece:
    """Some records in a row: `place` and `end` in `data`, types, and ordinals over the whole file."""

    data: Bytes
    place: Places
    end: Places
    kind: npt.NDArray[np.integer]
    ordinal: Places

    def of(self, *kinds: Type) -> Piece:
        """The records of these types."""
        mine = self.kind == kinds[0]
        for kind in kinds[1:]:
            mine |= self.kind == kind
        return self.take(np.flatnonzero(mine))

    def take(self, which: npt.NDArray[np.bool_] | Places) -> Piece:
        """The records at these indices, or where the mask holds."""
        if which.dtype == np.bool_ and which.all():
            return self
        return Piece(
            self.data, self.place[which], self.end[which], self.kind[which], self.ordinal[which]
        )

    @property
    def strange(self) -> Places:
        """Places of the records of a type that perf of Linux 7.2 does not write."""
        found: Places = self.place[~_KNOWN[np.minimum(self.kind, 255)]]
        return found

    def __len__(self) -> int:
        """Number of records."""
        return len(self.place)

    def at_least(self, size: int) -> npt.NDArray[np.bool_]:
        """Which records have this many bytes."""
        enough: npt.NDArray[np.bool_] = self.end - self.place >= size
        return enough

    def read(self, offset: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """The number at this offset of every record; each must be long enough."""
        return numbers(self.data, self.place + offset, kind)


class Chain:
    """Walks the records in [begin, end) of `data`; `stopped_at` is where no whole record follows."""

    def __init__(self, data: Bytes, begin: int, end: int, first_ordinal: int = 0) -> None:
        self.data = data
        self.end = end
        self.stopped_at = begin
        self.ordinal = first_ordinal

    @property
    def whole(self) -> bool:
        """Whether the records, as far as walked, fill the room exactly."""
        return self.stopped_at == self.end

    def pieces(self, records: int = PIECE_RECORDS) -> Iterator[Piece]:
        """All records, at most `records` at a time."""
        places = np.empty(records, dtype=np.int64)
        count = records
        while count == records:
            count, self.stopped_at = _chain(self.data, self.stopped_at, self.end, places)
            if not count:
                return
            place = places[:count].copy()
            end = place + numbers(self.data, place + 6, "<u2")
            ordinal = np.arange(self.ordinal, self.ordinal + count)
            self.ordinal += count
            yield Piece(self.data, place, end, numbers(self.data, place, "<u4"), ordinal)

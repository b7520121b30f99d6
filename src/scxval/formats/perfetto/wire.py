# SPDX-License-Identifier: MIT
"""Protobuf's wire format for whole arrays of messages: spans of bytes in, columns out.

A message is a span [start, end) of the file. A field that reaches beyond its message ends the reading of
that message, which is marked: nothing is ever read beyond a span. A field whose wire type is not the
wanted one is skipped, as protobuf does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5
# Greater field numbers are skipped; no message that is read here has one.
NUMBERS = 1024
ABSENT = -1
# What `_field` gives as the next place when there is none.
_MALFORMED = -1
_BEYOND = -2

Data = npt.NDArray[np.uint8]
# What a compiled loop takes; numba finds each argument's type when it is called.
Array = npt.NDArray[Any]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Spans:
    """Messages: bytes [start, end) of the file each."""

    start: Int64s
    end: Int64s

    def __len__(self) -> int:
        """Number of messages."""
        return len(self.start)

    def take(self, which: npt.NDArray[np.integer] | Bools) -> Spans:
        """The messages at these places, or those where the mask holds."""
        return Spans(self.start[which], self.end[which])


@dataclass(frozen=True)
class Children:
    """Messages (or strings) within messages: `owner` is the place of the outer one.

    `cut` marks those that went on beyond their owner and were clipped to it. `bad` marks owners that
    could not be read to their end.
    """

    owner: npt.NDArray[np.int32]
    number: npt.NDArray[np.int16]
    spans: Spans
    cut: Bools
    bad: Bools

    def of(self, number: int) -> Children:
        """Those of one field."""
        which = self.number == number
        return Children(
            self.owner[which],
            self.number[which],
            self.spans.take(which),
            self.cut[which],
            self.bad,
        )


@dataclass(frozen=True)
class Fields:
    """Singular fields of messages, a row a wanted field and a column a message; the last one counts.

    `value` has the 64 bits of a number, or the place of the first byte of a string or message; `length`
    is ABSENT (-1) where a message has no such field, else the bytes of a string or message, 0 for a
    number. `ok` marks messages that could be read to their end.
    """

    value: npt.NDArray[np.int64]
    length: npt.NDArray[np.int32]
    ok: Bools

    def spans(self, row: int, which: npt.NDArray[np.integer] | Bools) -> Spans:
        """The strings or messages of one wanted field, of messages that have it."""
        start = self.value[row][which]
        return Spans(start, start + self.length[row][which])


@compiled
def _varint(data: Array, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = int(np.int64(data[at]))
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, _MALFORMED


@compiled
def _field(data: Array, at: int, end: int) -> tuple[int, int, int, int, int]:
    """Number, wire type, value (or place of the payload), its length, place of the next field."""
    tag, at = _varint(data, at, end)
    number = tag >> 3
    wire = tag & 7
    if at < 0 or number < 1 or number >= 1 << 29:
        return number, wire, 0, 0, _MALFORMED
    if wire == VARINT:
        value, at = _varint(data, at, end)
        return number, wire, value, 0, at
    if wire == LEN:
        length, at = _varint(data, at, end)
        if at < 0 or length < 0:
            return number, wire, 0, 0, _MALFORMED
        if length > end - at:
            return number, wire, at, end - at, _BEYOND
        return number, wire, at, length, at + length
    size = 8 if wire == FIXED64 else 4
    if (wire != FIXED64 and wire != FIXED32) or end - at < size:
        return number, wire, 0, 0, _MALFORMED
    value = 0
    for place in range(size):
        value |= int(np.int64(data[at + place])) << (8 * place)
    return number, wire, value, 0, at + size


@compiled
def _count_children(
    data: Array, start: Array, end: Array, wanted: Array, clip: bool, bad: Array
) -> int:
    count = 0
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            number, wire, _, _, after = _field(data, at, end[i])
            named = number < NUMBERS and wire == LEN and wanted[number]
            if after < 0:
                bad[i] = True
                count += named and clip and after == _BEYOND
                break
            count += named
            at = after
    return count


@compiled
def _fill_children(
    data: Array,
    start: Array,
    end: Array,
    wanted: Array,
    clip: bool,
    owner: Array,
    numbers: Array,
    starts: Array,
    ends: Array,
    cut: Array,
) -> None:
    filled = 0
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            number, wire, value, length, after = _field(data, at, end[i])
            named = number < NUMBERS and wire == LEN and wanted[number]
            if named and (after >= 0 or (clip and after == _BEYOND)):
                owner[filled] = i
                numbers[filled] = number
                starts[filled] = value
                ends[filled] = value + length
                cut[filled] = after < 0
                filled += 1
            if after < 0:
                break
            at = after


def children(data: Data, spans: Spans, numbers: Sequence[int], clip: bool = False) -> Children:
    """Every string or message field with one of these numbers, in the order of the file.

    With `clip`, one that goes on beyond its owner is clipped to it: for messages that hold others, so
    that those before a cut are kept.
    """
    wanted = np.zeros(NUMBERS, dtype=np.bool_)
    wanted[list(numbers)] = True
    bad = np.zeros(len(spans), dtype=np.bool_)
    count = int(_count_children(data, spans.start, spans.end, wanted, clip, bad))
    owner, number = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int16)
    start, end = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    cut = np.empty(count, dtype=np.bool_)
    _fill_children(data, spans.start, spans.end, wanted, clip, owner, number, start, end, cut)
    return Children(owner, number, Spans(start, end), cut, bad)


@compiled
def _fill_fields(
    data: Array,
    start: Array,
    end: Array,
    row: Array,
    wires: Array,
    value: Array,
    length: Array,
    ok: Array,
) -> None:
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            number, wire, found, size, after = _field(data, at, end[i])
            if after < 0:
                ok[i] = False
                break
            if number < NUMBERS and row[number] >= 0 and wires[row[number]] == wire:
                value[row[number], i] = found
                length[row[number], i] = size
            at = after


def fields(data: Data, spans: Spans, wanted: Sequence[tuple[int, int]]) -> Fields:
    """Singular fields (number, wire type) of every message."""
    row = np.full(NUMBERS, -1, dtype=np.int8)
    for place, (number, _) in enumerate(wanted):
        row[number] = place
    wires = np.array([wire for _, wire in wanted], dtype=np.int64)
    value = np.zeros((len(wanted), len(spans)), dtype=np.int64)
    length = np.full((len(wanted), len(spans)), ABSENT, dtype=np.int32)
    ok = np.ones(len(spans), dtype=np.bool_)
    _fill_fields(data, spans.start, spans.end, row, wires, value, length, ok)
    return Fields(value, length, ok)


@compiled
def _repeated(
    data: Array,
    start: Array,
    end: Array,
    wanted: int,
    wire_wanted: int,
    fill: bool,
    owner: Array,
    values: Array,
    bad: Array,
) -> int:
    """Count (`fill` false) or fill in; packed and unpacked numbers alike."""
    count = 0
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            number, wire, value, length, after = _field(data, at, end[i])
            if after < 0:
                bad[i] = True
                break
            at = after
            if number != wanted:
                continue
            if wire == wire_wanted:
                if fill:
                    owner[count], values[count] = i, value
                count += 1
            elif wire == LEN:
                place = value
                while place < value + length:
                    if wire_wanted == VARINT:
                        element, place = _varint(data, place, value + length)
                    elif place + 8 <= value + length:
                        element = 0
                        for k in range(8):
                            element |= int(np.int64(data[place + k])) << (8 * k)
                        place += 8
                    else:
                        place = _MALFORMED
                    if place < 0:
                        bad[i] = True
                        break
                    if fill:
                        owner[count], values[count] = i, element
                    count += 1
    return count


def repeated(
    data: Data, spans: Spans, number: int, wire: int = VARINT
) -> tuple[npt.NDArray[np.int32], Int64s, Bools]:
    """Owners and values of a repeated number (varint or fixed64), and a mask of unreadable messages.

    A message is given with the values before its fault: the caller decides what they are worth.
    """
    bad = np.zeros(len(spans), dtype=np.bool_)
    owner, values = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    args = (data, spans.start, spans.end, number, wire)
    count = int(_repeated(*args, False, owner, values, bad))
    owner, values = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int64)
    _repeated(*args, True, owner, values, bad)
    return owner, values, bad

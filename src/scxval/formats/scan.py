# SPDX-License-Identifier: MIT
"""Reads numbers and short texts from many places of a byte buffer at once, by compiled loops.

A trace of a second holds a hundred thousand lines, so no Python object is made for a line: a
position is an element of an array, and one call here reads at every position.

Positions count from PAD bytes before the text, so that a read may begin or end outside it; what is
read there is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled

Positions = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

PAD = 64
NEWLINE, SPACE, MINUS = 10, 32, 45
SHORT_BYTES = 16
# A compiled loop that mixes signed with unsigned numbers computes in floating point.
_U = np.uint64
_TEN, _SIXTEEN = _U(10), _U(16)
_ZERO, _ONE = _U(ord("0")), _U(ord("1"))
# 2**64 - 1 has twenty digits, the first of them a 1.
_MOST_DIGITS, _TWENTY_DIGITS = 20, _U(10**19)


# How the digits of a number are read: also the type of its values.
DECIMAL, HEXADECIMAL, SIGNED = range(3)


@dataclass(frozen=True)
class Lines:
    """Where the lines of a text begin and end (the newline is not part), and all its spaces.

    `spaces` ends with sentinels beyond every line; `first_space` indexes it per line.
    """

    start: Positions
    end: Positions
    first_space: Positions
    spaces: Positions


class Scan:
    """A text with the operations above."""

    def __init__(self, text: bytes) -> None:
        self.size = len(text)
        self._bytes = np.zeros(self.size + 2 * PAD, dtype=np.uint8)
        self._bytes[PAD : PAD + self.size] = np.frombuffer(text, dtype=np.uint8)

    def lines(self) -> Lines:
        """Find the lines; text after the last newline is a line too."""
        last = PAD + self.size
        open_end = bool(self.size) and self._bytes[last - 1] != NEWLINE
        lines, spaces = _count(self._bytes)
        end = np.full(lines + open_end, last, dtype=np.int64)
        first_space = np.zeros(len(end), dtype=np.int64)
        at = np.full(spaces + PAD, last + 1, dtype=np.int64)
        _place(self._bytes, end, first_space, at)
        start = np.full_like(end, PAD)
        start[1:] = end[:-1] + 1
        return Lines(start, end, first_space, at)

    def byte(self, at: Positions) -> npt.NDArray[np.uint8]:
        """The byte at each position."""
        return self._bytes[at]

    def holds(self, at: Positions, literal: bytes) -> Flags:
        """Whether the literal stands at each position."""
        found = np.zeros(len(at), dtype=np.bool_)
        _holds(self._bytes, at, np.frombuffer(literal, dtype=np.uint8), found)
        return found

    def which(self, start: Positions, end: Positions, texts: Sequence[bytes]) -> Positions:
        """Which of the texts [start, end) is, by its place among them; -1 for none."""
        joined = np.frombuffer(b"".join(texts), dtype=np.uint8)
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        found = np.full(len(start), -1, dtype=np.int64)
        _which(self._bytes, start, end, joined, ends, found)
        return found

    def decimal(self, start: Positions, end: Positions) -> tuple[Words, Flags]:
        """Decimal numbers up to 2**64 - 1 in [start, end), and which of them really are."""
        return self._numbers(start, end, DECIMAL)

    def hexadecimal(self, start: Positions, end: Positions) -> tuple[Words, Flags]:
        """Hexadecimal numbers of up to 64 bits, without 0x, and which of them really are."""
        return self._numbers(start, end, HEXADECIMAL)

    def signed(self, start: Positions, end: Positions) -> tuple[Positions, Flags]:
        """Signed 32-bit decimal numbers in [start, end), and which of them really are."""
        value, ok = self._numbers(start, end, SIGNED)
        return value.view(np.int64), ok

    def _numbers(self, start: Positions, end: Positions, base: int) -> tuple[Words, Flags]:
        value, ok = np.zeros(len(start), dtype=np.uint64), np.zeros(len(start), dtype=np.bool_)
        _numbers(self._bytes, start, end, base, value, ok)
        return value, ok

    def fields(
        self,
        lines: Lines,
        which: Positions,
        place: int,
        prefixes: Sequence[bytes],
        base: Sequence[int],
    ) -> tuple[list[Positions | Words], Flags]:
        """Numbers in tokens that follow each other in these lines, from token `place` on.

        Token 0 ends at a line's first space. Each number is read after its prefix in its base. Also
        which lines have all of them.
        """
        values = np.zeros((len(base), len(which)), dtype=np.uint64)
        ok = np.zeros(len(which), dtype=np.bool_)
        joined = np.frombuffer(b"".join(prefixes), dtype=np.uint8)
        ends = np.cumsum([len(prefix) for prefix in prefixes], dtype=np.int64)
        first, end = lines.first_space[which], lines.end[which]
        bases = np.array(base, dtype=np.int64)
        _fields(self._bytes, lines.spaces, first, end, place, joined, ends, bases, values, ok)
        typed = zip(values, base, strict=True)
        return [row.view(np.int64) if b == SIGNED else row for row, b in typed], ok

    def word_end(self, at: Positions, end: Positions) -> Positions:
        """The first space from each position on, or `end` where there is none before it."""
        found = np.empty_like(at)
        _word_end(self._bytes, at, end, found)
        return found

    def word_start(self, start: Positions, end: Positions) -> Positions:
        """The last space in each [start, end), or `start` where there is none."""
        found = np.empty_like(start)
        _word_start(self._bytes, start, end, found)
        return found

    def last_of(self, at: Positions, most: int, literal: bytes) -> Positions:
        """The last place of the literal at most so many bytes from each position, -1 without one."""
        found = np.full(len(at), -1, dtype=np.int64)
        _last_of(self._bytes, at, most, np.frombuffer(literal, dtype=np.uint8), found)
        return found

    def sixteen(self, start: Positions, size: Positions) -> npt.NDArray[np.uint8]:
        """Up to 16 bytes from each position, zeros after them: an array of shape (n, 16)."""
        found = np.zeros((len(start), SHORT_BYTES), dtype=np.uint8)
        _sixteen(self._bytes, start, size, found)
        return found

    def text(self, start: int, end: int) -> str:
        """One piece of the text; bytes that are not UTF-8 become U+FFFD."""
        return self._bytes[start:end].tobytes().decode("utf-8", errors="replace")


# -- the loops; what they find goes into arrays that are handed in, zero or "not found" before


@compiled
def _count(data: npt.NDArray[np.uint8]) -> tuple[int, int]:
    lines = spaces = 0
    for byte in data:
        lines += byte == NEWLINE
        spaces += byte == SPACE
    return lines, spaces


@compiled
def _place(
    data: npt.NDArray[np.uint8], end: Positions, first_space: Positions, spaces: Positions
) -> None:
    line = space = 0
    for at, byte in enumerate(data):
        if byte == NEWLINE:
            end[line] = at
            line += 1
            if line < len(first_space):
                first_space[line] = space
        elif byte == SPACE:
            spaces[space] = at
            space += 1


@compiled
def _holds(
    data: npt.NDArray[np.uint8], at: Positions, literal: npt.NDArray[np.uint8], found: Flags
) -> None:
    for n, place in enumerate(at):
        same = True
        for offset, byte in enumerate(literal):
            if data[place + offset] != byte:
                same = False
                break
        found[n] = same


@compiled
def _which(
    data: npt.NDArray[np.uint8],
    start: Positions,
    end: Positions,
    texts: npt.NDArray[np.uint8],
    ends: Positions,
    found: Positions,
) -> None:
    for n in range(len(start)):
        first, size = start[n], end[n] - start[n]
        begin = 0
        for text, stop in enumerate(ends):
            same = stop - begin == size
            for offset in range(size if same else 0):
                # From the end: names tend to begin alike.
                if data[first + size - 1 - offset] != texts[stop - 1 - offset]:
                    same = False
                    break
            if same:
                found[n] = text
                break
            begin = stop


@compiled
def _decimal(data: npt.NDArray[np.uint8], start: int, end: int) -> tuple[np.uint64, bool]:
    number = _U(0)
    good = 0 < end - start <= _MOST_DIGITS
    for at in range(start, end if good else start):
        digit = _U(data[at]) - _ZERO
        good = good and bool(digit < _TEN)
        number = number * _TEN + digit
    if end - start == _MOST_DIGITS and data[start] != _ZERO:
        # Past 2**64 it wraps below what any number with these digits is.
        good = good and bool(data[start] == _ONE) and bool(number >= _TWENTY_DIGITS)
    return number, good


@compiled
def _hexadecimal(data: npt.NDArray[np.uint8], start: int, end: int) -> tuple[np.uint64, bool]:
    number = _U(0)
    good = 0 < end - start <= 16
    for at in range(start, end if good else start):
        digit = _U(data[at]) - _U(48)
        if digit > _U(9):
            # Both cases of a letter differ in one bit.
            digit = (_U(data[at]) | _U(32)) - _U(97) + _TEN
            good = good and bool(digit >= _TEN) and bool(digit < _SIXTEEN)
        number = number * _SIXTEEN + digit
    return number, good


@compiled
def _number(data: npt.NDArray[np.uint8], start: int, end: int, base: int) -> tuple[np.uint64, bool]:
    """A number's 64 bits, and whether it is one."""
    if base == HEXADECIMAL:
        return _hexadecimal(data, start, end)
    if base == DECIMAL:
        return _decimal(data, start, end)
    negative = data[start] == MINUS
    number, good = _decimal(data, start + negative, end)
    good = good and bool(number <= (_U(2**31) if negative else _U(2**31 - 1)))
    return (_U(0) - number if negative else number), good


@compiled
def _numbers(
    data: npt.NDArray[np.uint8],
    start: Positions,
    end: Positions,
    base: int,
    value: Words,
    ok: Flags,
) -> None:
    for n in range(len(start)):
        value[n], ok[n] = _number(data, start[n], end[n], base)


@compiled
def _fields(
    data: npt.NDArray[np.uint8],
    spaces: Positions,
    first: Positions,
    end: Positions,
    place: int,
    prefixes: npt.NDArray[np.uint8],
    prefix_ends: Positions,
    base: Positions,
    values: npt.NDArray[np.uint64],
    ok: Flags,
) -> None:
    for n in range(len(first)):
        good = spaces[first[n] + place + len(base) - 2] < end[n]
        prefix = 0
        for field in range(len(base) if good else 0):
            at = spaces[first[n] + place + field - 1] + 1
            stop = min(spaces[first[n] + place + field], end[n])
            while prefix < prefix_ends[field]:
                good &= data[at] == prefixes[prefix]
                at += 1
                prefix += 1
            values[field, n], number = _number(data, at, stop, base[field])
            good &= number
            if not good:
                break
        ok[n] = good


@compiled
def _sixteen(
    data: npt.NDArray[np.uint8], start: Positions, size: Positions, found: npt.NDArray[np.uint8]
) -> None:
    for n in range(len(start)):
        for offset in range(min(size[n], SHORT_BYTES)):
            found[n, offset] = data[start[n] + offset]


@compiled
def _word_end(data: npt.NDArray[np.uint8], at: Positions, end: Positions, found: Positions) -> None:
    for n in range(len(at)):
        place = at[n]
        while place < end[n] and data[place] != SPACE:
            place += 1
        found[n] = min(place, end[n])


@compiled
def _word_start(
    data: npt.NDArray[np.uint8], start: Positions, end: Positions, found: Positions
) -> None:
    for n in range(len(start)):
        place = end[n] - 1
        while place > start[n] and data[place] != SPACE:
            place -= 1
        found[n] = max(place, start[n])


@compiled
def _last_of(
    data: npt.NDArray[np.uint8],
    at: Positions,
    most: int,
    literal: npt.NDArray[np.uint8],
    found: Positions,
) -> None:
    for n in range(len(at)):
        for offset in range(most, -1, -1):
            same = True
            for place in range(len(literal)):
                if data[at[n] + offset + place] != literal[place]:
                    same = False
                    break
            if same:
                found[n] = at[n] + offset
                break

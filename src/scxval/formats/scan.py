# SPDX-License-Identifier: MIT
"""Reads numbers and short texts from many places of a byte buffer at once, eight bytes at a time.

A trace of a second holds a hundred thousand lines, so no Python object is made for a line: a
position is an element of an array, and one step of a loop here handles that step for every line.

Positions count from PAD bytes before the text, so that a read may begin or end outside it; what is
read there is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

PAD = 64
WORD = 8
NEWLINE, SPACE, MINUS = 10, 32, 45


def _each_byte(value: int) -> np.uint64:
    return np.uint64(value * 0x0101010101010101)


_U = np.uint64
_HIGH = _each_byte(0x80)
_ZEROS = _each_byte(ord("0"))
# First n bytes, and last n bytes, of a little-endian word.
_FIRST = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)
_LAST = ~_FIRST[::-1]
_U64_MAX = 2**64 - 1


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
        # One word for every byte position: the reads overlap.
        self._words = np.ndarray(
            (self.size + 2 * PAD - WORD + 1,), "<u8", buffer=self._bytes, strides=(1,)
        )

    def lines(self) -> Lines:
        """Find the lines; text after the last newline is a line too."""
        end = np.flatnonzero(self._bytes == NEWLINE)
        last = PAD + self.size
        if self.size and self._bytes[last - 1] != NEWLINE:
            end = np.append(end, last)
        start = np.full_like(end, PAD)
        start[1:] = end[:-1] + 1
        spaces = np.append(np.flatnonzero(self._bytes == SPACE), np.full(PAD, last + 1))
        return Lines(start, end, np.searchsorted(spaces, start), spaces)

    def words(self, at: Positions) -> Words:
        """The eight bytes from each position, the first in the lowest byte."""
        return self._words[at]

    def byte(self, at: Positions) -> npt.NDArray[np.uint8]:
        """The byte at each position."""
        return self._bytes[at]

    def holds(self, at: Positions, literal: bytes) -> Flags:
        """Whether the literal stands at each position."""
        found = np.ones(len(at), dtype=np.bool_)
        for offset in range(0, len(literal), WORD):
            part = literal[offset : offset + WORD]
            wanted = _U(int.from_bytes(part, "little"))
            found &= (self.words(at + offset) & _FIRST[len(part)]) == wanted
        return found

    def decimal(self, start: Positions, end: Positions) -> tuple[Words, Flags]:
        """Decimal numbers up to 2**64 - 1 in [start, end), and which of them really are."""
        digits = end - start
        longest = int(digits.max(initial=0))
        value, ok = self._eight_digits(end, digits)
        ok &= (digits > 0) & (digits <= 20)
        if longest > WORD:
            middle, good = self._eight_digits(end - WORD, digits - WORD)
            value += middle * _U(10**8)
            ok &= good
        if longest > 2 * WORD:
            top, good = self._eight_digits(end - 2 * WORD, digits - 2 * WORD)
            ok &= good & (top <= _U64_MAX // 10**16)
            room = _U(_U64_MAX) - np.minimum(top, _U(_U64_MAX // 10**16)) * _U(10**16)
            ok &= value <= room
            value += top * _U(10**16)
        return value, ok

    def _eight_digits(self, end: Positions, digits: Positions) -> tuple[Words, Flags]:
        word = self._last_or_zeros(end, digits) ^ _ZEROS
        ok = ((word + _each_byte(0x76) | word) & _HIGH) == 0
        # Pairs, then quads, then all eight digits are joined.
        word = word * _U(10 * 256 + 1) >> _U(8) & _U(0x00FF00FF00FF00FF)
        word = word * _U(100 * 65536 + 1) >> _U(16) & _U(0x0000FFFF0000FFFF)
        return word * _U(10000 * 2**32 + 1) >> _U(32), ok

    def hexadecimal(self, start: Positions, end: Positions) -> tuple[Words, Flags]:
        """Hexadecimal numbers of up to 64 bits, without 0x, and which of them really are."""
        digits = end - start
        value, ok = self._eight_nibbles(end, digits)
        ok &= (digits > 0) & (digits <= 2 * WORD)
        if int(digits.max(initial=0)) > WORD:
            top, good = self._eight_nibbles(end - WORD, digits - WORD)
            value |= top << _U(32)
            ok &= good
        return value, ok

    def _eight_nibbles(self, end: Positions, digits: Positions) -> tuple[Words, Flags]:
        word = self._last_or_zeros(end, digits)
        # The high bit of each byte: no digit; no letter a to f (in either case).
        no_digit = (word ^ _ZEROS) + _each_byte(0x76)
        letter = (word | _each_byte(0x20)) ^ _each_byte(0x60)
        no_letter = letter + _each_byte(0x79) | ~(letter + _each_byte(0x7F))
        ok = ((no_digit & no_letter | word) & _HIGH) == 0
        word = (word & _each_byte(0x0F)) + (word >> _U(6) & _each_byte(1)) * _U(9)
        word = (word << _U(4) | word >> _U(8)) & _U(0x00FF00FF00FF00FF)
        word = (word << _U(8) | word >> _U(16)) & _U(0x0000FFFF0000FFFF)
        return (word << _U(16) | word >> _U(32)) & _U(0xFFFFFFFF), ok

    def _last_or_zeros(self, end: Positions, digits: Positions) -> Words:
        """The last `digits` bytes (at most eight) before `end`, "0" in front of them."""
        keep = _LAST[np.clip(digits, 0, WORD)]
        return self.words(end - WORD) & keep | _ZEROS & ~keep

    def signed(self, start: Positions, end: Positions) -> tuple[Positions, Flags]:
        """Signed 32-bit decimal numbers in [start, end), and which of them really are."""
        negative = self.byte(start) == MINUS
        value, ok = self.decimal(start + negative, end)
        ok &= value <= np.where(negative, _U(2**31), _U(2**31 - 1))
        number = np.minimum(value, _U(2**31)).astype(np.int64)
        return np.where(negative, -number, number), ok

    def sixteen(self, start: Positions, size: Positions) -> npt.NDArray[np.uint8]:
        """Up to 16 bytes from each position, zeros after them: an array of shape (n, 16)."""
        pair = np.empty((len(start), 2), dtype="<u8")
        pair[:, 0] = self.words(start) & _FIRST[np.clip(size, 0, WORD)]
        pair[:, 1] = self.words(start + WORD) & _FIRST[np.clip(size - WORD, 0, WORD)]
        return pair.view(np.uint8)

    def text(self, start: int, end: int) -> str:
        """One piece of the text; bytes that are not UTF-8 become U+FFFD."""
        return self._bytes[start:end].tobytes().decode("utf-8", errors="replace")

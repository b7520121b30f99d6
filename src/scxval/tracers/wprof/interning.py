# SPDX-License-Identifier: MIT
"""Task names to numbers within a compiled loop: a hash table of 16-byte names, each numbered once."""

from __future__ import annotations

import numpy as np

from scxval.events.columns import Names
from scxval.formats.compiled import compiled
from scxval.tracers.wprof.json_text import NAME_BYTES, Array

_FEWEST = 1 << 10
_EMPTY = -1


class Interner:
    """Numbers of names seen so far; `keys`, `slots` and `count` are what `number_of` works on."""

    def __init__(self) -> None:
        self.keys = np.zeros((_FEWEST, 2), dtype=np.uint64)
        self.slots = np.full(2 * _FEWEST, _EMPTY, dtype=np.int32)
        self.count = np.zeros(1, dtype=np.int64)
        self._codes: list[int] = []

    def make_room(self, more: int) -> None:
        """Make sure that this many new names fit, with half of the slots left empty."""
        count = int(self.count[0])
        if count + more <= len(self.keys):
            return
        size = 1 << (count + more - 1).bit_length()
        keys = np.zeros((size, 2), dtype=np.uint64)
        keys[:count] = self.keys[:count]
        self.keys, self.slots = keys, np.full(2 * size, _EMPTY, dtype=np.int32)
        _fill(self.keys, self.slots, count)

    def codes(self, names: Names) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """The code in `names` of each number; the last element is for no name (-1)."""
        for key in self.keys[len(self._codes) : int(self.count[0])]:
            self._codes.append(names.of(key.tobytes().rstrip(b"\0").decode("utf-8", "replace")))
        return np.array([*self._codes, -1], dtype=np.int32)


@compiled
def _slot(first: np.uint64, second: np.uint64, slots: Array) -> int:
    mixed = first * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= second * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(32)
    return int(np.int64(mixed & np.uint64(len(slots) - 1)))


@compiled
def _fill(keys: Array, slots: Array, count: int) -> None:
    for number in range(count):
        slot = _slot(keys[number, 0], keys[number, 1], slots)
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = number


@compiled
def two_words(raw: Array) -> tuple[np.uint64, np.uint64]:
    """A zero-padded name of 16 bytes as two words."""
    first, second = np.uint64(0), np.uint64(0)
    for place in range(NAME_BYTES // 2):
        first |= np.uint64(raw[place]) << np.uint64(8 * place)
        second |= np.uint64(raw[place + NAME_BYTES // 2]) << np.uint64(8 * place)
    return first, second


@compiled
def number_of(first: np.uint64, second: np.uint64, keys: Array, slots: Array, count: Array) -> int:
    """The number of a name in two words, a new one when it was not seen before; -1 for no name."""
    if first == 0:
        return -1
    slot = _slot(first, second, slots)
    while slots[slot] != _EMPTY:
        number = slots[slot]
        if keys[number, 0] == first and keys[number, 1] == second:
            return int(number)
        slot = (slot + 1) & (len(slots) - 1)
    number = count[0]
    keys[number, 0], keys[number, 1] = first, second
    slots[slot] = number
    count[0] += 1
    return int(number)

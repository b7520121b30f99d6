# SPDX-License-Identifier: MIT
"""One small fixed vocabulary that a compiled loop looks words up in: keys and names of wprof's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SLOTS = 1024


@dataclass(frozen=True)
class Words:
    """A vocabulary laid out for a loop: constants of the code that is compiled over it.

    A word is looked for in the slot that `slot_of` gives with `factor`: `slots` has its number (its
    place in the list it was made from) or -1, `start` and `length` where it lies in `text`.
    """

    slots: npt.NDArray[np.int16]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    text: npt.NDArray[np.uint8]
    factor: int


def slot_of(size: int, first: int, middle: int, last: int, factor: int) -> int:
    """Where to look for a word, from its length and three of its bytes (also compiled)."""
    mixed = ((size * factor + first) * factor + middle) * factor + last
    return (mixed ^ mixed >> 10) & (SLOTS - 1)


def vocabulary(names: Sequence[str]) -> Words:
    """Lay words out so that no two share a slot. Raises ValueError when that cannot be had."""
    words = [name.encode() for name in names]
    length = np.array([len(word) for word in words], dtype=np.int64)
    text = np.frombuffer(b"".join(words), dtype=np.uint8).copy()
    for factor in range(3, 10_000, 2):
        slot = [slot_of(len(w), w[0], w[len(w) // 2], w[-1], factor) for w in words]
        if len(set(slot)) == len(slot):
            slots = np.full(SLOTS, -1, dtype=np.int16)
            slots[slot] = np.arange(len(words))
            return Words(slots, np.cumsum(length) - length, length, text, factor)
    raise ValueError(f"{len(words)} words cannot be told apart by three of their letters")

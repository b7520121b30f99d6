# SPDX-License-Identifier: MIT
"""Rows gathered piece by piece from a file that is too large to be held as a whole.

Arrays grow in place, so that a piece is free once it is copied, and no row is there twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.events.columns import NARROW, WIDE, Columns, Wide, canonical_order

_KNOWN = " known"
_LEAST = 1 << 12


class Gathered:
    """Rows of all pieces so far, in the order in which they came."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._count = 0

    def add(self, piece: Columns) -> None:
        """Append a piece's rows."""
        total = self._count + len(piece)
        for name in NARROW:
            self._put(name, getattr(piece, name), total)
        for name, wide in piece.wide.items():
            self._put(name, wide.values, total)
            self._put(name + _KNOWN, wide.known, total)
        self._count = total

    def _put(self, name: str, values: npt.NDArray[Any], total: int) -> None:
        array = self._arrays.setdefault(name, np.zeros(_LEAST, dtype=values.dtype))
        if len(array) < total:
            # What is new is zero: for a wide column, not known.
            array.resize(total + total // 8, refcheck=False)
        array[self._count : total] = values

    def take(self) -> Columns:
        """All rows in canonical order; nothing is left here."""
        for name, dtype in NARROW.items():
            self._arrays.setdefault(name, np.zeros(0, dtype=dtype))
        for array in self._arrays.values():
            array.resize(self._count, refcheck=False)
        order = canonical_order(*(self._arrays[name] for name in ("time_ns", "cpu", "seq")))
        narrow = {name: self._pop(name, order) for name in NARROW}
        wide = {
            name: Wide(self._pop(name, order), self._pop(name + _KNOWN, order))
            for name in WIDE
            if name in self._arrays
        }
        self._count = 0
        return Columns(**narrow, wide=wide)

    def _pop(self, name: str, order: npt.NDArray[np.int64] | None) -> npt.NDArray[Any]:
        column = self._arrays.pop(name)
        return column if order is None else column[order]

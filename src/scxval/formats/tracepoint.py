# SPDX-License-Identifier: MIT
"""Reads a tracepoint's `format` file: where each field lies in the binary record.

The same text is in tracefs (events/<system>/<name>/format), in trace.dat and in the tracing data of
perf.data. Offsets are of the guest's kernel: never assumed, always read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError

_NAME = re.compile(r"^name:\s*(\S+)\s*$", re.MULTILINE)
_ID = re.compile(r"^ID:\s*(\d+)\s*$", re.MULTILINE)
_FIELD = re.compile(
    r"^\s*field:(?P<declaration>[^;]+);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);"
    r"(?:\s*signed:(?P<signed>[01]);)?",
    re.MULTILINE,
)
_DECLARATION = re.compile(r"(?P<type>.*?)\b(?P<name>\w+)(?P<array>\[[^\]]*\])?\s*$", re.DOTALL)
# The kernel's own limit for a record (include/linux/ring_buffer.h: a page at least) is far below.
_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class Field:
    """A field: `offset` and `size` in bytes from the record's start, common fields included.

    `dynamic` is "" for a field in place, "data_loc" (offset from the record's start in the low 16
    bits, length in the high 16) or "rel_loc" (offset from the end of the field) for one elsewhere.
    """

    name: str
    offset: int
    size: int
    signed: bool
    array: bool
    dynamic: str = ""


@dataclass(frozen=True)
class Tracepoint:
    """A tracepoint of one kernel: its number in that kernel's records, and its fields by name."""

    name: str
    id: int
    fields: dict[str, Field]

    @property
    def size(self) -> int:
        """Bytes of the fixed part of a record."""
        return max((f.offset + f.size for f in self.fields.values()), default=0)

    def demand(self, names: Iterable[str]) -> None:
        """Raise ScxvalError when the tracepoint has not all of these fields."""
        missing = sorted(set(names) - set(self.fields))
        if missing:
            raise ScxvalError(f"tracepoint {self.name} has no field {', '.join(missing)}")


def parse_tracepoint(text: str) -> Tracepoint:
    """Read one format file. Raises ScxvalError when it is none."""
    name, number = _NAME.search(text), _ID.search(text)
    if name is None or number is None:
        raise ScxvalError(f"not the format of a tracepoint: {text[:40]!r}")
    fields = {}
    for match in _FIELD.finditer(text):
        declared = _DECLARATION.fullmatch(match["declaration"].strip())
        offset, size = int(match["offset"]), int(match["size"])
        if declared is None or offset + size > _MAX_BYTES:
            raise ScxvalError(f"tracepoint {name[1]}: cannot read field {match[0].strip()!r}")
        kind = declared["type"]
        dynamic = next((d for d in ("data_loc", "rel_loc") if f"__{d}" in kind), "")
        fields[declared["name"]] = Field(
            declared["name"],
            offset,
            size,
            match["signed"] == "1",
            declared["array"] is not None,
            dynamic,
        )
    return Tracepoint(name[1], int(number[1]), fields)


def integers(
    data: npt.NDArray[np.uint8], start: npt.NDArray[np.int64], field: Field
) -> npt.NDArray[np.int64]:
    """The field of every record that starts at `start`, as int64 (64 unsigned bits wrap).

    Every record must lie within `data`. Raises ScxvalError for a field that is no integer.
    """
    if field.array or field.size not in (1, 2, 4, 8):
        raise ScxvalError(f"field {field.name} of {field.size} bytes is no integer")
    if not start.size:
        return np.zeros(0, dtype=np.int64)
    kind = np.dtype(f"<{'i' if field.signed else 'u'}{field.size}")
    # A view with a stride of one byte: any place can be read, aligned or not.
    view = np.ndarray((data.size - field.size + 1,), kind, buffer=data, strides=(1,))
    return view[start + field.offset].astype(np.int64)


def texts(
    data: npt.NDArray[np.uint8], start: npt.NDArray[np.int64], field: Field
) -> npt.NDArray[np.uint8]:
    """A task name of every record as an (n, 16) array, zero from its first zero byte on.

    The field is `char name[16]`, or a string elsewhere (`dynamic`, see `places`), whose first 16
    bytes are taken. Raises ScxvalError for any other field.
    """
    if field.size != 4 if field.dynamic else not field.array or field.size != 16:
        raise ScxvalError(f"field {field.name} of {field.size} bytes is no task name")
    if not start.size:
        return np.zeros((0, 16), dtype=np.uint8)
    if field.dynamic:
        found = first_bytes(data, *places(data, start, field))
    else:
        view = np.ndarray((data.size - 15, 16), np.uint8, buffer=data, strides=(1, 1))
        found = view[start + field.offset]
    zero_tails(found)
    return found


def zero_tails(names: npt.NDArray[np.uint8]) -> None:
    """Clear what follows the first zero byte of each row of 16 bytes, in place.

    It is whatever the kernel's buffer held before.
    """
    words = names.view("<u8")
    ended = _up_to_zero(words[:, 0])
    _up_to_zero(words[:, 1])
    words[ended, 1] = 0


def _up_to_zero(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Clear what follows the first zero byte of each word, in place; which words have one."""
    ones, high = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    # The lowest bit that is left is the high bit of the first zero byte.
    zeros = (words - ones) & ~words & high
    words &= ((zeros & (~zeros + np.uint64(1))) >> np.uint64(7)) - np.uint64(1)
    ended: npt.NDArray[np.bool_] = zeros != 0
    return ended


def places(
    data: npt.NDArray[np.uint8], start: npt.NDArray[np.int64], field: Field
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where a dynamic field of every record begins in `data`, and its bytes, as the record says.

    Neither is checked here: a damaged record may point anywhere.
    """
    where = Field(field.name, field.offset, 4, False, False)
    location = integers(data, start, where)
    base = start + field.offset + 4 if field.dynamic == "rel_loc" else start
    return base + (location & 0xFFFF), location >> 16


def first_bytes(
    data: npt.NDArray[np.uint8], begin: npt.NDArray[np.int64], size: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """The first 16 bytes of each piece of `data` as (n, 16), zero where a piece or `data` ends."""
    column = np.arange(16)
    index = begin[:, None] + column
    inside = (column < size[:, None]) & (index < data.size)
    found = data[np.where(inside, index, 0)]
    found[~inside] = 0
    return found

# SPDX-License-Identifier: MIT
"""The tracing data of perf.data: the kernel's description of each recorded tracepoint.

Written by record_file and its kin in tools/perf/util/trace-event-info.c; the same as the head of a
trace.dat of version 6.
"""

from __future__ import annotations

import struct

from scxval.errors import ScxvalError
from scxval.formats.tracepoint import Tracepoint, parse_tracepoint

_MAGIC = b"\x17\x08Dtracing"
_DAMAGED = "its tracepoint descriptions are damaged"


class _Reader:
    """Takes one thing after another off some bytes; ScxvalError when they end too early."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ScxvalError(f"{_DAMAGED}: {size} bytes are missing at {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> bytes:
        """Up to the next zero byte, which is taken too."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ScxvalError(f"{_DAMAGED}: a name does not end")
        return self.take(end + 1 - self.at)[:-1]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def sized(self) -> bytes:
        """A piece that begins with its size in 8 bytes."""
        return self.take(self.number(8))


def read_tracing_data(data: bytes) -> dict[int, Tracepoint]:
    """Tracepoints by number, of every subsystem. Raises ScxvalError when the data is damaged."""
    reader = _Reader(data)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise ScxvalError(f"{_DAMAGED}: they do not begin as such")
    reader.text()
    big_endian, _, _ = struct.unpack("<BBI", reader.take(6))
    if big_endian:
        raise ScxvalError("its tracepoints are of a machine of the other byte order")
    for name in (b"header_page", b"header_event"):
        if reader.text() != name:
            raise ScxvalError(f"{_DAMAGED}: no {name.decode()}")
        reader.sized()
    for _ in range(reader.number(4)):
        reader.sized()
    found: dict[int, Tracepoint] = {}
    for _ in range(reader.number(4)):
        reader.text()
        for _ in range(reader.number(4)):
            point = parse_tracepoint(reader.sized().decode("utf-8", "replace"))
            found[point.id] = point
    return found

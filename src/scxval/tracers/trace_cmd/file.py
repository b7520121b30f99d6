# SPDX-License-Identifier: MIT
"""The file trace.dat, versions 6 and 7: what it says of the kernel, and where each CPU's pages are.

As trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5) describe it, but for two things of version 7 that files
of trace-cmd 3.x have otherwise: a section's size has 8 bytes, and a BUFFER option has a page size
before its CPUs.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

import pyarrow as pa

from scxval.errors import ScxvalError

MAGIC = b"\x17\x08\x44tracing"
VERSIONS = ("6", "7")
# Numbers of options, which are those of the sections that they point to (16 and above).
CPUSTAT, BUFFER, TRACECLOCK, UNAME, OFFSET = 2, 3, 4, 5, 7
HEADER_INFO, FTRACE_EVENTS, EVENT_FORMATS, CMDLINES = 16, 17, 18, 21
_COMPRESSED = 1
_MAX_CPUS = 1 << 15
# A whole section, or one chunk of a CPU's pages, when it is unpacked.
_MAX_UNPACKED_BYTES = 1 << 28


@dataclass(frozen=True)
class CpuPages:
    """Where a CPU's pages lie in the file; `size` is that in the file, compressed or not."""

    cpu: int
    offset: int
    size: int


@dataclass(frozen=True)
class Buffer:
    """The pages of one tracing instance ("" is the top one). `page_bytes` 0: not said."""

    instance: str
    clock: str
    page_bytes: int
    cpus: list[CpuPages]


@dataclass
class Header:
    """Everything but the pages."""

    version: str
    compression: str = "none"
    header_page: str = ""
    header_event: str = ""
    formats: list[str] = field(default_factory=list)
    cmdlines: str = ""
    clock: str = ""
    uname: str = ""
    time_offset: str = ""
    stats: list[str] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)


class Cut(ScxvalError):
    """The file, or a section of it, ends before what must follow."""


class Cursor:
    """Reads numbers and texts one after another out of a file or a section. Raises Cut at its end."""

    def __init__(self, file: BinaryIO, what: str) -> None:
        self.file = file
        self.what = what
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def take(self, count: int) -> bytes:
        """The next bytes, exactly so many."""
        if count > self.size - self.file.tell():
            raise Cut(f"{self.what} is cut off: it ends at byte {self.size}; record again")
        return self.file.read(count)

    def skip(self, count: int) -> None:
        """Pass over bytes, which must be there."""
        if count > self.size - self.file.tell():
            raise Cut(f"{self.what} is cut off: it ends at byte {self.size}; record again")
        self.file.seek(count, io.SEEK_CUR)

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes, least significant first."""
        return int.from_bytes(self.take(size), "little")

    def text(self, size: int) -> str:
        """Text of so many bytes, without zeros at its end."""
        return self.take(size).decode("utf-8", "replace").rstrip("\0")

    def string(self, most: int = 4096) -> str:
        """Text up to a zero byte."""
        found = bytearray()
        while (byte := self.take(1)) != b"\0":
            found += byte
            if len(found) > most:
                raise ScxvalError(f"{self.what}: a text without an end; not a file of trace-cmd's")
        return found.decode("utf-8", "replace")

    def expect(self, literal: bytes) -> None:
        """Demand these bytes next."""
        if self.take(len(literal)) != literal:
            raise ScxvalError(
                f"{self.what}: expected {literal!r} before byte {self.file.tell()}; the file is damaged"
            )

    @property
    def left(self) -> int:
        """Bytes from here to the end."""
        return self.size - self.file.tell()


def read_header(cursor: Cursor) -> Header:
    """Read all but the pages. Raises ScxvalError for what is no trace.dat, or one that is not read."""
    cursor.expect(MAGIC)
    version = cursor.string()
    if version not in VERSIONS:
        raise ScxvalError(
            f"{cursor.what}: trace.dat version {version[:20]!r}; read are {', '.join(VERSIONS)} "
            "(trace-cmd convert makes 7 of 6, and 6 of 7)"
        )
    if cursor.number(1) != 0:
        raise ScxvalError(f"{cursor.what}: of a big-endian machine, which is not read")
    cursor.skip(1)
    page_bytes = cursor.number(4)
    header = Header(version)
    if version == "6":
        _read_version_6(cursor, header, page_bytes)
    else:
        _read_version_7(cursor, header)
    return header


# -- version 6: one thing after another


def _read_version_6(cursor: Cursor, header: Header, page_bytes: int) -> None:
    _read_header_info(cursor, header)
    _read_ftrace_events(cursor, header)
    _read_event_formats(cursor, header)
    for _ in ("kallsyms", "printk"):
        cursor.skip(cursor.number(4))
    header.cmdlines = cursor.text(cursor.number(8))
    cpus = cursor.number(4)
    if cpus > _MAX_CPUS:
        raise ScxvalError(f"{cursor.what}: {cpus} CPUs; expected at most {_MAX_CPUS}")
    kind = cursor.take(10)
    if kind == b"options  \0":
        while (option := cursor.number(2)) != 0:
            data = cursor.take(cursor.number(4))
            if option == BUFFER:
                name = data[8:].split(b"\0")[0].decode("utf-8", "replace")
                header.buffers.append(Buffer(name, "", 0, []))
            else:
                _take_option(header, option, data)
        kind = cursor.take(10)
    _demand_pages(cursor, kind)
    places = [CpuPages(cpu, cursor.number(8), cursor.number(8)) for cpu in range(cpus)]
    header.buffers.insert(0, Buffer("", header.clock, page_bytes, places))


def _demand_pages(cursor: Cursor, kind: bytes) -> None:
    if kind == b"latency  \0":
        raise ScxvalError(f"{cursor.what}: text of a latency tracer, not events; record events")
    if kind != b"flyrecord\0":
        raise ScxvalError(f"{cursor.what}: {kind!r} in place of CPU data; the file is damaged")


# -- version 7: sections, to which options point


def _read_version_7(cursor: Cursor, header: Header) -> None:
    header.compression = cursor.string()
    cursor.string()
    if header.compression not in ("none", "zlib", "zstd"):
        raise ScxvalError(
            f"{cursor.what}: compressed by {header.compression[:20]!r}; known: none, zlib, zstd"
        )
    place, seen = cursor.number(8), set[int]()
    while place and place not in seen:
        seen.add(place)
        place = _read_options(cursor, header, place)
    if not header.buffers:
        raise ScxvalError(f"{cursor.what}: no CPU data; nothing was recorded")


def _read_options(cursor: Cursor, header: Header, place: int) -> int:
    """Read an options section; the place of the next one, 0 after the last."""
    if place >= cursor.size:
        raise Cut(
            f"{cursor.what} is cut off at byte {cursor.size}, before its list of CPU data (at byte "
            f"{place}), without which no CPU's pages can be told: record again"
        )
    options = _section(cursor, header.compression, place)
    while options.left:
        option = options.number(2)
        data = options.take(options.number(4))
        if option == 0:
            return int.from_bytes(data[:8], "little")
        if option == BUFFER:
            header.buffers.append(_buffer(data, cursor.what))
        elif option >= HEADER_INFO:
            _take_section(cursor, header, option, int.from_bytes(data[:8], "little"))
        else:
            _take_option(header, option, data)
    return 0


def _section(cursor: Cursor, compression: str, place: int) -> Cursor:
    """A section's contents."""
    cursor.file.seek(min(place, cursor.size))
    number = cursor.number(2)
    flags = cursor.number(2)
    cursor.skip(4)
    size = cursor.number(8)
    what = f"{cursor.what}: section {number} at byte {place}"
    data = cursor.take(size)
    if flags & _COMPRESSED:
        if len(data) < 8:
            raise Cut(f"{what} is cut off; record again")
        packed, unpacked = struct.unpack_from("<II", data)
        data = unpack(data[8 : 8 + packed], unpacked, compression, what)
    return Cursor(io.BytesIO(data), what)


def unpack(data: bytes, size: int, compression: str, what: str) -> bytes:
    """Unpack bytes to exactly `size`. Raises ScxvalError when they are damaged."""
    if size > _MAX_UNPACKED_BYTES:
        raise ScxvalError(f"{what}: {size} bytes when unpacked; the file is damaged")
    try:
        if compression == "zstd":
            made = bytes(pa.Codec("zstd").decompress(data, size, asbytes=True))
        elif compression == "zlib":
            made = zlib.decompressobj().decompress(data, size + 1)
        else:
            made = data
    except (OSError, ValueError, zlib.error) as error:
        raise ScxvalError(f"{what}: cannot be unpacked: {error}; the file is damaged") from error
    if len(made) != size:
        raise ScxvalError(f"{what}: {len(made)} bytes, not {size}; the file is damaged")
    return made


def _take_section(cursor: Cursor, header: Header, number: int, place: int) -> None:
    readers = {
        HEADER_INFO: _read_header_info,
        FTRACE_EVENTS: _read_ftrace_events,
        EVENT_FORMATS: _read_event_formats,
        CMDLINES: _read_cmdlines,
    }
    if number in readers:
        readers[number](_section(cursor, header.compression, place), header)


def _buffer(data: bytes, what: str) -> Buffer:
    cursor = Cursor(io.BytesIO(data), f"{what}: option BUFFER")
    cursor.skip(8)
    name, clock = cursor.string(), cursor.string()
    page_bytes = cursor.number(4) if (cursor.left - 8) % 20 == 0 else 0
    count = cursor.number(4)
    if count * 20 > cursor.left:
        raise Cut(f"{cursor.what} is cut off; record again")
    cpus = [CpuPages(cursor.number(4), cursor.number(8), cursor.number(8)) for _ in range(count)]
    return Buffer(name, clock, page_bytes, cpus)


# -- what both versions have


def _read_header_info(cursor: Cursor, header: Header) -> None:
    cursor.expect(b"header_page\0")
    header.header_page = cursor.text(cursor.number(8))
    cursor.expect(b"header_event\0")
    header.header_event = cursor.text(cursor.number(8))


def _read_ftrace_events(cursor: Cursor, header: Header) -> None:
    for _ in range(cursor.number(4)):
        header.formats.append(cursor.text(cursor.number(8)))


def _read_event_formats(cursor: Cursor, header: Header) -> None:
    for _ in range(cursor.number(4)):
        cursor.string()
        for _ in range(cursor.number(4)):
            header.formats.append(cursor.text(cursor.number(8)))


def _read_cmdlines(cursor: Cursor, header: Header) -> None:
    header.cmdlines = cursor.text(cursor.number(8))


def _take_option(header: Header, option: int, data: bytes) -> None:
    text = data.decode("utf-8", "replace").rstrip("\0")
    if option == CPUSTAT:
        header.stats.append(text)
    elif option == TRACECLOCK:
        header.clock = text
    elif option == UNAME:
        header.uname = text
    elif option == OFFSET:
        header.time_offset = text

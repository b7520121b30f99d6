# SPDX-License-Identifier: MIT
"""Enlarges real captures of the kernel's ring buffers: the same pages again and again, later each time.

Only a page's own time is absolute, so that a copy of a page with another time is a page like any other.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.tracers.ftrace.archive import BLOCK, read_archive
from scxval.tracers.trace_cmd.file import BUFFER, Cursor, read_header, unpack

PAGE_BYTES = 4096
CHUNK_BYTES = 10 * PAGE_BYTES
# Between two copies: longer than the capture.
STEP_NS = 10_000_000_000
Pages = npt.NDArray[np.uint64]


def copies_of(pages: Pages, copies: int, write: Callable[[bytes], object]) -> None:
    """Write a CPU's pages so many times, some megabytes at a time."""
    for first in range(0, copies, 100):
        part = np.tile(pages, (min(100, copies - first), 1))
        part[:, 0] += np.repeat(
            np.arange(first, first + len(part) // len(pages), dtype=np.uint64), len(pages)
        ) * np.uint64(STEP_NS)
        write(part.tobytes())


def enlarge_trace_dat(capture: bytes, copies: int, target: Path) -> None:
    """Write a trace.dat of version 7, packed by zstd, with every CPU's pages so many times."""
    header = read_header(Cursor(io.BytesIO(capture), "capture"))
    buffer = header.buffers[0]
    first_options = struct.unpack_from("<Q", capture, capture.index(b"1.5.7\0") + 6)[0]
    size = struct.unpack_from("<Q", capture, first_options + 8)[0]
    end = first_options + 16 + size
    codec = pa.Codec("zstd", compression_level=3)
    with target.open("wb") as out:
        # The section of the pages begins where the first options end.
        out.write(capture[: end + 16])
        places = []
        for cpu in buffer.cpus:
            out.write(bytes(-out.tell() % PAGE_BYTES))
            place = out.tell()
            out.write(bytes(4))
            raw = _unpacked(capture[cpu.offset : cpu.offset + cpu.size])
            pages = np.frombuffer(raw, dtype="<u8").reshape(-1, PAGE_BYTES // 8)
            chunks, rest = 0, b""

            def pack(data: bytes) -> None:
                nonlocal chunks, rest
                rest += data
                whole = len(rest) - len(rest) % CHUNK_BYTES
                for at in range(0, whole, CHUNK_BYTES):
                    _chunk(out, codec, rest[at : at + CHUNK_BYTES])
                chunks += whole // CHUNK_BYTES
                rest = rest[whole:]

            copies_of(pages, copies, pack)
            if rest:
                _chunk(out, codec, rest)
                chunks += 1
            after = out.tell()
            out.seek(place)
            out.write(struct.pack("<I", chunks))
            out.seek(after)
            places.append((cpu.cpu, place, after - place))
        options = out.tell()
        data = struct.pack("<Q", end) + b"\0mono\0" + struct.pack("<II", PAGE_BYTES, len(places))
        data += b"".join(struct.pack("<IQQ", *place) for place in places)
        body = struct.pack("<HI", BUFFER, len(data)) + data + struct.pack("<HIQ", 0, 8, 0)
        out.write(struct.pack("<HHIQ", 0, 0, 0, len(body)) + body)
        out.seek(end - 8)
        out.write(struct.pack("<Q", options))


def _chunk(out: io.BufferedWriter, codec: pa.Codec, data: bytes) -> None:
    packed = codec.compress(data, asbytes=True)
    out.write(struct.pack("<II", len(packed), len(data)) + packed)


def _unpacked(data: bytes) -> bytes:
    at, found = 4, b""
    for _ in range(int.from_bytes(data[:4], "little")):
        packed, size = struct.unpack_from("<II", data, at)
        found += unpack(data[at + 8 : at + 8 + packed], size, "zstd", "capture")
        at += 8 + packed
    return found


def enlarge_tar(capture: bytes, copies: int, target: Path) -> None:
    """Write an ftrace.tar with every CPU's pages so many times."""
    archive = read_archive(io.BytesIO(capture))
    first = min(at for at, _ in archive.pages.values()) - BLOCK
    with target.open("wb") as out:
        out.write(capture[:first])
        for at, size in archive.pages.values():
            pages = np.frombuffer(capture[at : at + size], dtype="<u8")
            head = bytearray(capture[at - BLOCK : at])
            head[124:135] = b"%011o" % (size * copies)
            head[148:156] = b" " * 8
            head[148:155] = b"%06o\0" % sum(head)
            out.write(head)
            copies_of(pages.reshape(-1, PAGE_BYTES // 8), copies, out.write)
        out.write(bytes(2 * BLOCK))

# SPDX-License-Identifier: MIT
"""perf.data from the outside: header, events (attrs), tracepoint descriptions, and where records lie.

Layout: tools/perf/Documentation/perf.data-file-format.txt and struct perf_event_attr in
include/uapi/linux/perf_event.h. A file written to a pipe has the same as records of its own.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.formats.source import GZIP_MAGIC, read_source
from scxval.formats.tracepoint import Tracepoint
from scxval.tracers.perf_sched.chain import Bytes, Chain, Type
from scxval.tracers.perf_sched.tracing import read_tracing_data

MAGIC = b"PERFILE2"
FOREIGN_MAGIC = b"2ELIFREP"
OLD_MAGIC = b"PERFFILE"
_HEADER = struct.Struct("<8s8Q4Q")
_PIPE_HEADER_BYTES = 16
_FEATURE_TRACING_DATA = 1
_ATTR_MIN_BYTES = 64
_TYPE_TRACEPOINT = 2
_SAMPLE_ID_ALL = 1 << 18
_USE_CLOCKID = 1 << 25
# include/uapi/linux/time.h. Without a clock of these perf takes the kernel's own (local_clock).
_CLOCKS = {0: "realtime", 1: GUEST_CLOCK, 4: "mono_raw", 7: "boot", 11: "tai"}
PERF_CLOCK = "perf"
HOW_TO_RECORD = "record it with `perf sched record -k CLOCK_MONOTONIC`"


@dataclass(frozen=True)
class Attr:
    """One event: what its samples hold (`sample_type`, `read_format`), and its ids in the file.

    `tracepoint` is the number of its tracepoint, None for any other event; `clock` is that of its times,
    as in Capability.
    """

    tracepoint: int | None
    sample_type: int
    read_format: int
    sample_id_all: bool
    clock: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Contents:
    """What is needed to read the records in [begin, end) of `data`.

    `release(a, b)` gives the memory of these bytes back; `notes` say what is missing.
    """

    data: Bytes
    begin: int
    end: int
    attrs: list[Attr]
    tracepoints: dict[int, Tracepoint]
    release: Callable[[int, int], None]
    notes: list[str]


def open_file(path: Path) -> Contents:
    """Read everything but the records. Raises ScxvalError with what is wrong and what to do."""
    data, release, note = _bytes(path)
    head = data[: _HEADER.size].tobytes()
    if not head.startswith(MAGIC):
        raise ScxvalError(f"{path}: {_why_not(head[:8])}")
    if len(head) < _PIPE_HEADER_BYTES:
        raise ScxvalError(f"{path}: ends within the header of perf.data; copy it again")
    (header_bytes,) = struct.unpack_from("<Q", head, 8)
    try:
        pipe = header_bytes == _PIPE_HEADER_BYTES
        found = _from_pipe(data) if pipe else _from_file(data, head)
    except ScxvalError as error:
        raise ScxvalError(f"{path}: {error}") from error
    return Contents(data, *found, release, [note] if note else [])


def _why_not(magic: bytes) -> str:
    if magic == FOREIGN_MAGIC:
        return "perf.data of a machine of the other byte order; convert it on such a machine"
    if magic == OLD_MAGIC:
        return "perf.data of version 1 (perf before 2010); record it with a later perf"
    return "not a perf.data file"


def _bytes(path: Path) -> tuple[Bytes, Callable[[int, int], None], str]:
    """A file's bytes, mapped where it is plain."""
    try:
        with path.open("rb") as file:
            if file.read(len(GZIP_MAGIC)) != GZIP_MAGIC and path.stat().st_size:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                return np.frombuffer(mapped, np.uint8), _give_back(mapped), ""
    except OSError as error:
        raise ScxvalError(f"cannot read trace {path}: {error.strerror or error}") from error
    source = read_source(path)
    return np.frombuffer(source.data, np.uint8), lambda begin, end: None, source.note


def _give_back(mapped: mmap.mmap) -> Callable[[int, int], None]:
    def release(begin: int, end: int) -> None:
        first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
        if end > first:
            mapped.madvise(mmap.MADV_DONTNEED, first, end - first)

    return release


_Found = tuple[int, int, list[Attr], dict[int, Tracepoint]]


def _from_file(data: Bytes, head: bytes) -> _Found:
    if len(head) < _HEADER.size:
        raise ScxvalError("ends within the header of perf.data; copy it again")
    _, _, attr_bytes, *sections, features = _HEADER.unpack(head)[:10]
    attrs_at, attrs_bytes, begin, size = sections[:4]
    if size == 0:
        raise ScxvalError(
            "perf did not finish this file (its header says 0 bytes of records), so that nothing "
            "says what its records hold; let perf end by itself, after one SIGINT"
        )
    end = begin + size
    if end > data.size:
        raise ScxvalError(
            f"ends at byte {data.size}, within the records (bytes {begin} to {end}); what they hold "
            "is described behind them, so that nothing can be read: copy the file again"
        )
    attrs = _attrs(data, attrs_at, attrs_bytes, attr_bytes)
    place = _tracing_section(data, end, features)
    tracepoints = read_tracing_data(data[place[0] : place[0] + place[1]].tobytes())
    return begin, end, attrs, tracepoints


def _tracing_section(data: Bytes, end: int, features: int) -> tuple[int, int]:
    """Offset and size of the tracepoint descriptions; the table of features follows the records."""
    if not features >> _FEATURE_TRACING_DATA & 1:
        raise ScxvalError(f"holds no tracepoints; {HOW_TO_RECORD}")
    entry = end + 16 * (features & 1)
    if entry + 16 > data.size:
        raise ScxvalError(
            f"ends at byte {data.size}, before its tracepoint descriptions; copy it again"
        )
    offset, size = struct.unpack("<QQ", data[entry : entry + 16].tobytes())
    if offset + size > data.size:
        raise ScxvalError(
            f"ends at byte {data.size}, within its tracepoint descriptions; copy it again"
        )
    return offset, size


def _attrs(data: Bytes, at: int, size: int, entry_bytes: int) -> list[Attr]:
    """The events; each entry is a perf_event_attr and the place of its ids."""
    if entry_bytes < _ATTR_MIN_BYTES + 16 or at + size > data.size or size > 1 << 24:
        raise ScxvalError("its header is damaged: the events are not where it says")
    attrs = []
    for entry in range(at, at + size - entry_bytes + 1, entry_bytes):
        raw = data[entry : entry + entry_bytes].tobytes()
        ids_at, ids_bytes = struct.unpack("<QQ", raw[-16:])
        if ids_at + ids_bytes > data.size or ids_bytes > 1 << 24:
            raise ScxvalError("its header is damaged: an event's ids are not where it says")
        attrs.append(_attr(raw[:-16], data[ids_at : ids_at + ids_bytes].tobytes()))
    return attrs


def _attr(raw: bytes, ids: bytes) -> Attr:
    kind, _, config, _, sample_type, read_format, flags = struct.unpack_from("<IIQQQQQ", raw)
    clock = struct.unpack_from("<i", raw, 92)[0] if len(raw) >= 96 else -1
    return Attr(
        tracepoint=config if kind == _TYPE_TRACEPOINT else None,
        sample_type=sample_type,
        read_format=read_format,
        sample_id_all=bool(flags & _SAMPLE_ID_ALL),
        clock=_CLOCKS.get(clock, f"clock {clock}") if flags & _USE_CLOCKID else PERF_CLOCK,
        ids=struct.unpack(f"<{len(ids) // 8}Q", ids[: len(ids) // 8 * 8]),
    )


def _from_pipe(data: Bytes) -> _Found:
    """Events and descriptions stand before the first sample, as records."""
    attrs: list[Attr] = []
    tracepoints: dict[int, Tracepoint] = {}
    begin, end = _PIPE_HEADER_BYTES, data.size
    for piece in Chain(data, begin, end).pieces(4096):
        for record in piece.of(Type.HEADER_ATTR, Type.TRACING_DATA).place.tolist():
            kind, size = struct.unpack("<IxxH", data[record : record + 8].tobytes())
            raw = data[record + 8 : record + size].tobytes()
            if kind == Type.HEADER_ATTR and len(raw) >= _ATTR_MIN_BYTES:
                attr_bytes = struct.unpack_from("<I", raw, 4)[0]
                if not _ATTR_MIN_BYTES <= attr_bytes <= len(raw):
                    raise ScxvalError(f"damaged at byte {record}: an event of {attr_bytes} bytes")
                attrs.append(_attr(raw[:attr_bytes], raw[attr_bytes:]))
            elif kind == Type.TRACING_DATA and len(raw) >= 8:
                (more,) = struct.unpack_from("<I", raw)
                text = data[record + size : record + size + more].tobytes()
                tracepoints |= read_tracing_data(text)
        if len(piece.of(Type.SAMPLE, Type.COMPRESSED, Type.COMPRESSED2)):
            break
    if not tracepoints:
        raise ScxvalError(f"holds no tracepoints; {HOW_TO_RECORD}")
    return begin, end, attrs, tracepoints

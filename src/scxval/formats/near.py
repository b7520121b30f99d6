# SPDX-License-Identifier: MIT
"""Says what a file is that no converter reads, and how to get a trace out of it, by its first bytes.

Only kinds of files that people really have in their hands when they mean a trace: archives, tables
and dumps of the same tools, text reports of a trace that should be converted itself, failed downloads.
"""

from __future__ import annotations

import re

PARQUET_MAGIC = b"PAR1"
_UNPACK = "unpack it and convert what is in it"

# Magic at an offset, and what to say.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b\x08", f"gzip inside gzip: {_UNPACK}"),
    (0, b"PK\x03\x04", f"a zip archive: {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd: run `zstd -d` on it first"),
    (0, b"\xfd7zXZ\0", "compressed with xz: run `xz -d` on it first"),
    (0, b"BZh", "compressed with bzip2: run `bzip2 -d` on it first"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (257, b"ustar", f"a tar archive: {_UNPACK}"),
    (0, PARQUET_MAGIC, "a Parquet table, not a trace"),
    (
        0,
        b"WPROF",
        "a wprof dump, which only the wprof that wrote it can read: run "
        "`wprof -R -D DUMP -J trace.ndjson` and convert trace.ndjson",
    ),
    (
        8,
        b"DUCK",
        "a DuckDB database; if systing wrote it, record with `--output trace.pb` and convert that",
    ),
    (0, b"SQLite format 3\0", "an SQLite database, not a trace"),
    (
        0,
        b"2ELIFREP",
        "perf.data of a machine with the other byte order: only little-endian files are read",
    ),
    (0, b"PERFFILE", "perf.data of the format before 2010: record it with a newer perf"),
    (0, b"\x7fELF", "a program or object file, not a trace"),
)

_TEXT: tuple[tuple[str, str], ...] = (
    (r"\s*<(!doctype html|html|\?xml|head)\b", "a web page: did a download go wrong?"),
    (
        r"cpus=\d+\n\s+\S.*\[\d{3,}\]",
        "the text of `trace-cmd report`: convert the trace.dat that it was made from",
    ),
    (
        r"\s*\S.*?\s\d+(/\d+)?\s+\[\d{3,}\]\s.*?\d+\.\d+:\s+(\d+\s+)?[\w-]+:[\w-]+:",
        "the text of `perf script`: convert the perf.data that it was made from",
    ),
    (
        r"Attach(ed|ing) \d+ probes?",
        "the text of a bpftrace script that is not scxval's: its lines have a form of their own",
    ),
    (
        r'\s*\{\s*"traceEvents"',
        "a JSON trace of Chrome's format that scxsim did not write: no tracer here does",
    ),
)


def what_is(head: bytes) -> str:
    """What a file that begins like this is and what to do with it; "" when nothing is known."""
    if not head:
        return "empty: the tracer wrote nothing, or the copy failed"
    if not head.strip(b"\0"):
        return "nothing but zero bytes at its beginning: the copy failed, or its disk was full"
    for offset, magic, said in _MAGIC:
        if head.startswith(magic, offset):
            return said
    text = head.decode("utf-8", "replace")
    for pattern, said in _TEXT:
        if re.match(pattern, text, re.IGNORECASE):
            return said
    return (
        "a Perfetto trace without the marks of a tracer that is known here"
        if _perfetto(head)
        else ""
    )


def _perfetto(head: bytes) -> bool:
    """Whether three packets of a Perfetto Trace message (field 1, with a length) stand in a row."""
    at = 0
    for _ in range(3):
        if head[at : at + 1] != b"\x0a":
            return False
        size, at = _varint(head, at + 1)
        at += size
        if size == 0 or at >= len(head):
            return False
    return True


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A protobuf varint and the place after it; a broken one has length 0."""
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    return 0, at

# SPDX-License-Identifier: MIT
"""What is said of files that are no traces: real archives and tables, and real captures' neighbours."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scxval.formats.near import what_is

FIXTURES = Path(__file__).parents[1] / "fixtures"
TEXT = b"1 2 3\n" * 100


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("perf.data", TEXT)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("perf.data")
        entry.size = len(TEXT)
        archive.addfile(entry, io.BytesIO(TEXT))
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"ts": [1]}), out)
    return out.getvalue()


def database() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table x (y)")
        return connection.serialize()


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "zero bytes"),
        (zipped(), "zip archive"),
        (tarred(), "tar archive"),
        (gzip.compress(TEXT, mtime=0), "gzip inside gzip"),
        (lzma.compress(TEXT), "xz -d"),
        (bz2.compress(TEXT), "bzip2 -d"),
        (pa.Codec("zstd").compress(TEXT, asbytes=True), "zstd -d"),
        (parquet(), "Parquet table"),
        (database(), "SQLite"),
        # DuckDB's storage format: a checksum of eight bytes, then the magic.
        (b"\1\2\3\4\5\6\7\x08DUCK\x40\0\0\0", "DuckDB"),
        (b"WPROF\0\xf0\0\0\0\0\0", "wprof -R"),
        (b"2ELIFREP\0\0", "byte order"),
        (Path(sys.executable).resolve().read_bytes()[:4096], "program"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\n <html lang=en>", "web page"),
        (b"cpus=4\n       trace-cmd-233   [000] dNs2.     9.756103: sched_waking:", "trace.dat"),
        (gzip.decompress((FIXTURES / "perf/sched-rusty.script.gz").read_bytes()), "perf script"),
        (b"Attaching 9 probes...\n@[1]: 5\n", "bpftrace script"),
        (b'{"traceEvents": [', "Chrome"),
    ],
)
def test_known_strangers(head, says):
    assert says in what_is(head[:4096])
    assert "\n" not in what_is(head[:4096])


@pytest.mark.parametrize(
    "head", [b"hello\n", b"PK", b"\x0a", b"\x0a\x05abc", b"\x0a\0\x0a\0\x0a\0", b"1"]
)
def test_others_are_not_guessed(head):
    assert what_is(head) == ""

# SPDX-License-Identifier: MIT
"""Reads a trace file, plain or gzip, by its content: its name never matters.

A gzip file that ends in the middle gives what came before its end and a note; one that is damaged
gives nothing, because what it holds before the damage may be wrong too.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import ScxvalError

GZIP_MAGIC = b"\x1f\x8b\x08"
# zlib: a gzip header and trailer, checked.
_GZIP = 16 + zlib.MAX_WBITS
CUT_NOTE = "the gzip file ends in the middle: only what came before is here"


@dataclass(frozen=True)
class Source:
    """What a file holds, and "" or a note that it was cut."""

    data: bytes
    note: str = ""


def read_source(path: Path) -> Source:
    """The whole of a file. Raises ScxvalError when it cannot be read, or its gzip data is damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScxvalError(f"cannot read trace {path}: {error.strerror or error}") from error
    if not data.startswith(GZIP_MAGIC):
        return Source(data)
    pieces = []
    note = ""
    while data.startswith(GZIP_MAGIC):
        member = zlib.decompressobj(_GZIP)
        try:
            pieces.append(member.decompress(data))
        except zlib.error as error:
            raise ScxvalError(f"cannot read trace {path}: damaged gzip file: {error}") from error
        if not member.eof:
            note = CUT_NOTE
            break
        data = member.unused_data
    return Source(pieces[0] if len(pieces) == 1 else b"".join(pieces), note)


def read_head(path: Path, size: int) -> bytes:
    """At most the first `size` bytes of what a file holds. Raises ScxvalError as `read_source` does."""
    try:
        with path.open("rb") as file:
            data = file.read(size)
            if not data.startswith(GZIP_MAGIC):
                return data
            member = zlib.decompressobj(_GZIP)
            head = b""
            while data and len(head) < size and not member.eof:
                head += member.decompress(data, size - len(head))
                data = member.unconsumed_tail or file.read(size)
            return head
    except (OSError, zlib.error) as error:
        raise ScxvalError(f"cannot read trace {path}: {error}") from error

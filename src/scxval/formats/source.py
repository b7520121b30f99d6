# SPDX-License-Identifier: MIT
"""Reads a trace file, plain or gzip, by its content: its name never matters.

A gzip file that ends in the middle gives what came before its end and a note; one that is damaged
gives nothing, because what it holds before the damage may be wrong too.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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
    blocks = Blocks(path)
    return Source(b"".join(blocks), blocks.note)


class Blocks:
    """What a file holds, in blocks of at most `size` bytes (3 or more), for one pass that keeps little of it.

    `note` is "" or, after the last block, that the file was cut. Raises as `read_source` does.
    """

    def __init__(self, path: Path, size: int = 1 << 22) -> None:
        self.path = path
        self.size = size
        self.note = ""

    def __iter__(self) -> Iterator[bytes]:
        """The blocks, none of them empty."""
        try:
            with self.path.open("rb") as file:
                data = file.read(self.size)
                if data.startswith(GZIP_MAGIC):
                    yield from self._members(file, data)
                    return
                while data:
                    yield data
                    data = file.read(self.size)
        except OSError as error:
            raise ScxvalError(
                f"cannot read trace {self.path}: {error.strerror or error}"
            ) from error

    def _members(self, file: BinaryIO, data: bytes) -> Iterator[bytes]:
        while data.startswith(GZIP_MAGIC):
            member = zlib.decompressobj(_GZIP)
            while not member.eof:
                data = data or file.read(self.size)
                ended = not data
                try:
                    block = member.decompress(data, self.size)
                except zlib.error as error:
                    raise ScxvalError(
                        f"cannot read trace {self.path}: damaged gzip file: {error}"
                    ) from error
                if block:
                    yield block
                elif ended and not member.eof:
                    self.note = CUT_NOTE
                    return
                data = member.unconsumed_tail
            data = member.unused_data
            if len(data) < len(GZIP_MAGIC):
                data += file.read(self.size)


def read_head(path: Path, size: int) -> bytes:
    """At most the first `size` bytes of what a file holds. Raises ScxvalError as `read_source` does."""
    head = b""
    for block in Blocks(path, size):
        head += block
        if len(head) >= size:
            break
    return head[:size]


def line_pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of a text cut anew, so that each but the last ends with a line; none is empty."""
    held: list[bytes] = []
    for block in blocks:
        last = block.rfind(b"\n") + 1
        if last:
            yield b"".join([*held, block[:last]])
            held = []
        held.append(block[last:])
    if rest := b"".join(held):
        yield rest


def whole_lines(path: Path, size: int = 1 << 22) -> Iterator[Source]:
    """What a file holds in pieces of whole lines, `size` bytes or a line each, so that it is never in
    memory at once. The last piece may end without a newline, and has the note when the file was cut.

    Raises ScxvalError as `read_source` does; damage is found where it is, after the pieces before it.
    """
    blocks = Blocks(path, size)
    whole = True
    for piece in line_pieces(blocks):
        whole = piece.endswith(b"\n")
        yield Source(piece, "" if whole else blocks.note)
    if whole and blocks.note:
        yield Source(b"", blocks.note)

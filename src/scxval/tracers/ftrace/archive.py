# SPDX-License-Identifier: MIT
"""The recorder's file ftrace.tar: the texts in it, and where each CPU's pages are."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import BinaryIO

from scxval.errors import ScxvalError

PREFIX = "scxval-ftrace/"
BLOCK = 512
_MAX_TEXT_BYTES = 1 << 26
_CPU = re.compile(r"cpu(\d{1,9})/(pages|stats)")


@dataclass
class Archive:
    """Texts by name, stats by CPU, and the places of pages: (offset, size that is there) by CPU.

    `short` are CPUs whose pages are not all in the file, `complete` says whether its end mark is.
    """

    texts: dict[str, str] = field(default_factory=dict)
    stats: dict[int, str] = field(default_factory=dict)
    pages: dict[int, tuple[int, int]] = field(default_factory=dict)
    short: list[int] = field(default_factory=list)
    complete: bool = False

    def text(self, name: str) -> str:
        """A text that must be there. Raises ScxvalError when it is not."""
        if name not in self.texts:
            raise ScxvalError(f"ftrace.tar has no {name}: it is cut off or damaged; record again")
        return self.texts[name]

    @property
    def formats(self) -> list[str]:
        """The formats of the tracepoints that were on."""
        return [text for name, text in self.texts.items() if name.endswith("/format")]


def read_archive(file: BinaryIO) -> Archive:
    """Read all but the pages. A file that is cut off gives what came before the cut.

    Raises ScxvalError when a member's head is damaged.
    """
    found = Archive()
    end = file.seek(0, io.SEEK_END)
    at = 0
    while at + BLOCK <= end:
        file.seek(at)
        head = file.read(BLOCK)
        if not any(head):
            found.complete = True
            break
        name, size = _member(head, at)
        at += BLOCK
        _take(found, name, size, file, at, min(size, end - at))
        at += -(-size // BLOCK) * BLOCK
    return found


def _member(head: bytes, at: int) -> tuple[str, int]:
    name = head[:100].split(b"\0")[0].decode("utf-8", "replace")
    size, total = head[124:135], head[148:154]
    unsummed = head[:148] + b" " * 8 + head[156:]
    octal = re.compile(rb"[0-7]+")
    good = octal.fullmatch(size) and octal.fullmatch(total) and head[257:262] == b"ustar"
    if not good or int(total, 8) != sum(unsummed):
        raise ScxvalError(f"ftrace.tar: no member at byte {at}; the file is damaged")
    return name.removeprefix(PREFIX), int(size, 8)


def _take(found: Archive, name: str, size: int, file: BinaryIO, at: int, there: int) -> None:
    cpu = _CPU.fullmatch(name)
    if cpu and cpu[2] == "pages":
        found.pages[int(cpu[1])] = (at, there)
        if there < size:
            found.short.append(int(cpu[1]))
        return
    if there < size or size > _MAX_TEXT_BYTES:
        return
    text = file.read(size).decode("utf-8", "replace")
    if cpu:
        found.stats[int(cpu[1])] = text
    else:
        found.texts[name] = text

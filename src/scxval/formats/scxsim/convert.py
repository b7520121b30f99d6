# SPDX-License-Identifier: MIT
"""Converts what scxsim wrote: its Perfetto, Chrome or JSONL output, whichever the file is."""

from __future__ import annotations

from pathlib import Path

from scxval.errors import ScxvalError
from scxval.formats.conversion import Conversion
from scxval.formats.scxsim import chrome, jsonl, perfetto
from scxval.formats.source import read_head

_HEAD_BYTES = 4096


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file (some kilobytes) is one of the simulator's outputs."""
    return any(part.recognises(head) for part in (perfetto, chrome, jsonl))


def convert(path: Path) -> Conversion:
    """Convert a trace, plain or gzip. Raises ScxvalError when it cannot be read."""
    head = read_head(path, _HEAD_BYTES)
    # Every packet of a Perfetto file begins with this byte, and no JSON of the simulator does.
    if head[:1] == b"\n":
        return perfetto.convert(path)
    begin = head.lstrip()
    if begin.startswith(b'{"ts_ns"'):
        return jsonl.convert(path)
    if begin.startswith(b"{"):
        return chrome.convert(path)
    raise ScxvalError(f"{path}: none of scxsim's formats (Perfetto, Chrome JSON, JSONL)")

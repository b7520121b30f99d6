# SPDX-License-Identifier: MIT
"""Converts what wprof wrote: its JSON output or its Perfetto output, whichever the file is.

A dump (wprof.data) is recognised and refused: only the wprof that recorded it replays it for certain.
"""

from __future__ import annotations

from pathlib import Path

from scxval.errors import ScxvalError
from scxval.formats.source import read_head
from scxval.tracers.conversion import Conversion
from scxval.tracers.wprof import ndjson, perfetto
from scxval.tracers.wprof.session import MAGIC, check_dump

_HEAD_BYTES = 4096


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file (some kilobytes) is wprof's: JSON, Perfetto or a dump."""
    return head.startswith(MAGIC) or ndjson.recognises(head) or perfetto.recognises(head)


def convert(path: Path) -> Conversion:
    """Convert a replay, plain or gzip; `wprof.data` beside it dates the session.

    Raises ScxvalError for a dump, and for a file that cannot be read or is of a foreign version.
    """
    head = read_head(path, _HEAD_BYTES)
    if head.startswith(MAGIC):
        check_dump(head, str(path))
        raise ScxvalError(
            f"{path}: a dump of wprof's: replay it with the wprof that recorded it, "
            f"`wprof -R -D {path.name} -J wprof.ndjson`, and convert that"
        )
    return perfetto.convert(path) if head[:1] == b"\n" else ndjson.convert(path)

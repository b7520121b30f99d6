# SPDX-License-Identifier: MIT
"""Converts what wprof wrote: its JSON output or its Perfetto output, whichever the file is.

A dump (wprof.data) is not converted: only the wprof that recorded it replays it for certain.
"""

from __future__ import annotations

from pathlib import Path

from scxval.formats.conversion import Conversion
from scxval.formats.source import read_head
from scxval.tracers.wprof import ndjson, perfetto


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file (some kilobytes) is one of wprof's outputs."""
    return ndjson.recognises(head) or perfetto.recognises(head)


def convert(path: Path) -> Conversion:
    """Convert a replay, plain or gzip; the dump `wprof.data` beside it dates the session.

    Raises ScxvalError for a file that cannot be read or is of a foreign version.
    """
    # Every packet of a Perfetto file begins with this byte, and no JSON does.
    perfetto_file = read_head(path, 16)[:1] == b"\n"
    return perfetto.convert(path) if perfetto_file else ndjson.convert(path)

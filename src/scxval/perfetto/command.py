# SPDX-License-Identifier: MIT
"""`scxval export` and `scxval view`: what is asked for, as a file or in the browser."""

from __future__ import annotations

import contextlib
import tempfile
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.perfetto.build import make_timeline
from scxval.perfetto.chrome import write_json_trace
from scxval.perfetto.encode import write_trace
from scxval.perfetto.serve import address, trace_server
from scxval.perfetto.side import Side, find_side

ENDINGS = {".pftrace": write_trace, ".json": write_json_trace}


@dataclass(frozen=True)
class Exported:
    """A trace that was written: its bytes, how many rows the tables have, lines for the reader."""

    size: int
    rows: int
    notes: tuple[str, ...]


def export(sides: Sequence[Side], output: Path, absent: Sequence[str] = ()) -> Exported:
    """Write a trace of these sides; the ending of `output` says in which format.

    `absent` are lines about others that cannot be drawn: each gets a track that says so.

    Raises ScxvalError for another ending, sides that cannot be together and a place that cannot be written.
    """
    if output.suffix not in ENDINGS:
        raise ScxvalError(f"{output}: end its name with {' or '.join(ENDINGS)}")
    made = make_timeline(sides, absent)
    try:
        size = ENDINGS[output.suffix](made.timeline, output)
    except OSError as error:
        raise ScxvalError(f"cannot write {output}: {error.strerror}") from error
    return Exported(size, sum(len(side.events) for side in sides), made.notes)


def find_sides(given: Sequence[str], roots: Sequence[Path]) -> list[Side]:
    """The sides that a user names. Raises ScxvalError when one is nothing that can be drawn."""
    return [find_side(one, roots) for one in given]


def view(
    sides: Sequence[Side], port: int, browser: bool, say: Callable[[str], object] = print
) -> None:
    """Serve a trace of these sides with the Perfetto UI on 127.0.0.1 until the user interrupts."""
    with tempfile.TemporaryDirectory(prefix="scxval-view-") as folder:
        trace = Path(folder) / f"{sides[0].name.replace('/', '_')[:100]}.pftrace"
        exported = export(sides, trace)
        for note in exported.notes:
            say(f"  note       {note}")
        with trace_server(trace, port) as server:
            url = address(server, trace)
            say(f"{url}\n  for this machine's browsers only; end with Ctrl+C")
            if browser:
                webbrowser.open_new_tab(url)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()

# SPDX-License-Identifier: MIT
"""Faults that mutants found in converters, each as the one change to a real capture that showed it."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from scxval.errors import ScxvalError
from scxval.formats.source import read_source
from scxval.tracers.ftrace import convert as ftrace
from tests.captures import FIXTURES, Capture
from tests.mutants.check import Subject
from tests.mutants.make import Mutant

Edit = Callable[[bytes], bytes]


def put(at: int, layout: str, *values: int) -> Edit:
    """Numbers written over a place."""

    def edit(data: bytes) -> bytes:
        new = struct.pack(layout, *values)
        return data[:at] + new + data[at + len(new) :]

    return edit


FOUND: dict[str, tuple[str, str, Edit, str]] = {
    # In a pipe the first record describes an event; perf_event_attr.size is its second number.
    "an event's description of one byte": (
        "perf_sched",
        "perf-sched/pipe.data.gz",
        put(16 + 8 + 4, "<I", 1),
        "refused",
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_found(tmp_path, what):
    source, name, edit, result = FOUND[what]
    subject = Subject(Capture(source, FIXTURES / name), tmp_path / "x")
    data = read_source(FIXTURES / name).data
    changed = edit(data)
    assert changed != data
    assert subject.attempt(Mutant(changed, what)).result == result


# "cut at 27" of a text of tracefs: places within a short last line were looked up past all spaces.
TEXT = b"""# tracer: nop
#
# entries-in-buffer/entries-written: 4118/4118   #P:4
#
       trace-cmd-233     [000] dNs2.     9.756103: sched_waking: comm=a pid=67 prio=120 target_cpu=000
"""


@pytest.mark.parametrize("size", range(14, len(TEXT)))
def test_a_text_of_tracefs_cut_anywhere(tmp_path, size):
    path = tmp_path / "trace"
    path.write_bytes(TEXT[:size])
    with pytest.raises(ScxvalError, match="no line of a sched tracepoint"):
        ftrace.convert(path)

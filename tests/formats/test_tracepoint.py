# SPDX-License-Identifier: MIT
"""Format files of a real kernel (7.2.13), and records packed by struct as those files say."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.formats.tracepoint import Field, integers, parse_tracepoint, texts
from scxval.tracers.sched_records import FIELDS

FORMATS = Path(__file__).parents[1] / "fixtures/tracefs-formats"
FILES = sorted(FORMATS.glob("*.format"))
COMMON = [
    Field("common_type", 0, 2, False, False),
    Field("common_flags", 2, 1, False, False),
    Field("common_preempt_count", 3, 1, False, False),
    Field("common_pid", 4, 4, True, False),
]
# sched_switch of that kernel: common fields, prev_comm, prev_pid, prev_prio, prev_state, next_*.
SWITCH = struct.Struct("<HBBi16siiq16sii")


def text_of(name: str) -> str:
    return (FORMATS / f"{name}.format").read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_real_formats(file: Path) -> None:
    """Fields begin with the four common ones, follow each other and do not overlap."""
    point = parse_tracepoint(file.read_text())
    assert point.name == file.stem
    assert f"ID: {point.id}\n" in file.read_text()
    fields = list(point.fields.values())
    assert fields[:4] == COMMON
    assert len(fields) == file.read_text().count("field:")
    for before, after in pairwise(fields):
        assert before.offset + before.size <= after.offset
    assert point.size == fields[-1].offset + fields[-1].size


def test_what_the_converters_read_is_there() -> None:
    for name, fields in FIELDS.items():
        parse_tracepoint(text_of(name)).demand(fields)
    with pytest.raises(ScxvalError, match="sched_switch has no field first, prev_nothing"):
        parse_tracepoint(text_of("sched_switch")).demand(["prev_pid", "prev_nothing", "first"])


def test_switch() -> None:
    fields = parse_tracepoint(text_of("sched_switch")).fields
    assert fields["prev_comm"] == Field("prev_comm", 8, 16, False, True)
    assert fields["prev_state"] == Field("prev_state", 32, 8, True, False)
    assert parse_tracepoint(text_of("sched_switch")).size == SWITCH.size == 64


def test_strings_elsewhere_since_6_16() -> None:
    fields = parse_tracepoint(text_of("sched_process_fork")).fields
    assert fields["child_comm"] == Field("child_comm", 16, 4, False, False, "data_loc")
    relative = text_of("sched_process_fork").replace("__data_loc", "__rel_loc")
    assert parse_tracepoint(relative).fields["child_comm"].dynamic == "rel_loc"


SWITCHES = st.lists(
    st.tuples(
        st.integers(0, 2**16 - 1),
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(-(2**31), 2**31 - 1),
        st.binary(max_size=16),
        st.integers(0, 2**31 - 1),
        st.integers(-1, 140),
        st.integers(-(2**63), 2**63 - 1),
        st.binary(max_size=16),
        st.integers(0, 2**31 - 1),
        st.integers(-1, 140),
    ),
    max_size=10,
)


@settings(max_examples=100, deadline=None)
@given(SWITCHES, st.integers(0, 7), st.lists(st.integers(0, 5), min_size=10, max_size=10))
def test_records_anywhere(switches: list[tuple], lead: int, gaps: list[int]) -> None:
    """At any place, aligned or not: what struct packed is read again."""
    fields = parse_tracepoint(text_of("sched_switch")).fields
    blob, start = b"\xaa" * lead, []
    for switch, gap in zip(switches, gaps, strict=False):
        start.append(len(blob))
        blob += SWITCH.pack(*switch) + b"\xbb" * gap
    data, at = np.frombuffer(blob, dtype=np.uint8), np.array(start, dtype=np.int64)
    for place, name in ((0, "common_type"), (3, "common_pid"), (5, "prev_pid"), (7, "prev_state")):
        assert integers(data, at, fields[name]).tolist() == [s[place] for s in switches]
    for place, name in ((4, "prev_comm"), (8, "next_comm")):
        # Behind the terminating zero stands what the kernel's buffer held before.
        expected = [s[place].split(b"\0")[0].ljust(16, b"\0") for s in switches]
        assert [row.tobytes() for row in texts(data, at, fields[name])] == expected


def test_unsigned_64_bits_wrap() -> None:
    data = np.frombuffer(struct.pack("<Q", 2**64 - 2), dtype=np.uint8)
    field = Field("value", 0, 8, False, False)
    assert integers(data, np.array([0]), field).tolist() == [-2]


@pytest.mark.parametrize("name", ["prev_comm", "prev_state"])
def test_a_field_of_the_wrong_kind_is_refused(name: str) -> None:
    fields = parse_tracepoint(text_of("sched_switch")).fields
    read = integers if name == "prev_comm" else texts
    with pytest.raises(ScxvalError, match=f"field {name} of"):
        read(np.zeros(64, dtype=np.uint8), np.array([0]), fields[name])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: sched_switch", "nam: sched_switch", "not the format of a tracepoint"),
        ("ID: 310", "ID: many", "not the format of a tracepoint"),
        ("offset:24", "offset:99999999", "sched_switch: cannot read field"),
        ("pid_t prev_pid;", "pid_t prev_pid[);", "sched_switch: cannot read field"),
    ],
)
def test_bad_formats(old: str, new: str, message: str) -> None:
    text = text_of("sched_switch")
    assert old in text
    with pytest.raises(ScxvalError, match=message):
        parse_tracepoint(text.replace(old, new))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_formats_are_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(text_of("sched_switch").encode())
    for _ in range(data.draw(st.integers(1, 8))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(
            st.sampled_from(b"0123456789;:[]\n a")
        )
    try:
        point = parse_tracepoint(text.decode())
    except ScxvalError:
        return
    assert 0 <= point.size <= 1 << 16

# SPDX-License-Identifier: MIT
"""What trace-cmd and raw ftrace share: blocks of pages, damaged records, names and thread groups."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.events.columns import Names
from scxval.formats.conversion import Conversion, Losses
from scxval.formats.ringbuffer import PageLayout
from scxval.formats.source import read_source
from scxval.formats.tracepoint import Tracepoint
from scxval.tracers.ftrace.archive import read_archive
from scxval.tracers.raw_records import (
    RingReader,
    page_blocks,
    pairs,
    parse_tracepoints,
    pieces_of,
    selected_clock,
    stats_lost,
    task_evidence,
)
from scxval.tracers.sched_records import convert_columns

from ..captures import FIXTURES
from ..ring import Event, Page

LAYOUT = PageLayout(4096, 8)


def points() -> dict[str, Tracepoint]:
    source = read_source(FIXTURES / "ftrace/ftrace.tar.gz")
    formats = read_archive(io.BytesIO(source.data)).formats
    return {point.name: point for point in parse_tracepoints(formats)}


POINTS = points()


def record(name: str, by: int, comm: bytes = b"", **values: int) -> bytes:
    """A record of a tracepoint by its format; a dynamic name lies behind it."""
    point = POINTS[name]
    data = bytearray(point.size)
    struct.pack_into("<H", data, 0, point.id)
    struct.pack_into("<i", data, 4, by)
    for key, value in values.items():
        field = point.fields[key]
        data[field.offset : field.offset + field.size] = value.to_bytes(
            field.size, "little", signed=field.signed
        )
    place = point.fields.get("comm")
    if place and place.dynamic and "comm" not in values:
        data[place.offset : place.offset + 4] = struct.pack("<HH", len(data), len(comm) + 1)
        data += comm + b"\0"
    elif place and not place.dynamic:
        data[place.offset : place.offset + len(comm)] = comm
    return bytes(data)


def read(*records: bytes, reader: RingReader | None = None) -> RingReader:
    reader = reader or RingReader(LAYOUT, list(POINTS.values()))
    page = Page(1_000_000, [Event("data", 10, data) for data in records]).encode()
    reader.add(3, np.frombuffer(page, dtype=np.uint8))
    return reader


def table_of(reader: RingReader, cmdlines: str = "", tgids: str = "") -> Conversion:
    tally = reader.tally
    reader.rows.add(task_evidence(cmdlines, tgids, reader.names, tally.last_ns, tally.records))
    return convert_columns("test", [reader.rows.take()], list(POINTS), reader.names, Losses())


@given(st.lists(st.binary(max_size=9000), max_size=8), st.sampled_from([64, 4096, 1 << 21]))
def test_blocks_are_whole_pages(pieces, page_bytes):
    blocks = [block.tobytes() for block in page_blocks(pieces, page_bytes)]
    assert b"".join(blocks) == b"".join(pieces)
    assert all(len(block) % page_bytes == 0 for block in blocks[:-1])
    assert all(blocks)


def test_pieces_end_where_the_file_does():
    file = io.BytesIO(bytes(range(100)))
    assert b"".join(pieces_of(file, 10, 50)) == bytes(range(10, 60))
    assert b"".join(pieces_of(file, 90, 50)) == bytes(range(90, 100))
    assert list(pieces_of(file, 200, 50)) == []


GOOD = {"pid": 8, "prio": 120, "target_cpu": 2}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pid": (1 << 22) + 1}, "impossible number"),
        ({"pid": -1}, "impossible number"),
        ({"target_cpu": 1 << 15}, "impossible number"),
    ],
)
def test_impossible_numbers_are_counted(changed, says):
    good = record("sched_waking", 7, b"a", **GOOD)
    reader = read(good, record("sched_waking", 7, b"a", **(GOOD | changed)), good)
    assert reader.tally.unparsed == 1
    assert says in reader.tally.examples[0]
    assert table_of(reader).table.num_rows == 2


def test_a_name_beyond_its_record_is_damage():
    values = {"pid": 8, "prio": 120, "orig_cpu": 0, "dest_cpu": 1}
    good = record("sched_migrate_task", 7, b"mover", **values)
    bad = record("sched_migrate_task", 7, comm=b"", **values, **{})
    at = POINTS["sched_migrate_task"].fields["comm"].offset
    bad = bad[:at] + struct.pack("<HH", len(bad) - 4, 400) + bad[at + 4 :]
    reader = read(good, bad)
    assert reader.tally.unparsed == 1
    table = table_of(reader).table
    assert table["comm"].to_pylist() == ["mover"]


def test_short_and_unknown_records_are_counted():
    good = record("sched_waking", 7, b"a", **GOOD)
    unknown = struct.pack("<H", 65000) + good[2:]
    reader = read(good, good[:20], unknown)
    assert reader.tally.unparsed == 2
    assert "of less than" in reader.tally.examples[0]
    assert "65000, which the trace does not describe" in reader.tally.examples[1]
    assert table_of(reader).table.num_rows == 1


def test_pages_are_numbered_over_all_blocks():
    reader = RingReader(LAYOUT, list(POINTS.values()))
    read(reader=reader)
    bad = Page(0, []).encode()[:8] + struct.pack("<Q", 5000) + bytes(4080)
    reader.add(3, np.frombuffer(bad, dtype=np.uint8))
    assert reader.tally.examples[0].startswith("CPU 3: page 1 ")


def test_a_tracepoint_of_two_ids_is_refused():
    other = Tracepoint("sched_waking", 9999, POINTS["sched_waking"].fields)
    with pytest.raises(ScxvalError, match="several IDs"):
        RingReader(LAYOUT, [*POINTS.values(), other])
    # Described twice alike: each record counts once.
    reader = RingReader(LAYOUT, [*POINTS.values(), POINTS["sched_waking"]])
    read(record("sched_waking", 7, b"a", **GOOD), reader=reader)
    assert table_of(reader).table.num_rows == 1


def test_saved_names_and_thread_groups_are_of_a_tids_last_life():
    """The kernel says how things were at the end: a fork of the tid began another life."""
    waking = {"pid": 8, "prio": 120, "target_cpu": 0}
    fork = {"parent_pid": 7, "child_pid": 8}
    names = ("sched_migrate_task", "sched_process_fork")
    assert all(name in POINTS for name in names)
    reader = read(
        record("sched_waking", 7, b"old", **waking),
        record("sched_process_fork", 7, **fork),
        record("sched_waking", 7, b"new name", **waking),
    )
    rows = table_of(reader, "8 new name\n7 sh\n9 other", "8 5\n7 7\n").table.to_pylist()
    assert [(row["kind"], row["comm"], row["pid"]) for row in rows] == [
        ("TaskWoke", "old", None),
        ("TaskForked", "new name", 5),
        ("TaskWoke", "new name", 5),
    ]


def test_lines_of_saved_files():
    assert pairs("  12 a name\n4194305 too large\nx y\n7 -\n") == [(12, "a name"), (7, "-")]
    evidence = task_evidence("0 idle\n3 <...>\n4 ok\n", "4 x\n5 6\n0 0\n", Names(), 9, 1)
    assert evidence.tid.tolist() == [4, 5]
    assert evidence.pid.tolist() == [-1, 6]


def test_stats_and_clock():
    text = (
        "entries: 1\noverrun: 5\ncommit overrun: 2\nbytes: 9\ndropped events: 1\nread events: 7\n"
    )
    assert stats_lost(text) == 8
    assert selected_clock("local global [mono] boot\n", "here") == (GUEST_CLOCK, "")
    assert selected_clock("mono", "here") == (GUEST_CLOCK, "")
    for text, clock in (("local [mono_raw]", "mono_raw"), ("", "local"), ("boot", "boot")):
        named, note = selected_clock(text, "here")
        assert named == clock
        assert re.search(rf"clock {clock}, not .*record again with trace_clock mono", note)
        assert ("between CPUs" in note) == (clock == "local")
    for other in ("[x86-tsc] mono", "local [counter]"):
        with pytest.raises(ScxvalError, match=r"here: trace clock .* does not count") as told:
            selected_clock(other, "here")
        assert re.search(r"record again with trace_clock mono", str(told.value))

# SPDX-License-Identifier: MIT
"""ftrace.tar against a slow reading of its pages; what is cut off, damaged or of another clock."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from scxval.errors import ScxvalError
from scxval.formats.source import read_source
from scxval.tracers.ftrace import LOST_PATTERN, READY_PATTERN, RECORDER_FILE, command
from scxval.tracers.ftrace.archive import BLOCK, read_archive
from scxval.tracers.ftrace.convert import convert, recognises
from scxval.tracers.sched_records import FIELDS

from ... import ring
from ...captures import FIXTURES

FOLDER = FIXTURES / "ftrace"


def content(name: str) -> bytes:
    return read_source(FOLDER / name).data


def table_rows(table: pa.Table) -> Counter[tuple[object, ...]]:
    return without_fork_names(
        [tuple(row[name] for name in ring.COLUMNS) for row in table.to_pylist()]
    )


def without_fork_names(rows: list[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    return Counter((*row[:4], None, *row[5:]) if row[2] == "TaskForked" else row for row in rows)


def slow_rows(data: bytes) -> list[tuple[object, ...]]:
    archive = read_archive(io.BytesIO(data))
    return [
        row
        for cpu, (at, size) in archive.pages.items()
        for row in ring.rows(cpu, data[at : at + size], archive.formats)
    ]


@pytest.mark.parametrize(("name", "events"), [("ftrace.tar.gz", 2921), ("lost.tar.gz", 532)])
def test_the_whole_file_is_what_its_pages_say(name, events):
    result = convert(FOLDER / name)
    assert result.table.num_rows == events
    assert table_rows(result.table) == without_fork_names(slow_rows(content(name)))
    assert result.capability.unparsed == 0
    assert set(result.capability.kinds) >= {"TaskScheduled", "TaskWoke", "TaskMigrated"}


def test_thread_groups_are_those_of_saved_tgids():
    table = convert(FOLDER / "ftrace.tar.gz").table
    archive = read_archive(io.BytesIO(content("ftrace.tar.gz")))
    known = dict(map(int, line.split()) for line in archive.text("saved_tgids").splitlines())
    seen = {(row["tid"], row["pid"]) for row in table.to_pylist() if row["tid"]}
    assert seen
    assert all(pid == known.get(tid) for tid, pid in seen)
    assert any(tid != pid for tid, pid in seen)


def test_what_was_overwritten_is_counted_once():
    """The pages' own number of missed events is what the stats of the CPUs say."""
    data = content("lost.tar.gz")
    stats = read_archive(io.BytesIO(data)).stats
    overrun = sum(int(re.search(r"overrun: (\d+)", text)[1]) for text in stats.values())
    capability = convert(FOLDER / "lost.tar.gz").capability
    assert capability.lost == overrun == 1894
    assert any("2 gaps, 0 of them without" in note for note in capability.notes)


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "ftrace.tar"
    path.write_bytes(data)
    return path


def test_stats_without_a_number_leave_that_of_the_pages(tmp_path):
    data = content("lost.tar.gz")
    for match in re.finditer(rb"\noverrun: \d+", data):
        data = data[: match.start()] + b"\nOverrun" + data[match.start() + 8 :]
    assert convert(written(tmp_path, data)).capability.lost == 1894


def test_a_cut_file_keeps_what_came_before(tmp_path):
    data = content("ftrace.tar.gz")
    whole = Counter(slow_rows(data))
    archive = read_archive(io.BytesIO(data))
    ends = [at + size for at, size in archive.pages.values()]
    for size in (len(data) - 2 * BLOCK, ends[-1] - 4000, ends[-1] - BLOCK, ends[0], ends[0] - 5000):
        result = convert(written(tmp_path, data[:size]))
        notes = " ".join(result.capability.notes)
        assert "cut off" in notes, size
        rows = Counter(
            tuple(row[name] for name in ring.COLUMNS if name != "comm")
            for row in result.table.to_pylist()
        )
        assert rows <= Counter({(*row[:4], *row[5:]): count for row, count in whole.items()})
        assert result.table.num_rows > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:700], "no events/header_page|no trace_clock"),
        (
            lambda data: data.replace(b" [mono] ", b" mono   "),
            "does not count nanoseconds: .*clock mono",
        ),
        (
            lambda data: data.replace(b"[mono] mono_raw boot", b"mono [uptime]aw boot"),
            "clock uptime",
        ),
        (lambda data: data.replace(b"type == 29", b"type == 28"), "padding"),
        (lambda data: data.replace(b"prev_state;", b"prev_stale;"), "no field prev_state"),
        (lambda data: data[: 2 * BLOCK] + b"\2" * BLOCK + data[3 * BLOCK :], "no member at byte"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, change, says):
    path = written(tmp_path, change(content("ftrace.tar.gz")))
    with pytest.raises(ScxvalError, match=says) as told:
        convert(path)
    assert "\n" not in str(told.value)


def test_recognises_by_content():
    assert recognises(content("ftrace.tar.gz")[:4096])
    assert recognises(content("trace.txt.gz")[:4096])
    # Any other tar file is none.
    assert not recognises(
        content("ftrace.tar.gz").replace(b"scxval-ftrace", b"scxval-trace")[:4096]
    )


def test_command_ships_the_recorder_and_names_every_tracepoint():
    made = command({"buffer_kib": 64}, frozenset())
    assert made.argv[-len(FIELDS) :] == [f"sched/{name}" for name in FIELDS]
    assert "64" in made.argv
    compile(made.files[RECORDER_FILE], RECORDER_FILE, "exec")
    assert re.search(READY_PATTERN, "ftrace: recording\n", re.MULTILINE)
    assert re.search(LOST_PATTERN, "ftrace: 12 events lost\n", re.MULTILINE)[1] == "12"
    for options in ({"buffer": 1}, {"buffer_kib": 3}, {"buffer_kib": 1.5}, {"buffer_kib": 1 << 23}):
        with pytest.raises(ScxvalError):
            command(options, frozenset())


def test_another_clock_is_told(tmp_path):
    data = content("ftrace.tar.gz").replace(b"[mono] mono_raw boot", b"mono mono_raw [boot]")
    capability = convert(written(tmp_path, data)).capability
    assert capability.clock == "boot"
    assert "trace clock boot, not CLOCK_MONOTONIC" in capability.notes[0]

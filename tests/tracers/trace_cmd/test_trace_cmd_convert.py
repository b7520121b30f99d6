# SPDX-License-Identifier: MIT
"""trace.dat of both versions and all compressions against trace-cmd's own report of the whole file."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.formats.source import read_source
from scxval.tracers.sched_records import FIELDS
from scxval.tracers.trace_cmd import LOST_PATTERN, READY_PATTERN, command
from scxval.tracers.trace_cmd.convert import convert, recognises

from ... import ring
from ...captures import FIXTURES

FOLDER = FIXTURES / "trace-cmd"
FILES = ("trace.dat", "zlib.dat.gz", "none.dat.gz", "v6.dat.gz")
LINE = re.compile(r" *(.{1,16})-(\d+) +\[(\d+)\]\S+ +(\d+)\.(\d{9}): (\w+): +(.*)")
NUMBER = re.compile(r"(\w+)=(-?\d+)(?= |$)")
COMM = re.compile(r"(\w*comm)=(.*?) (?:\w*pid)=")


def report() -> list[str]:
    return gzip.decompress((FOLDER / "report-tR.txt.gz").read_bytes()).decode().splitlines()[1:]


def reported_rows() -> Iterator[tuple[object, ...]]:
    """The rows that trace-cmd's report makes, line by line."""
    for line in report():
        match = LINE.fullmatch(line)
        assert match, line
        _, by, cpu, seconds, nanos, name, text = match.groups()
        value: dict[str, int | str] = {"common_pid": int(by)}
        value |= {key: int(number) for key, number in NUMBER.findall(text)}
        value |= dict(COMM.findall(text))
        yield from ring.row(name, int(seconds) * 10**9 + int(nanos), int(cpu), value)


def table_rows(table: pa.Table) -> Counter[tuple[object, ...]]:
    return without_fork_names(
        tuple(row[name] for name in ring.COLUMNS) for row in table.to_pylist()
    )


def without_fork_names(rows: Iterator[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    """A fork names no child: its name comes from the child's other rows."""
    return Counter((*row[:4], None, *row[5:]) if row[2] == "TaskForked" else row for row in rows)


@pytest.mark.parametrize("name", FILES)
def test_the_whole_file_is_what_trace_cmd_reports(name):
    result = convert(FOLDER / name)
    expected = without_fork_names(reported_rows())
    assert sum(expected.values()) == 3933
    assert table_rows(result.table) == expected


def test_records_of_other_tracepoints_are_counted():
    names = Counter(LINE.fullmatch(line)[6] for line in report())
    others = {name: count for name, count in names.items() if name not in FIELDS}
    told = ", ".join(f"{name} {count}" for name, count in sorted(others.items()))
    (note,) = convert(FOLDER / "trace.dat").capability.notes
    assert note == f"records of other tracepoints, not in the table: {told}"


def test_both_versions_and_all_compressions_give_the_same():
    first, *others = (convert(FOLDER / name) for name in FILES)
    for other in others:
        assert other.table.equals(first.table)
        assert other.capability == first.capability
    assert first.capability.lost == 0
    assert first.capability.unparsed == 0
    assert "TaskYielded" not in first.capability.kinds
    # trace-cmd does not save thread groups.
    assert set(first.table["pid"].unique().to_pylist()) == {None, 0}


def test_names_of_forked_tasks_are_found():
    table = convert(FOLDER / "trace.dat").table
    forks = [row for row in table.to_pylist() if row["kind"] == "TaskForked"]
    assert len(forks) == 15
    assert all(row["comm"] for row in forks)


def test_lost_events_are_counted():
    capability = convert(FOLDER / "lost.dat.gz").capability
    log = (FOLDER / "lost.log").read_text()
    assert capability.lost == sum(map(int, re.findall(LOST_PATTERN, log))) > 0
    assert any("gaps" in note for note in capability.notes)
    assert capability.unparsed == 0


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "trace.dat"
    path.write_bytes(data)
    return path


def content(name: str) -> bytes:
    return read_source(FOLDER / name).data


@pytest.mark.parametrize("clock", ["mono_raw", "boot"])
def test_another_clock_is_told(tmp_path, clock):
    name = clock.encode()
    data = content("v6.dat.gz").replace(b" [mono] ", b" mono ")
    other = data.replace(b" " + name + b" ", b" [" + name + b"] ", 1)
    assert len(other) == len(content("v6.dat.gz"))
    capability = convert(written(tmp_path, other)).capability
    assert capability.clock == clock
    assert f"times are of trace clock {clock}, not CLOCK_MONOTONIC" in capability.notes[0]
    # The instance's own clock counts in version 7.
    other = content("none.dat.gz").replace(b"\0\0mono\0", b"\0\0boot\0")
    assert convert(written(tmp_path, other)).capability.clock == "boot"
    assert convert(FOLDER / "none.dat.gz").capability.clock == GUEST_CLOCK


def test_a_clock_that_counts_no_nanoseconds_is_refused(tmp_path):
    data = content("v6.dat.gz").replace(b" [mono] ", b" mono ")
    other = data.replace(b" uptime ", b" [uptime] ", 1)
    with pytest.raises(
        ScxvalError, match=r"clock uptime does not count .*trace_clock mono"
    ) as told:
        convert(written(tmp_path, other))
    assert "\n" not in str(told.value)


def test_no_clock_is_taken_for_trace_cmds_default(tmp_path):
    data = content("v6.dat.gz")
    at = data.index(b"local global")
    other = data[: at - 6] + b"\x05" + data[at - 5 :]
    capability = convert(written(tmp_path, other)).capability
    assert capability.clock == "local"
    assert "order between CPUs may be wrong" in capability.notes[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.replace(b"tracing7\0", b"tracing8\0", 1), "version '8'"),
        (lambda data: data.replace(b"tracing7\0\0", b"tracing7\0\1", 1), "big-endian"),
        (lambda data: data.replace(b"zstd\0", b"lzo2\0", 1), "compressed by 'lzo2'"),
        (lambda data: data[:16], "cut off"),
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: data[:-40], "cut off"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, change, says):
    path = written(tmp_path, change(content("trace.dat")))
    with pytest.raises(ScxvalError, match=says) as told:
        convert(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def test_a_cut_file_of_version_6_keeps_what_came_before(tmp_path):
    data = content("v6.dat.gz")
    whole = convert(FOLDER / "v6.dat.gz")
    rows = {
        (row["time_ns"], row["cpu"], row["kind"], row["seq"]) for row in whole.table.to_pylist()
    }
    for left in (0.95, 0.8, 0.5, 0.3):
        result = convert(written(tmp_path, data[: int(len(data) * left)]))
        some = {
            (row["time_ns"], row["cpu"], row["kind"], row["seq"])
            for row in result.table.to_pylist()
        }
        assert 0 < len(some) < len(rows)
        assert some < rows
        assert any("cut off" in note for note in result.capability.notes)


def test_a_damaged_chunk_loses_what_follows_it_on_its_cpu(tmp_path):
    data = bytearray(content("trace.dat"))
    # The last zstd frame but two: a chunk of the last CPU's pages, or of the one before.
    at = len(data)
    for _ in range(3):
        at = data.rindex(b"\x28\xb5\x2f\xfd", 0, at)
    data[at + 40 : at + 60] = bytes(20)
    result = convert(written(tmp_path, bytes(data)))
    assert result.capability.unparsed >= 1
    assert "CPU" in result.capability.examples[0]
    assert 0 < result.table.num_rows < 3933


def test_recognises_by_content():
    for name in FILES:
        assert recognises(content(name)[:4096])
    assert not recognises(b"\x17\x08\x44tracin")


def test_command_names_every_tracepoint_and_the_clock():
    made = command({"buffer_kib": 512}, frozenset())
    assert {f"sched:{name}" for name in FIELDS} <= set(made.argv)
    assert made.argv[made.argv.index("-C") + 1] == "mono"
    assert made.argv[made.argv.index("-b") + 1] == "512"
    assert re.search(made.ready_pattern, "Hit Ctrl^C to stop recording\n", re.MULTILINE)
    assert made.ready_pattern == READY_PATTERN


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"buffer_kb": 1}, "buffer_kb"),
        ({"buffer_kib": 0}, "buffer_kib is 0"),
        ({"buffer_kib": True}, "buffer_kib is True"),
        ({"buffer_kib": "4096"}, "buffer_kib is '4096'"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(ScxvalError, match=says):
        command(options, frozenset())

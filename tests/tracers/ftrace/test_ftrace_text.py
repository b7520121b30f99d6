# SPDX-License-Identifier: MIT
"""tracefs text against a reading line by line, real and made up with names that imitate the format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.formats.source import read_source
from scxval.tracers.ftrace.convert import convert, recognises

from ... import ring
from ...captures import FIXTURES

TRACE = FIXTURES / "ftrace/trace.txt.gz"
LINE = re.compile(r"(.{16})-(\d+) +(?:\(([ \d]+|-+)\) )?\[(\d+)\] \S+ +(\d+)\.(\d{6}): (\w+): (.*)")
STATES = {"R": 0, "S": 1, "D": 2, "T": 4, "t": 8, "X": 0x10, "Z": 0x20, "P": 0x40, "I": 0x80}
HEADER = "# tracer: nop\n#\n# entries-in-buffer/entries-written: {}/{}   #P:4\n#\n"


def slow_rows(text: str) -> Iterator[tuple[object, ...]]:
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            assert line.startswith("#"), line
            continue
        _, by, _, cpu, seconds, micros, name, fields = match.groups()
        value: dict[str, int | str] = {"common_pid": int(by)}
        value |= {key: int(n) for key, n in re.findall(r"(\w+)=(-?\d+)(?= |$)", fields)}
        value |= dict(re.findall(r"(\w*comm)=(.*?) (?:\w*pid)=", fields))
        if name == "sched_switch":
            word = re.search(r"prev_state=(\S+)", fields)[1]
            value["prev_state"] = STATES[word.rstrip("+")] | 0x100 * word.endswith("+")
        if name == "sched_process_fork":
            value["parent_pid"] = value["pid"]
        yield from ring.row(name, int(seconds) * 10**9 + int(micros) * 1000, int(cpu), value)


def test_the_whole_text_is_what_its_lines_say():
    result = convert(TRACE)
    found = Counter(tuple(row[name] for name in ring.COLUMNS) for row in result.table.to_pylist())
    expected = Counter(slow_rows(read_source(TRACE).data.decode()))
    assert sum(expected.values()) == 4657
    drop = [(*row[:4], None, *row[5:]) if row[2] == "TaskForked" else row for row in found]
    assert Counter(drop) == expected
    capability = result.capability
    assert (capability.lost, capability.unparsed) == (0, 0)
    assert any("microseconds" in note for note in capability.notes)
    assert any("sched_ext_event 518" in note for note in capability.notes)
    assert set(capability.kinds) == set(result.table["kind"].unique().to_pylist())


def test_thread_groups_are_those_of_the_lines():
    groups = {}
    for line in read_source(TRACE).data.decode().splitlines():
        match = LINE.fullmatch(line)
        if match and match[3] and not match[3].startswith("-"):
            groups[int(match[2])] = int(match[3])
    table = convert(TRACE).table
    seen = {row["tid"]: row["pid"] for row in table.to_pylist() if row["tid"]}
    assert {tid: pid for tid, pid in seen.items() if pid is not None}.items() <= groups.items()
    assert any(tid != pid for tid, pid in seen.items() if pid)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trace.txt"
    path.write_text(text, encoding="utf-8")
    return path


def line(comm: str, pid: int, event: str, cpu: str = "001", flags: str = "d..2. ") -> str:
    return f"{comm:>16}-{pid:<7} [{cpu}] {flags}{12:5}.000345: {event}\n"


SWITCH = (
    "sched_switch: prev_comm={} prev_pid={} prev_prio=120 prev_state={} ==> "
    "next_comm={} next_pid={} next_prio=120"
)
EVIL = st.one_of(
    st.text("ab =-[]:>", min_size=1, max_size=15),
    st.sampled_from(
        [
            "a pid=3",
            " prev_pid=1",
            "x ==> next_comm",
            " next_pid=9",
            "pid=1 pid=2",
            "-5 [000]",
            "a: b",
        ]
    ),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(EVIL, EVIL, st.sampled_from(["R", "R+", "S", "D|I", "X"]), st.sampled_from(["d..2. ", ""]))
def test_names_may_hold_anything(tmp_path, first, second, state, flags):
    text = line(first, 77, SWITCH.format(first, 77, state, second, 88), flags=flags)
    text += line(first, 77, f"sched_waking: comm={second} pid=88 prio=-1 target_cpu=012")
    text += line(
        first, 77, f"sched_process_fork: comm={first} pid=77 child_comm={second} child_pid=99"
    )
    result = convert(written(tmp_path, HEADER.format(3, 3) + text))
    rows = result.table.to_pylist()
    assert result.capability.unparsed == 0, result.capability.examples
    assert [(row["kind"], row["tid"]) for row in rows][1:] == [
        ("TaskScheduled", 88),
        ("TaskWoke", 88),
        ("TaskForked", 99),
    ]
    off, on, woke, fork = rows
    assert (off["tid"], off["comm"], on["comm"], woke["comm"]) == (77, first, second, second)
    assert (woke["other_cpu"], woke["other_tid"], fork["other_tid"]) == (12, 77, 77)
    states = {"R": 0, "R+": 0x100, "S": 1, "D|I": 0x82, "X": 0x10}
    assert off["prev_state"] == states[state]


def test_losses_are_counted(tmp_path):
    event = line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=000")
    text = "CPU:1 [LOST 12 EVENTS]\n" + event + "CPU:0 [LOST EVENTS]\n" + event
    assert recognises(text.encode())
    assert convert(written(tmp_path, text)).capability.lost == 13
    text = HEADER.format(2, 44) + "##### CPU 1 buffer started ####\n" + text
    result = convert(written(tmp_path, text))
    assert result.capability.lost == 13 + 42
    assert result.capability.unparsed == 0


def test_what_cannot_be_read_is_counted(tmp_path):
    good = line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=000")
    bad = [
        line("a", 7, "sched_waking: comm=b pid=x prio=120 target_cpu=000"),
        line("a", 7, "sched_waking: comm=b pid=99999999 prio=120 target_cpu=000"),
        line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=40000"),
        line("a", 7, "sched_waking: comm=b pid=8 prio=120"),
        line("a", 7, SWITCH.format("a", 7, "Q", "b", 8)),
        line("a", 7, SWITCH.format("a" * 16, 7, "S", "b", 8)),
        line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=000", cpu="99999"),
        "what is this\n",
    ]
    for text in bad:
        result = convert(written(tmp_path, good + text + good))
        assert result.capability.unparsed == 1, text
        assert result.capability.examples[0] in text
        assert result.table.num_rows == 2


def test_a_cut_line_is_left_out(tmp_path):
    good = line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=011")
    result = convert(written(tmp_path, good + good[:-2]))
    assert result.table.num_rows == 1
    assert any("cut off" in note for note in result.capability.notes)


def test_the_clock_beside_the_text_counts(tmp_path):
    path = written(tmp_path, line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=000"))
    (tmp_path / "trace_clock").write_text("[local] global mono\n")
    assert convert(path).capability.clock == "local"
    (tmp_path / "trace_clock").write_text("local global [counter]\n")
    with pytest.raises(ScxvalError, match="clock counter"):
        convert(path)
    (tmp_path / "trace_clock").write_text("local global [mono]\n")
    assert not any("name its clock" in note for note in convert(path).capability.notes)


def test_a_text_without_sched_events_is_refused(tmp_path):
    with pytest.raises(ScxvalError, match="no line of a sched tracepoint"):
        convert(written(tmp_path, HEADER.format(0, 0)))
    counter = line("a", 7, "sched_waking: comm=b pid=8 prio=120 target_cpu=000").replace(
        "12.000345", "123456789"
    )
    with pytest.raises(ScxvalError, match="no line of a sched tracepoint"):
        convert(written(tmp_path, HEADER.format(1, 1) + counter))

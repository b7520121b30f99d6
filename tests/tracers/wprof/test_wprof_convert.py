# SPDX-License-Identifier: MIT
"""wprof's real replays: a slow reading, the three formats against each other, and what bad files do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from scxval.errors import ScxvalError
from scxval.events.columns import Names
from scxval.formats.conversion import Losses, conclude
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.ftrace import read_bundles
from scxval.formats.perfetto.packets import read_packets
from scxval.formats.source import CUT_NOTE as GZIP_CUT
from scxval.tracers.wprof import ftrace, rows
from scxval.tracers.wprof.convert import convert, recognises
from scxval.tracers.wprof.events import CATEGORIES, Events, read_events, thread_groups
from scxval.tracers.wprof.ndjson import CUT_NOTE
from scxval.tracers.wprof.trackevent import Converter

from .reference import CAPTURES, EXTRAS, FIXTURES, JSON, PERFETTO, slow_rows, text

# By the headers of the dumps, as test_wprof_session reads them.
START_NS = {"wprof-rusty": 13492894462, "wprof-legacykf": 10389917791}
# What the three formats must agree in.
COLUMNS = [
    *("time_ns", "cpu", "kind", "tid", "pid", "comm", "other_tid"),
    *("dsq_id", "prev_state", "reason", "probe"),
]


def trace(capture: str, name: str = JSON) -> Path:
    return FIXTURES / capture / name


def written(tmp_path: Path, data: bytes, name: str = "wprof.ndjson") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows = convert(path).table.select(COLUMNS).to_pylist()
    return sorted(rows, key=lambda row: [str(row[name]) for name in COLUMNS])


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_json_output_is_what_a_slow_reading_says(capture):
    result = convert(trace(capture))
    assert result.table.to_pylist() == slow_rows(text(capture), START_NS[capture])
    assert (result.capability.unparsed, result.capability.lost) == (0, 0)
    assert result.capability.events > 4000


@pytest.mark.parametrize("name", [PERFETTO, EXTRAS])
@pytest.mark.parametrize("capture", CAPTURES)
def test_the_perfetto_output_agrees_with_json(capture, name):
    assert rows_of(trace(capture, name)) == rows_of(trace(capture))
    record = convert(trace(capture, name)).capability
    assert record.unparsed == 0
    assert record.kinds == convert(trace(capture)).capability.kinds


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_ftrace_view_agrees_with_json(capture):
    data = np.frombuffer(text(capture, EXTRAS), dtype=np.uint8)
    faults, names = Faults(), Names()
    packets = read_packets(data, faults)
    bundles = read_bundles(data, packets, faults)
    start = START_NS[capture]

    def no_pids(tid):
        return np.full(len(tid), -1)

    switched, unknown = ftrace.switch_rows(data, bundles, names, no_pids, start, faults)
    wakings = ftrace.read_wakings(data, bundles, names, faults)
    assert faults.unparsed == 0
    expected = convert(trace(capture)).table
    # The first switch of each CPU does not say who went off.
    assert unknown == 4
    offs = {
        (int(t), int(c))
        for t, c, tid in zip(switched.time_ns, switched.cpu, switched.other_tid, strict=True)
        if tid == -1
    }
    kinds = [*("TaskScheduled", "CpuIdle", "TaskPreempted", "TaskSlept", "TaskCompleted")]
    wanted = []
    for row in expected.to_pylist():
        leaves = row["reason"] is not None
        if row["kind"] in kinds and not (leaves and (row["time_ns"], row["cpu"]) in offs):
            first = not leaves and (row["time_ns"], row["cpu"]) in offs
            other = -1 if first else row["other_tid"]
            wanted.append((row["time_ns"], row["cpu"], row["tid"], other, row["prev_state"]))
    state = switched.wide["prev_state"]
    given = [
        (int(t), int(c), int(tid), int(other), int(s) if known else None)
        for t, c, tid, other, s, known in zip(
            *(
                switched.time_ns,
                switched.cpu,
                switched.tid,
                switched.other_tid,
                state.values,
                state.known,
            ),
            strict=True,
        )
    ]
    assert sorted(given, key=str) == sorted(wanted, key=str)
    woken = [some.rows(no_pids, start) for some in wakings]
    table = expected.filter(pc.equal(expected["kind"], "TaskWoke")).to_pylist()
    assert sorted((r["time_ns"], r["cpu"], r["tid"], r["other_tid"]) for r in table) == sorted(
        (int(t), int(c), int(tid), int(by))
        for part in woken
        for t, c, tid, by in zip(part.time_ns, part.cpu, part.tid, part.other_tid, strict=True)
    )


def test_only_the_ftrace_view_says_which_cpu_a_waking_is_for():
    for name, says in ((JSON, False), (PERFETTO, False), (EXTRAS, True)):
        result = convert(trace("wprof-rusty", name))
        woken = result.table.filter(pc.equal(result.table["kind"], "TaskWoke"))
        assert woken["other_cpu"].null_count == (0 if says else woken.num_rows)
        assert ("other_cpu" in result.capability.fields["TaskWoke"]) is says


@pytest.mark.parametrize("capture", CAPTURES)
def test_as_many_rows_as_wprof_counts_records(capture):
    info = (FIXTURES / capture / "replay-info.stderr").read_text()
    count = {m[1]: int(m[2]) for m in re.finditer(r"(\w+) +[\d.]+MB \((\d+) records\)", info)}
    kinds = convert(trace(capture)).table["kind"].to_pylist()
    assert kinds.count("TaskScheduled") + kinds.count("CpuIdle") == count["switch"]
    assert kinds.count("TaskWoke") == count["waking"] + count["wakeup_new"]
    assert kinds.count("TaskForked") == count["fork"]


def test_a_trace_without_insertions_is_blind_to_them():
    blind = convert(trace("wprof-rusty")).capability
    assert not {"DsqInsert", "DsqInsertVtime"} & set(blind.kinds)
    assert any("no insertion into a dispatch queue beside 1947 switches" in n for n in blind.notes)
    seeing = convert(trace("wprof-legacykf")).capability
    assert {"DsqInsert", "DsqInsertVtime"} <= set(seeing.kinds)
    assert seeing.fields["DsqInsert"][-3:] == ["dsq_id", "probe", "seq"]
    assert any(n.startswith("749 moves between dispatch queues") for n in seeing.notes)
    assert any(n.startswith("1 waits in dispatch queues that began before") for n in seeing.notes)
    local = convert(trace("wprof-legacykf")).table["dsq_id"].drop_null().to_pylist()
    assert local.count((1 << 63) + 2) == 41
    assert "TaskYielded" not in seeing.kinds


def test_what_was_not_captured_is_not_measured(tmp_path):
    data = text("wprof-legacykf").replace(b'"capture_scx":true', b'"capture_scx":false', 1)
    data = data.replace(b'"capture_wakeup":true', b'"capture_wakeup":false', 1)
    lines = [n for n in data.splitlines(keepends=True) if not re.search(b'"t":"(wak|scx)', n)]
    record = convert(written(tmp_path, b"".join(lines))).capability
    assert not {"TaskWoke", "DsqInsert", "DsqInsertVtime"} & set(record.kinds)
    assert any("recorded without -f scx" in note for note in record.notes)


def test_what_wprof_says_it_lost_is_counted(tmp_path):
    path = tmp_path / JSON
    shutil.copy(trace("wprof-rusty"), path)
    assert any("no tracer.log lies beside" in n for n in convert(path).capability.notes)
    (tmp_path / "tracer.log").write_text(
        "Running...\n"
        "!!! Ringbuf fetch misses: 1\n"
        "!!! Drops (CPU #0): 20 (99.000% handled, 0.000% rescued, 1.000% dropped)\n"
        "!!! Drops (RB #0): 20 (99.000% handled, 0.000% rescued, 1.000% dropped)\n"
        "!!! Drops (TOTAL): 20 (99.000% handled, 0.000% rescued, 1.000% dropped)\n"
        "!!! Task state drops: 300\n"
        "!!! wprof_task_switch: 4000 recursion misses!\n"
        "!!! PMU counter 'cycles' was multiplexed by kernel (active 50.00%), values can be unreliable!\n"
    )
    record = convert(path).capability
    assert record.lost == 4321
    assert not any("tracer.log" in note for note in record.notes)


@pytest.mark.parametrize("version", ["2.0", "4.1", "33.1", ""])
def test_a_foreign_version_is_refused(tmp_path, version):
    data = text("wprof-rusty").replace(b'"version":"3.1"', b'"version":"%s"' % version.encode(), 1)
    path = written(tmp_path, data)
    with pytest.raises(
        ScxvalError, match=rf"wprof\.ndjson: of wprof's format {re.escape(version)}, and 3"
    ):
        convert(path)


def test_headers_that_are_none(tmp_path):
    header, _, rest = text("wprof-rusty").partition(b"\n")
    for bad in (
        b"",
        b"[1]",
        b"{",
        header[:-20],
        b'{"version":"3.1","dur":"x"}',
        header.replace(b"4.0", b"1e999"),
    ):
        with pytest.raises(ScxvalError, match=r"wprof\.ndjson"):
            convert(written(tmp_path, bad + b"\n" + rest))
    assert not recognises(rest[:4096])


def test_any_cut_keeps_what_came_before(tmp_path):
    data = text("wprof-legacykf")
    whole = {tuple(row.values()) for row in convert(trace("wprof-legacykf")).table.to_pylist()}
    shutil.copy(FIXTURES / "wprof-legacykf/wprof.data.gz", tmp_path)
    for size in (len(data) // 3, len(data) // 2, len(data) - 1, len(data) - 2):
        result = convert(written(tmp_path, data[:size]))
        cut_within = data[size - 1 : size] != b"\n"
        whole_line = data[size : size + 1] == b"\n"
        assert {tuple(row.values()) for row in result.table.to_pylist()} <= whole
        assert (CUT_NOTE in result.capability.notes) is (cut_within and not whole_line)
        assert result.capability.unparsed == (cut_within and not whole_line)
    packed = trace("wprof-legacykf").read_bytes()
    cut = convert(written(tmp_path, packed[: len(packed) // 2]))
    assert GZIP_CUT in cut.capability.notes
    assert 1000 < cut.table.num_rows < len(whole)


BAD_LINES = [
    b"",
    b"null",
    b"{}",
    b'{"ts":1.0}',
    b'{"t":"switch"}',
    b'{"ts":1.0,"t":"waking","waker":{"pid":0,"comm":"swapper/0"},"cpu":0}',
    b'{"ts":1.0,"t":"task_exit","task":{"tid":7,"pid":7,"comm":"x"},"cpu":40000}',
    b'{"ts":1.0,"t":"task_exit","task":{"tid":7,"pid":7,"comm":"x"},"cpu":-1}',
    b'{"ts":1.0,"t":"task_exit","task":{"tid":4294967296,"pid":7,"comm":"x"},"cpu":0}',
    b'{"ts":-1.0,"t":"task_exit","task":{"tid":7,"pid":7,"comm":"x"},"cpu":0}',
    b'{"ts":9e99,"t":"task_exit","task":{"tid":7,"pid":7,"comm":"x"},"cpu":0}',
    b'{"ts":1.0,"t":"task_exit","task":{"pid":7,"comm":"x"},"cpu":0}',
    b'{"ts":1.0,"t":"task_exit","task":{"tid":7,"pid":7,"comm":"x"},"cpu":0',
    b'{"ts":1.0,"t":"scx_dsq","task":{"tid":7,"pid":7,"comm":"x"},"cpu":0,'
    b'"insert_type":"dsq_insert","dsq_id":18446744073709551616}',
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_makes_no_sense_is_counted(tmp_path, line):
    lines = text("wprof-rusty").splitlines(keepends=True)
    shutil.copy(FIXTURES / "wprof-rusty/wprof.data.gz", tmp_path)
    result = convert(written(tmp_path, b"".join([*lines[:100], line, b"\n", *lines[100:]])))
    assert result.capability.unparsed == 1
    assert result.capability.examples == [f"line 101: {line.decode()}"]
    whole = convert(trace("wprof-rusty")).table
    columns = [name for name in whole.column_names if name != "seq"]
    assert result.table.select(columns).to_pylist() == whole.select(columns).to_pylist()


@pytest.mark.parametrize("kind", ["switch", "waking", "softirq", "scx_dsq"])
def test_a_lost_newline_loses_nothing_unseen(tmp_path, kind):
    lines = text("wprof-legacykf").splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if f'"t":"{kind}"'.encode() in line)
    lines[place] = lines[place].rstrip(b"\n")
    assert convert(written(tmp_path, b"".join(lines))).capability.unparsed == 1


def test_what_other_tools_make_of_the_json_reads_the_same(tmp_path):
    """Keys in another order, spaces, shorter numbers: as `jq -S` or Python write it."""
    header, *lines = text("wprof-legacykf").splitlines()
    again = [header.decode(), *(json.dumps(json.loads(n), sort_keys=True) for n in lines)]
    shutil.copy(FIXTURES / "wprof-legacykf/wprof.data.gz", tmp_path)
    path = written(tmp_path, "\n".join(again).encode())
    assert convert(path).table.to_pylist() == convert(trace("wprof-legacykf")).table.to_pylist()


@pytest.mark.parametrize(
    ("comm", "kept"),
    [
        ("a-name-longer-than-fifteen", "a-name-longer-t"),
        ('quo"te\\back', 'quo"te\\back'),
        ("tab\tend", "tab\tend"),
        ("é-ñ", "é-ñ"),
        ("{}[],:", "{}[],:"),
    ],
)
def test_names_are_the_kernels(tmp_path, comm, kept):
    header = text("wprof-rusty").split(b"\n")[0].decode()
    for as_ascii in (True, False):
        event = {
            "ts": 1.5,
            "t": "waking",
            "waker": {"pid": 0, "comm": "swapper/1"},
            "wakee": {"tid": 9, "pid": 8, "comm": comm},
            "cpu": 1,
        }
        told = json.dumps(event, ensure_ascii=as_ascii, separators=(",", ":"))
        table = convert(written(tmp_path, f"{header}\n{told}\n".encode())).table
        assert table.select(["time_ns", "tid", "pid", "comm", "other_tid"]).to_pylist() == [
            {"time_ns": 1_500_000_000, "tid": 9, "pid": 8, "comm": kept, "other_tid": 0}
        ]


def test_a_task_that_wprof_did_not_know_has_its_tid_only(tmp_path):
    header = text("wprof-rusty").split(b"\n")[0]
    line = (
        b'{"ts":1.0,"t":"waking","waker":{"tid":5,"pid":5,"comm":"x"},'
        b'"wakee":{"tid":77,"pid":0,"comm":"TID 77"},"cpu":0}'
    )
    (row,) = convert(written(tmp_path, header + b"\n" + line)).table.to_pylist()
    assert (row["tid"], row["pid"], row["comm"]) == (77, None, None)


def test_stack_traces_are_no_events_and_no_faults(tmp_path):
    header, _, rest = text("wprof-rusty").partition(b"\n")
    header = header.replace(b'"stack_cnt":0', b'"stack_cnt":2')
    stack = b'{"id":1,"frames":["[K] schedule+0x8e","{\\"t\\":\\"switch\\"}"]}\n'
    result = convert(written(tmp_path, header + b"\n" + stack * 2 + rest))
    assert result.capability.unparsed == 0
    assert result.table.num_rows == convert(trace("wprof-rusty")).table.num_rows
    more = convert(written(tmp_path, header + b"\n" + stack * 3 + rest))
    assert more.capability.unparsed == 1


def test_one_side_of_a_switch_is_kept_when_the_other_was_filtered_out():
    data = np.frombuffer(text("wprof-rusty", PERFETTO), dtype=np.uint8)
    faults, names = Faults(), Names()
    packets = read_packets(data, faults)
    events = read_events(data, packets, names, faults)
    # As with --no-idle: no slice on the tracks of idle CPUs.
    keep = (events.tid != 0) | (events.category != CATEGORIES.index("ONCPU"))
    shown = Events(**{name: values[keep] for name, values in vars(events).items()})
    groups = thread_groups(data, packets, faults)
    found = Converter(shown, groups, START_NS["wprof-rusty"]).convert([])
    assert found.one_sided > 0
    assert "switches show one side only" in " ".join(found.notes())
    reach = rows.reach(rows.Captured(), found.inserts)
    table = conclude("wprof", found.parts, names, rows.PROBES, reach, Losses()).table
    whole = convert(trace("wprof-rusty", PERFETTO)).table
    columns = ["time_ns", "cpu", "tid", "pid", "comm", "prev_state", "reason"]
    for kind in ("TaskScheduled", "TaskSlept", "TaskCompleted", "TaskPreempted", "TaskForked"):
        mine, all_ = (
            some.filter(pc.equal(some["kind"], kind)).select(columns).to_pylist()
            for some in (table, whole)
        )
        assert mine == all_, kind
    assert "CpuIdle" not in table["kind"].to_pylist()


def test_wprofs_files_are_told_from_others():
    for capture in CAPTURES:
        for name in (JSON, PERFETTO, EXTRAS):
            assert recognises(text(capture, name)[:4096])
        assert not recognises(text(capture, "wprof.data.gz")[:4096])
    for head in (b"", b"\n", b"{", b'{"traceEvents":[]}', b"\n\x00", b"PERFILE2"):
        assert not recognises(head)


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq")
def test_jq_agrees_on_the_number_of_switches():
    done = subprocess.run(
        ["jq", "-c", 'select(.t=="switch")'], input=text("wprof-rusty"), capture_output=True
    )
    kinds = convert(trace("wprof-rusty")).table["kind"].to_pylist()
    assert done.stdout.count(b"\n") == kinds.count("TaskScheduled") + kinds.count("CpuIdle")

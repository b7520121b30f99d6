# SPDX-License-Identifier: MIT
"""The bpftrace converter against a real trace, a slow second reading, and hostile texts."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import write_events
from scxval.formats.source import CUT_NOTE
from scxval.tracers.bpftrace import command
from scxval.tracers.bpftrace.convert import convert, convert_text, recognises
from scxval.tracers.bpftrace.probes import HEADER

from .reference import Reading

FIXTURE = Path(__file__).parents[2] / "fixtures/bpftrace-rusty"
TRACE = FIXTURE / "bpftrace.txt.gz"
COMPARED = [
    name for name in EVENT_SCHEMA.names if name not in ("pid", "comm", "reason")
]  # these depend on the whole trace and have their own tests


@cache
def fixture_text() -> bytes:
    return gzip.decompress(TRACE.read_bytes())


@cache
def fixture():
    return convert(TRACE)


@cache
def fixture_lines() -> list[bytes]:
    return fixture_text().splitlines()


def rows_of(result, names=COMPARED):
    return result.table.select(names).to_pylist()


def expected_rows(reading):
    return [{name: row.get(name) for name in COMPARED} for row in reading.rows]


def text_of(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def check_accounts(result, text):
    """Every line of the text is in exactly one count, and every record in rows or evidence."""
    lines = text.split(b"\n")
    total = len(lines) - (lines[-1] == b"")
    counts = result.lines
    assert sum(vars(counts).values()) == total
    assert result.rows + result.evidence + result.duplicates == counts.records
    assert result.capability.unparsed == counts.unparsed
    assert len(result.capability.examples) == min(5, counts.unparsed)
    assert result.capability.events == result.table.num_rows


# -- the real trace


def test_fixture_equals_slow_reading():
    reading = Reading(fixture_text())
    assert reading.unparsed == 0
    assert rows_of(fixture()) == expected_rows(reading)
    check_accounts(fixture(), fixture_text())


def test_fixture_counts_by_word():
    """Counted by nothing but words in lines."""
    words = Counter(line.split()[2] for line in fixture_lines() if line.count(b" ") > 1)
    kinds = Counter(row["kind"] for row in rows_of(fixture(), ["kind"]))
    for record, kind in (
        (b"task_tick_scx", "Tick"),
        (b"pick_task_scx", "PickTask"),
        (b"select_task_rq_scx", "SelectTaskRq"),
        (b"scx_bpf_dsq_insert___v2", "DsqInsert"),
        (b"__scx_bpf_dsq_insert_vtime", "DsqInsertVtime"),
        (b"scx_bpf_dsq_move_to_local___v2", "DsqMoveToLocal"),
        (b"scx_bpf_kick_cpu", "KickCpu"),
        (b"sched_migrate_task", "TaskMigrated"),
        (b"sched_process_exit", "TaskCompleted"),
    ):
        assert words[record] == kinds[kind] > 0, kind
    wakes = words[b"sched_waking"] + words[b"sched_wakeup"] + words[b"sched_wakeup_new"]
    assert wakes == kinds["TaskWoke"]
    switches = [line for line in fixture_lines() if b" sched_switch " in line]
    assert kinds["CpuIdle"] == sum(b" next_pid=0 " in line for line in switches)
    assert kinds["TaskScheduled"] == len(switches) - kinds["CpuIdle"]
    leaving = [line for line in switches if b" prev_pid=0 " not in line]
    states = Counter(re.search(rb"prev_state=(\S+)", line)[1] for line in leaving)
    assert kinds["TaskSlept"] == states[b"0x1"] + states[b"0x2"] + states[b"0x80"]
    assert kinds["TaskCompleted"] == states[b"0x10"] + states[b"0x20"]
    assert kinds["TaskPreempted"] + kinds["TaskYielded"] == states[b"0x100"] + states[b"0x0"]
    assert kinds["TaskYielded"] > 0


def test_fixture_capability():
    record = fixture().capability
    assert (record.lost, record.unparsed) == (0, 0)
    assert record.window_ns == (20172573207, 24110801517)
    assert {"TaskYielded", "DsqInsert", "KickCpu"} <= set(record.kinds)
    assert "Balance" not in record.kinds
    assert "success" in record.fields["DsqMoveToLocal"]
    assert "success" not in record.fields["PickTask"], "this script had no return probe there"
    assert "other_cpu" in record.fields["SelectTaskRq"]
    assert any("trace.bt" in note for note in record.notes)


def test_columns_hold_nothing_that_the_capability_does_not_list():
    record = fixture().capability
    for row in fixture().table.to_pylist():
        filled = {name for name, value in row.items() if value is not None}
        assert filled <= set(record.fields[row["kind"]]), row


def test_fixture_dsq_ids_are_unsigned():
    ids = set(fixture().table["dsq_id"].to_pylist())
    assert 0x8000000000000002 in ids


def test_fixture_names():
    """A name that a record lacks is the last one that the trace printed for that tid."""
    table = fixture().table.to_pylist()
    assert not [row for row in table if row["tid"] is not None and row["comm"] is None]
    exits = [r for r in Reading(fixture_text()).records if r.name == "sched_process_exit"]
    known: dict[int, str] = {}
    checked = 0
    for row in table:
        # An exec just before the exit shows in the exit record first.
        while exits and (exits[0].time, 2 * exits[0].line) < (row["time_ns"], row["seq"]):
            gone = exits.pop(0).f
            known[gone["pid"]] = gone["comm"]
        if row["probe"] in ("sched_waking", "sched_wakeup", "sched_wakeup_new", "sched_switch"):
            known[row["tid"]] = row["comm"]
        elif row["tid"] and row["kind"] != "TaskForked" and row["tid"] in known:
            assert row["comm"] == known[row["tid"]]
            checked += 1
    assert checked > 10_000


def test_fixture_reasons():
    """State 0 without a yield is a preemption here, because this trace sees yields."""
    slow = [row.get("reason") for row in Reading(fixture_text()).rows]
    kinds = [row["kind"] for row in rows_of(fixture(), ["kind"])]
    wanted = [
        "preempt" if kind == "TaskPreempted" else reason
        for kind, reason in zip(kinds, slow, strict=True)
    ]
    assert [row["reason"] for row in rows_of(fixture(), ["reason"])] == wanted


def test_two_conversions_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        result = convert(TRACE)
        write_events(result.table, tmp_path / f"{name}.parquet")
        result.capability.write(tmp_path / f"{name}.json")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_plain_file_equals_gz(tmp_path):
    plain = tmp_path / "bpftrace.txt"
    plain.write_bytes(fixture_text())
    assert convert(plain).table.equals(fixture().table)


# -- meaning


def one(text: bytes, kind: str):
    rows = [row for row in convert_text(text).table.to_pylist() if row["kind"] == kind]
    assert len(rows) == 1
    return rows[0]


def switch(time, prev, state, after, cpu=0, tgid=None, names=("a", "b")):
    pid = "" if tgid is None else f"prev_tgid={tgid} "
    between = '" next_comm="' if tgid is None else '" and next_comm="'
    return (
        f"{time} {cpu} sched_switch prev_pid={prev} prev_prio=120 prev_state={state:#x} "
        f'next_pid={after} next_prio=120 {pid}prev_comm="{names[0]}{between}{names[1]}"'
    )


YIELD = "{} 0 yield_task_scx by={} rq_cpu=0"
PICK = "{} 0 pick_task_scx by={} rq_cpu=0"


@pytest.mark.parametrize(
    ("lines", "kind", "reason"),
    [
        ([YIELD.format(2, 5), PICK.format(3, 5)], "TaskYielded", "yield"),
        ([YIELD.format(2, 5)], "TaskYielded", "yield"),
        # The task was kept by the pick of its yield; a later pick took it off.
        ([YIELD.format(2, 5), PICK.format(3, 5), PICK.format(4, 5)], "TaskPreempted", "preempt"),
        ([YIELD.format(2, 6)], "TaskPreempted", "preempt"),
        ([YIELD.format(2, 5).replace("rq_cpu=0", "rq_cpu=1")], "TaskPreempted", "preempt"),
        ([YIELD.format(0, 5)], "TaskPreempted", "preempt"),
        ([], "TaskPreempted", "unknown"),
        (["2 0 yield_task_fair by=5 rq_cpu=0"], "TaskYielded", "yield"),
    ],
)
def test_yield_needs_proof(lines, kind, reason):
    row = one(text_of(switch(1, 0, 0, 5), *lines, switch(9, 5, 0, 0)), kind)
    assert (row["tid"], row["reason"], row["other_tid"]) == (5, reason, 0)


def test_yield_probe_of_the_fair_class_alone_sees_yields():
    text = text_of(
        HEADER, "# probe tracepoint:sched:sched_switch", "# probe kprobe:yield_task_fair"
    )
    result = convert_text(text + text_of(switch(1, 5, 0, 0)))
    assert "TaskYielded" in result.capability.kinds
    assert rows_of(result, ["reason"])[0]["reason"] == "preempt"


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        (0x1, "TaskSlept", "sleep"),
        (0x80, "TaskSlept", "sleep"),
        (0x40, "TaskSlept", "sleep"),
        (0x10, "TaskCompleted", "exit"),
        (0x20, "TaskCompleted", "exit"),
        (0x100, "TaskPreempted", "preempt"),
        (0x200, "TaskSlept", "unknown"),
    ],
)
def test_states(state, kind, reason):
    row = one(text_of(switch(1, 5, state, 6)), kind)
    assert (row["reason"], row["prev_state"], row["comm"]) == (reason, state, "a")


def test_switch_rows_share_time_and_come_out_before_in():
    rows = convert_text(text_of("", switch(7, 5, 1, 6, cpu=3, tgid=4))).table.to_pylist()
    assert [(r["kind"], r["tid"], r["pid"], r["seq"]) for r in rows] == [
        ("TaskSlept", 5, 4, 2),
        ("TaskScheduled", 6, None, 3),
    ]
    assert {(r["time_ns"], r["cpu"]) for r in rows} == {(7, 3)}


def test_unsigned_64_bit_values():
    big = 2**64 - 1
    line = (
        f"1 0 __scx_bpf_dsq_insert_vtime by=1 pid=2 dsq={big:#x} slice={big} "
        f"vtime={big - 1} enq_flags={1 << 63:#x}"
    )
    row = one(text_of(line), "DsqInsertVtime")
    assert (row["dsq_id"], row["slice_ns"], row["vtime"]) == (big, big, big - 1)
    assert row["flags"] == 1 << 63


def test_pick_with_its_return():
    text = text_of(
        PICK.format(1, 5),
        "2 0 pick_task_scx_ret by=5 pid=9 ret=1",
        PICK.format(3, 5),
        "4 0 pick_task_scx_ret by=5 pid=-1 ret=0",
        PICK.format(5, 5),
    )
    rows = convert_text(text).table.to_pylist()
    assert [(r["tid"], r["success"]) for r in rows] == [(9, True), (None, False), (None, None)]


def test_return_of_another_task_or_cpu_is_not_taken():
    entry = "1 0 select_task_rq_scx by=5 pid=6 prev_cpu=0 wake_flags=0x8"
    for back in (
        "2 1 select_task_rq_scx_ret by=5 ret_cpu=3",
        "2 0 select_task_rq_scx_ret by=7 ret_cpu=3",
    ):
        result = convert_text(text_of(entry, back))
        assert rows_of(result, ["other_cpu"]) == [{"other_cpu": None}]
        assert any("1 returns had no entry" in note for note in result.capability.notes)


def test_two_names_of_one_insert_count_once():
    tail = "by=1 pid=2 dsq=0x0 slice=1 enq_flags=0x0"
    new = f"2 0 scx_bpf_dsq_insert___v2 {tail}"
    old = f"1 0 scx_bpf_dsq_insert {tail}"
    both = convert_text(text_of(old, new))
    assert [row["probe"] for row in both.table.to_pylist()] == ["scx_bpf_dsq_insert___v2"]
    assert both.duplicates == 1
    assert any("scx_bpf_dsq_insert left out" in note for note in both.capability.notes)
    alone = convert_text(text_of(old))
    assert [row["probe"] for row in alone.table.to_pylist()] == ["scx_bpf_dsq_insert"]


def test_a_fork_separates_the_lives_of_a_tid():
    text = text_of(
        switch(1, 5, 0x20, 0, tgid=5, names=("old", "swapper/0")),
        "2 0 sched_process_fork pid=1 child_pid=5",
        "3 0 task_tick_scx rq_cpu=0 pid=5 slice=1",
        switch(4, 5, 1, 0, tgid=1, names=("new", "swapper/0")),
        "5 0 task_tick_scx rq_cpu=0 pid=5 slice=1",
    )
    rows = [r for r in convert_text(text).table.to_pylist() if r["tid"] == 5]
    assert [(r["comm"], r["pid"]) for r in rows] == [("old", 5)] + [("new", 1)] * 4


# -- what the trace could see


def test_header_decides_the_kinds():
    script = command({}, frozenset({"pick_task_scx", "yield_task_scx", "scx_bpf_kick_cpu"}))
    header = re.search(r'BEGIN \{ printf\("(.*?)%llu', script.files["trace.bt"])[1]
    text = header.replace("\\n", "\n").encode() + text_of("1 0 BEGIN", PICK.format(2, 5), "9 0 END")
    result = convert_text(text)
    kinds = result.capability.kinds
    assert {"KickCpu", "PickTask", "TaskYielded", "TaskScheduled"} <= set(kinds)
    assert "DsqInsert" not in kinds
    assert result.capability.notes == []
    assert "success" in result.capability.fields["PickTask"]
    check_accounts(result, text)


def test_sched_ext_probes_that_nothing_reached_are_not_zero():
    text = text_of(
        HEADER,
        *(f"# probe {p}" for p in ("tracepoint:sched:sched_switch", "kprobe:pick_task_scx")),
        "# probe kprobe:yield_task_scx",
        switch(1, 5, 0, 6),
        "2 0 END",
    )
    record = convert_text(text).capability
    assert not {"PickTask", "TaskYielded"} & set(record.kinds)
    assert any("no sched_ext probe" in note for note in record.notes)


def test_frequency_is_measured_only_where_it_changed():
    """The tracepoint is in every kernel; in a guest nothing ever fires it."""
    header = text_of(HEADER, "# probe tracepoint:power:cpu_frequency")
    silent = convert_text(header + text_of("1 0 BEGIN", "9 0 END"))
    assert silent.capability.kinds == []
    result = convert_text(header + text_of(FREQUENCY.format(5, 2_400_000)))
    row = one(text_of(FREQUENCY.format(5, 2_400_000)), "CpuFrequency")
    assert (row["cpu"], row["other_cpu"], row["flags"], row["tid"]) == (1, 3, 2_400_000, None)
    assert result.capability.fields["CpuFrequency"] == [
        *("time_ns", "cpu", "kind", "other_tid", "other_cpu", "flags", "probe", "seq")
    ]


def test_without_any_list_only_observed_kinds_count():
    record = convert_text(text_of(PICK.format(1, 5))).capability
    assert record.kinds == ["PickTask"]
    assert any("no list of probes" in note for note in record.notes)


def test_lost_events_in_text_and_log_add_up(tmp_path):
    (tmp_path / "bpftrace.txt").write_bytes(text_of("Lost 3 events", PICK.format(1, 5), "9 0 END"))
    (tmp_path / "tracer.log").write_text("Attached 1 probe\nLost 4 events\nLost 5 events\n")
    assert convert(tmp_path / "bpftrace.txt").capability.lost == 12


# -- hostile texts


def test_last_line_without_newline_is_never_a_record():
    """It may be cut inside a number: here 12 of 123."""
    whole = text_of("1 0 task_tick_scx rq_cpu=0 pid=5 slice=123")
    result = convert_text(whole[:-2])
    assert (result.table.num_rows, result.capability.unparsed) == (0, 1)
    assert any("no END" in note for note in result.capability.notes)


@pytest.mark.parametrize("name", ["a b c", 'x"y', '"', "", "žluťoučký", "\\n", "a=b pid=3"])
def test_strange_names_are_kept(name):
    woke = f'1 0 sched_waking by=1 pid=2 prio=120 target_cpu=0 comm="{name}"'
    assert one(text_of(woke), "TaskWoke")["comm"] == name
    for tgid in (None, 5):
        text = text_of(switch(1, 5, 1, 6, tgid=tgid, names=(name, name)))
        assert one(text, "TaskSlept")["comm"] == name
        assert one(text, "TaskScheduled")["comm"] == name


def test_name_that_is_not_utf8():
    raw = b'1 0 sched_waking by=1 pid=2 prio=120 target_cpu=0 comm="\xff\xfe"\n'
    assert one(raw, "TaskWoke")["comm"] == "\ufffd\ufffd"


def test_name_that_imitates_the_older_record_costs_the_name_only():
    evil = 'a" next_comm="b'
    assert len(evil) == 15
    text = text_of(switch(1, 5, 1, 6, names=(evil, "c")))
    result = convert_text(text)
    assert [(r["tid"], r["comm"]) for r in result.table.to_pylist()] == [(5, None), (6, None)]
    assert any("imitates" in note for note in result.capability.notes)
    helped = convert_text(
        text + text_of('2 0 sched_waking by=0 pid=5 prio=1 target_cpu=0 comm="seen"')
    )
    assert helped.table.to_pylist()[0]["comm"] == "seen"


@settings(deadline=None)
@given(
    st.text(alphabet='" andext_com=x', max_size=15), st.text(alphabet='" andext_com=x', max_size=15)
)
def test_names_in_the_present_record_are_never_ambiguous(first, second):
    text = text_of(switch(1, 5, 1, 6, tgid=5, names=(first, second)))
    assert one(text, "TaskSlept")["comm"] == first
    assert one(text, "TaskScheduled")["comm"] == second


def test_newline_in_a_name_is_counted():
    text = text_of('1 0 sched_waking by=1 pid=2 prio=120 target_cpu=0 comm="a\nb"')
    result = convert_text(text)
    assert (result.table.num_rows, result.capability.unparsed) == (0, 2)
    assert result.capability.examples[1] == 'b"'


@pytest.mark.parametrize(
    "line",
    [
        "1 0 task_tick_scx rq_cpu=0 pid=5 slice=18446744073709551616",
        "1 0 task_tick_scx rq_cpu=0 pid=2147483648 slice=1",
        "1 0 task_tick_scx rq_cpu=32768 pid=5 slice=1",
        "1 32768 task_tick_scx rq_cpu=0 pid=5 slice=1",
        "9223372036854775808 0 task_tick_scx rq_cpu=0 pid=5 slice=1",
        "1 0 task_tick_scx rq_cpu=0 pid=5 slice=-1",
        "1 0 task_tick_scx rq_cpu=0 pid=5 slice=",
        "1 0 task_tick_scx rq_cpu=0 pid=5 slice=1 ",
        "1 0 task_tick_scx rq_cpu=0 pid=5",
        "1 0 task_tick_scx pid=5 rq_cpu=0 slice=1",
        "1  0 task_tick_scx rq_cpu=0 pid=5 slice=1",
        "1 0 task_tick_scx",
        "1 0",
        "1",
        "1 0 some_new_probe pid=5",
        "1 0 BEGIN again",
        '1 0 sched_waking by=1 pid=2 prio=120 target_cpu=0 comm="sixteen bytes ok"',
        '1 0 sched_waking by=1 pid=2 prio=120 target_cpu=0 comm="',
        "# scxval bpftrace 2",
        "Lost many events",
    ],
)
def test_bad_lines_are_counted_with_an_example(line):
    result = convert_text(text_of(line))
    assert result.table.num_rows == 0
    assert result.capability.unparsed == 1
    assert result.capability.examples == [line]


def test_empty_text():
    result = convert_text(b"")
    assert result.table.num_rows == 0
    assert result.capability.window_ns is None


FREQUENCY = "{} 1 cpu_frequency by=0 on_cpu=3 khz={}"
LINES = st.one_of(
    st.sampled_from(range(len(fixture_lines()))).map(lambda n: fixture_lines()[n]),
    st.builds(lambda *n: FREQUENCY.format(*n).encode(), st.integers(0, 9), st.integers(0, 2**32)),
)
MUTATED = st.builds(
    lambda line, at, byte: line[: at % (len(line) + 1)] + byte + line[at % (len(line) + 1) + 1 :],
    LINES,
    st.integers(min_value=0, max_value=200),
    st.one_of(st.binary(max_size=2), st.sampled_from([b"0", b"9", b" ", b'"', b"=", b"-"])),
)
EXTRA = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"Lost 5 events", HEADER.encode(), b"# probe kprobe:pick_task_scx"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(LINES, MUTATED, EXTRA), max_size=40), st.booleans())
def test_any_text_is_accounted_for_and_read_as_slowly(lines, whole):
    text = b"\n".join(lines) + (b"\n" if whole else b"")
    result = convert_text(text)
    check_accounts(result, text)
    reading = Reading(text)
    assert rows_of(result) == expected_rows(reading)
    assert result.capability.unparsed == reading.unparsed
    assert result.capability.lost == reading.lost
    assert result.lines.records + result.lines.markers == len(reading.records)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(LINES, MUTATED, EXTRA), max_size=40), st.integers(1, 500))
def test_pieces_of_any_size_are_read_as_the_whole(lines, piece_bytes):
    """Yields, returns and names reach across pieces."""
    text = b"\n".join(lines)
    whole, pieces = convert_text(text), convert_text(text, piece_bytes=piece_bytes)
    assert pieces.table.to_pylist() == whole.table.to_pylist()
    assert replace(pieces, table=None) == replace(whole, table=None)


def test_the_fixture_in_pieces():
    pieces = convert_text(fixture_text(), (FIXTURE / "trace.bt").read_text(), "", 10_000)
    assert rows_of(pieces, EVENT_SCHEMA.names) == rows_of(fixture(), EVENT_SCHEMA.names)
    assert pieces.capability == fixture().capability


@settings(max_examples=60, deadline=None)
@given(
    st.integers(min_value=0, max_value=len(fixture_lines()) - 400), st.integers(1, 400), st.data()
)
def test_real_windows_in_any_order_give_the_same_events(first, size, data):
    lines = fixture_lines()[first : first + size]
    in_order = convert_text(b"\n".join(lines) + b"\n")
    shuffled = convert_text(b"\n".join(data.draw(st.permutations(lines))) + b"\n")
    names = ["time_ns", "cpu", "kind", "tid", "comm", "other_tid", "other_cpu", "success"]
    stamps = Counter(line.split()[0] for line in lines if line)
    if max(stamps.values(), default=0) == 1:
        assert rows_of(in_order, names) == rows_of(shuffled, names)
    assert in_order.table.num_rows == shuffled.table.num_rows


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=200_000))
def test_any_cut_is_read_up_to_its_last_whole_line(size):
    text = fixture_text()[:size]
    result = convert_text(text)
    check_accounts(result, text)
    cut = bool(text) and not text.endswith(b"\n")
    assert result.capability.unparsed == cut


def test_truncated_gz_keeps_what_came_before(tmp_path):
    path = tmp_path / "bpftrace.txt.gz"
    path.write_bytes(TRACE.read_bytes()[:100_000])
    cut = convert(path)
    assert cut.capability.notes[0] == CUT_NOTE
    assert cut.capability.events > 1000
    whole = convert(TRACE).table["time_ns"][: cut.capability.events]
    assert cut.table["time_ns"].equals(whole)


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(ScxvalError, match="cannot read trace"):
        convert(tmp_path / "missing.txt")


def test_recognises_its_own_text_only():
    assert recognises(fixture_text()[:4096])
    assert recognises(text_of(HEADER))
    for other in (b"", b"PERFILE2", b"\0\1", b"# tracer: nop\n", b"1 2 3\n"):
        assert not recognises(other)

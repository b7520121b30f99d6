# SPDX-License-Identifier: MIT
"""The simulator's three formats against the records they were written from, and against each other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scxval.cli import main
from scxval.errors import ScxvalError
from scxval.events.capability import VIRTUAL_CLOCK, read_capability
from scxval.events.schema import SWITCH_OUT_KINDS, TraceKind
from scxval.formats.conversion import Conversion
from scxval.formats.scxsim import chrome as chrome_reader
from scxval.formats.scxsim import jsonl as jsonl_reader
from scxval.formats.scxsim import perfetto as perfetto_reader
from scxval.formats.scxsim.convert import convert, recognises
from tests.captures import claims
from tests.simulate.scxsim.exports import CALLS, chrome, jsonl, perfetto
from tests.simulate.scxsim.scenario import Record, scenario

TASKS = ["alpha", "beta", "gamma"]
REASONS = {
    "TaskPreempted": "preempt",
    "TaskYielded": "yield",
    "TaskSlept": "sleep",
    "TaskCompleted": "exit",
}
COLUMNS = [
    *("time_ns", "cpu", "kind", "tid", "pid", "comm", "other_tid", "other_cpu"),
    *("dsq_id", "slice_ns", "vtime", "flags", "reason", "success"),
]


def expected(record: Record, tasks: list[str]) -> tuple[object, ...]:
    """A record as a row, by what docs/simulate.md says."""
    args = record.args
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {"time_ns": record.time_ns, "cpu": record.cpu, "kind": record.kind}
    row["tid"] = args.get("pid")
    row["comm"] = tasks[args["pid"] - 1] if "pid" in args else None
    row["reason"] = REASONS.get(record.kind)
    if record.kind == "CpuIdle":
        row |= {"tid": 0, "pid": 0, "comm": f"swapper/{record.cpu}"}
    row["other_tid"] = args.get("prev_pid")
    row["other_cpu"] = args.get("selected_cpu", args.get("target_cpu", args.get("cpu")))
    row |= {"dsq_id": args.get("dsq_id"), "slice_ns": args.get("slice")}
    row |= {"vtime": args.get("vtime"), "flags": args.get("enq_flags")}
    row["success"] = args.get("success")
    return tuple(row[name] for name in COLUMNS)


def rows_of(made: Conversion) -> list[tuple[object, ...]]:
    return list(zip(*(made.table[name].to_pylist() for name in COLUMNS), strict=True))


def in_order(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda r: (r.time_ns, r.cpu))


def converted(data: bytes, path: Path) -> Conversion:
    path.write_bytes(data)
    return convert(path)


runs = st.builds(
    lambda seed, cpus, count, duration: (
        scenario([f"t{n}" for n in range(count)], cpus, duration, seed),
        [f"t{n}" for n in range(count)],
        cpus,
    ),
    st.integers(0, 1 << 32),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(5_000, 3_000_000_000),
)
again = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@again
@given(run=runs)
def test_every_record_is_a_row_of_the_perfetto_format(tmp_path, run):
    records, tasks, cpus = run
    made = converted(perfetto(records, tasks, cpus), tmp_path / "t")
    assert rows_of(made) == [expected(r, tasks) for r in in_order(records)]
    assert (made.capability.unparsed, made.capability.lost) == (0, 0)
    assert made.capability.source == "scxsim-perfetto"
    assert made.capability.clock == VIRTUAL_CLOCK


@again
@given(run=runs)
def test_chrome_json_is_the_same_in_microseconds(tmp_path, run):
    records, tasks, cpus = run
    made = converted(chrome(records, tasks, cpus), tmp_path / "t")
    short = [Record(r.time_ns // 1000 * 1000, r.cpu, r.kind, r.args) for r in records]
    # A task that only ever woke or ran gives its name to its other rows.
    named = {r.args["pid"] for r in records if r.kind in ("TaskScheduled", "TaskWoke")}
    known = [name if pid in named else None for pid, name in enumerate(tasks, 1)]
    assert rows_of(made) == [expected(r, known) for r in in_order(short)]
    assert made.capability.unparsed == 0
    assert any("microseconds" in note for note in made.capability.notes)


@again
@given(run=runs)
def test_the_jsonl_is_its_part_of_the_perfetto_format(tmp_path, run):
    records, tasks, cpus = run
    whole = converted(perfetto(records, tasks, cpus), tmp_path / "p")
    calls = converted(jsonl(records), tmp_path / "j")
    comm = COLUMNS.index("comm")
    nameless = [(*r[:comm], None, *r[comm + 1 :]) for r in rows_of(whole) if r[2] in CALLS]
    assert rows_of(calls) == nameless
    assert calls.capability.unparsed == 0
    assert not set(calls.capability.kinds) & {TraceKind.TASK_SCHEDULED, TraceKind.TASK_WOKE}


RUN = scenario(TASKS, 2, 1_000_000, 7)
FILES = {"perfetto": perfetto(RUN, TASKS, 2), "chrome": chrome(RUN, TASKS, 2), "jsonl": jsonl(RUN)}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_scxval_convert_takes_each_format_by_its_content(tmp_path, capsys, name, packed):
    path = tmp_path / "some.trace"
    path.write_bytes(gzip.compress(FILES[name]) if packed else FILES[name])
    assert claims(path) == ["scxsim"]
    assert main(["convert", str(path), "-o", str(tmp_path / "out")]) == 0
    assert "0 records not understood" in capsys.readouterr().out
    assert read_capability(tmp_path / "out/capability.json").clock == VIRTUAL_CLOCK


def test_kinds_of_its_own_are_kept_by_name(tmp_path):
    more = [*RUN, Record(5, 0, "brand_new_thing", {"pid": 1}), Record(6, 1, "Runnable", {"pid": 2})]
    for data in (perfetto(more, TASKS, 2), chrome(more, TASKS, 2)):
        made = converted(data, tmp_path / "t")
        found = [row for row in rows_of(made) if row[2] == "brand_new_thing"]
        assert [row[3] for row in found] == [1]
        assert {"brand_new_thing", "Runnable"} <= set(made.capability.kinds)
        assert any("brand_new_thing" in note for note in made.capability.notes)


def test_every_slice_is_closed_as_the_trace_says(tmp_path):
    made = converted(FILES["perfetto"], tmp_path / "t")
    kinds = made.table["kind"].to_pylist()
    assert kinds.count("TaskScheduled") == sum(k in SWITCH_OUT_KINDS for k in kinds)
    assert kinds.count("SimulationEnd") == 2


def other_json(**changed):
    first = {"ph": "M", "pid": 4711, "name": "process_name", "args": {"name": "CPU 0"}, **changed}
    second = {"ph": "M", "pid": 0, "name": "thread_name", "args": {"name": "running"}}
    return json.dumps({"traceEvents": [first, second]}).encode()


def test_files_of_other_tools_are_not_claimed():
    live = b'{"ts_ns":83412345678901,"cpu":1,"pid":7,"kind":"structop","name":"enqueue",'
    live += b'"phase":"entry","args":{"task_pid":9},"ret":null}\n'
    other = FILES["perfetto"].replace(b"scxsim", b"wprofX", 1)
    for head in (b"", b"{", live, other, other_json(), other_json(pid="x"), b'{"traceEvents":[]}'):
        assert not recognises(head)
    assert not recognises(b'{"traceEvents": [' + b"[" * 5000)
    assert recognises(other_json(pid=0))


def test_what_is_no_trace_is_refused(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b'{"a": 1}')
    with pytest.raises(ScxvalError, match="no list of traceEvents"):
        chrome_reader.convert(path)
    path.write_bytes(b"\n\xff\xff")
    with pytest.raises(ScxvalError, match="no packet"):
        perfetto_reader.convert(path)
    path.write_bytes(b"{}\n" * 3)
    with pytest.raises(ScxvalError, match="no call"):
        jsonl_reader.convert(path)
    path.write_bytes(b"text")
    with pytest.raises(ScxvalError, match="none of scxsim's formats"):
        convert(path)


def test_damage_costs_what_it_hits(tmp_path):
    broken = FILES["chrome"].replace(b'"name":"tick"', b'"name":tick', 1)
    made = converted(broken, tmp_path / "t")
    assert made.table.num_rows == len(RUN) - 1
    assert made.capability.unparsed == 1
    lines = FILES["jsonl"].split(b"\n")
    whole = converted(FILES["jsonl"], tmp_path / "t")
    cut = b"\n".join([*lines[:5], lines[5][:20]])
    made = converted(cut, tmp_path / "t")
    assert made.table.num_rows < whole.table.num_rows
    assert made.capability.unparsed == 1
    assert jsonl_reader.CUT_NOTE in made.capability.notes
    # An exit that does not follow its entry completes nothing.
    stray = next(k for k, line in enumerate(lines) if b'"exit"' in line)
    made = converted(b"\n".join(lines[: stray - 1] + lines[stray:]), tmp_path / "t")
    assert made.capability.unparsed == 1


def test_more_kinds_than_a_table_can_name_are_counted(tmp_path):
    many = [Record(n, 0, f"kind_{n}", {"pid": 1}) for n in range(200)]
    for data in (perfetto(many, TASKS, 1), chrome(many, TASKS, 1)):
        made = converted(data, tmp_path / "t")
        assert made.table.num_rows + made.capability.unparsed == 200
        assert 0 < made.capability.unparsed < 120
        assert all(len(note) <= 1000 for note in made.capability.notes)


FIXTURES = Path(__file__).parents[2] / "fixtures/scxsim-standin"


def test_the_fixtures_are_what_the_exports_write():
    """They stand in for captures in the tests of recognition and of mutants."""
    records = scenario(TASKS, 3, 1_000_000_000, 1)
    made = {"scxsim.pftrace": perfetto(records, TASKS, 3), "scxsim.json": chrome(records, TASKS, 3)}
    made["structops.jsonl"] = jsonl(records)
    for name, data in made.items():
        assert (FIXTURES / name).read_bytes() == data

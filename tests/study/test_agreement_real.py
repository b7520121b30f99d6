# SPDX-License-Identifier: MIT
"""A real capture against itself and against copies with one known fault: each must be found and named."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scxval.catalog.config import Agreement, agreement_limits
from scxval.events.table import empty_table, sorted_table, write_events
from scxval.study.agreement import compare, main
from scxval.study.agreement_rows import Source, read_source
from scxval.study.agreement_table import PAIR_SCHEMA

from .readings import TRACE, captured, copy, moved, places_of, with_column, without

MIDDLE = slice(2000, -2000)


@pytest.fixture(scope="module")
def first() -> Source:
    return captured()


@pytest.fixture(scope="module")
def limits() -> Agreement:
    return agreement_limits({})


def parts(record: dict[str, Any]) -> dict[str, str]:
    return {name: part["verdict"] for name, part in record["parts"].items()}


def of_class(record: dict[str, Any], what: str) -> dict[str, Any]:
    return next(some for some in record["classes"] if some["what"] == what)


def test_a_reading_agrees_with_itself_in_everything(first: Source, limits: Agreement) -> None:
    record, pairs = compare(first, copy(first), limits)
    assert record["verdict"] == "agree", record["reason"]
    assert set(parts(record).values()) == {"agree"}
    assert record["first_disagreement"] is None
    assert record["not_compared"] == []
    assert sum(some["matched"] for some in record["classes"]) == len(first.table) == len(pairs)
    assert record["residual_ns"] == {"median": 0, "p1": 0, "p99": 0, "max_abs": 0}
    assert pairs.schema.equals(PAIR_SCHEMA)
    assert pairs["seq_a"].to_pylist() == pairs["seq_b"].to_pylist()


def test_counts_are_those_of_the_trace_text(first: Source, limits: Agreement) -> None:
    """Read line by line, without the converter."""
    text = gzip.decompress(TRACE.read_bytes()).decode()
    switches = re.findall(r"^\d+ (\d+) sched_switch .*? next_pid=(\d+) ", text, re.MULTILINE)
    wakings = re.findall(r"^\d+ \d+ sched_waking by=\d+ pid=(\d+) ", text, re.MULTILINE)
    gone = places_of(first, "TaskScheduled")[:40]
    record, _ = compare(first, without(first, gone), limits)
    by_cpu = {str(some["cpu"]): some["a"] for some in record["switch_ins"]["by_cpu"]}
    assert by_cpu == Counter(cpu for cpu, _ in switches)
    ran = Counter(tid for _, tid in switches if tid != "0")
    assert record["switch_ins"]["by_task"]["tasks"] == len(ran)
    for some in record["switch_ins"]["by_task"]["most"]:
        assert some["a"] == ran[str(some["tid"])]
    assert of_class(record, "TaskWoke waking")["rows_a"] == len(wakings)


def test_dropped_rows_are_found_one_by_one(first: Source, limits: Agreement) -> None:
    random = np.random.default_rng(5)
    gone = np.sort(random.choice(np.arange(len(first.table))[MIDDLE], 300, replace=False))
    record, pairs = compare(first, without(first, gone), limits)
    assert (record["verdict"], parts(record)["pairs"]) == ("disagree", "disagree")
    only_a = pairs.filter(pa.compute.is_null(pairs["time_b_ns"]))
    assert only_a["seq_a"].to_pylist() == first.table["seq"].take(gone).to_pylist()
    assert sum(some["only_a"] for some in record["classes"]) == 300
    assert sum(some["only_b"] for some in record["classes"]) == 0
    assert record["residual_ns"]["max_abs"] == 0
    found = record["first_disagreement"]
    assert found["what"] == "only_a"
    assert found["a"]["seq"] == first.table["seq"][int(gone[0])].as_py()
    assert found["b"] is None and found["nearest"]["cpu"] == found["a"]["cpu"]


def test_loss_that_the_tracer_admits_is_inconclusive_and_no_more(
    first: Source, limits: Agreement
) -> None:
    gone = places_of(first, "TaskScheduled")[100:150]
    lossy, _ = compare(first, without(first, gone, lost=25), limits)
    assert lossy["verdict"] == "inconclusive"
    assert "25 records that second lost" in lossy["reason"]
    admits_too_little, _ = compare(first, without(first, gone, lost=10), limits)
    assert admits_too_little["verdict"] == "disagree"
    # What the first one lost says nothing of what the second one lacks.
    other, _ = compare(replace_lost(first, 50), without(first, gone), limits)
    assert other["verdict"] == "disagree"
    unread, _ = compare(first, without(first, gone, unparsed=25), limits)
    assert unread["verdict"] == "inconclusive"


def replace_lost(source: Source, lost: int) -> Source:
    return Source(source.name, source.table, replace(source.capability, lost=lost))


@pytest.mark.parametrize(("offset", "verdict"), [(50_000, "agree"), (-400_000, "disagree")])
def test_a_shifted_clock_is_the_median_residual(
    first: Source, limits: Agreement, offset: int, verdict: str
) -> None:
    record, _ = compare(first, moved(first, lambda t: t + offset), limits)
    assert parts(record)["times"] == verdict
    assert parts(record)["pairs"] == "agree"
    assert record["residual_ns"]["median"] == offset == record["clock"]["offset_ns"]
    assert record["clock"]["drift_ppm"] == 0


def test_another_clock_pairs_nothing_and_disagrees(first: Source, limits: Agreement) -> None:
    record, _ = compare(first, moved(first, lambda t: t + 200_000_000), limits)
    assert parts(record)["pairs"] == "disagree"
    apart, _ = compare(first, moved(first, lambda t: t + 10**10), limits)
    assert (apart["verdict"], apart["reason"]) == (
        "not_measured",
        "first and second have no time in common",
    )


def test_a_drifting_clock_is_measured(first: Source, limits: Agreement) -> None:
    start = first.table["time_ns"][0].as_py()
    record, _ = compare(first, moved(first, lambda t: t + ((t - start) * 200 // 10**6)), limits)
    assert parts(record)["times"] == "disagree"
    assert record["clock"]["drift_ppm"] == pytest.approx(200, abs=1)


def test_jitter_is_a_residual_and_not_a_drift(first: Source, limits: Agreement) -> None:
    random = np.random.default_rng(3)
    record, _ = compare(
        first, moved(first, lambda t: t + random.integers(0, 20_000, len(t))), limits
    )
    assert parts(record)["pairs"] == "agree"
    assert 9_000 < record["residual_ns"]["median"] < 11_000
    assert record["residual_ns"]["max_abs"] < 20_000
    assert record["clock"]["drift_low_ppm"] < 0 < record["clock"]["drift_high_ppm"]


def swapped(source: Source, pairs: Any) -> Source:
    """Neighbouring switch-ins of one CPU with each other's task."""
    tid = source.table["tid"].to_pylist()
    for one, other in pairs:
        tid[one], tid[other] = tid[other], tid[one]
    return copy(source, with_column(source.table, "tid", pa.array(tid)))


def neighbours(source: Source, count: int) -> list[tuple[int, int]]:
    cpu, tid = source.table["cpu"].to_numpy(), source.table["tid"].to_pylist()
    found: list[tuple[int, int]] = []
    here = [place for place in places_of(source, "TaskScheduled")[200:] if cpu[place] == 1]
    for one, other in zip(here[::4], here[1::4], strict=False):
        if tid[one] != tid[other] and len(found) < count:
            found.append((int(one), int(other)))
    return found


def test_one_swapped_task_is_the_first_disagreement(first: Source, limits: Agreement) -> None:
    ((one, other),) = neighbours(first, 1)
    record, _ = compare(first, swapped(first, [(one, other)]), limits)
    found = record["first_disagreement"]
    assert found["time_ns"] in first.table["time_ns"].take([one, other]).to_pylist()
    unpaired = sum(some["only_a"] + some["only_b"] for some in record["classes"])
    assert unpaired + record["out_of_order"] > 0


def test_what_became_of_unpaired_rows_is_said(first: Source, limits: Agreement) -> None:
    moves = places_of(first, "TaskMigrated")
    cpu, tid = first.table["cpu"].to_pylist(), first.table["tid"].to_pylist()
    for place in moves[100:110]:
        cpu[place] = 7
    for place in moves[200:205]:
        tid[place] = 77_777
    table = with_column(first.table, "cpu", pa.array(cpu))
    table = with_column(table, "tid", pa.array(tid))
    time = table["time_ns"].to_numpy().copy()
    late = places_of(first, "TaskWoke", "wakeup_new")[5]
    time[late] += 40_000_000
    table = sorted_table(with_column(table, "time_ns", pa.array(time)))
    record, _ = compare(first, copy(first, table), limits)
    assert record["near_misses"] == {"late": 1, "other_cpu": 10, "other_task": 5}
    assert "10 pairs would be the same but for the CPU" in record["parts"]["pairs"]["reason"]


def test_swapped_tasks_disagree(first: Source, limits: Agreement) -> None:
    record, _ = compare(first, swapped(first, neighbours(first, 30)), limits)
    assert record["verdict"] == "disagree"
    assert {"pairs", "order"} & {n for n, v in parts(record).items() if v == "disagree"}


def test_a_field_that_differs_is_named_with_its_rows(first: Source, limits: Agreement) -> None:
    slept = places_of(first, "TaskSlept")[50:60]
    state = first.table["prev_state"].to_pylist()
    for place in slept:
        state[place] = 0x402
    table = with_column(first.table, "prev_state", pa.array(state, pa.int64()))
    record, _ = compare(first, copy(first, table), limits)
    assert {n for n, v in parts(record).items() if v == "disagree"} == {"fields"}
    (field,) = (some for some in record["fields"] if some["name"] == "prev_state")
    assert (field["what"], field["differing"]) == ("SwitchOut", 10)
    assert field["examples"][0]["b"]["prev_state"] == 0x402
    assert record["first_disagreement"]["what"] == "prev_state"
    # A source that does not fill the field is not held to it.
    fields = {
        kind: [name for name in names if name != "prev_state"]
        for kind, names in first.capability.fields.items()
    }
    blind, _ = compare(first, copy(first, table, fields=fields), limits)
    assert blind["verdict"] == "agree"
    assert "prev_state" not in [some["name"] for some in blind["fields"]]


def test_another_kind_of_switch_out_is_a_field_not_a_missing_row(
    first: Source, limits: Agreement
) -> None:
    kinds = first.table["kind"].to_pylist()
    for place in places_of(first, "TaskPreempted")[:20]:
        kinds[place] = "TaskSlept"
    table = with_column(first.table, "kind", pa.array(kinds))
    record, _ = compare(first, copy(first, table), limits)
    assert {n for n, v in parts(record).items() if v == "disagree"} == {"fields"}
    assert next(some for some in record["fields"] if some["name"] == "kind")["differing"] == 20


def test_yields_are_preemptions_to_a_source_that_cannot_tell_them(
    first: Source, limits: Agreement
) -> None:
    kinds = first.table["kind"].to_pylist()
    for place in places_of(first, "TaskPreempted")[:200]:
        kinds[place] = "TaskYielded"
    yields = Source("first", with_column(first.table, "kind", pa.array(kinds)), first.capability)
    without_them = [kind for kind in first.capability.kinds if kind != "TaskYielded"]
    record, _ = compare(yields, copy(first, kinds=without_them), limits)
    assert record["verdict"] == "agree"
    both, _ = compare(yields, copy(first), limits)
    assert parts(both)["fields"] == "disagree"


def test_comms_are_compared_at_15_bytes(first: Source, limits: Agreement) -> None:
    comms = [c and c.ljust(15, "_") for c in first.table["comm"].to_pylist()]
    short = with_column(first.table, "comm", pa.array(comms))
    longer = with_column(first.table, "comm", pa.array([c and c + "/u8:long" for c in comms]))
    record, _ = compare(Source("first", short, first.capability), copy(first, longer), limits)
    assert record["verdict"] == "agree"
    assert sum(s["compared"] for s in record["fields"] if s["name"] == "comm") > 10_000


def test_a_kind_that_one_source_cannot_see_is_not_compared(
    first: Source, limits: Agreement
) -> None:
    sched = [k for k in first.capability.kinds if k.startswith(("Task", "Cpu"))]
    here = np.isin(np.array(first.table["kind"].to_pylist()), sched)
    second = copy(first, first.table.filter(pa.array(here)), kinds=sched)
    record, _ = compare(first, second, limits)
    assert record["verdict"] == "agree"
    left = {(some["source"], some["what"]): some for some in record["not_compared"]}
    assert left["first", "DsqInsertVtime"]["rows"] == 2006
    assert "DsqInsertVtime" not in [some["what"] for some in record["classes"]]


def test_a_reason_of_wakeups_that_one_source_never_shows_is_not_compared(
    first: Source, limits: Agreement
) -> None:
    second = without(first, places_of(first, "TaskWoke", "wakeup"))
    record, _ = compare(first, second, limits)
    assert record["verdict"] == "agree"
    (left,) = record["not_compared"]
    assert (left["source"], left["what"], left["rows"]) == ("first", "TaskWoke wakeup", 1565)
    fields = {k: [f for f in v if f != "reason"] for k, v in first.capability.fields.items()}
    mute, _ = compare(first, copy(first, fields=fields), limits)
    assert not any(some["what"].startswith("TaskWoke") for some in mute["classes"])
    assert {some["rows"] for some in mute["not_compared"]} == {3151}


def test_what_is_outside_the_common_window_is_counted_not_compared(
    first: Source, limits: Agreement
) -> None:
    time = first.table["time_ns"].to_numpy()
    window = (int(time[3000]), int(time[-5000]))
    inside = (time >= window[0]) & (time <= window[1])
    second = copy(first, first.table.filter(pa.array(inside)), window_ns=window)
    record, _ = compare(first, second, limits)
    assert record["verdict"] == "agree"
    assert record["window_ns"] == list(window)
    assert record["outside"] == {"a": int((~inside).sum()), "b": 0}
    narrower, _ = compare(first, second, limits, (int(time[6000]), int(time[7000])))
    assert narrower["window_ns"] == [int(time[6000]), int(time[7000])]
    assert narrower["outside"]["b"] == inside.sum() - 1001


def test_rows_without_partner_at_the_ends_of_the_window_are_held_against_no_one(
    first: Source, limits: Agreement
) -> None:
    time = first.table["time_ns"].to_numpy()
    early = np.flatnonzero(time < time[0] + limits.tolerance_ns)
    record, _ = compare(first, without(first, early), limits)
    assert sum(some["edge_a"] for some in record["classes"]) == len(early)
    assert parts(record)["pairs"] == "agree"


def test_few_rows_are_inconclusive_and_none_is_not_measured(
    first: Source, limits: Agreement
) -> None:
    kinds = ["TaskForked"]
    few = copy(first, first.table.take(places_of(first, "TaskForked")), kinds=kinds)
    record, _ = compare(first, few, limits)
    assert record["verdict"] == "inconclusive"
    assert "only 21 rows" in record["reason"]
    none, pairs = compare(first, copy(first, empty_table(), notes=["it did not run"]), limits)
    assert none["verdict"] == "not_measured"
    assert none["reason"] == "second has no events: it did not run"
    assert len(pairs) == 0
    strange, _ = compare(first, copy(first, kinds=["Strange"]), limits)
    assert strange["verdict"] == "not_measured"


def test_kinds_that_scxval_does_not_know_are_compared_too(first: Source, limits: Agreement) -> None:
    kinds = ["Strange" if k == "Tick" else k for k in first.table["kind"].to_pylist()]
    named = [*first.capability.kinds, "Strange"]
    table = with_column(first.table, "kind", pa.array(kinds))
    a = Source("first", table, replace(first.capability, kinds=named))
    record, _ = compare(a, copy(a), limits)
    assert of_class(record, "Strange")["matched"] == 2426


def test_sides_exchanged_mirror_the_record(first: Source, limits: Agreement) -> None:
    random = np.random.default_rng(9)
    second = moved(
        without(first, random.choice(len(first.table), 400, replace=False)),
        lambda t: t + 7_000 + random.integers(0, 9_000, len(t)),
    )
    one, _ = compare(first, second, limits)
    other, _ = compare(second, first, limits)
    assert one["verdict"] == other["verdict"]
    assert one["residual_ns"]["median"] == -other["residual_ns"]["median"]
    for some, mirrored in zip(one["classes"], other["classes"], strict=True):
        assert some["matched"] == mirrored["matched"]
        assert (some["only_a"], some["only_b"]) == (mirrored["only_b"], mirrored["only_a"])


def files(source: Source, folder: Path) -> tuple[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    events, capability = folder / "events.parquet", folder / "capability.json"
    write_events(source.table, events)
    source.capability.write(capability)
    return str(events), str(capability)


def run_main(a: tuple[str, str], b: tuple[str, str], out: Path, *more: str) -> int:
    arguments = ["--names", "first", "second", "--events", a[0], b[0], "--capability", a[1], b[1]]
    output = ["--output", str(out / "agreement.json"), "--pairs", str(out / "pairs.parquet")]
    return main([*arguments, *output, *more])


def test_command_writes_the_same_bytes_twice(first: Source, tmp_path: Path) -> None:
    a, b = files(first, tmp_path / "a"), files(without(first, slice(5000, 5040)), tmp_path / "b")
    status = tmp_path / "status.json"
    span = first.capability.window_ns
    assert span is not None
    status.write_text(json.dumps({"window_ns": [span[0] + 10**8, span[1] - 10**8]}))
    for name in ("one", "two"):
        out = tmp_path / name
        assert run_main(a, b, out, "--status", str(status), "--limits", '{"min_rows": 7}') == 0
    for file in ("agreement.json", "pairs.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    record = json.loads((tmp_path / "one/agreement.json").read_text())
    assert record["limits"]["min_rows"] == 7
    assert record["window_ns"][0] == span[0] + 10**8
    pairs = pq.read_table(tmp_path / "one/pairs.parquet")
    assert len(pairs) == sum(
        some["matched"] + some["only_a"] + some["only_b"] + some["edge_a"] + some["edge_b"]
        for some in record["classes"]
    )


def test_bad_files_are_one_line(
    first: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = files(first, tmp_path / "good")
    broken = tmp_path / "broken"
    broken.write_text("{")
    backwards = tmp_path / "backwards.parquet"
    write_events(sorted_table(first.table).take(list(range(100, 0, -1))), backwards)
    for bad, word in (
        ((str(tmp_path / "none"), good[1]), "not an event table"),
        ((str(broken), good[1]), "not an event table"),
        ((good[0], str(broken)), "not a capability record"),
        ((good[0], str(tmp_path / "none")), "not a capability record"),
        ((str(backwards), good[1]), "not in order of time"),
    ):
        assert run_main(good, bad, tmp_path / "out") == 2
        said = capsys.readouterr().err
        assert word in said and said.count("\n") == 1
    assert run_main(good, good, tmp_path / "out", "--status", str(broken)) == 2
    for limits in (
        "{",
        "[1]",
        "7",
        '{"tolerance": 5}',
        '{"tolerance_ns": -1}',
        '{"drift_ppm": "wide"}',
    ):
        capsys.readouterr()
        assert run_main(good, good, tmp_path / "out", "--limits", limits) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_source_read_back_is_the_one_written(first: Source, tmp_path: Path) -> None:
    events, capability = files(first, tmp_path)
    back = read_source("first", Path(events), Path(capability))
    assert back.table.to_pylist() == first.table.to_pylist()
    assert back.capability == first.capability

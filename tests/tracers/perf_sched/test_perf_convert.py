# SPDX-License-Identifier: MIT
"""Real recordings against `perf script`, `perf sched latency` and `timehist` of the same files."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.events.metrics import measure
from scxval.events.metrics.trace import EVER, NEVER, take_apart
from scxval.events.table import write_events
from scxval.tracers.convert import recognise
from scxval.tracers.perf_sched import lost_events
from scxval.tracers.perf_sched.chain import Chain
from scxval.tracers.perf_sched.convert import convert
from scxval.tracers.perf_sched.file import open_file

from .script_text import script_rows

FIXTURES = Path(__file__).parents[2] / "fixtures/perf-sched"
RECORDINGS = [
    ("perf.data.gz", "script.txt.gz"),
    ("zstd.data", "zstd.script.txt.gz"),
    ("pipe.data.gz", "pipe.script.txt.gz"),
]
LATENCY = re.compile(
    r"^\s+(\S.*?):(\(?\d+\)?)\s+\|\s+[\d.]+ ms \|\s+(\d+) \| avg:\s+([\d.]+) ms \| max:\s+([\d.]+) ms"
    r" \| max start:\s+([\d.]+) s"
)
TIMEHIST = re.compile(
    r"^\s+(\d+)\.(\d{6}) \[(\d+)\]\s+.*\[(\d+)(?:/\d+)?\]\s+\S+\s+\S+\s+(\S+)\s*$"
)


@pytest.mark.parametrize(("data", "script"), RECORDINGS)
def test_every_event_is_that_of_perf_script(data: str, script: str) -> None:
    result = convert(FIXTURES / data)
    expected, counts = script_rows(FIXTURES / script)
    # perf script's order of equal times is that of the file; ours puts CPUs in order first.
    expected.sort(key=lambda row: (row["time_ns"], row["cpu"]))
    found = result.table.to_pylist()
    assert len(found) == len(expected) > 2000
    for row, wanted in zip(found, expected, strict=True):
        states = wanted.pop("states", None)
        assert {name: row[name] for name in wanted} == wanted
        if states is not None:
            assert row["prev_state"] in states, row
        preempted = row["kind"] == "TaskPreempted"
        if preempted:
            assert row["reason"] == ("preempt" if row["prev_state"] == 0x100 else "unknown")
    assert result.capability.notes == [
        f"samples that make no events: sched_stat_runtime {counts['sched_stat_runtime']}"
    ]
    assert (result.capability.lost, result.capability.unparsed) == (0, 0)


@pytest.mark.parametrize("data", [data for data, _ in RECORDINGS])
def test_every_task_has_a_name_and_a_thread_group(data: str) -> None:
    rows = convert(FIXTURES / data).table.to_pylist()
    assert not [row for row in rows if row["pid"] is None or row["comm"] is None]
    # rt-app's threads are of its thread group, perf's child is its own.
    rt_app = {row["tid"] for row in rows if row["comm"] == "rt-app"}
    threads = {row["pid"] for row in rows if row["comm"] in ("hog", "per8", "per20")}
    assert len(threads) == 1
    assert threads <= rt_app
    kernel = [row for row in rows if row["comm"].startswith(("rcu_", "kworker/", "migration/"))]
    assert kernel
    assert all(row["pid"] == row["tid"] for row in kernel)


def test_slices_are_those_of_perf_sched_timehist() -> None:
    slices = take_apart(convert(FIXTURES / "perf.data.gz").table).slices
    spans = zip(slices.start_ns, slices.end_ns, slices.cpu, slices.tid, strict=True)
    mine = {
        (int(end) // 1000, int(cpu), int(tid)): (int(start), int(end))
        for start, end, cpu, tid in spans
        if end != NEVER
    }
    compared = 0
    with gzip.open(FIXTURES / "timehist.txt.gz", "rt") as lines:
        for match in filter(None, map(TIMEHIST.match, lines)):
            seconds, micros, cpu, tid, run_ms = match.groups()
            start, end = mine.pop((int(seconds) * 10**6 + int(micros), int(cpu), int(tid)))
            if start != EVER:
                # perf cuts each number at the microsecond.
                assert (end - start) / 1e6 == pytest.approx(float(run_ms), abs=0.00101)
                compared += 1
    assert compared > 500


def test_delays_are_those_of_perf_sched_latency() -> None:
    result = convert(FIXTURES / "perf.data.gz")
    found = measure(result.table, result.capability, None, None).to_pylist()
    of = {(r["name"], r["stat"]): r["value"] for r in found if r["metric"] == "scheduling_delay"}
    compared = 0
    for line in (FIXTURES / "latency.txt").read_text().splitlines():
        match = LATENCY.match(line)
        # kworkers have the name of their work in perf; threads that rename themselves their last one.
        if match is None or match[1].startswith(("kworker", "perf", "sleep", "rt-app", "python3")):
            continue
        name, _, count, mean, most, _ = match.groups()
        assert of[name, "count"] == int(count), name
        assert of[name, "mean"] / 1e6 == pytest.approx(float(mean), abs=0.0011), name
        assert of[name, "max"] / 1e6 == pytest.approx(float(most), abs=0.0011), name
        compared += 1
    assert compared >= 12


def test_losses_are_counted() -> None:
    file = FIXTURES / "lost.data.gz"
    capability = convert(file).capability
    assert capability.lost == lost_events(file) == 110
    assert capability.unparsed == 0


def test_twice_the_same_bytes_compressed_or_not(tmp_path: Path) -> None:
    plain = tmp_path / "perf.data"
    with gzip.open(FIXTURES / "perf.data.gz") as packed, plain.open("wb") as out:
        shutil.copyfileobj(packed, out)
    written = []
    for number, file in enumerate((plain, plain, FIXTURES / "perf.data.gz")):
        result = convert(file)
        write_events(result.table, tmp_path / f"{number}.parquet")
        result.capability.write(tmp_path / f"{number}.json")
        files = (tmp_path / f"{number}.parquet", tmp_path / f"{number}.json")
        written.append([path.read_bytes() for path in files])
    assert written[0] == written[1] == written[2]
    assert [recognise(plain), recognise(FIXTURES / "perf.data.gz")] == ["perf_sched"] * 2


def test_rows_are_in_canonical_order() -> None:
    table = convert(FIXTURES / "lost.data.gz").table
    keys = list(zip(*(table[name].to_pylist() for name in ("time_ns", "cpu", "seq")), strict=True))
    assert keys == sorted(set(keys))
    assert pc.min(table["time_ns"]).as_py() > 0


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5000))
def test_records_do_not_depend_on_how_many_are_taken_at_a_time(records: int) -> None:
    contents = open_file(FIXTURES / "zstd.data")

    def taken(at_a_time: int) -> list[tuple[int, ...]]:
        chain = Chain(contents.data, contents.begin, contents.end)
        pieces = list(chain.pieces(at_a_time))
        assert chain.whole
        return [row for p in pieces for row in zip(p.place, p.end, p.kind, p.ordinal, strict=True)]

    assert taken(records) == taken(1 << 16)

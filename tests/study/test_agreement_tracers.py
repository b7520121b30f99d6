# SPDX-License-Identifier: MIT
"""Two real tracers over one run: two converters that know nothing of each other tell the same story."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scxval.catalog.config import agreement_limits
from scxval.study.agreement import compare
from scxval.study.agreement_rows import Source, read_source, read_window
from scxval.tracers.convert import convert_file

from ..conftest import ROOT

CAPTURES = ROOT / "tests/fixtures/agreement"


def converted(name: str, raw: Path, out: Path) -> Source:
    convert_file(raw, out / "events.parquet", out / "capability.json")
    return read_source(name, out / "events.parquet", out / "capability.json")


def test_perf_and_ftrace_agree_on_every_event(tmp_path: Path) -> None:
    folder = CAPTURES / "perf-ftrace-rusty"
    perf = converted("perf-sched", folder / "perf.data.gz", tmp_path / "perf")
    ftrace = converted("ftrace", folder / "ftrace.tar.gz", tmp_path / "ftrace")
    window = read_window(folder / "status.json")
    record, _ = compare(perf, ftrace, agreement_limits({}), window)
    assert record["verdict"] == "agree", record["reason"]
    assert record["first_disagreement"] is None
    assert sum(some["matched"] for some in record["classes"]) == 2150
    assert {some["what"]: some["matched"] for some in record["classes"]} == {
        "TaskScheduled": 540,
        "SwitchOut": 540,
        "CpuIdle": 502,
        "TaskWoke waking": 524,
        "TaskWoke wakeup_new": 5,
        "TaskMigrated": 34,
        "TaskForked": 5,
    }
    compared = {some["name"] for some in record["fields"]}
    assert compared >= {"kind", "comm", "other_tid", "other_cpu", "prev_state"}
    # The kernel calls perf's probe first; both take some microseconds of emulation.
    assert 1_000 < record["residual_ns"]["p1"] < record["residual_ns"]["p99"] < 100_000
    # perf sched records sched_waking or, on older kernels, sched_wakeup.
    (left,) = record["not_compared"]
    assert (left["source"], left["what"]) == ("ftrace", "TaskWoke wakeup")


def test_perf_and_bpftrace_agree_but_for_one_waking_read_late() -> None:
    folder = CAPTURES / "perf-bpftrace-rusty"
    perf, bpftrace = (
        read_source(name, folder / f"{name}.events.parquet", folder / f"{name}.capability.json")
        for name in ("perf-sched", "bpftrace")
    )
    limits = agreement_limits({})
    record, _ = compare(perf, bpftrace, limits, read_window(folder / "status.json"))
    assert record["verdict"] == "agree", record["reason"]
    assert sum(some["matched"] for some in record["classes"]) == 2835
    assert record["near_misses"] == {"late": 1, "other_cpu": 0, "other_task": 0}
    found = record["first_disagreement"]
    assert (found["what"], found["b"]["comm"], found["b"]["reason"]) == (
        "only_b",
        "per20",
        "waking",
    )
    assert record["out_of_order"] == 0
    assert all(not some["differing"] for some in record["fields"])
    wider, _ = compare(
        perf, bpftrace, agreement_limits({"tolerance_ns": 50_000_000}), tuple(record["window_ns"])
    )
    assert wider["first_disagreement"] is None
    assert sum(some["matched"] for some in wider["classes"]) == 2836


@pytest.mark.parametrize("name", ["perf-ftrace-rusty", "perf-bpftrace-rusty"])
def test_captures_are_one_run_of_two_tracers(name: str) -> None:
    status = json.loads((CAPTURES / name / "status.json").read_text())
    assert status["cell"]["tracer"].count("+") == 1

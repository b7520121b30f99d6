# SPDX-License-Identifier: MIT
"""Two tracers over one real run tell the same: what a matrix of tracers rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.study.agreement import compare
from scxval.study.agreement_rows import read_source, read_window
from scxval.tracers.convert import convert_cell
from scxval.vm.launch import Guest

from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm


def test_trace_cmd_and_bpftrace_tell_the_same_of_rusty(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    names = ("trace-cmd", "bpftrace")
    out = tmp_path / "cell"
    spec = spec_of(fault_config, scheduler="scx_rusty", tracer="+".join(names), isolation="taskset")
    status = run(spec, guest, out)
    assert status["outcome"] == "ok", status
    sources = []
    for name in names:
        events, capability = out / name / "events.parquet", out / name / "capability.json"
        convert_cell(out / "status.json", out / "raw", events, capability, name)
        sources.append(read_source(name, events, capability))
    record, _ = compare(
        sources[0], sources[1], fault_config.agreement, read_window(out / "status.json")
    )
    verdicts = {name: part["verdict"] for name, part in record["parts"].items()}
    assert verdicts["fields"] == verdicts["order"] == verdicts["counts"] == "agree", record["parts"]
    classes = {some["what"]: some for some in record["classes"]}
    assert classes.keys() >= {"TaskScheduled", "SwitchOut", "CpuIdle", "TaskWoke waking"}
    # A busy host can take a CPU away between the two probes of an event, for longer than the tolerance.
    missing = sum(some["only_a"] + some["only_b"] for some in record["classes"])
    late = record["near_misses"]["late"]
    assert missing == 2 * late, record["first_disagreement"]
    assert late <= 0.01 * sum(some["matched"] for some in record["classes"])

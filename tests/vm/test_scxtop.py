# SPDX-License-Identifier: MIT
"""scxtop in a real guest: it outlasts the workload, or the run says that it did not."""

from __future__ import annotations

from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.events.schema import TraceKind
from scxval.tracers.scxtop.convert import convert
from scxval.vm.launch import Guest

from ..conftest import RESOURCES
from .test_outcomes import run, spec_of

# It takes a quarter of an hour to build, so that `make provision` does not.
PROGRAM = "tracers/crate/scxtop"
pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        not (RESOURCES / PROGRAM).exists(), reason=f"no scxtop: `snakemake resources/{PROGRAM}`"
    ),
]


def test_a_run_is_traced_to_its_end(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(
        fault_config,
        scheduler="scx_rusty",
        tracer="scxtop",
        isolation="taskset",
        machine="tcg4",
    )
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    assert status["tracer"]["lost"] == 0
    assert status["exit_codes"]["tracer"] == 0
    conversion = convert(tmp_path / "cell/raw/scxtop.pb")
    capability = conversion.capability
    assert capability.unparsed == 0
    start, end = status["window_ns"]
    assert capability.window_ns is not None
    assert capability.window_ns[0] < start
    assert capability.window_ns[1] > end
    events = conversion.table.to_pandas()
    during = events[(events.time_ns > start) & (events.time_ns < end)]
    assert len(during) > 1000
    # The workload's tasks of 8 and 20 ms, in 2 s, each woken every time.
    task = during[during.comm.isin(["per8", "per20"])]
    on = task[task.kind == TraceKind.TASK_SCHEDULED]
    assert len(on) > 100
    assert set(on.cpu) <= {0, 1, 2}
    assert on.dsq_id.notna().mean() > 0.9
    assert (task.kind == TraceKind.TASK_WOKE).sum() > 100


def test_a_trace_that_is_over_too_soon_fails_the_run(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    spec = spec_of(fault_config, tracer="scxtop_short", isolation="taskset", machine="tcg4")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "tracer_failed", status
    assert "exit code 3" in status["reason"]
    assert any("give the tracer's entry a greater trace_ms" in line for line in status["log_tail"])

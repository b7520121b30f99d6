# SPDX-License-Identifier: MIT
"""Real cells traced by perf sched record, converted: nothing is missing, and losses are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from scxval.catalog.config import Config
from scxval.events.capability import Capability, read_capability
from scxval.events.metrics import measure
from scxval.events.table import read_events
from scxval.tracers.convert import convert_cell
from scxval.vm.launch import Guest

from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm


def converted(cell: Path) -> tuple[list[dict[str, Any]], Capability]:
    events, capability = cell / "events.parquet", cell / "capability.json"
    convert_cell(cell / "status.json", cell / "raw", events, capability)
    return read_events(events).to_pylist(), read_capability(capability)


def test_the_whole_workload_is_in_the_trace(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    cell = tmp_path / "cell"
    spec = spec_of(fault_config, scheduler="scx_central", tracer="perf-sched", isolation="taskset")
    status = run(spec, guest, cell)
    assert status["outcome"] == "ok", status
    # perf ends by the signal that stopped it.
    assert status["exit_codes"]["tracer"] == -2
    assert status["tracer"] == {"ready": True, "lost": 0}
    rows, capability = converted(cell)
    assert (capability.lost, capability.unparsed) == (0, 0), capability
    start, end = status["window_ns"]
    assert capability.window_ns is not None
    assert capability.window_ns[0] < start < end < capability.window_ns[1]
    # The workload begins with the agent making the process that becomes rt-app.
    forks = [r for r in rows if r["kind"] == "TaskForked" and r["time_ns"] >= start]
    rt_app = next(r["pid"] for r in rows if r["comm"] == "rt-app")
    assert rt_app in {r["tid"] for r in forks}
    # Its threads: seen from their forks to their ends, each of the one thread group.
    threads = {r["tid"]: r for r in rows if r["comm"] in ("hog", "per8", "per20")}
    assert len(threads) == 3
    assert {r["pid"] for r in threads.values()} == {rt_app}
    for tid in threads:
        kinds = [r["kind"] for r in rows if r["tid"] == tid and r["kind"] != "TaskMigrated"]
        assert (kinds[0], kinds[-1]) == ("TaskForked", "TaskCompleted"), tid
    assert not [r for r in rows if r["pid"] is None or r["comm"] is None]


def test_no_switch_contradicts_the_one_before(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    cell = tmp_path / "cell"
    status = run(spec_of(fault_config, tracer="perf-sched"), guest, cell)
    assert status["outcome"] == "ok", status
    _, capability = converted(cell)
    table = read_events(cell / "events.parquet")
    window = tuple(status["window_ns"])
    found = measure(table, capability, window, None, frozenset(("hog", "per8", "per20")))
    of = {(r["scope"], r["metric"], r["stat"]): r["value"] for r in found.to_pylist()}
    assert of["system", "broken_switches", "value"] == of["system", "unknown_time", "value"] == 0
    # The hog alone runs for as long as the workload does, less what others take; hosts are shared.
    assert of["workload", "run_time", "value"] > 0.2 * (window[1] - window[0])
    assert of["workload", "wakeup_latency", "count"] > 20
    assert pc.sum(pc.equal(table["probe"].cast("string"), "sched_switch")).as_py() > 200


def test_losses_are_seen_before_the_verdict(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    cell = tmp_path / "cell"
    spec = spec_of(fault_config, tracer="perf_sched_tiny", workload="stall_tracer")
    status = run(spec, guest, cell)
    assert status["outcome"] == "tracer_lost_events", status
    assert status["tracer"]["lost"] > 0
    _, capability = converted(cell)
    assert capability.lost == status["tracer"]["lost"]

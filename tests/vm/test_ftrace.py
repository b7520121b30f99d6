# SPDX-License-Identifier: MIT
"""trace-cmd and raw ftrace in real virtual machines: recorded, converted, and what they lose counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from scxval.catalog.config import Config
from scxval.events.capability import Capability, read_capability
from scxval.events.table import read_events
from scxval.tracers.convert import convert_cell
from scxval.tracers.ftrace.convert import convert as convert_ftrace
from scxval.tracers.trace_cmd.convert import convert as convert_trace_cmd
from scxval.vm.launch import Guest

from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm


def converted(cell: Path) -> tuple[pa.Table, Capability]:
    events, capability = cell / "events.parquet", cell / "capability.json"
    convert_cell(cell / "status.json", cell / "raw", events, capability)
    return read_events(events), read_capability(capability)


def demand_the_workload(table: pa.Table, capability: Capability, status: dict[str, Any]) -> None:
    """The workload's tasks were seen to run, sleep and wake within its window."""
    start, end = status["window_ns"]
    first, last = capability.window_ns or (0, 0)
    # The tracer was ready before the workload began, and was stopped after it had ended.
    assert first < start + 200_000_000
    assert last > end - 200_000_000
    inside = pc.and_(
        pc.greater_equal(table["time_ns"], start), pc.less_equal(table["time_ns"], end)
    )
    seen = table.filter(inside)
    kinds = set(seen["kind"].unique().to_pylist())
    assert {"TaskScheduled", "TaskSlept", "TaskWoke", "CpuIdle"} <= kinds
    names = set(seen["comm"].unique().to_pylist())
    assert any(name and name.startswith("per") for name in names), names
    assert capability.unparsed == 0
    # Every switch takes a task off or a CPU out of idle, and brings one on.
    by_kind = {row["values"]: row["counts"] for row in seen["kind"].value_counts().to_pylist()}
    on = by_kind["TaskScheduled"] + by_kind["CpuIdle"]
    off = sum(by_kind.get(kind, 0) for kind in ("TaskSlept", "TaskPreempted", "TaskCompleted"))
    from_idle = pc.sum(
        pc.and_(pc.equal(seen["kind"], "TaskScheduled"), pc.equal(seen["other_tid"], 0))
    ).as_py()
    assert on == off + from_idle


def test_trace_cmd_with_a_scheduler(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(fault_config, tracer="trace-cmd", scheduler="scx_rusty", machine="tcg4")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    assert status["tracer"] == {"ready": True, "lost": 0}
    demand_the_workload(*converted(tmp_path / "cell"), status)


def test_ftrace_knows_thread_groups(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    status = run(spec_of(fault_config, tracer="ftrace"), guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    assert status["tracer"] == {"ready": True, "lost": 0}
    table, capability = converted(tmp_path / "cell")
    demand_the_workload(table, capability, status)
    # The workload's threads are those of one rt-app.
    periodic = table.filter(pc.starts_with(table["comm"].cast(pa.string()), "per"))
    groups = set(zip(periodic["tid"].to_pylist(), periodic["pid"].to_pylist(), strict=True))
    assert len({pid for _, pid in groups}) == 1
    assert all(tid != pid for tid, pid in groups)
    assert "pid" in capability.fields["TaskWoke"]


@pytest.mark.parametrize(
    ("tracer", "workload"), [("trace_cmd_tiny", "stall_tracer"), ("ftrace_tiny", "oversub_mix")]
)
def test_overwritten_events_are_counted(
    fault_config: Config, guest: Guest, tmp_path: Path, tracer: str, workload: str
) -> None:
    spec = spec_of(fault_config, tracer=tracer, workload=workload)
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "tracer_lost_events", status
    _, capability = converted(tmp_path / "cell")
    # What the tracer said, and what the converter finds in its file.
    assert capability.lost == status["tracer"]["lost"] > 0
    assert json.loads((tmp_path / "cell/capability.json").read_text())["notes"]


def test_both_see_the_same_side_by_side(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    """Two ring buffers of one run hold the same records in the same order on every CPU."""
    status = run(spec_of(fault_config, tracer="ftrace+trace-cmd"), guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    start, end = status["window_ns"]
    parts = tmp_path / "cell/raw/parts"
    drained = convert_trace_cmd(parts / "trace-cmd/trace.dat").table
    kept = convert_ftrace(parts / "ftrace/ftrace.tar").table
    inside = pc.and_(pc.greater_equal(kept["time_ns"], start), pc.less(kept["time_ns"], end))
    columns = ["kind", "tid", "other_tid", "other_cpu", "prev_state", "probe"]
    for cpu in (0, 1):
        whole = [tuple(row.values()) for row in of_cpu(drained, cpu).select(columns).to_pylist()]
        part = of_cpu(kept.filter(inside), cpu).select(columns).to_pylist()
        wanted = [tuple(row.values()) for row in part]
        assert len(wanted) > 50
        # The times differ by microseconds, so that the window's ends may part neighbours.
        places = range(len(whole) - len(wanted) + 1)
        assert any(whole[place : place + len(wanted)] == wanted for place in places), cpu


def of_cpu(table: pa.Table, cpu: int) -> pa.Table:
    return table.filter(pc.equal(table["cpu"], cpu))

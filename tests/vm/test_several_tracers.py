# SPDX-License-Identifier: MIT
"""Several tracers over one run, and a scheduler's own statistics, in real virtual machines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from scxval.catalog.config import Config
from scxval.catalog.load import load_catalog
from scxval.events.capability import Capability, read_capability
from scxval.events.stats import read_stats
from scxval.events.table import read_events
from scxval.tracers.convert import convert_cell, convert_stats
from scxval.vm.launch import Guest

from ..conftest import RESOURCES, ROOT
from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm


def test_bpftrace_beside_the_statistics_of_rusty(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    out = tmp_path / "cell"
    spec = spec_of(
        fault_config, scheduler="scx_rusty", tracer="bpftrace+scx-stats", isolation="taskset"
    )
    status = run(spec, guest, out)
    assert status["outcome"] == "ok", status
    assert status["exit_codes"]["tracer"] == 0
    assert status["tracer"] == {
        "ready": True,
        "lost": 0,
        "parts": {
            "bpftrace": {"ready": True, "lost": 0, "exit_code": 0, "failed": ""},
            "scx-stats": {"ready": True, "lost": None, "exit_code": 0, "failed": ""},
        },
    }
    provenance = json.loads((out / "provenance.json").read_text())
    marks = [mark["mark"] for mark in provenance["clocks"]]
    order = [mark for mark in marks if mark.startswith("tracer")]
    assert order == [
        *("tracer-start.bpftrace", "tracer-start.scx-stats", "tracer-ready"),
        *("tracer-end.scx-stats", "tracer-end.bpftrace"),
    ]
    affinity = provenance["cpus"]["affinity"]
    assert affinity["tracer.bpftrace"] == affinity["tracer.scx-stats"] == [1]
    assert provenance["versions"]["tracer.bpftrace"].startswith("bpftrace v")
    assert {
        "parts/bpftrace/bpftrace.txt",
        "parts/bpftrace/trace.bt",
        "parts/bpftrace/tracer.log",
        "parts/scx-stats/scx_stats.ndjson",
        "parts/scx-stats/sample.py",
        "parts/scx-stats/tracer.log",
    } <= set(status["raw"])

    start, end = status["window_ns"]
    for part in ("bpftrace", "scx-stats"):
        files = [out / part / name for name in ("events.parquet", "capability.json")]
        convert_cell(out / "status.json", out / "raw", files[0], files[1], part)
    events = read_events(out / "bpftrace/events.parquet")
    capability = read_capability(out / "bpftrace/capability.json")
    assert capability.source == "bpftrace"
    assert capability.window_ns is not None
    assert capability.window_ns[0] < start < end < capability.window_ns[1]
    record = read_capability(out / "scx-stats/capability.json")
    assert (record.source, record.kinds, record.events) == ("scx_stats", [], 0)
    assert record.unparsed == 0, record.examples

    convert_stats(out / "status.json", out / "raw", "scx-stats", out / "stats.parquet")
    stats = read_stats(out / "stats.parquet")
    times = np.unique(stats["time_ns"].to_numpy())
    # A reading before, one after, and one every half second of some two seconds.
    assert times[0] < start < end < times[-1]
    assert ((times > start) & (times < end)).sum() >= 2
    windows = pc.drop_null(stats["window_ns"]).to_numpy()
    assert windows.min() > 0
    busy = stats.filter(pc.equal(stats["path"].cast("string"), "total"))
    assert set(busy["description"].to_pylist()) == {"# sched events during the period"}
    # What rusty counts are enqueues; bpftrace saw those of the same time.
    inside = pc.and_(pc.greater(busy["time_ns"], start), pc.less(busy["time_ns"], end))
    counted = pc.sum(busy.filter(inside)["value"]).as_py()
    switched = pc.sum(pc.equal(events["kind"].cast("string"), "TaskScheduled")).as_py()
    assert 0 < counted < 10 * switched


def test_a_part_that_dies_is_named(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    """The other one's trace is whole, and is the cell's still."""
    out = tmp_path / "cell"
    spec = spec_of(
        fault_config,
        scheduler="scx_rusty",
        tracer="scx-stats+bpftrace",
        workload="kill_tracer",
    )
    status = run(spec, guest, out)
    assert status["outcome"] == "tracer_failed", status
    assert status["reason"] == "bpftrace died with exit code -9 while the workload ran"
    assert status["log"] == "parts/bpftrace/tracer.log"
    parts = status["tracer"]["parts"]
    assert parts["scx-stats"] == {"ready": True, "lost": None, "exit_code": 0, "failed": ""}
    assert (parts["bpftrace"]["ready"], parts["bpftrace"]["exit_code"]) == (True, -9)
    assert parts["bpftrace"]["failed"] == status["reason"]
    convert_stats(out / "status.json", out / "raw", "scx-stats", out / "stats.parquet")
    assert read_stats(out / "stats.parquet").num_rows > 0


def test_a_scheduler_without_statistics_is_not_waited_for_for_ever(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    """As where the catalogue is wrong about a scheduler."""
    spec = spec_of(fault_config, scheduler="scx_simple", tracer="scx-stats")
    spec = dataclasses.replace(spec, limits=dataclasses.replace(spec.limits, ready_s=25))
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "tracer_failed"
    assert status["reason"] == "scx-stats (python3) was not ready after 25 s"
    assert "nothing answered on /var/run/scx/root/stats" in status["log_tail"]


def test_two_tracers_see_the_same_run(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    """Each with its own readiness and end; what both can see is the same within the window."""
    out = tmp_path / "cell"
    spec = spec_of(
        fault_config, scheduler="scx_simple", tracer="perf-sched+bpftrace", isolation="taskset"
    )
    status = run(spec, guest, out)
    assert status["outcome"] == "ok", status
    assert [part["failed"] for part in status["tracer"]["parts"].values()] == ["", ""]
    start, end = status["window_ns"]
    switches = {}
    for part in ("perf-sched", "bpftrace"):
        files = [out / part / name for name in ("events.parquet", "capability.json")]
        convert_cell(out / "status.json", out / "raw", files[0], files[1], part)
        events = read_events(files[0])
        inside = pc.and_(pc.greater(events["time_ns"], start), pc.less(events["time_ns"], end))
        onto = pc.equal(events["kind"].cast("string"), "TaskScheduled")
        found = events.filter(pc.and_(inside, onto))
        switches[part] = list(zip(found["cpu"].to_pylist(), found["tid"].to_pylist(), strict=True))
    # One tracer's clock is read some microseconds before the other's: only at the window's ends.
    perf, bpftrace = (sorted(found) for found in switches.values())
    assert len(perf) > 100
    assert abs(len(perf) - len(bpftrace)) <= 4
    assert len(set(perf) ^ set(bpftrace)) <= 4


CATALOG = load_catalog([ROOT / "config/catalog"])
# Variants are the same binaries.
TELLING = sorted(s.name for s in CATALOG.schedulers.values() if s.stats and s.name == s.binary)


def provisioned(name: str) -> object:
    """A parameter that is skipped where nobody has built the scheduler: `make provision` builds one."""
    program = f"schedulers/crate/{name}"
    absent = not (RESOURCES / program).exists()
    mark = pytest.mark.skipif(absent, reason=f"no {name}: `snakemake resources/{program}`")
    return pytest.param(name, marks=mark)


@pytest.mark.parametrize("name", [provisioned(name) for name in TELLING])
def test_every_scheduler_that_is_said_to_have_statistics_has_them(
    fault_config: Config, saved: Guest, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "cell"
    spec = spec_of(
        fault_config,
        scheduler=name,
        tracer="scx-stats",
        machine="restored2",
        workload="kernel_config",
    )
    status = run(spec, saved, out)
    assert status["outcome"] == "ok", (status["reason"], status["log_tail"])
    convert_stats(out / "status.json", out / "raw", "scx-stats", out / "stats.parquet")
    stats = read_stats(out / "stats.parquet")
    assert len(set(stats["seq"].to_pylist())) >= 2
    unknown = stats.filter(pc.is_null(stats["type"]))["path"].to_pylist()
    assert len(unknown) < stats.num_rows / 5, set(unknown)
    assert read_capability_of(out).unparsed == 0


def read_capability_of(out: Path) -> Capability:
    files = [out / "events.parquet", out / "capability.json"]
    convert_cell(out / "status.json", out / "raw", *files)
    return read_capability(files[1])

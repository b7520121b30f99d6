# SPDX-License-Identifier: MIT
"""Every way a run can end, each shown by a real virtual machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import Config
from scxval.catalog.model import Cell
from scxval.vm.job import CellSpec, cell_spec
from scxval.vm.launch import Guest
from scxval.vm.run_cell import run_cell

from ..conftest import RESOURCES

pytestmark = pytest.mark.vm


def run(spec: CellSpec, guest: Guest, out: Path) -> dict[str, Any]:
    """Run a cell; its status, after checks that hold for every outcome."""
    scheduler: tuple[Path, ...] = ()
    if spec.scheduler.is_sched_ext:
        scheduler = (binary_of(spec), *spec.scheduler.files)
    out.mkdir(parents=True)
    tracers = tuple(
        RESOURCES / "tracers/crate" / t.binary for t in spec.tracers if t.source == "crate"
    )
    functions = guest.kernel.parent / "functions.txt"
    run_cell(spec, guest, functions, scheduler, out, tracers=tracers)
    status: dict[str, Any] = json.loads((out / "status.json").read_text())
    provenance = json.loads((out / "provenance.json").read_text())
    assert status["cell"] == dataclasses.asdict(spec.cell)
    assert provenance["digests"]["kernel"]
    assert provenance["vm"]["accelerator"] == "tcg"
    for name, entry in status["raw"].items():
        assert (out / "raw" / name).stat().st_size == entry["bytes"], name
    assert not [path for path in out.iterdir() if path.name.startswith(".job-")]
    return status


def binary_of(spec: CellSpec) -> Path:
    folder = RESOURCES / "schedulers" / spec.scheduler.source
    if spec.scheduler.source == "tree":
        folder /= spec.machine.kernel
    return folder / spec.scheduler.binary


def spec_of(config: Config, **axes: str) -> CellSpec:
    cell = Cell(
        axes.get("scheduler", "fair"),
        axes.get("workload", "periodic_mix"),
        axes.get("tracer", "none"),
        axes.get("isolation", "none"),
        axes.get("machine", "tcg2"),
        0,
    )
    return cell_spec(cell, config)


def limited(spec: CellSpec, **limits: int) -> CellSpec:
    return dataclasses.replace(spec, limits=dataclasses.replace(spec.limits, **limits))


def test_ok_with_scheduler(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(fault_config, scheduler="scx_central", isolation="taskset")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    assert status["exit_codes"] == {"workload": 0, "scheduler": 0, "tracer": None, "vm": 0}
    for when in ("before", "after"):
        assert status["scheduler"][when]["ops"] == "central"
        assert status["scheduler"][when]["state"] == "enabled"
    start, end = status["window_ns"]
    # rt-app was told to run for 2 s.
    assert 1.9e9 < end - start < 15e9
    provenance = json.loads((tmp_path / "cell/provenance.json").read_text())
    assert provenance["scheduler"]["ops"] == "central"
    assert provenance["versions"]["rt-app"]
    assert provenance["isolation"]["workload_cpus"] == [0]
    assert provenance["cpus"]["affinity"]["workload"] == [0]
    assert provenance["clocks"][0]["mark"] == "job-start"
    logs = list((tmp_path / "cell/raw/workload").glob("rt-*.log"))
    assert len(logs) == 3


def test_boot_failed(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    status = run(spec_of(fault_config, machine="starved2"), guest, tmp_path / "cell")
    assert status["outcome"] == "boot_failed"
    assert "too little memory_mib" in status["reason"]
    assert status["wall_s"]["boot"] is None
    assert status["boots"] == 1


def test_a_boot_that_hangs_is_tried_twice(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    spec = limited(spec_of(fault_config, machine="hung2"), boot_s=8)
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "boot_failed"
    assert "no sign of the job after 8 s" in status["reason"]
    assert status["boots"] == 2
    assert {"console.log", "console.boot1.log"} <= set(status["raw"])


def test_panic(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    status = run(spec_of(fault_config, workload="panic"), guest, tmp_path / "cell")
    assert status["outcome"] == "panic"
    assert "work-start" in status["reason"]
    assert any("Kernel panic" in line for line in status["log_tail"])


def test_scheduler_ejected(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(fault_config, scheduler="scx_simple", workload="eject")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "scheduler_ejected"
    assert status["scheduler"]["before"]["state"] == "enabled"
    assert status["scheduler"]["after"]["state"] != "enabled"


def test_tracer_lost_events(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(fault_config, tracer="bpftrace_tiny", workload="oversub_mix")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "tracer_lost_events"
    assert status["tracer"]["lost"] > 0
    assert str(status["tracer"]["lost"]) in status["reason"]


def test_endless_workload_is_a_timeout_of_the_workload(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    spec = limited(spec_of(fault_config, workload="endless"), workload_s=2)
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "timeout"
    assert "2 s" in status["reason"]
    # The guest itself was in order: it wound down and powered off.
    assert status["exit_codes"]["vm"] == 0

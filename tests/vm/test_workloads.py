# SPDX-License-Identifier: MIT
"""Workloads of the catalogue in real guests: each runs to its end, all of its tasks run, in its cgroup.

By default one of each kind is run (two minutes); SCXVAL_TEST_WORKLOADS=all runs the whole catalogue.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import Config
from scxval.catalog.load import load_catalog
from scxval.catalog.rtapp import read_rtapp
from scxval.events.metrics.outputs import read_log, workload_outputs
from scxval.vm.launch import Guest

from ..conftest import ROOT
from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm

ALL = load_catalog([ROOT / "config/catalog"]).workloads
# Phases; suspend and resume; affinity; a program of each package; what fork_storm asks.
TELLING = ("bursty", "producer_consumer", "affinity", "fork_storm", "hackbench", "perf_pipe")
# These have tests of their own below.
CGROUPS = ("cgroup_weights", "cgroup_max")
CHOSEN = TELLING
if os.environ.get("SCXVAL_TEST_WORKLOADS") == "all":
    CHOSEN = tuple(name for name in ALL if name not in CGROUPS)


def ran(config: Config, guest: Guest, out: Path, name: str) -> dict[str, Any]:
    """Run a workload on two CPUs with the kernel's own scheduler; its status, after checks."""
    status = run(spec_of(config, workload=name, machine="restored2"), guest, out)
    assert status["outcome"] == "ok", (status["reason"], status["log_tail"])
    workload = ALL[name]
    start, end = status["window_ns"]
    assert 0.1e9 < end - start < 20e9
    outputs = workload_outputs(
        out / "raw", read_rtapp(workload.file) if workload.file else None, workload.result
    )
    assert outputs.warnings == []
    if workload.file:
        for task in read_rtapp(workload.file).tasks:
            (log,) = (out / "raw/workload").glob(f"rt-{task.name}-[0-9]*.log")
            passes = read_log(log)
            assert passes["perf"].sum() > 0, f"{task.name} did no work"
            assert (passes["start"] * 1000 >= start).all()
            assert (passes["end"] * 1000 <= end).all()
    else:
        (result,) = (
            row for row in outputs.table.to_pylist() if row["metric"].startswith("result_")
        )
        assert result["value"] > 0
    return status


@pytest.mark.parametrize("name", CHOSEN)
def test_runs_to_its_end(fault_config: Config, saved: Guest, tmp_path: Path, name: str) -> None:
    ran(fault_config, saved, tmp_path / "cell", name)


def cpu_time_s(out: Path, cgroup: str) -> float:
    text = (out / f"raw/workload/cgroup-{cgroup}.cpu.stat").read_text()
    match = re.search(r"^usage_usec (\d+)$", text, re.MULTILINE)
    assert match is not None
    return int(match[1]) / 1e6


def test_cgroup_weights(fault_config: Config, saved: Guest, tmp_path: Path) -> None:
    out = tmp_path / "cell"
    ran(fault_config, saved, out, "cgroup_weights")
    assert 2 < cpu_time_s(out, "heavy") / cpu_time_s(out, "light") < 4


def test_cgroup_max(fault_config: Config, saved: Guest, tmp_path: Path) -> None:
    out = tmp_path / "cell"
    status = ran(fault_config, saved, out, "cgroup_max")
    start, end = status["window_ns"]
    # Half a CPU, and a quota may be used up at either end of the window.
    assert 0.2 < cpu_time_s(out, "capped") < 0.5 * (end - start) / 1e9 + 0.1


def test_a_cgroup_that_the_kernel_refuses(
    fault_config: Config, saved: Guest, tmp_path: Path
) -> None:
    status = run(
        spec_of(fault_config, workload="bad_cgroup", machine="restored2"), saved, tmp_path / "cell"
    )
    assert status["outcome"] == "workload_failed"
    assert status["reason"] == "cgroup a: /sys/fs/cgroup/a/cpu.max: Invalid argument"
    assert status["exit_codes"]["workload"] is None

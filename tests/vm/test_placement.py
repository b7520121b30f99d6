# SPDX-License-Identifier: MIT
"""What a guest really has: its isolated CPUs, what may run where, its caches and threads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import Config
from scxval.vm.job import kernel_arguments, topology
from scxval.vm.launch import Guest

from .test_outcomes import run, spec_of


def provenance(cell: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((cell / "provenance.json").read_text())
    return record


def test_isolcpus_is_the_kernels_argument(fault_config: Config) -> None:
    spec = spec_of(fault_config, isolation="isolcpus", machine="nohz2")
    assert kernel_arguments(spec) == "nohz_full=0 isolcpus=1"
    assert kernel_arguments(spec_of(fault_config, isolation="cpuset")) == ""


def test_a_plain_machine_takes_any_topology(fault_config: Config) -> None:
    assert topology(fault_config.catalog.machines["tcg4"]) is None
    assert topology(fault_config.catalog.machines["tcg4smt"]) == {"llcs": 1, "threads": 2}


@pytest.mark.vm
def test_cpuset_holds_beside_sched_ext(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    axes = {"scheduler": "scx_simple", "tracer": "bpftrace", "isolation": "cpuset"}
    status = run(spec_of(fault_config, **axes), guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    cpus = provenance(tmp_path / "cell")["cpus"]
    assert cpus["isolated"] == [1]
    assert cpus["affinity"] == {"scheduler": [0], "tracer": [1], "workload": [0]}
    # sched_ext schedules the tracer's CPU too: N + 1.
    assert cpus["seen_by_scheduler"] == [0, 1]


@pytest.mark.vm
def test_a_partition_that_the_kernel_refuses(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    spec = spec_of(fault_config, isolation="cpuset", machine="nohz2")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "unsupported"
    assert "isolated invalid (partition config conflicts" in status["reason"]
    assert status["exit_codes"]["workload"] is None


@pytest.mark.vm
def test_isolcpus_on_two_caches(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(fault_config, isolation="isolcpus", machine="tcg8")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    record = provenance(tmp_path / "cell")
    assert record["cpus"]["isolated"] == [7]
    assert record["cpus"]["seen_by_scheduler"] == record["cpus"]["affinity"]["workload"]
    assert len(record["cpus"]["seen_by_scheduler"]) == 7
    assert record["guest"]["topology"]["llcs"] == ["0-3", "4-7"]


@pytest.mark.vm
def test_threads_of_a_core(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    status = run(spec_of(fault_config, machine="tcg4smt"), guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    assert provenance(tmp_path / "cell")["guest"]["topology"]["cores"] == ["0-1", "2-3"]

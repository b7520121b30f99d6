# SPDX-License-Identifier: MIT
"""Guests that go on from the saved state of a booted one: the same job, the same outcomes."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.errors import HarnessError
from scxval.vm import qemu
from scxval.vm.launch import Guest, VmSpec
from scxval.vm.snapshot import save

from .conftest import spec_in
from .test_outcomes import run, spec_of


@pytest.mark.vm
def test_a_restored_guest_runs_a_traced_scheduler(
    fault_config: Config, saved: Guest, tmp_path: Path
) -> None:
    spec = spec_of(
        fault_config,
        machine="restored2",
        scheduler="scx_simple",
        tracer="bpftrace",
        isolation="taskset",
    )
    status = run(spec, saved, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    provenance = json.loads((tmp_path / "cell/provenance.json").read_text())
    assert "scxval.hold" in provenance["guest"]["cmdline"]
    assert provenance["digests"]["state"]
    assert (tmp_path / "cell/raw/agent.log").exists()


@pytest.mark.vm
def test_restored_guests_differ_in_randomness_and_know_the_time(
    fault_config: Config, saved: Guest, tmp_path: Path
) -> None:
    spec = spec_of(fault_config, machine="restored2", workload="who_am_i")
    seen = []
    for name in ("one", "two"):
        before = time.time()
        assert run(spec, saved, tmp_path / name)["outcome"] == "ok"
        uuid, seconds = (tmp_path / name / "raw/workload.log").read_text().split()
        assert before - 2 < int(seconds) < time.time() + 2
        seen.append(uuid)
    assert seen[0] != seen[1]


@pytest.mark.vm
def test_a_state_of_another_machine_is_refused_by_qemu(
    fault_config: Config, saved: Guest, tmp_path: Path
) -> None:
    spec = spec_of(fault_config, machine="restored2")
    other = dataclasses.replace(spec.machine, memory_mib=512)
    status = run(dataclasses.replace(spec, machine=other), saved, tmp_path / "cell")
    assert status["outcome"] == "boot_failed"
    assert "QEMU ended with 1" in status["reason"]
    assert any("Size mismatch" in line for line in status["log_tail"]), status["log_tail"]


@pytest.mark.vm
def test_a_guest_that_does_not_come_up_is_not_saved(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    machine = dataclasses.replace(fault_config.catalog.machines["starved2"], boot="snapshot")
    with pytest.raises(HarnessError, match="did not come up"):
        save(spec_in(machine, guest, tmp_path), tmp_path / "state", limit_s=30)
    assert not (tmp_path / "state").exists()


def test_only_a_machine_that_is_saved_has_the_second_line(
    fault_config: Config, tmp_path: Path
) -> None:
    guest = Guest(Path("/k"), Path("/i"), Path("/image"))
    folders = (tmp_path / "in", tmp_path / "out", tmp_path)
    machines = fault_config.catalog.machines
    cold = qemu.argv(VmSpec(machines["tcg2"], guest, *folders))
    held = qemu.argv(VmSpec(machines["restored2"], guest, *folders))
    restored = qemu.argv(
        VmSpec(machines["restored2"], dataclasses.replace(guest, state=Path("/s")), *folders)
    )
    assert cold.count("-serial") == 1
    assert held[-2:] == ["-serial", "null"]
    assert "scxval.hold" in held[held.index("-append") + 1]
    assert restored[-2:] == ["-incoming", "file:/s"]
    # But for the line, QEMU sees the machine that was saved.
    assert restored[: len(held) - 2] == held[:-2]

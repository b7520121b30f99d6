# SPDX-License-Identifier: MIT
"""What breaks from outside of a run: a bad scheduler binary, no memory, no disk. Real machines."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.vm.job import CellSpec
from scxval.vm.launch import Guest
from scxval.vm.run_cell import main, run_cell
from scxval.vm.space import FLOOR_MIB

from .broken import refused_by_verifier, without_library
from .test_outcomes import binary_of, run, spec_of

pytestmark = pytest.mark.vm


def status_with(spec: CellSpec, guest: Guest, binary: Path, out: Path) -> dict[str, object]:
    out.mkdir()
    run_cell(spec, guest, guest.kernel.parent / "functions.txt", (binary,), out)
    status: dict[str, object] = json.loads((out / "status.json").read_text())
    return status


def test_a_refused_program_is_named(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    spec = spec_of(fault_config, scheduler="scx_simple")
    bad = refused_by_verifier(binary_of(spec), "struct_ops/simple_enqueue", tmp_path / "bad")
    status = status_with(spec, guest, bad, tmp_path / "cell")
    assert status["outcome"] == "scheduler_rejected"
    assert status["reason"] == (
        "scx_simple ended with exit code 1 before it was enabled: the kernel's verifier refused "
        "program simple_enqueue (-EACCES): invalid bpf_context access off=800 size=8"
    )


def test_a_missing_library_is_named_at_once(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    spec = spec_of(fault_config, scheduler="scx_simple")
    bad = without_library(binary_of(spec), tmp_path / "bad")
    status = status_with(spec, guest, bad, tmp_path / "cell")
    assert status["outcome"] == "scheduler_rejected"
    assert "the guest image has no libelg.so.1" in str(status["reason"])
    assert status["wall_s"]["scheduler-start"] < spec.limits.attach_s / 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("workload", "scheduler", "outcome", "killed"),
    [
        ("eat_memory", "fair", "workload_failed", "tail"),
        ("eat_memory_scheduler", "scx_simple", "scheduler_ejected", "scx_simple"),
    ],
)
def test_out_of_memory(
    fault_config: Config,
    guest: Guest,
    tmp_path: Path,
    workload: str,
    scheduler: str,
    outcome: str,
    killed: str,
) -> None:
    """The kernel kills the workload, or the scheduler first; the agent never, and it says why."""
    spec = spec_of(fault_config, workload=workload, scheduler=scheduler)
    small = dataclasses.replace(spec, machine=dataclasses.replace(spec.machine, memory_mib=384))
    status = run(small, guest, tmp_path / "cell")
    assert status["outcome"] == outcome, status
    assert "ran out of memory" in status["reason"]
    assert killed in status["reason"]
    assert status["reason"].endswith("its machine needs more memory_mib")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little more than what a run needs to begin."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={FLOOR_MIB + 40}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_fails_the_job(
    fault_config: Config,
    guest: Guest,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The guest's output, a log on the host's disk, never ends."""
    spec = spec_of(fault_config, workload="fill_disk")
    argv = [
        *("run_cell", "--spec", spec.to_json(), "--kernel", str(guest.kernel)),
        *("--initramfs", str(guest.initramfs), "--image", str(guest.image)),
        *("--functions", str(guest.kernel.parent / "functions.txt")),
        *("--output", str(small_disk / "cell")),
    ]
    (small_disk / "cell").mkdir()
    (small_disk / "cell/status.json").write_text('{"outcome": "ok"}')
    monkeypatch.setattr("sys.argv", argv)
    assert main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{spec.cell.path}: disk full: ")
    assert said.count("\n") == 1
    assert "free some space" in said
    assert not (small_disk / "cell/status.json").exists()
    assert 30 << 20 < (small_disk / "cell/raw/workload.log").stat().st_size < 60 << 20
    # And the next one does not even start a machine.
    assert main() == 1
    assert "MiB are free" in capsys.readouterr().err

# SPDX-License-Identifier: MIT
"""The host launcher really runs cells on the machine that runs the tests, and cleans up after itself."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scxval.agent.scx import SYSFS
from scxval.catalog.config import Config
from scxval.catalog.model import Workload
from scxval.errors import ScxvalError
from scxval.vm.host import NO_GUEST, prepare
from scxval.vm.job import CellSpec
from scxval.vm.launch import VmSpec
from scxval.vm.run_cell import run_cell

from .test_outcomes import limited, spec_of

root = pytest.mark.skipif(os.geteuid() != 0, reason="the host launcher needs root")


def spec(config: Config, script: str, **axes: str) -> CellSpec:
    command = Workload("script", "command", "?", argv=("sh", "-c", script))
    return dataclasses.replace(spec_of(config, machine="host", **axes), workload=command)


def run_here(spec: CellSpec, out: Path, scheduler: Path | None = None) -> dict[str, Any]:
    out.mkdir()
    run_cell(spec, NO_GUEST, None, (scheduler,) if scheduler else (), out)
    status: dict[str, Any] = json.loads((out / "status.json").read_text())
    return status


@root
def test_a_command_runs_here_and_says_so(fault_config: Config, tmp_path: Path) -> None:
    out = tmp_path / "cell"
    status = run_here(spec(fault_config, "uname -r; echo x >{raw}/trace", isolation="taskset"), out)
    assert status["outcome"] == "ok", status
    assert (out / "raw/workload.log").read_text() == os.uname().release + "\n"
    assert (out / "raw/trace").read_text() == "x\n"
    record = json.loads((out / "provenance.json").read_text())
    assert record["vm"]["version"] == "no virtual machine: ran on this machine itself"
    assert record["vm"]["accelerator"] == "none"
    assert record["digests"]["kernel"] is None
    cpus = sorted(os.sched_getaffinity(0))
    assert record["machine"]["vcpus"] == len(cpus)
    assert record["cpus"]["affinity"]["workload"] == cpus[:-1]
    assert [path.name for path in out.iterdir() if path.name.startswith(".job-")] == []


@root
def test_an_rt_app_file_logs_into_the_cells_own_folder(
    fault_config: Config, tmp_path: Path
) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    real = spec_of(fault_config, machine="host")
    assert real.workload.file is not None
    (inputs / "workload.json").write_bytes(real.workload.file.read_bytes())
    prepare(VmSpec(real.machine, NO_GUEST, inputs, tmp_path, tmp_path))
    logdir = json.loads((inputs / "workload.json").read_text())["global"]["logdir"]
    assert logdir == str(tmp_path / "raw/workload")


@root
@pytest.mark.skipif(SYSFS.exists(), reason="this kernel has sched_ext")
def test_a_kernel_without_sched_ext_is_unsupported(fault_config: Config, tmp_path: Path) -> None:
    asked = spec(fault_config, "true", scheduler="scx_simple")
    status = run_here(asked, tmp_path / "cell", Path("/bin/false"))
    assert status["outcome"] == "unsupported"
    assert "this kernel has no sched_ext" in status["reason"]
    assert status["exit_codes"]["workload"] is None


@root
def test_nothing_outlives_a_run_that_is_killed(fault_config: Config, tmp_path: Path) -> None:
    asked = limited(spec(fault_config, f"sleep 600 & echo $! >{tmp_path}/pid; wait"), total_s=3)
    status = run_here(asked, tmp_path / "cell")
    assert status["outcome"] == "timeout"
    stat = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    # Whatever adopts it may take a moment to reap it.
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_without_root_it_refuses(fault_config: Config, tmp_path: Path) -> None:
    asked = VmSpec(
        spec_of(fault_config, machine="host").machine, NO_GUEST, tmp_path, tmp_path, tmp_path
    )
    code = (
        "import os, sys; from pathlib import Path; from scxval.catalog.model import Machine;"
        "from scxval.vm.host import NO_GUEST, prepare; from scxval.vm.launch import VmSpec;"
        "os.geteuid() or os.setuid(65534);"
        "m = Machine('host', 'none', '', '', 0, 0, 'host');"
        "prepare(VmSpec(m, NO_GUEST, Path('/in'), Path('/out'), Path('/w')))"
    )
    if os.geteuid() != 0:
        with pytest.raises(ScxvalError, match="needs root"):
            prepare(asked)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ScxvalError: machine host runs the cell on this machine itself and needs root" in (
        done.stderr
    )

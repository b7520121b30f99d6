# SPDX-License-Identifier: MIT
"""The profile for any batch system, with its scripts as shipped: jobs are processes of this machine."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..processes import wait_for

PROFILE = ROOT / "workflow/profiles/cluster"
SNAKEFILE = """
rule all:
    input:
        expand("made/{n}", n=["one", "two"]),


rule make:
    output:
        "made/{n}",
    resources:
        runtime=2,
    shell:
        "echo $SCXVAL_NODE_SLOTS $SCXVAL_BATCH_JOB $SCXVAL_BATCH_NODES > {output}; test {wildcards.n} != bad"
"""


def call(name: str, *args: str, cwd: Path) -> str:
    environment = {**os.environ, "TMPDIR": str(cwd)}
    done = subprocess.run(
        [PROFILE / name, *args], text=True, capture_output=True, check=True, env=environment
    )
    return done.stdout.strip()


def submit(folder: Path, script: str, minutes: str = "1") -> str:
    file = folder / "script.sh"
    file.write_text(script)
    job = call("submit", minutes, "1000", "1", str(file), cwd=folder)
    # As Snakemake does when it ends.
    file.unlink()
    return job


@pytest.mark.parametrize(("script", "end"), [("exit 0", "success"), ("exit 3", "failed")])
def test_how_a_job_ends(tmp_path: Path, script: str, end: str) -> None:
    job = submit(tmp_path, script)
    assert wait_for(lambda: call("status", job, cwd=tmp_path) == end, 20)


def test_a_cancelled_job_is_gone_and_failed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    job = submit(tmp_path, f"sh -c 'echo $$ > {pid}; exec sleep 1000'")
    assert wait_for(lambda: pid.exists() and pid.read_text(), 20)
    assert call("status", job, cwd=tmp_path) == "running"
    call("cancel", job, cwd=tmp_path)
    assert wait_for(lambda: call("status", job, cwd=tmp_path) == "failed", 20)
    assert not Path("/proc", pid.read_text().strip()).exists()
    # Cancelled once more, it is no fault.
    call("cancel", job, cwd=tmp_path)


def test_a_job_that_died_with_its_machine_has_failed(tmp_path: Path) -> None:
    job = submit(tmp_path, "sleep 1000")
    group = Path(job) / "group"
    assert wait_for(lambda: group.exists() and group.read_text().strip() != "", 20)
    os.killpg(int(group.read_text()), signal.SIGKILL)
    assert wait_for(lambda: call("status", job, cwd=tmp_path) == "failed", 20)


def snakemake(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile")]
    return subprocess.run(
        [*command, "--directory", str(folder), "--workflow-profile", str(PROFILE), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )


@pytest.mark.workflow
def test_jobs_of_a_workflow(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    done = snakemake(tmp_path, "all", "made/bad", "--latency-wait", "1")
    assert done.returncode == 1, done.stdout
    assert not (tmp_path / "made/bad").exists()
    said = [(tmp_path / "made" / name).read_text().split() for name in ("one", "two")]
    assert all(slots == "1" and job.startswith("scxval-job.") for slots, job, _ in said)
    assert said[0][1] != said[1][1] and said[0][2] == platform.node()
    again = snakemake(tmp_path, "all")
    assert again.returncode == 0 and "Nothing to be done" in again.stdout

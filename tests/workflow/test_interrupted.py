# SPDX-License-Identifier: MIT
"""A sweep that is killed, resumed, or started twice; and one that does not fit on this host."""

from __future__ import annotations

import json
import os
import signal

import pytest

from ..processes import machines_below, wait_for
from .conftest import Workdir

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

SWEEP = [
    "catalog=[config/catalog,faults]",
    *(
        "simulator=none",
        "isolation=none",
        "reps=2",
        "scheduler=fair",
        "tracer=none",
        "machine=tcg2",
    ),
]


def started(workdir: Workdir) -> dict[str, float]:
    return {
        cell: json.loads((file.parent / "provenance.json").read_text())["started_unix_s"]
        for cell, file in workdir.runs().items()
    }


def test_two_at_once_then_killed_then_resumed(make_workdir) -> None:
    workdir: Workdir = make_workdir("interrupted")
    first = workdir.start("--config", *SWEEP)
    try:
        assert wait_for(lambda: len(workdir.runs()) == 1 and machines_below(workdir.path), 180)
        finished = started(workdir)
        # A second one in the same folder is refused, and says why.
        second = workdir.snakemake("--config", *SWEEP)
        assert second.returncode == 1
        assert "Directory cannot be locked" in second.stdout
        assert "--unlock" in second.stdout
        assert first.poll() is None
        assert len(machines_below(workdir.path)) == 1
        # As the kernel's OOM killer or an impatient user would: only Snakemake, with no warning.
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert wait_for(lambda: not machines_below(workdir.path), 10), (
            "a machine outlived Snakemake"
        )
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    assert started(workdir) == finished
    # Its lock is left, and must be taken away by hand; then the same command goes on.
    assert workdir.snakemake("--config", *SWEEP).returncode == 1
    assert workdir.snakemake("--unlock", "--config", *SWEEP).returncode == 0
    again = workdir.snakemake("--config", *SWEEP)
    assert again.returncode == 0, again.stdout
    resumed = started(workdir)
    assert len(resumed) == 2
    (cell,) = finished
    assert resumed[cell] == finished[cell]
    assert all(json.loads(f.read_text())["outcome"] == "ok" for f in workdir.runs().values())
    assert (workdir.path / "results/report/index.html").exists()


def test_a_sweep_that_does_not_fit_starts_nothing(make_workdir) -> None:
    workdir: Workdir = make_workdir("too-large")
    (workdir.path / "large").mkdir()
    (workdir.path / "large/machines.yaml").write_text(
        "most:\n  accelerator: tcg\n  about: nearly all of this host's memory\n"
        f"  kernel: debian-7.2\n  vcpus: 2\n  memory_mib: {all_memory_mib() - 1}\n"
    )
    axes = ["catalog=[config/catalog,faults,large]", *SWEEP[1:-1], "machine=most"]
    done = workdir.snakemake("--config", *axes)
    assert done.returncode == 1
    assert "MiB of memory" in done.stdout
    assert "are available: end other programs, or choose a machine with less" in done.stdout
    assert "Traceback" not in done.stdout
    assert workdir.runs() == {}
    assert not (workdir.path / "logs/run_cell").exists()


def all_memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20

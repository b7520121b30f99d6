# SPDX-License-Identifier: MIT
"""A sweep over a real Slurm of one node, from runs to the report, with the shipped profile."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import ROOT
from ..processes import machines_below
from ..workflow.conftest import Workdir
from . import slurm

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.vm,
    pytest.mark.skipif(os.geteuid() != 0, reason="a one-node Slurm is started as root only"),
]

# What a site sets in the profile: this Slurm has no accounting, and its queue is looked at often.
SITE = [
    *("--workflow-profile", "workflow/profiles/slurm", "--slurm-no-account"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"),
    *("--seconds-between-status-checks", "1", "--slurm-keep-successful-logs"),
]
SWEEP = [
    "--config",
    *("scheduler=scx_simple", "tracer=none", "machine=tcg2", "isolation=none", "reps=1"),
    *("simulator=none", "compare={families: []}", "studies=[]"),
    # A node is as slow as what else runs on it, and no test is timed.
    "limits={boot_s: 180, attach_s: 180, total_s: 500}",
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """The daemons, while the tests of this file run."""
    if slurm.CONF.is_symlink():
        # Of tests that were killed.
        slurm.stop(slurm.CONF.readlink().parent)
    assert not slurm.missing(), slurm.missing()
    # Not a folder of pytest's: munge wants a socket that every user can reach.
    with tempfile.TemporaryDirectory(prefix="scxval-slurm-") as name:
        try:
            slurm.start(Path(name))
            yield
        finally:
            slurm.stop(Path(name))


@pytest.fixture(scope="module")
def swept(make_workdir, cluster: None) -> Workdir:
    workdir: Workdir = make_workdir("on-slurm")
    (workdir.path / "workflow").symlink_to(ROOT / "workflow")
    done = workdir.snakemake(*SITE, *SWEEP)
    logs = sorted((workdir.path / ".snakemake/slurm_logs").rglob("*.log"))
    tails = "\n".join(f"{log}\n{log.read_text()[-2000:]}" for log in logs)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{tails}"
    return workdir


def test_cells_ran_in_jobs_of_the_node(swept: Workdir) -> None:
    runs = swept.runs()
    assert len(runs) == 2
    jobs = set()
    for file in runs.values():
        assert json.loads(file.read_text())["outcome"] == "ok"
        record = json.loads((file.parent / "provenance.json").read_text())
        node = record["node"]
        assert node["name"] == platform.node() and node["batch"] == "slurm"
        assert node["nodes"] == slurm.node_name() and node["at_once"] == 1
        jobs.add(node["job"])
        # Booted from the node's own copies, which are what their names say.
        argv = record["vm"]["argv"]
        kernel = Path(argv[argv.index("-kernel") + 1])
        assert str(kernel.parent) == f"/var/tmp/scxval-{os.geteuid()}"
        assert kernel.name == record["digests"]["kernel"]
    assert len(jobs) == 2 and all(job.isdecimal() for job in jobs)
    assert machines_below(swept.path) == []


def test_runs_had_the_node_to_themselves(swept: Workdir) -> None:
    spans = []
    for file in swept.runs().values():
        began = json.loads((file.parent / "provenance.json").read_text())["started_unix_s"]
        spans.append((began, began + json.loads(file.read_text())["wall_s"]["total"]))
    (_, first_end), (second_start, _) = sorted(spans)
    assert second_start >= first_end


def test_report_and_summary_name_the_node(swept: Workdir) -> None:
    summary = json.loads((swept.path / "results/summary.json").read_text())
    assert summary["versions"]["node"] == [platform.node()]
    assert summary["cells"]["outcomes"] == {"ok": 2}
    page = (swept.path / "results/report/index.html").read_text()
    assert "node.batch" in page and "slurm" in page


def test_a_second_submit_does_nothing(swept: Workdir) -> None:
    done = swept.snakemake(*SITE, *SWEEP)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout

# SPDX-License-Identifier: MIT
"""Comparisons by Snakemake: which jobs there are. Dry runs on stand-ins for everything that is built."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from ..conftest import KERNEL, ROOT
from .conftest import Workdir

pytestmark = pytest.mark.workflow

NOW = int(time.time())
SCHEDULERS = ("scx_simple", "scx_central")
AXES = ["scheduler=[scx_simple,scx_central]", "machine=tcg4", "reps=2"]


def stand_in(path: Path, text: str, second: int) -> None:
    """A file that is newer than the checkout, and older than what is made from it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (NOW + second, NOW + second))


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    (tmp_path / "config").symlink_to(ROOT / "config")
    resources = tmp_path / "resources"
    for name in ("vmlinux", "initramfs.cpio", "source.deb", "lock.txt", "functions.txt"):
        stand_in(resources / "kernel" / KERNEL / name, "", 1)
    for name in ("guest.erofs", "lock.txt"):
        stand_in(resources / "guest" / name, "", 1)
    works = {name: {"works": name == "tcg"} for name in ("kvm", "tcg")}
    stand_in(resources / "probe/accelerator.json", json.dumps(works), 2)
    for scheduler in SCHEDULERS:
        record = {
            "kernel": KERNEL,
            "scheduler": scheduler,
            "vcpus": 4,
            "release": "7.2",
            **dict.fromkeys(("attaches", "runs", "detaches"), True),
            "outcome": "ok",
            "reason": "",
        }
        file = resources / f"probe/schedulers/{KERNEL}/4/{scheduler}.json"
        stand_in(file, json.dumps(record), 3)
    return Workdir(tmp_path)


def jobs(workdir: Workdir, target: str, *config: str) -> dict[str, int]:
    """How many jobs of each rule a dry run plans."""
    done = workdir.snakemake(target, "--dry-run", "--config", *config)
    assert done.returncode == 0, done.stdout
    rows = re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)
    return {name: int(count) for name, count in rows}


def test_every_pair_and_family_of_the_plan_has_a_job(workdir: Workdir) -> None:
    found = jobs(workdir, "all", *AXES, "simulator=none", "tracer=[none,bpftrace]")
    # fair, scx_simple and scx_central with and without bpftrace; no other family has a pair.
    assert found["compare_pair"] == 3
    assert found["compare_family"] == 6
    assert "simulate_again" not in found
    assert "agreement_same_run" not in found


def test_one_simulation_of_each_group_is_made_again(workdir: Workdir) -> None:
    found = jobs(workdir, "compare", *AXES, "tracer=bpftrace", "seeds=[0,1,2]")
    assert found["simulate"] == 9
    assert found["simulate_again"] == 3
    assert found["compare_pair"] == 3
    assert "report" not in found


def test_only_the_families_asked_for(workdir: Workdir) -> None:
    asked = "compare={families: [tracer]}"
    found = jobs(workdir, "compare", *AXES, "tracer=[none,bpftrace,perf-sched]", asked)
    assert found["compare_family"] == 1
    assert found["compare_pair"] == 3
    # Neither the cells without a tracer nor simulations are needed for it.
    assert found["run_cell"] == 12
    assert "simulate" not in found


def test_results_from_elsewhere_are_compared_if_they_are_there(workdir: Workdir) -> None:
    cell = "fair/periodic_mix/none/taskset/tcg4"
    for rep in (0, 1):
        stand_in(workdir.path / f"before/runs/{cell}/rep{rep}/status.json", "{}", 1)
    axes = ["scheduler=fair", "machine=tcg4", "tracer=none", "simulator=none"]
    against = "compare={families: [version], against: [before, missing]}"
    done = workdir.snakemake("compare", "--dry-run", "--config", *axes, against)
    assert done.returncode == 0, done.stdout
    # One job's inputs a line.
    there, missing = (
        re.search(rf"input: (.*)\n +output: .*/against-{name}-", done.stdout)
        for name in ("before", "missing")
    )
    assert there and missing
    here = [f"results/runs/{cell}/rep{rep}/status.json" for rep in (0, 1)]
    assert all(file in there[1] and file in missing[1] for file in here)
    # Of the runs from elsewhere those files that are there.
    elsewhere = [file for file in there[1].split(", ") if file.startswith("before")]
    assert elsewhere == [f"before/runs/{cell}/rep{rep}/status.json" for rep in (0, 1)]
    assert not any(file.startswith("missing") for file in missing[1].split(", "))


def test_a_pair_that_is_not_planned_is_refused(workdir: Workdir) -> None:
    target = "results/compare/tracer/a_vs_b/fair/periodic_mix/taskset/tcg4/pair.json"
    done = workdir.snakemake(target, "--dry-run", "--config", *AXES, "simulator=none")
    assert done.returncode == 1
    assert "the configuration has no such pair" in done.stdout


def test_another_version_of_a_scheduler_is_another_program(workdir: Workdir) -> None:
    (workdir.path / "older").mkdir()
    (workdir.path / "older/schedulers.yaml").write_text(
        "rusty-before:\n  source: crate\n  about: the version before\n  binary: scx_rusty\n"
        "  ops: rusty_.*\n  crate_version: 1.1.3\n"
    )
    programs = [f"resources/schedulers/crate/scx_rusty{version}" for version in ("", "-1.1.3")]
    axes = ["catalog=[config/catalog,older]", *AXES]
    done = workdir.snakemake(*programs, "--dry-run", "-p", "--config", *axes)
    assert done.returncode == 0, done.stdout
    commands = [" ".join(part.split()) for part in done.stdout.split("Shell command:")[1:]]
    built = [command for command in commands if "--crate-version" in command]
    assert sorted(
        re.findall(r"--name (\S+) --crate-version (\S+) --output (\S+)", " ".join(built))
    ) == [
        ("scx_rusty", "1.1.3", programs[1]),
        ("scx_rusty", "1.1.4", programs[0]),
    ]
    for record in (workdir.path / "resources/probe/schedulers").glob("*/*/scx_simple.json"):
        known = json.loads(record.read_text())
        for name in ("scx_rusty", "rusty-before"):
            text = json.dumps({**known, "scheduler": name})
            stand_in(record.with_name(f"{name}.json"), text, 3)
    for program in programs:
        stand_in(workdir.path / program, "", 1)
    versions = ["scheduler=[scx_rusty,rusty-before]", "machine=tcg4", "tracer=none"]
    found = jobs(
        workdir, "compare", axes[0], *versions, "simulator=none", "compare={families: [version]}"
    )
    assert (found["compare_pair"], found["run_cell"]) == (1, 4)

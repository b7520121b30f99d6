# SPDX-License-Identifier: MIT
"""What a user types: axes, lists and mistakes. Dry runs only; nothing here starts a machine."""

from __future__ import annotations

import pytest

from .conftest import Workdir

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def workdir(make_workdir) -> Workdir:
    return make_workdir("command-line")


@pytest.mark.parametrize(
    ("args", "cells"),
    [
        (["scheduler=scx_rusty"], 8),
        (["scheduler=fair", "reps=3"], 6),
        (["scheduler=[scx_rusty,scx_simple]", "tracer=none", "isolation=[none,taskset]"], 12),
        (["scheduler=fair", "workload=[periodic_mix,oversub_mix]", "machine=tcg4", "reps=1"], 4),
    ],
)
def test_axes_narrow_and_the_baseline_stays(workdir: Workdir, args: list[str], cells: int) -> None:
    done = workdir.snakemake("--dry-run", "--config", "simulator=none", *args)
    assert done.returncode == 0, done.stdout
    counts = [line.split() for line in done.stdout.splitlines() if line.startswith("run_cell ")]
    assert counts[0] == ["run_cell", str(cells)]
    assert "scheduler=fair" in done.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["schedular=scx_rusty"], "unknown key in config: 'schedular'; did you mean 'scheduler'?"),
        (["scheduler=scx_rust"], "unknown scheduler 'scx_rust'; did you mean 'scx_rusty'?"),
        (["tracer=[none,strace]"], "unknown tracer 'strace'"),
        (["isolation=on"], "unknown isolation 'on'"),
        (["reps=0"], "config.reps: 0 is less than the minimum of 1"),
    ],
)
def test_a_mistake_names_what_is_allowed(workdir: Workdir, args: list[str], says: str) -> None:
    done = workdir.snakemake("--dry-run", "--config", *args)
    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stdout


def test_the_full_matrix_is_planned(workdir: Workdir) -> None:
    done = workdir.snakemake(
        "--dry-run", "--configfile", "config/full.yaml", "--config", "simulator=none"
    )
    assert done.returncode == 0, done.stdout
    counts = [line.split() for line in done.stdout.splitlines() if line.startswith("run_cell ")]
    assert counts[0] == ["run_cell", "64"]


@pytest.mark.parametrize("known", [[], ["accelerator.json"]])
def test_a_dry_run_before_the_probe(make_workdir, known: list[str]) -> None:
    """Neither what machines there are nor which schedulers attach is known yet."""
    fresh: Workdir = make_workdir("unprobed")
    resources = fresh.path / "resources"
    provisioned = resources.resolve()
    resources.unlink()
    (resources / "probe").mkdir(parents=True)
    for entry in provisioned.iterdir():
        if entry.name != "probe":
            (resources / entry.name).symlink_to(entry)
    for name in known:
        (resources / "probe" / name).symlink_to(provisioned / "probe" / name)
    done = fresh.snakemake("--dry-run")
    assert done.returncode == 0, done.stdout
    assert "Job stats" in done.stdout and "Error" not in done.stdout

# SPDX-License-Identifier: MIT
"""Content decides what is made anew: of a changed converter, a changed workload, a touched file, an archive,
and what the shared cache gives. Two real runs, in a copy of the checkout whose files may be changed.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..conftest import RESOURCES, ROOT
from .conftest import Workdir

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

SWEEP = [
    *("scheduler=fair", "workload=[periodic_mix,bursty]", "tracer=bpftrace", "isolation=none"),
    *("machine=tcg2", "reps=1", "simulator=none"),
]
CELL = "results/runs/fair/{workload}/bpftrace/none/tcg2/rep0"


@dataclass(frozen=True)
class Clone(Workdir):
    """A checkout of its own: its package, rules and configuration are what Snakemake takes."""

    def command(self, *args: str) -> list[str]:
        return [*super().command(*args)[:3], "--directory", str(self.path), *args]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.path / "src")}

    def jobs(self, *args: str) -> dict[str, int]:
        """What a dry run would do, by rule."""
        done = self.snakemake(*args, "--dry-run", "--quiet", "rules", "--config", *SWEEP)
        assert done.returncode == 0, done.stdout
        if "Nothing to be done" in done.stdout:
            return {}
        lines = done.stdout.split("Job stats:")[-1].splitlines()
        words = [line.split() for line in lines[3:]]
        end = words.index([]) if [] in words else len(words)
        return {name: int(number) for name, number in words[:end] if name != "total"}


def make_clone(path: Path) -> Clone:
    path.mkdir()
    for name in ("src", "workflow", "config", "envs"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return Clone(path)


def link(source: str, place: str) -> None:
    """A link that is as old as what it leads to, and can be made newer."""
    there = Path(source).stat()
    Path(place).symlink_to(Path(source).resolve())
    os.utime(place, ns=(there.st_atime_ns, there.st_mtime_ns), follow_symlinks=False)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = make_clone(tmp_path_factory.mktemp("content") / "clone")
    shutil.copytree(RESOURCES, clone.path / "resources", copy_function=link)
    done = clone.snakemake("--config", *SWEEP)
    assert done.returncode == 0, done.stdout
    assert {json.loads(f.read_text())["outcome"] for f in clone.runs().values()} == {"ok"}
    return clone


def started(clone: Clone) -> dict[str, float]:
    return {
        cell: json.loads((file.parent / "provenance.json").read_text())["started_unix_s"]
        for cell, file in clone.runs().items()
    }


def test_touched_files_are_the_same_files(swept: Clone) -> None:
    assert swept.jobs() == {}
    touched = [
        *(swept.path / "config").rglob("*.json"),
        *(swept.path / "src").rglob("*.py"),
        # Beyond what Snakemake takes a checksum of.
        swept.path / "resources/guest/guest.erofs",
        *(swept.path / "resources/kernel").rglob("vmlinux"),
    ]
    for file in touched:
        os.utime(file, follow_symlinks=False)
    for raw in (swept.path / "results/runs").rglob("raw"):
        os.utime(raw)
    assert swept.jobs() == {}


def test_a_changed_converter_converts_again_and_runs_nothing(swept: Clone) -> None:
    before = started(swept)
    tables = {f: f.read_bytes() for f in (swept.path / "results/runs").rglob("events.parquet")}
    converter = swept.path / "src/scxval/tracers/bpftrace/convert.py"
    converter.write_text(converter.read_text() + "\n# Another digest, the same tables.\n")
    jobs = swept.jobs("results/inventory.json")
    assert (jobs["convert"], jobs["measure"]) == (2, 2)
    assert "run_cell" not in jobs
    done = swept.snakemake("results/inventory.json", "--config", *SWEEP)
    assert done.returncode == 0, done.stdout
    assert started(swept) == before
    assert {f: f.read_bytes() for f in tables} == tables


def test_a_changed_workload_runs_its_cells_only(swept: Clone) -> None:
    file = swept.path / "config/workloads/bursty.json"
    text = file.read_text()
    data = json.loads(text)
    data["global"]["duration"] += 1
    try:
        file.write_text(json.dumps(data))
        done = swept.snakemake("results/inventory.json", "--dry-run", "--config", *SWEEP)
        assert done.returncode == 0, done.stdout
        ran = [part.split("output:")[1] for part in done.stdout.split("rule run_cell:")[1:]]
        assert len(ran) == 1 and CELL.format(workload="bursty") in ran[0]
    finally:
        file.write_text(text)
    assert "run_cell" not in swept.jobs("results/inventory.json")


def archive(swept: Clone, path: Path) -> Clone:
    """A fresh clone with nothing but raw traces and their records."""
    clone = make_clone(path)
    for file in swept.runs().values():
        there = clone.path / file.parent.relative_to(swept.path)
        shutil.copytree(file.parent / "raw", there / "raw")
        for name in ("status.json", "provenance.json"):
            shutil.copyfile(file.parent / name, there / name)
    return clone


def test_an_archive_of_raw_traces_needs_no_machine(swept: Clone, tmp_path: Path) -> None:
    """And what one clone converted, the next one takes from the cache."""
    first, second = (archive(swept, tmp_path / name) for name in ("first", "second"))
    words = [*SWEEP, "runs=archived", f"cache={tmp_path / 'cache'}"]
    done = first.snakemake("--config", *words)
    assert done.returncode == 0, done.stdout
    assert not (first.path / "resources").exists()
    assert "run_cell" not in done.stdout and "rule probe" not in done.stdout
    assert (first.path / "results/report/index.html").exists()
    plan = json.loads((first.path / "results/plan.json").read_text())
    assert len(plan["cells"]) == 2 and plan["excluded"] == []
    done = second.snakemake("results/inventory.json", "--config", *words)
    assert done.returncode == 0, done.stdout
    logs = [f.read_text() for f in sorted((second.path / "logs/convert").rglob("*.log"))]
    assert len(logs) == 2 and all("cache: taken from" in log for log in logs)
    for workload in ("periodic_mix", "bursty"):
        for name in ("events.parquet", "capability.json", "metrics.parquet"):
            place = f"{CELL.format(workload=workload)}/{name}"
            made = (swept.path / place).read_bytes()
            assert (first.path / place).read_bytes() == made, place
            assert (second.path / place).read_bytes() == made, place


def test_an_archive_cannot_start_what_it_lacks(swept: Clone, tmp_path: Path) -> None:
    clone = archive(swept, tmp_path / "clone")
    absent = CELL.format(workload="periodic_mix").replace("rep0", "rep1")
    words = [*SWEEP, "runs=archived", "reps=2"]
    done = clone.snakemake(f"{absent}/status.json", "--config", *words)
    assert done.returncode == 1 and "MissingRuleException" in done.stdout
    done = clone.snakemake("results/plan.json", "--config", *words)
    assert done.returncode == 0, done.stdout
    plan = json.loads((clone.path / "results/plan.json").read_text())
    assert [e["outcome"] for e in plan["excluded"]] == ["left_out"] * 2
    assert plan["excluded"][0]["cell"] in absent or plan["excluded"][1]["cell"] in absent


def test_a_budget_is_kept_for_the_whole_sweep(swept: Clone) -> None:
    """What was run since would make another choice; the sweep goes on with the one it has."""
    # From one run's start to the next is what a cell takes: one fits, two do not.
    one, other = sorted(started(swept).values())
    words = ["workload=[wake_chain,nice_levels,locks]", f"budget={int(1.5 * (other - one))}s"]
    first = swept.snakemake("results/plan.json", "--config", *SWEEP, *words)
    assert first.returncode == 0, first.stdout
    choice = json.loads((swept.path / "results/budget.json").read_text())
    assert (len(choice["taken"]), len(choice["left_out"])) == (1, 2)
    plan = json.loads((swept.path / "results/plan.json").read_text())
    groups = {cell.rsplit("/", 1)[0] for cell in plan["cells"]}
    assert groups == {one["group"] for one in choice["taken"]}
    assert {e["outcome"] for e in plan["excluded"]} <= {"left_out"}
    again = swept.snakemake("results/plan.json", "--config", *SWEEP, *words)
    assert "Nothing to be done" in again.stdout
    # Snakemake takes a script that is newer for another one.
    os.utime(swept.path / "workflow/scripts/choose.py")
    again = swept.snakemake("results/plan.json", "--config", *SWEEP, *words)
    assert again.returncode == 0, again.stdout
    assert json.loads((swept.path / "results/budget.json").read_text()) == choice
    wider = swept.snakemake("results/plan.json", "--config", *SWEEP, words[0], "budget=1h")
    assert wider.returncode == 0, wider.stdout
    assert len(json.loads((swept.path / "results/plan.json").read_text())["cells"]) == 3

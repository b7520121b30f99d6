# SPDX-License-Identifier: MIT
"""The published study is made again byte for byte, without network, machine or guest; a difference is found;
a part of it is measured again and judged.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scxval.catalog.config import PUBLISHED
from scxval.published.archive import pack, unpack
from scxval.published.study import ARCHIVE, CLAIMS, CONFIG
from scxval.published.sums import write_sums

from ..conftest import RESOURCES, ROOT
from .conftest import Workdir

pytestmark = pytest.mark.workflow

SHIPPED = ROOT / PUBLISHED
# Few enough cells for a test: two groups of four runs, and no simulation.
FEW = [
    *("scheduler=fair", "tracer=[none,bpftrace]", "simulator=none"),
    *("studies=[tracer_overhead]", "compare={families: [tracer_none]}"),
]


@dataclass(frozen=True)
class Offline(Workdir):
    """A folder with nothing in it, in a network of its own in which there is nothing."""

    def command(self, *args: str) -> list[str]:
        # Only root may make such a network; others have nothing to prove it by, and no need of it.
        alone = ["unshare", "--net"] if os.geteuid() == 0 else []
        return [*alone, *super().command(*args)]


def empty(path: Path) -> Offline:
    path.mkdir()
    for shared in ("config", "envs"):
        (path / shared).symlink_to(ROOT / shared)
    return Offline(path)


def record(workdir: Workdir, kind: str) -> dict[str, object]:
    return json.loads((workdir.path / f"results/{kind}/record.json").read_text())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a part of the shipped archive, made by `scxval publish` as a user makes one."""
    top = tmp_path_factory.mktemp("small")
    (top / "config").symlink_to(ROOT / "config")
    unpack(SHIPPED / ARCHIVE, top / "results")
    config = ["--configfile", "config/published.yaml", "--config", *FEW]
    command = [sys.executable, "-m", "scxval", "publish", *config, "--output", "study"]
    done = subprocess.run(command, cwd=top, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "study: 8 runs, 0 simulations" in done.stdout
    return top / "study"


def test_the_shipped_study_byte_for_byte(tmp_path: Path) -> None:
    workdir = empty(tmp_path / "work")
    done = workdir.snakemake("published", limit_s=1800)
    assert done.returncode == 0, done.stdout
    found = record(workdir, "rebuilt")
    assert found["lines"] == []
    assert str(found["summary"]) in done.stdout
    # Nothing was provisioned, probed, run or simulated.
    assert not (workdir.path / "resources").exists()
    inner = workdir.path / "results/rebuilt/work"
    assert not (inner / "resources").exists()
    names = {folder.name for folder in (inner / "logs").iterdir()}
    assert not names & {"run_cell", "simulate", "probe", "probe_scheduler", "kernel", "convert"}
    # Tables and figures of every stage are among what was compared.
    names = {f.relative_to(SHIPPED).parts[0] for f in SHIPPED.rglob("*") if f.is_file()}
    assert {"compare", "study", "report"} <= names
    assert json.loads((SHIPPED / CLAIMS).read_text())["claims"]


def test_small_enough_for_git() -> None:
    assert sum(f.stat().st_size for f in SHIPPED.rglob("*") if f.is_file()) < 30_000_000


def test_a_difference_fails_and_is_named(small: Path, tmp_path: Path) -> None:
    study = shutil.copytree(small, tmp_path / "study")
    workdir = empty(tmp_path / "work")
    table = study / "compare/tracer_none/verdicts.csv"
    lines = table.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace("tracer_none", "tracer_none?", 1)
    table.write_text("".join(lines))
    # Changed by accident: refused, for its digest is another.
    axes = ["--config", f"published={study}"]
    done = workdir.snakemake("published", *axes)
    assert done.returncode == 1
    assert "compare/tracer_none/verdicts.csv was changed" in done.stdout
    assert not (workdir.path / "results/rebuilt/work").exists()
    # Published like this: made again, compared, and told where.
    write_sums(study)
    done = workdir.snakemake("published", *axes)
    assert done.returncode == 1, done.stdout
    (line,) = record(workdir, "rebuilt")["lines"]
    assert line.startswith("compare/tracer_none/verdicts.csv: line 2, column 13: published")
    assert line in done.stdout


def test_a_hostile_archive_is_refused(small: Path, tmp_path: Path) -> None:
    study = shutil.copytree(small, tmp_path / "study")
    workdir = empty(tmp_path / "work")
    whole = (study / ARCHIVE).read_bytes()
    (study / ARCHIVE).write_bytes(whole[: len(whole) // 2])
    write_sums(study)
    done = workdir.snakemake("published", "--config", f"published={study}")
    assert done.returncode == 1
    assert "refused: not a whole tar.xz" in done.stdout
    assert "Traceback" not in done.stdout
    assert not list((workdir.path / "results").rglob("status.json"))


@pytest.mark.vm
def test_measured_again(small: Path, tmp_path: Path, make_workdir) -> None:
    """Two real runs: each of them once more, and a claim judged, of which two runs cannot decide."""
    study = shutil.copytree(small, tmp_path / "study")
    unpack(study / ARCHIVE, tmp_path / "unpacked")
    two = {
        f.relative_to(tmp_path / "unpacked").as_posix(): f.read_bytes()
        for f in (tmp_path / "unpacked").rglob("*")
        if f.is_file() and "/rep0/" in str(f)
    }
    assert sum(name.endswith("/status.json") for name in two) == 2
    pack(two, study / ARCHIVE)
    claims = json.loads((study / CLAIMS).read_text())["claims"]
    assert claims, "the shipped study decides something of fair and bpftrace"
    write_sums(study)

    workdir: Workdir = make_workdir("measured-again")
    assert RESOURCES.exists()
    done = workdir.snakemake("published", "--config", f"published={study}", "remeasure=true")
    # One run a side decides nothing; that is no failure.
    assert done.returncode == 0, done.stdout
    found = record(workdir, "remeasured")
    assert found["summary"] == (
        f"of {len(claims)} claims 0 reproduced, 0 not reproduced, {len(claims)} inconclusive"
    )
    assert str(found["summary"]) in done.stdout
    inner = workdir.path / "results/remeasured/work/results/runs"
    runs = sorted(inner.rglob("status.json"))
    assert len(runs) == 2
    assert {json.loads(f.read_text())["outcome"] for f in runs} == {"ok"}
    for file in runs:
        new = json.loads((file.parent / "provenance.json").read_text())["started_unix_s"]
        old = json.loads(two[f"runs/{file.parent.relative_to(inner)}/provenance.json"])
        assert new > old["started_unix_s"]
    with (workdir.path / "results/remeasured/claims.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["source"], r["what"]) for r in rows] == [(c["source"], c["what"]) for c in claims]


def test_the_configuration_that_is_shipped_is_that_of_the_study() -> None:
    """What config/published.yaml says is what was published; a default may have changed since."""
    asked = yaml.safe_load((ROOT / "config/published.yaml").read_text())
    kept = yaml.safe_load((SHIPPED / CONFIG).read_text())
    assert {key: kept[key] for key in asked} == asked

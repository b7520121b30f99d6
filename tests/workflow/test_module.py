# SPDX-License-Identifier: MIT
"""scxval as a module of another workflow: the page's own example, with a real machine, and refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ..conftest import RESOURCES, ROOT
from .conftest import EVERY_STAGE, Workdir, copy_runs

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

PAGE = ROOT / "docs/module.md"
# What an importer's folder has, whatever its module makes.
GIVEN = {"Snakefile", "config.yaml", ".snakemake", "validation"}
SLOTS = ("--cores", "2", "--resources", "vm_slots=1")


def block(language: str) -> str:
    """The fenced block of the page in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


def importer(path: Path, config: str | None = None, **replaced: str) -> Workdir:
    """The page's workflow in a folder that has nothing else, but for the guest."""
    text = block("python").replace("../scxval/workflow/Snakefile", str(ROOT / "workflow/Snakefile"))
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    (path / "Snakefile").write_text(text)
    (path / "config.yaml").write_text(config or block("yaml"))
    (path / "validation").mkdir()
    (path / "validation/resources").symlink_to(RESOURCES)
    return Workdir(path, path / "Snakefile")


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_example_of_the_page(tmp_path: Path) -> None:
    config = block("yaml").replace("[fair, scx_simple]", "fair")
    workdir = importer(tmp_path, config + "  reps: 1\n  isolation: none\n")
    done = workdir.snakemake(*SLOTS)
    assert done.returncode == 0, done.stdout
    summary = json.loads((tmp_path / "conclusion.json").read_text())
    assert summary["cells"]["outcomes"] == {"ok": 1}
    assert names_in(tmp_path) == {*GIVEN, "conclusion.json"}
    again = workdir.snakemake(*SLOTS)
    assert "Nothing to be done" in again.stdout, again.stdout
    # Its own command line reaches the module through the key that it gives to it.
    more = workdir.snakemake("--dry-run", *SLOTS, "--config", "scxval={reps: 2}")
    assert re.search(r"^validation_run_cell +1$", more.stdout, re.MULTILINE), more.stdout


def test_every_stage_below_the_prefix(tmp_path: Path, stopped: Workdir) -> None:
    """The same tables, verdicts and answers as without a prefix, from the same runs."""
    given = yaml.safe_dump({"scxval": yaml.safe_load("\n".join(map(as_yaml, EVERY_STAGE)))})
    workdir = importer(tmp_path, given)
    copy_runs(stopped.path / "results/runs", tmp_path / "validation/results/runs")
    targets = ("validation_all", "validation_history", "validation_perfetto", "validation_gate")
    done = workdir.snakemake(*targets, *SLOTS)
    assert done.returncode == 0, done.stdout
    assert "run_cell" not in done.stdout
    assert names_in(tmp_path) == GIVEN
    made = tmp_path / "validation"
    assert (made / "history/history.sqlite").is_file()
    names = [str(f.relative_to(stopped.path)) for f in stopped.path.glob("results/**/*.csv")]
    assert len(names) > 20
    for name in names:
        moved = (made / name).read_text().replace("validation/results/", "results/")
        if name != "results/report/tables/simulations.csv":  # has wall clocks
            assert moved == (stopped.path / name).read_text(), name
    # A cell leads to the pairs that it is in, which records name by where their runs lie.
    page = (made / "results/report/index.html").read_text()
    own = (stopped.path / "results/report/index.html").read_text()
    assert page.count('href="#') == own.count('href="#')


def as_yaml(assignment: str) -> str:
    """An argument of `--config` as a line of YAML."""
    return assignment.replace("=", ": ", 1)


@pytest.mark.parametrize(
    ("config", "replaced", "said"),
    [
        ("scxval: {schedular: fair}", {}, "did you mean 'scheduler'"),
        ("scxval: {compare: fair}", {}, "config.compare: 'fair' is not of type 'object'"),
        (
            None,
            {'prefix: "validation"': 'replace_prefix: {"results/": "validation/"}'},
            "give prefix, not replace_prefix",
        ),
    ],
)
def test_refused(tmp_path: Path, config: str | None, replaced: dict[str, str], said: str) -> None:
    done = importer(tmp_path, config, **replaced).snakemake("--dry-run", *SLOTS)
    assert done.returncode == 1
    assert said in done.stdout


def test_folders_of_the_importer(tmp_path: Path) -> None:
    """Its catalogue is read beside the shipped one, and other results are found where it says."""
    config = (
        "scxval: {scheduler: mine, baseline: mine, tracer: none, machine: tcg2, reps: 1, simulator: none,"
        " catalog: [config/catalog, own], studies: [], compare: {against: [last]}}"
    )
    workdir = importer(tmp_path, config)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/schedulers.yaml").write_text(
        "mine: {source: kernel, about: the kernel's own by another name}\n"
    )
    old = tmp_path / "last/runs/mine/periodic_mix/none/taskset/tcg2/rep0"
    old.mkdir(parents=True)
    (old / "status.json").write_text("{}")
    done = workdir.snakemake("--dry-run", *SLOTS)
    assert done.returncode == 0, done.stdout
    assert "validation/results/runs/mine/periodic_mix" in done.stdout
    assert (
        f"{tmp_path}/last/runs/mine/periodic_mix/none/taskset/tcg2/rep0/status.json" in done.stdout
    )

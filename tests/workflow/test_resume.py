# SPDX-License-Identifier: MIT
"""A sweep that is stopped at every stage goes on to the same results; one cell is run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import EVERY_STAGE, Workdir, copy_runs

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

CELL = "scx_simple/periodic_mix/none/taskset/tcg2/rep0"


def files_below(folder: Path) -> dict[str, bytes]:
    """Content of every file, by its path; Snakemake's marks of folders are none."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".snakemake_timestamp"
    }


def test_the_same_as_without_a_stop(make_workdir, stopped: Workdir) -> None:
    assert {json.loads(f.read_text())["outcome"] for f in stopped.runs().values()} == {"ok"}
    assert len(stopped.runs()) == 3
    undisturbed: Workdir = make_workdir("undisturbed")
    copy_runs(stopped.path / "results/runs", undisturbed.path / "results/runs")
    done = undisturbed.snakemake("--config", *EVERY_STAGE)
    assert done.returncode == 0, done.stdout
    assert "run_cell" not in done.stdout
    one, other = (files_below(workdir.path / "results") for workdir in (stopped, undisturbed))
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []

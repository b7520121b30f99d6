# SPDX-License-Identifier: MIT
"""A sweep that is stopped at every stage goes on to the same results; one cell is run again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import EVERY_STAGE, Workdir, copy_runs

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

CELL = "scx_simple/periodic_mix/none/taskset/tcg2/rep0"


# The wall clock of simulations, which no two have the same: where it stands in a file.
WALL = {
    r"(sim|compare/again)/.*/status\.json": rb'"wall_s": [\d.]+',
    r"report/tables/simulations\.csv": rb",[\d.]+$",
    # By its digest.
    r"inventory\.json": rb'"status\.json": "[0-9a-f]{64}"',
    r"report/index\.html": rb">\d+\.\d</td",
}


def files_below(folder: Path) -> dict[str, bytes]:
    """Content of every file by its path, without the wall clock of simulations.

    Snakemake's marks of folders are left out, and the table whose rows simulations.csv has too.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and path.name not in {".snakemake_timestamp", "simulations.parquet"}:
            found[name] = path.read_bytes()
            for where, clock in WALL.items():
                if re.fullmatch(where, name):
                    found[name] = re.sub(clock, b"", found[name], flags=re.MULTILINE)
    return found


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


def test_one_cell_again(stopped: Workdir) -> None:
    """Named by its status file, a cell is run anew; what follows from it is made anew, and no other cell."""
    target = f"results/runs/{CELL}/status.json"
    files = {cell: file.stat().st_mtime_ns for cell, file in stopped.runs().items()}
    command = ("--forcerun", target, "--config", *EVERY_STAGE)
    planned = stopped.snakemake("--dry-run", *command).stdout
    assert re.search(r"^run_cell +1$", planned, re.MULTILINE), planned
    done = stopped.snakemake(*command)
    assert done.returncode == 0, done.stdout
    again = {cell: file.stat().st_mtime_ns for cell, file in stopped.runs().items()}
    assert [cell for cell in files if files[cell] != again[cell]] == [CELL]
    assert "Finished jobid: 0 (Rule: all)" in done.stdout
    assert "Nothing to be done" in stopped.snakemake("--config", *EVERY_STAGE).stdout

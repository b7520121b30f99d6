# SPDX-License-Identifier: MIT
"""Several tracers over one run through the whole workflow: tables of each, statistics, report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scxval.events.capability import read_capability
from scxval.events.stats import read_stats
from scxval.events.table import read_events

from .conftest import Workdir

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

# The sampler first: the cell's events must be those of the first part that makes any.
TRACER = "scx-stats+bpftrace"
AXES = [
    "scheduler=scx_rusty",
    f"tracer=[{TRACER},scx-stats]",
    "machine=tcg4",
    "reps=1",
    "simulator=none",
]


def folder_of(workdir: Workdir, tracer: str) -> Path:
    return workdir.path / f"results/runs/scx_rusty/periodic_mix/{tracer}/taskset/tcg4/rep0"


def test_tables_of_each_tracer_and_one_of_the_cell(make_workdir) -> None:
    workdir: Workdir = make_workdir("together")
    done = workdir.snakemake("--config", *AXES)
    assert done.returncode == 0, done.stdout
    plan = json.loads((workdir.path / "results/plan.json").read_text())
    # The baseline is the kernel's own scheduler, which has no statistics.
    assert {item["cell"].split("/")[0] for item in plan["excluded"]} == {"fair"}
    assert "fair has no scx_stats to sample" in plan["excluded"][0]["reason"]

    cell = folder_of(workdir, TRACER)
    assert json.loads((cell / "status.json").read_text())["outcome"] == "ok"
    for name in ("events.parquet", "capability.json"):
        assert (cell / name).read_bytes() == (cell / "parts/bpftrace" / name).read_bytes()
    assert read_capability(cell / "capability.json").source == "bpftrace"
    assert read_events(cell / "events.parquet").num_rows > 1000
    assert read_capability(cell / "parts/scx-stats/capability.json").source == "scx_stats"
    assert read_events(cell / "parts/scx-stats/events.parquet").num_rows == 0
    assert read_stats(cell / "stats.parquet").num_rows > 100

    alone = folder_of(workdir, "scx-stats")
    assert read_capability(alone / "capability.json").source == "scx_stats"
    assert read_stats(alone / "stats.parquet").num_rows > 100
    assert not (alone / "parts").exists()

    page = (workdir.path / "results/report/index.html").read_text()
    assert page.count("What the scheduler says of itself") == 2
    again = workdir.snakemake("--config", *AXES)
    assert "Nothing to be done" in again.stdout, again.stdout

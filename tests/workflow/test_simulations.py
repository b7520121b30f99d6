# SPDX-License-Identifier: MIT
"""Simulations by Snakemake: a calibration run in a real machine, two seeds, metrics and the page."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from .conftest import Workdir

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

AXES = ["scheduler=scx_simple", "baseline=scx_simple", "tracer=none", "machine=tcg4", "reps=1"]
CELL = "builtin/scx_simple/periodic_mix/tcg4/seed"


def test_from_calibration_to_report(make_workdir) -> None:
    workdir: Workdir = make_workdir("simulations")
    done = workdir.snakemake("--config", *AXES)
    assert done.returncode == 0, done.stdout
    sims = workdir.path / "results/sim"
    parameters = json.loads((sims / "calibration/tcg4.json").read_text())
    assert parameters["parameters"]["tick_ns"] == 4_000_000
    assert parameters["sources"]["wake_ns"].startswith("calibration cell ")
    for seed in (0, 1):
        folder = sims / f"{CELL}{seed}"
        status = json.loads((folder / "status.json").read_text())
        assert (status["outcome"], status["policy"]) == ("ok", "code")
        provenance = json.loads((folder / "provenance.json").read_text())
        assert provenance["parameters"]["sources"] == parameters["sources"]
        rows = pq.read_table(folder / "metrics.parquet").to_pylist()
        value = {(r["scope"], r["name"], r["metric"], r["stat"]): r["value"] for r in rows}
        assert value["workload", "", "threads", "value"] == 3
        assert value["workload", "", "wakeup_latency", "count"] > 50
    tables = [(sims / f"{CELL}{seed}/events.parquet").read_bytes() for seed in (0, 1)]
    assert tables[0] != tables[1]
    assert f"{CELL}0" in (workdir.path / "results/report/index.html").read_text()
    again = workdir.snakemake("--config", *AXES)
    assert "Nothing to be done" in again.stdout
    more = workdir.snakemake("--dry-run", "--config", *AXES, "seeds=[0,1,2]")
    counts = {
        line.split()[0]: line.split()[1] for line in more.stdout.splitlines() if line.split()[1:]
    }
    assert counts["simulate"] == "1"
    assert "run_cell" not in counts

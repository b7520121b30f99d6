# SPDX-License-Identifier: MIT
"""Simulations by Snakemake: calibration in a real machine, two seeds, metrics, verdicts and the page."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from .conftest import Workdir

pytestmark = [pytest.mark.workflow, pytest.mark.vm]

AXES = ["scheduler=scx_simple", "baseline=scx_simple", "tracer=bpftrace", "machine=tcg4", "reps=2"]
CELL = "builtin/scx_simple/periodic_mix/tcg4/seed"
RUN = "scx_simple/periodic_mix/bpftrace/taskset/tcg4"


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
    verdicts_follow(workdir)
    again = workdir.snakemake("--config", *AXES)
    assert "Nothing to be done" in again.stdout
    more = workdir.snakemake("--dry-run", "--config", *AXES, "seeds=[0,1,2]")
    counts = {
        line.split()[0]: line.split()[1] for line in more.stdout.splitlines() if line.split()[1:]
    }
    assert counts["simulate"] == "1"
    assert "run_cell" not in counts


def verdicts_follow(workdir: Workdir) -> None:
    """Two runs and two simulations: all that is asked is answered, and the controls were made."""
    folder = workdir.path / "results/compare"
    record = json.loads((folder / "simulator/verdicts.json").read_text())
    assert record["verdict"] in {"agree", "disagree", "inconclusive"}
    (pair,) = record["pairs"]
    assert (pair["a"]["used"], pair["b"]["used"]) == (2, 2)
    passed = {control["name"]: control["passed"] for control in pair["controls"]}
    assert passed["simulated again"] is True
    assert passed["real against real"] is None
    assert {"dilated", "starved"} <= set(passed)
    names = {quantity["name"] for quantity in pair["quantities"]}
    assert {"context_switches value", "wakeup_latency p50"} <= names
    assert "4 runs" in pair["not_measured"]["similarity value"]
    assert [entry["sides"] for entry in pair["alignments"]] == ["A/B", "A/B", "A/A"]
    assert {"run_time value task hog", "run_time value task per8"} <= names
    rows = pq.read_table(folder / f"simulator/builtin/{RUN}/alignment.parquet")
    assert "matched" in rows["op"].to_pylist()
    for family in ("tracer_none", "tracer", "isolation", "machine", "version"):
        other = json.loads((folder / f"{family}/verdicts.json").read_text())
        assert other["verdict"] == "not_measured"
        assert other["reason"].startswith("nothing to compare")
    command = [sys.executable, "-m", "scxval", "compare", RUN, CELL.removesuffix("/seed")]
    done = subprocess.run(command, cwd=workdir.path, text=True, capture_output=True, check=False)
    status = {"agree": 0, "disagree": 1, "inconclusive": 3}
    assert done.returncode == status[done.stdout.split(":")[0]], done.stderr
    assert "context_switches value" in done.stdout

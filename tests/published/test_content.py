# SPDX-License-Identifier: MIT
"""What of a folder of results is published: records, small raw files, and no trace of whose folder it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import parse_config
from scxval.errors import ScxvalError
from scxval.planning import Planned, planned_of_archive
from scxval.published.content import MOST_RAW_BYTES, made, records

from ..conftest import ROOT

CELL = "runs/fair/periodic_mix/perf-sched+bpftrace/taskset/tcg2/rep0"
SIMULATION = "sim/builtin/fair/periodic_mix/tcg2/seed0"


def fill(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    tables = ("status.json", "events.parquet", "capability.json")
    names = [*tables, "provenance.json", "metrics.parquet", "raw/counters.json",
             "raw/workload/rt-hog-0.log", "raw/.snakemake_timestamp", "raw/parts/bpftrace/trace.bt",
             *(f"parts/bpftrace/{name}" for name in tables[1:])]  # fmt: skip
    top = tmp_path / "results"
    fill(top / CELL, *names)
    (top / CELL / "raw/perf.data").write_bytes(bytes(MOST_RAW_BYTES + 1))
    (top / CELL / "raw/link").symlink_to("counters.json")
    for folder in (SIMULATION, SIMULATION.replace("sim", "compare/again", 1)):
        fill(top / folder, *tables, "provenance.json", "metrics.parquet", "raw/simulator.log")
    fill(top, "sim/calibration/tcg2.json", "sim/calibration/tcg4.json", "compare/a/verdicts.csv",
         "compare/a/pair/divergence.svg", "study/s/figure.svg", "study/s/study.json",
         "report/tables/runs.csv", "report/tables/runs.parquet", "report/other.csv")  # fmt: skip
    return top


@pytest.fixture
def planned(raw_config: dict[str, Any], results: Path) -> Planned:
    axes = {"scheduler": "fair", "tracer": "perf-sched+bpftrace", "machine": "tcg2"}
    return planned_of_archive(parse_config({**raw_config, **axes}, ROOT), results)


def test_records_without_traces_and_metrics(results: Path, planned: Planned) -> None:
    found = records(results, planned)
    again = SIMULATION.replace("sim", "compare/again", 1)
    tables = ("status.json", "provenance.json", "events.parquet", "capability.json")
    assert set(found) == {
        *(f"{folder}/{name}" for folder in (CELL, SIMULATION, again) for name in tables),
        *(f"{folder}/raw/simulator.log" for folder in (SIMULATION, again)),
        *(f"{CELL}/parts/bpftrace/{name}" for name in ("events.parquet", "capability.json")),
        *(f"{CELL}/raw/{name}" for name in
          ("counters.json", "workload/rt-hog-0.log", "parts/bpftrace/trace.bt")),
        "sim/calibration/tcg2.json",
    }  # fmt: skip


def test_whose_folder_it_was_is_left_out(results: Path, planned: Planned) -> None:
    argv = [
        "-kernel",
        "/home/me/my work/resources/kernel/debian-7.2/vmlinux",
        "local,path=/home/me/my work/results/runs/fair/raw,mount_tag=job_out",
        "file:/srv/results/again/results/runs/fair/raw/console.log",
        "/usr/bin/qemu-system-x86_64",
    ]
    file = results / CELL / "provenance.json"
    file.write_text(json.dumps({"vm": {"argv": argv}, "host": "a/results/b"}))
    assert json.loads(records(results, planned)[f"{CELL}/provenance.json"]) == {
        "vm": {
            "argv": [
                "-kernel",
                "resources/kernel/debian-7.2/vmlinux",
                "local,path=results/runs/fair/raw,mount_tag=job_out",
                "file:results/runs/fair/raw/console.log",
                "/usr/bin/qemu-system-x86_64",
            ]
        },
        "host": "a/results/b",
    }


def test_a_sweep_that_is_not_finished(results: Path, planned: Planned) -> None:
    (results / CELL / "events.parquet").unlink()
    with pytest.raises(ScxvalError, match=r"events\.parquet is missing: finish the sweep"):
        records(results, planned)


def test_tables_and_figures_that_are_made(results: Path) -> None:
    assert sorted(made(results)) == [
        "compare/a/pair/divergence.svg",
        "compare/a/verdicts.csv",
        "report/tables/runs.csv",
        "study/s/figure.svg",
    ]

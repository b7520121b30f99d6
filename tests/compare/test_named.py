# SPDX-License-Identifier: MIT
"""What a user may name for a comparison, and the one line for what is not there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scxval.compare.named import named
from scxval.errors import ScxvalError
from scxval.events.capability import read_capability
from scxval.events.table import read_events

from ..conftest import ROOT
from .runs import CAPTURE, make_run, piece

TRACE = ROOT / "tests/fixtures/bpftrace-rusty"
CELL = "scx_simple/calibration/bpftrace/taskset/tcg4"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """results/runs with three repetitions of a cell, the last of which never ended."""
    root = tmp_path / "results/runs"
    for number in (0, 2, 10):
        make_run(root / CELL / f"rep{number}", piece(0, 4))
    (root / CELL / "rep11").mkdir()
    return root


def test_a_cell_is_all_its_repetitions_in_order(runs: Path, tmp_path: Path) -> None:
    found = named(CELL, [runs], tmp_path / "scratch")
    assert [run.name for run in found.runs] == ["rep0", "rep2", "rep10"]
    assert found.workload == "calibration"
    assert not found.simulated


@pytest.mark.parametrize("end", ["rep2", "rep2/", "rep2/events.parquet"])
def test_one_run_by_its_folder_or_its_table(runs: Path, tmp_path: Path, end: str) -> None:
    for given in (f"{CELL}/{end}", str(runs / CELL / end)):
        found = named(given, [runs], tmp_path / "scratch")
        assert [run.name for run in found.runs] == ["rep2"]


def test_seeds_are_simulations(tmp_path: Path) -> None:
    root = tmp_path / "sim"
    for seed in (1, 0):
        folder = make_run(root / f"builtin/x/y/z/seed{seed}", piece(0, 4))
        status = json.loads((folder / "status.json").read_text())
        del status["cell"]
        status["simulation"] = {"workload": "calibration"}
        (folder / "status.json").write_text(json.dumps(status))
    found = named("builtin/x/y/z", [tmp_path / "runs", root], tmp_path / "scratch")
    assert [run.name for run in found.runs] == ["seed0", "seed1"]
    assert found.simulated
    assert found.workload == "calibration"


def test_a_bare_table_is_a_run_of_its_whole_span(tmp_path: Path) -> None:
    for name in ("events.parquet", "capability.json"):
        shutil.copy(CAPTURE / name, tmp_path)
    found = named(str(tmp_path / "events.parquet"), [], tmp_path / "scratch")
    (run,) = found.runs
    assert read_events(run / "events.parquet").equals(read_events(CAPTURE / "events.parquet"))
    status = json.loads((run / "status.json").read_text())
    capability = read_capability(CAPTURE / "capability.json")
    assert status["window_ns"] == list(capability.window_ns or ())
    assert status["outcome"] == "ok"


def test_a_trace_is_converted(tmp_path: Path) -> None:
    trace = next(TRACE.glob("bpftrace.txt*"))
    found = named(str(trace), [], tmp_path / "scratch")
    assert read_events(found.runs[0] / "events.parquet").num_rows > 1000


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nothing/here", "nothing to compare at 'nothing/here'"),
        (f"{CELL}/rep11", "without a trace"),
    ],
)
def test_what_is_not_there_is_one_line(runs: Path, tmp_path: Path, given: str, says: str) -> None:
    with pytest.raises(ScxvalError, match=re.escape(says)) as caught:
        named(given, [runs], tmp_path / "scratch")
    assert "\n" not in str(caught.value)


def test_a_table_without_capability_is_refused(tmp_path: Path) -> None:
    shutil.copy(CAPTURE / "events.parquet", tmp_path / "other.parquet")
    with pytest.raises(ScxvalError, match=r"needs its capability\.json"):
        named(str(tmp_path / "other.parquet"), [], tmp_path / "scratch")


def test_a_folder_of_runs_and_simulations_is_refused(runs: Path, tmp_path: Path) -> None:
    status = runs / CELL / "rep2/status.json"
    status.write_text(json.dumps({**json.loads(status.read_text()), "simulation": {}}))
    with pytest.raises(ScxvalError, match="runs and simulations"):
        named(CELL, [runs], tmp_path / "scratch")

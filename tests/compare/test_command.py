# SPDX-License-Identifier: MIT
"""`scxval compare`: what it prints, writes and how it exits."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from scxval.cli import main
from scxval.compare.text import exit_status, lines
from scxval.compare.verdict import Verdict

from ..conftest import ROOT
from .runs import CAPTURE, STATUS, make_run, piece
from .test_named import TRACE as CAPTURES

TRACE = next(CAPTURES.glob("bpftrace.txt*"))
CELL = "scx_simple/calibration/bpftrace/taskset/tcg4"
QUICK = "compare={warm_up_ms: 5, resamples: 199}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the shipped configuration and nothing run."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def later(table: pa.Table, by_ns: int = 1) -> pa.Table:
    place = table.schema.get_field_index("time_ns")
    moved = pc.add(table["time_ns"], by_ns)
    return table.set_column(place, table.schema.field(place), moved)


def stretched(table: pa.Table, by: float) -> pa.Table:
    """All times from the window's start on take so much longer."""
    start = STATUS["window_ns"][0]
    place = table.schema.get_field_index("time_ns")
    time = table["time_ns"].to_numpy()
    longer = pa.array((start + (time - start) * by).astype(np.int64))
    return table.set_column(place, table.schema.field(place), longer)


def compare(*argv: str) -> int:
    return main(["compare", *argv, "--config", QUICK])


def test_one_run_with_itself_agrees(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(folder / "results/runs" / CELL / "rep0", STATUS["window_ns"])
    assert compare(f"{CELL}/rep0", str(run / "events.parquet"), "--output", "out") == 0
    out = capsys.readouterr().out
    assert out.startswith("agree: the same ")
    assert "events on both sides" in out
    record = json.loads(Path("out/verdicts.json").read_text())
    assert record["verdict"] == record["pairs"][0]["verdict"] == "agree"
    assert record["pairs"][0]["alignments"][0]["similarity"] == 1
    rows = pq.read_table("out/alignment.parquet")
    assert set(rows["op"].to_pylist()) <= {"matched", "edge"}
    assert Path("out/verdicts.csv").read_text().count("\n") > 5
    assert Path("out/pair.json").is_file()


def test_one_run_without_events_and_without_their_file(folder: Path) -> None:
    said = [("workload", "", "result_speed", "value", 12.5, "MB/s", 1)]
    for name in ("a", "b"):
        run = make_run(
            folder / name, piece(0, 4), capability={"kinds": [], "fields": {}}, reported=said
        )
        (run / "events.parquet").unlink()
    assert compare("a", "b") == 3


def test_one_run_a_side_is_inconclusive(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = folder / "results/runs"
    make_run(root / CELL / "rep0", STATUS["window_ns"])
    make_run(root / CELL / "rep1", STATUS["window_ns"], change=later)
    assert compare(f"{CELL}/rep0", f"{CELL}/rep1") == 3
    out = capsys.readouterr().out
    assert out.startswith("inconclusive: ")
    assert "one run has no spread" in out
    assert "similarity 1" in out


def test_slower_runs_disagree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        # Runs of one cell are never quite alike.
        for name, by in (("ours", 1 + number / 500), ("theirs", 2 + number / 500)):
            change = partial(stretched, by=by)
            make_run(folder / name / f"rep{number}", STATUS["window_ns"], change=change)
    assert compare("ours", "theirs", "--output", "out") == 1
    out = capsys.readouterr().out
    assert out.startswith("disagree: ")
    record: dict[str, Any] = json.loads(Path("out/verdicts.json").read_text())
    assert not record["void"]
    apart = {q["name"] for q in record["pairs"][0]["quantities"] if q["verdict"] == "disagree"}
    assert "context_switches value" in apart


def test_unpacked_tables_stay_with_the_record(folder: Path) -> None:
    for _ in range(2):
        assert compare(str(CAPTURE / "events.parquet"), str(TRACE), "--output", "out") == 3
        record = json.loads(Path("out/verdicts.json").read_text())
        for side in ("a", "b"):
            for run in record["pairs"][0][side]["runs"]:
                assert (folder / run["path"] / "events.parquet").is_file()


def test_two_workloads_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, workload in (("a", "calibration"), ("b", "yielding")):
        cell = {**STATUS["cell"], "workload": workload}
        make_run(folder / name, piece(0, 4), cell=cell)
    assert compare("a", "b") == 2
    assert "a is of workload calibration, b of yielding" in capsys.readouterr().err


def test_nothing_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("a", "b") == 2
    assert "nothing to compare at 'a'" in capsys.readouterr().err


def test_a_name_moves_no_cursor() -> None:
    control = {"name": "\x1b[2J\u202e", "passed": None, "reason": "\u00b5s"}
    assert list(lines({"pairs": [], "controls": [control]})) == [
        "  control    \\x1b[2J\\u202e: not run, \u00b5s"
    ]


def test_exit_statuses() -> None:
    assert {str(verdict): exit_status(verdict) for verdict in Verdict} == {
        "agree": 0,
        "disagree": 1,
        "inconclusive": 3,
        "not_measured": 3,
        "unsupported": 3,
    }

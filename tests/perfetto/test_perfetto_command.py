# SPDX-License-Identifier: MIT
"""`scxval export`, `scxval view` and the rule's command: what they take, write, say and refuse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from scxval.cli import main
from scxval.perfetto.__main__ import main as rule

from ..captures import FIXTURES
from .read_back import KERNEL, SIMULATOR, read_back

CELL = "scx_simple/periodic_mix/bpftrace/taskset/tcg4/rep5"
SIMULATION = "builtin/scx_simple/periodic_mix/tcg4/seed0"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the fixtures where a run and a simulation lie."""
    shutil.copytree(KERNEL, tmp_path / "results/runs" / CELL)
    shutil.copytree(SIMULATOR, tmp_path / "results/sim" / SIMULATION)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_cell_and_its_simulation(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["export", CELL, "--with", f"sim/{SIMULATION}", "--output", "out/x.pftrace"]
    assert main(argv) == 0
    back = read_back(results / "out/x.pftrace")
    assert {track.split(":")[0] for track in back.tracks} == {"kernel", "simulator"}
    size = (results / "out/x.pftrace").stat().st_size
    out = capsys.readouterr().out
    assert out.startswith(f"out/x.pftrace: {size} bytes of 11802 events\n")
    assert "1724.3 of 2523.8 ms of the workload were traced" in out


@pytest.mark.parametrize(
    "given",
    [
        f"results/runs/{CELL}",
        f"results/runs/{CELL}/events.parquet",
        str(FIXTURES / "ftrace/ftrace.tar.gz"),
        str(FIXTURES / "scxsim-standin/scxsim.json"),
    ],
)
def test_folders_tables_and_traces(results: Path, given: str) -> None:
    assert main(["export", given, "--output", "x.pftrace"]) == 0
    assert read_back(results / "x.pftrace").counts()["slice"] > 100


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([CELL, "--output", "x.txt"], "end its name with .pftrace or .json"),
        (["nothing", "--output", "x.json"], "nothing to compare at 'nothing'"),
        ([CELL.removesuffix("/rep5"), "--output", "x.json"], "runs: name one of them"),
        ([CELL, "--output", "results/runs/x.json/"], "cannot write"),
        ([CELL, "--with", "sim/nothing", "--output", "x.json"], "nothing"),
    ],
)
def test_mistakes_are_one_line(
    results: Path, argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(
        results / "results/runs" / CELL, (results / "results/runs" / CELL).with_name("rep6")
    )
    (results / "results/runs/x.json").mkdir()
    assert main(["export", *argv]) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
    assert not list(results.glob("*.part")) and not (results / "x.json").exists()


def test_the_rule_writes_both_sides(tmp_path: Path) -> None:
    out = tmp_path / "deep/x.pftrace"
    assert rule(["--run", str(KERNEL), "--simulation", str(SIMULATOR), "--output", str(out)]) == 0
    assert {track.split(":")[0] for track in read_back(out).tracks} == {"kernel", "simulator"}
    assert rule(["--run", str(KERNEL), "--simulation", "--output", str(out)]) == 0
    assert {track.split(":")[0] for track in read_back(out).tracks} == {"kernel"}


def test_the_rule_says_in_the_trace_what_is_not_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(KERNEL, run)
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(
        json.dumps({**status, "outcome": "boot_failed", "reason": "no console", "window_ns": None})
    )
    (run / "capability.json").write_text('{"source": "x", "kinds": [], "window_ns": null}')
    out = tmp_path / "x.pftrace"
    assert rule(["--run", str(run), "--simulation", str(SIMULATOR), "--output", str(out)]) == 0
    back = read_back(out)
    said = [e.name or "" for e in back.events if e.track == "not drawn"]
    assert len(said) == 1 and "no events in it: boot_failed: no console" in said[0]
    assert any(track.startswith("simulator:") for track in back.tracks)


def test_view_serves_until_it_is_interrupted(results: Path) -> None:
    viewer = subprocess.Popen(
        [sys.executable, "-m", "scxval", "view", CELL, "--port", "0", "--no-browser"],
        cwd=results,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert viewer.stdout is not None
        lines = iter(viewer.stdout.readline, "")
        url = next(line for line in lines if line.startswith("http://127.0.0.1:"))
        root = url.split("#")[0]
        with urllib.request.urlopen(f"{root}localtrace", timeout=10) as answer:
            assert len(answer.read()) > 100_000
    finally:
        viewer.send_signal(signal.SIGINT)
        viewer.wait(20)
    assert viewer.returncode == 0

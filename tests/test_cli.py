# SPDX-License-Identifier: MIT
"""The `scxval` command: what it prints and how it exits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scxval.cli import main
from scxval.doctor import Finding, check_program, examine, format_findings
from scxval.events.table import read_events

from .conftest import ROOT

CELL = "fair/periodic_mix/none/taskset/tcg4/rep0"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the shipped configuration and nothing run."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def probed(folder: Path) -> None:
    (folder / "resources/probe").mkdir(parents=True)
    record = {"kvm": {"works": False, "reason": "dies"}, "tcg": {"works": True, "reason": ""}}
    (folder / "resources/probe/accelerator.json").write_text(json.dumps(record))


def test_cells_lists_plan_and_exclusions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probed(folder)
    assert (
        main(
            ["cells", "--config", "machine=[kvm4,tcg4]", "tracer=none", "reps=1", "simulator=none"]
        )
        == 0
    )
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert CELL in lines
    kvm = [line for line in lines if "/kvm4/" in line]
    assert len(kvm) == 4
    assert all("unsupported: accelerator kvm did not boot" in line for line in kvm)
    assert "4 cells planned, 4 excluded" in err
    assert "about 76 MiB of disk (" in err
    assert "and 2368 MiB of memory (" in err


def test_cells_before_the_probe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cells"]) == 0
    assert "auto4: decided by the probe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["cells", "--config", "scheduler=scx_rust"], "did you mean 'scx_rusty'"),
        (["cells", "--config", "scheduler"], "expected KEY=VALUE"),
        (["cells", "--configfile", "none.yaml"], "cannot read none.yaml"),
        (["show", "nonsense"], "not a cell"),
        (["show", CELL], "has not been run"),
        (["convert", "none.txt"], "no file none.txt"),
        (["report"], "plan.json"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.startswith("scxval: ")
    assert len(err.splitlines()) == 1


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "results/runs" / CELL
    path.mkdir(parents=True)
    status = {
        "outcome": "workload_failed",
        "reason": "rt-app ended with exit code 2",
        "log": "workload.log",
        "log_tail": ["bad key"],
        "exit_codes": {"workload": 2, "scheduler": None},
        "scheduler": {"before": {"state": "disabled"}, "after": None},
        "tracer": {"ready": False, "lost": None},
        "wall_s": {"total": 9.5, "boot": 4.0},
        "raw": {"workload.log": {"bytes": 8, "sha256": "0"}},
    }
    (path / "status.json").write_text(json.dumps(status))
    assert main(["show", f"results/runs/{CELL}/"]) == 1
    out = capsys.readouterr().out
    for part in ("workload_failed", "rt-app ended with", "workload 2, scheduler -", "bad key"):
        assert part in out
    assert f"snakemake --forcerun results/runs/{CELL}/status.json" in out
    (path / "status.json").write_text(json.dumps({**status, "outcome": "ok", "reason": ""}))
    assert main(["show", CELL]) == 0
    assert "--forcerun" not in capsys.readouterr().out


def test_convert(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = folder / "mine.txt.gz"
    shutil.copy(ROOT / "tests/fixtures/bpftrace-rusty/bpftrace.txt.gz", trace)
    assert main(["convert", str(trace)]) == 0
    table = read_events(folder / "mine.txt.gz.events.parquet")
    assert table.num_rows > 20_000
    assert f"{table.num_rows} events in " in capsys.readouterr().out
    (folder / "other").write_text("no trace at all\n")
    assert main(["convert", "other"]) == 2
    assert "bpftrace" in capsys.readouterr().err


def test_doctor_looks_at_this_machine(folder: Path) -> None:
    findings = {finding.name: finding for finding in examine(folder)}
    assert findings["Python 3.11 or newer"].ok
    assert not findings["guest files"].ok
    assert findings["guest files"].fix == "make provision"
    assert findings["guest files"].detail == "no kernel; no image"
    for name in ("kernel/debian-7.2/vmlinux", "guest/guest.erofs"):
        file = folder / "resources" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = {f.name: f for f in examine(folder)}["guest files"]
    assert found.ok
    assert found.detail == "debian-7.2; an image"
    probed(folder)
    findings = {finding.name: finding for finding in examine(folder)}
    assert findings["accelerator"].ok
    assert "kvm fails: dies" in findings["accelerator"].detail


def test_doctor_names_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scxval.doctor.shutil.which", lambda *_args, **_kw: None)
    finding = check_program("cpio")
    assert not finding.ok
    text = format_findings([finding, Finding("x", False, "y", "z", fatal=False)])
    assert text.splitlines() == [
        "MISSING cpio: not found",
        "        -> apt-get install --no-install-recommends cpio",
        "note    x: y",
        "        -> z",
    ]


def test_workloads_lists_questions_and_what_the_simulator_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["workloads"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    at = lines.index("producer_consumer  rt-app  simulators: builtin yes, scxsim yes")
    assert lines[at + 1].startswith("    how soon does a consumer run")
    at = lines.index("periodic_mix  rt-app  simulators: builtin yes, scxsim no")
    assert lines[at + 2].startswith("    not for scxsim: timer: a plain sleep")
    at = lines.index("hackbench  command  simulators: builtin no, scxsim no")
    assert lines[at + 2].startswith("    not for builtin: a command")
    assert err == "20 workloads, 14 for builtin, 10 for scxsim\n"


def test_cells_lists_simulations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probed(folder)
    axes = ["machine=tcg4", "scheduler=[scx_simple,scx_rusty]", "tracer=none", "seeds=[3]"]
    assert main(["cells", "--config", *axes]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "sim/builtin/scx_simple/periodic_mix/tcg4/seed3" in lines
    assert "scx_simple/calibration/bpftrace/taskset/tcg4/rep0" in lines
    assert "simulations planned" in err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nothing.json"], "unknown workload"),
        (["periodic_mix", "--cpus", "0"], "at least one"),
        (["periodic_mix", "--cpus", "2", "--machine", "tcg4"], "name one of them"),
        (["periodic_mix", "--machine", "tcg5"], "unknown machine"),
        (["periodic_mix", "--seed", "-1"], "a seed is 0"),
        (["periodic_mix", "--simulator", "bultin"], "did you mean 'builtin'"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *argv, "--scheduler", "scx_simple", "--output", "out"]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1

# SPDX-License-Identifier: MIT
"""The examples of docs/adding.md, taken from the page and tried."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

import scxval.tracers
from scxval.catalog.config import parse_config, read_config_files
from scxval.catalog.matrix import Host, plan
from scxval.cli import main
from scxval.events.metrics import measure
from scxval.tracers.convert import recognise

from ..conftest import ROOT

BLOCK = re.compile(r"^```(\w+)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """The page's files by name."""
    page = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
    return {name: content for _, name, content in BLOCK.findall(page)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (tmp_path / "config").symlink_to(ROOT / "config")
    return tmp_path


@pytest.fixture
def module(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracer's folder, as if it lay among the others."""
    folder = tree / "src/scxval/tracers"
    monkeypatch.setattr(scxval.tracers, "__path__", [*scxval.tracers.__path__, str(folder)])
    yield
    for name in [name for name in sys.modules if name.startswith("scxval.tracers.switches")]:
        del sys.modules[name]


def config(tree: Path, **axes: object) -> object:
    raw = read_config_files([ROOT / "config/config.yaml"])
    return parse_config({**raw, "catalog": ["config/catalog", "my"], **axes}, tree)


def test_the_page_has_these_files() -> None:
    assert set(files()) == {
        "my/schedulers.yaml",
        "my/workloads.yaml",
        "my/pulse.json",
        "my/tracers.yaml",
        "src/scxval/tracers/switches/__init__.py",
        "src/scxval/tracers/switches/convert.py",
        "switches.txt",
    }


def test_scheduler_and_workload_are_planned(tree: Path) -> None:
    made = plan(
        config(
            tree,
            scheduler=["scx_simple_fifo"],
            workload=["pulse"],
            machine=["tcg4"],
            simulator="none",
        ),
        Host(16384, {"tcg": True}),
    )
    groups = {cell.group for cell in made.cells}
    assert ("scx_simple_fifo", "pulse", "bpftrace", "taskset", "tcg4") in groups
    assert made.excluded == []


def test_the_command_of_the_page_understands_them(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if line.startswith("    scxval cells"))
    monkeypatch.chdir(tree)
    # Which machine `auto4` is only the probe knows.
    assert main([*shlex.split(line)[1:], "machine=tcg4"]) == 0
    planned = capsys.readouterr().out
    assert "scx_simple_fifo/pulse/bpftrace/taskset/" in planned


def test_the_tracer_is_run_and_read(tree: Path, module: None) -> None:
    made = plan(
        config(
            tree,
            tracer=["none", "switches", "bpftrace+switches"],
            machine=["tcg4"],
            simulator="none",
        ),
        Host(16384, {"tcg": True}),
    )
    assert {cell.tracer for cell in made.cells} >= {"none", "switches", "bpftrace+switches"}
    from scxval.tracers.switches import command
    from scxval.tracers.switches.convert import convert

    asked = command({}, frozenset())
    assert "sched_switch" in asked.files["switches.bt"] and asked.argv[0] == "bpftrace"
    assert recognise(tree / "switches.txt") == "switches"
    found = convert(tree / "switches.txt")
    assert (found.capability.unparsed, found.capability.examples) == (1, ["a line that is none"])
    rows = measure(found.table, found.capability, (1_000_000, 1_003_000), [0, 1]).to_pylist()
    run_time = {
        row["name"]: row["value"]
        for row in rows
        if (row["scope"], row["metric"]) == ("task", "run_time")
    }
    # 0.5 ms on CPU 0, 0.5 ms on CPU 1; the hog before and after it.
    assert run_time["pulse"] == 500 + 500
    wakeups = [r for r in rows if r["metric"] == "wakeup_latency" and r["stat"] == "count"]
    assert {row["value"] for row in wakeups} <= {None}

# SPDX-License-Identifier: MIT
"""The inventory: another content of any table is another inventory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scxval.inventory import main

CELL = "fair/w/bpftrace/none/tcg4/rep0"


def make(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    names = ("plan", "runs", "simulations", "output")
    files = ("plan.json", "runs", "sim", "inventory.json")
    words = [f"--{n}={folder / f}" for n, f in zip(names, files, strict=True)]
    assert main(words) == 0
    found: dict[str, dict[str, dict[str, str]]] = json.loads(
        (folder / "inventory.json").read_text()
    )
    return found


def test_every_table_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"cells": [CELL], "simulations": ["s/seed0"]}))
    part = tmp_path / "runs" / CELL / "parts/bpftrace"
    part.mkdir(parents=True)
    (tmp_path / "sim/s/seed0").mkdir(parents=True)
    (part / "events.parquet").write_text("a")
    (tmp_path / "runs" / CELL / "status.json").write_text("b")
    (tmp_path / "sim/s/seed0/events.parquet").write_text("c")
    found = make(tmp_path)
    assert sorted(found["runs"][CELL]) == ["parts/bpftrace/events.parquet", "status.json"]
    assert list(found["simulations"]["s/seed0"]) == ["events.parquet"]
    (part / "events.parquet").write_text("d")
    changed = make(tmp_path)
    assert changed["simulations"] == found["simulations"] and changed["runs"] != found["runs"]


def test_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text("{}")
    words = ["--runs=r", "--simulations=s", f"--output={tmp_path / 'o'}"]
    assert main([f"--plan={tmp_path / 'plan.json'}", *words]) == 2
    assert "not a plan" in capsys.readouterr().err

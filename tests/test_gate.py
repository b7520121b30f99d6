# SPDX-License-Identifier: MIT
"""The gate counts what is not ok, a missing status included."""

from __future__ import annotations

import json
from pathlib import Path

from scxval.gate import gate

CELLS = [f"fair/mix/none/none/tcg2/rep{n}" for n in range(3)]


def tree(tmp_path: Path, outcomes: list[str | None]) -> Path:
    for cell, outcome in zip(CELLS, outcomes, strict=True):
        if outcome:
            folder = tmp_path / "runs" / cell
            folder.mkdir(parents=True)
            (folder / "status.json").write_text(json.dumps({"outcome": outcome}))
    excluded = [{"cell": "x", "outcome": "unsupported", "reason": "y"}]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"cells": CELLS, "excluded": excluded}))
    return plan


def test_all_ok(tmp_path: Path) -> None:
    verdict = gate(tree(tmp_path, ["ok"] * 3), tmp_path / "runs", 0)
    assert verdict["pass"]
    assert verdict["outcomes"] == {"ok": 3}
    assert verdict["excluded"] == 1


def test_failures_and_gaps_are_bad(tmp_path: Path) -> None:
    plan = tree(tmp_path, ["ok", "panic", None])
    verdict = gate(plan, tmp_path / "runs", 1)
    assert not verdict["pass"]
    assert verdict["bad"] == {CELLS[1]: "panic", CELLS[2]: "not_run"}
    assert gate(plan, tmp_path / "runs", 2)["pass"]


def test_simulations_count_but_for_unsupported_ones(tmp_path: Path) -> None:
    plan = tree(tmp_path, ["ok"] * 3)
    names = [f"builtin/scx_simple/mix/tcg2/seed{n}" for n in range(4)]
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "simulations": names}))
    for name, outcome in zip(names, ("ok", "unsupported", "simulator_failed"), strict=False):
        folder = tmp_path / "sim" / name
        folder.mkdir(parents=True)
        (folder / "status.json").write_text(json.dumps({"outcome": outcome}))
    verdict = gate(plan, tmp_path / "runs", 0, tmp_path / "sim")
    assert verdict["bad"] == {f"sim/{names[2]}": "simulator_failed", f"sim/{names[3]}": "not_run"}
    assert not verdict["pass"]

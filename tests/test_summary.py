# SPDX-License-Identifier: MIT
"""summary.json over a small tree: everything planned is in it, and what cannot be read is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.comparison import parse_compare
from scxval.compare.verdict import Judgement, Verdict
from scxval.study.record import Study
from scxval.study.table import write_study
from scxval.summary import main, summarise

from .conftest import ROOT

RUNS = ROOT / "tests/fixtures/history"
CELL = "scx_simple/periodic_mix/bpftrace/taskset/tcg4/rep0"


def tree(root: Path) -> None:
    plan = {
        "cells": [CELL, CELL.replace("rep0", "rep1")],
        "excluded": [{"cell": "x", "outcome": "unsupported", "reason": "y"}],
        "simulations": ["builtin/scx_simple/periodic_mix/tcg4/seed0"],
        "pairs": {"tracer": [], "machine": []},
    }
    (root / "plan.json").write_text(json.dumps(plan))
    shutil.copytree(RUNS, root / "runs")
    file = root / "runs" / CELL / "provenance.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "node": {"name": "n1"}}))
    quantity = {"verdict": "agree", "power": 0.4, "needed_runs": 12}
    shown = {**quantity, "verdict": None, "power": 0.1}
    pair = {
        "path": "p",
        "verdict": "inconclusive",
        "void": [],
        "reason": "few",
        "a": {"used": 3},
        "b": {"used": 2},
        "quantities": [quantity, shown],
    }
    family = {
        "verdict": "inconclusive",
        "reason": "few",
        "void": [],
        "questions": 1,
        "pairs": [pair],
    }
    (root / "compare/tracer").mkdir(parents=True)
    (root / "compare/tracer/verdicts.json").write_text(json.dumps(family))
    made = Study("ranking", "R", "?", Judgement(Verdict.NOT_MEASURED, "none"), figure="<svg/>")
    write_study(made, root / "study/ranking")
    (root / "study/isolation").mkdir()
    (root / "study/isolation/study.json").write_text("{")


def test_all_of_it(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    tree(tmp_path)
    how = parse_compare(raw_config["compare"])
    folders = [tmp_path / name for name in ("runs", "sim", "compare", "study")]
    found = summarise(tmp_path / "plan.json", *folders, how)
    assert found["cells"]["outcomes"] == {"not_run": 1, "ok": 1}
    assert found["cells"]["not_ok"] == [
        {"path": CELL.replace("rep0", "rep1"), "outcome": "not_run", "reason": "no status.json"}
    ]
    assert (found["cells"]["planned"], found["cells"]["excluded"]) == (2, 1)
    assert found["simulations"]["outcomes"] == {"not_run": 1}
    (pair,) = found["families"]["tracer"]["pairs"]
    assert pair["runs"] == [3, 2] and pair["quantities"] == {"agree": 1}
    assert (pair["least_power"], pair["most_needed_runs"]) == (0.4, 12)
    assert found["families"]["machine"]["verdict"] == "not_measured"
    assert found["studies"] == {
        "ranking": {"verdict": "not_measured", "reason": "none", "findings": {}, "cannot_tell": []}
    }
    assert [problem.split(":")[0] for problem in found["problems"]] == [
        "family machine",
        "study isolation",
    ]
    assert found["versions"]["node"] == ["n1"]
    (kernel,) = found["versions"]["kernel"]
    assert kernel.startswith("7.2.12+deb14-amd64")
    (group,) = found["groups"]
    assert group["path"] == CELL.removesuffix("/rep0")
    latency = next(q for q in group["quantities"] if q["what"] == "wakeup_latency p50")
    assert latency["n"] == 1 and latency["sd"] is None and latency["mean"] > 0


def test_the_command(
    tmp_path: Path, raw_config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import asdict

    tree(tmp_path)
    how = json.dumps(asdict(parse_compare(raw_config["compare"])))
    names = {"plan": "plan.json", "runs": "runs", "simulations": "sim", "studies": "study"}
    arguments = [w for name, place in names.items() for w in (f"--{name}", str(tmp_path / place))]
    rest = ["--compare-root", str(tmp_path / "compare"), "--compare", how]
    output = ["--output", str(tmp_path / "summary.json")]
    assert main([*arguments, *rest, *output]) == 0
    first = (tmp_path / "summary.json").read_bytes()
    assert main([*arguments, *rest, *output]) == 0
    assert (tmp_path / "summary.json").read_bytes() == first
    (tmp_path / "plan.json").write_text('{"cells": 3}')
    assert main([*arguments, *rest, *output]) == 2
    assert capsys.readouterr().err.startswith(f"scxval summary: {tmp_path}/plan.json: not a plan")

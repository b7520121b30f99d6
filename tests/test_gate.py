# SPDX-License-Identifier: MIT
"""The gate: every threshold passes at its limit and fails beyond it; gate.json is there in either case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import Gate
from scxval.errors import ScxvalError
from scxval.gate import judge, main

LOOSE = Gate(max_bad_cells=9, max_bad_share=1.0, fail_on={}, allow_void=True, max_regressions=None)
REGRESSION = {
    "place": "scx_simple/mix",
    "what": "wakeup_latency p50",
    "night": "2026-11-01",
    "before": 100.0,
    "after": 150.0,
    "unit": "ns",
    "new": True,
    "explained": False,
}


def summary(**more: Any) -> dict[str, Any]:
    pair = {"path": "a_vs_b/x", "verdict": "disagree", "void": False, "reason": "too far"}
    cells = [{"path": "fair/rep0", "outcome": "panic", "reason": "kernel panic"}]
    return {
        "cells": {"planned": 4, "excluded": 1, "outcomes": {"ok": 3, "panic": 1}, "not_ok": cells},
        "simulations": {"planned": 0, "excluded": 0, "outcomes": {}, "not_ok": []},
        "families": {"version": {"verdict": "disagree", "pairs": [pair]}},
        "studies": {"ranking": {"verdict": "inconclusive", "reason": "three schedulers"}},
        "problems": [],
        **more,
    }


def gate(**more: Any) -> Gate:
    return Gate(**{**LOOSE.__dict__, **more})


@pytest.mark.parametrize(
    ("passes", "fails", "says"),
    [
        ({"max_bad_cells": 1}, {"max_bad_cells": 0}, "1 bad cells, 0 allowed: fair/rep0: panic"),
        (
            {"max_bad_share": 0.25},
            {"max_bad_share": 0.2},
            "25.0% of 4 cells are bad, 20.0% allowed",
        ),
        (
            {"fail_on": {"version": ["agree"]}},
            {"fail_on": {"version": ["disagree"]}},
            "family version: a_vs_b/x: disagree: too far",
        ),
        (
            {"fail_on": {"ranking": ["disagree"]}},
            {"fail_on": {"ranking": ["disagree", "inconclusive"]}},
            "study ranking: inconclusive: three schedulers",
        ),
        (
            {"max_regressions": 1},
            {"max_regressions": 0},
            "1 new regressions, 0 allowed: scx_simple/mix",
        ),
    ],
)
def test_a_threshold(passes: dict[str, Any], fails: dict[str, Any], says: str) -> None:
    history = {"regressions": [REGRESSION]}
    assert judge(summary(), gate(**passes), history)["pass"]
    found = judge(summary(), gate(**fails), history)
    assert not found["pass"] and len(found["reasons"]) == 1
    assert found["reasons"][0].startswith(says)


def test_void_pairs() -> None:
    void = {"path": "a_vs_b/x", "verdict": "inconclusive", "void": True, "reason": "control failed"}
    some = summary(families={"version": {"verdict": "inconclusive", "pairs": [void]}})
    assert judge(some, LOOSE)["pass"]
    assert judge(some, gate(allow_void=False))["reasons"] == [
        "family version: a_vs_b/x is void: control failed"
    ]


def test_an_unsupported_simulation_is_no_failure() -> None:
    ended = [
        {"path": "builtin/a", "outcome": "unsupported", "reason": ""},
        {"path": "builtin/b", "outcome": "simulator_failed", "reason": ""},
    ]
    some = summary(simulations={"planned": 2, "excluded": 0, "outcomes": {}, "not_ok": ended})
    assert judge(some, gate(max_bad_cells=0))["bad"] == {
        "fair/rep0": "panic",
        "sim/builtin/b": "simulator_failed",
    }


def test_regressions_without_a_history() -> None:
    assert "run `snakemake history`" in judge(summary(), gate(max_regressions=0))["reasons"][0]


def test_what_cannot_be_read_fails() -> None:
    found = judge(summary(problems=["family tracer: no verdicts.json"]), LOOSE)
    assert found["reasons"] == ["cannot be read: family tracer: no verdicts.json"]


def test_a_name_that_is_none() -> None:
    with pytest.raises(ScxvalError, match="no family or study 'versoin' in the summary: version, "):
        judge(summary(), gate(fail_on={"versoin": ["disagree"]}))


def test_both_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(summary()))
    verdict = tmp_path / "gate.json"
    for most, status in ((1, 0), (0, 1)):
        settings = json.dumps(gate(max_bad_cells=most).__dict__)
        step = ["judge", "--summary", str(tmp_path / "summary.json"), "--settings", settings]
        assert main([*step, "--history", "--output", str(verdict)]) == 0
        assert json.loads(verdict.read_text())["pass"] is (status == 0)
        assert main(["check", str(verdict)]) == status
    assert capsys.readouterr().err == "gate: 1 bad cells, 0 allowed: fair/rep0: panic\n"
    assert main(["check", str(tmp_path / "none.json")]) == 2

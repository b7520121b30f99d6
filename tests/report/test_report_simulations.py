# SPDX-License-Identifier: MIT
"""The section on simulations: rows, reasons, parameters; nothing without simulations, and no lie
about bad files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_tree import IMG, Page

from scxval.errors import ScxvalError
from scxval.report import build_report

DONE = "builtin/scx_simple/mix/tcg4/seed0"


def page_of(tmp_path: Path, **plan: Any) -> Page:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"cells": [], "excluded": [], **plan}))
    output = tmp_path / "index.html"
    build_report(path, tmp_path / "runs", output, 50, None, tmp_path / "sim")
    return Page(output.read_text())


def write_status(tmp_path: Path, path: str, **changes: Any) -> None:
    folder = tmp_path / "sim" / path
    folder.mkdir(parents=True)
    status = {"outcome": "ok", "reason": "", "policy": "code", "simulated_s": 2.0, "wall_s": 0.5}
    (folder / "status.json").write_text(json.dumps({**status, **changes}))
    (folder / "capability.json").write_text(json.dumps({"events": 1234}))


def rows(page: Page) -> list[str]:
    return [e.text for e in page.all("tr")]


def test_a_row_each_with_whose_decisions_and_speed(tmp_path: Path) -> None:
    write_status(tmp_path, DONE)
    bad = DONE.replace("seed0", "seed1")
    write_status(tmp_path, bad, outcome="scheduler_ejected", reason=IMG, policy="model")
    missing, broken = DONE.replace("seed0", "seed2"), DONE.replace("seed0", "seed3")
    (tmp_path / "sim" / broken).mkdir(parents=True)
    (tmp_path / "sim" / broken / "status.json").write_text("{}")
    page = page_of(tmp_path, simulations=[DONE, bad, missing, broken])
    (done,) = [row for row in rows(page) if row.startswith(DONE)]
    for word in ("ok", "the scheduler's own code", "1234", "4.0"):
        assert word in done
    text = " ".join(rows(page))
    assert "scheduler_ejected" in text
    assert IMG in text
    assert "not run" in text
    assert "unreadable" in text
    assert not page.all("img")


def test_reasons_are_grouped_and_parameters_have_sources(tmp_path: Path) -> None:
    write_status(tmp_path, DONE)
    folder = tmp_path / "sim/calibration"
    folder.mkdir()
    record = {
        "parameters": {"tick_ns": 4_000_000, "wake_ns": 3000},
        "sources": {"tick_ns": "calibration cell x: 9 ticks", "wake_ns": "default: 3 wakeups"},
    }
    (folder / "tcg4.json").write_text(json.dumps(record))
    excluded = [
        {
            "simulation": f"builtin/fair/mix/tcg4/seed{n}",
            "outcome": "unsupported",
            "reason": "no model",
        }
        for n in (0, 1)
    ]
    page = page_of(tmp_path, simulations=[DONE], excluded_simulations=excluded)
    text = " ".join(rows(page))
    assert text.count("no model") == 1
    assert text.count("builtin/fair/mix/tcg4") == 1
    assert "default: 3 wakeups" in text
    (summary,) = [e.text for e in page.all("summary") if e.text.startswith("Parameters of tcg4")]
    assert "1 of 2 from a run" in summary


def test_a_plan_without_simulations_has_no_section(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert not [e for e in page.elements if e.attrs.get("id") == "simulations"]


@pytest.mark.parametrize(
    "plan", [{"simulations": ["a/../b/c/d"]}, {"excluded_simulations": [{"outcome": "ok"}]}]
)
def test_a_plan_that_lies_is_refused(tmp_path: Path, plan: dict[str, Any]) -> None:
    with pytest.raises(ScxvalError, match="simulation"):
        page_of(tmp_path, **plan)

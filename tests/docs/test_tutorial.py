# SPDX-License-Identifier: MIT
"""The tutorial's verdict, computed again from the runs it tells of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scxval.catalog.config import parse_config, read_config_files
from scxval.compare.statistics.multiple import holm
from scxval.compare.statistics.question import Answer, ask
from scxval.compare.statistics.side import Side

from ..conftest import ROOT

REAL = json.loads((ROOT / "tests/fixtures/docs/isolation.json").read_text(encoding="utf-8"))
TIMES = "\N{MULTIPLICATION SIGN}"
PAGE = " ".join((ROOT / "docs/tutorial.md").read_text(encoding="utf-8").split())


def answer(sides: dict[str, Any]) -> Answer:
    """With the margin that is shipped, so that the page fails when that is changed."""
    config = parse_config(read_config_files([ROOT / "config/config.yaml"]), ROOT)
    asked = next(
        item
        for item in config.compare.quantities
        if (item.metric, item.stat) == ("wakeup_latency", "p50")
    )
    a, b = Side(tuple(sides["a"])), Side(tuple(sides["b"]))
    return ask(a, b, asked.margin, config.compare, REAL["questions"])


def test_the_line_that_is_explained() -> None:
    found = answer(REAL)
    assert found.effect.low is not None and found.effect.high is not None
    low, high = found.agree_low / found.mean_a, found.agree_high / found.mean_a
    line = " | ".join(
        [
            "wakeup_latency p50 | disagree",
            f"{TIMES} {found.effect.estimate:.2f}",
            f"{found.effect.low:.2f} to {found.effect.high:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{found.n_a} and {found.n_b}",
            f"{found.power:.2f}",
            f"{found.needed_runs}",
        ]
    )
    assert f"| {line} |" in PAGE


def test_the_values_it_gives() -> None:
    found = answer(REAL)
    assert f"{found.mean_a / 1e6:.1f} ms" in PAGE and f"{found.mean_b / 1e6:.1f} ms" in PAGE
    for side in ("a", "b"):
        assert ", ".join(f"{value / 1e6:.1f}" for value in REAL[side]) in PAGE


def test_its_p() -> None:
    found = answer(REAL)
    assert found.p_beyond is not None
    assert REAL["p_beyond"].count(pytest.approx(found.p_beyond)) == 1
    place = next(
        k for k, p in enumerate(REAL["p_beyond"]) if p == pytest.approx(found.p_beyond, rel=1e-6)
    )
    adjusted = holm(REAL["p_beyond"])[place]
    assert f"{found.p_beyond:.7f}" in PAGE and f"{adjusted:.6f}" in PAGE
    assert f"{REAL['questions']} questions" in PAGE


def test_controls_are_quoted() -> None:
    assert all(reason.split(";")[0] in PAGE for reason in REAL["controls"])


def test_the_void_pair() -> None:
    found = answer(REAL["void"])
    assert found.effect.low is not None and found.effect.high is not None
    assert REAL["void"]["why"][0] in PAGE
    assert (
        f"{TIMES} {found.effect.estimate:.2f} ({found.effect.low:.2f} to {found.effect.high:.2f})"
        in PAGE
    )
    assert f"{found.needed_runs} runs a side" in PAGE

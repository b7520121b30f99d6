# SPDX-License-Identifier: MIT
"""The study of history: its tables are made, its promise is checked, and docs/history.md has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scxval.compare.statistics.study import BEGIN, END
from scxval.history.study import MEAN, STEADY, Alarms, main, remembering

from ..conftest import ROOT


def test_tables_are_put_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert main(["--trials", "2", "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "stale" not in text
    assert all(f"| {case} |" in text for case in STEADY)
    first = page.read_bytes()
    assert main(["--trials", "2", "--write", str(page)]) == 0
    assert page.read_bytes() == first


def test_the_page_has_all_cases() -> None:
    text = (ROOT / "docs/history.md").read_text()
    measured = text.split(BEGIN)[1].split(END)[0]
    assert all(f"| {case} |" in measured for case in STEADY)


def test_bad_arguments(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--trials", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "promised", "holds"),
    [(0, True, True), (14, True, True), (40, True, False), (40, False, True)],
)
def test_a_broken_promise_is_seen(told: int, promised: bool, holds: bool) -> None:
    # 1000 years of one of 100 series: 10 are allowed, and 14 can come by chance.
    assert Alarms("case", 100, told, 1000, promised).holds == holds


def test_nights_that_remember_do() -> None:
    means = remembering(0.6)(np.random.default_rng(1), 20_000) - MEAN
    assert np.corrcoef(means[1:], means[:-1])[0, 1] == pytest.approx(0.6, abs=0.03)
    assert means.std() == pytest.approx(8, rel=0.05)

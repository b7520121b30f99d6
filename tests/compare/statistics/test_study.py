# SPDX-License-Identifier: MIT
"""The method's promises, held to with the trials a test can afford, and the page that prints them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scxval.compare.statistics import experiments, study
from scxval.compare.statistics.experiments import PARTS, Rate

PAGE = Path(__file__).parents[3] / "docs" / "method.md"
TRIALS = 1000


@pytest.mark.parametrize("part", PARTS)
def test_every_promise_holds(part: str) -> None:
    assert not [rate for rate in study.measure(part, TRIALS) if not rate.holds]


def test_a_broken_promise_is_seen() -> None:
    """The bound is what a test of pooled events would break many times over."""
    assert not Rate("", "3", 880, 1000, 0.05).holds
    assert not Rate("", "3", 80, 1000, 0.05).holds
    assert Rate("", "3", 50, 1000, 0.05).holds
    assert not Rate("", "3", 700, 1000, 0.8, least=True).holds
    assert Rate("", "3", 880, 1000, None).holds


def test_a_method_that_errs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Student's margin of error halved: every part that it matters to must notice."""
    right = experiments.within_and_beyond

    def wrong(a, b, ratio, absolute):
        halved = [experiments.Moments(side.mean, side.sd / 2, side.n) for side in (a, b)]
        return right(*halved, ratio, absolute)

    monkeypatch.setattr(experiments, "within_and_beyond", wrong)
    for part in ("no_difference", "beyond_the_margin", "within_the_margin", "whole_family"):
        assert not all(rate.holds for rate in study.measure(part, TRIALS)), part


def test_pairs_that_count_twice_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = experiments.within_and_beyond_pairs

    def wrong(a, b, ratio, absolute):
        return right(a.repeat(2, axis=1), b.repeat(2, axis=1), ratio, absolute)

    monkeypatch.setattr(experiments, "within_and_beyond_pairs", wrong)
    for part in ("pairs_without_difference", "pairs_on_the_edge"):
        assert not all(rate.holds for rate in study.measure(part, TRIALS)), part


def test_the_same_trials_give_the_same_rates() -> None:
    assert study.measure("unlike_sides", 200) == study.measure("unlike_sides", 200)


def shape(text: str) -> list[str]:
    """A table without its numbers: cases, runs and promises."""
    lines = [line for line in text.splitlines() if line.startswith(("|", "**"))]
    cells = [re.split(r" \| ", line) for line in lines]
    return [
        re.sub(r"[\d,]+( or [\d,]+)? trials", "trials", row[0])
        + ("" if len(row) == 1 else f" | {row[-1]}")
        for row in cells
    ]


def test_the_page_has_what_the_study_prints() -> None:
    page = PAGE.read_text(encoding="utf-8")
    printed = page.split(study.BEGIN)[1].split(study.END)[0]
    expected = "\n\n".join(study.table(part, study.measure(part, 30)) for part in PARTS)
    assert shape(printed) == shape(expected)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert study.main(["--part", "enough_runs", "--trials", "300"]) == 0
    out = capsys.readouterr().out
    assert "| runs a side | 3 | 6 | 20 | 77 | promised |" in out


def test_the_command_writes_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{study.BEGIN}\nold\n{study.END}\nafter\n")
    arguments = ["--part", "enough_runs", "--trials", "300", "--write", str(page)]
    assert study.main(arguments) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text and "promised" in text


@pytest.mark.parametrize("text", [None, "no marks"])
def test_a_page_without_marks_is_an_error(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text)
    arguments = ["--part", "enough_runs", "--trials", "10", "--write", str(page)]
    assert study.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_broken_promise_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def part(rng, trials):
        """Always wrong."""
        yield Rate("all", "3", trials, trials, 0.05)

    monkeypatch.setitem(PARTS, "enough_runs", part)
    assert study.main(["--part", "enough_runs", "--trials", "100"]) == 1
    assert "enough_runs: all, 3 runs: 1.0000 with 0.05 promised" in capsys.readouterr().err

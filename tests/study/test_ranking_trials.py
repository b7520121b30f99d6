# SPDX-License-Identifier: MIT
"""The study's promises, held to with the trials a test can afford, and the page that prints them."""

from __future__ import annotations

import pytest

from scxval.compare.statistics.experiments import Rate
from scxval.study import order_pairs, ranking_trials
from scxval.study.ranking_trials import CASES, ROWS, Case, main, measure, studies, table, the_same

from ..conftest import ROOT

PAGE = ROOT / "docs/studies-ranking.md"
TRIALS = 60
# One quantity of few schedulers, where an order comes by chance most often, and many questions.
FEW = [Case(4, 1, 0.02), Case(5, 5, 0.2)]
PROMISED = [row for row in ROWS if row.bound is not None]


@pytest.mark.parametrize("row", PROMISED, ids=[row.what for row in PROMISED])
def test_every_promise_holds(row: ranking_trials.Row) -> None:
    assert not [rate for rate in measure(row, FEW, TRIALS) if not rate.holds]


def test_it_finds_what_is_there() -> None:
    """Verdicts that are never given keep every promise."""
    found = {row.what: next(iter(measure(row, FEW[:1], TRIALS))).rate for row in ROWS}
    assert found["`agree`, simulator is the kernel"] > 0.9
    assert found["`disagree`, order turned round"] > 0.9
    assert found["`disagree`, the two largest swapped"] > 0.9
    assert found["`agree`, the two largest swapped"] == 0.0


def test_power_is_what_is_found() -> None:
    rows = {row.what: row for row in ROWS}
    for case in (Case(6, 1, 0.2), Case(5, 5, 0.2)):
        told, foretold = (
            next(iter(measure(rows[name], [case], 2 * TRIALS))).rate
            for name in ("`agree`, simulator is the kernel", "the same as `power` has it")
        )
        assert foretold == pytest.approx(told, abs=0.2)


def test_a_method_that_errs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Holm, runs that are all of one distribution are told apart, and simulators wrong."""
    monkeypatch.setattr(order_pairs, "holm", list)
    monkeypatch.setattr(ranking_trials, "MARGIN", order_pairs.ANY)
    studies.cache_clear()
    row = next(row for row in ROWS if row.what == "any `disagree`, kernel without differences")
    try:
        assert not next(iter(measure(row, [Case(5, 5, 0.2)], TRIALS))).holds
    finally:
        studies.cache_clear()


def test_the_same_trials_give_the_same_rates() -> None:
    first = [one.order for made in studies(the_same, CASES[0], 5) for one in made]
    studies.cache_clear()
    assert first == [one.order for made in studies(the_same, CASES[0], 5) for one in made]


def test_the_page_has_every_row_and_case() -> None:
    page = PAGE.read_text(encoding="utf-8")
    none = [Rate(row.what, case.name, 0, 1, row.bound, row.least) for row in ROWS for case in CASES]
    head, _, *rows = table(none).splitlines()
    assert head in page
    for row in rows:
        assert f"\n{row.split(' | ')[0]} |" in page and f"{row.split(' | ')[-1]}\n" in page


def test_trials_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trials", "0"]) == 2
    assert capsys.readouterr().err == "ranking_trials: --trials 0: at least 1\n"


def test_a_broken_promise_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    always = ranking_trials.Row("always", lambda case, trials: trials, 0.05)
    monkeypatch.setattr(ranking_trials, "ROWS", (always,))
    assert main(["--trials", "100"]) == 1
    assert "always, 4, 1, 2%: 1.0000 with 0.05 promised" in capsys.readouterr().err

# SPDX-License-Identifier: MIT
"""Spreads between runs: how often the test is wrong, and whether it can see what it says it can."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from scxval.catalog.comparison import Compare
from scxval.compare.verdict import Verdict
from scxval.study import spread
from scxval.study.record import Table
from scxval.study.spread import (
    TOGETHER,
    spread_not_told,
    spread_table,
    spread_told,
    told_times,
)

from ..compare.runs import settings


@pytest.fixture(scope="module")
def how(raw_config: Mapping[str, Any]) -> Compare:
    return settings(raw_config)


def pair(sides: Sequence[tuple[Sequence[float], Sequence[float]]]) -> dict[str, Any]:
    """What verdicts.json has of a pair, as far as spreads go."""
    quantities = [
        {"name": f"q{k}", "verdict": str(Verdict.INCONCLUSIVE), "a": list(a), "b": list(b)}
        for k, (a, b) in enumerate(sides)
    ]
    return {"path": "one_vs_two/x", "quantities": quantities}


def drawn(
    rng: np.random.Generator, times: float, questions: int = 1, runs: int = 8, mean_b: float = 1.0
) -> dict[str, Any]:
    """Normal runs; B's vary so many times as much. Half of each run's deviation is in all its quantities."""
    own, host = rng.standard_normal((2, questions, runs)), rng.standard_normal((2, 1, runs))
    a, b = 1 + 0.05 * np.array([1.0, times])[:, None, None] * math.sqrt(0.5) * (own + host)
    b *= mean_b
    return pair(list(zip(a.tolist(), b.tolist(), strict=True)))


def column(table: Table, name: str) -> list[Any]:
    return [row[table.columns.index(name)] for row in table.rows]


def test_of_one_quantity_it_is_brown_and_forsythe_s(how: Compare) -> None:
    made = drawn(np.random.default_rng(2), 3.0, mean_b=40.0)
    (quantity,) = made["quantities"]
    a, b = (np.array(quantity[side]) for side in "ab")
    table = spread_table([made], how)
    expected = stats.levene(a / a.mean(), b / b.mean(), center="median").pvalue
    assert column(table, "what") == [TOGETHER, "q0"]
    assert column(table, "p") == [pytest.approx(expected)] * 2
    assert column(table, "p_holm") == [pytest.approx(expected), None]
    assert column(table, "q") == [None, pytest.approx(expected)]
    assert column(table, "spread_b") == [pytest.approx(b.std(ddof=1) / b.mean())] * 2


def told(how: Compare, times: float, pairs: int, trials: int, **more: Any) -> float:
    """The part of tables in which a spread is told to differ anywhere."""
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(trials):
        whole = [{**drawn(rng, times, **more), "path": f"p{k}"} for k in range(pairs)]
        hits += bool(spread_told(spread_table(whole, how), how))
    return hits / trials


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the runs could show is no part of what they do show."""
    monkeypatch.setattr(spread, "told_times", no_power)


def no_power(*_: object) -> None:
    return None


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("runs", [6, 8])
def test_false_alarms_over_all_pairs_are_at_most_alpha(how: Compare, runs: int) -> None:
    """Whatever the means do: spreads are parts of them."""
    found = told(how, 1.0, pairs=2, trials=300, questions=4, runs=runs, mean_b=3.0)
    assert found <= how.alpha + 3 * math.sqrt(how.alpha * (1 - how.alpha) / 300)


@pytest.mark.usefixtures("quick")
def test_quantities_together_show_what_one_alone_does_not(how: Compare) -> None:
    one, many = (told(how, 2.5, 1, 150, questions=questions) for questions in (1, 12))
    assert one < 0.5 < 0.75 < many


def test_what_it_says_that_it_can_see_it_sees(how: Compare) -> None:
    rng = np.random.default_rng(8)
    a, b = rng.gamma(8, 1 / 8, (2, 400))
    times = told_times(a[:12], b[:12], 0.05, how)
    assert times is not None and 1.2 < times < 3
    # Distances of those very runs, drawn with other chances.
    pool = np.concatenate([a[:12] / a[:12].mean(), b[:12] / b[:12].mean()])
    one, other = rng.choice(pool, (2, 3000, 12))

    def seen(times: float) -> float:
        return float((stats.f_oneway(times * one, other, axis=1).pvalue < 0.05).mean())

    # It is searched in steps.
    assert seen(times / 1.05) - 0.03 < how.power < seen(times) + 0.03


def test_more_runs_show_less_and_more_pairs_need_more(how: Compare) -> None:
    six = np.array([0.4, 0.7, 0.9, 1.1, 1.3, 1.6])

    def least(times: int, alpha: float) -> float:
        return told_times(np.tile(six, times), np.tile(six, times), alpha, how) or math.inf

    assert least(1, 0.05) > least(2, 0.05) > least(4, 0.05) > 1
    assert least(2, 0.05) < least(2, 0.01) < least(2, 0.001)


@pytest.mark.parametrize(
    "sides",
    [
        ([1.0] * 5 + [1.1], [1.0, 1.1, 1.2, 1.3, 1.4]),
        ([0.0] * 6, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]),
        ([3.0] * 6, [7.0] * 6),
    ],
    ids=["five runs", "a mean of 0", "no spread"],
)
def test_what_has_no_row(how: Compare, sides: tuple[list[float], list[float]]) -> None:
    table = spread_table([pair([sides])], how)
    assert table.rows == () and spread_told(table, how) == []
    assert "at least 6 a side" in spread_not_told(table, how)[0]


def test_a_quantity_that_some_runs_lack_is_not_together(how: Compare) -> None:
    rng = np.random.default_rng(2)
    made = drawn(rng, 1.0, questions=2)
    made["quantities"][0]["a"] = made["quantities"][0]["a"][:6]
    table = spread_table([made], how)
    whole, few, full = column(table, "p")
    assert whole == pytest.approx(full) and whole != pytest.approx(few)
    assert column(table, "n_a") == [8, 6, 8]


def test_one_side_without_any_spread(how: Compare) -> None:
    table = spread_table([pair([([5.0] * 8, [4.0, 6.0] * 4)])], how)
    assert column(table, "p")[0] < 1e-6 and "by 0.00% of the mean" in spread_told(table, how)[0]


def test_what_carries_no_verdict_is_no_question(how: Compare) -> None:
    made = drawn(np.random.default_rng(2), 3.0, questions=2)
    made["quantities"][0]["verdict"] = None
    assert column(spread_table([made], how), "what") == [TOGETHER, "q1"]


def test_few_runs_say_that_they_see_nothing(how: Compare) -> None:
    # One run far off: no other spread is told from that.
    sides = ([1.0, 1.01, 1.0, 0.99, 1.0, 1.5], [1.0, 1.01, 1.0, 0.99, 1.0, 1.6])
    table = spread_table([pair([sides])], how)
    assert column(table, "tells_times")[0] is None
    assert "6 and 6 runs show not even a spread 100 times" in spread_not_told(table, how)[0]

# SPDX-License-Identifier: MIT
"""Change points: steps are found where they are, and noise, outliers and two modes are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.catalog.comparison import Margin
from scxval.history.changes import (
    CHANGE,
    DAY_S,
    IMPROVEMENT,
    REGRESSION,
    Changed,
    Night,
    Series,
    changes,
    level_of,
    night_of,
)

TEN = Margin(0.1, 0.0, "for tests")
ALPHA = 0.05


def series(means: list[float], worse: str = "more", margin: Margin = TEN) -> Series:
    made = tuple(
        Night(day, (mean * 0.99, mean * 1.01), {"kernel": frozenset(["7.2"])})
        for day, mean in enumerate(means)
    )
    return Series("place", "what", "ns", margin, worse, made)


def found(means: list[float], worse: str = "more", questions: int = 1) -> list[Changed]:
    return changes(series(means, worse), 3, level_of(1, questions))


def noisy(rng: np.random.Generator, levels: list[float], sd: float) -> list[float]:
    return [float(level * (1 + sd * rng.standard_normal())) for level in levels]


def test_a_step_is_where_it_is() -> None:
    means = noisy(np.random.default_rng(1), [100.0] * 12 + [130.0] * 8, 0.02)
    (change,) = found(means)
    assert (change.day, change.kind, change.lasting) == (12, REGRESSION, True)
    assert (change.nights_before, change.nights_after) == (12, 8)
    assert change.before == pytest.approx(100, rel=0.02)
    assert change.after == pytest.approx(130, rel=0.02)


@pytest.mark.parametrize(
    ("worse", "up", "kind"),
    [
        ("more", True, REGRESSION),
        ("more", False, IMPROVEMENT),
        ("less", True, IMPROVEMENT),
        ("less", False, REGRESSION),
        ("", True, CHANGE),
    ],
)
def test_which_way_is_worse(worse: str, up: bool, kind: str) -> None:
    after = 150.0 if up else 60.0
    means = noisy(np.random.default_rng(2), [100.0] * 6 + [after] * 6, 0.02)
    assert [change.kind for change in found(means, worse)] == [kind]


def test_there_and_back_are_two_changes() -> None:
    means = noisy(np.random.default_rng(3), [100.0] * 10 + [140.0] * 10 + [100.0] * 10, 0.02)
    first, second = found(means)
    assert (first.day, first.kind, first.lasting) == (10, REGRESSION, False)
    assert (second.day, second.kind, second.lasting) == (20, IMPROVEMENT, True)


def test_within_the_margin_is_no_change() -> None:
    assert found(noisy(np.random.default_rng(4), [100.0] * 30 + [107.0] * 30, 0.005)) == []


@given(st.integers(0, 19), st.floats(2, 50))
def test_one_bad_night_is_no_change(at: int, factor: float) -> None:
    means = noisy(np.random.default_rng(5), [100.0] * 20, 0.02)
    means[at] *= factor
    assert found(means) == []


def test_two_modes_by_turns_are_no_change() -> None:
    rng = np.random.default_rng(6)
    alarms = sum(
        bool(found(noisy(rng, [float(x) for x in rng.choice([100.0, 160.0], 60)], 0.01)))
        for _ in range(200)
    )
    assert alarms / 200 <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 200)


def test_few_nights_say_nothing() -> None:
    assert found([100.0, 100.0, 100.0, 200.0, 200.0]) == []


def test_nights_that_are_all_alike_need_five() -> None:
    # docs/method.md: of few levels, fewer are alike by chance.
    assert found([100.0] * 3 + [200.0] * 3) == []
    assert [change.day for change in found([100.0] * 5 + [200.0] * 5)] == [5]


def test_false_alarms_in_a_year_are_at_most_alpha() -> None:
    """Nights whose level stands on the margin's inside: the worst case of no change."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(300):
        step = int(rng.integers(3, 57))
        alarms += bool(found(noisy(rng, [100.0] * step + [110.0] * (60 - step), 0.05)))
    assert alarms / 300 <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 300)


def test_more_series_need_more() -> None:
    means = noisy(np.random.default_rng(8), [100.0] * 6 + [125.0] * 3, 0.03)
    assert len(found(means)) == 1 and found(means, questions=1000) == []


def test_what_else_was_new_is_said() -> None:
    one = series(noisy(np.random.default_rng(9), [100.0] * 6 + [150.0] * 6, 0.02))
    later = tuple(
        Night(n.day, n.values, {"kernel": frozenset(["7.3"])}) if n.day >= 6 else n
        for n in one.nights
    )
    (change,) = changes(Series("p", "w", "ns", TEN, "more", later), 3, level_of(1, 1))
    assert change.causes == ("kernel: 7.2 before, 7.3 then",)


def test_a_sweep_over_midnight_is_one_night() -> None:
    evening, morning = 10 * DAY_S + 23 * 3600, 11 * DAY_S + 5 * 3600
    assert night_of(evening, 12) == night_of(morning, 12) == 10
    assert night_of(evening, 0) != night_of(morning, 0)

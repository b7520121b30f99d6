# SPDX-License-Identifier: MIT
"""Change points: steps are found where they are, and noise, outliers and two modes are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.catalog.comparison import Margin
from scxval.history.changes import (
    CHANGE,
    DAY_S,
    DRIFT,
    IMPROVEMENT,
    REGRESSION,
    Changed,
    Night,
    Series,
    changes,
    level_of,
    night_of,
    tells,
)

TEN = Margin(0.1, 0.0, "for tests")


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
    means = noisy(np.random.default_rng(2), [100.0] * 12 + [after] * 6, 0.02)
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
        bool(
            found(noisy(rng, [float(x) for x in rng.choice([100.0, 160.0], 60)], 0.01), "more", 200)
        )
        for _ in range(100)
    )
    assert alarms <= 1


def test_few_nights_say_nothing() -> None:
    means = noisy(np.random.default_rng(7), [100.0] * 9 + [300.0] * 3, 0.02)
    assert found(means[1:]) == [] and [change.day for change in found(means)] == [9]


def test_nights_that_are_all_alike_need_five() -> None:
    # docs/method.md: of few levels, fewer are alike by chance.
    assert found([100.0] * 9 + [200.0] * 4) == []
    assert [change.day for change in found([100.0] * 9 + [200.0] * 5)] == [9]


def test_more_series_need_more() -> None:
    means = noisy(np.random.default_rng(8), [100.0] * 9 + [130.0] * 3, 0.03)
    assert len(found(means)) == 1 and found(means, questions=1_000_000) == []


def test_what_else_was_new_is_said() -> None:
    one = series(noisy(np.random.default_rng(9), [100.0] * 12 + [150.0] * 6, 0.02))
    later = tuple(
        Night(n.day, n.values, {"kernel": frozenset(["7.3"])}) if n.day >= 12 else n
        for n in one.nights
    )
    (change,) = changes(Series("p", "w", "ns", TEN, "more", later), 3, level_of(1, 1))
    assert change.causes == ("kernel: 7.2 before, 7.3 then",)


def test_a_sweep_over_midnight_is_one_night() -> None:
    evening, morning = 10 * DAY_S + 23 * 3600, 11 * DAY_S + 5 * 3600
    assert night_of(evening, 12) == night_of(morning, 12) == 10
    assert night_of(evening, 0) != night_of(morning, 0)


def with_host(one: Series, host_of: Callable[[int], str], kernel_at: int | None = None) -> Series:
    nights = tuple(
        replace(
            night,
            made_with={
                "host": frozenset([host_of(night.day)]),
                "kernel": frozenset(["7.3" if kernel_at and night.day >= kernel_at else "7.2"]),
            },
        )
        for night in one.nights
    )
    return replace(one, nights=nights)


def test_another_host_explains_and_another_kernel_does_not() -> None:
    one = series(noisy(np.random.default_rng(10), [100.0] * 12 + [150.0] * 6, 0.02))

    def moved(day: int) -> str:
        return "old" if day < 12 else "new"

    (alone,) = changes(with_host(one, moved), 3, level_of(1, 1))
    assert alone.explained and alone.causes == ("host: old before, new then",)
    (both,) = changes(with_host(one, moved, kernel_at=12), 3, level_of(1, 1))
    assert not both.explained and len(both.causes) == 2


def test_hosts_by_turns_are_no_cause() -> None:
    one = series(noisy(np.random.default_rng(11), [100.0] * 12 + [150.0] * 6, 0.02))
    (change,) = changes(with_host(one, lambda day: f"host {day % 2}"), 3, level_of(1, 1))
    assert change.causes == () and not change.explained


def test_missing_nights_are_named() -> None:
    one = series(noisy(np.random.default_rng(12), [100.0] * 12 + [150.0] * 6, 0.02))
    gap = tuple(replace(night, day=night.day + 10 * (night.day >= 12)) for night in one.nights)
    (change,) = changes(replace(one, nights=gap), 3, level_of(1, 1))
    assert (change.last_day, change.day, change.told_day) == (11, 22, 24)


def test_a_drift_is_one_change_and_no_steps() -> None:
    means = noisy(np.random.default_rng(13), [100.0 + 0.5 * day for day in range(100)], 0.01)
    (change,) = found(means)
    assert (change.shape, change.kind, change.lasting) == (DRIFT, REGRESSION, True)
    assert change.before == pytest.approx(100, rel=0.02)
    assert change.after == pytest.approx(150, rel=0.02)


def test_what_is_not_judged_has_no_changes() -> None:
    one = series(noisy(np.random.default_rng(14), [100.0] * 12 + [150.0] * 6, 0.02))
    assert changes(replace(one, why_not="pinned"), 3, level_of(1, 1)) == []


def test_the_smallest_step_that_would_be_told_is_told_by_half() -> None:
    rng = np.random.default_rng(15)
    told = 0
    for _ in range(200):
        calm = series(noisy(rng, [100.0] * 40, 0.04))
        least = tells(calm, 0, 3, level_of(1, 100))
        assert least is not None and least > 0.1
        after = noisy(rng, [100.0 * (1 + least)] * 3, 0.04)
        told += bool(found([*(night.mean for night in calm.nights), *after], "more", 100))
    assert 60 <= told <= 140


def test_nobody_can_say_what_few_nights_would_tell() -> None:
    assert tells(series([100.0] * 5), 0, 3, level_of(1, 1)) is None
    assert tells(series([0.0] * 9), 0, 3, level_of(1, 1)) is None

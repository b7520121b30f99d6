# SPDX-License-Identifier: MIT
"""Steps and drifts of bare numbers: properties that hold for every series, and answers known from scipy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scxval.catalog.comparison import Margin
from scxval.history.steps import BEYOND, How, drifts, fewest_nights, steps, within_margin

HOW = How(Margin(0.1, 0.0, "for tests"), 3, 1e-3)
SERIES = st.lists(st.floats(1, 1000), min_size=0, max_size=40)


def days(means: np.ndarray) -> np.ndarray:
    return np.arange(float(len(means)))


@settings(max_examples=200, deadline=None)
@given(SERIES, st.integers(2, 5))
def test_steps_are_apart_by_persistence_and_beyond_the_margin(
    values: list[float], persistence: int
) -> None:
    means = np.array(values)
    how = How(HOW.margin, persistence, HOW.level)
    found = steps(means, days(means), how)
    ends = [0, *(step.place for step in found), len(means)]
    assert all(b - a >= persistence for a, b in pairwise(ends)) or not found
    for step in found:
        assert step.p < how.level
        assert step.told >= step.place + persistence - 1
        assert step.told + 1 >= fewest_nights(persistence)


@settings(max_examples=100, deadline=None)
@given(SERIES, st.integers(0, 40))
def test_what_was_told_stays_told(values: list[float], night: int) -> None:
    means = np.array(values)
    whole = [step.told for step in steps(means, days(means), HOW)]
    part = [step.told for step in steps(means[:night], days(means)[:night], HOW)]
    assert part == [told for told in whole if told < night]


@settings(max_examples=100, deadline=None)
@given(SERIES, st.floats(0.01, 100))
def test_the_unit_does_not_matter(values: list[float], factor: float) -> None:
    means = np.round(np.array(values), 3)
    found = steps(means, days(means), HOW)
    scaled = steps(means * factor, days(means), HOW)
    assert [(s.place, s.told) for s in found] == [(s.place, s.told) for s in scaled]


def test_p_is_students_times_the_places() -> None:
    rng = np.random.default_rng(1)
    # Neighbours that alternate resemble each other less than chance: nothing is added to the variance.
    noise = np.abs(rng.standard_normal(15)) * np.tile([1, -1], 8)[:15]
    means = 100 + noise
    means[12:] += 60
    (step,) = steps(means, days(means), HOW)
    assert (step.place, step.told) == (12, 14)
    p = stats.ttest_ind(means[:12], means[12:]).pvalue
    # After 9 nights of a first level, and before the last 3.
    assert step.p == pytest.approx(p * 4, rel=1e-6)


def test_the_margin_is_tested_too() -> None:
    """A step within the margin is told hardly ever, however certain it is."""
    rng = np.random.default_rng(2)
    told = 0
    for _ in range(100):
        means = 100 * (1 + 0.02 * rng.standard_normal(60))
        means[30:] *= 1.08
        told += bool(steps(means, days(means), HOW))
    assert told <= 5


def test_a_step_of_just_the_margin_is_told_at_one_look_with_the_chance_that_is_said() -> None:
    rng = np.random.default_rng(3)
    told = 0
    trials = 400
    for _ in range(trials):
        means = 100 * (1 + 0.005 * rng.standard_normal(33))
        means[30:] *= 1.1
        told += bool(steps(means, days(means), HOW))
    assert told / trials <= BEYOND + 3 * np.sqrt(BEYOND * (1 - BEYOND) / trials)


@pytest.mark.parametrize(
    ("a", "b", "within"),
    [(100, 110, True), (100, 111, False), (110, 100, True), (111, 100, False), (-5, -5, True)],
)
def test_within_the_margin(a: float, b: float, within: bool) -> None:
    assert within_margin(a, b, Margin(0.1, 0.0, "")) == within
    assert within_margin(a, b + 1, Margin(0.1, 2.0, ""))


def test_three_outliers_of_four_are_no_level() -> None:
    rng = np.random.default_rng(4)
    means = 100 * (1 + 0.02 * rng.standard_normal(40))
    means[[30, 31, 33]] = 250
    assert steps(means, days(means), HOW) == []
    means[32] = 250
    assert steps(means, days(means), HOW)[0].place == 30


def test_a_short_regression_and_its_end_are_both_found() -> None:
    rng = np.random.default_rng(5)
    means = 100 * (1 + 0.02 * rng.standard_normal(40))
    means[20:24] *= 1.5
    assert [step.place for step in steps(means, days(means), HOW)] == [20, 24]


def test_a_line_over_gaps_is_a_drift() -> None:
    rng = np.random.default_rng(6)
    at = np.sort(rng.choice(200, 60, replace=False)).astype(float)
    means = 100 + 0.3 * at + rng.standard_normal(60)
    found = steps(means, at, HOW)
    (drift,) = drifts(means, at, found, HOW)
    fitted = stats.linregress(at, means)
    assert found == [] and (drift.start, drift.end) == (0, 60)
    assert drift.first == pytest.approx(fitted.intercept + fitted.slope * at[0])
    assert drift.last == pytest.approx(fitted.intercept + fitted.slope * at[-1])

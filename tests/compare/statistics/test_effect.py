# SPDX-License-Identifier: MIT
import math

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from scxval.compare.statistics.effect import effect
from scxval.compare.statistics.side import Side
from tests.compare.statistics.asked import FULL, HOW, runs, signed

A = (102.0, 97.0, 110.0, 95.0, 101.0, 99.0)
B = (120.0, 131.0, 117.0, 125.0, 150.0, 119.0)


def test_the_interval_is_scipys_bca() -> None:
    expected = stats.bootstrap(
        (A, B),
        lambda a, b, axis: b.mean(axis=axis) / a.mean(axis=axis),
        vectorized=True,
        method="BCa",
        rng=np.random.default_rng(FULL.random_seed),
    ).confidence_interval
    found = effect(Side(A), Side(B), FULL)
    assert found.ratio
    assert found.estimate == pytest.approx(sum(B) / sum(A))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.method == "BCa bootstrap, 9999 resamples"


def test_the_same_runs_give_the_same_interval() -> None:
    assert effect(Side(A), Side(B), HOW) == effect(Side(A), Side(B), HOW)


def test_a_known_value_is_not_resampled() -> None:
    found = effect(Side((100.0,), deterministic=True), Side(B), FULL)
    single = stats.bootstrap(
        (np.array(B),),
        lambda b, axis: b.mean(axis=axis) / 100.0,
        vectorized=True,
        method="BCa",
        rng=np.random.default_rng(FULL.random_seed),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(single))


def test_two_runs_have_welchs_interval_and_say_so() -> None:
    found = effect(Side((-1.0, 1.0)), Side((3.0, 6.0)), HOW)
    expected = stats.ttest_ind((3.0, 6.0), (-1.0, 1.0), equal_var=False).confidence_interval(0.95)
    assert not found.ratio
    assert found.estimate == 4.5
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.method == "Welch: fewer than 3 runs"


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (Side((1.0,)), Side((2.0, 3.0)), "one run has no spread"),
        (Side((1.0, 1.0)), Side((2.0, 2.0)), "no run differs"),
        (Side((1.0,), True), Side((2.0,), True), "no run differs"),
    ],
)
def test_no_interval_says_why(a: Side, b: Side, words: str) -> None:
    found = effect(a, b, HOW)
    assert (found.low, found.high) == (None, None)
    assert words in found.method


def test_a_mean_of_zero_has_a_difference() -> None:
    found = effect(Side((0.0, 0.0, 0.0)), Side((1.0, 2.0, 4.0)), HOW)
    assert not found.ratio
    assert found.estimate == pytest.approx(7 / 3)


@given(runs(signed), runs(signed))
@settings(max_examples=40)
def test_an_interval_is_finite_and_in_order(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    found = effect(Side(a), Side(b), HOW)
    if found.low is not None and found.high is not None:
        assert math.isfinite(found.low) and math.isfinite(found.high)
        assert found.low <= found.high
    else:
        assert len({*a}) == len({*b}) == 1

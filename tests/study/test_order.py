# SPDX-License-Identifier: MIT
"""Kendall's tau, its chance, interval and power, against scipy, known tables and counted orders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scxval.study.order import (
    F64,
    chance_of,
    kendall,
    order_of,
    power_of,
    smallest_tau,
    things_needed,
)

from ..compare.runs import settings

lists = st.integers(2, 6).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 9), min_size=n, max_size=n)] * 2)
)


@given(lists)
def test_tau_is_scipys(two: tuple[list[int], list[int]]) -> None:
    a, b = (np.asarray(side, dtype=np.float64) for side in two)
    found, expected = kendall(a, b), float(stats.kendalltau(a, b).statistic)
    assert (found is None) == math.isnan(expected)
    assert found is None or found == pytest.approx(expected)


def test_what_differs_by_rounding_is_alike() -> None:
    near = np.array([0.1 + 0.2, 0.3, 1.0])
    assert near[0] != near[1]
    assert kendall(near, np.array([2.0, 1.0, 3.0])) == pytest.approx(2 / math.sqrt(6))


@given(st.integers(2, 10).flatmap(lambda n: st.permutations(range(n))))
def test_chance_is_the_exact_distribution(order: list[int]) -> None:
    a, b = np.arange(float(len(order))), np.asarray(order, dtype=np.float64)
    exact = stats.kendalltau(a, b, method="exact", alternative="greater").pvalue
    assert chance_of(a, b) == pytest.approx(exact)


def test_chance_with_ties_is_counted() -> None:
    """Two alike of four: 12 different orders, 1 of which is perfect."""
    ties = np.array([1.0, 2.0, 2.0, 3.0])
    assert chance_of(ties, ties) == pytest.approx(1 / 12)
    assert chance_of(ties, np.ones(4)) == 1.0


def test_smallest_tau_is_kendalls_table() -> None:
    """Kaarsemaker and van Wijngaarden 1953, one-sided 0.05: 4: 1, 5: 0.8, 6: 0.733, 8: 0.571, 10: 0.467."""
    found = [smallest_tau(n, 0.05) for n in (4, 5, 6, 8, 10)]
    assert found == pytest.approx([1.0, 0.8, 0.733, 0.571, 0.467], abs=0.001)
    assert smallest_tau(3, 0.05) is None


def test_things_needed() -> None:
    # 4! = 24 orders, of which one in 20 is allowed; 5 questions need 120.
    assert [things_needed(m, 0.05) for m in (1, 2, 5, 6, 7)] == [4, 5, 5, 6, 6]


def side(means: list[float], spread: float, runs: int = 6) -> list[F64]:
    steps = np.linspace(-1, 1, runs)
    return [mean * (1 + spread * steps) for mean in means]


def test_the_interval_is_as_wide_as_runs_vary(raw_config: Mapping[str, Any]) -> None:
    how = settings(raw_config)
    means = [100.0, 120.0, 140.0, 160.0, 180.0]
    widths = []
    for spread in (0.01, 0.2, 0.5):
        found = order_of(side(means, spread), side(means, spread), how)
        assert found.tau == 1.0 and found.low is not None and found.high is not None
        assert -1 <= found.low <= found.high <= 1
        widths.append(found.high - found.low)
    assert widths[0] == 0 < widths[1] < widths[2]


def test_the_order_of_runs_is_nothing(raw_config: Mapping[str, Any]) -> None:
    """0.1, 0.2 and 0.3 have another sum from the other end, and yet the same mean."""
    how = settings(raw_config)
    a = [np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.2, 0.1])]
    assert order_of(a, side([1.0, 2.0], 0.1), how).tau is None


def test_power_falls_with_spread_and_questions(raw_config: Mapping[str, Any]) -> None:
    how = settings(raw_config)
    means = [100.0 * 1.3**n for n in range(6)]
    told = [(0, 5)]
    found = [power_of(side(means, spread), 3, told, 5, how) for spread in (0.01, 0.3, 0.9)]
    assert found[0] == 1.0 > found[1] > found[2]
    # 720 orders: a perfect one is not told from chance in 36 questions.
    assert power_of(side(means, 0.01), 3, told, 35, how) == 1.0
    assert power_of(side(means, 0.01), 3, told, 36, how) == 0.0
    assert power_of(side(means, 0.01), 3, [], 1, how) == 0.0


def test_power_of_a_kernel_with_ties(raw_config: Mapping[str, Any]) -> None:
    """Three alike of five have 20 orders: the best p is 0.05, which is not below it."""
    alike = side([0.0, 0.0, 0.0, 100.0, 200.0], 0.01)
    assert power_of(alike, 0, [(0, 4)], 1, settings(raw_config)) == 0.0


def test_a_pair_that_is_told_counts_for_power(raw_config: Mapping[str, Any]) -> None:
    """Two neighbours that runs often reverse: with them told, to be right is harder."""
    how = settings(raw_config)
    means = [100.0, 104.0, 400.0, 900.0, 2000.0, 4000.0]
    loose, strict = (
        power_of(side(means, 0.3), 3, told, 1, how) for told in ([(0, 5)], [(0, 1), (0, 5)])
    )
    assert strict < loose

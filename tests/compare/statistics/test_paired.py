# SPDX-License-Identifier: MIT
"""Pairs of runs: known answers, and what pairing gains and costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.judge import judge
from scxval.compare.statistics.paired import ask_pairs, within_and_beyond_pairs
from scxval.compare.statistics.question import ask
from scxval.compare.statistics.side import Side
from scxval.compare.verdict import Verdict
from scxval.errors import ScxvalError

from .asked import HOW

TEN = Margin(0.1, 0.0, "for tests")
# Student's data on two soporific drugs (1908), hours of sleep gained by ten patients.
FIRST = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SECOND = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
values = st.floats(1.0, 1e9)
pairs = st.lists(st.tuples(values, values), min_size=3, max_size=9)


def test_students_own_pairs() -> None:
    found = ask_pairs(FIRST, SECOND, Margin(0.0, 0.5, "half an hour"), HOW)
    # t = 4.0621 with 9 degrees of freedom, p = 0.002833 (R's t.test(sleep, paired)).
    assert found.p_welch == pytest.approx(0.002833, abs=1e-6)
    assert found.effect.estimate == pytest.approx(1.58)
    d = np.asarray(SECOND) - np.asarray(FIRST)
    beyond = stats.ttest_1samp(d, 0.5, alternative="greater").pvalue
    assert found.p_beyond == pytest.approx(2 * beyond)
    assert found.n_a == found.n_b == 10 and found.paired


@given(pairs)
def test_without_a_margin_it_is_students_test(some: list[tuple[float, float]]) -> None:
    a, b = (np.asarray(side) for side in zip(*some, strict=True))
    if np.ptp(b - a) == 0:
        return
    _, beyond = within_and_beyond_pairs(a, b, 0.0, 0.0)
    assert beyond == pytest.approx(stats.ttest_1samp(b - a, 0.0).pvalue, rel=1e-6, abs=1e-9)


@given(pairs, st.floats(1e-3, 1e3))
def test_units_do_not_matter(some: list[tuple[float, float]], unit: float) -> None:
    a, b = (np.asarray(side) for side in zip(*some, strict=True))
    one = within_and_beyond_pairs(a, b, 0.1, 0.0)
    other = within_and_beyond_pairs(a * unit, b * unit, 0.1, 0.0)
    assert one == pytest.approx(other, abs=1e-6)


def noisy(
    rng: np.random.Generator, trials: int, n: int, ratio: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs whose host doubles and halves both runs together; 2 % of noise of their own."""
    host = rng.lognormal(0, 0.4, (trials, n))
    own = rng.normal(1, 0.02, (2, trials, n))
    return 100 * host * own[0], ratio * 100 * host * own[1]


@pytest.mark.parametrize("n", [4, 8])
def test_false_verdicts_are_at_most_alpha(n: int) -> None:
    """On the margin either verdict is wrong; the host's noise is in both runs of a pair."""
    a, b = noisy(np.random.default_rng(3), 20_000, n, 1.1)
    agree, beyond = within_and_beyond_pairs(a, b, 0.1, 0.0)
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 20_000)
    assert (agree < 0.05).mean() <= allowed and (beyond < 0.05).mean() <= allowed


def test_pairs_tell_what_two_groups_cannot() -> None:
    a, b = (tuple(map(float, side[0])) for side in noisy(np.random.default_rng(5), 1, 8, 1.0))
    paired, apart = ask_pairs(a, b, TEN, HOW), ask(Side(a), Side(b), TEN, HOW)
    said = [judge({"x": found}, HOW)["x"] for found in (paired, apart)]
    assert [s.verdict for s in said] == [Verdict.AGREE, Verdict.INCONCLUSIVE]
    assert "8 pairs of runs" in said[0].reason
    assert (paired.needed_runs or 0) < (apart.needed_runs or 0)


def test_power_is_what_it_says() -> None:
    """Of pairs with the spread of these, the part that is told to agree."""
    rng = np.random.default_rng(11)
    trials, n, sd = 20_000, 6, 8.0
    a = np.full((trials, n), 100.0)
    b = a + rng.normal(0, sd, (trials, n))
    agree, _ = within_and_beyond_pairs(a, b, 0.1, 0.0)
    d = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    d *= sd / d.std(ddof=1)
    found = ask_pairs((100.0,) * n, tuple(100.0 + d), TEN, HOW)
    assert found.power == pytest.approx((agree < 0.05).mean(), abs=0.02)
    assert found.needed_runs is not None and found.needed_runs > n


def test_what_no_spread_can_say() -> None:
    assert ask_pairs((5.0,), (9.0,), TEN, HOW).p_agree is None
    assert ask_pairs((5.0,) * 4, (5.0,) * 4, TEN, HOW).p_agree is None
    alike = ask_pairs((5.0,) * 5, (5.0,) * 5, TEN, HOW)
    assert (alike.p_agree, alike.power) == (0.0, 1.0)
    assert (
        judge({"x": ask_pairs((5.0,) * 5, (9.0,) * 5, TEN, HOW)}, HOW)["x"].verdict
        is Verdict.DISAGREE
    )


def test_two_pairs_have_an_interval() -> None:
    effect = ask_pairs((10.0, 12.0), (11.0, 12.0), TEN, HOW).effect
    assert effect.low is not None and effect.low < effect.estimate < (effect.high or 0)
    assert "Student" in effect.method


def test_sides_of_unlike_length_are_no_pairs() -> None:
    with pytest.raises(ScxvalError, match="3 and 2 runs are no pairs"):
        ask_pairs((1.0, 2.0, 3.0), (1.0, 2.0), TEN, HOW)

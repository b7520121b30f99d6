# SPDX-License-Identifier: MIT
import dataclasses
import json
import math

import pytest
from hypothesis import given, settings
from scipy import stats

from scxval.compare.statistics.question import ask
from scxval.compare.statistics.side import Side, enough_for_a_test
from scxval.errors import ScxvalError
from tests.compare.statistics.asked import HOW, margin, runs, signed

A = Side((102.0, 97.0, 110.0, 95.0, 101.0, 99.0))
B = Side((103.0, 101.0, 98.0, 107.0, 96.0))


def test_the_numbers_are_scipys() -> None:
    found = ask(A, B, margin(0.1, 2.0), HOW)
    assert (found.n_a, found.n_b) == (6, 5)
    assert (found.agree_low, found.agree_high) == pytest.approx(
        (A.mean / 1.1 - 2, A.mean * 1.1 + 2)
    )
    welch = stats.ttest_ind(B.values, A.values, equal_var=False)
    assert found.p_welch == pytest.approx(welch.pvalue)
    assert found.p_rank == pytest.approx(stats.mannwhitneyu(A.values, B.values).pvalue, abs=0.1)
    half = welch.confidence_interval(0.95).high - (B.mean - A.mean)
    assert found.floor == pytest.approx(half)


@given(runs(signed, least=1), runs(signed, least=1))
@settings(max_examples=60)
def test_every_number_is_in_its_range(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    found = ask(Side(a), Side(b), margin(0.1, 1.0), HOW)
    # Strict JSON: neither a NaN nor an infinity may stand for what is not known.
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    few = not enough_for_a_test(Side(a), Side(b))
    for p in (found.p_agree, found.p_beyond, found.p_welch, found.p_rank, found.power):
        assert (p is None) == few
        assert p is None or 0 <= p <= 1
    assert found.needed_runs is None or 2 <= found.needed_runs <= 1000
    assert found.floor is None or found.floor >= 0


@given(runs(least=1), runs(least=1))
@settings(max_examples=30)
def test_superiority_of_one_is_what_the_other_lacks(
    a: tuple[float, ...], b: tuple[float, ...]
) -> None:
    there, back = (ask(Side(x), Side(y), margin(), HOW) for x, y in ((a, b), (b, a)))
    assert there.superiority + back.superiority == pytest.approx(1)


def test_a_single_simulation_is_asked_in_the_one_sample_form() -> None:
    found = ask(A, Side((100.0,), deterministic=True), margin(), HOW)
    assert found.p_welch == pytest.approx(stats.ttest_1samp(A.values, 100.0).pvalue)
    assert found.p_agree is not None and found.p_agree < 0.05
    assert (found.sd_b, found.n_b) == (0.0, 1)
    other = ask(Side((100.0,), deterministic=True), A, margin(), HOW)
    assert other.p_welch == pytest.approx(found.p_welch)
    assert other.p_rank == pytest.approx(found.p_rank)


def test_two_simulations_are_a_matter_of_the_margin_alone() -> None:
    same, apart = (
        ask(Side((100.0,), True), Side((value,), True), margin(), HOW) for value in (105.0, 120.0)
    )
    assert (same.p_agree, same.p_beyond) == (0.0, 1.0)
    assert (apart.p_agree, apart.p_beyond) == (1.0, 0.0)


def test_with_one_real_run_nothing_is_said() -> None:
    found = ask(Side((100.0,)), Side((100.0,), deterministic=True), margin(), HOW)
    nothing = (found.p_agree, found.p_beyond, found.p_welch, found.p_rank, found.power)
    assert nothing == (None,) * 5
    assert found.effect.estimate == 1.0


def test_a_ratio_says_nothing_of_negative_values() -> None:
    found = ask(Side((-1.0, 2.0, 3.0)), Side((1.0, 1.5, 1.0)), margin(0.5, 2.0), HOW)
    middle = 4 / 3
    assert (found.agree_low, found.agree_high) == pytest.approx((middle - 2, middle + 2))
    assert not found.effect.ratio


def test_more_questions_need_more_runs() -> None:
    one, twenty = (ask(A, B, margin(), HOW, questions=n) for n in (1, 20))
    assert one.power is not None and twenty.power is not None
    assert twenty.power < one.power
    assert one.needed_runs is not None and twenty.needed_runs is not None
    assert twenty.needed_runs > one.needed_runs
    assert one.p_agree == twenty.p_agree


def test_ranks_with_ties_of_few_runs_are_counted_out() -> None:
    """All 20 orders of 3 and 3: two are as far apart."""
    found = ask(Side((1.0, 1.0, 2.0)), Side((3.0, 3.0, 4.0)), margin(), HOW)
    assert found.p_rank == pytest.approx(2 / math.comb(6, 3))


def test_a_family_without_questions_is_refused() -> None:
    with pytest.raises(ScxvalError):
        ask(A, B, margin(), HOW, questions=0)

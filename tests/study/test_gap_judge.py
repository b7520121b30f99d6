# SPDX-License-Identifier: MIT
"""Gaps over runs: known answers, symmetry, what may never be said, and how often it errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scxval.compare.verdict import Verdict
from scxval.study.gap_counts import ALL_EPISODES, Aspect, Base, Counts, Item
from scxval.study.gap_judge import (
    Limits,
    Part,
    Status,
    answers,
    compared,
    interval,
    needed,
    p_above,
    p_below,
    part,
    power,
)

LIMITS = Limits(share=0.01, rows=100, alpha=0.05, confidence=0.95, power=0.8)
BASE = Base(Aspect.TRANSITION, "TaskSlept")
NAMES = ("a", "b", "c", "d", "e")


def run(*counts: int, base: Base = BASE) -> Counts:
    """A run in which the first names came so often."""
    items = {Item(base, name): n for name, n in zip(NAMES, counts, strict=False)}
    return Counts(items, {base: sum(counts)})


def of(has: Sequence[Counts], lacks: Sequence[Counts]) -> Part:
    return part(Aspect.TRANSITION, has, lacks)


def verdict(found: Part, limits: Limits = LIMITS) -> Verdict:
    return answers({"only": found}, limits)["only"].verdict


def test_a_part_is_what_no_run_of_the_other_side_has() -> None:
    found = of([run(90, 10), run(80, 0, 20)], [run(5), run(1, 0, 1)])
    assert (found.counts, found.bases) == ((10, 0), (100, 100))
    assert found.mean == pytest.approx(0.05)
    assert (found.other_base, found.other_runs) == (7, 2)
    # Each run against the one other: what is its own alone.
    assert found.floor == (0.1, 0.2)


def test_kinds_of_episodes_are_not_counted_twice() -> None:
    whole = Base(Aspect.ORDER, ALL_EPISODES)
    shape = run(4, base=Base(Aspect.ORDER, "wake"))
    items = {**shape.items, Item(whole, "wake"): 4}
    both = Counts(items, {**shape.bases, whole: 4})
    found = part(Aspect.ORDER, [both, both], [run(4, base=Base(Aspect.ORDER, "sleep"))] * 2)
    assert (found.counts, found.bases, found.other_base) == ((4, 4), (4, 4), 8)


def test_what_is_missing_in_every_run_is_a_gap_and_the_other_way_round() -> None:
    real = [run(900 + n, 100 - n) for n in range(4)]
    simulated = [run(1000 + n) for n in range(4)]
    assert verdict(of(real, simulated)) is Verdict.DISAGREE
    assert verdict(of(simulated, real)) is Verdict.AGREE


@pytest.mark.parametrize(
    ("has", "lacks", "words"),
    [
        ([run(900, 100)], [run(1000)] * 3, "one says nothing of the next"),
        ([run(900, 100)] * 3, [run(1000)], "one says nothing of the next"),
        ([run(9, 1), run(8, 2)], [run(1000)] * 3, "too few"),
        ([run(900, 100)] * 3, [run(10), run(12)], "too few"),
    ],
)
def test_too_few_runs_or_rows_are_inconclusive(
    has: list[Counts], lacks: list[Counts], words: str
) -> None:
    answer = answers({"only": of(has, lacks)}, LIMITS)["only"]
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert words in answer.why
    assert answer.p_above is answer.p_below is None


def test_nothing_is_not_measured() -> None:
    assert verdict(of([run(), run()], [run(1000)] * 2)) is Verdict.NOT_MEASURED
    assert verdict(of([], [])) is Verdict.NOT_MEASURED


def test_what_equals_miss_of_each_other_is_no_gap() -> None:
    """Each run has 5 % that no other has, of whatever side: nobody's gap."""
    alone = [
        Counts(
            {Item(BASE, "a"): 950, Item(BASE, f"only {side} {n}"): 50},
            {BASE: 1000},
        )
        for side in "ab"
        for n in range(4)
    ]
    assert verdict(of(alone[:4], alone[4:])) is Verdict.INCONCLUSIVE


def test_p_values_are_scipys() -> None:
    found = Part((30, 40, 35), (1000, 1000, 1000), None, 3000, 3)
    logs = np.log(np.array(found.shares) / 0.01)
    expected = stats.ttest_1samp(logs, 0, alternative="greater").pvalue
    assert p_above(found, 0.01) == pytest.approx(expected)
    few = Part((0, 1, 0), (100, 120, 80), None, 300, 3)
    assert p_below(few, 0.01) == pytest.approx(stats.poisson.cdf(1, 3.0))
    low, high = interval(found.shares, 0.95)
    assert (low, high) == pytest.approx(
        stats.t.interval(0.95, 2, np.mean(found.shares), stats.sem(found.shares))
    )


def test_one_run_has_no_interval() -> None:
    assert interval([0.5], 0.95) == (None, None)


@given(st.integers(1, 40), st.floats(0.001, 0.05), st.floats(0.0, 0.01))
def test_power_is_the_chance_of_the_counts_that_agree(
    hundreds: int, alpha: float, floor: float
) -> None:
    base = 100 * hundreds
    found = Part((0, 0), (base // 2, base // 2), (floor, floor), base, 2)
    agree = [n for n in range(200) if stats.poisson.cdf(n, 0.01 * base) < alpha]
    expected = sum(stats.poisson.pmf(n, floor * base) for n in agree)
    assert power(found, alpha, 0.01) == pytest.approx(expected, abs=1e-9)


def test_needed_runs_have_the_power_and_one_less_has_not() -> None:
    found = Part((0, 0, 0), (120, 110, 130), (0.0, 0.0, 0.0), 400, 3)
    runs = needed(found, 0.001, 0.01, 0.8)
    assert runs is not None
    assert power(found, 0.001, 0.01, runs) >= 0.8 > power(found, 0.001, 0.01, runs - 1)
    hopeless = replace(found, floor=(0.01, 0.01, 0.01))
    assert needed(hopeless, 0.001, 0.01, 0.8) is None


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=2, max_size=5))
def test_sides_that_are_the_same_miss_nothing(counts: list[tuple[int, int, int]]) -> None:
    runs = [run(*some) for some in counts]
    found = of(runs, runs)
    assert not sum(found.counts)
    assert all(one.status is Status.BOTH for one in compared(runs, runs))


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=5))
def test_exchanged_sides_say_the_same(counts: list[tuple[int, int, int]]) -> None:
    real = [run(*some) for some in counts]
    simulated = [run(first, 0, third) for first, _, third in counts]
    there = {one.item: one for one in compared(real, simulated)}
    back = {one.item: one for one in compared(simulated, real)}
    swapped = {Status.KERNEL: Status.SIMULATION, Status.SIMULATION: Status.KERNEL}
    assert there.keys() == back.keys()
    for item, one in there.items():
        assert back[item].status is swapped.get(one.status, one.status)
        assert (back[item].real, back[item].simulated) == (one.simulated, one.real)


def test_runs_of_one_kind_are_rarely_told_apart() -> None:
    """400 studies of 2 times 4 runs of one distribution, with rare items in it: no gap in 95 % of them."""
    random = np.random.default_rng(11)
    chances = np.array([0.9, 0.08, 0.012, 0.005, 0.003])
    wrong = 0
    for _ in range(400):
        runs = [run(*random.multinomial(300, chances)) for _ in range(8)]
        parts = {"there": of(runs[:4], runs[4:]), "back": of(runs[4:], runs[:4])}
        wrong += any(a.verdict is Verdict.DISAGREE for a in answers(parts, LIMITS).values())
    assert wrong <= stats.binom.ppf(0.999, 400, LIMITS.alpha)


def test_runs_that_miss_just_what_is_allowed_rarely_disagree_or_agree() -> None:
    random = np.random.default_rng(12)
    lacks = [run(1000)] * 4
    found = [
        verdict(of([run(*random.multinomial(1000, (0.99, 0.01))) for _ in range(4)], lacks))
        for _ in range(400)
    ]
    most = stats.binom.ppf(0.999, 400, LIMITS.alpha)
    assert found.count(Verdict.DISAGREE) <= most
    assert found.count(Verdict.AGREE) <= most

# SPDX-License-Identifier: MIT
"""One question: how do two groups of runs differ in one quantity, and what can so many runs tell."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from scxval.catalog.comparison import Compare, Margin
from scxval.compare.statistics.contrast import Moments, freedom, within_and_beyond
from scxval.compare.statistics.effect import Effect, effect
from scxval.compare.statistics.power import Design, needed_runs, power, smallest_ratio
from scxval.compare.statistics.side import Side, enough_for_a_test
from scxval.errors import ScxvalError


@dataclass(frozen=True)
class Answer:
    """What two sides say of one quantity; None is what their runs are too few for.

    - `agree_low`, `agree_high`: where B's mean agrees with the mean of A, in the quantity's unit;
    - `p_agree`: of both means being no nearer than the margin; `p_beyond`: of them being no further;
    - `p_welch`, `p_rank`: of no difference at all, of means (Welch) and of ranks (Mann and Whitney, or
      Wilcoxon against a single known value);
    - `superiority`: the chance that a run of B has more than one of A, ties halved;
    - `power`: the chance to be told `agree` if both means were A's, with these runs, standard deviations
      and questions; `needed_runs` a side for `how.power` (None: over 1000); `smallest_ratio`: the smallest
      margin ratio that these runs could confirm with `how.power` (None: none);
    - `floor`: what the difference of means exceeds by chance alone with probability `how.alpha`;
    - `paired`: runs were compared in pairs (`scxval.compare.statistics.paired`), and n counts these.
    """

    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    sd_a: float | None
    sd_b: float | None
    agree_low: float
    agree_high: float
    effect: Effect
    p_agree: float | None
    p_beyond: float | None
    p_welch: float | None
    p_rank: float | None
    superiority: float
    power: float | None
    needed_runs: int | None
    smallest_ratio: float | None
    floor: float | None
    paired: bool = False


def ask(a: Side, b: Side, margin: Margin, how: Compare, questions: int = 1) -> Answer:
    """Answer one question of a family of so many `questions` (docs/method.md has the formulas).

    A margin's ratio counts as 0 where a value is negative. Power and what follows from it are at
    alpha / questions, the first step of Holm's. Raises ScxvalError for less than one question.
    """
    if questions < 1:
        raise ScxvalError(f"a family of {questions} questions asks nothing")
    ratio = _ratio(a, b, margin)
    low = a.mean / (1 + ratio) - margin.absolute
    high = a.mean * (1 + ratio) + margin.absolute
    found = effect(a, b, how)
    superiority = _superiority(a, b)
    sd_a, sd_b = a.sd, b.sd
    p = p_values(a, b, margin)
    if p is None or sd_a is None or sd_b is None:
        return Answer(
            *(a.n, b.n, a.mean, b.mean, sd_a, sd_b, low, high, found),
            *(None, None, None, None, superiority, None, None, None, None),
        )
    design = Design(a.mean, sd_a, sd_b, a.n, b.n, a.known, b.known)
    alpha = how.alpha / questions
    return Answer(
        n_a=a.n,
        n_b=b.n,
        mean_a=a.mean,
        mean_b=b.mean,
        sd_a=sd_a,
        sd_b=sd_b,
        agree_low=low,
        agree_high=high,
        effect=found,
        p_agree=p[0],
        p_beyond=p[1],
        p_welch=_p_welch(a, b),
        p_rank=_p_rank(a, b, how),
        superiority=superiority,
        power=power(design, ratio, margin.absolute, alpha),
        needed_runs=needed_runs(design, ratio, margin.absolute, alpha, how.power),
        smallest_ratio=_smallest_ratio(a, b, design, margin, alpha, how),
        floor=_floor(a, b, how.alpha),
    )


def p_values(a: Side, b: Side, margin: Margin) -> tuple[float, float] | None:
    """`p_agree` and `p_beyond` of the answer, without all else; None where runs are too few for a test."""
    sd_a, sd_b = a.sd, b.sd
    if sd_a is None or sd_b is None or not enough_for_a_test(a, b):
        return None
    of_a, of_b = Moments(a.mean, sd_a, a.n), Moments(b.mean, sd_b, b.n)
    agree, beyond = within_and_beyond(of_a, of_b, _ratio(a, b, margin), margin.absolute)
    return float(agree), float(beyond)


def _ratio(a: Side, b: Side, margin: Margin) -> float:
    """The margin's ratio; it says nothing of negative values."""
    return 0.0 if min(*a.values, *b.values) < 0 else margin.ratio


def _smallest_ratio(
    a: Side, b: Side, design: Design, margin: Margin, alpha: float, how: Compare
) -> float | None:
    if min(*a.values, *b.values) >= 0:
        return smallest_ratio(design, margin.absolute, alpha, how.power)
    # A ratio says nothing of negative values: the absolute margin does it, or nothing.
    return 0.0 if power(design, 0.0, margin.absolute, alpha) >= how.power else None


def _p_welch(a: Side, b: Side) -> float:
    if a.constant and b.constant:
        return 1.0 if a.mean == b.mean else 0.0
    with warnings.catch_warnings():
        # scipy warns where a side is constant, which Welch's test can do with.
        warnings.simplefilter("ignore")
        if a.known:
            return float(stats.ttest_1samp(b.values, a.mean).pvalue)
        if b.known:
            return float(stats.ttest_1samp(a.values, b.mean).pvalue)
        return float(stats.ttest_ind(a.values, b.values, equal_var=False).pvalue)


def _p_rank(a: Side, b: Side, how: Compare) -> float:
    if a.constant and b.constant and a.mean == b.mean:
        return 1.0
    if a.known and b.known:
        return 0.0
    if a.known or b.known:
        known, other = (a, b) if a.known else (b, a)
        return float(stats.wilcoxon(np.asarray(other.values) - known.mean).pvalue)
    ties = len({*a.values, *b.values}) < a.n + b.n
    if ties and math.comb(a.n + b.n, a.n) <= how.resamples:
        # The normal approximation is poor for few runs with ties, and all orders are quickly tried.
        exact = stats.PermutationMethod(n_resamples=how.resamples)
        return float(stats.mannwhitneyu(a.values, b.values, method=exact).pvalue)
    return float(stats.mannwhitneyu(a.values, b.values).pvalue)


def _superiority(a: Side, b: Side) -> float:
    """Vargha and Delaney's A (2000), by comparing all runs."""
    values_a, values_b = np.asarray(a.values)[:, None], np.asarray(b.values)[None, :]
    return float((values_b > values_a).mean() + (values_b == values_a).mean() / 2)


def _floor(a: Side, b: Side, alpha: float) -> float:
    part_a, part_b = ((side.sd or 0.0) ** 2 / side.n for side in (a, b))
    t = stats.t.ppf(1 - alpha / 2, float(freedom(part_a, a.n, part_b, b.n)))
    return float(t) * math.sqrt(part_a + part_b)

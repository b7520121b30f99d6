# SPDX-License-Identifier: MIT
"""The verdict's test over pairs of runs: what is common to the two of a pair is in neither of the contrasts.

As `contrast`, with one number a pair: u = b - (1 + r) a - d and l = a / (1 + r) - b - d, each by Student's
one-sided t with n - 1 degrees of freedom. Where runs of one number were made near each other in time, what
the host did then is in both; where they were not, pairs only cost degrees of freedom.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from scipy import stats
from scipy.special import chdtri, ndtr, stdtr, stdtrit

from scxval.catalog.comparison import Compare, Margin
from scxval.compare.statistics.contrast import F64
from scxval.compare.statistics.effect import FEWEST_FOR_BOOTSTRAP, Effect, bootstrap_ends
from scxval.compare.statistics.power import LARGEST_RATIO, MOST_RUNS, SMALLEST_RATIO, STEP, smallest
from scxval.compare.statistics.question import Answer
from scxval.compare.statistics.side import FEWEST_ALIKE
from scxval.errors import ScxvalError

# Quantiles of the variance that n pairs draw; the mean over them is the chance to about 0.01.
_QUANTILES = (np.arange(256) + 0.5) / 256


def within_and_beyond_pairs(a: F64, b: F64, ratio: float, absolute: float) -> tuple[F64, F64]:
    """p_agree and p_beyond of pairs along the last axis, as `contrast.within_and_beyond` has them."""
    upper = _below(b - (1 + ratio) * a - absolute)
    lower = _below(a / (1 + ratio) - b - absolute)
    return np.maximum(upper, lower), np.minimum(1.0, 2 * np.minimum(1 - upper, 1 - lower))


def _below(theta: F64) -> F64:
    """One-sided p of mean theta <= 0 over the last axis; without variance 0 or 1 by the sign."""
    n = theta.shape[-1]
    mean, error = theta.mean(axis=-1), theta.std(axis=-1, ddof=1) / math.sqrt(n)
    certain = error == 0
    p = stdtr(n - 1, mean / np.where(certain, 1.0, error))
    return np.where(certain, np.where(mean <= 0, 0.0, 1.0), p)


def ask_pairs(
    a: tuple[float, ...], b: tuple[float, ...], margin: Margin, how: Compare, questions: int = 1
) -> Answer:
    """Answer one question of pairs of runs, in order; `ask` has what the answer means.

    `needed_runs` are pairs; `p_welch` is Student's over differences, `p_rank` Wilcoxon's signed ranks; the
    power is that of pairs whose differences vary as these do. No tests of fewer than 2 pairs, nor of fewer
    than FEWEST_ALIKE without any spread. Raises ScxvalError for sides of unlike length, or empty ones.
    """
    if len(a) != len(b) or not a:
        raise ScxvalError(f"{len(a)} and {len(b)} runs are no pairs")
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    n, differences = len(a), other - one
    ratio = 0.0 if min(one.min(), other.min()) < 0 else margin.ratio
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    sd_a, sd_b = (float(x.std(ddof=1)) if n > 1 else None for x in (one, other))
    within = mean_a / (1 + ratio) - margin.absolute, mean_a * (1 + ratio) + margin.absolute
    superiority = float((differences > 0).mean() + (differences == 0).mean() / 2)
    found = _effect(one, other, how)
    # Rounding makes a spread of what is none: the scale of the values decides.
    alike = bool(np.ptp(differences) <= 1e-12 * max(np.abs(one).max(), np.abs(other).max()))
    if n < 2 or (alike and n < FEWEST_ALIKE):
        return Answer(
            *(n, n, mean_a, mean_b, sd_a, sd_b, *within, found),
            *(None, None, None, None, superiority, None, None, None, None),
            paired=True,
        )
    agree, beyond = within_and_beyond_pairs(one, other, ratio, margin.absolute)
    alpha = how.alpha / questions
    sd = float(differences.std(ddof=1))

    def chance(pairs: int, wanted: float) -> float:
        return power_of_pairs(mean_a, sd, pairs, wanted, margin.absolute, alpha)

    def enough(step: int) -> bool:
        return chance(n, SMALLEST_RATIO * STEP**step) >= how.power

    steps = math.ceil(math.log(LARGEST_RATIO / SMALLEST_RATIO) / math.log(STEP))
    step = smallest(0, steps, enough)
    return Answer(
        n_a=n,
        n_b=n,
        mean_a=mean_a,
        mean_b=mean_b,
        sd_a=sd_a,
        sd_b=sd_b,
        agree_low=within[0],
        agree_high=within[1],
        effect=found,
        p_agree=float(agree),
        p_beyond=float(beyond),
        p_welch=_p_t(differences),
        p_rank=_p_rank(differences),
        superiority=superiority,
        power=chance(n, ratio),
        needed_runs=smallest(2, MOST_RUNS, lambda pairs: chance(pairs, ratio) >= how.power),
        smallest_ratio=None if step is None else SMALLEST_RATIO * STEP**step,
        floor=float(stats.t.ppf(1 - how.alpha / 2, n - 1)) * sd / math.sqrt(n),
        paired=True,
    )


def power_of_pairs(
    mean: float, sd: float, n: int, ratio: float, absolute: float, alpha: float
) -> float:
    """The chance of `agree` where no pair differs but by chance, with this spread `sd` of differences.

    Given the variance that n pairs draw (chi square) the mean difference is normal. The two contrasts'
    spreads are taken as that of the difference, which they are to the ratio: with 4 pairs on a host that
    varies by 40 % that says up to 0.07 too much, else at most 0.02 (docs/method.md has both measured).
    """
    if sd == 0:
        return 1.0
    drawn = sd * np.sqrt(chdtri(n - 1, 1 - _QUANTILES) / (n - 1))
    reach = stdtrit(n - 1, 1 - alpha) * drawn / math.sqrt(n)
    high = ratio * mean + absolute - reach
    low = -(mean * (1 - 1 / (1 + ratio)) + absolute) + reach
    error = sd / math.sqrt(n)
    return float(np.maximum(ndtr(high / error) - ndtr(low / error), 0.0).mean())


def _p_t(differences: F64) -> float:
    if np.ptp(differences) == 0:
        return 1.0 if differences[0] == 0 else 0.0
    with warnings.catch_warnings():
        # scipy warns of differences that are nearly alike, which is what they are.
        warnings.simplefilter("ignore")
        return float(stats.ttest_1samp(differences, 0.0).pvalue)


def _p_rank(differences: F64) -> float:
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def _effect(a: F64, b: F64, how: Compare) -> Effect:
    """The ratio of means, or their difference where one is not above 0, by BCa over pairs."""
    ratio = min(a.min(), b.min()) >= 0 and min(a.mean(), b.mean()) > 0
    estimate = float(b.mean() / a.mean() if ratio else (b - a).mean())
    if len(a) < 2:
        return Effect(ratio, estimate, None, None, "none: one pair has no spread")
    if len(a) >= FEWEST_FOR_BOOTSTRAP:
        ends = _bca(a, b, ratio, how)
        if ends is not None:
            return Effect(
                ratio, estimate, *ends, f"BCa bootstrap, {how.resamples} resamples of pairs"
            )
    return _student(a, b, ratio, estimate, how)


def _bca(a: F64, b: F64, ratio: bool, how: Compare) -> tuple[float, float] | None:
    def statistic(one: F64, other: F64, axis: int = -1) -> F64:
        means = one.mean(axis=axis), other.mean(axis=axis)
        return np.asarray(means[1] / means[0] if ratio else means[1] - means[0])

    return bootstrap_ends((a, b), statistic, how, paired=True)


def _student(a: F64, b: F64, ratio: bool, estimate: float, how: Compare) -> Effect:
    """Student's interval; of a ratio by the residuals b - ratio * a (Cochran 1977, ratio estimator)."""
    residuals = (b - estimate * a) / a.mean() if ratio else b - a
    error = float(residuals.std(ddof=1)) / math.sqrt(len(a))
    half = float(stats.t.ppf((1 + how.confidence) / 2, len(a) - 1)) * error
    if error == 0:
        return Effect(ratio, estimate, None, None, "none: no pair differs from another")
    return Effect(ratio, estimate, estimate - half, estimate + half, "Student's t over pairs")

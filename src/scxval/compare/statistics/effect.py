# SPDX-License-Identifier: MIT
"""How large a difference is: ratio or difference of two means, with its interval over runs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from scxval.catalog.comparison import Compare
from scxval.compare.statistics.contrast import F64, freedom
from scxval.compare.statistics.side import Side

# With fewer values the jackknife of BCa has nothing to estimate a skewness from.
FEWEST_FOR_BOOTSTRAP = 3


@dataclass(frozen=True)
class Effect:
    """B's mean over A's (`ratio`), or B's minus A's where one is not above 0, in the quantity's unit.

    `low` and `high` are the interval's ends, None where none can be had; `method` says how it was made
    and why it is not the bootstrap's.
    """

    ratio: bool
    estimate: float
    low: float | None
    high: float | None
    method: str


def effect(a: Side, b: Side, how: Compare) -> Effect:
    """The effect with its interval at `how.confidence`.

    Bias-corrected and accelerated bootstrap over runs (Efron 1987; scipy.stats.bootstrap) of
    `how.resamples` from `how.random_seed`. Welch's interval, of a ratio by the delta method on the
    logarithm, where a side that varies has fewer than 3 runs.
    """
    ratio = min(*a.values, *b.values) >= 0 and min(a.mean, b.mean) > 0
    estimate = b.mean / a.mean if ratio else b.mean - a.mean
    few = [side for side in (a, b) if side.n < 2 and not side.known]
    if few:
        return Effect(ratio, estimate, None, None, "none: one run has no spread")
    if a.constant and b.constant:
        return Effect(ratio, estimate, None, None, "none: no run differs from another of its side")
    if min(side.n for side in (a, b) if not side.known) < FEWEST_FOR_BOOTSTRAP:
        return _welch(a, b, ratio, estimate, how, "fewer than 3 runs")
    ends = _bca(a, b, ratio, how)
    if ends is None:
        return _welch(a, b, ratio, estimate, how, "the bootstrap has no acceleration")
    return Effect(ratio, estimate, *ends, f"BCa bootstrap, {how.resamples} resamples")


def _bca(a: Side, b: Side, ratio: bool, how: Compare) -> tuple[float, float] | None:
    # What does not vary is no sample: it would only make the jackknife's values equal.
    fixed_a, fixed_b = a.constant, b.constant

    def statistic(*samples: F64, axis: int = -1) -> F64:
        means = iter(sample.mean(axis=axis) for sample in samples)
        mean_a = a.mean if fixed_a else next(means)
        mean_b = b.mean if fixed_b else next(means)
        return np.asarray(mean_b / mean_a if ratio else mean_b - mean_a)

    samples = [np.asarray(side.values) for side in (a, b) if not side.constant]
    return bootstrap_ends(samples, statistic, how)


def bootstrap_ends(
    samples: Sequence[F64], statistic: Callable[..., F64], how: Compare, paired: bool = False
) -> tuple[float, float] | None:
    """The ends of BCa's interval of a statistic of all samples along `axis`; None of a degenerate one."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # scipy warns of the degenerate distributions that are answered with None here.
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            samples,
            statistic,
            paired=paired,
            n_resamples=how.resamples,
            confidence_level=how.confidence,
            method="BCa",
            vectorized=True,
            rng=np.random.default_rng(how.random_seed),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _welch(a: Side, b: Side, ratio: bool, estimate: float, how: Compare, why: str) -> Effect:
    parts = [(side.sd or 0.0) ** 2 / side.n for side in (a, b)]
    if ratio:
        # Divided twice: the square of a mean may be too small for a double.
        parts = [part / side.mean / side.mean for part, side in zip(parts, (a, b), strict=True)]
    t = stats.t.ppf((1 + how.confidence) / 2, float(freedom(parts[0], a.n, parts[1], b.n)))
    half = float(t) * math.sqrt(sum(parts))
    if not ratio:
        return Effect(False, estimate, estimate - half, estimate + half, f"Welch: {why}")
    # With two runs a side an end can be beyond what a double holds.
    factor = math.exp(min(half, 300.0))
    return Effect(True, estimate, estimate / factor, estimate * factor, f"Welch, logarithm: {why}")

# SPDX-License-Identifier: MIT
"""How alike two orders of the same things are: Kendall's tau-b, its chance, interval over runs, and power.

The things (schedulers) are given: an interval is about their runs, not about others that might have been
taken.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from scxval.catalog.comparison import Compare

# With ties all orders of so many things are tried (8! = 40,320); beyond, scipy's approximation is taken.
MOST_TRIED = 8
# Means that differ by less, as a part of the larger, are alike: sums are rounded.
ROUNDED = 1e-12

F64 = npt.NDArray[np.float64]
# Places of the two things of a pair.
Two = tuple[int, int]


@dataclass(frozen=True)
class Order:
    """tau-b between two lists of means, its interval over runs, the one-sided exact p; None: no order."""

    tau: float | None
    low: float | None
    high: float | None
    p: float


def order_of(a: Sequence[F64], b: Sequence[F64], how: Compare) -> Order:
    """Two orders of the same things, of each the values of its runs on either side.

    tau-b (Kendall 1945) of means over runs; none where one side has all alike, p is 1 then. p is of a tau as
    large by chance, all orders of b being equally likely. The interval is the percentile bootstrap's over
    runs within each thing on both sides, deviations widened by the root of n / (n - 1) (Davison and
    Hinkley 1997, 2.3: with few runs it is too narrow else).
    """
    means = means_of(a), means_of(b)
    tau = kendall(*means)
    if tau is None:
        return Order(None, None, None, 1.0)
    rng = np.random.default_rng(how.random_seed)
    taus = _taus(_drawn(a, how.resamples, rng), _drawn(b, how.resamples, rng))
    taus = taus[np.isfinite(taus)]
    if not len(taus):
        return Order(tau, None, None, chance_of(*means))
    low, high = np.quantile(taus, [(1 - how.confidence) / 2, (1 + how.confidence) / 2])
    return Order(tau, float(low), float(high), chance_of(*means))


def means_of(side: Sequence[F64]) -> F64:
    """Means over runs, whatever the order of the runs."""
    return np.array([math.fsum(runs) / len(runs) for runs in side])


def _drawn(side: Sequence[F64], times: int, rng: np.random.Generator, few: int = 0) -> F64:
    """Means of runs drawn anew, `few` or as many as there are: a row a time, a column a thing."""
    columns = []
    for runs in side:
        wide = runs.mean() + (runs - runs.mean()) * math.sqrt(len(runs) / max(len(runs) - 1, 1))
        places = rng.integers(0, len(runs), size=(times, few or len(runs)))
        columns.append(wide[places].mean(axis=1))
    return np.stack(columns, axis=1)


def _signs(means: F64) -> F64:
    """Of each row and every two columns: 1 where the second is larger, -1 where the first is, 0 alike."""
    first, second = np.triu_indices(means.shape[1], 1)
    apart = means[:, second] - means[:, first]
    least = ROUNDED * np.maximum(np.abs(means[:, first]), np.abs(means[:, second]))
    signs: F64 = np.where(np.abs(apart) <= least, 0.0, np.sign(apart))
    return signs


def _taus(a: F64, b: F64) -> F64:
    """tau-b of each row; NaN where a side has no order."""
    return _tau_of_signs(_signs(a), _signs(b))


def _tau_of_signs(a: F64, b: F64) -> F64:
    below = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    taus: F64 = (a * b).sum(axis=1) / np.where(below > 0, below, np.nan)
    return taus


def kendall(a: F64, b: F64) -> float | None:
    """tau-b of two lists of one length; None where one has no order."""
    if len(a) < 2:
        return None
    tau = float(_taus(a[None, :], b[None, :])[0])
    return tau if math.isfinite(tau) else None


def chance_of(a: F64, b: F64) -> float:
    """One-sided exact p of a tau as large as that of a and b: the part of all orders of b with one."""
    tau = kendall(a, b)
    if tau is None:
        return 1.0
    if not _ties(a) and not _ties(b):
        pairs = math.comb(len(a), 2)
        return _no_more_discordant(len(a))[round(pairs * (1 - tau) / 2)]
    if len(a) > MOST_TRIED:
        return float(stats.kendalltau(a, b, alternative="greater").pvalue)
    orders = np.array(list(itertools.permutations(b)))
    taus = _taus(np.broadcast_to(a, orders.shape), orders)
    # A little less, for rounding.
    return float((taus >= tau - 1e-9).mean())


def _ties(means: F64) -> bool:
    return bool((_signs(means[None, :]) == 0).any())


@cache
def _no_more_discordant(count: int) -> tuple[float, ...]:
    """By d: the part of all orders of `count` things with at most d pairs reversed.

    The number of orders with d pairs reversed is the coefficient of x^d in the product of
    1 + x + ... + x^(k - 1) over k = 1 .. count (Rodrigues 1839; Kendall 1938).
    """
    ways = np.ones(1)
    for k in range(2, count + 1):
        ways = np.convolve(ways, np.ones(k))
    return tuple((np.cumsum(ways) / math.factorial(count)).tolist())


def smallest_tau(count: int, alpha: float) -> float | None:
    """The smallest tau of so many things, none alike, with p below alpha; None where not even 1 has one."""
    pairs = math.comb(count, 2)
    below = [d for d, p in enumerate(_no_more_discordant(count)) if p < alpha]
    return 1 - 2 * below[-1] / pairs if below else None


def things_needed(questions: int, alpha: float) -> int:
    """The fewest things whose perfect order is told from chance among so many questions."""
    return next(k for k in itertools.count(2) if questions / math.factorial(k) < alpha)


def power_of(
    a: Sequence[F64], few: int, told: Sequence[Two], questions: int, how: Compare
) -> float:
    """The chance to be told `agree` of a side whose truth is a's own, with `few` runs a thing (0: no spread).

    That is to say: at these spreads, tau's p below alpha / questions, Holm's first step, and every pair of
    `told` (i < j) the right way round. As any power that is taken of the data it is, where a's means are near
    each other, more a hint than a number.
    """
    means = means_of(a)
    alpha = how.alpha / questions
    needed = smallest_tau(len(a), alpha)
    if not told or needed is None or chance_of(means, means) >= alpha:
        return 0.0
    rng = np.random.default_rng(how.random_seed)
    first = _signs(_drawn(a, how.resamples, rng))
    again = (
        _signs(_drawn(a, how.resamples, rng, few))
        if few
        else np.broadcast_to(_signs(means[None, :]), first.shape)
    )
    place = {two: n for n, two in enumerate(itertools.combinations(range(len(a)), 2))}
    columns = [place[two] for two in told]
    right = (again[:, columns] == _signs(means[None, :])[:, columns]).all(axis=1)
    reached = _tau_of_signs(first, again) >= needed - 1e-9
    return float((right & reached).mean())

# SPDX-License-Identifier: MIT
"""Where the level of a series of nights changed: steps that last, beyond a margin; and drifts.

Nights come one at a time, and so they are looked at here: what was said on a night stays
said, and what is said of a year is what its nights said. All are pure functions of one number a night.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.contrast import F64
from scxval.compare.statistics.side import FEWEST_ALIKE

# What rounding makes of values that are equal, as a part of the largest.
_ROUNDING = 1e-9
# The chance that a step of just the margin is said to be beyond it on one night.
BEYOND = 0.05
# Up to so many times `persistence` nights some that stand out together can make a level of their own: so many
# of them must be on its side. The median of more nights is proof against them.
_FEW, _MOST = 4, 0.75


@dataclass(frozen=True)
class How:
    """When a change is one: nights that it must last for, and its chance to be none at one look."""

    margin: Margin
    persistence: int
    level: float


@dataclass(frozen=True)
class Step:
    """The level is another from night `place` on (its index); first told on night `told`.

    `p` is of no step, times the places where there could have been one.
    """

    place: int
    told: int
    p: float


@dataclass(frozen=True)
class Drift:
    """A level that went from `low_end` to `high_end` in a line, over the nights from `start` to before `end`.

    Named by place, not by size: `low_end` is the first night's, `high_end` the last one's.
    """

    start: int
    end: int
    low_end: float
    high_end: float
    p: float


@dataclass(frozen=True)
class _Cut:
    """The best place to cut nights in two; sums of squares about the two means, and a line (`inf`: none).

    `variance` is a night's about its mean, larger where neighbours are alike.
    """

    place: int
    p: float
    within: float
    line: float
    variance: float


def fewest_nights(persistence: int) -> int:
    """Nights without which nothing is told: in fewer, two modes by turns look like a step too often."""
    return 3 * persistence


def steps(means: F64, days: F64, how: How) -> list[Step]:
    """The steps of a series, in order. `means` has a number a night, `days` when (for gaps), both by time."""
    found: list[Step] = []
    start = 0
    for end in range(1, len(means) + 1):
        place_p = _told(means[start:end], days[start:end], how)
        if place_p is not None:
            found.append(Step(start + place_p[0], end - 1, place_p[1]))
            start += place_p[0]
    return _placed(means, found, how.persistence)


def _told(means: F64, days: F64, how: How) -> tuple[int, float] | None:
    """Where the latest of these nights says that there was a step, and its p."""
    cut = _best_cut(means, days, how.persistence)
    if cut is None or cut.p >= how.level or cut.line < cut.within:
        return None
    before, after = means[: cut.place], means[cut.place :]
    a, b = float(np.median(before)), float(np.median(after))
    if within_margin(a, b, how.margin) or not _beyond_margin(before, after, cut.variance, how):
        return None
    middle = (a + b) / 2
    lasts = all(
        _lasts(values, middle, level, how.persistence)
        for values, level in ((before, a), (after, b))
    )
    return (cut.place, cut.p) if lasts else None


def _lasts(values: F64, middle: float, level: float, persistence: int) -> bool:
    """Whether `persistence` nights, and of few nights three quarters, lie on their own level's side."""
    own = int(np.count_nonzero((values > middle) if level > middle else (values < middle)))
    few = len(values) < _FEW * persistence
    return own >= persistence and (not few or own >= _MOST * len(values))


def _beyond_margin(before: F64, after: F64, variance: float, how: How) -> bool:
    """Whether the means are beyond the margin by more than chance: docs/method.md's contrast, one side."""
    n, m, d = len(before), len(after), how.margin.absolute
    a, b = float(before.mean()), float(after.mean())
    k = 1 + (0.0 if min(a, b) < 0 else how.margin.ratio)
    if b > a:
        beyond, error = b - k * a - d, math.sqrt(variance * (1 / m + k**2 / n))
    else:
        beyond, error = a / k - d - b, math.sqrt(variance * (1 / m + 1 / (k**2 * n)))
    return beyond > float(stdtrit(n + m - 2, 1 - BEYOND)) * error


def within_margin(a: float, b: float, margin: Margin) -> bool:
    """Whether B's level agrees with A's (docs/compare.md); a ratio says nothing of negative values."""
    ratio = 0.0 if min(a, b) < 0 else margin.ratio
    return a / (1 + ratio) - margin.absolute <= b <= a * (1 + ratio) + margin.absolute


def _best_cut(means: F64, days: F64, persistence: int) -> _Cut | None:
    """The cut that leaves the least sum of squares. None of too few nights.

    p is of Student's t with the spread of both parts together (nights before the change are many, those after
    it few), which Bonferroni corrects for the places there were. Neighbouring nights that are alike count for
    fewer: the variance of a mean of an AR(1) process (Bayley and Hammersley 1946).
    """
    n = len(means)
    if n < fewest_nights(persistence):
        return None
    places = np.arange(persistence, n - persistence + 1)
    centred = means - means.mean()
    total = float(centred @ centred)
    sums = np.cumsum(centred)[places - 1]
    # The two parts' means differ by s n / (m (n - m)) where s is the sum of the first m.
    between = sums**2 * n / (places * (n - places))
    best = int(np.argmax(between))
    place, within = int(places[best]), max(0.0, total - float(between[best]))
    if total <= n * (_ROUNDING * float(np.abs(means).max())) ** 2:
        return None
    line = _about_line(centred, days)
    if within <= n * (_ROUNDING * float(np.abs(means).max())) ** 2:
        certain = min(place, n - place) >= FEWEST_ALIKE
        return _Cut(place, 0.0 if certain else 1.0, 0.0, line, 0.0)
    residual = _residual(means, place)
    variance = within / (n - 2) * _memory(residual)
    t = -math.sqrt(float(between[best]) / variance)
    p = min(1.0, 2 * float(stdtr(n - 2, t)) * len(places))
    return _Cut(place, p, within, line, variance)


def _residual(means: F64, place: int) -> F64:
    parts = (means[:place], means[place:])
    return np.concatenate([part - part.mean() for part in parts])


def _memory(residual: F64) -> float:
    """By how much nights that resemble their neighbours make a mean's variance larger; at least 1."""
    squares = float(residual @ residual)
    if not squares:
        return 1.0
    like = float(residual[1:] @ residual[:-1]) / squares
    like = min(0.95, max(0.0, like))
    return (1 + like) / (1 - like)


def _about_line(centred: F64, days: F64) -> float:
    """The sum of squares about the line of least squares."""
    at = days - days.mean()
    spread = float(at @ at)
    if not spread:
        return math.inf
    return max(0.0, float(centred @ centred) - float(at @ centred) ** 2 / spread)


def _placed(means: F64, found: list[Step], persistence: int) -> list[Step]:
    """Each step where all nights up to the next one say that it is: when it was told there were few."""
    placed: list[Step] = []
    for number, step in enumerate(found):
        start = placed[-1].place if placed else 0
        end = found[number + 1].place if number + 1 < len(found) else len(means)
        part = means[start:end]
        places = np.arange(persistence, len(part) - persistence + 1)
        if len(places):
            sums = np.cumsum(part - part.mean())[places - 1]
            apart = sums**2 / (places * (len(part) - places))
            step = Step(start + int(places[int(np.argmax(apart))]), step.told, step.p)
        placed.append(step)
    return placed


def drifts(means: F64, days: F64, found: list[Step], how: How) -> Iterator[Drift]:
    """Parts between steps that a line fits better than a step, beyond the margin from end to end."""
    ends = [0, *(step.place for step in found), len(means)]
    for start, end in itertools.pairwise(ends):
        drift = _drift(means[start:end], days[start:end], how)
        if drift is not None:
            low, high, p = drift
            yield Drift(start, end, low, high, p)


def _drift(means: F64, days: F64, how: How) -> tuple[float, float, float] | None:
    cut = _best_cut(means, days, how.persistence)
    n = len(means)
    if cut is None or cut.within <= cut.line:
        return None
    at = days - days.mean()
    spread = float(at @ at)
    slope = float(at @ (means - means.mean())) / spread
    ends = [float(means.mean() + slope * at[where]) for where in (0, -1)]
    residual = means - means.mean() - slope * at
    variance = float(residual @ residual) / (n - 2) * _memory(residual)
    p = 0.0 if not variance else 2 * float(stdtr(n - 2, -abs(slope) * math.sqrt(spread / variance)))
    if p >= how.level or within_margin(ends[0], ends[1], how.margin):
        return None
    return ends[0], ends[1], p

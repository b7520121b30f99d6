# SPDX-License-Identifier: MIT
"""Where the level of a series of nights changed: steps that last, beyond a margin; and drifts.

Nights come one at a time, and so they are looked at here: what was said on a night stays said, and what is
said of a year is what its nights said. All are pure functions of one number a night; docs/history.md has
the reasons, `scxval.history.study` how often they are wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.contrast import F64
from scxval.compare.statistics.side import FEWEST_ALIKE

# The chance that a step of just the margin is said to be beyond it on one night.
BEYOND = 0.05
# What rounding makes of values that are equal, as a part of the largest.
_ROUNDING = 1e-9
# A first level takes this many times `persistence` nights: in fewer, two modes by turns look like one and
# then the other.
_FIRST = 3
# Up to so many times `persistence` nights some that stand out together can make a level of their own: so many
# of them must be on its side. The median of more nights is proof against them.
_FEW, _MOST = 4, 0.8


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
    """A level that went from `first` to `last` in a line, over the nights from `start` to before `end`."""

    start: int
    end: int
    first: float
    last: float
    p: float


@dataclass(frozen=True)
class _Part:
    """Nights of one level that are over: their mean, squares about it, degrees of freedom."""

    mean: float
    squares: float
    freedom: int


@dataclass(frozen=True)
class _Cut:
    """The best place to cut nights in two; sums of squares about the two means, and a line (`inf`: none).

    `variance` is a night's about its mean, with so many degrees of `freedom`; larger where nights are alike.
    """

    place: int
    p: float
    within: float
    line: float
    variance: float
    freedom: int


def fewest_nights(persistence: int) -> int:
    """Nights without which nothing is told."""
    return (_FIRST + 1) * persistence


def steps(means: F64, days: F64, how: How) -> list[Step]:
    """The steps of a series, in order. `means` has a number a night, `days` when (for gaps), both by time."""
    found: list[Step] = []
    over: list[_Part] = []
    start = 0
    for end in range(1, len(means) + 1):
        cut = _told(means[start:end], days[start:end], over, how)
        if cut is not None:
            found.append(Step(start + cut.place, end - 1, cut.p))
            over.append(_part(means[start : start + cut.place]))
            start += cut.place
    return _placed(means, found, how.persistence)


def _part(means: F64) -> _Part:
    mean = float(means.mean())
    return _Part(mean, float(np.square(means - mean).sum()), len(means) - 1)


def _told(means: F64, days: F64, over: Sequence[_Part], how: How) -> _Cut | None:
    """Where the latest of these nights says that there was a step; None where it says nothing."""
    cut = _best_cut(means, days, over, how.persistence)
    if cut is None or cut.p >= how.level or cut.line < cut.within:
        return None
    before, after = means[: cut.place], means[cut.place :]
    a, b = float(np.median(before)), float(np.median(after))
    if within_margin(a, b, how.margin) or not _beyond_margin(before, after, cut, how.margin):
        return None
    middle = (a + b) / 2
    lasts = all(
        _lasts(values, middle, level, how.persistence)
        for values, level in ((before, a), (after, b))
    )
    return cut if lasts else None


def _lasts(values: F64, middle: float, level: float, persistence: int) -> bool:
    """Whether `persistence` nights, and of few nights four fifths, lie on their own level's side."""
    own = int(np.count_nonzero((values > middle) if level > middle else (values < middle)))
    few = len(values) < _FEW * persistence
    return own >= persistence and (not few or own >= _MOST * len(values))


def _beyond_margin(before: F64, after: F64, cut: _Cut, margin: Margin) -> bool:
    """Whether the means are beyond the margin by more than chance: docs/method.md's contrast, one side."""
    n, m, d = len(before), len(after), margin.absolute
    a, b = float(before.mean()), float(after.mean())
    k = 1 + (0.0 if min(a, b) < 0 else margin.ratio)
    if b > a:
        beyond, error = b - k * a - d, math.sqrt(cut.variance * (1 / m + k**2 / n))
    else:
        beyond, error = a / k - d - b, math.sqrt(cut.variance * (1 / m + 1 / (k**2 * n)))
    return beyond > float(stdtrit(cut.freedom, 1 - BEYOND)) * error


def within_margin(a: float, b: float, margin: Margin) -> bool:
    """Whether B's level agrees with A's (docs/compare.md); a ratio says nothing of negative values."""
    ratio = 0.0 if min(a, b) < 0 else margin.ratio
    return a / (1 + ratio) - margin.absolute <= b <= a * (1 + ratio) + margin.absolute


def _best_cut(means: F64, days: F64, over: Sequence[_Part], persistence: int) -> _Cut | None:
    """The cut that leaves the least sum of squares. None of too few nights, or nights that are all alike.

    p is of Student's t with the spread of both parts together (nights before the change are many, those after
    it few) and of parts that are over, which Bonferroni corrects for the places there were.
    """
    n, first = len(means), persistence if over else _FIRST * persistence
    if n < first + persistence:
        return None
    places = np.arange(first, n - persistence + 1)
    centred = means - means.mean()
    total = float(centred @ centred)
    rounding = n * (_ROUNDING * float(np.abs(means).max())) ** 2
    if total <= rounding:
        return None
    sums = np.cumsum(centred)[places - 1]
    # The two parts' means differ by s n / (m (n - m)) where s is the sum of the first m.
    between = sums**2 * n / (places * (n - places))
    best = int(np.argmax(between))
    place, within = int(places[best]), max(0.0, total - float(between[best]))
    line = _about_line(centred, days)
    known = _known(over, float(means.mean()), persistence)
    squares, freedom = within + known.squares, n - 2 + known.freedom
    if squares <= rounding:
        certain = min(place, n - place) >= FEWEST_ALIKE
        return _Cut(place, 0.0 if certain else 1.0, 0.0, line, 0.0, freedom)
    variance = squares / freedom * _memory(_residual(means, place))
    t = -math.sqrt(float(between[best]) / variance)
    p = min(1.0, 2 * float(stdtr(freedom, t)) * len(places))
    return _Cut(place, p, within, line, variance, freedom)


def _known(over: Sequence[_Part], mean: float, persistence: int) -> _Part:
    """The spread of the latest parts that are over; it grows with the level where that has risen."""
    squares, freedom = 0.0, 0
    for part in reversed(over):
        if freedom >= _FEW * persistence:
            break
        larger = mean / part.mean if 0 < part.mean < mean else 1.0
        squares += part.squares * larger**2
        freedom += part.freedom
    return _Part(mean, squares, freedom)


def _residual(means: F64, place: int) -> F64:
    parts = (means[:place], means[place:])
    return np.concatenate([part - part.mean() for part in parts])


def _memory(residual: F64) -> float:
    """By how much nights that resemble their neighbours make a mean's variance larger; at least 1.

    That of an AR(1) process with the lag-1 correlation r: (1 + r) / (1 - r) (Bayley and Hammersley 1946).
    """
    squares = float(residual @ residual)
    if not squares:
        return 1.0
    like = min(0.95, max(0.0, float(residual[1:] @ residual[:-1]) / squares))
    return (1 + like) / (1 - like)


def _about_line(centred: F64, days: F64) -> float:
    """The sum of squares about the line of least squares."""
    at = days - days.mean()
    return max(0.0, float(centred @ centred) - float(at @ centred) ** 2 / float(at @ at))


def _placed(means: F64, found: list[Step], persistence: int) -> list[Step]:
    """Each step where all nights up to the next one say that it is: when it was told there were few."""
    placed: list[Step] = []
    for number, step in enumerate(found):
        start = placed[-1].place if placed else 0
        end = found[number + 1].place if number + 1 < len(found) else len(means)
        part = means[start:end]
        # It had begun `persistence` nights before it was told.
        latest = min(len(part), step.told + 1 - start) - persistence
        places = np.arange(persistence, latest + 1)
        if len(places):
            sums = np.cumsum(part - part.mean())[places - 1]
            apart = sums**2 / (places * (len(part) - places))
            step = Step(start + int(places[int(np.argmax(apart))]), step.told, step.p)
        placed.append(step)
    return placed


def drifts(means: F64, days: F64, found: Sequence[Step], how: How) -> Iterator[Drift]:
    """Parts between steps that a line fits better than a step, beyond the margin from end to end."""
    for start, end in itertools.pairwise([0, *(step.place for step in found), len(means)]):
        fitted = _line(means[start:end], days[start:end], how)
        if fitted is not None:
            yield Drift(start, end, *fitted)


def _line(means: F64, days: F64, how: How) -> tuple[float, float, float] | None:
    """First and last value of the line, and its p; None where there is none."""
    cut = _best_cut(means, days, (), how.persistence)
    n = len(means)
    if cut is None or cut.within <= cut.line:
        return None
    at, mean = days - days.mean(), float(means.mean())
    spread = float(at @ at)
    slope = float(at @ (means - mean)) / spread
    first, last = mean + slope * float(at[0]), mean + slope * float(at[-1])
    residual = means - mean - slope * at
    variance = float(residual @ residual) / (n - 2) * _memory(residual)
    t = -abs(slope) * math.sqrt(spread / variance) if variance else -math.inf
    p = 2 * float(stdtr(n - 2, t))
    if p >= how.level or within_margin(first, last, how.margin):
        return None
    return first, last, p

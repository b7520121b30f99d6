# SPDX-License-Identifier: MIT
"""Change points of a series of nights: beyond the margin, lasting, and not by chance; with what changed then.

The night is the unit: runs of one night share a host's state, so that they are reduced to their mean. Every
place of a series is tried with windows of several lengths on either side, by the test of docs/method.md for
more than the quantity's margin; the surest place is a change if it is one after correction for all places,
lengths and series that are looked at, and the series is gone through again on either side of it. Windows,
because a whole side hides what went there and back. Six nights of two values may look like a step by chance:
no window counts as quieter than the series' windows are by and large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.contrast import F64, Moments, within_and_beyond
from scxval.compare.statistics.side import FEWEST_ALIKE

REGRESSION, IMPROVEMENT, CHANGE = "regression", "improvement", "change"
DAY_S = 86_400
# From one window's length to the next: 3, 5, 8, 13, 21 nights.
GROWTH = 1.6


@dataclass(frozen=True)
class Night:
    """One night of a series: its day (since 1970, by the hour at which nights begin), its runs' numbers, and
    what they were made with, by name.
    """

    day: int
    values: tuple[float, ...]
    made_with: Mapping[str, frozenset[str]]

    @property
    def mean(self) -> float:
        """The mean over the night's runs."""
        return math.fsum(self.values) / len(self.values)


@dataclass(frozen=True)
class Series:
    """A quantity of one group of runs over the nights that have it, in order of time."""

    place: str
    what: str
    unit: str
    margin: Margin
    worse: str
    nights: tuple[Night, ...]


@dataclass(frozen=True)
class Changed:
    """A change point: from `day` on, `lasting` if it is the last.

    `before` and `after` are means of nights' means, over so many nights each as lie between it and the next
    change points; `p` is adjusted. `causes` is what else was new that night.
    """

    day: int
    kind: str
    before: float
    after: float
    nights_before: int
    nights_after: int
    p: float
    causes: tuple[str, ...]
    lasting: bool


def night_of(started_s: float, starts_h: int) -> int:
    """The day that a run's night began on, in days since 1970 UTC."""
    return math.floor((started_s - 3600 * starts_h) / DAY_S)


def changes(series: Series, persistence: int, alpha: float, questions: int) -> list[Changed]:
    """The change points of one of `questions` series, in order of time.

    A false one anywhere in the series has at most a chance of alpha / questions where nights are independent
    and normal: Bonferroni over all that is tried.
    """
    means = np.array([night.mean for night in series.nights])
    cuts = sorted(_cuts(means, 0, series.margin, persistence, alpha / questions))
    places = [place for place, _ in cuts]
    found = []
    for number, (place, p) in enumerate(cuts):
        start = places[number - 1] if number else 0
        end = places[number + 1] if number + 1 < len(cuts) else len(means)
        before, after = float(means[start:place].mean()), float(means[place:end].mean())
        found.append(
            Changed(
                day=series.nights[place].day,
                kind=_kind(after > before, series.worse),
                before=before,
                after=after,
                nights_before=place - start,
                nights_after=end - place,
                p=min(1.0, p * questions),
                causes=tuple(_causes(series.nights[place - 1], series.nights[place])),
                lasting=end == len(means),
            )
        )
    return found


def _cuts(
    means: F64, offset: int, margin: Margin, persistence: int, alpha: float
) -> Iterator[tuple[int, float]]:
    """Places, counted from `offset` on, with their p."""
    tried = [
        (place, length)
        for length in _lengths(len(means), persistence)
        for place in range(length, len(means) - length + 1)
    ]
    if not tried:
        return
    quiet = _quiet(means, persistence)
    p, place = min((_beyond(means, place, length, quiet, margin), place) for place, length in tried)
    if p * len(tried) >= alpha:
        return
    place = _nearest(means, place, persistence)
    yield offset + place, p * len(tried)
    yield from _cuts(means[:place], offset, margin, persistence, alpha)
    yield from _cuts(means[place:], offset + place, margin, persistence, alpha)


def _lengths(nights: int, persistence: int) -> list[int]:
    """Windows' lengths: persistence, and each GROWTH times the one before, as long as two of them fit."""
    lengths = [persistence]
    while 2 * lengths[-1] <= nights:
        lengths.append(math.ceil(GROWTH * lengths[-1]))
    return lengths[:-1]


def _quiet(means: F64, length: int) -> float:
    """The standard deviation within a window that half of all windows have, or less."""
    windows = np.lib.stride_tricks.sliding_window_view(means, length)
    return float(np.sort(windows.std(axis=1, ddof=1))[(len(windows) - 1) // 2])


def _beyond(means: F64, place: int, length: int, quiet: float, margin: Margin) -> float:
    """p of the windows before and after a place being within the margin of each other."""
    sides = means[place - length : place], means[place : place + length]
    if quiet == 0 and length < FEWEST_ALIKE and all(np.ptp(side) == 0 for side in sides):
        return 1.0
    a, b = (
        Moments(float(side.mean()), max(float(side.std(ddof=1)), quiet), length) for side in sides
    )
    ratio = 0.0 if float(means.min()) < 0 else margin.ratio
    _, beyond = within_and_beyond(a, b, ratio, margin.absolute)
    return float(beyond)


def _nearest(means: F64, place: int, persistence: int) -> int:
    """The place within persistence nights of one that splits the nights around it best."""
    start, end = max(0, place - 2 * persistence), min(len(means), place + 2 * persistence)
    places = range(max(start + persistence, place - persistence), min(end, place + persistence) + 1)
    allowed = [at for at in places if at + persistence <= end] or [place]

    def left(at: int) -> float:
        sides = means[start:at], means[at:end]
        return sum(float(((side - side.mean()) ** 2).sum()) for side in sides)

    return min(allowed, key=left)


def _kind(more: bool, worse: str) -> str:
    if not worse:
        return CHANGE
    return REGRESSION if more == (worse == "more") else IMPROVEMENT


def _causes(before: Night, after: Night) -> Iterator[str]:
    """What the night's runs were made with and those of the night before were not."""
    for name, values in sorted(after.made_with.items()):
        old = before.made_with.get(name, frozenset())
        if values != old:
            yield f"{name}: {', '.join(sorted(old)) or 'unknown'} before, {', '.join(sorted(values))} then"

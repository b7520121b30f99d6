# SPDX-License-Identifier: MIT
"""Change points of a series of nights: beyond the margin, lasting, and not by chance; with what changed then.

The night is the unit: runs of one night share a host's state, so that they are reduced to their mean.
`scxval.history.steps` finds where, here is said what it means. docs/history.md has how often it is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from scxval.catalog.comparison import Margin
from scxval.history.steps import BEYOND, Drift, How, Step, drifts, steps

REGRESSION, IMPROVEMENT, CHANGE = "regression", "improvement", "change"
STEP, DRIFT = "step", "drift"
DAY_S = 86_400
NIGHTS_A_YEAR = 365
# What measures and where, as against what is measured: a change that comes with nothing else is no regression
# of a scheduler or kernel.
ENVIRONMENT = frozenset({"host", "launcher", "agent", "metrics"})


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
    # "" or why nothing is told of it.
    why_not: str = ""


@dataclass(frozen=True)
class Changed:
    """A change: from `day` on (`last_day` is the night before it, nights between are missing), first told on
    `told_day`; `lasting` if the series has no later one. A drift went on from `last_day` to `day`.

    `before` and `after` are means of nights' means, over so many nights each as lie between it and the next
    changes; of a drift the ends of its line. `p` is of chance at one place of one series, times the places.
    `causes` is what all nights after it were made with and none before; `explained`: nothing else than where
    and how it was measured, so that it says nothing of scheduler and kernel.
    """

    day: int
    last_day: int
    told_day: int
    shape: str
    kind: str
    before: float
    after: float
    nights_before: int
    nights_after: int
    p: float
    causes: tuple[str, ...]
    explained: bool
    lasting: bool


def night_of(started_s: float, starts_h: int) -> int:
    """The day that a run's night began on, in days since 1970 UTC."""
    return math.floor((started_s - 3600 * starts_h) / DAY_S)


def level_of(false_alarms: float, questions: int) -> float:
    """The chance of a false alarm that one look at one of `questions` series may have.

    With a look a night all of them together have at most `false_alarms` a year (Bonferroni).
    """
    return false_alarms / NIGHTS_A_YEAR / max(1, questions)


def changes(series: Series, persistence: int, level: float) -> list[Changed]:
    """The changes of a series, in order of time."""
    if series.why_not or not series.nights:
        return []
    how = How(series.margin, persistence, level)
    means = np.array([night.mean for night in series.nights])
    days = np.array([night.day for night in series.nights], dtype=np.float64)
    found = steps(means, days, how)
    ends = [0, *(step.place for step in found), len(means)]
    every = [
        _step(series, step, ends[number], ends[number + 2], persistence)
        for number, step in enumerate(found)
    ]
    every += [_drift(series, drift, persistence) for drift in drifts(means, days, found, how)]
    return sorted(every, key=_day)


def _day(change: Changed) -> int:
    return change.day


def _step(series: Series, step: Step, start: int, end: int, persistence: int) -> Changed:
    nights, place = series.nights, step.place
    before, after = nights[start:place], nights[place:end]
    levels = _level(before), _level(after)
    causes = tuple(_causes(before[-persistence:], after[:persistence]))
    return Changed(
        day=nights[place].day,
        last_day=nights[place - 1].day,
        told_day=nights[step.told].day,
        shape=STEP,
        kind=_kind(levels[1] > levels[0], series.worse),
        before=levels[0],
        after=levels[1],
        nights_before=len(before),
        nights_after=len(after),
        p=step.p,
        causes=tuple(f"{name}: {words}" for name, words in causes),
        explained=bool(causes) and all(name in ENVIRONMENT for name, _ in causes),
        lasting=end == len(nights),
    )


def _drift(series: Series, drift: Drift, persistence: int) -> Changed:
    nights = series.nights[drift.start : drift.end]
    causes = tuple(_causes(nights[:persistence], nights[-persistence:]))
    return Changed(
        day=nights[-1].day,
        last_day=nights[0].day,
        told_day=nights[-1].day,
        shape=DRIFT,
        kind=_kind(drift.last > drift.first, series.worse),
        before=drift.first,
        after=drift.last,
        nights_before=len(nights),
        nights_after=0,
        p=drift.p,
        causes=tuple(f"{name}: {words}" for name, words in causes),
        explained=bool(causes) and all(name in ENVIRONMENT for name, _ in causes),
        lasting=drift.end == len(series.nights),
    )


def _level(nights: Sequence[Night]) -> float:
    return math.fsum(night.mean for night in nights) / len(nights)


def _kind(more: bool, worse: str) -> str:
    if not worse:
        return CHANGE
    return REGRESSION if more == (worse == "more") else IMPROVEMENT


def _causes(before: Sequence[Night], after: Sequence[Night]) -> Iterator[tuple[str, str]]:
    """What the nights after were made with and none of those before: hosts by turns are no cause."""
    for name in sorted({name for night in after for name in night.made_with}):
        old, new = (_made(nights, name) for nights in (before, after))
        if new and not old & new:
            yield (
                name,
                f"{', '.join(sorted(old)) or 'unknown'} before, {', '.join(sorted(new))} then",
            )


def _made(nights: Sequence[Night], name: str) -> frozenset[str]:
    return frozenset().union(*(night.made_with.get(name, frozenset()) for night in nights))


def tells(series: Series, since: int, persistence: int, level: float) -> float | None:
    """The smallest step, as a part of the level, that would be told in the first `persistence` nights.

    From the spread of the nights from index `since` on; of such steps half are. None where there are too
    few nights to say, or the level is not above 0.
    """
    values = np.array([night.mean for night in series.nights[since:]])
    n = len(values)
    mean = float(values.mean()) if n else 0.0
    if n < 2 * persistence or mean <= 0:
        return None
    noise = float(values.std(ddof=1)) * math.sqrt(1 / n + 1 / persistence)
    freedom = n + persistence - 2
    chance = float(stats.t.isf(level / 2 / (n + 1 - persistence), freedom)) * noise
    margin = series.margin.absolute + series.margin.ratio * mean
    beyond = margin + float(stats.t.isf(BEYOND, freedom)) * noise
    return max(chance, beyond) / mean

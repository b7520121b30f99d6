# SPDX-License-Identifier: MIT
"""The store as series with their changes: history.json, changes.csv and .parquet, and the page.

`regressions` are the changes for the worse that last until the latest night: what a nightly is asked about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scxval.catalog.comparison import Compare
from scxval.catalog.config import History
from scxval.catalog.model import AXES
from scxval.history.changes import (
    REGRESSION,
    Changed,
    Night,
    Series,
    changes,
    level_of,
    night_of,
    tells,
)
from scxval.history.readings import MADE_WITH, quantity_of
from scxval.history.steps import fewest_nights
from scxval.history.store import Content, content
from scxval.history.text import day_text

SCHEMA = 1
CHANGES = pa.schema(
    [
        *((name, pa.string()) for name in ("place", "what", "unit", "night", "last_night", "told")),
        *((name, pa.string()) for name in ("shape", "kind", "causes")),
        *((name, pa.float64()) for name in ("before", "after", "p")),
        *((name, pa.int64()) for name in ("nights_before", "nights_after")),
        *((name, pa.bool_()) for name in ("explained", "lasting", "new")),
    ]
)
# Of a night, how many runs ended in which outcome.
Outcomes = Mapping[int, Mapping[str, int]]


@dataclass(frozen=True)
class Watched:
    """A series with its changes; `tells` is the smallest step, as a part of its level now, that the first
    nights after it would tell (None: nobody can say yet).
    """

    series: Series
    changes: tuple[Changed, ...]
    tells: float | None


@dataclass(frozen=True)
class Trend:
    """All series with their changes, and how runs ended by night, over all groups and of each."""

    watched: tuple[Watched, ...]
    outcomes: Outcomes
    by_place: Mapping[str, Outcomes]
    settings: History
    questions: int

    @property
    def regressions(self) -> list[tuple[Series, Changed]]:
        """Lasting changes for the worse: those that are news first, then by size against the margin."""
        found = [
            (one.series, change)
            for one in self.watched
            for change in one.changes
            if change.kind == REGRESSION and change.lasting
        ]
        return sorted(found, key=self._order)

    def _order(self, found: tuple[Series, Changed]) -> tuple[bool, bool, int, str, str]:
        series, change = found
        return (
            change.explained,
            not self.is_new(change),
            -change.day,
            series.place,
            series.what,
        )

    def is_new(self, change: Changed) -> bool:
        """Whether it was first told in the last nights: what is older, somebody has seen."""
        return change.told_day > max(self.outcomes) - self.settings.new_for

    @property
    def fewest(self) -> int:
        """Nights that a series must have before anything is said of it."""
        return fewest_nights(self.settings.persistence)

    @property
    def too_short(self) -> int:
        """How many of the series that are judged have too few nights for any change."""
        judged = (one.series for one in self.watched if not one.series.why_not)
        return sum(len(series.nights) < self.fewest for series in judged)


def read_trend(store: Path, how: Compare, settings: History) -> Trend:
    """Read the store's last nights and look for changes; all series share the alarms. Raises ScxvalError."""
    found = content(store)
    days = [night_of(s, settings.night_starts_h) for s in found.runs["started_s"].to_pylist()]
    first = max(days, default=0) - settings.most_nights + 1
    every = list(_series(found, days, first, how))
    fewest = fewest_nights(settings.persistence)
    questions = sum(not s.why_not and len(s.nights) >= fewest for s in every)
    level = level_of(settings.false_alarms, questions)
    outcomes, by_place = _outcomes(found, days, first)
    watched = tuple(_watched(series, settings.persistence, level) for series in every)
    return Trend(watched, outcomes, by_place, settings, questions)


def _watched(series: Series, persistence: int, level: float) -> Watched:
    found = tuple(changes(series, persistence, level))
    days = [night.day for night in series.nights]
    since = max((days.index(change.day) for change in found), default=0)
    least = None if series.why_not else tells(series, since, persistence, level)
    return Watched(series, found, least)


def _outcomes(
    found: Content, days: Sequence[int], first: int
) -> tuple[dict[int, dict[str, int]], dict[str, dict[int, dict[str, int]]]]:
    every: dict[int, Counter[str]] = {}
    places: dict[str, dict[int, Counter[str]]] = {}
    names = found.runs["outcome"].to_pylist()
    for day, place, outcome in zip(days, _places(found), names, strict=True):
        if day >= first:
            every.setdefault(day, Counter())[outcome] += 1
            places.setdefault(place, {}).setdefault(day, Counter())[outcome] += 1
    by_place = {
        place: {day: dict(sorted(c.items())) for day, c in sorted(nights.items())}
        for place, nights in sorted(places.items())
    }
    return {day: dict(sorted(c.items())) for day, c in sorted(every.items())}, by_place


def _places(found: Content) -> list[str]:
    """Of each run, its group: the cell without the repetition."""
    axes = (found.runs[axis].to_pylist() for axis in AXES)
    return ["/".join(values) for values in zip(*axes, strict=True)]


def _series(found: Content, days: Sequence[int], first: int, how: Compare) -> Iterator[Series]:
    """A series of each quantity of each group; its nights are those that have a number."""
    place_of = np.unique(_places(found) or [""], return_inverse=True)
    run, what = (found.readings[name].to_numpy() for name in ("run", "quantity"))
    value, day = found.readings["value"].to_numpy(), np.asarray(days, dtype=np.int64)
    place = place_of[1][run]
    order = np.lexsort((run, day[run], what, place))
    order = order[day[run][order] >= first]
    keys = np.stack([place[order], what[order]], axis=1)
    starts = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    made_with = _made_with(found)
    names = found.quantities.to_pylist()
    for rows in np.split(order, starts) if len(order) else []:
        quantity = names[what[rows[0]]]
        made = quantity_of(quantity["metric"], quantity["stat"], quantity["task"], how.quantities)
        if made is None:
            continue
        task = f" task {quantity['task']}" if quantity["task"] else ""
        yield Series(
            place=str(place_of[0][place[rows[0]]]),
            what=f"{quantity['metric']} {quantity['stat']}{task}",
            unit=quantity["unit"],
            margin=made.margin,
            worse=made.worse,
            nights=tuple(_nights(rows, run, day, value, made_with)),
            why_not="" if made.carries else made.margin.reason,
        )


def _nights(
    rows: Any, run: Any, day: Any, value: Any, made_with: Sequence[Mapping[str, str]]
) -> Iterator[Night]:
    of_row = day[run[rows]]
    for some in np.split(rows, np.flatnonzero(np.diff(of_row)) + 1):
        runs = [made_with[index] for index in run[some]]
        names = {
            name: frozenset(one[name] for one in runs if one[name])
            for name in MADE_WITH
            if any(one[name] for one in runs)
        }
        yield Night(int(day[run[some[0]]]), tuple(map(float, value[some])), names)


def _made_with(found: Content) -> list[dict[str, str]]:
    columns = {name: found.runs[f"with_{name}"].to_pylist() for name in MADE_WITH}
    return [dict(zip(MADE_WITH, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def record_of(trend: Trend) -> dict[str, Any]:
    """The content of history.json."""
    return {
        "schema": SCHEMA,
        "nights": len(trend.outcomes),
        "latest": day_text(max(trend.outcomes)) if trend.outcomes else None,
        "series": len(trend.watched),
        "judged": trend.questions,
        "too_short": trend.too_short,
        "false_alarms": trend.settings.false_alarms,
        "regressions": [_change(trend, series, change) for series, change in trend.regressions],
        "changes": [_change(trend, one.series, c) for one in trend.watched for c in one.changes],
    }


def _change(trend: Trend, series: Series, change: Changed) -> dict[str, Any]:
    days = {
        "night": day_text(change.day),
        "last_night": day_text(change.last_day),
        "told": day_text(change.told_day),
    }
    own = {k: v for k, v in asdict(change).items() if k not in ("day", "last_day", "told_day")}
    own |= {"causes": "; ".join(change.causes), "new": trend.is_new(change)}
    return {"place": series.place, "what": series.what, "unit": series.unit, **days, **own}

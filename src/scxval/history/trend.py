# SPDX-License-Identifier: MIT
"""The store as series with their change points: history.json, changes.csv and .parquet, and the page.

`regressions` are the changes for the worse that last until the latest night: what a nightly is asked about.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from scxval.catalog.comparison import Compare, Compared
from scxval.catalog.config import History
from scxval.catalog.model import AXES
from scxval.files import whole, write_json
from scxval.history.changes import REGRESSION, Changed, Night, Series, changes, night_of
from scxval.history.store import readings_table, runs_table

SCHEMA = 1
# What a night's runs are made with, and its column in the store.
MADE_WITH = {
    "host": "host",
    "kernel": "kernel",
    "scheduler's binary": "scheduler_digest",
    "scxval": "scxval",
}
CHANGES = pa.schema(
    [
        *((name, pa.string()) for name in ("place", "what", "unit", "night", "kind", "causes")),
        *((name, pa.float64()) for name in ("before", "after", "p")),
        *((name, pa.int64()) for name in ("nights_before", "nights_after")),
        ("lasting", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Trend:
    """All series with their change points, and how runs ended, by night."""

    series: tuple[tuple[Series, tuple[Changed, ...]], ...]
    outcomes: Mapping[int, Mapping[str, int]]
    persistence: int

    @property
    def regressions(self) -> list[tuple[Series, Changed]]:
        """Lasting changes for the worse."""
        return [
            (series, change)
            for series, found in self.series
            for change in found
            if change.kind == REGRESSION and change.lasting
        ]

    @property
    def too_short(self) -> int:
        """How many series have too few nights for any change point."""
        return sum(len(series.nights) < 2 * self.persistence for series, _ in self.series)


def read_trend(store: Path, how: Compare, settings: History) -> Trend:
    """Read the store's last nights and look for changes; all series share alpha. Raises ScxvalError."""
    runs = runs_table(store).to_pylist()
    days = [night_of(run["started_s"], settings.night_starts_h) for run in runs]
    first = max(days, default=0) - settings.most_nights + 1
    outcomes: dict[int, dict[str, int]] = {}
    for day, run in zip(days, runs, strict=True):
        if day >= first:
            counts = outcomes.setdefault(day, {})
            counts[run["outcome"]] = counts.get(run["outcome"], 0) + 1
    every = _series(readings_table(store).to_pylist(), how, settings, first)
    looked_at = max(1, sum(len(series.nights) >= 2 * settings.persistence for series in every))
    found = tuple((s, tuple(changes(s, settings.persistence, how.alpha, looked_at))) for s in every)
    return Trend(found, dict(sorted(outcomes.items())), settings.persistence)


def _series(
    readings: Sequence[Mapping[str, Any]], how: Compare, settings: History, first: int
) -> list[Series]:
    grouped: dict[tuple[str, str, str], dict[int, list[Mapping[str, Any]]]] = {}
    for reading in readings:
        day = night_of(reading["started_s"], settings.night_starts_h)
        if day >= first:
            place = "/".join(reading[axis] for axis in AXES)
            key = (place, reading["what"], reading["unit"])
            grouped.setdefault(key, {}).setdefault(day, []).append(reading)
    series = []
    for (place, what, unit), nights in sorted(grouped.items()):
        quantity = quantity_of(what, how.quantities)
        if quantity is not None:
            made = tuple(_night(day, found) for day, found in sorted(nights.items()))
            series.append(Series(place, what, unit, quantity.margin, quantity.worse, made))
    return series


def quantity_of(what: str, quantities: Sequence[Compared]) -> Compared | None:
    """The configured quantity of a reading; None where the configuration has it no more."""
    metric, stat = what.split(" ")[:2]
    scope = "task" if " task " in what else "workload"
    exact = [q for q in quantities if q.metric == metric and (q.stat, q.scope) == (stat, scope)]
    like = [
        q
        for q in quantities
        if fnmatchcase(metric, q.metric) and (q.stat, q.scope) == (stat, scope)
    ]
    return next(iter([*exact, *like]), None)


def _night(day: int, readings: Sequence[Mapping[str, Any]]) -> Night:
    made_with = {
        name: frozenset(reading[column] for reading in readings if reading[column])
        for name, column in MADE_WITH.items()
    }
    return Night(day, tuple(reading["value"] for reading in readings), made_with)


def day_text(day: int) -> str:
    """A night's date, that of the day it began on."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def record_of(trend: Trend) -> dict[str, Any]:
    """The content of history.json."""
    return {
        "schema": SCHEMA,
        "nights": len(trend.outcomes),
        "latest": day_text(max(trend.outcomes)) if trend.outcomes else None,
        "series": len(trend.series),
        "too_short": trend.too_short,
        "regressions": [_change(series, change) for series, change in trend.regressions],
        "changes": [_change(series, c) for series, found in trend.series for c in found],
    }


def _change(series: Series, change: Changed) -> dict[str, Any]:
    data = {**asdict(change), "night": day_text(change.day), "causes": "; ".join(change.causes)}
    del data["day"]
    return {"place": series.place, "what": series.what, "unit": series.unit, **data}


def write_trend(trend: Trend, page: Path, folder: Path) -> None:
    """Write the page, and history.json with the table of changes into a folder."""
    from scxval.history.page import render

    record = record_of(trend)
    table = pa.Table.from_pylist(record["changes"], schema=CHANGES)
    with whole(folder / "changes.parquet", folder / "changes.csv", page) as (parquet, text, html):
        pq.write_table(table, parquet)
        pyarrow.csv.write_csv(table, text)
        html.write_text(render(trend), encoding="utf-8")
    write_json(folder / "history.json", record)

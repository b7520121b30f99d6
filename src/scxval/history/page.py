# SPDX-License-Identifier: MIT
"""The trend page: regressions first, then every series that changed, then the others, in one HTML file.

There is no script in it, and its content security policy allows none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from markupsafe import Markup

from scxval.errors import ScxvalError
from scxval.files import whole, write_json
from scxval.history.changes import Changed, Series
from scxval.history.picture import picture
from scxval.history.text import cause_text, day_text, level_text, percent, when_text
from scxval.history.trend import CHANGES, Outcomes, Trend, Watched, record_of
from scxval.report.templates import environment
from scxval.report.text import plural, scale_for


@dataclass(frozen=True)
class Line:
    """A change in words."""

    place: str
    what: str
    kind: str
    shape: str
    href: str
    when: str
    told: str
    before: str
    after: str
    percent: str
    nights: str
    p: str
    causes: str
    explained: bool
    lasting: bool
    new: bool


@dataclass(frozen=True)
class Shown:
    """A series as the page has it; `state` says why nothing could be told of it, or what could have been."""

    id: str
    place: str
    what: str
    unit: str
    state: str
    lines: tuple[Line, ...]
    drawn: Markup


def render(trend: Trend) -> str:
    """The page as text."""
    env = environment(Path(__file__).parent)
    env.filters["night"] = day_text
    ids = {(one.series.place, one.series.what): f"s{n}" for n, one in enumerate(trend.watched)}
    shown = [_shown(trend, one, ids) for one in trend.watched]
    return env.get_template("trend.html.j2").render(
        trend=trend,
        headline=_headline(trend),
        regressions=[_line(trend, series, change, ids) for series, change in trend.regressions],
        changed=[one for one in shown if one.lines],
        quiet=_by_place([one for one in shown if not one.lines]),
        outcomes=_names(trend.outcomes),
        places=[
            (place, _totals(nights), _bad_nights(nights))
            for place, nights in trend.by_place.items()
        ],
    )


def _headline(trend: Trend) -> list[tuple[str, str]]:
    regressions = trend.regressions
    new = sum(trend.is_new(change) and not change.explained for _, change in regressions)
    span = (
        f"{day_text(min(trend.outcomes))} to {day_text(max(trend.outcomes))}"
        if trend.outcomes
        else "none"
    )
    alarms = f"{trend.settings.false_alarms:g} a year over all series"
    return [
        ("Nights", span),
        ("Regressions that last", f"{len(regressions)}, {new} of them news"),
        ("Series", f"{len(trend.watched)}, {trend.questions} with nights enough"),
        ("Changes by chance", f"at most {alarms}"),
    ]


def _shown(trend: Trend, one: Watched, ids: dict[tuple[str, str], str]) -> Shown:
    series = one.series
    lines = tuple(_line(trend, series, change, ids) for change in one.changes)
    return Shown(
        id=ids[series.place, series.what],
        place=series.place,
        what=series.what,
        unit=series.unit,
        state=_state(trend, one),
        lines=lines,
        drawn=picture(series, one.changes, tips=bool(lines)),
    )


def _state(trend: Trend, one: Watched) -> str:
    nights = len(one.series.nights)
    if one.series.why_not:
        return f"not judged: {one.series.why_not}"
    if nights < trend.fewest:
        return f"cannot tell before {trend.fewest} nights, there are {nights}"
    if one.tells is None:
        return "too few nights since the last change to say how small a step would be told"
    return f"a step of {100 * one.tells:.0f} % would be told within {trend.settings.persistence} nights"


def _line(trend: Trend, series: Series, change: Changed, ids: dict[tuple[str, str], str]) -> Line:
    scale = scale_for([change.before, change.after], series.unit)
    return Line(
        place=series.place,
        what=series.what,
        kind=change.kind,
        shape=change.shape,
        href=f"#{ids[series.place, series.what]}",
        when=when_text(change),
        told=day_text(change.told_day),
        before=level_text(change.before, scale),
        after=level_text(change.after, scale),
        percent=percent(change),
        nights=f"{change.nights_before}+{change.nights_after}",
        p=f"{change.p:.2g}",
        causes=cause_text(change),
        explained=change.explained,
        lasting=change.lasting,
        new=trend.is_new(change),
    )


def _by_place(shown: Sequence[Shown]) -> dict[str, list[Shown]]:
    found: dict[str, list[Shown]] = {}
    for one in shown:
        found.setdefault(one.place, []).append(one)
    return found


def _names(outcomes: Outcomes) -> list[str]:
    """All outcomes there are, ok first."""
    names = {name for counts in outcomes.values() for name in counts}
    return sorted(names, key=_ok_first)


def _ok_first(name: str) -> tuple[bool, str]:
    return name != "ok", name


def _totals(nights: Outcomes) -> str:
    counts: Counter[str] = Counter()
    for night in nights.values():
        counts.update(night)
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts, key=_ok_first))


def _bad_nights(nights: Outcomes) -> str:
    """When runs last ended other than ok."""
    bad = [day for day, counts in nights.items() if set(counts) - {"ok"}]
    return f"{plural(len(bad), 'night')}, last {day_text(max(bad))}" if bad else "none"


def write_trend(trend: Trend, page: Path, folder: Path) -> None:
    """Write the page, and history.json with the table of changes into a folder. Raises ScxvalError."""
    record = record_of(trend)
    table = pa.Table.from_pylist(record["changes"], schema=CHANGES)
    try:
        with whole(folder / "changes.parquet", folder / "changes.csv", page) as files:
            parquet, text, html = files
            pq.write_table(table, parquet)
            pyarrow.csv.write_csv(table, text)
            html.write_text(render(trend), encoding="utf-8")
        write_json(folder / "history.json", record)
    except OSError as error:
        raise ScxvalError(f"cannot write {error.filename}: {error.strerror}") from error

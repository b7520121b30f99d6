# SPDX-License-Identifier: MIT
"""A series as a small SVG: a dot a run, a line through the nights' means, levels, a mark at each change.

Takes its colours from the page. Marks differ by shape, and the page's lists have all that is in them. Where
nights are missing the line is broken. With `tips` every night tells its numbers; without, a year of a
series takes 10 KB.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from scxval.history.changes import DRIFT, IMPROVEMENT, REGRESSION, Changed, Night, Series
from scxval.history.text import day_text, level_text
from scxval.report.text import Scale, plural, scale_for, visible

WIDTH, HEIGHT = 900, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 886, 16, 126
_SHAPES = {REGRESSION: "M-6 -6h12l-6 10z", IMPROVEMENT: "M-6 6h12l-6 -10z"}
_OTHER = "M-5 0l5 -5l5 5l-5 5z"
# Nights that lie further apart than this many times what is usual have others missing between them.
_GAP = 1.5


class _Axes:
    """Where days and values are drawn."""

    def __init__(self, nights: Sequence[Night]) -> None:
        values = [value for night in nights for value in night.values]
        self.low, self.high = min(values), max(values)
        self.first, self.last = nights[0].day, nights[-1].day
        self._span = (self.high - self.low) or abs(self.high) or 1.0

    def x(self, day: float) -> str:
        part = (day - self.first) / max(1, self.last - self.first)
        return f"{_LEFT + (_RIGHT - _LEFT) * part:.1f}"

    def y(self, value: float) -> str:
        part = (value - self.low + 0.05 * self._span) / (1.1 * self._span)
        return f"{_BOTTOM - (_BOTTOM - _TOP) * part:.1f}"


def picture(series: Series, found: Sequence[Changed], tips: bool = True) -> Markup:
    """The SVG; a triangle downward is a regression, upward an improvement, a diamond another change."""
    nights, axes = series.nights, _Axes(series.nights)
    scale = scale_for([axes.low, axes.high], series.unit)
    parts = [
        *_labels(axes, scale),
        *_lines(nights, axes),
        *_levels(nights, found, axes),
        *(_tips(nights, axes, scale) if tips else ()),
        *_marks(found, axes, scale),
    ]
    return Markup(
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(visible(_words(series, found, scale)))}">{"".join(parts)}</svg>'
    )


def _words(series: Series, found: Sequence[Changed], scale: Scale) -> str:
    said = [f"{series.what} of {series.place}, {plural(len(series.nights), 'night')}"]
    said += [
        f"{change.kind} on {day_text(change.day)} from {level_text(change.before, scale)} to"
        f" {level_text(change.after, scale)}"
        for change in found
    ]
    return "; ".join(said if found else [*said, "no change"])


def _labels(axes: _Axes, scale: Scale) -> Iterator[str]:
    for end in dict.fromkeys((axes.low, axes.high)):
        words = escape(visible(level_text(end, scale)))
        yield f'<text x="{_LEFT - 6}" y="{float(axes.y(end)) + 4:.1f}" text-anchor="end">{words}</text>'
    for day, anchor in {axes.first: "start", axes.last: "end"}.items():
        yield (
            f'<text x="{axes.x(day)}" y="{HEIGHT - 6}" text-anchor="{anchor}">{day_text(day)}</text>'
        )


def _lines(nights: Sequence[Night], axes: _Axes) -> Iterator[str]:
    """All runs as one path of dots, the means as one path that is broken where nights are missing."""
    dots = "".join(f"M{axes.x(n.day)} {axes.y(v)}h0" for n in nights for v in n.values)
    yield f'<path class="run" d="{dots}"/>'
    apart = [b.day - a.day for a, b in itertools.pairwise(nights)]
    usual = statistics.median(apart) if apart else 1
    pieces = [f"M{axes.x(nights[0].day)} {axes.y(nights[0].mean)}"]
    for night, gap in zip(nights[1:], apart, strict=True):
        letter = "M" if gap > _GAP * usual else "L"
        pieces.append(f"{letter}{axes.x(night.day)} {axes.y(night.mean)}")
    yield f'<path class="mean" d="{"".join(pieces)}"/>'


def _levels(nights: Sequence[Night], found: Sequence[Changed], axes: _Axes) -> Iterator[str]:
    """The level before and after each step, the line of each drift."""
    days = [night.day for night in nights]
    for change in found:
        at = days.index(change.day)
        if change.shape == DRIFT:
            start = days.index(change.last_day)
            yield _level(axes, days[start], change.before, days[at], change.after)
            continue
        before, after = days[at - change.nights_before], days[at + change.nights_after - 1]
        yield _level(axes, before, change.before, change.last_day, change.before)
        yield _level(axes, change.day, change.after, after, change.after)


def _level(axes: _Axes, start: int, low: float, end: int, high: float) -> str:
    line = f"M{axes.x(start)} {axes.y(low)}L{axes.x(end)} {axes.y(high)}"
    return f'<path class="level" d="{line}"/>'


def _tips(nights: Sequence[Night], axes: _Axes, scale: Scale) -> Iterator[str]:
    for night in nights:
        said = f"{day_text(night.day)}: {level_text(night.mean, scale)}, {plural(len(night.values), 'run')}"
        yield (
            f'<circle class="night" cx="{axes.x(night.day)}" cy="{axes.y(night.mean)}" r="3">'
            f"<title>{escape(visible(said))}</title></circle>"
        )


def _marks(found: Sequence[Changed], axes: _Axes, scale: Scale) -> Iterator[str]:
    for change in found:
        at = axes.x(change.day)
        said = (
            f"{change.kind} on {day_text(change.day)}: {level_text(change.before, scale)} to"
            f" {level_text(change.after, scale)}"
        )
        yield f'<path class="at" d="M{at} {_TOP}V{_BOTTOM}"/>'
        yield (
            f'<path class="{change.kind}" transform="translate({at} {_TOP - 6})" '
            f'd="{_SHAPES.get(change.kind, _OTHER)}"><title>{escape(visible(said))}</title></path>'
        )

# SPDX-License-Identifier: MIT
"""A series as a small SVG: a dot a run, a line through the nights' means, a mark at each change point.

Takes its colours from the page. Every night has its numbers as a tooltip; the page's table has the changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from scxval.history.changes import IMPROVEMENT, REGRESSION, Changed, Series
from scxval.history.trend import day_text
from scxval.report.text import visible

WIDTH, HEIGHT = 900, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 880, 12, 126
_SHAPES = {REGRESSION: "M-6 -6h12l-6 10z", IMPROVEMENT: "M-6 6h12l-6 -10z"}
_OTHER = "M-5 0l5 -5l5 5l-5 5z"


def picture(series: Series, found: Sequence[Changed]) -> Markup:
    """The SVG; a triangle downward is a regression, upward an improvement, a diamond another change."""
    nights = series.nights
    values = [value for night in nights for value in night.values]
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    first, last = nights[0].day, nights[-1].day

    def x(day: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (day - first) / max(1, last - first)

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - low + 0.05 * span) / (1.1 * span)

    parts = [
        f'<text class="soft" x="{_LEFT - 6}" y="{y(end) + 4:.1f}" text-anchor="end">{end:.4g}</text>'
        for end in dict.fromkeys((low, high))
    ]
    parts += [
        f'<text class="soft" x="{x(day):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{day_text(day)}</text>'
        for day, anchor in {first: "start", last: "end"}.items()
    ]
    for night in nights:
        parts += [
            f'<circle class="run" cx="{x(night.day):.1f}" cy="{y(value):.1f}" r="1.6"/>'
            for value in night.values
        ]
    line = " ".join(f"{x(night.day):.1f},{y(night.mean):.1f}" for night in nights)
    parts.append(f'<polyline class="mean" points="{line}"/>')
    for night in nights:
        said = f"{day_text(night.day)}: mean {night.mean:.4g} {series.unit} of {len(night.values)} runs"
        parts.append(
            f'<circle class="night" cx="{x(night.day):.1f}" cy="{y(night.mean):.1f}" r="3">'
            f"<title>{escape(visible(said))}</title></circle>"
        )
    for change in found:
        at = x(change.day)
        said = f"{change.kind} on {day_text(change.day)}: {change.before:.4g} to {change.after:.4g}"
        parts.append(f'<path class="at" d="M{at:.1f} {_TOP}V{_BOTTOM}"/>')
        parts.append(
            f'<path class="{change.kind}" transform="translate({at:.1f} {_TOP + 2})" '
            f'd="{_SHAPES.get(change.kind, _OTHER)}"><title>{escape(visible(said))}</title></path>'
        )
    label = f"{series.what} of {series.place}, {len(nights)} nights, {len(found)} changes"
    return Markup(
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(visible(label))}">{"".join(parts)}</svg>'
    )

# SPDX-License-Identifier: MIT
"""A quantity's interval drawn against its margin, as one line of SVG that takes its colours from the page.

The axis is in margins, so that all rows of a table can be compared: the band from -1 to 1 is where the
two sides agree, 0 is no difference. What lies further than FURTHEST margins is an arrow at the end.
"""

from __future__ import annotations

from markupsafe import Markup

from scxval.report.compare_load import Interval

FURTHEST = 3.0
WIDTH, HEIGHT = 126, 16
_MIDDLE, _MARGIN = WIDTH // 2, 19


def picture(effect: Interval, mean_a: float, within: tuple[float, float]) -> Markup:
    """The interval as SVG, hidden from screen readers: the same numbers stand beside it as text.

    `within` is where B's mean agrees with `mean_a`. Empty where there is no estimate.
    """
    if effect.estimate is None or (effect.ratio and mean_a <= 0):
        return Markup("")
    none = 1.0 if effect.ratio else 0.0
    low, high = ((end / mean_a if effect.ratio else end - mean_a) for end in within)
    ends = [end for end in (effect.low, effect.high) if end is not None]
    below, above = none - low, high - none
    drawn = [f'<path class="zero" d="M{_MIDDLE} 0v{HEIGHT}"/>']
    if below > 0 and above > 0:
        band = f'<path class="band" d="M{_MIDDLE - _MARGIN} 0h{2 * _MARGIN}v{HEIGHT}h-{2 * _MARGIN}z"/>'
        drawn.insert(0, band)
    else:
        # No margin: the farthest point is at the end.
        below = above = max(abs(v - none) for v in (*ends, effect.estimate)) / FURTHEST or 1.0

    def margins(value: float) -> float:
        return (value - none) / (above if value >= none else below)

    if len(ends) == 2:
        drawn.append(f'<path class="range" d="{_stroke(margins(ends[0]), margins(ends[1]))}"/>')
    x = _place(margins(effect.estimate))
    drawn.append(f'<circle cx="{x}" cy="{HEIGHT // 2}" r="3"/>')
    inside = "".join(drawn)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    # Only numbers made here are in it.
    return Markup(f'<svg class="effect" {size} aria-hidden="true">{inside}</svg>')


def _place(margins: float) -> int:
    """Pixels from the left; beyond FURTHEST at the end."""
    return round(_MIDDLE + _MARGIN * min(max(margins, -FURTHEST), FURTHEST))


def _stroke(low: float, high: float) -> str:
    """A line with a cap at each end, or an arrow's head where it goes on beyond the picture."""
    left, right, middle = _place(low), _place(high), HEIGHT // 2
    start = f"M{left + 4} {middle - 4}l-4 4l4 4" if low < -FURTHEST else f"M{left} {middle - 4}v8"
    end = f"M{right - 4} {middle - 4}l4 4l-4 4" if high > FURTHEST else f"M{right} {middle - 4}v8"
    return f"M{left} {middle}H{right}{start}{end}"

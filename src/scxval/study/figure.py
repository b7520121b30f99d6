# SPDX-License-Identifier: MIT
"""A study's one figure as an SVG that stands alone: intervals against their margins, or a matrix of shares.

Colours are the page's where it stands in one (its CSS variables), else its own, light or dark. No colour says
what a shape or a word does not say too, every mark has its numbers as a tooltip, and names are escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from scxval.compare.verdict import Verdict

_WIDTH = 1120
_LINE, _TOP = 22, 40
# Of the intervals' figure: where the axis begins and ends, where verdict and words stand.
_LEFT, _RIGHT, _VERDICT, _WORDS = 370, 716, 738, 834
# Of the matrix's: first square, its size, and how long the columns' slanted names may be.
_SQUARES, _SIDE, _NAME = 260, 26, 36
_SLANT = 55
_CHARACTER = 6.3
# Characters that XML 1.0 does not have, and those that turn the direction of what follows.
_FORBIDDEN = re.compile(
    "[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_STYLE = """
.st { --st-ink: var(--ink, #1b1f24); --st-soft: var(--soft, #57606a); --st-paper: var(--paper, #fff);
  --st-grid: var(--grid, #e3e6ea); --st-agree: var(--ok, #1a6b3c); --st-band: var(--ok-bg, #e3f4e9);
  --st-disagree: var(--failed, #a3182a); --st-unsure: var(--lossy, #7a4b00);
  font: 12px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", Arial, sans-serif }
@media (prefers-color-scheme: dark) { .st { --st-ink: var(--ink, #e4e8ec); --st-soft: var(--soft, #9aa4ae);
  --st-paper: var(--paper, #14171b); --st-grid: var(--grid, #2a3037); --st-agree: var(--ok, #7fdca0);
  --st-band: var(--ok-bg, #16321f); --st-disagree: var(--failed, #ff9aa5);
  --st-unsure: var(--lossy, #ffcf70) } }
.st-paper { fill: var(--st-paper) }
.st text { fill: var(--st-ink); white-space: pre }
.st .st-head { font-weight: 600; font-size: 14px }
.st .st-group { font-weight: 600 }
.st .st-soft { fill: var(--st-soft) }
.st-grid { stroke: var(--st-grid) }
.st-band { fill: var(--st-band); stroke: var(--st-agree); stroke-width: .6 }
.st-none { stroke: var(--st-soft); stroke-dasharray: 3 3 }
.st-range { stroke: var(--st-ink); stroke-width: 1.5; fill: none }
.st-agree { fill: var(--st-agree); stroke: var(--st-agree) }
.st-disagree { fill: var(--st-disagree); stroke: var(--st-disagree) }
.st-unsure { fill: var(--st-paper); stroke: var(--st-unsure); stroke-width: 1.6 }
.st-share { fill: var(--st-ink); stroke: none }
.st-box { fill: none; stroke: var(--st-soft); stroke-width: .6 }
.st-hatch { stroke: var(--st-grid); fill: none }
"""


@dataclass(frozen=True)
class Interval:
    """A line of the figure: an estimate, its interval and margin in the axis's unit, n and power as words.

    Without an estimate it is a line of words. `group` stands above the first of its lines.
    """

    label: str
    estimate: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    n: str
    power: str
    margin_low: float | None = None
    margin_high: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Square:
    """A square of a matrix: `share` 0 to 1 shades it, None is hatched; its text has at most 5 characters."""

    text: str
    share: float | None
    verdict: Verdict | None = None
    tip: str = ""


@dataclass(frozen=True)
class _Scale:
    """From values to pixels; `log` where distances are ratios."""

    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        low, high, at = (self._of(v) for v in (self.low, self.high, value))
        part = (at - low) / (high - low)
        return _LEFT + (_RIGHT - _LEFT) * min(max(part, 0.0), 1.0)

    def beyond(self, value: float) -> bool:
        """Whether it lies outside the axis."""
        return not self.low <= value <= self.high

    def _of(self, value: float) -> float:
        return math.log(max(value, self.low)) if self.log else value


def intervals(
    title: str,
    description: str,
    rows: Sequence[Interval],
    axis: str,
    log: bool = False,
    reference: float | None = None,
    whole: tuple[float, float] | None = None,
) -> str:
    """A line a row: margin as a band, estimate as a mark of its verdict's shape, interval, n and power.

    `axis` names the quantity and its unit; `log` is for ratios, all above 0; `reference` is where there is
    no effect; `whole` are the ends of the axis where the quantity has ends. What lies beyond is an arrow. A
    row without an estimate has its mark at its verdict.
    """
    if not rows:
        return nothing(title, description)
    scale = _Scale(*whole, log) if whole else _scale(rows, log, reference)
    parts: list[str] = []
    y = _TOP + 24
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            parts.append(_word(16, y, group, 160, "st-group"))
            y += _LINE
        parts += _interval(row, scale, y)
        y += _LINE
    bottom = y - _LINE + 8
    behind = [*_axis(scale, axis, bottom)]
    if reference is not None and not scale.beyond(reference):
        x = scale.place(reference)
        behind.append(_stroke("st-none", x, _TOP, x, bottom))
    head = [
        _word(_VERDICT, _TOP - 4, "verdict", 20, "st-soft"),
        _word(_WORDS, _TOP - 4, "estimate, n, power", 40, "st-soft"),
    ]
    return _document(title, description, bottom + 60, [*behind, *head, *parts, _key(bottom + 48)])


def _scale(rows: Sequence[Interval], log: bool, reference: float | None) -> _Scale:
    """An axis with every estimate and margin on it, and the intervals unless they are far wider."""
    core = [
        value
        for row in rows
        for value in (row.estimate, row.margin_low, row.margin_high)
        if value is not None and math.isfinite(value) and (value > 0 or not log)
    ]
    core += [reference] if reference is not None else []
    ends = [
        value
        for row in rows
        for value in (row.low, row.high)
        if value is not None and math.isfinite(value) and (value > 0 or not log)
    ]
    core = core or ends or [1.0]
    low, high = min(core), max(core)
    if log:
        low, high = low / 1.02, high * 1.02
        reach = (high / low) ** 0.6
        low = max(min([low, *ends]), low / reach)
        return _Scale(low / 1.02, min(max([high, *ends]), high * reach) * 1.02, True)
    span = high - low or abs(high) or 1.0
    low = max(min([low, *ends]), low - 0.6 * span)
    high = min(max([high, *ends]), high + 0.6 * span)
    return _Scale(low - 0.03 * span, high + 0.03 * span, False)


def _axis(scale: _Scale, name: str, bottom: float) -> list[str]:
    parts = []
    for tick in _ticks(scale):
        x = scale.place(tick)
        parts.append(_stroke("st-grid", x, _TOP, x, bottom))
        parts.append(_word(x, bottom + 14, f"{tick:g}", 12, "st-soft", "middle"))
    middle = (_LEFT + _RIGHT) / 2
    return [*parts, _word(middle, bottom + 30, name, 90, "st-soft", "middle")]


def _ticks(scale: _Scale, most: int = 7) -> list[float]:
    """Round numbers on the axis: 1, 2 and 5 times powers of ten."""
    if scale.log and scale.high / scale.low > 4:
        first, last = (math.floor(math.log10(v)) for v in (scale.low, scale.high))
        found = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
        found = [tick for tick in found if scale.low <= tick <= scale.high]
        if len(found) > most:
            found = [tick for tick in found if math.log10(tick) % 1 < 1e-9]
        return found[:: max(1, math.ceil(len(found) / most))]
    span = scale.high - scale.low
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(m for m in (1, 2, 5, 10) if span / (step * m) <= most)
    first = math.ceil(scale.low / step)
    return [n * step for n in range(first, math.floor(scale.high / step) + 1)]


def _interval(row: Interval, scale: _Scale, y: float) -> list[str]:
    numbers = _numbers(row)
    label = _word(24, y, row.label, int((_LEFT - 32) / _CHARACTER))
    said = [_word(_VERDICT, y, _said(row.verdict), 16), _word(_WORDS, y, numbers, 44)]
    if row.estimate is None or not math.isfinite(row.estimate):
        known = row.verdict not in (Verdict.NOT_MEASURED, Verdict.UNSUPPORTED)
        return [label, *([_mark(row.verdict, _VERDICT - 12, y - 4)] if known else []), *said]
    middle = y - 4
    drawn = []
    if row.margin_low is not None and row.margin_high is not None:
        left, right = scale.place(row.margin_low), scale.place(row.margin_high)
        drawn.append(
            f'<rect class="st-band" x="{left:.1f}" y="{middle - 8}" width="{right - left:.1f}" height="16"/>'
        )
    if row.low is not None and row.high is not None:
        drawn.append(f'<path class="st-range" d="{_range(row.low, row.high, scale, middle)}"/>')
    drawn.append(_mark(row.verdict, scale.place(row.estimate), middle))
    tip = f"<title>{_text(f'{row.label}: {numbers}; {_said(row.verdict)}')}</title>"
    return [label, f"<g>{tip}{''.join(drawn)}</g>", *said]


def _numbers(row: Interval) -> str:
    """Estimate and interval, n, power: what the marks show."""
    shown = []
    if row.estimate is not None:
        shown.append(number(row.estimate))
        if row.low is not None and row.high is not None:
            shown[0] += f" [{number(row.low)}, {number(row.high)}]"
    shown += [words for words in (row.n, row.power) if words]
    return "; ".join(shown)


def number(value: float) -> str:
    """Three digits, as the figures have them."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _range(low: float, high: float, scale: _Scale, y: float) -> str:
    """A line with a cap at each end, or an arrow's head where it goes on beyond the axis."""
    left, right = scale.place(low), scale.place(high)
    start = f"M{left + 5:.1f} {y - 4}l-5 4l5 4" if scale.beyond(low) else f"M{left:.1f} {y - 4}v8"
    end = f"M{right - 5:.1f} {y - 4}l5 4l-5 4" if scale.beyond(high) else f"M{right:.1f} {y - 4}v8"
    return f"M{left:.1f} {y}H{right:.1f}{start}{end}"


def _mark(verdict: Verdict, x: float, y: float) -> str:
    """A disc agrees, a diamond disagrees, a ring cannot tell."""
    if verdict is Verdict.AGREE:
        return f'<circle class="st-agree" cx="{x:.1f}" cy="{y}" r="4"/>'
    if verdict is Verdict.DISAGREE:
        return f'<path class="st-disagree" d="M{x:.1f} {y - 6}l6 6l-6 6l-6 -6z"/>'
    return f'<circle class="st-unsure" cx="{x:.1f}" cy="{y}" r="4"/>'


def _key(y: float) -> str:
    x, parts = 16.0, []
    for verdict in (Verdict.AGREE, Verdict.DISAGREE, Verdict.INCONCLUSIVE):
        parts.append(_mark(verdict, x + 6, y - 4))
        parts.append(_word(x + 18, y, _said(verdict), 20, "st-soft"))
        x += 110
    parts.append(f'<rect class="st-band" x="{x}" y="{y - 11}" width="26" height="14"/>')
    parts.append(_word(x + 34, y, "margin: within it they agree", 40, "st-soft"))
    return "".join(parts)


def matrix(
    title: str,
    description: str,
    rows: Sequence[str],
    columns: Sequence[str],
    squares: Mapping[tuple[str, str], Square],
) -> str:
    """Squares by (row, column): shaded by share, hatched if not measured, no square where none is given."""
    if not rows or not columns:
        return nothing(title, description)
    least = 58.0 if any(square.verdict for square in squares.values()) else 34.0
    side = max(least, min(72.0, (_WIDTH - _SQUARES - 90) / len(columns)))
    longest = _CHARACTER * max(min(len(_clean(name)), _NAME) for name in columns)
    top = _TOP + 16 + math.ceil(longest * math.sin(math.radians(_SLANT)))
    beyond = longest * math.cos(math.radians(_SLANT))
    width = max(_WIDTH, math.ceil(_SQUARES + side * len(columns) + beyond))
    parts = []
    for place, name in enumerate(columns):
        x = _SQUARES + side * (place + 0.5) + 4
        parts.append(
            f'<g transform="translate({x:.1f} {top - 8}) rotate(-{_SLANT})">'
            f"{_word(0, 0, name, _NAME)}</g>"
        )
    for line, name in enumerate(rows):
        y = top + line * _SIDE
        parts.append(_word(_SQUARES - 8, y + 17, name, 38, anchor="end"))
        for place, column in enumerate(columns):
            found = squares.get((name, column))
            if found is not None:
                parts.append(_square(found, f"{name}, {column}", _SQUARES + place * side, y, side))
    height = top + len(rows) * _SIDE + 44
    parts.append(_matrix_key(height - 16))
    return _document(title, description, height, parts, width)


def _square(square: Square, where: str, x: float, y: float, side: float) -> str:
    tip = f"<title>{_text(f'{where}: {square.tip or square.text}')}</title>"
    inner_x, inner, high = x + 1, side - 2, _SIDE - 2
    box = f'x="{inner_x:.1f}" y="{y + 1}" width="{inner:.1f}" height="{high}"'
    drawn = []
    if square.share is None:
        lines = " ".join(
            f"M{inner_x + step:.1f} {y + 1 + high}l{(run := min(high, inner - step)):.1f} -{run:.1f}"
            for step in range(0, int(inner) - 2, 6)
        )
        drawn.append(f'<path class="st-hatch" d="{lines}"/>')
    else:
        shade = 0.05 + 0.35 * min(max(square.share, 0.0), 1.0)
        drawn.append(f'<rect class="st-share" {box} fill-opacity="{shade:.3f}"/>')
    drawn.append(f'<rect class="st-box" {box}/>')
    middle = inner_x + inner / 2
    if square.verdict is not None:
        drawn.append(_mark(square.verdict, inner_x + 9, y + _SIDE / 2))
        middle += 6
    drawn.append(_word(middle, y + 17, square.text, 7, anchor="middle"))
    return f"<g>{tip}{''.join(drawn)}</g>"


def _matrix_key(y: float) -> str:
    parts, x = [], 16.0
    for share, words in (
        (1.0, "all"),
        (0.0, "none, though it could be seen"),
        (None, "not measured"),
    ):
        parts.append(_square(Square("", share), words, x, y - 16, 30))
        parts.append(_word(x + 36, y, words, 40, "st-soft"))
        x += 60 + len(words) * _CHARACTER
    for verdict in (Verdict.AGREE, Verdict.DISAGREE, Verdict.INCONCLUSIVE):
        parts.append(_mark(verdict, x + 6, y - 4))
        parts.append(_word(x + 18, y, _said(verdict), 20, "st-soft"))
        x += 110
    return "".join(parts)


def nothing(title: str, why: str) -> str:
    """The figure of a study that has nothing to show, and why."""
    lines = _wrapped(why, 150)
    parts = [_word(16, _TOP + 20 + 18 * n, line, 160, "st-soft") for n, line in enumerate(lines)]
    return _document(title, why, _TOP + 40 + 18 * len(lines), parts)


def _wrapped(words: str, most: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _said(verdict: Verdict) -> str:
    return verdict.replace("_", " ")


def _document(
    title: str, said: str, height: float, parts: Sequence[str], width: int = _WIDTH
) -> str:
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" class="st" role="img"'
            f' viewBox="0 0 {width} {height:g}" aria-label="{_text(title)}">',
            f"<title>{_text(title)}</title>",
            f"<desc>{_text(said)}</desc>",
            f"<style>{_STYLE}</style>",
            f'<rect class="st-paper" width="{width}" height="{height:g}"/>',
            _word(16, 22, title, 150, "st-head"),
            *parts,
            "</svg>\n",
        ]
    )


def _stroke(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:g}" x2="{x2:.1f}" y2="{y2:g}"/>'


def _word(x: float, y: float, said: str, fits: int, kind: str = "", anchor: str = "start") -> str:
    """Text, cut where it does not fit; the whole is its tooltip then."""
    clean = _clean(said)
    shown = clean if len(clean) <= fits else clean[: fits - 1] + "\u2026"
    tip = f"<title>{escape(clean)}</title>" if shown != clean else ""
    classes = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{classes} x="{x:.1f}" y="{y:g}"{place}>{escape(shown)}{tip}</text>'


def _text(said: str) -> str:
    return escape(_clean(said))


def _clean(said: str) -> str:
    return _FORBIDDEN.sub("\ufffd", said)

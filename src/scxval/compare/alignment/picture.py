# SPDX-License-Identifier: MIT
"""A divergence as one self-contained SVG: both sides' rows on one axis of time, and what each row says.

Time is counted from the activation's begin on either side. Colours follow the reader's light or dark
scheme; no colour says what a mark or a word does not say too. Names come from traces and are escaped.
"""

from __future__ import annotations

import re
from html import escape

from scxval.compare.alignment.divergence import Divergence, Shown, Step

_WIDTH, _MARGIN, _LINE = 1120, 16, 18
_LANE_A, _LANE_B, _AXIS, _LIST = 66, 122, 146, 190
_COLUMN_B = 584
# Characters of 12 px monospace that fit into a column.
_FITS = 70
_CLASS = {"=": "same", "~": "other", "+": "b", "-": "a", " ": "edge"}
_SAID = {
    "=": "matched",
    "~": "other arguments",
    "+": "only B",
    "-": "only A",
    " ": "cut by the window's end",
}
# A page that holds the picture has rules of its own: these name nothing else.
_STYLE = """
.dv { --ink: #1c1e21; --dim: #6a6f76; --paper: #fff; --same: #5b6770; --other: #9a6700; --a: #b42318;
  --b: #175cd3; --here: #fff3c4; font: 12px ui-monospace, monospace }
@media (prefers-color-scheme: dark) { .dv { --ink: #e6e8ea; --dim: #9aa1a9; --paper: #15181b;
  --same: #9fb0bd; --other: #e3b341; --a: #ff8a80; --b: #82b1ff; --here: #3a3413 } }
.dv-paper { fill: var(--paper) }
.dv-here { fill: var(--here) }
.dv-text { white-space: pre }
.dv-head { font-weight: 600; fill: var(--ink) }
.dv-dim, .dv-edge { fill: var(--dim); stroke: var(--dim) }
.dv-same { fill: var(--same); stroke: var(--same) }
.dv-other { fill: var(--other); stroke: var(--other); stroke-dasharray: 4 3 }
.dv-a { fill: var(--a); stroke: var(--a) }
.dv-b { fill: var(--b); stroke: var(--b) }
.dv-text { stroke: none }
.dv-first { stroke: var(--ink); stroke-width: 2 }
"""
# Characters that XML 1.0 does not have, whatever they are escaped to.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def picture(found: Divergence | None, name_a: str = "A", name_b: str = "B") -> str:
    """The SVG of a divergence between sides of these names; None: a picture that says there is none."""
    if found is None:
        said = "no row differs"
        head = _text(f"{name_a} and {name_b}: {said}")
        text = f'<text class="dv-text dv-head" x="{_MARGIN}" y="26">{head}</text>'
        return _document(said, f"{name_a} and {name_b}", 44, [text])
    rows = [row for step in found.steps for row in (step.a, step.b) if row]
    first = min((row.time_ns for row in rows), default=0)
    last = max((row.time_ns for row in rows), default=0)
    parts = [
        f'<text class="dv-text dv-head" x="{_MARGIN}" y="26">{_text(found.what, 150)}</text>',
        *_axis(first, last),
        f'<text class="dv-text dv-head" x="{_MARGIN}" y="{_LANE_A + 4}">A</text>',
        f'<text class="dv-text dv-head" x="{_MARGIN}" y="{_LANE_B + 4}">B</text>',
    ]
    for place, step in enumerate(found.steps):
        parts += _marks(step, place == found.at, first, last)
    y = _LIST
    parts.append(
        f'<text class="dv-text dv-head" x="{_MARGIN}" y="{y}">A: {_text(name_a, _FITS)}</text>'
    )
    parts.append(
        f'<text class="dv-text dv-head" x="{_COLUMN_B}" y="{y}">B: {_text(name_b, _FITS)}</text>'
    )
    for place, step in enumerate(found.steps):
        y += _LINE
        parts += _row(step, place == found.at, y)
    if found.others_a or found.others_b:
        y += 2 * _LINE
        parts.append(
            f'<text class="dv-text dv-dim" x="{_MARGIN}" y="{y}">other tasks on that CPU</text>'
        )
        for place in range(max(len(found.others_a), len(found.others_b))):
            y += _LINE
            for x, others in ((_MARGIN, found.others_a), (_COLUMN_B, found.others_b)):
                if place < len(others):
                    parts.append(_words(others[place], x, y, "dim"))
    said = (
        f"Rows of task {found.task} around the first one that A and B do not share, "
        f"{len(found.steps)} of them, the time of each in us since the activation's begin. "
        + " ".join(f"{mark}: {what}." for mark, what in _SAID.items() if mark != " ")
    )
    return _document(found.what, said, y + _LINE, parts)


def _document(title: str, said: str, height: int, parts: list[str]) -> str:
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" class="dv" role="img"'
            f' viewBox="0 0 {_WIDTH} {height}" aria-label="{_text(title)}">',
            f"<title>{_text(title)}</title>",
            f"<desc>{_text(said)}</desc>",
            f"<style>{_STYLE}</style>",
            f'<rect class="dv-paper" width="{_WIDTH}" height="{height}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _text(said: str, fits: int | None = None) -> str:
    said = _FORBIDDEN.sub("\ufffd", said)
    if fits is not None and len(said) > fits:
        said = said[: fits - 1] + "\u2026"
    return escape(said)


def _x(time_ns: int, first: int, last: int) -> float:
    left, right = 2 * _MARGIN + 16, _WIDTH - 2 * _MARGIN
    return left + (right - left) * (time_ns - first) / max(1, last - first)


def _axis(first: int, last: int) -> list[str]:
    """The axis with its ends and middle in us."""
    left, right = _x(first, first, last), _x(last, first, last) if last > first else _WIDTH - 32
    parts = [f'<line class="dv-dim" x1="{left:.1f}" y1="{_AXIS}" x2="{right:.1f}" y2="{_AXIS}"/>']
    for anchor, time_ns, x in (
        ("start", first, left),
        ("middle", (first + last) // 2, (left + right) / 2),
        ("end", last, right),
    ):
        parts.append(
            f'<text class="dv-text dv-dim" x="{x:.1f}" y="{_AXIS + 16}" text-anchor="{anchor}">'
            f"{time_ns / 1000:+.3f} us</text>"
        )
    return parts


def _marks(step: Step, here: bool, first: int, last: int) -> list[str]:
    """A row's dot on its lane, and the line to its partner's."""
    kind = _CLASS[step.mark]
    parts, ends = [], []
    for row, y in ((step.a, _LANE_A), (step.b, _LANE_B)):
        if row:
            x = _x(row.time_ns, first, last)
            ends.append((x, y))
            parts.append(
                f'<circle class="dv-{kind}" cx="{x:.1f}" cy="{y}" r="{7 if here else 4}">'
                f"<title>{_text(_line(row))}: {_SAID[step.mark]}</title></circle>"
            )
    if len(ends) == 2:
        (x1, y1), (x2, y2) = ends
        mark = f"dv-{kind} dv-first" if here else f"dv-{kind}"
        parts.insert(0, f'<line class="{mark}" x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}"/>')
    return parts


def _row(step: Step, here: bool, y: int) -> list[str]:
    kind, parts = _CLASS[step.mark], []
    if here:
        parts.append(
            f'<rect class="dv-here" x="8" y="{y - 13}" width="{_WIDTH - 16}" height="17"/>'
        )
    if step.a:
        parts.append(_words(step.a, _MARGIN, y, kind))
    if step.mark.strip():
        parts.append(
            f'<text class="dv-text dv-{kind}" x="{_COLUMN_B - 24}" y="{y}">{step.mark}</text>'
        )
    if step.b:
        parts.append(_words(step.b, _COLUMN_B, y, kind))
    return parts


def _line(row: Shown) -> str:
    return f"{row.time_ns / 1000:+12.3f} cpu{row.cpu} {row.words}"


def _words(row: Shown, x: int, y: int, kind: str) -> str:
    whole = _line(row)
    more = f"<title>{_text(whole.strip())}</title>" if len(whole) > _FITS else ""
    return f'<text class="dv-text dv-{kind}" x="{x}" y="{y}">{_text(whole, _FITS)}{more}</text>'

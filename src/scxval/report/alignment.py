# SPDX-License-Identifier: MIT
"""Alignments of a pair's runs (`scxval.compare.alignment`) as text: one line each, and the first in full.

All tasks of all alignments would make the page many times as large; pair.json has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scxval.report.compare_load import Fields
from scxval.report.text import count_text, number_text, scale_for

# Tasks of the first alignment, those with the most rows.
MOST_TASKS = 12
# Columns of a line after what it is about; the template has the same.
COLUMNS = (
    "similarity",
    "matched",
    "other arguments",
    "only A",
    "only B",
    "at an end",
    "time error, median (p1 to p99)",
    "drift, ppm",
    "left by the line",
)


@dataclass(frozen=True)
class Line:
    """One alignment, or one task of it: what it is about, and a text for each of COLUMNS."""

    names: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Alignments:
    """All alignments of a pair.

    `runs` has a line for each (kind, run of A's side, of B's side), `divergences` where each first parts.
    `tasks`, `lines` and `removed` are of the first: by task, what each side did around its divergence, and
    rows that were not aligned. `problems`: what cannot be read.
    """

    runs: list[Line]
    divergences: list[tuple[str, str]]
    lines: list[str]
    tasks: list[Line]
    tasks_left_out: int
    removed: list[tuple[str, str]]
    problems: list[str]


def alignments(entries: Sequence[Mapping[str, Any]]) -> Alignments:
    """Arrange a pair's `alignments`. What has another shape than it should is a line in `problems`."""
    view = Alignments([], [], [], [], 0, [], [])
    for place, entry in enumerate(entries):
        try:
            fields = Fields(entry, "the alignment")
            view.runs.append(Line(_names(fields), _cells(fields)))
            divergence = fields.inner("divergence")
            if divergence is not None:
                view.divergences.append(
                    (" and ".join(_names(fields)[1:]), divergence.text("what", ""))
                )
        except ValueError as error:
            view.problems.append(f"alignment {place} cannot be read: {str(error)[:200]}")
    return _with_first(view, entries[0]) if entries and not view.problems else view


def _with_first(view: Alignments, entry: Mapping[str, Any]) -> Alignments:
    fields = Fields(entry, "the alignment")
    try:
        divergence = fields.inner("divergence")
        tasks = fields.each("tasks", lambda task: Line((task.text("task"),), _cells(task)))
        more = len(tasks[MOST_TASKS:]) + round(fields.number("more_tasks") or 0)
        lines = list(divergence.texts("lines")) if divergence else []
        removed = [
            (name, words)
            for name, key in (("A", "removed_a"), ("B", "removed_b"))
            if (words := _removed(fields.inner(key)))
        ]
    except ValueError as error:
        return Alignments(view.runs, view.divergences, [], [], 0, [], [str(error)[:200]])
    return Alignments(
        view.runs, view.divergences, lines, list(tasks[:MOST_TASKS]), more, removed, []
    )


def _names(fields: Fields) -> tuple[str, str, str]:
    return fields.text("sides", ""), fields.text("a", ""), fields.text("b", "")


def _removed(fields: Fields | None) -> str:
    counts = {name: fields.count(name) for name in fields.data} if fields else {}
    return ", ".join(f"{count_text(rows)} {name}" for name, rows in counts.items() if rows)


def _cells(fields: Fields) -> tuple[str, ...]:
    count = fields.count
    return (
        similarity_text(fields.number("similarity")),
        count_text(count("matched")),
        count_text(count("substituted")),
        count_text(count("deleted")),
        count_text(count("inserted")),
        count_text(count("edge_a") + count("edge_b")),
        _percentiles(fields.inner("error_ns"), "p50"),
        _drift(fields.inner("drift")),
        _percentiles(_residual(fields.inner("drift")), "median"),
    )


def similarity_text(share: float | None) -> str:
    """A share in per cent, never rounded up to 100 % where a row has no partner."""
    if share is None:
        return ""
    return "100 %" if share == 1 else f"{min(share * 100, 99.99):.2f} %"


def _residual(drift: Fields | None) -> Fields | None:
    return drift.inner("residual_ns") if drift else None


def _percentiles(fields: Fields | None, middle: str) -> str:
    """`12.0 (-3.1 to 40.2) us`: the middle, p1 and p99 of times in ns, in one unit."""
    values = [fields.number(name) for name in (middle, "p1", "p99")] if fields else []
    known = [value for value in values if value is not None]
    if len(known) < 3:
        return ""
    scale = scale_for(known, "ns")
    said, low, high = (scale.show(value) for value in known)
    return f"{said} ({low} to {high}) {scale.unit}"


def _drift(fields: Fields | None) -> str:
    """The slope with its 95 % interval, if the line has enough points for one."""
    if fields is None:
        return ""
    names = ("drift_ppm", "drift_low_ppm", "drift_high_ppm")
    known = [value for value in map(fields.number, names) if value is not None]
    if len(known) < 3:
        return ""
    slope, low, high = (number_text(value, 3) for value in known)
    return f"{slope} ({low} to {high})"

# SPDX-License-Identifier: MIT
"""What a pair.json says of two aligned runs (`scxval.compare.alignment`), as tables and lines of text.

Shown as it is found, by shape: numbers and words in one table, a list of objects in a table of its own,
a list of words as text. So a field that is added there is in the page without a change here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scxval.report.text import number_text

# Rows of one table in the page; alignment.parquet has all.
MOST_ROWS = 40
# An object is spread into `name.field`, so deep; beyond that it is shown as JSON.
DEPTH = 3


@dataclass(frozen=True)
class Table:
    """A list of objects: a column for each field, in the order of their first occurrence."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    left_out: int


@dataclass(frozen=True)
class AlignmentView:
    """One two runs: what they are in `title`, single values, tables, and lines of text by name."""

    title: str
    values: list[tuple[str, str]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    lines: list[tuple[str, list[str]]] = field(default_factory=list)


def alignment_view(entry: Mapping[str, Any]) -> AlignmentView:
    """Arrange one entry of a pair's `alignments`."""
    view = AlignmentView(_title(entry))
    _spread("", entry, view, DEPTH)
    return view


def _title(entry: Mapping[str, Any]) -> str:
    named = [str(entry[side]) for side in ("a", "b") if isinstance(entry.get(side), str | int)]
    similarity = entry.get("similarity")
    if isinstance(similarity, int | float):
        # Never rounded up to 100 % where a row is without partner.
        share = "100" if similarity == 1 else f"{min(similarity * 100, 99.99):.2f}"
        named.append(f"similarity {share} %")
    return ", ".join(named) or "two runs"


def _spread(name: str, value: Mapping[str, Any], view: AlignmentView, depth: int) -> None:
    for key, item in value.items():
        said = f"{name}.{key}" if name else str(key)
        if isinstance(item, Mapping) and depth > 1 and item:
            _spread(said, item, view, depth - 1)
        elif isinstance(item, list) and item and all(isinstance(row, Mapping) for row in item):
            view.tables.append(_table(said, item))
        elif isinstance(item, list) and item and all(isinstance(row, str) for row in item):
            view.lines.append((said, item))
        else:
            view.values.append((said, _text(item)))


def _table(title: str, items: list[Mapping[str, Any]]) -> Table:
    flat = [_flat("", item, DEPTH) for item in items[:MOST_ROWS]]
    columns = list(dict.fromkeys(column for row in flat for column in row))
    rows = [[row.get(column, "") for column in columns] for row in flat]
    return Table(title, columns, rows, len(items) - len(flat))


def _flat(name: str, value: Mapping[str, Any], depth: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, item in value.items():
        said = f"{name}.{key}" if name else str(key)
        if isinstance(item, Mapping) and depth > 1:
            found |= _flat(said, item, depth - 1)
        else:
            found[said] = _text(item)
    return found


def _text(value: object) -> str:
    """A number to four digits, a word as it is, nothing as nothing, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return number_text(value, 4)
    return json.dumps(value, ensure_ascii=False)

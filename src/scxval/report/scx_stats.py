# SPDX-License-Identifier: MIT
"""A run's stats.parquet as series over time, and which of them are worth a picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

# A cell's picture has room for so many panels; the table beside it has all.
MAX_PANELS = 12


@dataclass
class Series:
    """One value of a scheduler's statistics over time: `values[i]` was told at `times_ns[i]`.

    None: the scheduler gave no number then. `texts` are the values that are no numbers.
    """

    path: str
    description: str
    unit: str
    times_ns: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> list[float]:
        """The values that are numbers."""
        return [value for value in self.values if value is not None]

    @property
    def tells(self) -> bool:
        """Whether it changes, and is not only a clock or a count that never stops rising."""
        numbers = self.numbers
        rises = all(a < b for a, b in itertools.pairwise(numbers))
        return len(set(numbers)) > 1 and not (rises and len(numbers) > 2)


def series_of(table: pa.Table) -> list[Series]:
    """Every path of a table of statistics, in the order in which they first appear."""
    found: dict[str, Series] = {}
    columns = ("path", "description", "unit", "time_ns", "value", "text")
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    for path, description, unit, time_ns, value, text in rows:
        series = found.setdefault(path, Series(path, description or "", unit or ""))
        if time_ns is None:
            continue
        series.times_ns.append(time_ns)
        series.values.append(value)
        if value is None and text is not None:
            series.texts.append(text)
    return list(found.values())


def drawn(series: Sequence[Series]) -> list[Series]:
    """The series to draw, at most MAX_PANELS: those that tell something, the outermost first."""
    telling = [one for one in series if one.tells]
    # Sorting keeps the scheduler's order among equals.
    return sorted(telling, key=lambda one: one.path.count("/"))[:MAX_PANELS]

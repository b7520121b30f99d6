# SPDX-License-Identifier: MIT
"""The part of a cell's section with its scheduler's own statistics: a picture and a table of all values."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from scxval.report import facts, figures, text
from scxval.report.load import Run
from scxval.report.scx_stats import Series, drawn, series_of
from scxval.report.sections import Plot, PlotIds

# Enough for scx_layered with a dozen layers; the file has the rest.
MAX_ROWS = 400


@dataclass(frozen=True)
class Row:
    """One value over the run, as text; `median` is "" for one that is no number."""

    path: str
    description: str
    unit: str
    low: str
    median: str
    high: str
    last: str


@dataclass(frozen=True)
class CellStats:
    """A cell's statistics: how many answers, the picture if anything changed, the table."""

    answers: int
    plot: Plot | None
    not_drawn: int
    rows: list[Row]
    rows_left_out: int


def cell_stats(run: Run, ids: PlotIds) -> CellStats | None:
    """The section of a run; None when it sampled nothing."""
    if run.stats is None or not run.stats.num_rows:
        return None
    series = series_of(run.stats)
    shown = drawn(series)
    window = (run.status or {}).get("window_ns")
    span = (window[0], window[1]) if facts.is_window(window) else None
    label = f"Statistics of {run.cell.scheduler} over time: {', '.join(s.path for s in shown)}"
    return CellStats(
        answers=len(set(run.stats["seq"].to_pylist())),
        plot=ids.plot(figures.statistics(shown, span), label) if shown else None,
        not_drawn=sum(one.tells for one in series) - len(shown),
        rows=[_row(one) for one in series[:MAX_ROWS]],
        rows_left_out=max(0, len(series) - MAX_ROWS),
    )


def _row(series: Series) -> Row:
    numbers = series.numbers
    if not numbers:
        last = series.texts[-1] if series.texts else "not given"
        return Row(series.path, series.description, series.unit, "", "", "", last)
    middle = statistics.median(numbers)
    scale = text.scale_for([min(numbers), middle, max(numbers), numbers[-1]], series.unit)
    return Row(
        series.path,
        series.description,
        scale.unit,
        *(scale.show(value) for value in (min(numbers), middle, max(numbers), numbers[-1])),
    )

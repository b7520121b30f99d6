# SPDX-License-Identifier: MIT
"""What `scxval history` does: add runs, list nights, draw the trend, export everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq

from scxval.catalog.comparison import Compare
from scxval.catalog.config import History
from scxval.errors import ScxvalError
from scxval.files import whole
from scxval.history.changes import night_of
from scxval.history.readings import RunRecord, read_run
from scxval.history.store import add, readings_table, runs_table
from scxval.history.text import day_text


def add_runs(store: Path, root: Path, paths: Sequence[str], how: Compare) -> list[str]:
    """Add the runs below `root`; what was added, and a line for each that could not be read.

    Raises ScxvalError when none could be, or for a store that cannot be written.
    """
    found: list[RunRecord] = []
    problems: list[str] = []
    for path in paths:
        try:
            found.append(read_run(root, path, how))
        except ScxvalError as error:
            problems.append(f"left out: {error}")
    if problems and not found:
        raise ScxvalError(f"no run below {root} could be read; the first: {problems[0]}")
    added = add(store, found)
    lines = [*problems, *([f"{store} was not there: a new history"] if added.made else [])]
    lines.append(f"{added.new} runs added to {store}, {added.known} were there already")
    if added.completed:
        lines.append(f"{added.completed} of these got numbers that they did not have")
    if added.differing:
        lines.append(
            f"{added.differing} are there with other numbers, which stay: metrics were defined otherwise"
            " when they were added, or files changed since"
        )
    return lines


def paths_below(root: Path) -> list[str]:
    """Every run below a folder such as results/runs. Raises ScxvalError when there is none."""
    found = sorted(
        str(file.parent.relative_to(root))
        for file in root.glob("*/*/*/*/*/rep*/status.json")
        if file.parent.name[3:].isdigit()
    )
    if not found:
        raise ScxvalError(f"no run below {root}")
    return found


def list_nights(store: Path, settings: History) -> list[str]:
    """A line for each night, the latest last."""
    nights: dict[int, dict[str, int]] = {}
    for run in runs_table(store).to_pylist():
        counts = nights.setdefault(night_of(run["started_s"], settings.night_starts_h), {})
        counts[run["outcome"]] = counts.get(run["outcome"], 0) + 1
    return [
        f"{day_text(day)}  {sum(counts.values())} runs: "
        + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
        for day, counts in sorted(nights.items())
    ]


def export(store: Path, folder: Path) -> list[Path]:
    """Every run and every reading as CSV and Parquet; the files."""
    written = []
    for name, table in (("runs", runs_table(store)), ("readings", readings_table(store))):
        files = [folder / f"{name}.parquet", folder / f"{name}.csv"]
        with whole(*files) as (parquet, text):
            pq.write_table(table, parquet)
            pyarrow.csv.write_csv(table, text)
        written += files
    return written

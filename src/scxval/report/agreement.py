# SPDX-License-Identifier: MIT
"""The page's section on tracers of one run: which agree with which, on what, how far apart in time.

From the records of the study (docs/agreement.md) of cells that the plan names; what cannot be read is
said, and stops nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from scxval.catalog.model import Cell, cell_from_path
from scxval.report.load import Inputs
from scxval.report.residuals import residual_histogram
from scxval.report.sections import Plot, PlotIds
from scxval.report.text import plural, scale_for, visible

VERDICT_STYLE = {
    "agree": "ok",
    "disagree": "failed",
    "inconclusive": "lossy",
    "not_measured": "blank",
}


@dataclass(frozen=True)
class Compared:
    """Two tracers compared over one run, that of `cell`."""

    cell: Cell
    first: str
    second: str
    record: dict[str, Any]
    residual_ns: npt.NDArray[np.int64]

    @property
    def style(self) -> str:
        """The style class of its verdict."""
        return VERDICT_STYLE[self.record["verdict"]]

    @property
    def where(self) -> str:
        """The cell without its tracer, and which run of it."""
        cell = self.cell
        place = f"{cell.scheduler}/{cell.workload}/{cell.isolation}/{cell.machine}"
        return f"{place}, one run: {cell.tracer}, rep{cell.rep}"

    @property
    def matched(self) -> float | None:
        """Part of the rows that have a partner, rows at the ends of the window apart."""
        classes = self.record.get("classes", [])
        pairs = sum(some["matched"] for some in classes)
        single = sum(some["only_a"] + some["only_b"] for some in classes)
        return pairs / (pairs + single) if pairs + single else None

    @property
    def matched_text(self) -> str:
        """Never rounded up to 100 % where a row is missing."""
        share = self.matched
        if share is None:
            return ""
        return "100 %" if share == 1 else f"{min(share * 100, 99.99):.2f} %"

    @property
    def residual_text(self) -> str:
        """Median, p1 and p99 of t_B - t_A in one unit."""
        found = self.record.get("residual_ns")
        if not found:
            return ""
        values = [found["median"], found["p1"], found["p99"]]
        scale = scale_for(values, "ns")
        median, low, high = (scale.show(value) for value in values)
        return f"{median} ({low} to {high}) {scale.unit}"

    @property
    def parts(self) -> list[tuple[str, str, str, str]]:
        """Name, verdict, style and reason of everything that was judged."""
        return [
            (name, part["verdict"], VERDICT_STYLE[part["verdict"]], part["reason"])
            for name, part in self.record.get("parts", {}).items()
        ]


@dataclass(frozen=True)
class MatrixEntry:
    """Two tracers over all cells: how many comparisons with each verdict, and the extremes."""

    verdicts: list[tuple[str, str]]
    least_matched: str
    residuals: str


@dataclass(frozen=True)
class AgreementSection:
    """What the page shows; `matrix` has a row and a column for each of `tracers`, upper half filled."""

    tracers: list[str]
    matrix: list[list[MatrixEntry | None]]
    compared: list[Compared]
    plots: list[tuple[str, Plot]]
    problems: list[str]


def section(root: Path | None, inputs: Inputs, ids: PlotIds) -> AgreementSection:
    """Read the records under `root` (results/study/agreement) and arrange them."""
    compared, problems = _load(root, [run.cell for run in inputs.runs]) if root else ([], [])
    names = [name for run in inputs.runs for name in run.cell.tracer.split("+")]
    there = {name for some in compared for name in (some.first, some.second)}
    tracers = [name for name in dict.fromkeys(names) if name in there]
    matrix = [
        [_entry([c for c in compared if {c.first, c.second} == {one, other}]) for other in tracers]
        for one in tracers
    ]
    for row in range(len(tracers)):
        matrix[row][: row + 1] = [None] * (row + 1)
    return AgreementSection(tracers, matrix, compared, _plots(compared, ids), problems)


def _load(root: Path, cells: Sequence[Cell]) -> tuple[list[Compared], list[str]]:
    """Every record of planned cells, in the plan's order, and what is wrong with the others."""
    rank = {cell.path: place for place, cell in reversed(list(enumerate(cells)))}
    found: list[Compared] = []
    problems: list[str] = []
    for file in sorted(root.glob("same_run/**/agreement.json")):
        name = file.parent.relative_to(root).as_posix()
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            some = _compared(name, file, record, rank)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            problems.append(f"{name}: cannot be read: {' '.join(str(error).split())[:200]}")
            continue
        if some is not None:
            found.append(some)
    return sorted(found, key=lambda c: rank[c.cell.path]), problems


def _compared(
    name: str, file: Path, record: dict[str, Any], rank: dict[str, int]
) -> Compared | None:
    """One record; None if the plan does not name its cell."""
    first, second = str(record["a"]["name"]), str(record["b"]["name"])
    if record["verdict"] not in VERDICT_STYLE:
        raise ValueError(f"unknown verdict {record['verdict']!r}")
    cell = cell_from_path("/".join(name.split("/")[1:-1]))
    if cell.path not in rank:
        return None
    table = pq.read_table(file.with_name("pairs.parquet"), columns=["residual_ns"])
    residual = table["residual_ns"].drop_null().to_numpy()
    return Compared(cell, first, second, record, residual)


def _entry(compared: Sequence[Compared]) -> MatrixEntry | None:
    if not compared:
        return None
    counts = Counter(str(some.record["verdict"]) for some in compared)
    verdicts = [(f"{counts[v]} {v}", style) for v, style in VERDICT_STYLE.items() if counts[v]]
    worst = min(
        (some for some in compared if some.matched is not None),
        key=lambda some: some.matched or 0.0,
        default=None,
    )
    apart = [some.record["residual_ns"] for some in compared if some.record.get("residual_ns")]
    return MatrixEntry(verdicts, worst.matched_text if worst else "", _range_text(apart))


def _range_text(apart: Sequence[dict[str, float]]) -> str:
    """The residuals' medians, least to greatest, and the greatest distance of p1 or p99 from 0."""
    if not apart:
        return ""
    medians = [abs(some["median"]) for some in apart]
    far = max(max(abs(some["p1"]), abs(some["p99"])) for some in apart)
    scale = scale_for([*medians, far], "ns")
    low, high = scale.show(min(medians)), scale.show(max(medians))
    middle = low if low == high else f"{low} to {high}"
    return f"median {middle} {scale.unit}, p99 {scale.show(far)} {scale.unit}"


def _plots(compared: Sequence[Compared], ids: PlotIds) -> list[tuple[str, Plot]]:
    """A histogram of residuals for every two tracers, a line for each run."""
    pairs = dict.fromkeys((some.first, some.second) for some in compared if len(some.residual_ns))
    plots = []
    for first, second in pairs:
        runs = {
            some.where: some.residual_ns
            for some in compared
            if (some.first, some.second) == (first, second) and len(some.residual_ns)
        }
        figure, beyond = residual_histogram(runs)
        said = f"{second} minus {first}"
        label = (
            f"Histogram of the time differences {said}, {plural(len(runs), 'run')}; "
            f"{beyond:.1%} of the pairs lie beyond its ends. The table below has the percentiles."
        )
        plots.append((said, ids.plot(figure, visible(label))))
    return plots

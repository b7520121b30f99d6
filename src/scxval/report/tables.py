# SPDX-License-Identifier: MIT
"""Every table of the page as CSV and Parquet, in long form, all rows: results/report/tables/.

Numbers are those of the files that the page was made from, not the rounded ones that it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from scxval.catalog.model import AXES
from scxval.compare.table import SCHEMA as VERDICTS
from scxval.errors import ScxvalError
from scxval.files import whole
from scxval.report import run_rows, verdict_rows
from scxval.report.cell import CellView, File, file_link
from scxval.report.load import Inputs
from scxval.report.sections import WorkloadTimelines
from scxval.report.studies import StudySection
from scxval.report.verdicts import FamilyView
from scxval.study.record import read_study
from scxval.study.table import FINDINGS, findings_table

_TEXT, _NUMBER, _COUNT, _BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_CELL = [*((axis, _TEXT) for axis in AXES), ("rep", _COUNT)]
_PAIR = [("family", _TEXT), ("path", _TEXT)]


def _texts(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, _TEXT) for name in names]


def _numbers(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, _NUMBER) for name in names]


def _counts(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, _COUNT) for name in names]


_COLUMNS: dict[str, list[tuple[str, pa.DataType]]] = {
    "outcomes": [*_CELL, *_texts("outcome", "reason", "log")],
    "excluded": [*_CELL, *_texts("outcome", "reason")],
    "cells": [*_CELL, *_texts("what", "name", "value")],
    "kinds": [*_CELL, *_texts("kind"), *_counts("events")],
    "tasks": [
        *_CELL,
        *_texts("task"),
        *_counts("threads", "run_ns", "switches", "delays"),
        ("mean_delay_ns", _NUMBER),
        *_counts("longest_delay_ns", "longest_delay_start_ns"),
    ],
    "statistics": [
        *_CELL,
        *_texts("path", "description", "unit"),
        *_numbers("low", "median", "high", "last"),
        *_texts("last_text"),
    ],
    "timelines": [*_CELL, *_texts("task"), *_counts("slices", "run_ns", "longest_slice_ns")],
    "metrics": [
        *_CELL,
        *_texts("outcome", "scope", "name", "metric", "stat", "unit"),
        ("value", _NUMBER),
        ("n", _COUNT),
    ],
    "definitions": _texts("metric", "definition"),
    "provenance": [*_CELL, *_texts("fact", "value")],
    "configuration": _texts("key", "value"),
    "simulations": [
        *_texts("simulation", "outcome", "reason", "policy"),
        *_numbers("simulated_s", "wall_s"),
    ],
    "excluded_simulations": _texts("simulation", "outcome", "reason"),
    "parameters": _texts("machine", "parameter", "value", "source"),
    "families": [
        *_texts("family", "verdict"),
        ("void", _BOOL),
        *_texts("reason"),
        ("questions", _COUNT),
        ("alpha", _NUMBER),
    ],
    "pairs": [
        *_PAIR,
        *_texts(*AXES, "a", "b", "verdict"),
        ("void", _BOOL),
        *_texts("reason"),
        *_counts("runs_a", "used_a", "runs_b", "used_b"),
    ],
    "controls": [*_PAIR, *_texts("control"), ("passed", _BOOL), *_texts("reason")],
    "margins": _texts("family", "metric", "stat", "unit")
    + _numbers("ratio", "absolute")
    + _texts("reason"),
    "sides": [
        *_PAIR,
        *_texts("side", "run", "outcome"),
        ("counts", _BOOL),
        *_texts("why", "left_out"),
    ],
    "alignments": [
        *_PAIR,
        *_texts("sides", "a", "b", "task"),
        ("similarity", _NUMBER),
        *_counts(*verdict_rows.OPERATIONS),
        *_numbers(*verdict_rows.TIMES),
    ],
    "distances": [
        *_PAIR,
        *_texts("metric", "unit"),
        *_numbers("ks", "wasserstein", "low", "high", "floor", "p", "q"),
        *_counts("runs_a", "runs_b"),
    ],
    "agreement": [
        *_texts("comparison", "a", "b", "verdict", "reason", "what"),
        *_counts("rows_a", "rows_b", "matched", "only_a", "only_b"),
    ],
    "studies": _texts("study", "title", "question", "verdict", "reason"),
}
SCHEMAS = {
    **{name: pa.schema(columns) for name, columns in _COLUMNS.items()},
    "verdicts": VERDICTS,
    "findings": FINDINGS,
}


@dataclass(frozen=True)
class Sources:
    """What the page was made from, and where the rest of it lies; a folder that is None has no rows."""

    inputs: Inputs
    cells: Sequence[CellView]
    timelines: Sequence[WorkloadTimelines]
    families: Sequence[FamilyView]
    studies: StudySection
    definitions: Sequence[tuple[str, str]]
    agreement_root: Path | None
    simulations_root: Path | None
    studies_root: Path | None


def write_tables(made: Sources, folder: Path) -> None:
    """Write all tables; one whose source is not there has its columns and no rows."""
    for name, rows in _rows(made):
        _write(_table(rows, SCHEMAS[name]), folder / name)
    _write(run_rows.metrics(made.inputs, SCHEMAS["metrics"]), folder / "metrics")
    _write(_verdicts(made.families), folder / "verdicts")
    _write(_findings(made.studies, made.studies_root), folder / "findings")


def _rows(made: Sources) -> Iterator[tuple[str, Iterable[Mapping[str, Any]]]]:
    inputs, families = made.inputs, made.families
    yield "outcomes", run_rows.outcomes(inputs)
    yield "excluded", run_rows.excluded(inputs)
    yield "cells", run_rows.cells(made.cells)
    yield "kinds", run_rows.kinds(inputs)
    yield "tasks", run_rows.tasks(made.cells)
    yield "statistics", run_rows.statistics_(inputs)
    yield "timelines", run_rows.timelines(made.timelines)
    yield "definitions", ({"metric": m, "definition": d} for m, d in made.definitions)
    yield "provenance", run_rows.provenance(inputs)
    yield "configuration", run_rows.configuration(inputs)
    yield "simulations", run_rows.simulations(inputs, made.simulations_root)
    yield "excluded_simulations", run_rows.excluded_simulations(inputs)
    yield "parameters", run_rows.parameters(inputs, made.simulations_root)
    yield "agreement", run_rows.agreement(made.agreement_root)
    yield "families", verdict_rows.families(families)
    yield "pairs", verdict_rows.pairs(families)
    yield "controls", verdict_rows.controls(families)
    yield "margins", verdict_rows.margins(families)
    yield "sides", verdict_rows.sides(families)
    yield "alignments", verdict_rows.alignments(families)
    yield "distances", verdict_rows.distances(families)
    yield "studies", _studies(made.studies)


def _write(table: pa.Table, stem: Path) -> None:
    with whole(Path(f"{stem}.parquet"), Path(f"{stem}.csv")) as (parquet, text):
        pq.write_table(table, parquet)
        pyarrow.csv.write_csv(table, text)


def _table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([_fitting(row, schema) for row in rows], schema)


def _fitting(row: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """A row as its columns take it: records may hold junk, and names what UTF-8 does not have."""
    return {field.name: _fit(row.get(field.name), field.type) for field in schema}


def _fit(value: object, kind: pa.DataType) -> object:
    if value is None:
        return None
    if kind == _TEXT:
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool) or kind == _BOOL:
        return value if kind == _BOOL and isinstance(value, bool) else None
    if not isinstance(value, (int, float)):
        return None
    return value if kind == _NUMBER or isinstance(value, int) else None


def links(folder: Path, page_folder: Path) -> dict[str, list[File]]:
    """CSV and Parquet of each table, relative to the page."""
    return {
        name: [
            file_link(folder / f"{name}.{ending}", f"{name}.{ending}", page_folder)
            for ending in ("csv", "parquet")
        ]
        for name in SCHEMAS
    }


def _verdicts(families: Sequence[FamilyView]) -> pa.Table:
    found = []
    for family in families:
        try:
            path = family.record.folder / "verdicts.parquet"
            found.append(pq.read_table(path, memory_map=False).cast(VERDICTS))
        except (OSError, pa.ArrowInvalid, ValueError):
            # The section on verdicts says what is wrong with a family.
            continue
    return pa.concat_tables(found) if found else VERDICTS.empty_table()


def _studies(section: StudySection) -> Iterator[dict[str, Any]]:
    for view in section.shown:
        yield {
            "study": view.name,
            "title": view.title,
            "question": view.question,
            "verdict": view.verdict.words,
            "reason": view.problem or view.reason,
        }


def _findings(section: StudySection, root: Path | None) -> pa.Table:
    found = []
    for view in section.shown if root else ():
        try:
            found.append(findings_table(read_study(Path(root or "") / view.name)))
        except ScxvalError:
            # The section on studies says so.
            continue
    return pa.concat_tables(found) if found else FINDINGS.empty_table()

# SPDX-License-Identifier: MIT
"""Every table of the page as CSV and Parquet, in long form, all rows: results/report/tables/.

Numbers are those of the files that the page was made from, not the rounded ones that it shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from scxval.catalog.model import AXES, Cell
from scxval.compare.table import SCHEMA as VERDICTS
from scxval.errors import ScxvalError
from scxval.files import whole
from scxval.report import facts
from scxval.report.cell import File, file_link
from scxval.report.load import Inputs
from scxval.report.text import value_text
from scxval.study.record import read_study
from scxval.study.table import FINDINGS, findings_table

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_CELL = [*((axis, _TEXT) for axis in AXES), ("rep", _COUNT)]
SCHEMAS = {
    "outcomes": pa.schema([*_CELL, ("outcome", _TEXT), ("reason", _TEXT), ("log", _TEXT)]),
    "excluded": pa.schema([*_CELL, ("outcome", _TEXT), ("reason", _TEXT)]),
    "metrics": pa.schema(
        [
            *_CELL,
            *((name, _TEXT) for name in ("outcome", "scope", "name", "metric", "stat", "unit")),
            ("value", _NUMBER),
            ("n", _COUNT),
        ]
    ),
    "provenance": pa.schema([*_CELL, ("fact", _TEXT), ("value", _TEXT)]),
    "simulations": pa.schema([(n, _TEXT) for n in ("simulation", "outcome", "reason", "policy")]),
    "verdicts": VERDICTS,
    "distances": pa.schema(
        [
            *((name, _TEXT) for name in ("family", "path", "metric", "unit")),
            *((name, _NUMBER) for name in ("ks", "wasserstein", "low", "high", "floor", "p", "q")),
        ]
    ),
    "agreement": pa.schema(
        [
            *((name, _TEXT) for name in ("comparison", "a", "b", "verdict", "reason")),
            ("what", _TEXT),
            *((name, _COUNT) for name in ("rows_a", "rows_b", "matched", "only_a", "only_b")),
        ]
    ),
    "findings": FINDINGS,
}


def write_tables(
    inputs: Inputs,
    folder: Path,
    compare: Path | None,
    agreement: Path | None,
    simulations: Path | None,
    studies: Path | None,
) -> None:
    """Write all tables; one whose source is not there has its columns and no rows."""
    rows = {
        "outcomes": _outcomes(inputs),
        "excluded": _excluded(inputs),
        "metrics": _metrics(inputs),
        "provenance": _provenance(inputs),
        "simulations": _simulations(inputs, simulations),
        "distances": _distances(inputs, compare),
        "agreement": _agreement(agreement),
    }
    tables = {
        name: pa.Table.from_pylist([_fitting(row, SCHEMAS[name]) for row in found], SCHEMAS[name])
        for name, found in rows.items()
    }
    tables["verdicts"] = _verdicts(inputs, compare)
    tables["findings"] = _findings(studies)
    for name, table in tables.items():
        with whole(folder / f"{name}.parquet", folder / f"{name}.csv") as (parquet, text):
            pq.write_table(table, parquet)
            pyarrow.csv.write_csv(table, text)


def _fitting(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """A row as its columns take it: records may hold junk, and names what UTF-8 does not have."""
    return {field.name: _fit(row.get(field.name), field.type) for field in schema}


def _fit(value: object, kind: pa.DataType) -> object:
    if value is None:
        return None
    if kind == _TEXT:
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
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


def _cell(cell: Cell) -> dict[str, Any]:
    return {axis: getattr(cell, axis) for axis in AXES} | {"rep": cell.rep}


def _outcomes(inputs: Inputs) -> Iterator[dict[str, Any]]:
    for run in inputs.runs:
        status = run.status or {}
        said = {name: str(status.get(name) or "") for name in ("reason", "log")}
        yield _cell(run.cell) | {"outcome": run.state, **said}


def _excluded(inputs: Inputs) -> Iterator[dict[str, Any]]:
    for item in inputs.excluded:
        yield _cell(item.cell) | {"outcome": str(item.outcome), "reason": item.reason}


def _metrics(inputs: Inputs) -> Iterator[dict[str, Any]]:
    for run in inputs.runs:
        for key, value in (run.metrics or {}).items():
            yield _cell(run.cell) | {
                "outcome": run.state,
                "scope": key.scope,
                "name": key.name,
                "metric": key.metric,
                "stat": key.stat,
                "unit": value.unit,
                "value": value.value,
                "n": value.events,
            }


def _provenance(inputs: Inputs) -> Iterator[dict[str, Any]]:
    for run in inputs.runs:
        for fact, value in facts.flatten(run.provenance or {}).items():
            yield _cell(run.cell) | {"fact": fact, "value": value_text(value)}


def _simulations(inputs: Inputs, root: Path | None) -> Iterator[dict[str, Any]]:
    for path in inputs.simulations.get("simulations", []):
        status = _json(root / path / "status.json") if root else {}
        yield {
            "simulation": str(path),
            "outcome": str(status.get("outcome", "not run")),
            "reason": str(status.get("reason") or ""),
            "policy": str(status.get("policy") or ""),
        }


def _families(inputs: Inputs, compare: Path | None) -> Iterator[Path]:
    if compare is None:
        return
    for file in sorted(compare.glob("*/verdicts.json")):
        if inputs.families is None or file.parent.name in inputs.families:
            yield file.parent


def _verdicts(inputs: Inputs, compare: Path | None) -> pa.Table:
    found = []
    for folder in _families(inputs, compare):
        try:
            found.append(
                pq.read_table(folder / "verdicts.parquet", memory_map=False).cast(VERDICTS)
            )
        except (OSError, pa.ArrowInvalid, ValueError):
            # The section on verdicts says what is wrong with a family.
            continue
    return pa.concat_tables(found) if found else VERDICTS.empty_table()


def _distances(inputs: Inputs, compare: Path | None) -> Iterator[dict[str, Any]]:
    names = [field.name for field in SCHEMAS["distances"]][2:]
    for folder in _families(inputs, compare):
        for pair in _list(_json(folder / "verdicts.json").get("pairs")):
            for distance in _list(pair.get("distances")):
                yield {
                    "family": folder.name,
                    "path": str(pair.get("path", "")),
                    **{name: distance.get(name) for name in names},
                }


def _agreement(root: Path | None) -> Iterator[dict[str, Any]]:
    if root is None:
        return
    for file in sorted(root.rglob("agreement.json")):
        record = _json(file)
        whole_ = {
            "comparison": file.parent.relative_to(root).as_posix(),
            "verdict": record.get("verdict"),
            "reason": record.get("reason"),
            **{side: _name(record.get(side)) for side in ("a", "b")},
        }
        for one in _list(record.get("classes")) or [{}]:
            counts = ("what", "rows_a", "rows_b", "matched", "only_a", "only_b")
            yield whole_ | {name: one.get(name) for name in counts}


def _name(side: object) -> object:
    return side.get("name") if isinstance(side, dict) else None


def _findings(root: Path | None) -> pa.Table:
    found = []
    for file in sorted(root.glob("*/study.json")) if root else []:
        try:
            found.append(findings_table(read_study(file.parent)))
        except ScxvalError:
            # The section on studies says so.
            continue
    return pa.concat_tables(found) if found else FINDINGS.empty_table()


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _list(value: object) -> Sequence[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

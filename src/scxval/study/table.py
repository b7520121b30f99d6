# SPDX-License-Identifier: MIT
"""Writes a study's folder: study.json, figure.svg, and each table as CSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from scxval.errors import ScxvalError
from scxval.files import whole, write_json
from scxval.study.record import Finding, Study, Table, Value, record_of

FINDINGS = pa.schema(
    [
        *((name, pa.string()) for name in ("study", "what", "where", "verdict", "reason", "unit")),
        *(
            (name, pa.float64())
            for name in ("estimate", "low", "high", "margin_low", "margin_high", "power")
        ),
        *((name, pa.int64()) for name in ("n_a", "n_b", "needed")),
    ]
)


def findings_table(study: Study) -> pa.Table:
    """The findings, a row each; `where` is written as axis=value."""
    return pa.Table.from_pylist([_row(study.name, f) for f in study.findings], schema=FINDINGS)


def _row(name: str, finding: Finding) -> dict[str, Value]:
    where = ", ".join(f"{axis}={value}" for axis, value in finding.where.items())
    numbers = {
        f.name: getattr(finding, f.name) for f in FINDINGS if f.name not in ("study", "where")
    }
    return {**numbers, "study": name, "where": where, "verdict": str(finding.verdict)}


def table_of(table: Table) -> pa.Table:
    """One of a study's own tables. Raises ScxvalError where a row does not fit its columns."""
    if any(len(row) != len(table.columns) for row in table.rows):
        raise ScxvalError(f"table {table.name}: a row has not {len(table.columns)} values")
    columns: Sequence[Sequence[Value]] = list(zip(*table.rows, strict=True)) or [
        () for _ in table.columns
    ]
    return pa.table([pa.array(column) for column in columns], names=list(table.columns))


def write_study(study: Study, folder: Path) -> None:
    """Write all files of a study; study.json comes last, so that where it is, the others are."""
    tables = {"findings": findings_table(study)} | {t.name: table_of(t) for t in study.tables}
    for name, table in tables.items():
        with whole(folder / f"{name}.parquet", folder / f"{name}.csv") as (parquet, text):
            pq.write_table(table, parquet)
            pyarrow.csv.write_csv(table, text)
    with whole(folder / "figure.svg") as (figure,):
        figure.write_text(study.figure, encoding="utf-8")
    write_json(folder / "study.json", record_of(study))

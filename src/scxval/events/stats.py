# SPDX-License-Identifier: MIT
"""A scheduler's own statistics over time: one row per value of every answer, on the clock of the events.

Rows are in the order of the answers and, within one, of the scheduler. Values mean what the scheduler says:
most are over `window_ns`, since the sampler's previous answer, some are a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scxval.errors import ScxvalError

_TEXT = pa.dictionary(pa.int32(), pa.string())

STATS_SCHEMA = pa.schema(
    [
        # The answer's record in the source file, from 0.
        pa.field("seq", pa.int64(), nullable=False),
        # When the answer was there, CLOCK_MONOTONIC; null: the source has no times.
        pa.field("time_ns", pa.int64()),
        # How long the answer took: the values are of some moment within it.
        pa.field("wait_ns", pa.int64()),
        # Since the answer before; null for the first, and after one that could not be read.
        pa.field("window_ns", pa.int64()),
        # Names from the outside in, such as nodes/0/doms/1/load; `/` and `%` in a name are %2F and %25.
        pa.field("path", _TEXT, nullable=False),
        # Null: not a number, or none was given.
        pa.field("value", pa.float64()),
        # A value that is text, and the digits of an integer that a double cannot hold.
        pa.field("text", _TEXT),
        # What stats_meta says of the value, null where it does not: i64, u64, float or string, and words.
        pa.field("type", _TEXT),
        pa.field("description", _TEXT),
        # %, ns, us or ms as name and description have it (scxval.tracers.scx_stats.meta), else null.
        pa.field("unit", _TEXT),
    ]
)


def stats_table(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """A table from its columns as lists; without any, a typed table without rows."""
    arrays = []
    for field in STATS_SCHEMA:
        values = columns.get(field.name, [])
        if pa.types.is_dictionary(field.type):
            # Texts get their codes in order of appearance: equal rows make equal bytes.
            texts = [None if value is None else _valid(value) for value in values]
            arrays.append(pa.array(texts, pa.string()).dictionary_encode())
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=STATS_SCHEMA)


def _valid(text: str) -> str:
    """Text that Arrow takes: JSON may name half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def empty_stats() -> pa.Table:
    """A typed table without rows: what a cell that did not run has."""
    return STATS_SCHEMA.empty_table()


def write_stats(table: pa.Table, path: Path) -> None:
    """Write as Parquet; equal tables give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def read_stats(path: Path) -> pa.Table:
    """Read a stats.parquet. Raises ScxvalError for anything else."""
    try:
        table = pq.read_table(path, memory_map=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise ScxvalError(f"{path}: not a table of statistics: {error}") from error
    if not table.schema.equals(STATS_SCHEMA):
        raise ScxvalError(f"{path}: columns are not those of a table of statistics")
    return table

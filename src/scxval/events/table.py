# SPDX-License-Identifier: MIT
"""Builds, checks, writes and reads event tables: always the one schema, always sorted, same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scxval.errors import ScxvalError
from scxval.events.schema import EVENT_SCHEMA


def empty_table() -> pa.Table:
    """A typed table without rows: what a cell that did not run converts to."""
    return EVENT_SCHEMA.empty_table()


def sorted_table(table: pa.Table) -> pa.Table:
    """Rows in canonical order: (time_ns, cpu, seq)."""
    order = [("time_ns", "ascending"), ("cpu", "ascending"), ("seq", "ascending")]
    return table.take(pc.sort_indices(table, sort_keys=order))


def write_events(table: pa.Table, path: Path) -> None:
    """Write a sorted event table as Parquet; equal tables give equal bytes.

    Dictionary columns are re-encoded in order of first appearance, so that the bytes do not depend
    on how a converter happened to build them. Raises ScxvalError when the columns are not the schema's.
    """
    if not table.schema.equals(EVENT_SCHEMA):
        raise ScxvalError(f"{path}: not an event table: {table.schema.names}")
    columns = {
        field.name: (
            _by_appearance(table[field.name].combine_chunks())
            if pa.types.is_dictionary(field.type)
            else table[field.name]
        )
        for field in EVENT_SCHEMA
    }
    canonical = pa.table(columns, schema=EVENT_SCHEMA)
    pq.write_table(canonical, path, compression="zstd", row_group_size=1 << 20)


def _by_appearance(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same texts with a dictionary of those in use, in order of first appearance."""
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    # Equal texts may have several codes; encoding the small dictionary joins them.
    distinct = column.dictionary.dictionary_encode()
    codes = distinct.indices.take(column.indices)
    used = codes.drop_null().unique()
    place = np.zeros(len(distinct.dictionary), dtype=np.int32)
    place[used.to_numpy()] = np.arange(len(used), dtype=np.int32)
    indices = pa.array(place).take(codes)
    return pa.DictionaryArray.from_arrays(indices, distinct.dictionary.take(used))


def read_events(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read an event table, or some columns of it. Raises ScxvalError for anything else."""
    try:
        table = pq.read_table(path, columns=columns, memory_map=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise ScxvalError(f"{path}: not an event table: {error}") from error
    expected = (
        EVENT_SCHEMA if columns is None else pa.schema([EVENT_SCHEMA.field(c) for c in columns])
    )
    if not table.schema.equals(expected):
        raise ScxvalError(f"{path}: columns are not those of an event table")
    return table


def is_events(path: Path) -> bool:
    """Whether a file is an event table, by the columns that it names."""
    try:
        return bool(pq.read_schema(path, memory_map=False).equals(EVENT_SCHEMA))
    except (OSError, pa.ArrowInvalid):
        return False

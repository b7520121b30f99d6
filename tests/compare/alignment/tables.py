# SPDX-License-Identifier: MIT
"""Real event tables for the alignment's tests, rebased, and what is done to them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import read_events

SEQUENCES = Path(__file__).parents[2] / "fixtures/sequences"


@cache
def sequence(name: str) -> pa.Table:
    """A table of tests/fixtures/sequences, its first row at 0."""
    table = read_events(SEQUENCES / f"{name}.parquet")
    times = table["time_ns"].to_numpy()
    return timed(table, times - times[0])


def timed(table: pa.Table, time_ns: npt.NDArray[np.int64]) -> pa.Table:
    return table.set_column(0, EVENT_SCHEMA.field("time_ns"), pa.array(time_ns))


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, EVENT_SCHEMA.field(name), values)


def kinds(*tables: pa.Table) -> set[str]:
    """The kinds that all of the tables have."""
    return set.intersection(*(set(table["kind"].cast(pa.string()).to_pylist()) for table in tables))


def cut(table: pa.Table, start_ns: int, end_ns: int) -> pa.Table:
    """The rows of a window, from its begin on."""
    times = table["time_ns"].to_numpy()
    inside = table.filter(pa.array((times >= start_ns) & (times < end_ns)))
    return timed(inside, inside["time_ns"].to_numpy() - start_ns)


def of_tasks(table: pa.Table) -> pa.Table:
    """Without rows that no task has, and idle."""
    return table.filter(pc.fill_null(pc.greater(table["tid"], 0), False))

# SPDX-License-Identifier: MIT
"""A real capture as a source, and distorted copies of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import sorted_table
from scxval.study.agreement_rows import Source
from scxval.tracers.bpftrace.convert import convert

from ..conftest import ROOT

TRACE = ROOT / "tests/fixtures/bpftrace-rusty/bpftrace.txt.gz"


def captured(name: str = "first") -> Source:
    found = convert(TRACE)
    return Source(name, found.table, found.capability)


def copy(source: Source, table: pa.Table | None = None, **capability: Any) -> Source:
    """A second reading: another table, or other words about it."""
    table = source.table if table is None else table
    return Source("second", table, replace(source.capability, **capability))


def without(source: Source, places: Any, **capability: Any) -> Source:
    kept = np.ones(len(source.table), dtype=np.bool_)
    kept[places] = False
    return copy(source, source.table.filter(pa.array(kept)), **capability)


def moved(source: Source, when: Callable[[Any], Any]) -> Source:
    """Times changed by a function of them, rows put in order again, the window with them."""
    time = when(source.table["time_ns"].to_numpy())
    table = sorted_table(with_column(source.table, "time_ns", pa.array(time)))
    times = table["time_ns"].to_numpy()
    return copy(source, table, window_ns=(int(times[0]), int(times[-1])))


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = EVENT_SCHEMA.get_field_index(name)
    return table.set_column(
        place, EVENT_SCHEMA.field(name), values.cast(EVENT_SCHEMA.field(name).type)
    )


def places_of(source: Source, kind: str, reason: str | None = None) -> Any:
    """Places of a kind's rows."""
    here = np.array(source.table["kind"].to_pylist()) == kind
    if reason is not None:
        here &= np.array([r == reason for r in source.table["reason"].to_pylist()])
    return np.flatnonzero(here)

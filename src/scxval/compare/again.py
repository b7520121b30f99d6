# SPDX-License-Identifier: MIT
"""The control of simulators: the same simulation made once more must give the same events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from scxval.compare.record import Check
from scxval.errors import ScxvalError
from scxval.events.metrics.rows import dictionary
from scxval.events.table import read_events

NAME = "simulated again"


def simulated_again(pairs: Sequence[tuple[Path, Path]]) -> list[Check]:
    """One check a simulation and its repetition (folders); trouble is a check that did not pass."""
    return [_check(first, second) for first, second in pairs]


def _check(first: Path, second: Path) -> Check:
    try:
        tables = [read_events(folder / "events.parquet") for folder in (first, second)]
    except ScxvalError as error:
        return Check(NAME, False, f"cannot be read: {error}")
    difference = first_difference(*tables)
    if difference:
        return Check(NAME, False, f"{first} and {second}: {difference}")
    return Check(NAME, True, f"{first}: {tables[0].num_rows} events, the same twice")


def first_difference(a: pa.Table, b: pa.Table) -> str:
    """Where two tables first differ, in words; "" when they do not."""
    count = min(a.num_rows, b.num_rows)
    apart = np.zeros(count, dtype=np.bool_)
    by_column = {}
    one, other = (table.unify_dictionaries().combine_chunks() for table in (a, b))
    for name in a.schema.names:
        by_column[name] = _differs(one, other, name, count)
        apart |= by_column[name]
    places = np.flatnonzero(apart)
    if len(places):
        at = int(places[0])
        name = next(name for name, differs in by_column.items() if differs[at])
        was, now = a[name][at].as_py(), b[name][at].as_py()
        time = a["time_ns"][at].as_py()
        return (
            f"{len(places)} of {count} events differ, first event {at} at {time} ns: "
            f"{name} {was!r}, then {now!r}"
        )
    if a.num_rows != b.num_rows:
        return f"{a.num_rows} events, then {b.num_rows}"
    return ""


def _differs(
    a: pa.Table, b: pa.Table, name: str, count: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the first `count` rows differ in a column; two nulls do not."""
    if pa.types.is_dictionary(a.schema.field(name).type):
        (codes_a, texts_a), (codes_b, texts_b) = dictionary(a, name), dictionary(b, name)
        place = {text: code for code, text in enumerate(texts_a)}
        # The last is for null, whose code is -1.
        known = np.array([*(place.get(text, -2) for text in texts_b), -1], dtype=np.int64)
        found = codes_a[:count] != known[codes_b[:count]]
    else:
        null = False if pa.types.is_boolean(a.schema.field(name).type) else 0
        columns = [table[name].slice(0, count) for table in (a, b)]
        nulls = [column.is_null().to_numpy() for column in columns]
        values = [column.fill_null(null).to_numpy() for column in columns]
        found = (nulls[0] != nulls[1]) | (values[0] != values[1])
    return np.asarray(found, dtype=np.bool_)

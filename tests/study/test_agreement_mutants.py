# SPDX-License-Identifier: MIT
"""Hundreds of damaged copies of a real capture: never a traceback, never a row unaccounted for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scxval.catalog.config import agreement_limits
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import sorted_table
from scxval.study.agreement import compare
from scxval.study.agreement_rows import Source

from .readings import captured, copy, with_column

MUTANTS = 300
ROWS = 1500


@pytest.fixture(scope="module")
def part() -> Source:
    first = captured()
    table = first.table.slice(9_000, ROWS)
    times = table["time_ns"].to_pylist()
    return Source(
        "first",
        table,
        copy(first, table, window_ns=(times[0], times[-1]), events=ROWS).capability,
    )


def damaged(table: pa.Table, random: np.random.Generator) -> pa.Table:
    """A few faults at once, each in some rows: what broken sources have been seen to hold, and worse."""
    for _ in range(int(random.integers(1, 4))):
        count = len(table)
        if not count:
            return table
        rows = random.choice(count, max(1, int(random.integers(0, count // 3 + 1))), replace=False)
        fault = int(random.integers(0, 8))
        if fault == 0:
            table = table.filter(pa.array(~np.isin(np.arange(count), rows)))
        elif fault == 1:
            table = table.take(pa.array(np.sort(np.concatenate([np.arange(count), rows]))))
        elif fault == 2:
            time = table["time_ns"].to_numpy().copy()
            time[rows] += random.integers(-(10 ** int(random.integers(2, 10))), 10**9, len(rows))
            table = with_column(table, "time_ns", pa.array(time))
        elif fault == 3:
            table = table.slice(0, int(random.integers(0, count)))
        else:
            names = ("cpu", "kind", "tid", "comm", "reason", "prev_state", "other_tid", "dsq_id")
            name = names[int(random.integers(0, len(names)))]
            table = with_column(table, name, scrambled(table, name, rows, random))
    return sorted_table(table)


def scrambled(table: pa.Table, name: str, rows: Any, random: np.random.Generator) -> pa.Array:
    """A column with other rows' values, nulls (where allowed) and extremes."""
    field = EVENT_SCHEMA.field(name)
    values = table[name].to_pylist()
    extremes: dict[str, list[Any]] = {
        "cpu": [0, -1, 32767],
        "tid": [0, -1, 2**31 - 1],
        "other_tid": [-(2**31), 2**31 - 1],
        "dsq_id": [0, 2**64 - 1],
        "prev_state": [-(2**63), 2**63 - 1],
    }
    pool = [*values[:50], *extremes.get(name, ["", "\udcff".encode("utf-8", "replace").decode()])]
    pool += [None] if field.nullable else []
    for row in rows:
        values[row] = pool[int(random.integers(0, len(pool)))]
    plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return pa.array(values, plain)


def test_mutants_account_for_every_row_and_mirror(part: Source) -> None:
    limits = agreement_limits({"tolerance_ns": 1_000_000})
    verdicts = set()
    for seed in range(MUTANTS):
        table = damaged(part.table, np.random.default_rng(seed))
        times = table["time_ns"].to_pylist()
        window = (times[0], times[-1]) if times else None
        second = copy(part, table, window_ns=window, events=len(table))
        record, pairs = compare(part, second, limits)
        json.dumps(record, allow_nan=False)
        verdicts.add(record["verdict"])
        if record["verdict"] == "not_measured":
            continue
        for side, source in (("a", part), ("b", second)):
            rows = sum(
                some["matched"] + some[f"only_{side}"] + some[f"edge_{side}"]
                for some in record["classes"]
            )
            left = [s for s in record["not_compared"] if s["source"] == source.name]
            inside = len(source.table) - record["outside"][side]
            # Reasons that one side lacks are counted over whole tables.
            kinds = sum(s["rows"] for s in left if not s["what"].startswith("TaskWoke"))
            assert rows + kinds <= inside
            if not any(s["what"].startswith("TaskWoke") for s in record["not_compared"]):
                assert rows + kinds == inside, seed
        assert pairs["residual_ns"].drop_null().to_numpy().size == sum(
            some["matched"] for some in record["classes"]
        )
        mirrored, _ = compare(second, part, limits)
        assert mirrored["verdict"] == record["verdict"], seed
        assert [s["matched"] for s in mirrored["classes"]] == [
            s["matched"] for s in record["classes"]
        ], seed
    assert verdicts >= {"agree", "disagree", "inconclusive"}

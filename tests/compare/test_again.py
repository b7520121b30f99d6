# SPDX-License-Identifier: MIT
"""A simulation made again is the same to the last column, or the first difference is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from scxval.compare.again import simulated_again
from scxval.events.schema import EVENT_SCHEMA

from .runs import make_run, piece


def check(tmp_path: Path, change=None):
    first = make_run(tmp_path / "first", piece(0, 2))
    second = make_run(tmp_path / "second", piece(0, 2), change)
    return simulated_again([(first, second)])[0]


def test_the_same_twice(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert found.passed
    assert "31612 events, the same twice" in found.reason


@pytest.mark.parametrize("column", ["time_ns", "other_cpu", "dsq_id", "comm", "success", "reason"])
def test_one_value_is_found(tmp_path: Path, column: str) -> None:
    at = 31_000

    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        field = EVENT_SCHEMA.field(column)
        other = {pa.bool_(): True}.get(field.type, 7 if field.type != table["comm"].type else "x")
        values[at] = None if values[at] is not None and column != "time_ns" else other
        place = EVENT_SCHEMA.get_field_index(column)
        return table.set_column(place, field, pa.array(values, field.type))

    found = check(tmp_path, change)
    assert not found.passed
    assert f"1 of 31612 events differ, first event {at}" in found.reason
    assert f": {column} " in found.reason


def test_other_codes_of_the_same_text_are_no_difference(tmp_path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        # The last row first gives the dictionaries another order.
        order = np.r_[table.num_rows - 1, 0 : table.num_rows - 1]
        turned = table.take(pa.array(order)).combine_chunks()
        return turned.take(pa.array(np.r_[1 : table.num_rows, 0]))

    assert check(tmp_path, change).passed


def test_missing_events_are_found(tmp_path: Path) -> None:
    found = check(tmp_path, lambda table: table.slice(0, 100))
    assert not found.passed
    assert "31612 events, then 100" in found.reason


def test_a_missing_repetition_does_not_pass(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", piece(0, 2))
    found = simulated_again([(first, tmp_path / "none")])[0]
    assert not found.passed
    assert "cannot be read" in found.reason

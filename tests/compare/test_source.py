# SPDX-License-Identifier: MIT
"""A run is used with the window that it was traced in, or not at all and with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scxval.compare.source import read_source

from .runs import STATUS, STEP_NS, TASKS, WARM_UP_NS, edit, make_run, marks, piece, read

RTAPP = ("workload", "", "rtapp_period", "p50", 3e6, "ns", 40)


def test_a_real_run(tmp_path: Path) -> None:
    source = read(make_run(tmp_path / "r", tuple(STATUS["window_ns"]), reported=[RTAPP]))
    assert source.used
    assert source.window_ns == (STATUS["window_ns"][0] + WARM_UP_NS, STATUS["window_ns"][1])
    assert source.reasons == {"waking", "wakeup", "wakeup_new"}
    assert source.ran >= TASKS
    assert source.cpus == [0, 1, 2, 3]
    assert [key[2] for key in source.reported] == ["rtapp_period"]
    assert source.notes == ()


def test_the_window_is_what_was_traced_of_the_workload(tmp_path: Path) -> None:
    start, end = STATUS["window_ns"]
    traced = (start + 10**9, end + 10**9)
    source = read(make_run(tmp_path / "r", (start, end), capability={"window_ns": traced}))
    assert source.covered_ns == (start + 10**9, end)
    assert source.window_ns == (start + 10**9 + WARM_UP_NS, end)
    length_ns = end - start
    words = (
        f"{(length_ns - 10**9) / 1e6:.0f} of {length_ns / 1e6:.0f} ms of the workload were traced"
    )
    assert source.notes == (words,)


def test_a_task_that_never_leaves_its_cpu_ran(tmp_path: Path) -> None:
    """`busy` has slices longer than these windows: no switch of it is in some of them."""
    for number in range(12):
        source = read(make_run(tmp_path / str(number), piece(number, 12)))
        assert source.ran >= TASKS


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"outcome": "tracer_lost_events", "reason": "12 lost"}, "12 lost; too few are counted"),
        ({"outcome": "timeout", "reason": "no end"}, "outcome timeout: no end"),
        ({"window_ns": None}, "when did the workload run?"),
        ({"window_ns": [1, 2]}, "not more than the warm-up of 5 ms"),
        ({"window_ns": "soon"}, "window_ns is not a start and an end"),
    ],
)
def test_status_that_keeps_a_run_out(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    folder = make_run(tmp_path / "r", piece(0, 2), **fields)
    source = read(folder)
    assert not source.used
    assert words in source.why


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"clock": "boottime"}, "clock boottime"),
        ({"window_ns": None}, "no events, though bpftrace was there"),
        ({"kinds": []}, "the workload says nothing of itself either"),
    ],
)
def test_capability_that_keeps_a_run_out(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    source = read(make_run(tmp_path / "r", piece(0, 2), capability=fields))
    assert not source.used
    assert words in source.why


def test_clocks_that_moved_keep_a_run_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "r", piece(0, 2))
    edit(folder / "provenance.json", clocks=marks(piece(0, 2), 10**9))
    assert "CLOCK_REALTIME moved by 1000.000 ms" in read(folder).why
    # A simulation has no clocks that could.
    edit(folder / "status.json", simulation={})
    edit(folder / "capability.json", clock="virtual")
    assert read(folder).used


def test_clocks_that_nobody_read_are_said(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "r", piece(0, 2))
    (folder / "provenance.json").unlink()
    source = read(folder)
    assert source.used
    assert source.cpus is None
    assert any("clocks not checked: cannot read provenance.json" in n for n in source.notes)


def test_a_run_without_tracer_has_what_the_workload_says(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "r", piece(0, 2), capability={"kinds": [], "fields": {}}, reported=[RTAPP]
    )
    source = read(folder)
    assert source.used
    assert not source.has_events


def test_lost_and_damaged_records_are_said(tmp_path: Path) -> None:
    source = read(make_run(tmp_path / "r", piece(0, 2), capability={"unparsed": 3}))
    assert source.used
    assert "3 records of the trace are not understood" in source.notes


@pytest.mark.parametrize("name", ["status.json", "capability.json", "events.parquet"])
@pytest.mark.parametrize("damage", ["away", "text", "list"])
def test_bad_files_keep_a_run_out(tmp_path: Path, name: str, damage: str) -> None:
    folder = make_run(tmp_path / "r", piece(0, 2))
    if damage == "away":
        (folder / name).unlink()
    else:
        (folder / name).write_text("[]" if damage == "list" else "PAR1")
    source = read(folder)
    assert not source.used
    assert "\n" not in source.why.strip()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.sampled_from(["status.json", "capability.json", "provenance.json"]), st.integers(0), JUNK)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_field_may_hold_anything(tmp_path: Path, name: str, place: int, value: object) -> None:
    folder = tmp_path / "r"
    if not folder.exists():
        make_run(folder, piece(0, 2))
    text = (folder / name).read_text()
    record = json.loads(text)
    record[sorted(record)[place % len(record)]] = value
    try:
        (folder / name).write_text(json.dumps(record))
        source = read_source(folder, WARM_UP_NS, STEP_NS)
        assert source.used == (not source.why)
    finally:
        (folder / name).write_text(text)


def test_a_value_that_is_no_number_is_none(tmp_path: Path) -> None:
    rows = [RTAPP, ("workload", "", "result_speed", "value", float("nan"), "MB/s", 1)]
    source = read(make_run(tmp_path / "run", piece(0, 4), reported=rows))
    assert source.reported["workload", "", "result_speed", "value"].value is None

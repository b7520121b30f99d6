# SPDX-License-Identifier: MIT
"""Distorted copies are wrong in the way that they say, and in no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.distort import dilated, starved
from scxval.compare.prepare import Prepared, common_of, prepare
from scxval.compare.source import Cell, Key, cells
from scxval.events.metrics import measure

from ..events.metrics.event_tables import capability, off, on, table
from .runs import STATUS, WORKLOAD, make_run, read

FACTOR = 1.5


def measured(run: Prepared) -> dict[Key, Cell]:
    return cells(measure(run.table, run.capability, run.window_ns, run.cpus, run.comms or None))


def run_times(run: Prepared) -> dict[str, float]:
    return {
        key[1]: cell.value
        for key, cell in measured(run).items()
        if key[0] == "task" and key[2] == "run_time" and cell.value is not None
    }


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("distort") / "r"
    source = read(make_run(folder, tuple(STATUS["window_ns"])))
    return prepare(source, common_of([source], [source], WORKLOAD))


def test_dilated_is_slower(real: Prepared) -> None:
    copy = dilated(real, FACTOR)
    was, now = measured(real), measured(copy)
    assert copy.window_ns == real.window_ns
    key = ("workload", "", "context_switches", "value")
    # A part 1.5 times shorter of what happened fits into the window.
    assert now[key].value == pytest.approx(was[key].value / FACTOR, rel=0.2)
    p50 = ("workload", "", "slice_length", "p50")
    assert now[p50].value == pytest.approx(was[p50].value * FACTOR, rel=0.2)


def test_dilated_keeps_every_row_and_its_order(real: Prepared) -> None:
    copy = dilated(real, FACTOR)
    time = copy.table["time_ns"].to_numpy()
    assert (np.diff(time) >= 0).all()
    assert copy.table.drop_columns("time_ns").equals(real.table.drop_columns("time_ns"))


def test_starved_takes_from_the_busiest_alone(real: Prepared) -> None:
    was, now = run_times(real), run_times(starved(real, FACTOR))
    assert max(was, key=lambda name: was[name] * (name in real.comms)) == "busy"
    assert now["busy"] == pytest.approx(was["busy"] / FACTOR, rel=1e-6)
    for name in was.keys() - {"busy"}:
        assert now[name] == was[name]


def test_starved_leaves_nothing_that_contradicts_itself(real: Prepared) -> None:
    was, now = measured(real), measured(starved(real, FACTOR))
    for metric in ("broken_switches", "unknown_time"):
        key = ("system", "", metric, "value")
        assert now[key] == was[key]
    assert now["system", "", "idle_time", "value"].value == pytest.approx(
        was["system", "", "idle_time", "value"].value
        + was["task", "busy", "run_time", "value"].value * (1 - 1 / FACTOR)
    )
    # Waits only grow: nothing runs before it was woken.
    key = ("workload", "", "unmatched_waits", "value")
    assert now[key].value == was[key].value


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=8),
    st.integers(0, 60),
    st.integers(61, 400),
)
def test_starved_slices_of_one_task(pieces: list[tuple[int, int]], start: int, end: int) -> None:
    """One task on and off a CPU: each slice's part in the window is cut, whatever the ends cut."""
    events, now = [], 1
    for length, gap in pieces:
        events += [on(now, 0, 5), off(now + length, 0, 5), on(now + length, 0, 0)]
        now += length + gap
    # One that is never seen to end.
    events.append(on(now, 0, 5))
    run = Prepared(table(events), capability(), (start, end), [0], frozenset({"t5"}), {})
    was, found = run_times(run).get("t5", 0), run_times(starved(run, 2.0)).get("t5", 0)
    # A slice of 1 ns is left, and each other may lose half a nanosecond more.
    assert was / 2 - len(pieces) - 1 <= found <= was / 2 + len(pieces) + 1
    if was > 2 * (len(pieces) + 1):
        assert found < was


def test_nothing_to_starve_stays(real: Prepared) -> None:
    run = Prepared(table([on(1, 0, 0)]), capability(), (0, 10), [0], frozenset({"t5"}), {})
    assert starved(run, FACTOR) is run

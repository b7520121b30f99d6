# SPDX-License-Identifier: MIT
"""A guest whose clocks moved against each other during the workload is found, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.clocks import moved

from .runs import marks

WINDOW = (10_000_000_000, 12_000_000_000)
STEP_NS = 2_000_000
# Both marks' spreads.
SPREAD_NS = 5000


@given(st.integers(-(10**12), 10**12))
def test_a_step_is_told_from_what_the_readings_allow(step_ns: int) -> None:
    why = moved(marks(WINDOW, step_ns), STEP_NS)
    assert bool(why) == (abs(step_ns) > STEP_NS + SPREAD_NS)
    if why:
        assert "CLOCK_REALTIME" in why
        assert f"{step_ns / 1e6:.3f} ms" in why


def test_a_suspend_moves_boottime() -> None:
    taken = marks(WINDOW)
    taken[1]["boot_ns"] += 10**9
    assert "CLOCK_BOOTTIME moved by 1000.000 ms" in (moved(taken, STEP_NS) or "")


def test_a_step_back_and_forth_shows_at_a_mark_between() -> None:
    first, last = marks(WINDOW)
    between = {**first, "mark": "sample", "real_ns": first["real_ns"] + 10**8}
    assert moved([first, last], STEP_NS) == ""
    assert "mark work-start to sample" in (moved([first, between, last], STEP_NS) or "")


def test_a_step_before_the_workload_is_no_matter() -> None:
    early = {"mark": "job-start", "mono_ns": 1, "boot_ns": 1, "real_ns": 1, "spread_ns": 1}
    assert moved([early, *marks(WINDOW)], STEP_NS) == ""


def test_without_marks_nobody_knows() -> None:
    assert moved([], STEP_NS) is None
    assert moved(marks(WINDOW)[:1], STEP_NS) is None
    assert moved([{"mark": "work-start"}, {"mark": "work-end"}], STEP_NS) is None

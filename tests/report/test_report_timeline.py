# SPDX-License-Identifier: MIT
"""Slices of a window, against small tables worked out by hand and properties of random ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from report_tree import table_of

from scxval.report.timeline import Slice, middle, timeline


def on(time: int, tid: int, cpu: int = 0) -> dict[str, Any]:
    return {"time_ns": time, "cpu": cpu, "kind": "TaskScheduled", "tid": tid, "comm": f"t{tid}"}


def off(time: int, tid: int, kind: str = "TaskSlept", reason: str | None = None) -> dict[str, Any]:
    return {
        "time_ns": time,
        "cpu": 0,
        "kind": kind,
        "tid": tid,
        "comm": f"t{tid}",
        "reason": reason,
    }


def idle(time: int) -> dict[str, Any]:
    return {"time_ns": time, "cpu": 0, "kind": "CpuIdle", "tid": 0}


def slices(rows: list[dict[str, Any]], window: tuple[int, int]) -> list[tuple[Any, ...]]:
    found = timeline(table_of(rows), window).slices
    return [(s.tid, s.start_ns, s.end_ns, s.ended) for s in found]


def test_slices_keep_their_real_ends_beyond_the_window() -> None:
    rows = [on(0, 1), off(100, 1, "TaskPreempted", "preempt"), on(100, 2), off(300, 2), idle(300)]
    assert slices(rows, (50, 200)) == [(1, 0, 100, "preempted"), (2, 100, 300, "slept")]


def test_slices_outside_the_window_are_not_drawn() -> None:
    rows = [on(0, 1), off(10, 1), idle(10), on(20, 2), off(30, 2), idle(30), on(40, 3), off(50, 3)]
    assert slices(rows, (15, 35)) == [(2, 20, 30, "slept")]
    assert slices(rows, (10, 20)) == []


def test_one_switch_record_gives_two_rows_of_one_seq_in_either_order() -> None:
    rows = [on(0, 1), on(5, 2) | {"seq": 7}, off(5, 1, "TaskYielded") | {"seq": 7}, off(9, 2)]
    assert slices(rows, (0, 10)) == [(1, 0, 5, "yielded"), (2, 5, 9, "slept")]


def test_reason_is_told_when_it_says_more_than_the_kind() -> None:
    rows = [
        on(0, 1),
        off(5, 1, "TaskPreempted", "unknown"),
        on(5, 2),
        off(9, 2, "TaskCompleted", "exit"),
    ]
    assert [s[3] for s in slices(rows, (0, 10))] == ["preempted (reason unknown)", "exited"]


def test_unrecorded_ends_are_said_never_guessed() -> None:
    rows = [on(0, 1), on(10, 2), idle(20), on(30, 3), off(40, 4), on(50, 5)]
    assert slices([*rows, {"time_ns": 60, "cpu": 1, "kind": "CpuIdle", "tid": 0}], (0, 100)) == [
        (1, 0, 10, "not recorded: another began"),
        (2, 10, 20, "not recorded: the CPU went idle"),
        (3, 30, 40, "not recorded: another task left"),
        (5, 50, 60, "still running when the trace ended"),
    ]


def test_a_task_on_cpu_before_the_trace_has_no_known_start() -> None:
    rows = [{"time_ns": 3, "cpu": 1, "kind": "CpuIdle", "tid": 0}, off(10, 1), idle(10)]
    assert timeline(table_of(rows), (0, 20)).slices == [Slice(0, 1, "t1", 3, 10, "slept", False)]


def test_an_exit_record_before_the_last_switch_closes_once() -> None:
    rows = [on(0, 1), off(8, 1, "TaskCompleted"), off(9, 1), idle(9)]
    assert slices(rows, (0, 20)) == [(1, 0, 8, "exited")]


def test_idle_cpus_keep_their_lane() -> None:
    rows = [on(0, 1), off(10, 1), {"time_ns": 900, "cpu": 7, "kind": "CpuIdle", "tid": 0}]
    assert timeline(table_of(rows), (0, 20)).cpus == [0, 7]


def test_too_many_slices_shorten_the_window_about_its_middle() -> None:
    rows = [row for t in range(0, 1000, 10) for row in (on(t, 1), off(t + 10, 1))]
    shown = timeline(table_of(rows), (0, 1000), max_slices=30)
    assert shown.window_ns == (375, 625)
    assert shown.wanted_ns == (0, 1000)
    assert 20 < len(shown.slices) <= 30


def test_middle() -> None:
    assert middle((100, 300), 50) == (175, 225)
    assert middle((100, 120), 50) == (100, 120)


KINDS = [
    "TaskScheduled",
    "TaskPreempted",
    "TaskYielded",
    "TaskSlept",
    "TaskCompleted",
    "CpuIdle",
    "Tick",
]
ROWS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 2), st.sampled_from(KINDS), st.integers(1, 3)),
    max_size=40,
)


def random_rows(drawn: list[tuple[int, int, str, int]]) -> list[dict[str, Any]]:
    return [
        {"time_ns": t, "cpu": c, "kind": k, "tid": 0 if k == "CpuIdle" else tid, "comm": "x"}
        for t, c, k, tid in sorted(drawn, key=lambda row: row[0])
    ]


@given(ROWS, st.integers(0, 49), st.integers(1, 50))
def test_one_cpu_runs_one_task_at_a_time_whatever_the_records(
    drawn: list[tuple[int, int, str, int]], start: int, length: int
) -> None:
    window = (start, start + length)
    shown = timeline(table_of(random_rows(drawn)), window)
    for cpu in shown.cpus:
        own = sorted((s.start_ns, s.end_ns) for s in shown.slices if s.cpu == cpu)
        assert all(end > window[0] and begin < window[1] and begin <= end for begin, end in own)
        assert all(a[1] <= b[0] for a, b in pairwise(own))


@given(ROWS, st.integers(1, 48), st.integers(1, 50))
def test_a_window_shows_what_the_whole_trace_shows_there(
    drawn: list[tuple[int, int, str, int]], start: int, length: int
) -> None:
    table = table_of(random_rows(drawn))
    window = (start, start + length)
    whole = timeline(table, (-1, 100)).slices
    expected = [s for s in whole if s.end_ns > window[0] and s.start_ns < window[1]]
    assert timeline(table, window).slices == expected

# SPDX-License-Identifier: MIT
"""Estimates: from the starts of earlier runs, by the nearest relatives of a cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scxval.catalog.model import Cell
from scxval.planning.timing import (
    GUESS_S,
    Begun,
    begun_in_history,
    begun_in_results,
    known_timing,
    lines,
    timing,
    to_run,
)
from scxval.planning.words import duration

GROUP = ("fair", "periodic_mix", "none", "taskset", "tcg4")
TRACED = ("fair", "periodic_mix", "bpftrace", "taskset", "tcg4")


def begun(*runs: tuple[tuple[str, ...], float]) -> list[Begun]:
    return [Begun(start, axes, rep) for rep, (axes, start) in enumerate(runs)]


def test_a_cell_takes_until_the_next_one_starts() -> None:
    known = timing(begun((GROUP, 0.0), (TRACED, 20.0), (GROUP, 60.0), (TRACED, 84.0), (GROUP, 120)))
    assert known.of(GROUP).seconds == 22.0
    assert known.of(TRACED).seconds == 38.0
    assert (known.of(GROUP).runs, known.of(GROUP).source) == (2, "the same cell")
    assert known.last[GROUP] == 120


def test_relatives_in_order() -> None:
    known = timing(begun((GROUP, 0.0), (TRACED, 20.0), (GROUP, 60.0)))
    other = ("scx_rusty", "periodic_mix", "bpftrace", "none", "tcg4")
    assert known.of(other) == known.of(TRACED).__class__(
        40.0, 1, "the same workload, tracer and machine"
    )
    assert known.of(("x", "y", "none", "z", "tcg4")).source == "the same tracer and machine"
    assert known.of(("x", "y", "perf-sched", "z", "tcg4")).source == "the same machine"
    assert known.of(("x", "y", "perf-sched", "z", "kvm4")).source == "any cell"
    guess = timing([]).of(GROUP)
    assert (guess.seconds, guess.runs) == (GUESS_S, 0) and "guess" in guess.source


def test_a_night_between_two_runs_is_no_duration() -> None:
    known = timing(begun((GROUP, 0.0), (GROUP, 25.0), (GROUP, 80_000.0), (GROUP, 80_031.0)))
    assert known.took[0, GROUP] == (25.0, 31.0)


def test_a_run_in_history_and_results_counts_once() -> None:
    runs = begun((GROUP, 0.0), (GROUP, 30.0), (GROUP, 60.0))
    assert timing([*runs, *runs]).took == timing(runs).took


def test_results_tell_and_what_is_broken_does_not(tmp_path: Path) -> None:
    for rep, start in enumerate((100.0, 130.0)):
        folder = tmp_path / "/".join(GROUP) / f"rep{rep}"
        folder.mkdir(parents=True)
        (folder / "provenance.json").write_text(json.dumps({"started_unix_s": start}))
    broken = tmp_path / "/".join(TRACED) / "rep0"
    broken.mkdir(parents=True)
    (broken / "provenance.json").write_text("{")
    assert begun_in_results(tmp_path) == [Begun(100.0, GROUP, 0), Begun(130.0, GROUP, 1)]
    assert known_timing(tmp_path / "none.sqlite", tmp_path).of(GROUP).seconds == 30.0
    assert begun_in_history(tmp_path / "none.sqlite") == []


def test_the_sum_in_words_says_where_it_is_from() -> None:
    known = timing(begun((GROUP, 0.0), (GROUP, 60.0)))
    cells = [Cell(*GROUP[:4], "tcg4", rep) for rep in range(3)]
    cells.append(Cell("fair", "bursty", "none", "taskset", "tcg4", 0))
    assert lines(cells, known) == [
        "about 4 min for 4 cells that are to be run",
        "  3 by the same cell: 3 min",
        "  1 by the same tracer and machine: 60 s",
    ]


def test_a_cell_with_a_record_is_not_to_be_run(tmp_path: Path) -> None:
    cells = [Cell(*GROUP[:4], "tcg4", rep) for rep in range(3)]
    for rep, text in ((0, '{"outcome": "panic"}'), (1, "")):
        (tmp_path / cells[rep].path).mkdir(parents=True)
        (tmp_path / cells[rep].path / "status.json").write_text(text)
    assert to_run(cells, tmp_path) == cells[1:]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "1 h 00 min"), (86400 * 3 + 7200, "3 d 02 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text

# SPDX-License-Identifier: MIT
"""Figures are valid for plotly, show one point per run, and cannot leave their script element."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_tree import IMG

from scxval.catalog.model import Cell
from scxval.report import figures
from scxval.report.load import Key, Run, Value
from scxval.report.summary import Comparison, compare
from scxval.report.timeline import Slice, Timeline

KEY = Key("workload", "", "wakeup_latency", "p99")


def run(scheduler: str, rep: int, value: float | None, outcome: str = "ok") -> Run:
    cell = Cell(scheduler, "mix", "bpftrace", "taskset", "tcg4", rep)
    metrics = {KEY: Value(value, "ns", 600)}
    return Run(cell, Path("x"), status={"outcome": outcome}, metrics=metrics)


def comparison(*runs: Run) -> Comparison:
    schedulers = list(dict.fromkeys(r.cell.scheduler for r in runs))
    return compare("Wakeup latency, p99", KEY, runs, [], schedulers)


def valid(figure: figures.Figure) -> None:
    """Plotly's own classes refuse unknown keys and wrong values."""
    graph = pytest.importorskip("plotly.graph_objects")
    graph.Figure(figure)


def test_every_run_is_a_point_in_its_scheduler_and_the_median_a_stroke() -> None:
    figure = figures.run_points(
        comparison(
            run("fair", 0, 1000.0),
            run("fair", 1, 3000.0),
            run("scx_simple", 0, 2000.0),
            run("scx_simple", 1, 9000.0, "tracer_lost_events"),
            run("scx_simple", 2, 5000.0, "panic"),
        )
    )
    valid(figure)
    medians, good, lossy = figure["data"]
    assert medians["x"] == [2.0, 2.0]
    assert good["x"] == [1.0, 3.0, 2.0]
    assert [round(y) for y in good["y"]] == [0, 0, 1]
    assert lossy["x"] == [9.0]
    assert figure["layout"]["xaxis"]["title"]["text"] == "µs"
    assert figure["layout"]["xaxis"]["type"] == "linear"
    # A cut axis would make small differences look large.
    assert figure["layout"]["xaxis"]["rangemode"] == "tozero"


def test_wide_ranges_get_a_log_axis_unless_a_zero_is_there() -> None:
    wide = figures.run_points(comparison(run("a", 0, 1e3), run("b", 0, 1e6)))
    assert wide["layout"]["xaxis"]["type"] == "log"
    assert "log scale" in wide["layout"]["xaxis"]["title"]["text"]
    valid(wide)
    zero = figures.run_points(comparison(run("a", 0, 0.0), run("b", 0, 1e6)))
    assert zero["layout"]["xaxis"]["type"] == "linear"


@given(st.integers(1, 40))
def test_points_stay_in_their_own_strip(reps: int) -> None:
    figure = figures.run_points(comparison(*(run("a", rep, 5.0 + rep) for rep in range(reps))))
    ys = figure["data"][1]["y"]
    assert len(set(ys)) == reps
    assert all(abs(y) < 0.5 for y in ys)


def test_timeline_clips_bars_and_tells_the_real_length() -> None:
    shown = Timeline(
        (1_000_000, 3_000_000),
        (1_000_000, 3_000_000),
        [0, 3],
        [
            Slice(0, 5, IMG, 500_000, 2_000_000, "preempted"),
            Slice(3, 6, "per", 2_500_000, 4_000_000, "slept"),
            Slice(3, None, None, 2_000_000, 2_500_000, "slept", start_known=False),
        ],
    )
    colours = figures.task_colours([shown])
    assert set(colours) == {IMG, "per", "(no name)"}
    figure = figures.cpu_timeline(shown, colours)
    valid(figure)
    bars = {trace["hovertext"][0]: trace for trace in figure["data"]}
    by_y = sorted((t["base"][0], t["x"][0], t["y"][0]) for t in bars.values())
    assert by_y == [(0.0, 1.0, 0), (1.0, 0.5, 1), (1.5, 0.5, 1)]
    hog = next(text for text in bars if "onerror" in text)
    assert hog.startswith("<b>&lt;img src=x onerror=alert(1)&gt;</b> (tid 5), CPU 0")
    assert "start -0.500 ms (clock 500000 ns)" in hog
    assert "length 1.50 ms" in hog and hog.endswith("end: preempted")
    unknown = next(text for text in bars if "no name" in text)
    assert "on the CPU before the trace began" in unknown and "at least 500" in unknown


def test_more_tasks_than_colours_leaves_the_short_ones_grey() -> None:
    pieces = [Slice(0, n, f"t{n:02}", n * 100, n * 100 + n, "slept") for n in range(1, 20)]
    shown = Timeline((0, 10_000), (0, 10_000), [0], pieces)
    colours = figures.task_colours([shown])
    assert list(colours) == [f"t{n:02}" for n in range(12, 20)]
    grey = [
        t
        for t in figures.cpu_timeline(shown, colours)["data"]
        if t["marker"]["color"] == figures.OTHER
    ]
    assert len(grey[0]["x"]) == 11


@given(st.text())
def test_json_for_a_script_element_survives_any_text(text: str) -> None:
    out = figures.to_json({"name": text})
    assert not set("<>&") & set(out)
    assert json.loads(out) == {"name": text}

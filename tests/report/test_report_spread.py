# SPDX-License-Identifier: MIT
"""Bars by process, queue, task and CPU: only what was measured, medians over runs that ended ok."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_tree import IMG, Tree, two_cpus

from scxval.catalog.model import Cell
from scxval.report import figures
from scxval.report.load import Key, Run, Value
from scxval.report.spread import MAX_MEMBERS, Spread, spreads

SCHEDULERS = ["scx_simple", "scx_bpfland"]


def run(
    metrics: dict[tuple[str, str, str, str], float | None],
    scheduler: str = "scx_simple",
    rep: int = 0,
    outcome: str = "ok",
    unit: str = "ns",
    events: int = 600,
) -> Run:
    cell = Cell(scheduler, "mix", "bpftrace", "taskset", "tcg4", rep)
    values = {Key(*key): Value(value, unit, events) for key, value in metrics.items()}
    return Run(cell, Path("x"), status={"outcome": outcome}, metrics=values)


def quantiles(scope: str, name: str, metric: str, p50: float | None, p99: float | None):
    return {(scope, name, metric, "p50"): p50, (scope, name, metric, "p99"): p99}


def valid(figure: figures.Figure) -> None:
    pytest.importorskip("plotly.graph_objects").Figure(figure)


def only(runs: list[Run]) -> Spread:
    found = spreads(runs, SCHEDULERS)
    assert len(found) == 1
    return found[0]


def test_nothing_measured_nothing_drawn() -> None:
    nothing = quantiles("dsq", "0x0", "vtime_step", None, None)
    assert (
        spreads([run(nothing), run({("cpu", "0", "cpu_frequency", "value"): None})], SCHEDULERS)
        == []
    )


def test_medians_over_good_runs_only() -> None:
    name = ("process", IMG, "scheduling_delay")
    runs = [
        run(quantiles(*name, 1000, 9000)),
        run(quantiles(*name, 3000, 5000), rep=1),
        run(quantiles(*name, 7e9, 7e9), rep=2, outcome="tracer_lost_events"),
        run(quantiles(*name, 8e9, 8e9), rep=3, outcome="panic"),
        run(quantiles(*name, 500, None), rep=4),
        run(quantiles(*name, 100, 200), scheduler="scx_bpfland"),
    ]
    spread = only(runs)
    assert [(bar.scheduler, bar.ends, bar.runs) for bar in spread.bars] == [
        ("scx_simple", (2000, 7000), 2),
        ("scx_bpfland", (100, 200), 1),
    ]
    figure = figures.member_spread(spread)
    valid(figure)
    simple, bpfland = figure["data"]
    assert simple["x"] == [2.0, 7.0, None]
    assert bpfland["x"] == [0.1, 0.2, None]
    assert simple["y"][0] == simple["y"][1] != bpfland["y"][0]
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert "<img" not in figures.to_json(figure)


def test_the_names_with_most_events_are_kept_in_their_order() -> None:
    queues = {
        f"{number:#x}": run(
            quantiles("dsq", f"{number:#x}", "vtime_step", -5, number), events=number
        )
        for number in range(1, MAX_MEMBERS + 8)
    }
    merged = Run(next(iter(queues.values())).cell, Path("x"), status={"outcome": "ok"}, metrics={})
    for one in queues.values():
        merged.metrics.update(one.metrics)
    spread = only([merged])
    assert spread.members == [f"{number:#x}" for number in range(8, MAX_MEMBERS + 8)]
    assert spread.left_out == 7
    figure = figures.member_spread(spread)
    valid(figure)
    # Steps back are below zero: no log axis.
    assert figure["layout"]["xaxis"]["type"] == "linear"


def test_slices_that_do_not_end_are_told_even_without_a_bar() -> None:
    counts = {
        ("system", "", "slice_infinite", "value"): 1234.0,
        ("system", "", "slice_kept", "value"): 0.0,
    }
    spread = only([run(counts)])
    assert not spread.bars
    assert spread.notes[0].startswith(
        "scx_simple: 1\u202f234 inserts with a slice that does not end, 0"
    )


def test_frequency_is_a_dot() -> None:
    spread = only([run({("cpu", "10", "cpu_frequency", "value"): 2.5e6}, unit="kHz")])
    figure = figures.member_spread(spread)
    valid(figure)
    assert figure["data"][0]["x"] == [2.5e6, None]
    assert "kHz" in figure["layout"]["xaxis"]["title"]["text"]


def test_the_page_has_a_plot_by_process(tmp_path: Path) -> None:
    """The tree's source sees switches and wakeups with thread groups, and nothing of sched_ext."""
    tree = Tree(tmp_path)
    for rep in (0, 1):
        folder = tree.run(f"fair/mix/bpftrace/taskset/tcg4/rep{rep}")
        tree.events(folder, two_cpus(rep))
    titles = [element.text for element in tree.build().all("h5")]
    assert titles.count("Scheduling delay by process") == 1
    assert not any("vtime" in title or "frequency" in title for title in titles)

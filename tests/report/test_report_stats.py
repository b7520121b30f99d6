# SPDX-License-Identifier: MIT
"""A scheduler's own statistics in the page: a real capture's, what is drawn of it, and hostile names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_tree import IMG, MS, SCRIPT, WINDOW_NS, Tree, two_cpus

from scxval.events.stats import stats_table, write_stats
from scxval.report import figures
from scxval.report.scx_stats import MAX_PANELS, Series, drawn, series_of
from scxval.tracers.scx_stats.convert import convert

CAPTURE = Path(__file__).parents[1] / "fixtures/stats-rusty/scx_stats.wrapped.ndjson"
CELL = "scx_rusty/mix/bpftrace+scx-stats/taskset/tcg4/rep0"
# Of 9, 32, 213, 150, 167, 244, 139, 181, 24, 23, 22, 10: min, median, max, last.
TOTALS = "total# sched events during the period" + "9.00" + "85.50" + "244.00" + "10.00"
PARTS = {
    "bpftrace": {"ready": True, "lost": 1, "exit_code": 0, "failed": ""},
    "scx-stats": {"ready": True, "lost": None, "exit_code": 0, "failed": ""},
}


def table_of(values: dict[str, list[float | str | None]]) -> Any:
    """A table with one answer every 10 ms of the window."""
    rows: dict[str, list[Any]] = {"seq": [], "time_ns": [], "path": [], "value": [], "text": []}
    for seq in range(max(map(len, values.values()))):
        for path, series in values.items():
            value = series[seq]
            rows["seq"].append(seq)
            rows["time_ns"].append(WINDOW_NS[0] + seq * 10 * MS)
            rows["path"].append(path)
            rows["value"].append(None if isinstance(value, str) else value)
            rows["text"].append(value if isinstance(value, str) else None)
    nothing = [None] * len(rows["seq"])
    more = ("wait_ns", "window_ns", "type", "description", "unit")
    return stats_table({**rows, **dict.fromkeys(more, nothing)})


@pytest.fixture
def rusty(tree: Tree) -> Tree:
    """A run whose answers are the capture's, with the capture's own window."""
    window = [10_911_955_099, 13_280_554_021]
    folder = tree.run(CELL, window_ns=window, tracer={"ready": True, "lost": 1, "parts": PARTS})
    tree.events(folder, two_cpus(0))
    write_stats(convert(CAPTURE).stats, folder / "stats.parquet")
    for part in PARTS:
        (folder / "parts" / part).mkdir(parents=True)
        for name in ("events.parquet", "capability.json"):
            (folder / "parts" / part / name).write_bytes(b"x")
    return tree


def test_the_captures_series_are_its_answers() -> None:
    series = {one.path: one for one in series_of(convert(CAPTURE).stats)}
    assert len(series) == 32
    total = series["total"]
    assert len(total.values) == len(total.times_ns) == 12
    assert total.values[:3] == [9.0, 32.0, 213.0]
    assert total.times_ns == sorted(total.times_ns)
    assert total.description == "# sched events during the period"
    shown = [one.path for one in drawn(list(series.values()))]
    assert {"cpu_busy", "prev_idle", "total", "load"} <= set(shown)
    # Clocks, and what never changes.
    assert not {"at_us", "lb_at_us", "slice_us", "nr_migrations"} & set(shown)
    assert len(shown) == MAX_PANELS


@pytest.mark.parametrize(
    ("values", "tells"),
    [
        ([1.0, 1.0], False),
        ([1.0], False),
        ([], False),
        ([None, 1.0], False),
        ([1.0, 2.0], True),
        ([1.0, 2.0, 3.0], True),
        ([2.0, 1.0, None], True),
        ([1.7e15, 1.7e15 + 5e5, 1.7e15 + 1e6], False),
        ([1.7e15, 1.7e15 - 5e5], True),
        ([0.0, 0.0, 5.0], True),
    ],
)
def test_what_is_worth_a_picture(values: list[float | None], tells: bool) -> None:
    assert Series("x", "", "", list(range(len(values))), values).tells == tells


def test_the_outermost_are_drawn_first() -> None:
    deep = [Series(f"a/{n}", "", "", [0, 1], [0.0, 1.0]) for n in range(MAX_PANELS)]
    top = Series("z", "", "", [0, 1], [1.0, 0.0])
    assert [one.path for one in drawn([*deep, top])] == [
        "z",
        *(f"a/{n}" for n in range(MAX_PANELS - 1)),
    ]


def test_the_figure_is_valid_and_on_the_workloads_clock() -> None:
    graph = pytest.importorskip("plotly.graph_objects")
    shown = drawn(series_of(convert(CAPTURE).stats))
    window = (10_911_955_099, 13_280_554_021)
    figure = figures.statistics(shown, window)
    graph.Figure(figure)
    assert len(figure["data"]) == len(shown)
    for trace, series in zip(figure["data"], shown, strict=True):
        assert trace["y"] == series.values
        assert trace["x"][0] == round((series.times_ns[0] - window[0]) / 1e9, 6) < 0
    (shade,) = figure["layout"]["shapes"]
    assert (shade["x0"], shade["x1"]) == (0, 2.368599)
    without = figures.statistics(shown, None)
    graph.Figure(without)
    assert without["data"][0]["x"][0] == 0
    assert "first answer" in without["layout"]["xaxis"]["title"]["text"]
    graph.Figure(figures.statistics(shown[:1], window))


def test_a_cells_section_has_picture_table_and_files(rusty: Tree) -> None:
    page = rusty.build()
    headings = [element.text for element in page.all("h3")]
    assert "What the scheduler says of itself" in headings
    plots = [p.attrs["aria-label"] for p in page.all("div", role="img")]
    assert sum("Statistics of scx_rusty over time: " in label for label in plots) == 1
    rows = [e.text for e in page.all("tr")]
    assert TOTALS in rows
    links = {
        a.attrs["href"].rsplit("rep0/", 1)[-1] for a in page.all("a") if "rep0/" in str(a.attrs)
    }
    assert "stats.parquet" in links
    assert {f"parts/{part}/events.parquet" for part in PARTS} <= links
    losses = {e.text for e in page.all("tr") if e.text.startswith("lost, by")}
    assert {"lost, by tracer bpftrace1", "lost, by tracer scx-statsnot recorded"} <= losses


def test_a_cell_without_statistics_has_no_section(full: Tree) -> None:
    page = full.build()
    assert "What the scheduler says of itself" not in page.html
    assert "stats.parquet" not in page.html


def test_statistics_that_cannot_be_read_are_said_so(rusty: Tree) -> None:
    (rusty.runs / CELL / "stats.parquet").write_bytes(b"PAR1")
    page = rusty.build()
    assert "What the scheduler says of itself" not in page.html
    assert "stats.parquet: not a table of statistics" in page.html


def test_hostile_names_become_text_only(tree: Tree) -> None:
    folder = tree.run(CELL)
    tree.events(folder, two_cpus(0))
    table = table_of({IMG: [1.0, 2.0, 1.0], SCRIPT: [3.0, 1.0, 2.0], "name": ["a", IMG, SCRIPT]})
    write_stats(table, folder / "stats.parquet")
    page = tree.build()
    assert not page.all("img")
    assert IMG not in page.html
    assert SCRIPT not in page.html
    assert any(IMG in element.raw for element in page.all("th"))


def test_nothing_changed(tree: Tree) -> None:
    folder = tree.run(CELL)
    tree.events(folder, two_cpus(0))
    write_stats(table_of({"a": [1.0, 1.0], "b": [None, None]}), folder / "stats.parquet")
    page = tree.build()
    assert "No value changed." in page.html
    assert any(e.text == "bnot given" for e in page.all("tr"))

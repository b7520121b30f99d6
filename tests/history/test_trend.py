# SPDX-License-Identifier: MIT
"""From runs to the trend page: what is read of a run, what is written, and what a browser makes of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from scxval.catalog.comparison import parse_compare
from scxval.catalog.config import History
from scxval.cli import main
from scxval.errors import ScxvalError
from scxval.history.command import add_runs, paths_below
from scxval.history.page import write_trend
from scxval.history.readings import read_run
from scxval.history.store import add
from scxval.history.trend import read_trend, record_of

from ..browser import page as browser_page
from ..conftest import ROOT
from .nights import AXES, nights, run

RUN = ROOT / "tests/fixtures/history"
HOSTILE = "<script>alert(1)</script>\u202e\x00"
# Milliseconds in ns: well beyond the absolute part of the margin.
LEVELS = (1.0, 1.01, 0.99, 1.0, 1.01, 0.99, 1.02, 1.0, 0.98, 1.5, 1.52, 1.49, 1.51)
STEP = [level * 1e6 for level in LEVELS]


def settings(raw_config: dict[str, Any]) -> History:
    return History(**raw_config["history"])


def store_of(tmp_path: Path, **more: Any) -> Path:
    store = tmp_path / "h.sqlite"
    add(
        store,
        [
            *nights(STEP),
            *nights([50.0] * 13, what=f"rtapp_run p50 task {HOSTILE}"),
            *more.get("runs", ()),
        ],
    )
    return store


def test_a_real_run_is_read(raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    (path,) = paths_below(RUN)
    record = read_run(RUN, path, how)
    assert record.axes == ("scx_simple", "periodic_mix", "bpftrace", "taskset", "tcg4")
    assert (
        record.outcome == "ok"
        and record.made_with.kernel.startswith("7.2")
        and len(record.made_with.scheduler) == 12
    )
    status = json.loads((RUN / path / "status.json").read_text())
    seconds = (status["window_ns"][1] - status["window_ns"][0]) / 1e9
    readings = {reading.what: reading for reading in record.readings}
    counters = json.loads((RUN / path / "raw/counters.json").read_text())
    switches = readings["kernel_voluntary_switches value"]
    assert switches.unit == "1/s"
    assert switches.value == pytest.approx(counters["workload"]["voluntary_switches"] / seconds)
    assert readings["run_time value task hog"].unit == "CPUs"
    assert 0 < readings["run_time value task hog"].value <= 4
    assert readings["wakeup_latency p50"].unit == "ns"
    # The configured task quantities are there for each task, and no others.
    assert {what.split(" task ")[1] for what in readings if " task " in what} == {
        "hog",
        "per20",
        "per8",
    }


def test_what_is_no_run_is_one_line(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    (path,) = paths_below(RUN)
    shutil.copytree(RUN, tmp_path / "runs")
    (tmp_path / "runs" / path / "provenance.json").write_text("{}")
    with pytest.raises(ScxvalError, match="not a run that history can keep"):
        read_run(tmp_path / "runs", path, how)
    with pytest.raises(ScxvalError, match="could be read; the first"):
        add_runs(tmp_path / "h", tmp_path / "runs", [path], how)
    assert not (tmp_path / "h").exists()
    shutil.copytree(RUN / path, tmp_path / "runs" / path.replace("rep0", "rep1"))
    lines = add_runs(tmp_path / "h", tmp_path / "runs", paths_below(tmp_path / "runs"), how)
    assert (
        lines[0].startswith("left out: ")
        and "a new history" in lines[1]
        and "1 runs added" in lines[2]
    )


def test_a_regression_is_listed(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    trend = read_trend(store_of(tmp_path), how, settings(raw_config))
    write_trend(trend, tmp_path / "trend.html", tmp_path / "out")
    record = json.loads((tmp_path / "out/history.json").read_text())
    (regression,) = record["regressions"]
    assert regression["place"] == "/".join(AXES) and regression["what"] == "wakeup_latency p50"
    assert (record["nights"], record["series"], record["too_short"]) == (13, 2, 0)
    rows = pyarrow.csv.read_csv(tmp_path / "out/changes.csv").to_pylist()
    assert [row["kind"] for row in rows] == ["regression"]
    first = (tmp_path / "trend.html").read_bytes()
    write_trend(
        read_trend(tmp_path / "h.sqlite", how, settings(raw_config)),
        tmp_path / "trend.html",
        tmp_path / "out",
    )
    assert (tmp_path / "trend.html").read_bytes() == first


def test_only_the_last_nights_are_looked_at(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how, last = parse_compare(raw_config["compare"]), replace(settings(raw_config), most_nights=4)
    trend = read_trend(store_of(tmp_path), how, last)
    assert len(trend.outcomes) == 4 and trend.regressions == [] and trend.too_short == 2


def test_runs_that_failed_count_as_outcomes(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    store = store_of(tmp_path, runs=[run(3, 9, None, outcome="panic")])
    trend = read_trend(store, how, settings(raw_config))
    assert trend.outcomes[min(trend.outcomes) + 3] == {"ok": 6, "panic": 1}


def test_an_empty_store_is_a_page_too(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    add(tmp_path / "h", [])
    trend = read_trend(tmp_path / "h", parse_compare(raw_config["compare"]), settings(raw_config))
    assert record_of(trend)["latest"] is None
    write_trend(trend, tmp_path / "trend.html", tmp_path / "out")


def test_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    store = ["--store", str(tmp_path / "h.sqlite")]
    assert main(["history", "list", *store]) == 2
    assert "no history at" in capsys.readouterr().err
    assert main(["history", "add", "--runs", str(RUN), *store]) == 0
    assert "1 runs added" in capsys.readouterr().out
    assert main(["history", "list", *store]) == 0
    assert capsys.readouterr().out.endswith("  1 runs: 1 ok\n")
    places = ["--page", str(tmp_path / "t.html"), "--output", str(tmp_path / "out")]
    assert main(["history", "trend", *store, *places]) == 0
    add(tmp_path / "h.sqlite", nights(STEP))
    assert main(["history", "trend", *store, *places]) == 1
    assert "wakeup_latency p50: 1e+06 to" in capsys.readouterr().out
    assert main(["history", "export", *store, "--output", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").iterdir())) == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(tmp_path: Path, raw_config: dict[str, Any], scheme: str) -> None:
    how = parse_compare(raw_config["compare"])
    page = tmp_path / "trend.html"
    write_trend(read_trend(store_of(tmp_path), how, settings(raw_config)), page, tmp_path / "out")
    assert "<script" not in page.read_text() and "\u202e" not in page.read_text()
    with browser_page(color_scheme=scheme) as opened:
        said: list[str] = []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("request", lambda request: said.append(request.url))
        opened.goto(page.as_uri())
        opened.locator("details").first.evaluate("element => element.open = true")
        assert opened.locator("svg[role=img]").count() == 2
        assert all(
            name for name in opened.locator("svg").evaluate_all("all => all.map(e => e.ariaLabel)")
        )
        assert opened.locator("#regressions ~ .scroll tbody tr").count() == 1
        assert opened.locator("path.regression").count() == 1
        assert said == [page.as_uri()]


def test_what_only_the_host_explains_is_listed_last(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    moved = [
        replace(
            one,
            identity=f"moved {one.identity}",
            made_with=replace(one.made_with, host="old" if number < 27 else "new"),
            axes=("fair", *AXES[1:]),
        )
        for number, one in enumerate(nights(STEP))
    ]
    how = parse_compare(raw_config["compare"])
    trend = read_trend(store_of(tmp_path, runs=moved), how, settings(raw_config))
    record = record_of(trend)
    assert [r["place"].split("/")[0] for r in record["regressions"]] == ["scx_simple", "fair"]
    assert [r["explained"] for r in record["regressions"]] == [False, True]
    assert record["regressions"][1]["causes"] == "host: old before, new then"
    assert all(r["new"] for r in record["regressions"])


def test_an_old_regression_is_no_news(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    store = tmp_path / "h"
    levels = [*STEP, *[STEP[-1]] * 20]
    add(store, nights([level * (1 + 0.01 * (n % 3)) for n, level in enumerate(levels)]))
    (regression,) = record_of(read_trend(store, how, settings(raw_config)))["regressions"]
    assert not regression["new"] and regression["nights_after"] == 24


def test_few_nights_say_that_they_cannot_tell(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    store = tmp_path / "h"
    add(store, nights(STEP[:11]))
    write_trend(read_trend(store, how, settings(raw_config)), tmp_path / "t.html", tmp_path / "o")
    text = (tmp_path / "t.html").read_text()
    assert "Cannot tell before 12 nights: no series has so many yet" in text
    assert "cannot tell before 12 nights, there are 11" in text and "<p>None.</p>" in text


def test_what_carries_no_verdict_is_shown_and_not_judged(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    how = parse_compare(raw_config["compare"])
    store = tmp_path / "h"
    add(store, nights(STEP, what="utilisation value"))
    trend = read_trend(store, how, settings(raw_config))
    assert trend.questions == 0 and record_of(trend)["changes"] == []
    write_trend(trend, tmp_path / "t.html", tmp_path / "o")
    assert "not judged: Pinned by capacity" in (tmp_path / "t.html").read_text()


def test_a_percentile_of_few_samples_and_moved_clocks_are_no_numbers(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    how = parse_compare(raw_config["compare"])
    (path,) = paths_below(RUN)
    shutil.copytree(RUN, tmp_path / "runs")
    folder = tmp_path / "runs" / path
    table = pq.read_table(folder / "metrics.parquet").to_pylist()
    few = [
        {**row, "value": 99.0}
        if (row["metric"], row["stat"]) == ("wakeup_latency", "count")
        else row
        for row in table
    ]
    schema = pq.read_schema(folder / "metrics.parquet")
    pq.write_table(pa.Table.from_pylist(few, schema=schema), folder / "metrics.parquet")
    readings = {reading.what for reading in read_run(tmp_path / "runs", path, how).readings}
    assert "wakeup_latency p99" not in readings and "wakeup_latency p50" in readings
    provenance = json.loads((folder / "provenance.json").read_text())
    last = next(m for m in provenance["clocks"] if m["mark"] == "work-end")
    last["real_ns"] += 50_000_000
    (folder / "provenance.json").write_text(json.dumps(provenance))
    record = read_run(tmp_path / "runs", path, how)
    assert record.outcome == "ok" and record.readings == ()
    assert record.unused.startswith("CLOCK_REALTIME moved by 50")


def test_on_paper_and_on_a_small_screen(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    how = parse_compare(raw_config["compare"])
    page = tmp_path / "trend.html"
    write_trend(read_trend(store_of(tmp_path), how, settings(raw_config)), page, tmp_path / "out")
    with browser_page(viewport={"width": 390, "height": 800}) as opened:
        opened.goto(page.as_uri())
        wide = "document.documentElement.scrollWidth"
        assert opened.evaluate(wide) <= 390
        opened.locator("#regressions ~ .scroll tbody a").first.click()
        assert opened.evaluate("document.querySelector(':target svg.trend') !== null")
        opened.emulate_media(media="print")
        ink = "getComputedStyle(document.body).color"
        assert opened.evaluate(ink) == "rgb(0, 0, 0)"
        assert not opened.locator("nav").is_visible()

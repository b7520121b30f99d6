# SPDX-License-Identifier: MIT
"""The real Perfetto UI in a real browser, served by `scxval view`'s server: it imports what is exported.

The UI's own trace processor is asked, in the page, what it has made of the trace.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scxval.events.schema import TraceKind
from scxval.formats.perfetto.track_events import SLICE_BEGIN
from scxval.perfetto.command import export
from scxval.perfetto.serve import address, trace_server
from scxval.perfetto.side import Side, find_side, harmless, read_side

from ..browser import browser
from ..captures import FIXTURES
from .read_back import KERNEL, SIMULATOR, read_back, side_of
from .test_perfetto_build import HOSTILE, hostile_table

Row = dict[str, str | int | float | None]

# 64-bit integers come as BigInt, which playwright cannot carry: as decimal digits.
_QUERY = """async (sql) => {
    const found = await window.app.trace.engine.query(sql);
    const rows = [];
    for (const it = found.iter({}); it.valid(); it.next()) {
        const row = {};
        for (const name of found.columns()) {
            const value = it.get(name);
            row[name] = typeof value === "bigint" ? Number(value) : value;
        }
        rows.push(row);
    }
    return rows;
}"""
_ERRORS = (
    "select name, value, severity from stats where severity in ('error', 'data_loss') and value > 0"
)
# The UI asks these two of the network, whoever serves it; the server's policy stops it.
_ASKED_ANYWAY = ("https://storage.cloud.google.com/perfetto-ui-internal/", "http://127.0.0.1:9001/")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = browser()
    with sync_playwright() as driver:
        # Root in a container has no sandbox to give.
        launched = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@contextmanager
def opened(chromium: Browser, trace: Path) -> Iterator[Page]:
    """The UI with a trace that it has loaded; fails when anything outside was reached."""
    reached: list[str] = []
    with trace_server(trace) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        own = f"http://127.0.0.1:{server.server_port}/"
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.on("requestfinished", lambda request: reached.append(request.url))
        try:
            page.goto(address(server, trace))
            page.wait_for_function("window.app && window.app.trace", timeout=120_000)
            yield page
            inside = (own, "data:", "blob:")
            assert [url for url in reached if not url.startswith(inside)] == []
        finally:
            page.close()
            server.shutdown()
            thread.join()


def ask(page: Page, sql: str) -> list[Row]:
    rows: list[Row] = page.evaluate(_QUERY, sql)
    return rows


def count(page: Page, of: str) -> int:
    return int(ask(page, f"select count(*) as n from {of}")[0]["n"] or 0)


def imported(page: Page) -> dict[str, int]:
    return {name: count(page, name) for name in ("slice", "counter", "flow")}


def of_table(side: Side) -> dict[str, int]:
    """What a table without gaps must give, counted from its rows alone."""
    start, end = side.traced_ns
    rows = [row for row in side.events.to_pylist() if start <= row["time_ns"] <= end]
    switches = (
        "TaskScheduled",
        "TaskPreempted",
        "TaskYielded",
        "TaskSlept",
        "TaskCompleted",
        "CpuIdle",
    )
    return {
        "points": sum(row["kind"] not in switches for row in rows),
        "began": sum(r["kind"] == TraceKind.TASK_SCHEDULED and r["time_ns"] < end for r in rows),
    }


@pytest.mark.parametrize(
    "sides",
    [
        [KERNEL],
        [SIMULATOR],
        [KERNEL, SIMULATOR],
        [FIXTURES / "agreement/perf-bpftrace-rusty/perf-sched.events.parquet"],
    ],
    ids=["kernel", "simulator", "both", "perf-sched"],
)
def test_the_ui_imports_all_of_it(chromium: Browser, tmp_path: Path, sides: list[Path]) -> None:
    trace = tmp_path / "x.pftrace"
    found = [find_side(str(side), []) for side in sides]
    export(found, trace)
    back = read_back(trace)
    with opened(chromium, trace) as page:
        assert ask(page, _ERRORS) == []
        assert imported(page) == back.counts()
        assert count(page, "track") == len(back.tracks)
        assert ask(page, "select start_ts, end_ts from trace_bounds") == [
            {"start_ts": 0, "end_ts": max(event.time_ns for event in back.events)}
        ]
        wanted = [of_table(side) for side in found]
        points = "slice s join track t on s.track_id = t.id where t.name like '% operations'"
        assert count(page, points) == sum(one["points"] for one in wanted)
        # Slices that were open when the window began have no switch in it.
        open_before = [e for e in back.of(SLICE_BEGIN) if e.time_ns == 0 and "/CPUs/" in e.track]
        began = count(
            page,
            "slice s join track t on s.track_id = t.id where t.name glob 'CPU [0-9]*'"
            " and t.name not like '% operations' and s.name not in ('not known', 'idle')",
        )
        switched = sum(one["began"] for one in wanted)
        assert began - len(open_before) <= switched <= began


def test_the_ui_shows_the_groups_open(chromium: Browser, tmp_path: Path) -> None:
    trace = tmp_path / "x.pftrace"
    export([read_side(KERNEL, "k"), read_side(SIMULATOR, "s")], trace)
    with opened(chromium, trace) as page:
        for name in ("CPU 0", "CPU 0 runqueue", "CPU 0 operations"):
            page.get_by_text(name, exact=True).first.wait_for(timeout=60_000)


def test_arguments_and_arrows_arrive(chromium: Browser, tmp_path: Path) -> None:
    trace = tmp_path / "x.pftrace"
    side = read_side(KERNEL, "k")
    export([side], trace)
    start, end = side.traced_ns
    rows = [row for row in side.events.to_pylist() if start <= row["time_ns"] <= end]
    kicks = [row for row in rows if row["kind"] == "EnqueueTask"]
    with opened(chromium, trace) as page:
        flags = ask(
            page,
            "select extract_arg(arg_set_id, 'debug.flags') as flags, extract_arg(arg_set_id, 'debug.seq')"
            " as seq from slice where name = 'EnqueueTask' order by seq",
        )
        assert {(row["seq"], row["flags"]) for row in flags} == {
            (row["seq"], row["flags"]) for row in kicks
        }
        arrows = ask(
            page,
            "select o.name as woke, extract_arg(o.arg_set_id, 'debug.tid') as woken,"
            " extract_arg(i.arg_set_id, 'debug.tid') as ran, i.ts - o.ts as delay"
            " from flow f join slice o on f.slice_out = o.id join slice i on f.slice_in = i.id",
        )
        assert len(arrows) > 100
        for arrow in arrows:
            assert arrow["woke"] == "TaskWoke" and arrow["woken"] == arrow["ran"]
            assert isinstance(arrow["delay"], int) and arrow["delay"] >= 0


def test_the_ui_imports_the_json_too(chromium: Browser, tmp_path: Path) -> None:
    trace = tmp_path / "x.json"
    export([read_side(KERNEL, "k"), read_side(SIMULATOR, "s")], trace)
    export([read_side(KERNEL, "k"), read_side(SIMULATOR, "s")], tmp_path / "x.pftrace")
    back = read_back(tmp_path / "x.pftrace")
    with opened(chromium, trace) as page:
        assert ask(page, _ERRORS) == []
        assert imported(page) == back.counts()
        assert len(ask(page, "select distinct pid from process where pid > 0")) == 2


@pytest.mark.parametrize("ending", [".pftrace", ".json"])
def test_hostile_names_break_nothing(chromium: Browser, tmp_path: Path, ending: str) -> None:
    trace = tmp_path / f"x{ending}"
    export([side_of(harmless(hostile_table()))], trace)
    with opened(chromium, trace) as page:
        assert ask(page, _ERRORS) == []
        names = {str(row["name"]) for row in ask(page, "select name from slice")}
        # The UI's JSON reader shows a backslash as the two that JSON has.
        backslash = "\\" if ending == ".pftrace" else "\\\\"
        assert r"\x00\x1b[31mred\x07".replace("\\", backslash) in names
        assert "</script><img src=x onerror=alert(1)>" in names
        said = "debug.left" if ending == ".pftrace" else "args.left"
        ran = f"slice where extract_arg(arg_set_id, '{said}') is not null"
        # The empty name is there as well.
        others = "and name not like 'running%' and name not in ('asleep', 'runnable')"
        assert count(page, f"{ran} {others}") == len(HOSTILE)
        assert page.locator("img[src=x]").count() == 0

# SPDX-License-Identifier: MIT
"""The page as a reader's browser gets it: parsed, not searched for substrings."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import zlib
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_tree import IMG, SCRIPT, Page, Tree, rows_of, two_cpus

from scxval.catalog.model import Result
from scxval.errors import ScxvalError
from scxval.events.metrics import METRIC_SCHEMA, write_metrics
from scxval.events.metrics.outputs import workload_outputs
from scxval.report import build_report

CELL = "fair/mix/bpftrace/taskset/tcg4/rep0"


def headline(page: Page) -> dict[str, str]:
    names = [e.text for e in page.all("dt")]
    return dict(zip(names, [e.text for e in page.all("dd")], strict=True))


def tally(page: Page) -> str:
    return page.one("p", class_="tally").text


def test_headline_counts_cells_and_names_kernel_accelerator_version_and_time(full: Tree) -> None:
    said = headline(full.build())
    assert tally(full.build()).startswith("3 of 5 cells ended ok")
    assert said["Guest kernel"] == "7.2.13-test"
    assert said["Accelerator"] == "tcg"
    assert said["Run by scxval"] == "9.8.7"
    assert said["Run"] == "2026-11-24 02:57:05 UTC"


def test_matrix_shows_every_cell_with_words_and_leads_to_it(full: Tree) -> None:
    page = full.build()
    badges = [
        (e.text, e.attrs["href"])
        for e in page.all("a")
        if "badge" in (classes := e.attrs.get("class", "").split()) and "lead" not in classes
    ]
    assert ("1: scheduler_rejected", "#cell:scx_simple/mix/bpftrace/taskset/tcg4/rep1") in badges
    assert ("0: not run", "#cell:scx_rusty/mix/bpftrace/taskset/tcg4/rep0") in badges
    assert ("0: excluded (unsupported)", "#excluded") in badges
    assert len(badges) == len(full.cells) + len(full.excluded)
    ids = {e.attrs["id"] for e in page.elements if "id" in e.attrs}
    assert {href.removeprefix("#") for _, href in badges} <= ids


def test_every_internal_link_has_its_target_and_ids_are_unique(full: Tree) -> None:
    page = full.build()
    ids = [e.attrs["id"] for e in page.elements if "id" in e.attrs]
    assert len(ids) == len(set(ids))
    targets = {e.attrs["href"][1:] for e in page.all("a") if e.attrs["href"].startswith("#")}
    assert targets <= set(ids)


def test_every_file_link_leads_to_a_file(full: Tree) -> None:
    page = full.build()
    links = [e.attrs["href"] for e in page.all("a") if not e.attrs["href"].startswith("#")]
    assert any(link.endswith("raw/scheduler.log") for link in links)
    assert any(link.endswith("events.parquet") for link in links)
    for link in links:
        assert (full.page.parent / link).is_file(), link


def test_failed_cell_shows_reason_exit_codes_and_escaped_log_tail(full: Tree) -> None:
    page = full.build()
    article = page.one("article")
    assert "scx_simple ended with exit code 1 before it was enabled" in article.text
    assert "scheduler 1" in article.text
    assert "workload never ran or never ended" in article.text
    tail = page.one("pre", aria_label="Last lines of the log").raw
    assert tail == f"libbpf: failed\n{IMG}\n{SCRIPT}\nbell\\x07 and \\u202ereverse"


def test_hostile_names_become_text_only(full: Tree) -> None:
    page = full.build()
    assert page.all("img") == []
    executed = [e for e in page.all("script") if e.attrs.get("type") != "application/json"]
    assert len(executed) == 2
    assert not any(name.startswith("on") for e in page.elements for name in e.attrs)
    # Both names are there for the reader, as text of the colour key.
    keys = [e.text for e in page.all("span", class_="mono")]
    assert IMG in keys and SCRIPT in keys


def test_excluded_cells_are_listed_with_their_reason(full: Tree) -> None:
    rows = rows_of(full.build(), "Cells that cannot exist")
    assert rows[1] == [
        "unsupported",
        f"scx_pair needs an even number of CPUs {IMG}",
        "scx_pair/mix/bpftrace/taskset/tcg4 (\u00d71)",
    ]


def test_no_request_leaves_the_page(full: Tree) -> None:
    page = full.build()
    for element in page.elements:
        assert element.tag not in {"link", "iframe", "object", "embed", "base", "img", "source"}
        for name in ("src", "srcset", "data", "action", "poster", "background"):
            assert name not in element.attrs, (element.tag, name)
        assert "://" not in element.attrs.get("href", "")
    style = page.one("style").raw
    assert "@import" not in style and "url(" not in style
    plotly = max((e.raw for e in page.all("script")), key=len)
    rest = page.html.replace(plotly, "")
    assert re.findall(r"https?://", rest) == []


def plotly(page: Page) -> str:
    """plotly.js as the page's own script unpacks it."""
    packed = page.one("script", id="plotly").raw
    return zlib.decompress(base64.b64decode(packed)).decode()


def test_definitions_are_lines_of_words(full: Tree) -> None:
    page = full.build()
    (_, *rows) = rows_of(page, "Definitions of the metrics")
    assert len(rows) > 20 and all(name and "\\x" not in said for name, said in rows)


def test_policy_allows_exactly_the_scripts_of_the_page(full: Tree) -> None:
    page = full.build()
    policy = page.one("meta", http_equiv="Content-Security-Policy").attrs["content"]
    sources = [e.raw for e in page.all("script") if "type" not in e.attrs]
    assert len(sources) == 1
    sources.append(plotly(page))
    digests = {
        base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in sources
    }
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_plotly_is_there_once_and_every_plot_has_data_and_a_name(full: Tree) -> None:
    page = full.build()
    assert plotly(page).count("* plotly.js v") == 1
    plots = page.all("div", role="img")
    assert plots
    for plot in plots:
        data = page.one("script", id=f"{plot.attrs['id']}-data")
        figure = json.loads(data.raw)
        assert figure["data"]
        assert len(plot.attrs["aria-label"]) > 20
    assert not re.search(
        r"[<>&]", "".join(e.raw for e in page.all("script", type="application/json"))
    )


def test_headings_descend_by_one_and_tables_have_caption_and_scope(full: Tree) -> None:
    page = full.build()
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch(r"h[1-6]", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(e.attrs.get("scope") in {"col", "row"} for e in page.all("th"))


def test_comparison_gives_median_and_range_of_runs_not_of_pooled_events(full: Tree) -> None:
    # The runs' p50 are 55, 65 and 85 us: lateness (step + 1 + rep) * 10 us for step 0 to 9.
    rows = rows_of(full.build(), "µs, over repetitions")
    header = rows[0]
    assert header == ["scheduler", "median", "min", "max", "n", "events"]
    assert rows[1] == ["fair", "60.0", "55.0", "65.0", "2", "10"]
    assert rows[2] == ["scx_simple", "85.0", "85.0", "85.0", "1 of 2", "10"]
    assert rows[3] == ["scx_rusty", "not measured: 1 not run", "0 of 1", ""]
    assert rows[4] == ["scx_pair", "not measured: 1 excluded (unsupported)", "0 of 1", ""]


def test_what_no_run_measures_is_said_and_has_no_number(full: Tree) -> None:
    page = full.build()
    card = next(
        e for e in page.all("section", class_="card") if e.text.startswith("DSQ latency, p99")
    )
    assert "Not measured by any run: fair: 2 without this metric" in card.text
    assert not re.search(r"\b0\b", card.text)
    kinds = page.one("details", id=f"cell:{CELL}").text
    assert "Not visible to this source: TaskYielded" in kinds


def test_small_n_supports_no_claim(full: Tree) -> None:
    notes = [e.text for e in full.build().all("p", class_="note")]
    assert notes == [
        "Here n = 1 to 2 runs per scheduler. With 1 run on each side an exact permutation test "
        "cannot give a p below 1: n = 1 repetitions do not support a claim that one scheduler is "
        "better."
    ]


def test_lossy_run_is_shown_but_not_in_the_median(tree: Tree) -> None:
    tree.events(tree.run(CELL), two_cpus(0))
    lossy = tree.run(CELL[:-1] + "1", outcome="tracer_lost_events", reason="lost 7 events")
    tree.events(lossy, two_cpus(5))
    page = tree.build()
    assert rows_of(page, "µs, over repetitions")[1] == [
        "fair",
        "55.0",
        "55.0",
        "55.0",
        "1 of 2",
        "10",
    ]
    figure = json.loads(page.one("script", id="plot-1-data").raw)
    assert [len(trace["x"]) for trace in figure["data"]] == [1, 1, 1]
    assert "Incomplete: fair: 1 tracer_lost_events." in [e.text for e in page.all("p")]


def test_a_failed_run_with_metrics_does_not_enter_the_comparison(tree: Tree) -> None:
    tree.events(tree.run(CELL), two_cpus(0))
    failed = tree.run(CELL[:-1] + "1", outcome="scheduler_ejected", reason="gone")
    tree.events(failed, two_cpus(9))
    rows = rows_of(tree.build(), "µs, over repetitions")
    assert rows[1] == ["fair", "55.0", "55.0", "55.0", "1 of 2", "10"]


def test_different_tracers_are_never_mixed(tree: Tree) -> None:
    tree.events(tree.run(CELL), two_cpus(0))
    tree.events(tree.run(CELL.replace("bpftrace", "wprof")), two_cpus(9))
    rows = rows_of(tree.build(), "µs, over repetitions")
    values = [row for row in rows if row[0] == "fair"]
    assert ["fair", "55.0", "55.0", "55.0", "1", "10"] in values
    assert ["fair", "145", "145", "145", "1", "10"] in values


@pytest.mark.parametrize(
    "name",
    ["status.json", "provenance.json", "capability.json", "events.parquet", "metrics.parquet"],
)
@pytest.mark.parametrize("damage", ["missing", "garbage", "empty"])
def test_a_missing_or_broken_file_stays_visible(full: Tree, name: str, damage: str) -> None:
    file = full.runs / CELL / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"\x00garbage{" if damage == "garbage" else b"")
    page = full.build()
    section = page.one("details", id=f"cell:{CELL}").text
    badge = next(
        e.text
        for e in page.all("a")
        if e.attrs["href"] == f"#cell:{CELL}" and "lead" not in e.attrs.get("class", "")
    )
    if damage == "missing":
        assert badge == ("0: not run" if name == "status.json" else "0: ok")
        assert name == "status.json" or f"Not there: {name}." in section
    else:
        assert badge == ("0: unreadable" if name == "status.json" else "0: ok")
        assert f"Could not be read: {name}: " in section
        assert str(full.root) not in page.html


def test_status_of_another_cell_is_not_believed(full: Tree) -> None:
    shutil.copy(
        full.runs / "scx_simple/mix/bpftrace/taskset/tcg4/rep0/status.json",
        full.runs / CELL / "status.json",
    )
    page = full.build()
    assert tally(page).startswith("2 of 5 cells ended ok")
    assert "status of another cell" in page.one("details", id=f"cell:{CELL}").text


@pytest.mark.parametrize(
    "change",
    [
        {"window_ns": ["a", 2]},
        {"window_ns": [5, 1]},
        {"window_ns": None},
        {"raw": ["x"]},
        {"raw": {"lone \ud800": 1, "console.log": None}},
        {"raw": {"../" * 8 + "plan.json": {"bytes": "many"}}},
        {"exit_codes": None},
        {"wall_s": {"total": "long"}},
        {"scheduler": None},
        {"tracer": []},
        {"log": 3, "log_tail": "one\ntwo", "outcome": "panic"},
        {"reason": "lone surrogate \ud800", "outcome": "timeout"},
    ],
)
def test_odd_status_fields_do_not_stop_the_page(full: Tree, change: dict[str, object]) -> None:
    path = full.runs / CELL / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    page = full.build()
    assert f"cell:{CELL}" in {e.attrs.get("id") for e in page.all("details")}
    assert not any("plan.json" in e.attrs["href"] for e in page.all("a"))


def test_runs_that_the_plan_does_not_name_are_mentioned(full: Tree) -> None:
    full.run("old/mix/none/none/tcg4/rep0")
    full.cells.pop()
    page = full.build()
    summary = [e.text for e in page.all("summary")]
    assert "1 run on disk that this plan does not name; not shown elsewhere" in summary


def test_empty_plan_and_nothing_run_give_pages(tree: Tree) -> None:
    tree.root.mkdir()
    assert tally(tree.build()) == "0 of 0 cells ended ok"
    tree.plan(CELL)
    page = tree.build()
    assert tally(page).startswith("0 of 1 cell ended ok")
    assert "Not measured: 1 not run." in [e.text for e in page.all("p")]


def test_untraced_condition_says_that_nothing_was_measured(tree: Tree) -> None:
    folder = tree.run("fair/mix/none/taskset/tcg4/rep0")
    tree.events(folder, two_cpus(0).slice(0, 0))
    page = tree.build()
    said = "Not measured: no tracer ran, so there are no events (1 ok)."
    assert said in [e.text for e in page.all("p")]
    assert page.all("div", role="img") == []


def test_untraced_condition_shows_what_the_workload_says_of_itself(tree: Tree) -> None:
    for scheduler, seconds in (("fair", 1.5), ("scx_simple", 2.5)):
        folder = tree.run(f"{scheduler}/mix/none/taskset/tcg4/rep0")
        tree.events(folder, two_cpus(0).slice(0, 0))
        (folder / "raw/workload.log").write_text(f"Time: {seconds}\n")
        said = workload_outputs(folder / "raw", None, Result("time", r"Time: ([\d.]+)", "s")).table
        path = folder / "metrics.parquet"
        write_metrics(pa.concat_tables([pq.read_table(path, schema=METRIC_SCHEMA), said]), path)
    # Of what no tracer measured there is no row.
    heading, row = rows_of(tree.build(), "Median (minimum")
    assert heading[-2:] == ["fair", "scx_simple"]
    shown = ["1.50 (1.50\u20131.50; 1)", "2.50 (2.50\u20132.50; 1)"]
    assert row == ["workload", "", "result_time", "value", "s", *shown]


def test_same_inputs_give_same_bytes_wherever_they_lie(full: Tree, tmp_path: Path) -> None:
    full.build()
    first = full.page.read_bytes()
    full.build()
    assert full.page.read_bytes() == first
    moved = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(full.root, moved)
    build_report(moved / "plan.json", moved / "runs", moved / "report" / "index.html", 50)
    assert (moved / "report" / "index.html").read_bytes() == first


def test_what_the_scheduler_saw_and_what_times_are_good_for(full: Tree) -> None:
    why = "the vCPUs take turns"
    for number, path in enumerate(full.cells):
        file = full.runs / path / "provenance.json"
        if not file.exists():
            continue
        record = json.loads(file.read_text())
        seen = [0, 1, 2, 3] if path.startswith("scx_") else [0, 1, 2]
        record["cpus"] = {"online": [0, 1, 2, 3], "seen_by_scheduler": seen}
        record["machine"] = {"not_for_smp_timing": why if number else ""}
        file.write_text(json.dumps(record))
    said = [e.text for e in full.build().all("p")]
    assert "Seen by the scheduler: 3 of 4 CPUs (fair); 4 of 4 CPUs (scx_simple)." in said
    assert f"Not for SMP timing. {why}." in said


def test_provenance_says_common_facts_once_and_differing_ones_by_run(full: Tree) -> None:
    path = full.runs / CELL / "provenance.json"
    record = json.loads(path.read_text())
    record["guest"]["kernel"] = "7.3.4-other"
    path.write_text(json.dumps(record))
    page = full.build()
    common = dict(row for row in rows_of(page, "Facts that are the same")[1:])
    assert common["vm.argv"] == "qemu -m '2 G'"
    assert "guest.kernel" not in common
    rows = rows_of(page, "Facts with few values")
    assert rows[1][:3] == ["guest.kernel", "7.3.4-other", "1"]
    assert rows[2][:2] == ["7.2.13-test", "3"]
    assert headline(page)["Guest kernel"] == "7.2.13-test; 7.3.4-other"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read the plan"),
        ("{", "not a plan"),
        ("[]", "no list `cells`"),
        ('{"cells": ["../b/c/d/e/rep0"]}', "not a cell"),
        ('{"cells": ["a\\ud800/b/c/d/e/rep0"]}', "not a cell"),
        ('{"cells": ["a/b"]}', "not a cell: 'a/b'"),
        ('{"cells": [], "excluded": [{"cell": "x"}]}', "needs cell, outcome and reason"),
        (
            '{"cells": [], "excluded": [{"cell": "a/b/c/d/e/rep0", "outcome": "so", "reason": ""}]}',
            "unknown outcome",
        ),
    ],
)
def test_a_bad_plan_is_one_clear_line(tmp_path: Path, content: str | None, says: str) -> None:
    plan = tmp_path / "plan.json"
    if content is not None:
        plan.write_text(content)
    with pytest.raises(ScxvalError) as caught:
        build_report(plan, tmp_path / "runs", tmp_path / "index.html", 200)
    assert says in str(caught.value) and "plan.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "index.html").exists()


def said_of_timelines(page: Page) -> list[str]:
    return [e.text for e in page.all("p", class_="soft") if e.text.startswith("Run ")]


def test_timeline_prefers_a_run_without_loss_and_says_when_there_is_none(tree: Tree) -> None:
    tree.events(tree.run(CELL, outcome="tracer_lost_events", reason="lost 7"), two_cpus(0))
    assert said_of_timelines(tree.build()) == [
        f"Run {CELL}. The tracer lost events: slices may be missing or too long."
    ]
    tree.events(tree.run(CELL[:-1] + "1"), two_cpus(0))
    assert said_of_timelines(tree.build()) == [f"Run {CELL[:-1]}1."]


def test_timeline_says_when_its_window_is_not_the_one_asked_for(tree: Tree) -> None:
    tree.events(tree.run(CELL), two_cpus(0))
    said = said_of_timelines(tree.build(window_ms=300))
    assert said == [f"Run {CELL}. The workload window is only 100 ms long."]
    status = tree.runs / CELL / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"window_ns": None}))
    said = said_of_timelines(tree.build())
    assert "no workload window: this is the middle of the whole trace" in said[0]


def test_timeline_table_gives_time_within_the_window(tree: Tree) -> None:
    tree.events(tree.run(CELL), two_cpus(0))
    rows = rows_of(tree.build(window_ms=20), "Time on CPU within the window")
    # 20 ms from 40 to 60 ms: the hog fills CPU 0, the other runs 3 ms less 50 and 60 us.
    assert rows[1] == [IMG, "2", "20.000", "10.000"]
    assert rows[2] == [SCRIPT, "2", "5.890", "2.950"]

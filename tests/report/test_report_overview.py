# SPDX-License-Identifier: MIT
"""Overview, studies and tables: counts lead to what they count, and all numbers are there as files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
from report_tree import IMG, SCRIPT, Page, Tree, rows_of
from verdict_tree import PATH, aligned, hostile, pair, write_family

from scxval.compare.verdict import Judgement, Verdict
from scxval.report import build_report
from scxval.report.tables import SCHEMAS
from scxval.study.figure import Interval, intervals
from scxval.study.record import Finding, Study, Table
from scxval.study.table import write_study

HOSTILE = f"{IMG}{SCRIPT}\u202e\x07"


# Without simulations, two tracers in a run or a configuration in the plan.
ABSENT = {"simulations", "excluded_simulations", "parameters", "agreement", "configuration"}


def study(name: str = "tracer_overhead") -> Study:
    finding = Finding(
        *(HOSTILE, {"tracer": HOSTILE}, Verdict.DISAGREE, HOSTILE, "ratio"),
        *(1.5, 1.4, 1.6, 0.9, 1.1, 6, 5, 0.7, 12),
    )
    line = Interval(HOSTILE, 1.5, 1.4, 1.6, Verdict.DISAGREE, "n 6", "power 0.7", 0.9, 1.1, HOSTILE)
    return Study(
        name,
        f"Title {HOSTILE}",
        "Is it so?",
        Judgement(Verdict.DISAGREE, HOSTILE),
        (finding,),
        intervals("Title", "what", [line], "axis", log=True),
        "caption",
        (Table("more", "More of it", ("a", HOSTILE), ((HOSTILE, 1.23456), (None, 2))),),
        (f"cannot {HOSTILE}",),
        ("a note",),
    )


def build(tree: Tree, *studies: Study, asked: Sequence[str] | None = None) -> Page:
    for made in studies:
        write_study(made, tree.root / "study" / made.name)
    plan = tree.write_plan()
    roots = (tree.agreement, None, tree.compare, tree.root / "study")
    build_report(plan, tree.runs, tree.page, 50, *roots, asked)
    return Page(tree.page.read_text(encoding="utf-8"))


def test_counts_lead_to_what_they_count(full: Tree) -> None:
    write_family(full.compare, "tracer", hostile(), pair())
    page = build(full, study())
    rows = rows_of(page, "What ran, and the verdicts on it")
    assert rows[0][:3] == ["scheduler", "workload", "cells"]
    # A family and its verdict.
    assert rows[0][3].startswith("tracer") and rows[0][3].endswith("void")
    by_scheduler = {row[0]: row for row in rows[1:]}
    assert by_scheduler["fair"][2] == "2 ok"
    assert by_scheduler["scx_simple"][2] == "1 ok1 scheduler rejected"
    assert by_scheduler["scx_rusty"][2] == "1 not run"
    assert by_scheduler["scx_pair"][2] == "1 excluded"
    assert by_scheduler["fair"][4] == "see"
    ids = {element.attrs["id"] for element in page.elements if "id" in element.attrs}
    overview = [e for e in page.all("a") if "lead" in e.attrs.get("class", "").split()]
    assert len(overview) > 4 and any(e.attrs["href"].startswith("#study:") for e in overview)
    assert all(unquote(e.attrs["href"][1:]) in ids for e in overview if e.attrs["href"][0] == "#")


def test_from_a_cell_to_all_about_it(full: Tree) -> None:
    path = "fair/mix/bpftrace/taskset/tcg4/rep0"
    trace = full.page.parent / f"perfetto/{path}.pftrace"
    trace.parent.mkdir(parents=True)
    trace.write_bytes(b"12345")
    page = build(full)
    cell = page.one("details", id=f"cell:{path}")
    assert "See: overview, timeline of its scheduler, Perfetto trace" in cell.text
    links = [e.attrs["href"] for e in page.all("a") if e.text == "Perfetto trace"]
    assert links == [f"./perfetto/{path}.pftrace"]
    other = page.one("details", id="cell:scx_simple/mix/bpftrace/taskset/tcg4/rep1")
    assert "log that shows its outcome" in other.text and "Perfetto" not in other.text


def test_a_study_is_there_with_figure_and_what_it_cannot_tell(full: Tree) -> None:
    page = build(full, study(), study("ranking"))
    figures = [e for e in page.all("svg") if e.attrs.get("class") == "st"]
    assert len(figures) == 2 and all(
        e.attrs["role"] == "img" and e.attrs["aria-label"] for e in figures
    )
    (row, _) = [r for r in rows_of(page, "Every question, its estimate") if r[0] != "what"]
    assert row[2:9] == [
        "disagree",
        "\u00d7 1.50",
        "1.40 to 1.60",
        "0.900 to 1.10",
        "6 and 5",
        "0.70",
        "12",
    ]
    assert page.html.count("cannot &lt;img") == 2
    assert (
        "<script>alert" not in page.html and "\u202e" not in page.html and "\x07" not in page.html
    )


def test_studies_are_those_that_were_asked_for(full: Tree) -> None:
    page = build(full, study(), study("ranking"), asked=["ranking", "isolation"])
    section = page.one("section", aria_labelledby="studies").text
    assert "not asked for by this configuration: tracer_overhead" in section
    assert "not made This study cannot be read: there is no study.json" in section
    ids = [e.attrs["id"] for e in page.all("h3") if e.attrs.get("id", "").startswith("study:")]
    assert ids == ["study:ranking", "study:isolation"]
    tables = full.page.parent / "tables"
    assert set(pq.read_table(tables / "findings.parquet")["study"].to_pylist()) == {"ranking"}
    said = pq.read_table(tables / "studies.parquet").to_pylist()
    assert [(row["study"], row["verdict"]) for row in said] == [
        ("ranking", "disagree"),
        ("isolation", "not made"),
    ]


@pytest.mark.parametrize(
    "inside",
    [
        # A comment to XML, and a script to HTML.
        "<!--> <script>alert(3)</script> -->",
        "<title><![CDATA[</title><script>alert(3)</script>]]></title>",
        "<text>&amp;lt;script&gt;alert(3)&lt;/script&gt;</text>",
    ],
)
def test_what_xml_and_html_read_differently_is_no_script(full: Tree, inside: str) -> None:
    build(full, study())
    figure = full.root / "study/tracer_overhead/figure.svg"
    figure.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>")
    page = build(full)
    assert "<script>alert" not in page.html
    assert len(page.all("script")) == 2 + len(page.all("div", role="img"))


@pytest.mark.parametrize(
    "style",
    [
        "body { display: none }",
        ".st { fill: red } table { display: none }",
        "@media print { .st text { fill: red } h1 { color: red } }",
        ".st, h1 { color: red }",
        ".st { fill: url(http://example.org/x) }",
        "@import 'http://example.org/x.css';",
        ".st { fill: u\\72l(http://example.org/x) }",
    ],
)
def test_a_figure_does_not_dress_the_page(full: Tree, style: str) -> None:
    build(full, study())
    figure = full.root / "study/tracer_overhead/figure.svg"
    figure.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><style>{style}</style></svg>")
    assert "what no figure of a study has: style" in build(full).html


def test_a_study_that_cannot_be_read_is_said(full: Tree) -> None:
    page = build(full, study())
    assert "cannot be read" not in page.one("section", aria_labelledby="studies").text
    folder = full.root / "study/tracer_overhead"
    for name, content in (
        ("study.json", "{"),
        ("figure.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(3)</script></svg>"),
        ("figure.svg", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(3)'/>"),
        ("figure.svg", "<svg"),
        ("figure.svg", "<p>alert(3)</p>"),
        ("figure.svg", "<svg xmlns='http://www.w3.org/2000/svg'><g id='overview'/></svg>"),
    ):
        write_study(study(), folder)
        (folder / name).write_text(content)
        page = build(full)
        section = page.one("section", aria_labelledby="studies")
        assert "This study cannot be read" in section.text
        assert "alert(3)" not in page.html.replace("&lt;", "")
        assert "unreadable" in str(rows_of(page, "Studies: one question"))


def test_every_table_is_a_file_too(full: Tree) -> None:
    write_family(full.compare, "tracer", hostile(), pair())
    page = build(full, study())
    folder = full.page.parent / "tables"
    assert {file.name for file in folder.iterdir()} == {
        f"{name}.{ending}" for name in SCHEMAS for ending in ("csv", "parquet")
    }
    hrefs = {e.attrs["href"] for e in page.all("a")}
    for name, schema in SCHEMAS.items():
        table = pq.read_table(folder / f"{name}.parquet")
        assert table.schema.equals(schema)
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == table.num_rows
        # Their sections are not here.
        if name not in ABSENT:
            assert f"./tables/{name}.csv" in hrefs
    outcomes = pq.read_table(folder / "outcomes.parquet").to_pylist()
    assert [row["outcome"] for row in outcomes] == [
        "ok",
        "ok",
        "ok",
        "scheduler_rejected",
        "not run",
    ]
    metrics = pq.read_table(folder / "metrics.parquet").to_pylist()
    assert {row["scheduler"] for row in metrics} == {"fair", "scx_simple"}
    assert any(row["metric"] == "slice_length" and row["value"] for row in metrics)
    excluded = pq.read_table(folder / "excluded.parquet").to_pylist()
    assert excluded[0]["reason"].endswith(IMG)
    assert pq.read_table(folder / "findings.parquet").num_rows == 1
    verdicts = pq.read_table(folder / "verdicts.parquet")
    assert set(verdicts["family"].to_pylist()) <= {"tracer"}


def test_each_table_stands_with_links_to_its_files(full: Tree) -> None:
    write_family(full.compare, "tracer", hostile(), pair(alignments=(aligned(),)))
    page = build(full, study())
    tables = [e for e in page.elements if e.tag == "table"]
    assert len(tables) > 20
    # The section that each element is in, by its heading's id.
    places: dict[str, str] = {}
    section = ""
    for element in page.elements:
        if element.tag == "section":
            section = element.attrs.get("aria-labelledby", section)
        if element.tag == "a" and "/tables/" in element.attrs["href"]:
            places.setdefault(f"{section} {Path(element.attrs['href']).stem}", section)
        if element.tag == "table" and element.attrs["data-table"] != "study":
            assert element.attrs["data-table"] in SCHEMAS
    section = ""
    for element in page.elements:
        if element.tag == "section":
            section = element.attrs.get("aria-labelledby", section)
        if element.tag == "table" and element.attrs["data-table"] != "study":
            assert f"{section} {element.attrs['data-table']}" in places


def test_files_have_what_the_page_rounds(full: Tree) -> None:
    write_family(full.compare, "tracer", hostile(), pair(alignments=(aligned(),)))
    build(full)
    folder = full.page.parent / "tables"

    def rows(name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
        return found

    by_task = {row["task"]: row for row in rows("tasks") if row["scheduler"] == "scx_simple"}
    # two_cpus(3): ten delays of 40, 50 .. 130 us.
    delays = by_task[SCRIPT]
    assert (delays["delays"], delays["longest_delay_ns"]) == (10, 130_000)
    assert delays["mean_delay_ns"] == pytest.approx(85_000)
    shown = [row for row in rows("timelines") if row["task"] == IMG and row["scheduler"] == "fair"]
    assert [(row["slices"], row["longest_slice_ns"]) for row in shown] == [(6, 10_000_000)]
    assert {row["kind"]: row["events"] for row in rows("kinds")[:5]} == {
        "TaskScheduled": 20,
        "TaskPreempted": 10,
        "TaskSlept": 10,
        "TaskWoke": 10,
        "CpuIdle": 10,
    }
    pairs = {row["path"]: row for row in rows("pairs")}
    assert (pairs[PATH]["runs_a"], pairs[PATH]["used_a"], pairs[PATH]["used_b"]) == (7, 6, 6)
    assert pairs[PATH]["scheduler"] == "fair" and pairs[PATH]["void"] is False
    assert pairs["hostile/\u202ereverse"]["a"] == IMG and pairs["hostile/\u202ereverse"]["void"]
    whole = [row for row in rows("alignments") if row["task"] == "" and row["path"] == PATH]
    assert len(whole) == 1 and whole[0]["deleted"] == 2 and 0.9 < whole[0]["similarity"] < 1
    assert (IMG, SCRIPT) in {(row["control"], row["reason"]) for row in rows("controls")}
    # A name with a line's end, quotes and commas is one field of the text file, too.
    with (folder / "tasks.csv").open(newline="", encoding="utf-8") as file:
        assert {row["task"] for row in csv.DictReader(file)} == set(by_task)


def test_junk_in_records_does_not_stop_the_tables(full: Tree) -> None:
    folder = full.compare / "tracer"
    folder.mkdir(parents=True)
    (folder / "verdicts.json").write_text(
        '{"pairs": [3, {"path": 7, "distances": [{"metric": "\\ud800", "ks": "x", "p": true}]}]}'
    )
    broken = full.root / "study/agreement/same_run/x"
    broken.mkdir(parents=True)
    (broken / "agreement.json").write_text('{"a": null, "classes": [{"rows_a": 1.5}]}')
    build(full)
    tables = full.page.parent / "tables"
    (row,) = pq.read_table(tables / "families.parquet").to_pylist()
    assert row["verdict"] is None and "cannot be read" in row["reason"]
    assert pq.read_table(tables / "agreement.parquet").num_rows == 1


@pytest.mark.parametrize("studies", [0, 1])
def test_the_same_bytes_again(full: Tree, studies: int) -> None:
    made = [study()][:studies]
    build(full, *made)
    folder = full.page.parent
    first = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    build(full, *made)
    assert first == {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_without_any_study(full: Tree) -> None:
    page = build(full)
    assert "None was asked for" in page.one("section", aria_labelledby="studies").text
    assert isinstance(full.page, Path)

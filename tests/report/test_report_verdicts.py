# SPDX-License-Identifier: MIT
"""The section on verdicts: made from families that the family's own code judged, and honest about files
that are missing or bad.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_tree import IMG, SCRIPT, Element, Page, Tree, rows_of
from verdict_tree import (
    PATH,
    aligned,
    group,
    hostile,
    how,
    latency,
    pair,
    settled,
    spread,
    write_family,
)

from scxval.compare.family import finite, judge_family
from scxval.compare.record import Check
from scxval.report.compare_load import Interval, load_family
from scxval.report.effect import FURTHEST, HEIGHT, WIDTH, picture
from scxval.report.verdicts import MOST_PICTURE_BYTES, Pictures, section


def text_of(page: Page) -> str:
    return page.one("section", aria_labelledby="verdicts").text


def pair_of(page: Page, family: str = "tracer", path: str = PATH) -> Element:
    return page.one("details", id=f"pair:{family}/{path}")


def summary_row(page: Page, family: str) -> list[str]:
    (row,) = [row for row in rows_of(page, "Families") if row[0].startswith(family)]
    return row


def test_it_comes_after_the_overview_and_says_so_when_nothing_is_judged(full: Tree) -> None:
    page = full.build()
    assert [heading.text for heading in page.all("h2")[:2]] == ["Overview", "Verdicts"]
    assert "Nothing is judged" in text_of(page)
    assert "Verdicts" not in [e.text for e in page.all("dt")]


def test_a_family_has_its_verdict_counts_controls_and_reason(tree: Tree) -> None:
    apart = pair("scx_rusty", quantities=(latency(spread(200_000), spread(390_000)),))
    write_family(tree.compare, "tracer", pair(), apart, settled())
    page = tree.build()
    row = summary_row(page, "tracer")
    assert row[0] == "tracertwo tracers"
    assert row[1] == "disagree"
    assert row[2] == "1 agree1 disagree1 unsupported"
    for control in ("dilated", "starved", "real against real", "simulated again"):
        assert f"passed {control}" in row[3]
    assert row[4] == "2"
    assert row[5] == "1 of 2 pairs: scx_rusty; 1 more have no numbers"
    (head, *_) = rows_of(page, "What ran, and the verdicts")
    assert head[3] == "tracerdisagree"


def test_families_stand_in_the_order_of_the_catalogue(tree: Tree) -> None:
    for family in ("version", "tracer", "simulator"):
        write_family(tree.compare, family, pair())
    found = [row[0] for row in rows_of(tree.build(), "Families")[1:]]
    assert [re.match("simulator|tracer|version", name)[0] for name in found] == [  # type: ignore[index]
        "simulator",
        "tracer",
        "version",
    ]


def test_a_pair_unfolds_to_numbers_that_are_those_of_the_family(tree: Tree) -> None:
    write_family(tree.compare, "tracer", pair())
    page = tree.build()
    summary = next(e for e in page.all("summary") if e.text.startswith("agree bpftrace"))
    assert "scheduler fair, workload mix, isolation taskset, machine tcg4" in summary.text
    assert "runs: 6 of 7 and 6" in summary.text
    assert "of 1 quantities all agree" in summary.text
    header, latency_row, why, pinned, pinned_why = rows_of(page, "One number a run")
    assert header[0] == "quantity"
    # 200 us / 1.1 - 10 us and 200 us * 1.1 + 10 us; ratio of the means 203 / 200.
    assert latency_row[:4] == ["wakeup_latency p50, µs", "200 ± 1 (6)", "203 ± 1 (6)", "172 to 230"]
    assert latency_row[4].startswith("\u00d7 1.01 (1.0")
    assert latency_row[6:9] == ["agree", "< 0.001", "1"]
    assert "copies told from A: dilated, starved" in why[0]
    assert "chance alone makes" in why[0]
    assert pinned[6:] == ["not judged", "", "", ""]
    assert pinned_why[0].startswith("Pinned by capacity; chance")


def test_distances_runs_and_what_is_not_measured_are_there(tree: Tree) -> None:
    write_family(tree.compare, "tracer", pair())
    page = tree.build()
    _, row = rows_of(page, "Every run weighs the same")
    assert row == [
        "wakeup_latency",
        "6 runs, 310 each",
        "6 runs, 305 each",
        "0.021",
        "900 (300 to 2 000) ns",
        "650 ns",
        "0.4",
        "0.4",
    ]
    runs = rows_of(page, "Rows by the reason")
    assert runs[1] == ["A", "results/runs/bpftrace/rep0", "ok", "yes", "120 warm-up, 7 other tasks"]
    assert runs[7][2:4] == ["tracer_lost_events", "no: lost 3 events"]
    said = pair_of(page).text
    assert "dsq_latency p50: ftrace has no DsqInsert" in said
    assert "threads of one name are one" in said
    assert "simulated again: 1234 events, all the same" in said


def test_inconclusive_says_what_the_runs_cannot_decide(tree: Tree) -> None:
    wide = pair(
        quantities=(latency(spread(200_000, part=0.3), spread(200_000, part=0.3)),), checks=()
    )
    write_family(tree.compare, "tracer", wide)
    _, row, why = rows_of(tree.build(), "One number a run")
    assert row[6] == "inconclusive"
    assert re.search(r"\d+ a side are needed for 80%", why[0])


def test_a_failed_control_marks_pair_and_family_as_void(tree: Tree) -> None:
    same = tuple(spread(200_000))
    blind = latency(same, same, controls={"dilated": same, "starved": same})
    write_family(tree.compare, "tracer", pair("good"), pair("blind", quantities=(blind,)))
    page = tree.build()
    row = summary_row(page, "tracer")
    assert row[1] == "inconclusivevoid"
    assert row[2] == "1 agree1 inconclusive1 void"
    assert "failed dilated" in row[3]
    assert "void" in pair_of(page, path="blind").text
    marked = [e.path for e in page.all("span", class_="badge void")]
    # In the table of families twice, at the family, at the pair; not at the good pair.
    assert len(marked) == 4
    assert "Why it is void: 2 failed controls" in text_of(page)


def test_a_pair_without_numbers_has_a_row_with_its_reason(tree: Tree) -> None:
    lost = group("bpftrace", 0, tracer_lost_events="lost 3 events")
    none = replace(settled(), path="lost", a=lost)
    write_family(tree.compare, "tracer", settled(), none)
    page = tree.build()
    _, first, second = rows_of(page, "Pairs of which a side")
    assert first[3] == "unsupported"
    assert first[4].startswith("ftrace is not on this kernel")
    assert "A results/runs/bpftrace/bad: lost 3 events" in second[4]
    assert summary_row(page, "tracer")[1] == "unsupported"


def test_a_simulator_says_that_one_run_is_enough(tree: Tree) -> None:
    one = replace(group("builtin", 1), deterministic=True)
    known = pair(b=one, quantities=(latency(spread(200_000), [201_000.0]),))
    write_family(tree.compare, "simulator", known)
    assert "runs: 6 of 7 and 1 (deterministic)" in text_of(tree.build())


def test_alignments_have_a_line_each_and_the_first_its_tasks_picture_and_text(tree: Tree) -> None:
    within = aligned("A/A", similarity=0.999_99)
    write_family(tree.compare, "tracer", pair(alignments=(aligned(), within)))
    page = tree.build()
    header, first, second = rows_of(page, "Rows of two runs")
    assert first[0] == "A/B"
    # 48 pairs; B lacks two rows, one of which diverges first.
    assert dict(zip(header, first, strict=True))["only A"] == "2"
    assert first[3] == "97.96 %"
    # A row is missing: not 100 %.
    assert second[3] == "99.99 %"
    tasks = rows_of(page, "The first two runs by task")
    assert sorted(row[0] for row in tasks[1:]) == sorted([IMG, SCRIPT])
    assert "only A: TaskScheduled" in pair_of(page).text
    text = page.one("pre", aria_label="Both sides around the first divergence").raw
    assert re.search(r"^> .*TaskScheduled.* -$", text, re.MULTILINE)
    image = page.one("img")
    address = image.attrs["src"].removeprefix("data:image/svg+xml;base64,")
    drawn = (tree.compare / "tracer" / PATH / "divergence.svg").read_bytes()
    assert base64.b64decode(address) == drawn
    assert image.attrs["alt"]


def test_a_picture_that_is_large_is_a_link_and_one_that_is_broken_is_said(tree: Tree) -> None:
    folder = write_family(
        tree.compare,
        "tracer",
        pair("large", alignments=(aligned(),)),
        pair("broken", alignments=()),
    )
    large = folder / "large" / "divergence.svg"
    large.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{" " * MOST_PICTURE_BYTES}</svg>')
    (folder / "broken" / "divergence.svg").write_text("<svg><b></svg>")
    page = tree.build()
    assert not page.all("img")
    assert "divergence.svg cannot be read" in pair_of(page, path="broken").text
    links = [e.attrs["href"] for e in page.all("a") if e.text == "divergence.svg"]
    assert len(links) == 2
    assert all((tree.page.parent / link).is_file() for link in links)


def test_pictures_stop_where_there_is_no_more_room(tmp_path: Path) -> None:
    path = tmp_path / "divergence.svg"
    path.write_text("<svg/>")
    pictures = Pictures(room_bytes=10)
    assert pictures.address(path)[0]
    assert pictures.address(path) == ("", "")


def test_hostile_names_stay_text_and_run_nothing(tree: Tree) -> None:
    write_family(tree.compare, "tracer", hostile())
    page = tree.build()
    (image,) = page.all("img")
    assert image.attrs["src"].startswith("data:image/svg+xml;base64,")
    executed = [e for e in page.all("script") if e.attrs.get("type") != "application/json"]
    assert len(executed) == 2
    assert not any(name.startswith("on") for e in page.elements for name in e.attrs)
    said = text_of(page)
    assert IMG in said
    assert SCRIPT in said
    assert "\\x07" in said
    assert "\u202e" not in page.html


def test_ids_are_unique_and_files_that_are_linked_are_there(full: Tree) -> None:
    for family in ("tracer", "machine"):
        write_family(full.compare, family, pair(alignments=(aligned(),)), hostile(), settled())
    page = full.build()
    ids = [e.attrs["id"] for e in page.elements if "id" in e.attrs]
    assert len(ids) == len(set(ids))
    links = [e.attrs["href"] for e in page.all("a")]
    assert {unquote(link[1:]) for link in links if link.startswith("#")} <= set(ids)
    for link in links:
        assert link.startswith("#") or (full.page.parent / unquote(link)).is_file(), link
    assert any(link.endswith("verdicts.csv") for link in links)


def test_the_same_inputs_give_the_same_bytes(tree: Tree) -> None:
    write_family(tree.compare, "tracer", pair(alignments=(aligned(),)))
    assert tree.build().html == tree.build().html


def test_a_pair_with_20_quantities_takes_less_than_30_kb_of_the_page(tree: Tree) -> None:
    many = [
        latency(spread(200_000), spread(203_000), name=f"wakeup_latency p{k}", stat=f"p{k}")
        for k in range(20)
    ]
    folder = write_family(tree.compare, "tracer", pair("0", quantities=tuple(many)))
    small = len(tree.build().html)
    record = json.loads((folder / "verdicts.json").read_text())
    record["pairs"] = [{**record["pairs"][0], "path": str(k)} for k in range(11)]
    (folder / "verdicts.json").write_text(json.dumps(record))
    assert (len(tree.build().html) - small) / 10 < 30_000


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"schema": 2, "pairs": []}', "[" * 9999]
)
def test_a_family_that_cannot_be_read_is_said_and_stops_nothing(tree: Tree, content: str) -> None:
    folder = write_family(tree.compare, "tracer", pair())
    write_family(tree.compare, "machine", pair())
    (folder / "verdicts.json").write_text(content)
    page = tree.build()
    row = summary_row(page, "tracer")
    assert row[1] == "not judged"
    assert "verdicts.json cannot be read" in row[5]
    assert summary_row(page, "machine")[1] == "agree"


def test_a_family_that_was_not_judged_yet_is_said(tree: Tree) -> None:
    (tree.compare / "tracer" / PATH).mkdir(parents=True)
    (tree.compare / "again" / "builtin").mkdir(parents=True)
    page = tree.build()
    assert "nothing is judged yet" in summary_row(page, "tracer")[5]
    assert "again" not in text_of(page)


@pytest.mark.parametrize("path", ["../machine", "/etc", "a/../../b", "", "a\0b"])
def test_a_pair_that_leads_elsewhere_is_refused_and_the_others_stay(tree: Tree, path: str) -> None:
    folder = write_family(tree.compare, "tracer", pair("one"), pair("two"))
    record = json.loads((folder / "verdicts.json").read_text())
    record["pairs"][0]["path"] = path
    (folder / "verdicts.json").write_text(json.dumps(record))
    page = tree.build()
    assert "leads out of the family's folder" in summary_row(page, "tracer")[5]
    assert pair_of(page, path="two")
    assert len(page.all("details", class_="cell pair")) == 1


def test_families_that_the_plan_does_not_name_are_only_named(tree: Tree) -> None:
    for family in ("tracer", "machine"):
        write_family(tree.compare, family, pair())
    tree.more = {"pairs": {"tracer": []}}
    page = tree.build()
    assert "On disk, and not of this plan: machine" in text_of(page)
    assert [row[0] for row in rows_of(page, "Families")[1:]] == ["tracertwo tracers"]


def test_a_family_of_the_plan_that_left_nothing_is_said(tree: Tree) -> None:
    write_family(tree.compare, "tracer", pair())
    tree.more = {"pairs": {"simulator": [PATH], "tracer": [PATH]}}
    page = tree.build()
    assert [row[0][:9] for row in rows_of(page, "Families")[1:]] == ["simulator", "tracertwo"]
    assert "nothing is judged yet" in summary_row(page, "simulator")[5]


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a JSON document."""
    yield above
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*above, key))


RECORD = finite(
    judge_family("tracer", [pair(alignments=(aligned(),)), settled(), hostile()], how())
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(place=st.sampled_from(list(places(RECORD))[1:]), junk=JUNK, gone=st.booleans())
@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_wrong_in_it_the_section_is_made(
    tmp_path: Path, place: tuple[Any, ...], junk: Any, gone: bool
) -> None:
    record = copy.deepcopy(RECORD)
    inside = record
    for key in place[:-1]:
        inside = inside[key]
    if gone:
        del inside[place[-1]]
    else:
        inside[place[-1]] = junk
    folder = tmp_path / "compare" / "tracer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdicts.json").write_text(json.dumps(record))
    (family,) = section(tmp_path / "compare", tmp_path).families
    # What is left out is said.
    if len(family.record.pairs) < 3:
        assert family.record.problems or place[0] == "pairs"


def test_a_number_that_is_none_is_shown_as_none(tmp_path: Path) -> None:
    folder = write_family(tmp_path, "tracer", pair(quantities=(latency([1.0], [2.0]),)))
    (family,) = section(tmp_path, tmp_path).families
    (quantity,) = family.pairs[0].quantities
    assert quantity.p == ("", "", "")
    assert quantity.a == "1.00 (1)"
    assert load_family("tracer", folder).problems == []


values = st.floats(-1e12, 1e12).map(lambda x: round(x, 3))


@given(
    low=values, estimate=values, high=values, mean=st.floats(1e-3, 1e9), r=st.floats(0, 3), d=values
)
def test_a_picture_stays_within_itself_and_has_the_estimate_in_the_band_when_it_agrees(
    low: float, estimate: float, high: float, mean: float, r: float, d: float
) -> None:
    ends = sorted((low, estimate, high))
    effect = Interval(False, ends[1], ends[0], ends[2], "BCa")
    within = (mean / (1 + r) - abs(d), mean * (1 + r) + abs(d))
    svg = str(picture(effect, mean, within))
    (x,) = (int(n) for n in re.findall(r'cx="(\d+)"', svg))
    assert 3 <= x <= WIDTH - 3
    path = re.findall(r'class="range" d="M(-?\d+) \d+H(-?\d+)', svg)
    assert all(0 <= int(end) <= WIDTH for end in path[0])
    band = re.findall(rf'class="band" d="M(\d+) 0h(\d+)v{HEIGHT}', svg)
    if band:
        left, width = map(int, band[0])
        # To half a pixel.
        inside = within[0] - mean <= ends[1] <= within[1] - mean
        assert not inside or left <= x <= left + width
    else:
        assert within[0] >= mean or within[1] <= mean


@pytest.mark.parametrize(
    ("estimate", "place"), [(1.0, 0.0), (1.1, 1.0), (1 / 1.1, -1.0), (1.2, 2.0), (9.0, FURTHEST)]
)
def test_a_ratio_is_drawn_in_margins(estimate: float, place: float) -> None:
    svg = str(picture(Interval(True, estimate, None, None, ""), 200.0, (200 / 1.1, 220.0)))
    (x,) = (int(n) for n in re.findall(r'cx="(\d+)"', svg))
    left, width = map(int, re.findall(r'class="band" d="M(\d+) 0h(\d+)', svg)[0])
    assert x == pytest.approx(left + width / 2 + place * width / 2, abs=0.51)
    assert "range" not in svg


def test_an_interval_that_goes_on_has_an_arrow_at_that_end_only() -> None:
    svg = str(picture(Interval(True, 1.5, 0.95, 9.0, ""), 200.0, (200 / 1.1, 220.0)))
    assert "l4 4l-4 4" in svg
    assert "l-4 4l4 4" not in svg


def test_without_a_margin_there_is_no_band() -> None:
    svg = str(picture(Interval(True, 1.5, 1.2, 1.8, ""), 200.0, (200.0, 200.0)))
    assert "band" not in svg
    assert str(picture(Interval(True, None, None, None, ""), 200.0, (180.0, 220.0))) == ""


def test_a_failed_check_is_shown_as_failed(tree: Tree) -> None:
    again = Check("simulated again", False, "event 7 differs")
    write_family(tree.compare, "simulator", pair(checks=(again,)))
    page = tree.build()
    assert "failed simulated again: event 7 differs" in pair_of(page, "simulator").text
    assert summary_row(page, "simulator")[1] == "inconclusivevoid"

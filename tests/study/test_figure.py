# SPDX-License-Identifier: MIT
"""Figures are well-formed XML with every number in words, whatever names and numbers come."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.verdict import Verdict
from scxval.study.figure import Interval, Square, intervals, matrix, nothing

from ..browser import page

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.one_of(st.none(), st.floats(1e-9, 1e12))
rows = st.builds(
    Interval,
    label=st.text(max_size=80),
    estimate=numbers,
    low=numbers,
    high=numbers,
    verdict=st.sampled_from(Verdict),
    n=st.text(max_size=9),
    power=st.text(max_size=9),
    margin_low=numbers,
    margin_high=numbers,
    group=st.text(max_size=9),
)
HOSTILE = "<script>alert(1)</script>\x00\u202e\ud800&\"'"


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img" and root.attrib["aria-label"]
    return [
        "".join(node.itertext())
        for node in root.iter()
        if node.tag in (f"{SVG}text", f"{SVG}title")
    ]


def row(estimate: float, low: float, high: float, verdict: Verdict = Verdict.AGREE) -> Interval:
    return Interval("x", estimate, low, high, verdict, "6 pairs", "power 0.8", 0.9, 1.1)


@given(st.lists(rows, max_size=8), st.booleans())
def test_any_rows_are_drawn_within_the_picture(some: list[Interval], log: bool) -> None:
    root = ET.fromstring(intervals("t", "d", some, "axis", log=log, reference=1.0))
    width = float(root.attrib["viewBox"].split()[2])
    for node in root.iter():
        for name in ("x", "cx", "x1", "x2"):
            at = float(node.attrib.get(name, 0))
            assert math.isfinite(at) and 0 <= at <= width


def test_the_interval_stands_where_its_numbers_are() -> None:
    root = ET.fromstring(intervals("t", "d", [row(1.0, 0.95, 1.05)], "axis", reference=1.0))
    band = next(n for n in root.iter(f"{SVG}rect") if n.attrib["class"] == "st-band")
    left, wide = float(band.attrib["x"]), float(band.attrib["width"])
    disc = next(n for n in root.iter(f"{SVG}circle") if n.attrib["class"] == "st-agree")
    # The estimate 1 is in the middle of a margin from 0.9 to 1.1, on a linear axis.
    assert float(disc.attrib["cx"]) == pytest.approx(left + wide / 2, abs=0.2)
    path = next(n for n in root.iter(f"{SVG}path") if n.attrib["class"] == "st-range").attrib["d"]
    start = float(path[1:].split(" ")[0])
    assert start == pytest.approx(left + wide / 4, abs=0.2)


def test_what_lies_beyond_the_axis_is_an_arrow() -> None:
    far = intervals("t", "d", [row(1.0, 0.95, 1000.0)], "axis", reference=1.0)
    near = intervals("t", "d", [row(1.0, 0.95, 1.05)], "axis", reference=1.0)
    assert "l5 4l-5 4" in far and "l5 4l-5 4" not in near


def test_verdicts_differ_in_shape_and_word() -> None:
    agree = intervals("t", "d", [row(1, 0.9, 1.1, Verdict.AGREE)], "axis")
    apart = intervals("t", "d", [row(1, 0.9, 1.1, Verdict.DISAGREE)], "axis")
    unsure = intervals("t", "d", [row(1, 0.9, 1.1, Verdict.INCONCLUSIVE)], "axis")
    for svg, word in ((agree, "agree"), (apart, "disagree"), (unsure, "inconclusive")):
        assert [text for text in texts(svg) if text == word].count(word) == 2
    marks = [svg.count("<circle") for svg in (agree, apart, unsure)]
    assert marks == [3, 2, 3]


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_matrix_is_well_formed(row_name: str, column: str) -> None:
    squares = {(row_name, column): Square("1%", 0.01, Verdict.AGREE, "1 of 100")}
    assert any(
        "1 of 100" in text for text in texts(matrix("t", "d", [row_name], [column], squares))
    )


def test_hostile_names_are_escaped() -> None:
    hostile = Interval(HOSTILE, 1, None, None, Verdict.AGREE, HOSTILE, HOSTILE, group=HOSTILE)
    figures = [
        intervals(HOSTILE, HOSTILE, [hostile], HOSTILE),
        matrix(HOSTILE, HOSTILE, [HOSTILE], [HOSTILE], {(HOSTILE, HOSTILE): Square(HOSTILE, None)}),
        nothing(HOSTILE, HOSTILE),
    ]
    for svg in figures:
        assert "<script" not in svg and "\u202e" not in svg and "\x00" not in svg
        svg.encode()
        assert any("<script>" in text for text in texts(svg))


def test_nothing_measured_says_why() -> None:
    svg = nothing("Ranking", "two schedulers have no order; run four or more")
    assert any("run four or more" in text for text in texts(svg))
    assert texts(matrix("t", "no rows", [], [], {})) == texts(nothing("t", "no rows"))


def test_an_axis_with_ends_is_whole() -> None:
    """Kendall's tau is from -1 to 1, wherever the estimates are."""
    root = ET.fromstring(intervals("t", "d", [row(0.9, 0.8, 1.0)], "tau", whole=(-1.0, 1.0)))
    ticks = [n.text for n in root.iter(f"{SVG}text") if n.attrib.get("text-anchor") == "middle"]
    assert ticks[:-1] == ["-1", "-0.5", "0", "0.5", "1"]


def test_a_verdict_without_an_estimate_has_its_mark() -> None:
    none = Interval("x", None, None, None, Verdict.DISAGREE, "n 3", "")
    diamonds = intervals("t", "d", [none], "axis").count('class="st-disagree"')
    unmeasured = replace(none, verdict=Verdict.NOT_MEASURED)
    # One is the key's.
    assert diamonds == 2
    assert intervals("t", "d", [unmeasured], "axis").count('class="st-disagree"') == 1


def test_columns_keep_what_tells_them_apart() -> None:
    names = [f"scx_simple, tcg{n}, perf-sched+bpftrace" for n in (2, 4)]
    columns = [name[:36] for name in names]
    svg = matrix("t", "d", ["a"], columns, {("a", name): Square("1", 1.0) for name in columns})
    assert set(columns) <= set(texts(svg))


# Boxes of horizontal words that overlap, and words that leave the picture or lie on a square's.
OVERLAPS = """() => {
  const picture = document.querySelector("svg").getBoundingClientRect();
  const words = [...document.querySelectorAll("svg text")].filter(e => e.textContent.trim());
  const found = [];
  const boxes = words.map(e => [e.textContent, e.getBoundingClientRect(), e.closest("[transform]")]);
  boxes.forEach(([text, a, turned], place) => {
    if (a.left < picture.left || a.right > picture.right || a.top < picture.top || a.bottom > picture.bottom)
      found.push(`outside: ${text}`);
    for (const [other, b, too] of boxes.slice(place + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (!(turned && too) && across > 1 && down > 3) found.push(`${text} | ${other}`);
    }
  });
  return found;
}"""
LONG = "run_time value task with-a-long-name"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_words_overlap_in_a_browser(scheme: str, tmp_path: Path) -> None:
    lines = [
        replace(row(10.0**n, 10.0 ** (n - 1), 10.0 ** (n + 2), verdict), label=LONG, group=group)
        for n, verdict in enumerate(Verdict)
        for group in ("builtin/kernel, bpftrace/taskset/tcg4/periodic_mix", "second")
    ]
    names = [f"scx_simple, tcg{n}, perf-sched+bpftrace" for n in range(12)]
    squares = {(LONG, name): Square("99.9%", 0.5, Verdict.AGREE) for name in names}
    figures = {
        "intervals": intervals("Title", "d", lines, "with / without", log=True, reference=1.0),
        "matrix": matrix("Title", "d", [LONG, "b"], names, squares),
        "nothing": nothing("Title", "word " * 100),
    }
    with page(color_scheme=scheme, viewport={"width": 1200, "height": 900}) as shown:
        for name, svg in figures.items():
            file = tmp_path / f"{name}.svg"
            file.write_text(svg, encoding="utf-8")
            shown.goto(file.as_uri())
            assert shown.evaluate(OVERLAPS) == [], name
            paper = "getComputedStyle(document.querySelector('.st-paper')).fill"
            dark = shown.evaluate(paper) == "rgb(20, 23, 27)"
            assert dark == (scheme == "dark")

# SPDX-License-Identifier: MIT
"""The page as a reader has it: by eye in two schemes, on paper, by keyboard and by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from report_tree import IMG, SCRIPT, Tree, rows_of
from test_report_overview import build, study
from tests.browser import page as browser_page
from verdict_tree import aligned, hostile, pair, write_family

if TYPE_CHECKING:
    from playwright.sync_api import Page as Opened

LAPTOP = {"width": 1280, "height": 800}
DRAWN = "html[data-plots=drawn]"

# WCAG 2.2, 1.4.3: text against what is behind it.
ENOUGH = 4.5
# Text with its colour and that of the nearest thing behind it which is not transparent.
CONTRASTS = """() => {
  const level = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c.slice(0, 3) } return [255, 255, 255] };
  const found = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || e.closest("script, style, svg, .plot, noscript")) continue;
    const [a, b] = [level(parts(getComputedStyle(e).color).slice(0, 3)), level(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = e.tagName + "." + e.className;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found; }"""


@pytest.fixture
def page_of(full: Tree) -> Tree:
    write_family(full.compare, "tracer", pair())
    build(full, study(), study("ranking"))
    return full


def scroll_through(opened: Opened) -> None:
    """To every plot, as a reader does who opens everything."""
    opened.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
    for box in opened.locator(".plot").all():
        box.scroll_into_view_if_needed()
    opened.wait_for_function("() => !document.querySelector('.plot:not([data-drawn])')")
    opened.wait_for_selector(DRAWN)


def test_plots_are_drawn_and_the_console_is_silent(full: Tree) -> None:
    write_family(full.compare, "tracer", hostile(), pair(alignments=(aligned(),)))
    made = build(full, study())
    said: list[str] = []
    with browser_page(viewport=LAPTOP) as opened:
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(full.page.as_uri())
        scroll_through(opened)
        plots = len(made.all("div", role="img"))
        # Plotly lays out two main-svg per plot: one below and one above its drag layers.
        assert plots > 3 and opened.locator("svg.main-svg").count() >= plots
        # One bar for each slice of the timelines, one point for each run.
        assert opened.locator("g.point > path").count() > 10
        # Pictures of divergences are images from within the page, which its policy lets through.
        pictures = "Array.from(document.querySelectorAll('img.divergence'), (e) => e.naturalWidth)"
        widths = opened.evaluate(pictures)
        assert len(widths) == 2 and all(widths)
        dom = opened.content()
        assert "alert(1)" in dom and not re.search(r"<img[^>]*onerror", dom)
        assert opened.locator("script").count() == 3 + plots
    assert said == []


def test_nothing_is_drawn_before_somebody_looks(full: Tree) -> None:
    made = build(full)
    with browser_page(viewport={"width": 1280, "height": 400}) as opened:
        opened.goto(full.page.as_uri())
        opened.wait_for_selector(DRAWN)
        drawn = opened.locator(".plot[data-drawn]").count()
        assert drawn < len(made.all("div", role="img"))
        last = opened.locator(".plot").last
        assert last.get_attribute("data-drawn") is None
        last.scroll_into_view_if_needed()
        opened.wait_for_function("(e) => e.dataset.drawn", arg=last.element_handle())
        assert last.locator("svg.main-svg").count() >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page_of: Tree, scheme: str) -> None:
    with browser_page(color_scheme=scheme, viewport=LAPTOP) as opened:
        opened.goto(page_of.page.as_uri())
        opened.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
        found = opened.evaluate(CONTRASTS)
        assert len(found) > 15
        assert {name: ratio for name, ratio in found.items() if ratio < ENOUGH} == {}
        # Nothing is wider than a laptop's screen but what scrolls by itself.
        assert opened.evaluate("document.documentElement.scrollWidth") <= 1280


def test_everything_that_is_seen_has_a_name(page_of: Tree) -> None:
    with browser_page() as opened:
        opened.goto(page_of.page.as_uri())
        opened.wait_for_selector(DRAWN)
        pictures = opened.get_by_role("img")
        assert pictures.count() > 3
        names = opened.evaluate(
            "Array.from(document.querySelectorAll('[role=img]')).map((e) => e.ariaLabel || e.alt)"
        )
        assert all(names)
        links = opened.evaluate(
            "Array.from(document.querySelectorAll('a, summary'))"
            ".map((e) => e.textContent.trim() || e.ariaLabel)"
        )
        assert len(links) > 20 and all(links)
        opened.keyboard.press("Tab")
        assert opened.evaluate("document.activeElement.innerText") == "Skip to the overview"
        opened.keyboard.press("Enter")
        assert opened.url.endswith("#overview")


def test_a_square_leads_to_its_pair_and_a_cell_back(page_of: Tree) -> None:
    with browser_page(viewport=LAPTOP) as opened:
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(page_of.page.as_uri())
        opened.wait_for_selector(DRAWN)
        badge = opened.locator("section[aria-labelledby=overview] a.lead[href^='#pair:']").first
        badge.click()
        target = opened.evaluate("decodeURIComponent(location.hash.slice(1))")
        place = "document.getElementById(decodeURIComponent(location.hash.slice(1)))"
        assert target.startswith("pair:tracer/") and opened.evaluate(f"{place}.open")
        assert opened.evaluate(f"{place}.getBoundingClientRect().top < 800")
        opened.locator("section[aria-labelledby=overview] a.lead[href^='#cell:']").first.click()
        cell = opened.locator("details.cell[open]").last
        cell.get_by_role("link", name="overview").click()
        assert opened.url.endswith("#overview")
        assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)


def test_on_paper_everything_is_open(page_of: Tree) -> None:
    write_family(page_of.compare, "simulator", hostile(), pair(alignments=(aligned(),)))
    build(page_of)
    with browser_page() as opened:
        opened.goto(page_of.page.as_uri())
        opened.wait_for_selector(DRAWN)
        opened.wait_for_function("() => window.Plotly")
        opened.emulate_media(media="print", color_scheme="dark")
        opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        # Those too that nobody has scrolled to, and none wider than the paper.
        assert opened.locator(".plot:not([data-drawn])").count() == 0
        widths = opened.evaluate(
            "Array.from(document.querySelectorAll('.plot'), (e) => e.layout.width)"
        )
        assert len(widths) > 3 and all(0 < width <= 660 for width in widths)
        assert opened.locator("details:not([open])").count() == 0
        assert (
            opened.evaluate("getComputedStyle(document.body).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        assert not opened.locator("nav").is_visible()
        # A4 on its side within its margins, at 96 dots an inch: nothing is cut.
        opened.set_viewport_size({"width": 1031, "height": 700})
        assert opened.evaluate("document.documentElement.scrollWidth") <= 1031
        paper = opened.pdf(prefer_css_page_size=True)
        assert paper.startswith(b"%PDF") and len(paper) > 20_000
        opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert opened.locator("details:not([open])").count() > 3


def test_the_filter_hides_what_has_not_all_its_words(page_of: Tree) -> None:
    with browser_page(viewport=LAPTOP) as opened:
        opened.goto(page_of.page.as_uri())
        field = opened.get_by_role("searchbox", name="Filter")
        field.fill("SCX_simple rejected")
        opened.wait_for_function("() => document.getElementById('filtered').textContent")
        cells = opened.locator("details.cell:not(.pair)")
        assert [cells.nth(k).is_visible() for k in range(5)] == [False, False, False, True, False]
        status = opened.get_by_role("status").inner_text()
        assert "scx_simple rejected" in status.lower() and " of " in status
        # The tracer is in no column of the overview, and finds its rows all the same.
        field.fill("bpftrace fair")
        opened.wait_for_function(
            "() => document.getElementById('filtered').textContent.includes('bpf')"
        )
        rows = opened.locator("section[aria-labelledby=overview] tr[data-words]")
        shown = [row.inner_text() for row in rows.all() if row.is_visible()]
        assert len(shown) == 1 and shown[0].startswith("fair")
        # A link to what is hidden ends the filter.
        opened.evaluate("location.hash = '#cell:scx_rusty/mix/bpftrace/taskset/tcg4/rep0'")
        opened.wait_for_function("() => !document.getElementById('filtered').textContent")
        assert cells.last.is_visible() and field.input_value() == ""
        field.fill("nothing has this")
        opened.wait_for_function("() => document.getElementById('filtered').textContent")
        field.press("Escape")
        assert cells.first.is_visible()


def test_contents_stay_in_reach(page_of: Tree) -> None:
    for width in (1280, 420):
        with browser_page(viewport={"width": width, "height": 800}) as opened:
            opened.goto(page_of.page.as_uri())
            opened.evaluate("location.hash = '#cells'")
            bar = opened.get_by_role("navigation").bounding_box()
            head = opened.locator("h2#cells").bounding_box()
            assert bar and head and bar["y"] == 0
            # What a link leads to is not below the bar.
            assert head["y"] >= bar["height"] and bar["height"] < 120
            assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_landmarks_heads_and_ids(page_of: Tree) -> None:
    write_family(page_of.compare, "simulator", hostile(), pair(alignments=(aligned(),)))
    page = build(page_of)
    heads = page.all("th")
    assert heads and all(e.attrs.get("scope") in ("row", "col") for e in heads)
    assert [len(page.all(tag)) for tag in ("main", "header", "nav")] == [1, 1, 1]
    named = {
        e.attrs["aria-labelledby"] for e in page.all("section") if "aria-labelledby" in e.attrs
    }
    ids = [e.attrs["id"] for e in page.elements if "id" in e.attrs]
    assert named <= set(ids) and len(ids) == len(set(ids))
    assert page.skipped_heads() == []
    assert len(page.all("caption")) == len(page.all("table"))


def test_hostile_names_stay_text_everywhere(full: Tree) -> None:
    write_family(full.compare, "tracer", hostile(), pair(alignments=(aligned(),)))
    page = build(full, study())
    with browser_page(viewport=LAPTOP) as opened:
        said: list[str] = []
        opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        opened.goto(full.page.as_uri())
        scroll_through(opened)
        text = opened.locator("body").inner_text()
        assert IMG in text and SCRIPT in text
        # In a plot, too, a name is what it is.
        assert opened.locator(".plot img, .plot script, .plot b").count() == 0
    assert said == []
    assert {row[0] for row in rows_of(page, "Time on CPU within the window")} >= {IMG, SCRIPT}

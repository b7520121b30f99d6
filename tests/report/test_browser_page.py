# SPDX-License-Identifier: MIT
"""The page as a reader has it: by eye in two schemes, on paper, by keyboard and by name."""

from __future__ import annotations

import pytest
from report_tree import Tree
from test_report_overview import build, study
from tests.browser import page as browser_page
from verdict_tree import pair, write_family

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page_of: Tree, scheme: str) -> None:
    with browser_page(color_scheme=scheme, viewport={"width": 1280, "height": 800}) as opened:
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
        opened.wait_for_selector("html[data-plots=drawn]")
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
    with browser_page(viewport={"width": 1280, "height": 800}) as opened:
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(page_of.page.as_uri())
        opened.wait_for_selector("html[data-plots=drawn]")
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
    with browser_page() as opened:
        opened.goto(page_of.page.as_uri())
        opened.wait_for_selector("html[data-plots=drawn]")
        opened.emulate_media(media="print", color_scheme="dark")
        opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert opened.locator("details:not([open])").count() == 0
        assert (
            opened.evaluate("getComputedStyle(document.body).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        assert not opened.locator("nav").is_visible()
        paper = opened.pdf(format="A4")
        assert paper.startswith(b"%PDF") and len(paper) > 20_000
        opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert opened.locator("details:not([open])").count() > 3

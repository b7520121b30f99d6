# SPDX-License-Identifier: MIT
"""The pages in a real browser, from disk: no script stops, nothing is fetched, light and dark work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ..browser import page as fresh_page

COLOURS = "() => document.documentElement.dataset.bsTheme"
SWITCH = "mode => document.querySelector(`[data-bs-theme-value=${mode}]`).click()"


@pytest.fixture(name="page")
def _page() -> Iterator[Page]:
    with fresh_page(viewport={"width": 1280, "height": 900}, color_scheme="light") as made:
        yield made


def test_every_page_opens_from_disk(site: Path, page: Page) -> None:
    stopped: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: stopped.append(f"{page.url}: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    # The page of a server's errors is named from its root.
    files = sorted(file for file in site.glob("*.html") if file.name != "404.html")
    for file in files:
        page.goto(file.as_uri(), wait_until="load")
        for key in ("s", "?", "Escape"):
            page.keyboard.press(key)
    assert len(files) > 20
    assert stopped == []
    assert [url for url in asked if not url.startswith("file:")] == []


def test_light_and_dark(site: Path, page: Page) -> None:
    page.goto((site / "tutorial.html").as_uri())
    assert page.evaluate(COLOURS) == "light"
    page.evaluate(SWITCH, "dark")
    assert page.evaluate(COLOURS) == "dark"
    page.goto((site / "limits.html").as_uri())
    assert page.evaluate(COLOURS) == "dark"
    page.evaluate(SWITCH, "auto")
    assert page.evaluate(COLOURS) == "light"
    page.emulate_media(color_scheme="dark")
    # The page is told with the next frame.
    page.wait_for_function(f"({COLOURS})() === 'dark'", timeout=10_000)


def test_tables_have_their_style(site: Path, page: Page) -> None:
    page.goto((site / "tutorial.html").as_uri())
    tables = page.locator("[role=main] table")
    assert tables.count() > 0
    assert page.locator("[role=main] table.table-striped").count() == tables.count()

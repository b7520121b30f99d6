# SPDX-License-Identifier: MIT
"""The page in a real browser, without network: plots are drawn, nothing fails, nothing hostile runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_tree import Tree
from verdict_tree import aligned, hostile, pair, write_family

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(NAMES)} on this host")


def open_page(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's DOM once everything has run, and the lines of its console."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            "--window-size=1280,2000",
            "--virtual-time-budget=60000",
            "--enable-logging=stderr",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_plots_are_drawn_and_the_console_is_silent(full: Tree, tmp_path: Path) -> None:
    write_family(full.compare, "tracer", hostile(), pair(alignments=(aligned(),)))
    page = full.build()
    dom, console = open_page(full.page, tmp_path / "profile")
    assert console == []
    assert 'data-plots="drawn"' in dom
    assert "could not be drawn" not in dom.split("<script")[0]
    plots = len(page.all("div", role="img"))
    # Plotly lays out two main-svg per plot: one below and one above its drag layers.
    assert plots > 3 and dom.count('class="main-svg"') >= plots
    # One bar for each slice of the timelines, one point for each run.
    assert len(re.findall(r'<g class="point"><path', dom)) > 10
    # Pictures of divergences are images from within the page, which its policy lets through.
    assert len(re.findall(r'<img class="divergence"[^>]*src="data:image/svg', dom)) == 2
    assert "alert(1)" in dom and not re.search(r"<img[^>]*onerror", dom)

# SPDX-License-Identifier: MIT
"""The browser that tests use: Debian's chromium of envs/test.packages, which `make test` installs."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)


def browser() -> str:
    """Its path. Without one the test is skipped, but for CI, where that would hide everything."""
    if BROWSER is None:
        missing = f"none of {', '.join(NAMES)} on this host: sh envs/host.sh test.packages"
        assert not os.environ.get("CI"), missing
        pytest.skip(missing)
    return BROWSER


@contextlib.contextmanager
def page(**context: Any) -> Iterator[Page]:
    """An empty page of a fresh browser; arguments are those of playwright's new_context."""
    # Loaded only here: tests without a browser need no driver.
    from playwright.sync_api import sync_playwright

    path = browser()
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield chromium.new_context(**context).new_page()
        finally:
            chromium.close()

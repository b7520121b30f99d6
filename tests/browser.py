# SPDX-License-Identifier: MIT
"""The browser that tests use: Debian's chromium of envs/test.packages, which `make test` installs."""

from __future__ import annotations

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)


def browser() -> str:
    """Its path. Without one the test is skipped, but for CI, where that would hide everything."""
    if BROWSER is None:
        missing = f"none of {', '.join(NAMES)} on this host: sh envs/host.sh test.packages"
        assert not os.environ.get("CI"), missing
        pytest.skip(missing)
    return BROWSER

# SPDX-License-Identifier: MIT
"""Looking at this host's processes: which machines run, and waiting until they do or do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object], limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def machines_below(folder: Path) -> list[int]:
    """QEMU processes that work below a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if b"qemu-system" in words and f"{folder}/".encode() in words:
            found.append(int(entry.parent.name))
    return found

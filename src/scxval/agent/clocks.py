# SPDX-License-Identifier: MIT
"""Reads the guest's clocks together, so that traces in any of them can be put on one axis."""

from __future__ import annotations

import json
import time
from pathlib import Path


def read_clocks() -> dict[str, int]:
    """MONOTONIC, BOOTTIME and REALTIME in nanoseconds; `spread_ns` bounds the time between them."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    real = time.clock_gettime_ns(time.CLOCK_REALTIME)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return {"mono_ns": before, "boot_ns": boot, "real_ns": real, "spread_ns": after - before}


class Marks:
    """Named moments of the job, kept in memory and appended to a file as they happen.

    The file tells the host how far a guest came that hangs or panics.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: list[dict[str, int | str]] = []

    def take(self, label: str) -> int:
        """Record a moment and return its CLOCK_MONOTONIC time."""
        clocks = read_clocks()
        entry: dict[str, int | str] = {"mark": label, **clocks}
        self.taken.append(entry)
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(entry) + "\n")
        return clocks["mono_ns"]

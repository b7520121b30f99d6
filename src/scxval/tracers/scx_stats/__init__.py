# SPDX-License-Identifier: MIT
"""scx_stats: a scheduler's own statistics, asked for over its socket at a fixed interval. Makes no events."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand

RAW_FILE = "scx_stats.ndjson"
SAMPLER_FILE = "sample.py"
# Its cell has a table of its own, stats.parquet, and an empty event table.
MAKES_EVENTS = False
# The scheduler at the top of the hierarchy (scx_stats 1.1.2, StatsServer's default).
SOCKET = "/var/run/scx/root/stats"
INTERVAL_MS = (10, 60_000)


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to sample in a guest; the kernel's functions do not matter.

    The one option is `interval_ms` (default 500). Raises ScxvalError for an option that is unknown or
    outside of INTERVAL_MS.
    """
    for name in options:
        if name != "interval_ms":
            raise unknown_name("option of tracer scx-stats", name, ["interval_ms"])
    interval_ms = options.get("interval_ms", 500)
    low, high = INTERVAL_MS
    if type(interval_ms) is not int or not low <= interval_ms <= high:
        raise ScxvalError(
            f"tracer scx-stats: interval_ms is {interval_ms!r}; expected {low} to {high}"
        )
    sampler = Path(__file__).with_name(SAMPLER_FILE)
    return TracerCommand(
        argv=[
            *("python3", "-B", f"{{in}}/{SAMPLER_FILE}"),
            *(SOCKET, f"{{raw}}/{RAW_FILE}", str(interval_ms)),
        ],
        ready_file="{out}/tracer.log",
        ready_pattern=r"^first answer$",
        outputs=[f"{{raw}}/{RAW_FILE}"],
        version_argv=["python3", "--version"],
        # An answer that cannot be read is no lost event: the converter counts it.
        lost_pattern="",
        files={SAMPLER_FILE: sampler.read_text(encoding="utf-8")},
    )

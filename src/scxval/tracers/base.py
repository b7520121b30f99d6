# SPDX-License-Identifier: MIT
"""What every tracer module provides, as records: how the in-guest agent runs it, without knowing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module


@dataclass(frozen=True)
class TracerCommand:
    """How to run a tracer in the guest.

    `argv`, `ready_file` and `outputs` may use {in} (files of the job, read-only), {out} (where logs
    such as tracer.log are written) and {raw} (a memory file system, copied out at the end). The tracer
    is ready once `ready_pattern` (a regular expression) is found in `ready_file`; it is stopped by one
    `stop_signal`. `lost_pattern` has one group, a number of lost events, and is searched for in the
    tracer's log and outputs; "" for a tracer that does not say. After the signal it ends with one of
    `exit_codes` (negative: by that signal) when all went well.

    A tracer whose losses stand in its file alone has a function `lost_events(file: Path) -> int` in
    its module: the file, RAW_FILE, is then counted on the host once the run has ended.

    `binary` is the name that the tracer's own program gets in {in}; "" for one that the image has.

    Where several tracers run side by side, each has folders of its own behind these names.
    """

    argv: list[str]
    ready_file: str
    ready_pattern: str
    outputs: list[str]
    version_argv: list[str]
    lost_pattern: str
    files: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGINT"
    binary: str = ""
    exit_codes: tuple[int, ...] = (0,)


def makes_events(module: str) -> bool:
    """Whether a tracer module's traces hold events: all do that do not say MAKES_EVENTS = False."""
    return bool(module) and getattr(import_module(f"scxval.tracers.{module}"), "MAKES_EVENTS", True)

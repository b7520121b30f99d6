# SPDX-License-Identifier: MIT
"""Counts lost events in the files of tracers that say it nowhere else: on the host, before the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from scxval.catalog.model import Tracer
from scxval.errors import ScxvalError
from scxval.vm.job import JobFiles


def with_counted_losses(
    agent: dict[str, Any] | None, tracers: Sequence[Tracer], job: JobFiles, raw: Path
) -> dict[str, Any] | None:
    """The agent's result with `lost` of each tracer whose module counts it (scxval.tracers.base).

    A file that cannot be read counts as nothing: the conversion will say why.
    """
    if agent is None or "tracer" not in agent:
        return agent
    record = agent["tracer"]
    folders = {part["name"]: raw / part["folder"] for part in job.spec["tracers"]}
    counted = {t.name: _lost(t, folders[t.name]) for t in tracers if t.name in folders}
    if "parts" not in record:
        lost = next((n for n in counted.values() if n is not None), None)
        return agent if lost is None else {**agent, "tracer": {**record, "lost": lost}}
    parts = {
        name: part if counted.get(name) is None else {**part, "lost": counted[name]}
        for name, part in record["parts"].items()
    }
    known = [part["lost"] for part in parts.values() if part["lost"] is not None]
    whole = {**record, "parts": parts, "lost": sum(known) if known else None}
    return {**agent, "tracer": whole}


def _lost(tracer: Tracer, folder: Path) -> int | None:
    module = import_module(f"scxval.tracers.{tracer.module}")
    count = getattr(module, "lost_events", None)
    file = folder / module.RAW_FILE
    if count is None or not file.is_file():
        return None
    try:
        return int(count(file))
    except ScxvalError:
        return None

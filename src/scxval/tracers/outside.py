# SPDX-License-Identifier: MIT
"""Traces from anywhere: `scxval convert` on a file or a run's folder, without workflow or status.json.

What is written is written whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.formats.conversion import StatsConversion
from scxval.tracers.convert import Converted, convert_file, packages, raw_files, stats_beside

EVENTS_FILE = "events.parquet"
CAPABILITY_FILE = "capability.json"


@dataclass(frozen=True)
class Outputs:
    """The two files that a conversion writes."""

    events: Path
    capability: Path


def find_trace(given: Path) -> Path:
    """The trace that a path means: the file itself, or the one trace in a run's (raw) folder.

    Raises ScxvalError for a path without a trace, and for a folder with several.
    """
    if given.is_dir():
        raw = given / "raw" if (given / "raw").is_dir() else given
        folders = [raw, *sorted(raw.glob("parts/*"))]
        found = [path for folder in folders for path, _ in raw_files(folder)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(path.relative_to(given)) for path in found)
            raise ScxvalError(f"{given} holds several traces ({names}): name one of them")
        names = ", ".join(name for name in _raw_names().values() if name)
        raise ScxvalError(f"{given} is a folder without a trace ({names}): name the trace file")
    if not given.exists():
        raise ScxvalError(f"no file {given}")
    if not given.is_file():
        raise ScxvalError(f"{given} is not a regular file: copy the trace to one first")
    return given


def outputs(
    given: Path, folder: Path | None, events: Path | None, capability: Path | None
) -> Outputs:
    """Where to write: into `folder`, or to the files named; else beside a trace that is a file.

    Raises ScxvalError when a folder is given without either, or an output is the trace itself.
    """
    if folder is not None:
        if events or capability:
            raise ScxvalError("give either -o, or --events and --capability")
        chosen = Outputs(folder / EVENTS_FILE, folder / CAPABILITY_FILE)
    elif events and capability:
        chosen = Outputs(events, capability)
    elif given.is_dir():
        raise ScxvalError(
            f"{given} is a folder that stays as it is: say where to write with -o DIR"
        )
    else:
        beside = Outputs(
            given.with_name(f"{given.name}.{EVENTS_FILE}"),
            given.with_name(f"{given.name}.{CAPABILITY_FILE}"),
        )
        chosen = Outputs(events or beside.events, capability or beside.capability)
    if chosen.events.absolute() == chosen.capability.absolute():
        raise ScxvalError(f"{chosen.events}: one file cannot be both events and capability")
    for path in (chosen.events, chosen.capability):
        if path.exists() and given.exists() and path.samefile(given):
            raise ScxvalError(f"{path} is the trace itself: write somewhere else")
        if path.is_dir():
            raise ScxvalError(f"{path} is a folder: name a file, or use -o DIR")
    return chosen


def convert_outside(trace: Path, where: Outputs) -> str:
    """Convert a trace; one line on what it was and what was written. Raises ScxvalError."""
    result = convert_file(trace, where.events, where.capability)
    files = f"{where.events}, {where.capability.name}"
    if isinstance(result, StatsConversion):
        files += f", {stats_beside(where.events).name}"
    return f"{trace}: {summary(result)} -> {files}"


def summary(result: Converted) -> str:
    """What a conversion gave, on one line: source, events, window, losses, notes."""
    record = result.capability
    parts = [record.source, f"{record.events} events"]
    if record.window_ns is not None:
        first, last = record.window_ns
        parts[-1] += f" in {(last - first) / 1e9:.6f} s from {first / 1e9:.6f} s"
    if isinstance(result, StatsConversion):
        parts.append(f"{result.stats.num_rows} statistics")
    parts += [f"{record.lost} lost", f"{record.unparsed} records not understood"]
    text = ", ".join(parts)
    return " ".join("; ".join([text, *record.notes]).split())


def formats() -> list[str]:
    """One line for each known format: its converter, the trace's usual name, what it is."""
    lines = []
    for name, file in _raw_names().items():
        about = (import_module(packages()[name]).__doc__ or "").splitlines()[0]
        lines.append(f"{name:<12} {file or '-':<14} {about}")
    return lines


def _raw_names() -> dict[str, str]:
    """The name that a trace has in a raw folder, by converter; "" for one that has none."""
    return {name: str(import_module(package).RAW_FILE) for name, package in packages().items()}

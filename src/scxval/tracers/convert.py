# SPDX-License-Identifier: MIT
"""Raw trace to canonical events: finds the tracer module that reads a file, or a cell's raw folder.

A cell without a trace that may carry its name gets an empty table and a capability that says why.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

import scxval.tracers
from scxval.catalog.combination import TOGETHER
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError, answer
from scxval.events.capability import GUEST_CLOCK, Capability
from scxval.events.stats import empty_stats, write_stats
from scxval.events.table import empty_table, is_events, write_events
from scxval.files import whole
from scxval.formats.conversion import StatsConversion
from scxval.formats.near import PARQUET_MAGIC, what_is
from scxval.formats.source import read_head

HEAD_BYTES = 4096
# Simulators write files too. Their readers lie in formats, where this module and simulate may import them.
SIMULATORS = {"scxsim": "scxval.formats.scxsim"}


class Converted(Protocol):
    """What a tracer's `convert` returns, at least."""

    @property
    def table(self) -> pa.Table:
        """A sorted event table."""

    @property
    def capability(self) -> Capability:
        """Its capability record."""


class Converter(Protocol):
    """The module `convert` of a tracer."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins like this is one of the tracer's."""

    def convert(self, path: Path) -> Converted:
        """Convert the file; ScxvalError when it cannot be read at all."""


def packages() -> dict[str, str]:
    """Every package with a converter, by the source's name: the tracers', and simulators' formats."""
    tracers = (m.name for m in pkgutil.iter_modules(scxval.tracers.__path__) if m.ispkg)
    return dict(sorted({**{n: f"scxval.tracers.{n}" for n in tracers}, **SIMULATORS}.items()))


def converters() -> dict[str, Converter]:
    """The converter of every package, by the source's name."""
    return {name: _module(f"{package}.convert") for name, package in packages().items()}


def _module(name: str) -> Any:
    return import_module(name)


def recognise(path: Path) -> str:
    """The name of the tracer module that reads this file, by its content.

    Raises ScxvalError when none does (with what the file is, where that is known) or several do.
    """
    head = read_head(path, HEAD_BYTES)
    known = converters()
    claims = [name for name, module in known.items() if module.recognises(head)]
    if len(claims) == 1:
        return claims[0]
    if claims:
        raise ScxvalError(f"{path}: claimed by several converters ({', '.join(claims)})")
    if head.startswith(PARQUET_MAGIC) and is_events(path):
        raise ScxvalError(f"{path}: an event table already: nothing to convert")
    what = what_is(head) or "not a trace of a known format"
    raise ScxvalError(f"{path}: {what} (known: {', '.join(known)}; plain or gzip)")


def convert_file(path: Path, events: Path, capability: Path) -> Converted:
    """Convert one trace of any known format into an event table and a capability record.

    What has statistics too leaves them beside the event table, as *stats.parquet. Raises ScxvalError
    when it cannot be read or the files cannot be written, and then writes none.
    """
    result = converters()[recognise(path)].convert(path)
    stats = (result.stats, stats_beside(events)) if isinstance(result, StatsConversion) else None
    _write(result.table, result.capability, events, capability, stats)
    return result


def stats_beside(events: Path) -> Path:
    """Where `convert_file` writes statistics: X.stats.parquet for X.events.parquet."""
    return events.with_name(f"{events.name.removesuffix('events.parquet')}stats.parquet")


def convert_cell(
    status_file: Path, raw: Path, events: Path, capability: Path, part: str = ""
) -> None:
    """Convert a cell's trace, as far as its status.json lets the trace count as this cell's.

    `part` is the one of several tracers whose trace is meant. Raises ScxvalError when status.json cannot
    be read, or when a run that ended well has no trace.
    """
    status = _read_status(status_file)
    table, record, _ = _convert_part(status, raw, part or str(status["cell"]["tracer"]), bool(part))
    _write(table, record, events, capability)


def convert_stats(status_file: Path, raw: Path, part: str, stats: Path) -> None:
    """Convert what a cell's tracer `part` sampled, as `convert_cell` does; raises the same."""
    status = _read_status(status_file)
    several = TOGETHER in str(status["cell"]["tracer"])
    write_stats(_convert_part(status, raw, part, several)[2], stats)


def _convert_part(
    status: dict[str, Any], raw: Path, tracer: str, several: bool
) -> tuple[pa.Table, Capability, pa.Table]:
    """Events, capability and statistics of a tracer of a cell, the only one or one of several."""
    outcome = Outcome(status["outcome"])
    # A run without a result of the agent's has no parts in its status.
    told = status["tracer"].get("parts", {}).get(tracer, {}) if several else status["tracer"]
    refusal, note = _usable(status, outcome, whole=told.get("failed") == "")
    folder = raw / "parts" / tracer if several else raw
    path, name = _raw_file(folder)
    if refusal or path is None:
        if not refusal and tracer != "none" and outcome.has_events:
            raise ScxvalError(
                f"{folder}: outcome {outcome}, but no trace of tracer {tracer}; run again"
            )
        why = refusal or ("no tracer ran" if tracer == "none" else f"{note}; no trace was left")
        return empty_table(), Capability(tracer, [], notes=[why]), empty_stats()
    result = converters()[name].convert(path)
    found = result.capability
    if found.clock != GUEST_CLOCK:
        why = f"times are of {found.clock}, not of the guest's CLOCK_MONOTONIC as the run's are"
        return empty_table(), Capability(tracer, [], notes=[why, *found.notes]), empty_stats()
    lost = max(found.lost, told.get("lost") or 0)
    gaps = _uncovered(status.get("window_ns"), found)
    notes = [*([note] if note else []), *gaps, *found.notes]
    stats = result.stats if isinstance(result, StatsConversion) else empty_stats()
    return result.table, replace(found, lost=lost, notes=notes), stats


def _uncovered(window_ns: list[int] | None, found: Capability) -> list[str]:
    """What of the workload's time the trace does not reach.

    Starting and ending a workload are events themselves, so that a trace of all of it begins before and
    ends after. A tracer that is stopped while it lags behind may drop what it has not read and not say so
    (seen with bpftrace 0.27 on a starved guest).
    """
    if window_ns is None or found.window_ns is None:
        return []
    late_ns, early_ns = found.window_ns[0] - window_ns[0], window_ns[1] - found.window_ns[1]
    ends = (("begins", late_ns, "after the workload"), ("ends", early_ns, "before the workload"))
    return [
        f"the trace lacks a part of the workload: {word} {gap_ns / 1e9:.3f} s {where}"
        for word, gap_ns, where in ends
        if gap_ns > 0
    ]


def _read_status(path: Path) -> dict[str, Any]:
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScxvalError(f"cannot read {path}: {error}") from error
    missing = {"cell", "outcome", "tracer", "scheduler", "reason"} - set(status)
    if missing:
        raise ScxvalError(f"{path}: not a run's status.json: no {', '.join(sorted(missing))}")
    return dict(status)


def _usable(status: dict[str, Any], outcome: Outcome, whole: bool) -> tuple[str, str]:
    """Why the trace must not carry the cell's name ("" if it may), and a note if it is partial.

    `whole`: the trace is of a tracer that ended well, whatever became of those beside it.
    """
    told = f"outcome {outcome}: {status['reason']}".rstrip(": ")
    if outcome.has_events:
        return "", "" if outcome is Outcome.OK else told
    if outcome is not Outcome.TRACER_FAILED:
        return told, ""
    if not _scheduler_held(status["scheduler"]):
        return f"{told}; it is not known that the scheduler was attached throughout", ""
    return "", told if whole else f"partial trace, {told}"


def _scheduler_held(scheduler: dict[str, Any]) -> bool:
    """Whether the cell's scheduler was the same before and after the workload."""
    before, after = scheduler.get("before"), scheduler.get("after")
    if not before or not after:
        return False
    if not scheduler.get("expected"):
        return bool(after["state"] != "enabled")
    keys = ("state", "ops", "enable_seq")
    same = all(before[key] == after[key] for key in keys)
    return same and bool(after["state"] == "enabled")


def _raw_file(raw: Path) -> tuple[Path | None, str]:
    """The trace in a raw folder and its tracer's name."""
    return next(iter(raw_files(raw)), (None, ""))


def raw_files(raw: Path) -> list[tuple[Path, str]]:
    """The traces in a raw folder, by the names that tracers give them, each with its tracer's name."""
    found = []
    for name, package in packages().items():
        file = str(_module(package).RAW_FILE)
        paths = [raw / file, raw / f"{file}.gz"] if file else []
        found += [(path, name) for path in paths if path.is_file()][:1]
    return found


def _write(
    table: pa.Table,
    record: Capability,
    events: Path,
    capability: Path,
    stats: tuple[pa.Table, Path] | None = None,
) -> None:
    """All files, whole, or none."""
    paths = [events, capability, *([stats[1]] if stats else [])]
    try:
        with whole(*paths) as parts:
            write_events(table, parts[0])
            record.write(parts[1])
            if stats:
                write_stats(stats[0], parts[2])
    except OSError as error:
        raise ScxvalError(f"cannot write {', '.join(map(str, paths))}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Convert one cell; 0, or 2 when its files are at fault."""
    parser = argparse.ArgumentParser(prog="python -m scxval.tracers.convert", description=__doc__)
    parser.add_argument("--status", type=Path, required=True, help="the cell's status.json")
    parser.add_argument("--raw", type=Path, required=True, help="the cell's raw folder")
    parser.add_argument("--events", type=Path, required=True, help="event table to write")
    parser.add_argument("--capability", type=Path, required=True, help="capability.json to write")
    parser.add_argument("--part", default="", help="the one of several tracers that is meant")
    args = parser.parse_args(argv)
    files = (args.status, args.raw, args.events, args.capability)
    return answer("scxval convert", partial(convert_cell, *files, args.part))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""One side of a trace: what a user named, its event table with harmless names, and its window."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.compare.named import named
from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK, VIRTUAL_CLOCK, Capability, read_capability
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import read_events
from scxval.files import read_record
from scxval.perfetto.timeline import shown

COMPARABLE = (GUEST_CLOCK, VIRTUAL_CLOCK)
EVENTS_FILE = "events.parquet"
CAPABILITY_FILE = "capability.json"


@dataclass(frozen=True)
class Side:
    """One event table to be drawn.

    `window_ns` is what becomes zero and the end of the axis: the workload's window, or the traced span
    where there is no workload (`of_workload` False). `traced_ns` is the part of it that was traced.
    """

    name: str
    simulated: bool
    events: pa.Table
    capability: Capability
    window_ns: tuple[int, int]
    traced_ns: tuple[int, int]
    of_workload: bool
    outcome: str = ""

    @property
    def group(self) -> str:
        """What its group of tracks is called."""
        return f"{'simulator' if self.simulated else 'kernel'}: {self.name}"


def find_side(given: str, roots: Sequence[Path]) -> Side:
    """What a user means by a cell, a simulation (sim/...), a folder of one, an event table or a trace.

    Raises ScxvalError when it is none of these, several runs, or has no events.
    """
    with tempfile.TemporaryDirectory(prefix="scxval-perfetto-") as folder:
        made = Path(folder) / "made"
        path = given if Path(given).exists() else given.strip("/").removeprefix("sim/")
        found = named(path, roots, made)
        if len(found.runs) != 1:
            one = f"{given.rstrip('/')}/{found.runs[0].name}"
            raise ScxvalError(f"{given}: {len(found.runs)} runs: name one of them, such as {one}")
        return read_side(found.runs[0], given, is_run=found.runs[0] != made)


def read_side(folder: Path, name: str, is_run: bool = True) -> Side:
    """Read a run's or a simulation's folder. Raises ScxvalError for what cannot be drawn.

    `is_run` False: status.json was made for a bare table, whose window is the traced span.
    """
    status = read_record(folder / "status.json", "status.json")
    capability = _capability(folder / CAPABILITY_FILE)
    name = shown(_own_name(status) or name)
    events = harmless(read_events(folder / EVENTS_FILE))
    outcome = str(status.get("outcome") or "")
    if capability.window_ns is None or not len(events):
        why = f": {outcome}: {status.get('reason')}" if outcome not in ("", "ok") else ""
        raise ScxvalError(f"{name}: no events in it{why}; nothing to draw")
    traced = capability.window_ns
    given = _window(status.get("window_ns"), folder) if is_run else None
    if given is not None and capability.clock not in COMPARABLE:
        raise ScxvalError(
            f"{name}: its times are of clock {capability.clock}, the workload's window is not: "
            "convert the trace again"
        )
    window = given or traced
    covered = (max(window[0], traced[0]), min(window[1], traced[1]))
    if covered[0] >= covered[1] and len(events) > 1:
        raise ScxvalError(f"{name}: nothing was traced while the workload ran: nothing to draw")
    return Side(
        name=name,
        simulated="simulation" in status or capability.clock == VIRTUAL_CLOCK,
        events=events,
        capability=capability,
        window_ns=window,
        traced_ns=covered,
        of_workload=given is not None,
        outcome=outcome if is_run else "",
    )


def require_one_axis(sides: Sequence[Side]) -> None:
    """Raises ScxvalError for a side whose times can be laid beside no other's."""
    for side in sides:
        if len(sides) > 1 and side.capability.clock not in COMPARABLE:
            raise ScxvalError(
                f"{side.name}: its times are of clock {side.capability.clock}, which cannot be laid "
                f"beside another trace's ({' or '.join(COMPARABLE)}): export it by itself"
            )


def harmless(events: pa.Table) -> pa.Table:
    """The table with texts that can be shown anywhere: names come from whatever ran, as bytes."""
    table = events.unify_dictionaries().combine_chunks()
    for number, column in enumerate(EVENT_SCHEMA):
        if pa.types.is_dictionary(column.type) and len(table):
            array = table[column.name].chunk(0)
            raw = array.dictionary.cast(pa.binary()).to_pylist()
            texts = [shown((text or b"").decode("utf-8", "replace")) for text in raw]
            # Names that are shown alike are one: a dictionary has each text once.
            distinct = pa.array(texts, pa.string()).dictionary_encode()
            indices = distinct.indices.take(array.indices)
            made = pa.DictionaryArray.from_arrays(indices, distinct.dictionary)
            table = table.set_column(number, column, made)
    return table


def _own_name(status: dict[str, Any]) -> str:
    """The cell's or the simulation's path, as its record has it; "" for a bare table."""
    for key, number in (("cell", "rep"), ("simulation", "seed")):
        axes = status.get(key)
        if isinstance(axes, dict) and number in axes:
            return "/".join(f"{number}{v}" if k == number else str(v) for k, v in axes.items())
    return ""


def _window(value: object, folder: Path) -> tuple[int, int] | None:
    if value is None:
        return None
    match value:
        case [int(start), int(end)] if start < end:
            return start, end
    raise ScxvalError(f"{folder}/status.json: window_ns is not a start and an end: {value!r}")


def _capability(path: Path) -> Capability:
    try:
        return read_capability(path)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a capability record: {error!r}") from error

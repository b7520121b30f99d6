# SPDX-License-Identifier: MIT
"""One run or simulation of a group as its folder holds it, and whether its numbers may be used.

Read here: the records, what the workload said of itself, and which tasks and wakeups the events show.
The events themselves are read when they are needed (`scxval.compare.prepare`): a group may have more of
them than memory.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from scxval.catalog.outcomes import Outcome
from scxval.compare.clocks import moved
from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK, VIRTUAL_CLOCK, Capability, read_capability
from scxval.events.metrics.outputs import COUNTED
from scxval.events.metrics.rows import I64, dictionary, numbers
from scxval.events.schema import SWITCH_OUT_KINDS, TraceKind
from scxval.events.table import read_events

Window = tuple[int, int]
Bools = npt.NDArray[np.bool_]
# Scope, name, metric and stat of docs/metrics.md.
Key = tuple[str, str, str, str]

# Metrics that the workload itself reports, and what the kernel counted meanwhile: no window, no events.
REPORTED = ("rtapp_", "result_", COUNTED)
MISSING = "missing"
# A trace that covers less of the workload than this part is noted: others are of another part of it.
MOSTLY = 0.99


@dataclass(frozen=True)
class Cell:
    """A row of a metrics table: its value (None: not measured, or no sample), unit, events behind it."""

    value: float | None
    unit: str
    n: int


@dataclass(frozen=True)
class Source:
    """One run: `why` it is not used ("" when it is), its records and what its events show.

    `window_ns` is what is compared: the workload's window, cut to the traced span, without the warm-up;
    `covered_ns` is the same with it, `workload_ns` the workload's own. Without events (tracer `none`)
    `capability` is None. `reasons` are those of its TaskWoke rows, None where it does not fill them;
    `ran` the names of the tasks that had a CPU in the window. `reported` is what the workload
    says of itself. `cpus` are the machine's, None where nobody says; `release` is the kernel's that the
    guest told, `node` the machine that ran it, "" where none did. `notes` are for the reader.
    """

    folder: Path
    outcome: str
    why: str = ""
    workload_ns: Window | None = None
    covered_ns: Window | None = None
    window_ns: Window | None = None
    capability: Capability | None = None
    reasons: frozenset[str] | None = None
    ran: frozenset[str] = frozenset()
    reported: dict[Key, Cell] = field(default_factory=dict)
    cpus: list[int] | None = None
    release: str = ""
    node: str = ""
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> bool:
        """Whether its numbers enter the comparison."""
        return not self.why

    @property
    def has_events(self) -> bool:
        """Whether it was traced."""
        return self.capability is not None

    @property
    def length_ns(self) -> int:
        """Length of the window that is compared; 0 without one."""
        return self.window_ns[1] - self.window_ns[0] if self.window_ns else 0


def read_source(folder: Path, warm_up_ns: int, clock_step_ns: int) -> Source:
    """Read a run's or a simulation's folder. What is wrong with it is its `why`, never an exception."""
    source = Source(folder, MISSING)
    try:
        status = _json(folder / "status.json")
    except ScxvalError as error:
        return replace(source, why=str(error))
    source = replace(source, outcome=str(status.get("outcome")))
    if source.outcome != Outcome.OK:
        return replace(source, why=_ended(source.outcome, str(status.get("reason") or "")))
    try:
        return _ended_well(source, status, warm_up_ns, clock_step_ns)
    except ScxvalError as error:
        return replace(source, why=str(error))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        return replace(source, why=f"its records are not those of a run: {error!r}")


def _ended(outcome: str, reason: str) -> str:
    if outcome == Outcome.TRACER_LOST_EVENTS:
        reason = f"{reason}; too few are counted" if reason else "too few are counted"
    return f"outcome {outcome}{f': {reason}' if reason else ''}"


def _ended_well(
    source: Source, status: dict[str, Any], warm_up_ns: int, clock_step_ns: int
) -> Source:
    folder, simulated = source.folder, "simulation" in status
    workload_ns = _span(status.get("window_ns"), folder / "status.json")
    notes: list[str] = []
    reported, trouble = _reported(folder / "metrics.parquet")
    if trouble:
        notes.append(trouble)
    source = replace(source, workload_ns=workload_ns, reported=reported, notes=tuple(notes))
    provenance, trouble = _provenance(folder / "provenance.json")
    source = replace(
        source, cpus=_cpus(provenance), release=_release(provenance), node=_node(provenance)
    )
    if not simulated:
        step = moved(provenance.get("clocks") or (), clock_step_ns)
        if step:
            return replace(source, why=f"clocks: {step}")
        if step is None:
            notes.append(f"clocks not checked: {trouble or 'no marks around the workload'}")
            source = replace(source, notes=tuple(notes))
    return _with_events(source, _capability(folder / "capability.json"), warm_up_ns)


def _with_events(source: Source, capability: Capability, warm_up_ns: int) -> Source:
    if not capability.kinds:
        if any(cell.value is not None for cell in source.reported.values()):
            return source
        words = source.notes[0] if source.notes else "the workload says nothing of itself either"
        return replace(source, why=f"no events, and {words}")
    if capability.clock not in (GUEST_CLOCK, VIRTUAL_CLOCK):
        return replace(source, why=f"times are of clock {capability.clock}: nothing compares with")
    if source.workload_ns is None:
        return replace(source, why="status.json has no window_ns: when did the workload run?")
    start, end = source.workload_ns
    if capability.window_ns is None:
        return replace(source, why=f"no events, though {capability.source} was there to see them")
    start, end = max(start, capability.window_ns[0]), min(end, capability.window_ns[1])
    if start + warm_up_ns >= end:
        return replace(
            source,
            why=f"{max(0, end - start) / 1e6:.0f} ms of the workload were traced: not more than "
            f"the warm-up of {warm_up_ns / 1e6:.0f} ms",
        )
    window = (start + warm_up_ns, end)
    missed = {"lost": capability.lost, "not understood": capability.unparsed}
    notes = [f"{count} records of the trace are {how}" for how, count in missed.items() if count]
    traced_ns, whole_ns = end - start, source.workload_ns[1] - source.workload_ns[0]
    if traced_ns < MOSTLY * whole_ns:
        notes.append(
            f"{traced_ns / 1e6:.0f} of {whole_ns / 1e6:.0f} ms of the workload were traced"
        )
    reasons, ran = _seen(source.folder / "events.parquet", capability, window)
    return replace(
        source,
        covered_ns=(start, end),
        window_ns=window,
        capability=capability,
        reasons=reasons,
        ran=ran,
        notes=(*source.notes, *notes),
    )


def _seen(
    events: Path, capability: Capability, window: Window
) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Reasons of the wakeups in the table, and names of tasks that ran in the window."""
    table = read_events(events, ["time_ns", "kind", "tid", "comm", "reason"])
    table = table.unify_dictionaries().combine_chunks()
    kind, kinds = dictionary(table, "kind")

    def rows_of(*which: TraceKind) -> Bools:
        wanted = [code for code, name in enumerate(kinds) if name in which]
        found: Bools = np.isin(kind, wanted)
        return found

    def names(column: str, at: Bools | I64) -> frozenset[str]:
        codes, texts = dictionary(table, column)
        return frozenset(texts[code] for code in np.unique(codes[at]) if code >= 0)

    told = "reason" in capability.fields.get(TraceKind.TASK_WOKE, ())
    reasons = names("reason", rows_of(TraceKind.TASK_WOKE)) if told else None
    on, off = rows_of(TraceKind.TASK_SCHEDULED), rows_of(*SWITCH_OUT_KINDS)
    time, tid = numbers(table, "time_ns"), numbers(table, "tid")
    inside = (on | off) & (time >= window[0]) & (time < window[1])
    # A task that was switched in before, and not out, is on its CPU when the window begins.
    before = np.flatnonzero((on | off) & (time < window[0]) & (tid > 0))[::-1]
    _, last = np.unique(tid[before], return_index=True)
    stays = before[last]
    return reasons, names("comm", inside & (tid > 0)) | names("comm", stays[on[stays]])


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read {path.name}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ScxvalError(f"{path.name} is not a record")
    return data


def _span(value: Any, path: Path) -> Window | None:
    if value is None:
        return None
    try:
        start, end = (int(some) for some in value)
    except (TypeError, ValueError) as error:
        raise ScxvalError(f"{path.name}: window_ns is not a start and an end: {value!r}") from error
    return start, end


def _capability(path: Path) -> Capability:
    try:
        record = read_capability(path)
        if not (_texts(record.kinds) and all(map(_texts, record.fields.values()))):
            raise TypeError("kinds and fields must be lists of names")
        if record.window_ns is not None:
            record = replace(record, window_ns=_span(record.window_ns, path))
        return record
    except OSError as error:
        raise ScxvalError(f"cannot read {path.name}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScxvalError(f"{path.name} is not a capability record: {error!r}") from error


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _provenance(path: Path) -> tuple[dict[str, Any], str]:
    """The record, and why there is none."""
    try:
        return _json(path), ""
    except ScxvalError as error:
        return {}, str(error)


def _cpus(provenance: dict[str, Any]) -> list[int] | None:
    machine = provenance.get("machine")
    count = machine.get("vcpus") if isinstance(machine, dict) else None
    return list(range(count)) if isinstance(count, int) and count > 0 else None


def _release(provenance: dict[str, Any]) -> str:
    guest = provenance.get("guest")
    return str(guest.get("release") or "") if isinstance(guest, dict) else ""


def _node(provenance: dict[str, Any]) -> str:
    node = provenance.get("node")
    return str(node.get("name") or "") if isinstance(node, dict) else ""


def _reported(path: Path) -> tuple[dict[Key, Cell], str]:
    """What the workload says of itself, and why that is not known."""
    try:
        table = pq.read_table(path, memory_map=False)
        return {key: cell for key, cell in cells(table).items() if key[2].startswith(REPORTED)}, ""
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError, KeyError) as error:
        words = "no such file" if isinstance(error, FileNotFoundError) else error
        return {}, f"what the workload says of itself is not known: {path.name}: {words}"


def cells(metrics: pa.Table) -> dict[Key, Cell]:
    """The rows of a metrics table by their names; a value that is no finite number is none."""
    columns = ("scope", "name", "metric", "stat", "value", "unit", "n")
    rows = zip(*(metrics[column].to_pylist() for column in columns), strict=True)
    return {tuple(row[:4]): Cell(_finite(row[4]), *row[5:]) for row in rows}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

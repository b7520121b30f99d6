# SPDX-License-Identifier: MIT
"""Rows of the simulator's JSON files, one after another, and how every conversion of it ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scxval.events.capability import VIRTUAL_CLOCK
from scxval.events.columns import NULL, REASON, Columns, Names, Wide, rows
from scxval.events.schema import DSQ_GLOBAL, DSQ_LOCAL, DSQ_LOCAL_ON, Reason
from scxval.formats.conversion import EXAMPLE_CHARS, EXAMPLES, Conversion, Losses, conclude
from scxval.formats.scxsim.kinds import OWN_COLUMNS, Kinds

NO_PID_NOTE = "the simulator has no thread groups: pid is null, tid is its number of the task"
# The numbers that its types hold: i32 for tasks, u64 for ids and times (kept as i64 here).
MAX_TID = (1 << 31) - 1
MAX_TIME_NS = (1 << 63) - 1
MAX_WIDE = (1 << 64) - 1
_WIDE = ("dsq_id", "slice_ns", "vtime", "flags")
_NARROW = ("tid", "comm", "other_tid", "other_cpu", "reason", "success")
_COLUMNS = ("time_ns", "seq", "cpu", "kind", "probe", *_NARROW)


class BadRecord(ValueError):
    """A record that cannot be a row."""


def number(value: object, low: int, high: int) -> int:
    """An integer in a range; raises BadRecord for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadRecord
    return value


def wide(value: object) -> int:
    """64 unsigned bits, as a number or as hexadecimal text; raises BadRecord."""
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,16}", value):
        return int(value, 16)
    return number(value, 0, MAX_WIDE)


def dsq_id(value: object) -> int:
    """A dispatch queue's id from its number or the simulator's name for it; raises BadRecord."""
    if value in ("GLOBAL", "LOCAL"):
        return DSQ_GLOBAL if value == "GLOBAL" else DSQ_LOCAL
    if isinstance(value, str) and (on := re.fullmatch(r"LOCAL_ON\((\d{1,9})\)", value)):
        return DSQ_LOCAL_ON | int(on[1])
    return wide(value)


@dataclass
class Rows:
    """Rows so far. `add` takes what a record says; a column that is not given is null."""

    kinds: Kinds = field(default_factory=Kinds)
    names: Names = field(default_factory=Names)
    probes: Names = field(default_factory=Names)
    columns: dict[str, list[int]] = field(default_factory=lambda: {n: [] for n in _COLUMNS})
    wide: dict[str, list[int]] = field(default_factory=lambda: {n: [] for n in _WIDE})
    unparsed: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, seq: int, time_ns: int, cpu: int, kind: str, probe: str, **given: Any) -> None:
        """One row; `comm` and `reason` as texts, None for null. Raises BadRecord."""
        code = self.kinds.of(kind)
        if code is None:
            raise BadRecord
        comm, reason = given.pop("comm", None), given.pop("reason", None)
        given["comm"] = None if comm is None else self.names.of(comm)
        given["reason"] = None if reason is None else REASON[Reason(reason)]
        fixed = {"time_ns": time_ns, "seq": seq, "cpu": cpu, "kind": code}
        fixed["probe"] = self.probes.of(probe)
        for name, column in (*self.columns.items(), *self.wide.items()):
            value = fixed.get(name, given.get(name))
            column.append(NULL if value is None else value)

    def bad(self, where: str, text: str) -> None:
        """Count a record that cannot be read."""
        self.unparsed += 1
        if len(self.examples) < EXAMPLES:
            shown = " ".join(text[:EXAMPLE_CHARS].split())
            self.examples.append(f"{where}: {shown}")

    def made(self) -> Columns:
        """All rows as columns."""
        taken = {name: np.array(self.columns[name], dtype=np.int64) for name in self.columns}
        made = rows(
            taken["time_ns"],
            taken["seq"],
            taken["cpu"],
            taken["kind"],
            0,
            wide={name: _wide(values) for name, values in self.wide.items()},
            **{name: taken[name] for name in _NARROW},
        )
        made.probe[:] = taken["probe"]
        return made


def _wide(values: list[int]) -> Wide:
    known = np.array([value != NULL for value in values], dtype=np.bool_)
    bits = np.array([max(value, 0) for value in values], dtype=np.uint64)
    return Wide(bits, known)


def finish(
    source: str,
    columns: Columns,
    found: tuple[Kinds, Names, Sequence[str]],
    reach: Mapping[str, frozenset[str]],
    losses: Losses,
    notes: Sequence[str],
) -> Conversion:
    """Table and capability; kinds of the simulator's own are announced when there are any.

    A kind of scxval that this format is not known to have, but has, is announced with its columns, too.
    """
    kinds, names, probes = found
    used = {kinds.list[code] for code in np.unique(columns.kind).tolist()}
    own = sorted(used - set(reach))
    whole = {**reach, **{kind: frozenset(OWN_COLUMNS) for kind in own}}
    notes = [NO_PID_NOTE, *notes]
    if own:
        told = ", ".join(own[:12]) + (f" and {len(own) - 12} more" if len(own) > 12 else "")
        notes.append(f"kinds of the simulator's own, kept as they are: {told}"[:900])
    made = conclude(
        source,
        [columns],
        names,
        probes,
        whole,
        losses,
        notes,
        # Each CPU has a clock of its own in the simulator: its order is not that of time.
        ordered=False,
        clock=VIRTUAL_CLOCK,
        kinds=kinds.list,
    )
    return made

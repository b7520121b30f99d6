# SPDX-License-Identifier: MIT
"""What a row says that does not depend on time, CPU numbers or task ids: a token each.

A token is the kind, the reason, and the arguments in general terms: the CPU as the one of the task's row
before or another, the class of a dispatch queue, whether a slice is kept or never ends, success, flags. An
argument is part of it only where both sources fill it for that kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.compare.alignment.activations import I64, Bools, Codes, text
from scxval.events.schema import (
    DSQ_BYPASS,
    DSQ_GLOBAL,
    DSQ_LOCAL,
    DSQ_LOCAL_ON,
    SLICE_INFINITE,
    SWITCH_OUT_KINDS,
    Reason,
    TraceKind,
)
from scxval.simulate.sequences import ENQUEUE_MIGRATED

U64 = npt.NDArray[np.uint64]

# Columns that may be part of a token.
ARGUMENTS = ("reason", "other_cpu", "dsq_id", "slice_ns", "success", "flags")

_INSERTS = (TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME)
_QUEUED = (*_INSERTS, TraceKind.DSQ_MOVE_TO_LOCAL)
# Rows whose `other_cpu` is where the task goes or is queued.
_PLACED = (
    TraceKind.TASK_WOKE,
    TraceKind.SELECT_TASK_RQ,
    TraceKind.TASK_MIGRATED,
    TraceKind.ENQUEUE_TASK,
    TraceKind.DEQUEUE_TASK,
)
_FLAGGED = (
    TraceKind.SELECT_TASK_RQ,
    TraceKind.ENQUEUE_TASK,
    TraceKind.DEQUEUE_TASK,
    *_INSERTS,
    TraceKind.KICK_CPU,
)
_ON_CPU = (TraceKind.TASK_SCHEDULED, *SWITCH_OUT_KINDS)

_WHERE = ["", "same CPU", "another CPU"]
_QUEUES = ["", "local", "local_on", "global", "bypass", "user"]
_SLICES = ["", "slice kept", "slice endless", "slice given"]
_SUCCESS = ["", "failed", "succeeded"]


@dataclass(frozen=True)
class Side:
    """Rows of one table, a task's after another's, in order of time: `place` in the table."""

    table: pa.Table
    place: I64
    task: I64
    kind: Codes


@dataclass(frozen=True)
class Tokens:
    """Codes of both sides' rows; by code, `names` says them in words and `kind_of` has the kind."""

    a: I64
    b: I64
    names: list[str]
    kind_of: I64


def common_fields(a: Side, b: Side) -> dict[str, frozenset[str]]:
    """By kind, the arguments that both tables have in some row."""
    found = {}
    have_a, have_b = _filled(a), _filled(b)
    for kind in have_a.keys() & have_b.keys():
        found[kind] = have_a[kind] & have_b[kind]
    return found


def _filled(side: Side) -> dict[str, frozenset[str]]:
    known: dict[str, set[str]] = {name: set() for name in side.kind.names}
    for column in ARGUMENTS:
        valid = _take(pc.is_valid(side.table[column]), side.place)
        counts = np.bincount(side.kind.code[valid], minlength=len(side.kind.names))
        for code in np.flatnonzero(counts):
            known[side.kind.names[code]].add(column)
    return {kind: frozenset(columns) for kind, columns in known.items()}


def tokens(a: Side, b: Side, fields: Mapping[str, Collection[str]]) -> Tokens:
    """A token for each row of both sides; `fields` are the columns that both fill, by kind."""
    kinds = sorted({*a.kind.names, *b.kind.names})
    told = _told_reasons(fields, a, b)
    parts_a, parts_b = _parts(a, kinds, told), _parts(b, kinds, told)
    flags, coded = np.unique(np.concatenate([parts_a.flags, parts_b.flags]), return_inverse=True)
    columns: list[tuple[list[str], I64]] = [
        (kinds, np.concatenate([parts_a.kind, parts_b.kind])),
        (_REASONS, np.concatenate([parts_a.reason, parts_b.reason])),
        (_WHERE, np.concatenate([parts_a.where, parts_b.where])),
        (_QUEUES, np.concatenate([parts_a.queue, parts_b.queue])),
        (_SLICES, np.concatenate([parts_a.slice, parts_b.slice])),
        (_SUCCESS, np.concatenate([parts_a.success, parts_b.success])),
        ([f"flags {int(value):#x}" if value else "" for value in flags], coded),
    ]
    whole = np.zeros(len(coded), dtype=np.int64)
    for names, code in columns:
        whole = whole * len(names) + code
    used, code = np.unique(whole, return_inverse=True)
    words, kind_of = [], []
    for value in used.tolist():
        said = []
        for names, _ in reversed(columns):
            value, place = divmod(value, len(names))
            said.append(names[place])
        words.append(" ".join(word for word in reversed(said) if word))
        kind_of.append(place)
    return Tokens(
        code[: len(a.place)], code[len(a.place) :], words, np.array(kind_of, dtype=np.int64)
    )


_REASONS = ["", *(str(reason) for reason in Reason), "other reason"]


def _told_reasons(
    fields: Mapping[str, Collection[str]], a: Side, b: Side
) -> dict[str, frozenset[str]]:
    """Without `reason` for kinds of which a side says that it does not know."""
    vague: set[str] = set()
    for side in (a, b):
        reason = text(side.table["reason"])
        if Reason.UNKNOWN in reason.names:
            rows = reason.code[side.place] == reason.names.index(Reason.UNKNOWN)
            vague |= {side.kind.names[code] for code in np.unique(side.kind.code[rows])}
    return {
        kind: frozenset(columns) - ({"reason"} if kind in vague else set())
        for kind, columns in fields.items()
    }


@dataclass(frozen=True)
class _Parts:
    """A code for each part of a row's token; flags as they are."""

    kind: I64
    reason: I64
    where: I64
    queue: I64
    slice: I64
    success: I64
    flags: U64


def _parts(side: Side, kinds: Sequence[str], fields: Mapping[str, Collection[str]]) -> _Parts:
    def told(column: str, *among: TraceKind) -> Bools:
        wanted = [
            column in fields.get(name, ()) and (not among or name in among)
            for name in side.kind.names
        ]
        return np.array([*wanted, False])[side.kind.code]

    table, place = side.table, side.place
    own = np.array([kinds.index(name) for name in side.kind.names], dtype=np.int64)
    reason = text(table["reason"])
    codes = [_REASONS.index(n if n in _REASONS else "other reason") for n in reason.names]
    success = _take(pc.cast(table["success"], pa.int8()), place)
    flags = _take(table["flags"], place) & ~np.uint64(ENQUEUE_MIGRATED)
    success_known = _take(pc.is_valid(table["success"]), place) & told("success")
    return _Parts(
        kind=own[side.kind.code],
        reason=np.where(told("reason"), np.array([*codes, 0])[reason.code[place]], 0),
        where=_where(side, told("other_cpu", *_PLACED), told("other_cpu", TraceKind.KICK_CPU)),
        queue=np.where(told("dsq_id", *_QUEUED), _queue(_take(table["dsq_id"], place)), 0),
        slice=np.where(told("slice_ns", *_INSERTS), _slice(_take(table["slice_ns"], place)), 0),
        success=np.where(success_known, 1 + success, 0),
        flags=np.where(told("flags", *_FLAGGED), flags, np.uint64(0)),
    )


def _take(column: pa.ChunkedArray, place: I64) -> npt.NDArray[Any]:
    """Values at these places, null as 0."""
    values = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0)
    return np.asarray(values.to_numpy())[place]


def _where(side: Side, placed: Bools, kicks: Bools) -> I64:
    """Whether a row is about the CPU that the task's row before was about; 0 if that is not known.

    One choice of another CPU is one difference so: the rows that follow from it say "same".
    """
    cpu = _take(side.table["cpu"], side.place).astype(np.int64)
    known = _take(pc.is_valid(side.table["other_cpu"]), side.place)
    other = np.where(known, _take(side.table["other_cpu"], side.place), -1).astype(np.int64)
    about = np.where(_among(side, *_ON_CPU), cpu, np.where(placed, other, -1))
    before = _before(side.task, about)
    asked = placed | _among(side, TraceKind.TASK_SCHEDULED)
    # A kick is about a CPU, not about where a task is.
    about, before = np.where(kicks, other, about), np.where(kicks, cpu, before)
    unknown = (about < 0) | (before < 0) | ~(asked | kicks)
    return np.where(unknown, 0, np.where(about == before, 1, 2))


def _among(side: Side, *kinds: TraceKind) -> Bools:
    found: Bools = np.array([*(name in kinds for name in side.kind.names), False])[side.kind.code]
    return found


def _before(task: I64, value: I64) -> I64:
    """The value of the task's nearest row before that has one; -1 without."""
    if not len(task):
        return value
    place = np.arange(len(task))
    nearest = np.maximum.accumulate(np.where(value >= 0, place, -1))
    nearest = np.concatenate([[-1], nearest[:-1]])
    return np.where((nearest >= 0) & (task[nearest] == task), value[nearest], -1)


def _queue(dsq: npt.NDArray[Any]) -> I64:
    on = (dsq & np.uint64(DSQ_LOCAL_ON)) == np.uint64(DSQ_LOCAL_ON)
    tests = [
        dsq == np.uint64(DSQ_LOCAL),
        on,
        dsq == np.uint64(DSQ_GLOBAL),
        dsq == np.uint64(DSQ_BYPASS),
    ]
    return np.select(tests, [1, 2, 3, 4], 5)


def _slice(slice_ns: npt.NDArray[Any]) -> I64:
    return np.select([slice_ns == 0, slice_ns == np.uint64(SLICE_INFINITE)], [1, 2], 3)

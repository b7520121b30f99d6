# SPDX-License-Identifier: MIT
"""Event rows as plain arrays, on their way from a tracer's records to the event table.

Every converter makes its rows in pieces (one for each kind of record), joins them, puts them in
canonical order, completes task names, and has the table made. Arrays are as narrow as the table's
columns, so that ten million rows stay within a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.events.schema import EVENT_SCHEMA, Reason, TraceKind

KINDS = list(TraceKind)
REASONS = list(Reason)
KIND = {kind: code for code, kind in enumerate(KINDS)}
REASON = {reason: code for code, reason in enumerate(REASONS)}
# A row that only says what a task is called: it completes others and is dropped at the end.
EVIDENCE = -1
NULL = -1

Ints = npt.NDArray[np.signedinteger]
Bools = npt.NDArray[np.bool_]

# The columns that every `Columns` has, with their types.
NARROW: dict[str, npt.DTypeLike] = {
    "time_ns": np.int64,
    "seq": np.int64,
    "cpu": np.int16,
    "kind": np.int8,
    "probe": np.int16,
    "tid": np.int32,
    "pid": np.int32,
    "comm": np.int32,
    "other_tid": np.int32,
    "other_cpu": np.int16,
    "reason": np.int8,
    "success": np.int8,
}
_NULLABLE = ("tid", "pid", "other_tid", "other_cpu", "success")
WIDE = ("dsq_id", "slice_ns", "vtime", "flags", "prev_state")


@dataclass(frozen=True)
class Wide:
    """A column of 64-bit values with a mask of those that are there."""

    values: npt.NDArray[np.uint64]
    known: Bools

    def take(self, which: npt.NDArray[np.int64] | Bools) -> Wide:
        """The values at these places, in their order, or those where the mask holds."""
        return Wide(self.values[which], self.known[which])


@dataclass(frozen=True)
class Columns:
    """Rows, one element each. NULL (-1) is null; `comm` and `probe` are codes into lists kept outside.

    `kind` and `reason` are codes into KINDS and REASONS. Of the wide columns only those in `wide` are
    not null throughout.
    """

    time_ns: npt.NDArray[np.int64]
    seq: npt.NDArray[np.int64]
    cpu: Ints
    kind: Ints
    probe: Ints
    tid: Ints
    pid: Ints
    comm: Ints
    other_tid: Ints
    other_cpu: Ints
    reason: Ints
    success: Ints
    wide: dict[str, Wide] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.time_ns)

    def take(self, which: npt.NDArray[np.int64] | Bools) -> Columns:
        """The rows at these places, in their order, or those where the mask holds."""
        narrow = {f.name: getattr(self, f.name)[which] for f in fields(self) if f.name != "wide"}
        wide = {name: column.take(which) for name, column in self.wide.items()}
        return Columns(**narrow, wide=wide)


def rows(
    time_ns: npt.NDArray[np.int64],
    seq: npt.NDArray[np.int64],
    cpu: Ints,
    kind: TraceKind | int | Ints,
    probe: int,
    *,
    wide: Mapping[str, npt.NDArray[np.integer] | Wide] | None = None,
    **given: Ints | int | Reason,
) -> Columns:
    """Rows from arrays of one length; what is not given is null. A single value goes for all rows.

    Wide columns may be arrays without nulls, signed or not: their 64 bits are kept.
    """
    count = len(time_ns)
    code = KIND[kind] if isinstance(kind, TraceKind) else kind
    narrow: dict[str, Ints] = {}
    values: dict[str, Ints | int] = {"time_ns": time_ns, "seq": seq, "cpu": cpu}
    values |= {"kind": code, "probe": probe}
    for name, value in given.items():
        values[name] = REASON[value] if isinstance(value, Reason) else value
    for name, kind_of in NARROW.items():
        value = values.pop(name, NULL)
        narrow[name] = (
            np.full(count, value, dtype=kind_of)
            if isinstance(value, int)
            else np.asarray(value).astype(kind_of, copy=False)
        )
    if values:
        raise TypeError(f"no column {', '.join(values)}")
    return Columns(**narrow, wide={name: _wide(value) for name, value in (wide or {}).items()})


def _wide(value: npt.NDArray[np.integer] | Wide) -> Wide:
    if isinstance(value, Wide):
        return value
    bits = value.view(np.uint64) if value.dtype == np.int64 else value.astype(np.uint64)
    return Wide(bits, np.ones(len(value), dtype=np.bool_))


def join(parts: Sequence[Columns]) -> Columns:
    """All rows, piece after piece."""
    return parts[0] if len(parts) == 1 else _joined(parts, None)


def merge(parts: Sequence[Columns]) -> Columns:
    """All rows in canonical order: (time_ns, cpu, seq)."""
    # Column by column: rows joined first and then put in order would be there three times.
    order = canonical_order(*(_column(parts, name) for name in ("time_ns", "cpu", "seq")))
    return join(parts) if order is None else _joined(parts, order)


def canonical_order(
    time_ns: npt.NDArray[np.int64], cpu: Ints, seq: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64] | None:
    """The places of rows in canonical order, None when they are in it. Nearly sorted is fast."""
    if _is_ordered(time_ns, cpu, seq):
        return None
    by_time = np.argsort(time_ns, kind="stable")
    if _is_ordered(time_ns[by_time], cpu[by_time], seq[by_time]):
        return by_time
    return np.lexsort((seq, cpu, time_ns))


def _is_ordered(time_ns: npt.NDArray[np.int64], cpu: Ints, seq: npt.NDArray[np.int64]) -> bool:
    same = time_ns[1:] == time_ns[:-1]
    placed = (time_ns[1:] > time_ns[:-1]) | (same & (cpu[1:] > cpu[:-1]))
    placed |= same & (cpu[1:] == cpu[:-1]) & (seq[1:] >= seq[:-1])
    return bool(placed.all())


def _joined(parts: Sequence[Columns], order: npt.NDArray[np.int64] | None) -> Columns:
    narrow = {name: _column(parts, name, order) for name in NARROW}
    wide = {}
    for name in WIDE:
        if any(name in part.wide for part in parts):
            have = [part.wide.get(name) or _none(len(part)) for part in parts]
            column = Wide(
                np.concatenate([w.values for w in have]), np.concatenate([w.known for w in have])
            )
            wide[name] = column if order is None else column.take(order)
    return Columns(**narrow, wide=wide)


def _column(
    parts: Sequence[Columns], name: str, order: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[Any]:
    pieces = [getattr(part, name) for part in parts]
    if not pieces:
        return np.zeros(0, dtype=NARROW[name])
    column: npt.NDArray[Any] = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
    return column if order is None else column[order]


def _none(count: int) -> Wide:
    return Wide(np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.bool_))


def switches(
    time_ns: npt.NDArray[np.int64],
    record: npt.NDArray[np.int64],
    cpu: Ints,
    probe: int,
    *,
    prev: Side,
    next: Side,
    off_kind: Ints,
    off_reason: Ints,
    prev_state: npt.NDArray[np.integer] | Wide | None,
) -> Columns:
    """Two rows for each switch: what goes off its CPU (none for idle, tid 0), then what comes on.

    `record` is the record's ordinal: the rows' seq is twice that, plus one for what comes on. A
    `prev.tid` of NULL (the source does not know who went off) makes no row for it either.
    """
    leaves = prev.tid > 0
    off = rows(
        time_ns[leaves],
        2 * record[leaves],
        cpu[leaves],
        off_kind[leaves],
        probe,
        tid=prev.tid[leaves],
        pid=prev.pid[leaves] if prev.pid is not None else NULL,
        comm=prev.comm[leaves] if prev.comm is not None else NULL,
        other_tid=next.tid[leaves],
        reason=off_reason[leaves],
        wide={} if prev_state is None else {"prev_state": _wide(prev_state).take(leaves)},
    )
    idle = next.tid == 0
    on = rows(
        time_ns,
        2 * record + 1,
        cpu,
        np.where(idle, KIND[TraceKind.CPU_IDLE], KIND[TraceKind.TASK_SCHEDULED]),
        probe,
        tid=next.tid,
        pid=next.pid if next.pid is not None else NULL,
        comm=next.comm if next.comm is not None else NULL,
        other_tid=prev.tid,
    )
    return join([off, on])


@dataclass(frozen=True)
class Side:
    """The tasks on one side of switches. pid (thread group) and comm are NULL where unknown."""

    tid: Ints
    pid: Ints | None = None
    comm: Ints | None = None


# The state word of the tracepoint sched_switch (__trace_sched_switch_state, include/trace/events/
# sched.h, 7.2): the task's state without the bits that ps does not report, or 0x100 when the task
# was preempted in the kernel. 0x80 there is TASK_IDLE, not TASK_DEAD.
STATE_PREEMPTED = 0x100
STATE_DEAD = 0x10 | 0x20
STATE_ASLEEP = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80


def off_cpu(
    state: npt.NDArray[np.integer], yielded: Bools | None = None, sees_yields: bool = False
) -> tuple[Ints, Ints]:
    """Codes of kind and reason for tasks that went off their CPU with these sched_switch states.

    A task that could have gone on was preempted: reason `preempt` when 0x100 says so, or when the
    source sees yields and none came, else `unknown`. `yielded` are those with proof of a yield.
    """
    state = state.astype(np.uint64)
    if yielded is None:
        yielded = np.zeros(len(state), dtype=np.bool_)
    runnable = state == 0
    tests = [
        (state & np.uint64(STATE_PREEMPTED)) != 0,
        (state & np.uint64(STATE_DEAD)) != 0,
        runnable & yielded,
        runnable,
        (state & ~np.uint64(STATE_ASLEEP)) == 0,
    ]
    outcomes = [
        (TraceKind.TASK_PREEMPTED, Reason.PREEMPT),
        (TraceKind.TASK_COMPLETED, Reason.EXIT),
        (TraceKind.TASK_YIELDED, Reason.YIELD),
        (TraceKind.TASK_PREEMPTED, Reason.PREEMPT if sees_yields else Reason.UNKNOWN),
        (TraceKind.TASK_SLEPT, Reason.SLEEP),
    ]
    kind = np.select(tests, [KIND[k] for k, _ in outcomes], KIND[TraceKind.TASK_SLEPT])
    reason = np.select(tests, [REASON[r] for _, r in outcomes], REASON[Reason.UNKNOWN])
    return kind.astype(np.int8), reason.astype(np.int8)


@dataclass
class Names:
    """Task names seen so far, each with one code: its place in `list`."""

    code: dict[str, int] = field(default_factory=dict)

    @property
    def list(self) -> list[str]:
        """The names by code."""
        return list(self.code)

    def of(self, name: str) -> int:
        """The code of one name."""
        return self.code.setdefault(name, len(self.code))

    def codes(self, raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Codes of names given as an (n, 16) array of zero-padded bytes."""
        blob = pa.py_buffer(np.ascontiguousarray(raw))
        column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(raw), [None, blob])
        encoded = column.dictionary_encode()
        seen = [
            name.rstrip(b"\0").decode("utf-8", "replace") for name in encoded.dictionary.to_pylist()
        ]
        known = np.array([self.of(name) for name in seen], dtype=np.int64)
        indices = encoded.indices.to_numpy()
        return known[indices] if len(known) else np.zeros(0, dtype=np.int64)


def complete_tasks(columns: Columns) -> Columns:
    """Fill pid and comm from the same tid's other rows: nearest before, else nearest after.

    A TaskForked row begins another life of its tid, across which nothing is taken. Idle is pid 0.
    Rows must be in order; evidence rows take part.
    """
    tid = columns.tid
    of_task = np.flatnonzero(tid > 0)
    order = of_task[_stable_order(tid[of_task])]
    comm, pid = columns.comm.copy(), columns.pid.copy()
    if len(order):
        born = columns.kind[order] == KIND[TraceKind.TASK_FORKED]
        life = np.append(True, tid[order][1:] != tid[order][:-1]) | born
        for values in (comm, pid):
            values[order] = _carried(values[order], life)
    pid[tid == 0] = 0
    return replace(columns, comm=comm, pid=pid)


def _stable_order(tid: Ints) -> npt.NDArray[np.int64]:
    """Stable sorting permutation; 16-bit keys are sorted by radix, several times faster."""
    distinct = pa.array(tid).dictionary_encode()
    codes = distinct.indices.to_numpy()
    small = codes.astype(np.uint16) if len(distinct.dictionary) < 1 << 16 else codes
    return np.argsort(small, kind="stable")


def _carried(values: Ints, life: Bools) -> Ints:
    """Replace NULL by the nearest value before it in the same life, else the nearest after it."""
    count = len(values)
    # Half the width of numpy's own places: these arrays are the most that a conversion holds.
    number: Any = np.int32 if count < 1 << 31 else np.int64
    place = np.arange(count, dtype=number)
    known = values >= 0
    begin = np.maximum.accumulate(np.where(life, place, number(0)))
    before = np.maximum.accumulate(np.where(known, place, number(-1)))
    after = np.where(known, place, number(count))[::-1]
    after = np.minimum.accumulate(after)[::-1]
    alive = begin[np.minimum(after, count - 1)] == begin
    nearest = np.where(alive, after, number(count))
    np.copyto(nearest, before, where=before >= begin)
    extended: Ints = np.append(values, values.dtype.type(NULL))
    return extended[nearest]


def to_table(
    columns: Columns,
    comms: Iterable[str],
    probes: Iterable[str],
    kinds: Sequence[str] = KINDS,
) -> pa.Table:
    """The event table of rows in order; evidence is dropped. `kinds` are the kinds' names by code."""
    # Column by column: all of them twice would be the most that a conversion ever holds.
    real = columns.kind >= 0
    keep: Bools | slice = slice(None) if real.all() else real
    made = {
        "time_ns": pa.array(columns.time_ns[keep]),
        "cpu": pa.array(columns.cpu[keep]),
        "kind": _text(columns.kind[keep], [str(kind) for kind in kinds]),
        "comm": _text(columns.comm[keep], list(comms)),
        "reason": _text(columns.reason[keep], [str(reason) for reason in REASONS]),
        "probe": _text(columns.probe[keep], list(probes)),
        "seq": pa.array(columns.seq[keep]),
    }
    for name in _NULLABLE:
        values = getattr(columns, name)[keep]
        typed = values.astype(np.bool_) if name == "success" else values
        made[name] = pa.array(typed, mask=values < 0)
    for name in WIDE:
        wide = columns.wide.get(name)
        kind = EVENT_SCHEMA.field(name).type
        if wide is None:
            made[name] = pa.nulls(len(made["seq"]), kind)
        else:
            values = wide.values[keep]
            typed = values.view(np.int64) if kind == pa.int64() else values
            made[name] = pa.array(typed, mask=~wide.known[keep])
    return pa.table([made[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)


def _text(codes: Ints, values: list[str]) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))

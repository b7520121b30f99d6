# SPDX-License-Identifier: MIT
"""Finds in an event table what metrics are made of: who had each CPU, and who waited, when.

Everything is arrays and whole-column operations. Two passes: by CPU (slices, idle periods,
stretches that no record explains) and by task (waits, migrations, dispatch queue latencies). Rows
are taken in the order (time_ns, seq): for one task on several CPUs the source's own order decides a
tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.errors import ScxvalError
from scxval.events.schema import Reason, TraceKind

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

# The columns of the event table that the metrics read.
COLUMNS = ["time_ns", "cpu", "kind", "tid", "comm", "dsq_id", "reason", "seq"]

# Before the first and after the last record: clipped to the window by every metric.
EVER = int(np.iinfo(np.int64).min)
NEVER = int(np.iinfo(np.int64).max)

NO_TASK = -1

# Row classes; every other kind is dropped.
_IN, _IDLE, _SLEPT, _COMPLETED, _PREEMPTED, _YIELDED, _END, _WOKE, _INSERT = range(1, 10)
_CLASS: dict[str, int] = {
    TraceKind.TASK_SCHEDULED: _IN,
    TraceKind.CPU_IDLE: _IDLE,
    TraceKind.TASK_SLEPT: _SLEPT,
    TraceKind.TASK_COMPLETED: _COMPLETED,
    TraceKind.TASK_PREEMPTED: _PREEMPTED,
    TraceKind.TASK_YIELDED: _YIELDED,
    TraceKind.SIMULATION_END: _END,
    TraceKind.TASK_WOKE: _WOKE,
    TraceKind.DSQ_INSERT: _INSERT,
    TraceKind.DSQ_INSERT_VTIME: _INSERT,
}
_VOLUNTARY = (_SLEPT, _COMPLETED)
_INVOLUNTARY = (_PREEMPTED, _YIELDED)


@dataclass(frozen=True)
class Spans:
    """Stretches [start_ns, end_ns) on a CPU; `comm` indexes Trace.comms, NO_TASK without a task.

    EVER and NEVER stand for a start before the first and an end after the last record.
    """

    start_ns: I64
    end_ns: I64
    cpu: I64
    tid: I64
    comm: I64


@dataclass(frozen=True)
class Waits:
    """Stretches in which a task was runnable and not running; NEVER: still waiting at the end.

    `by_waking`: it began with the first waking since the task left its CPU, not with a preemption.
    """

    start_ns: I64
    end_ns: I64
    tid: I64
    comm: I64
    by_waking: Bools


@dataclass(frozen=True)
class Points:
    """Switch-ins or switch-outs; what `mark` means stands at the field that holds them."""

    time_ns: I64
    cpu: I64
    tid: I64
    comm: I64
    mark: Bools


@dataclass(frozen=True)
class Inserts:
    """The last dispatch queue insert before a switch-in; `known` is false where the id is null."""

    insert_ns: I64
    switch_in_ns: I64
    comm: I64
    dsq_id: U64
    known: Bools


@dataclass(frozen=True)
class Trace:
    """One event table, taken apart. `seen_cpus`: CPUs with a switch anywhere in the table."""

    comms: list[str]
    seen_cpus: I64
    slices: Spans
    idle: Spans
    unknown: Spans
    # mark: the switch does not fit the one before it on its CPU.
    broken: Points
    # mark: on another CPU than the task's switch-in before.
    switch_ins: Points
    # mark: voluntary.
    switch_outs: Points
    # mark: after a sleep, with no waking in between.
    unmatched: Points
    waits: Waits
    inserts: Inserts


@dataclass(frozen=True)
class _Rows:
    """The rows that matter, in (time_ns, seq) order. `comm` holds the name of the activation."""

    time_ns: I64
    cpu: I64
    kind: npt.NDArray[np.int8]
    tid: I64
    comm: I64
    dsq_id: U64
    dsq_known: Bools
    waking: Bools

    def take(self, index: I64 | Bools) -> _Rows:
        return _Rows(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def take_apart(events: pa.Table) -> Trace:
    """Find slices, idle periods, waits and switches in an event table (schema EVENT_SCHEMA).

    Raises ScxvalError when a switch names no task.
    """
    rows, comms = _rows(events)
    on_cpu = (rows.kind >= _IN) & (rows.kind <= _END)
    switches = np.flatnonzero(on_cpu)
    switches = switches[np.argsort(rows.cpu[switches].astype(np.int16), kind="stable")]
    slices, idle, unknown, broken, in_row, out_row = _by_cpu(rows, switches)
    # A thread renames itself while it runs (rt-app does so first thing): a slice, and the wait that
    # led to it, bear the name at the switch-out.
    both = (in_row >= 0) & (out_row >= 0)
    rows.comm[in_row[both]] = rows.comm[out_row[both]]
    tasks = np.flatnonzero((rows.tid > 0) & (rows.kind != _IDLE))
    tasks = tasks[np.argsort(_codes(rows.tid[tasks]), kind="stable")]
    by_task = rows.take(tasks)
    life = _lives(by_task)
    waits, unmatched = _waits(by_task, life)
    out = np.isin(rows.kind, _VOLUNTARY + _INVOLUNTARY)
    return Trace(
        comms=comms,
        seen_cpus=np.unique(rows.cpu[on_cpu]),
        slices=slices,
        idle=idle,
        unknown=unknown,
        broken=broken,
        switch_ins=_switch_ins(by_task, life),
        switch_outs=_points(rows, np.flatnonzero(out), np.isin(rows.kind, _VOLUNTARY)[out]),
        unmatched=unmatched,
        waits=waits,
        inserts=_inserts(by_task, life),
    )


def _rows(events: pa.Table) -> tuple[_Rows, list[str]]:
    table = events.select(COLUMNS).unify_dictionaries().combine_chunks()
    kinds, kind_names = _dictionary(table, "kind")
    kind = np.array([*(_CLASS.get(name, 0) for name in kind_names), 0], dtype=np.int8)[kinds]
    order = np.flatnonzero(kind)
    time_ns, seq = _numbers(table, "time_ns"), _numbers(table, "seq")
    order = order[np.lexsort((seq[order], time_ns[order]))]
    kind = kind[order]
    tid = _numbers(table, "tid")[order]
    _refuse_nameless(kind, tid, seq[order])
    tid[kind == _IDLE] = 0
    # Some sources report idle as a task with tid 0.
    kind[(kind == _IN) & (tid == 0)] = _IDLE
    comm, comms = _comm(table, order, tid)
    dsq_id, dsq_known = _dsq(table, order)
    reasons, reason_names = _dictionary(table, "reason")
    is_waking = np.array([name == Reason.WAKING for name in reason_names] + [False])
    woke = kind == _WOKE
    waking = woke & is_waking[reasons[order]]
    if not waking.any():
        waking = woke
    cpu = _numbers(table, "cpu")[order]
    return _Rows(time_ns[order], cpu, kind, tid, comm, dsq_id, dsq_known, waking), comms


def _refuse_nameless(kind: npt.NDArray[np.int8], tid: I64, seq: I64) -> None:
    bad = np.flatnonzero((kind >= _IN) & (kind <= _YIELDED) & (kind != _IDLE) & (tid < 0))
    if bad.size:
        raise ScxvalError(
            f"event table: {bad.size} switch rows without a tid (first: seq {seq[bad[0]]}); "
            "mend the converter: a switch must name its task"
        )


def _column(table: pa.Table, name: str) -> pa.Array:
    chunked = table[name]
    return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)


def _numbers(table: pa.Table, name: str) -> I64:
    """An integer column as int64; null is -1."""
    array = _column(table, name).fill_null(-1)
    numbers: I64 = array.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _dictionary(table: pa.Table, name: str) -> tuple[I64, list[str]]:
    """A dictionary column's indices, null as -1 (so that a list with one more item answers it)."""
    array = _column(table, name)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, array.dictionary.to_pylist()


def _dsq(table: pa.Table, order: I64) -> tuple[U64, Bools]:
    array = _column(table, "dsq_id")
    known = array.is_valid().to_numpy(zero_copy_only=False)[order]
    ids = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)[order]
    return ids, known


def _comm(table: pa.Table, order: I64, tid: I64) -> tuple[I64, list[str]]:
    """Names by code, each once; a task that the source gives no name is called `tid <n>`."""
    codes, names = _dictionary(table, "comm")
    codes = codes[order]
    unique = list(dict.fromkeys(names))
    position = {name: index for index, name in enumerate(unique)}
    codes = np.array([position[name] for name in names] + [NO_TASK], dtype=np.int64)[codes]
    nameless = codes < 0
    if nameless.any():
        tids, inverse = np.unique(tid[nameless], return_inverse=True)
        codes[nameless] = len(unique) + inverse
        unique += [f"tid {number}" for number in tids]
    return codes, unique


def _codes(values: I64) -> npt.NDArray[np.integer]:
    """Dense codes, in 16 bits when they fit: numpy then sorts by radix, which is linear."""
    unique, inverse = np.unique(values, return_inverse=True)
    small = unique.size <= np.iinfo(np.uint16).max
    return inverse.astype(np.uint16) if small else inverse


def _points(rows: _Rows, index: I64, mark: Bools) -> Points:
    return Points(rows.time_ns[index], rows.cpu[index], rows.tid[index], rows.comm[index], mark)


def _by_cpu(rows: _Rows, order: I64) -> tuple[Spans, Spans, Spans, Points, I64, I64]:
    """Cut each CPU's time at its switches and say whose each piece was.

    A piece is a slice only if the switch that opens it and the one that ends it name the same task;
    it is idle only if the next switch does not say that a task went off. Anything else is unknown,
    and the switch that does not fit is broken (records were lost).
    """
    # Repeated idle records continue one idle period.
    kind, cpu = rows.kind[order], rows.cpu[order]
    again = np.zeros(order.size, dtype=np.bool_)
    again[1:] = (kind[1:] == _IDLE) & (kind[:-1] == _IDLE) & (cpu[1:] == cpu[:-1])
    order = order[~again]
    # One piece before each switch, and one after the last switch of each CPU. -1: no switch.
    last = np.ones(order.size, dtype=np.bool_)
    last[:-1] = rows.cpu[order[1:]] != rows.cpu[order[:-1]]
    opens = np.concatenate([np.where(np.roll(last, 1), -1, np.roll(order, 1)), order[last]])
    ends = np.concatenate([order, np.full(int(last.sum()), -1, dtype=np.int64)])
    opened, ended = opens >= 0, ends >= 0
    open_kind = np.where(opened, rows.kind[opens], 0)
    end_kind = np.where(ended, rows.kind[ends], 0)
    end_tid = rows.tid[ends]
    # SimulationEnd may name no task: it ends whatever the CPU did.
    anyone = (end_kind == _END) & (end_tid <= 0)
    goes_off = (end_kind >= _SLEPT) & (end_kind <= _END) & ~anyone
    same = goes_off & (end_tid == rows.tid[opens])
    slice_ = ((open_kind == _IN) & (same | anyone | ~ended)) | (~opened & goes_off)
    idle = ((open_kind == _IDLE) | ~opened) & ~goes_off
    start = np.where(opened, rows.time_ns[opens], EVER)
    end = np.where(ended, rows.time_ns[ends], NEVER)
    # A switch is two records with one time: off, then on.
    handover = (open_kind >= _SLEPT) & (end_kind <= _IDLE) & (end == start)
    unknown = ~slice_ & ~idle & ~handover
    broken = unknown & ended
    cpu = rows.cpu[np.where(ended, ends, opens)]
    owner = np.where(ended & ~anyone, ends, opens)
    nobody = np.full(owner.size, NO_TASK, dtype=np.int64)

    def spans(mask: Bools, tid: I64, comm: I64) -> Spans:
        return Spans(start[mask], end[mask], cpu[mask], tid[mask], comm[mask])

    return (
        spans(slice_, rows.tid[owner], rows.comm[owner]),
        spans(idle, nobody, nobody),
        spans(unknown, nobody, nobody),
        Points(end[broken], cpu[broken], nobody[broken], nobody[broken], broken[broken]),
        opens[slice_],
        np.where(anyone, -1, ends)[slice_],
    )


def _lives(rows: _Rows) -> I64:
    """A number for each task's life: a tid that completed and comes back is another task."""
    start = np.ones(rows.tid.size, dtype=np.bool_)
    start[1:] = (rows.tid[1:] != rows.tid[:-1]) | (rows.kind[:-1] == _COMPLETED)
    return np.cumsum(start, dtype=np.int64)


def _same(life: I64, row: I64, other: I64) -> Bools:
    """Whether `other` (an index, possibly past the end) is a row of the same life as `row`."""
    inside = other < life.size
    same: Bools = inside & (life[np.where(inside, other, 0)] == life[row])
    return same


def _segments(opens: Bools, life: I64) -> tuple[I64, I64, I64]:
    """Cut the rows before every row in `opens` and before every new life.

    Returns each row's segment, each segment's first row, and the first row of the next segment.
    """
    opens = opens.copy()
    opens[:1] = True
    opens[1:] |= life[1:] != life[:-1]
    first = np.flatnonzero(opens)
    return np.cumsum(opens) - 1, first, np.append(first, life.size)[1:]


def _switch_ins(rows: _Rows, life: I64) -> Points:
    ins = np.flatnonzero(rows.kind == _IN)
    moved = np.zeros(ins.size, dtype=np.bool_)
    moved[1:] = (life[ins[1:]] == life[ins[:-1]]) & (rows.cpu[ins[1:]] != rows.cpu[ins[:-1]])
    return _points(rows, ins, moved)


def _waits(rows: _Rows, life: I64) -> tuple[Waits, Points]:
    """Waits, and the switch-ins whose wait began nobody knows when.

    Between two switches of a task it is in one state. After a preemption or yield it waits at once;
    after a sleep, or at its first appearance, from the first wakeup record on: those that follow
    before the switch-in (another waker, or sched_wakeup after sched_waking) change nothing.
    """
    woke = np.flatnonzero(rows.kind == _WOKE)
    switch = (rows.kind != _WOKE) & (rows.kind != _INSERT)
    segment, opener, following = _segments(switch, life)
    wake = np.full(opener.size, -1, dtype=np.int64)
    firsts, position = np.unique(segment[woke], return_index=True)
    wake[firsts] = woke[position]
    state = rows.kind[opener]
    pushed = (state == _PREEMPTED) | (state == _YIELDED)
    off = (state == _SLEPT) | (state == _WOKE) | (state == _INSERT)
    begun = np.where(pushed, opener, np.where(off, wake, -1))
    more = _same(life, opener, following)
    runs = more & (rows.kind[np.where(more, following, 0)] == _IN)
    # The other case, a switch-out without its switch-in, has lost its end.
    valid = (begun >= 0) & (runs | ~more)
    begin, ends, in_time = begun[valid], following[valid], runs[valid]
    end_row = np.where(in_time, ends, begin)
    waits = Waits(
        start_ns=rows.time_ns[begin],
        end_ns=np.where(in_time, rows.time_ns[end_row], NEVER),
        tid=rows.tid[begin],
        comm=rows.comm[end_row],
        by_waking=off[valid] & rows.waking[begin],
    )
    unmatched = following[(state == _SLEPT) & (wake < 0) & runs]
    return waits, _points(rows, unmatched, np.ones(unmatched.size, dtype=np.bool_))


def _inserts(rows: _Rows, life: I64) -> Inserts:
    """The last insert before each switch-in.

    A re-enqueue at put_prev comes before the switch-out, so inserts while the task still runs
    count; one that is followed by a sleep was used up or cancelled.
    """
    segment, opener, following = _segments(np.isin(rows.kind, (_IN, _SLEPT, _COMPLETED)), life)
    inserts = np.flatnonzero(rows.kind == _INSERT)
    last = np.full(opener.size, -1, dtype=np.int64)
    last[segment[inserts]] = inserts
    more = _same(life, opener, following)
    runs = more & (rows.kind[np.where(more, following, 0)] == _IN)
    valid = runs & (last >= 0)
    insert, switch_in = last[valid], following[valid]
    return Inserts(
        insert_ns=rows.time_ns[insert],
        switch_in_ns=rows.time_ns[switch_in],
        comm=rows.comm[switch_in],
        dsq_id=rows.dsq_id[insert],
        known=rows.dsq_known[insert],
    )


def comm_codes(trace: Trace, names: Sequence[str] | frozenset[str]) -> I64:
    """The codes of those names that the trace knows."""
    return np.array([i for i, comm in enumerate(trace.comms) if comm in names], dtype=np.int64)

# SPDX-License-Identifier: MIT
"""Finds in an event table what metrics are made of: who had each CPU, and who waited, when.

Everything is arrays and whole-column operations. Two passes: by CPU (slices, idle periods,
stretches that no record explains) and by task (waits, migrations, dispatch queue latencies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scxval.events.metrics.frequency import Frequencies, frequencies
from scxval.events.metrics.processes import leaders
from scxval.events.metrics.queues import Insertions, insertions
from scxval.events.metrics.rows import (
    COMPLETED,
    END,
    I64,
    IDLE,
    IN,
    INSERT,
    NO_TASK,
    PREEMPTED,
    SLEPT,
    U64,
    WOKE,
    YIELDED,
    Bools,
    Rows,
    dense_codes,
    read_rows,
    unsigned,
    whole,
)

# Before the first and after the last record: clipped to the window by every metric.
EVER = int(np.iinfo(np.int64).min)
NEVER = int(np.iinfo(np.int64).max)

_VOLUNTARY = (SLEPT, COMPLETED)
_INVOLUNTARY = (PREEMPTED, YIELDED)


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
    `process` indexes Trace.processes, NO_TASK where the source names no thread group.
    """

    start_ns: I64
    end_ns: I64
    tid: I64
    comm: I64
    process: I64
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
    # Names of thread group leaders.
    processes: list[str]
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
    # The last before each switch-in, and every one.
    inserts: Inserts
    insertions: Insertions
    frequencies: Frequencies


def take_apart(events: pa.Table) -> Trace:
    """Find slices, idle periods, waits and switches in an event table (schema EVENT_SCHEMA).

    Raises ScxvalError when a switch names no task.
    """
    table = whole(events)
    rows, comms = read_rows(table)
    on_cpu = (rows.kind >= IN) & (rows.kind <= END)
    switches = np.flatnonzero(on_cpu)
    switches = switches[np.argsort(rows.cpu[switches].astype(np.int16), kind="stable")]
    slices, idle, unknown, broken, in_row, out_row = _by_cpu(rows, switches)
    # A thread renames itself while it runs (rt-app does so first thing): a slice, and the wait that
    # led to it, bear the name at the switch-out.
    both = (in_row >= 0) & (out_row >= 0)
    rows.comm[in_row[both]] = rows.comm[out_row[both]]
    tasks = np.flatnonzero((rows.tid > 0) & (rows.kind != IDLE))
    tasks = tasks[np.argsort(dense_codes(rows.tid[tasks]), kind="stable")]
    by_task = rows.take(tasks)
    life = _lives(by_task)
    leader, processes = leaders(by_task, life, tasks, comms)
    waits, unmatched = _waits(by_task, life, leader)
    out = np.isin(rows.kind, _VOLUNTARY + _INVOLUNTARY)
    return Trace(
        comms=comms,
        processes=processes,
        seen_cpus=np.unique(rows.cpu[on_cpu]),
        slices=slices,
        idle=idle,
        unknown=unknown,
        broken=broken,
        switch_ins=_switch_ins(by_task, life),
        switch_outs=_points(rows, np.flatnonzero(out), np.isin(rows.kind, _VOLUNTARY)[out]),
        unmatched=unmatched,
        waits=waits,
        inserts=_inserts(by_task, life, table),
        insertions=insertions(table, rows),
        frequencies=frequencies(table),
    )


def _points(rows: Rows, index: I64, mark: Bools) -> Points:
    return Points(rows.time_ns[index], rows.cpu[index], rows.tid[index], rows.comm[index], mark)


def _by_cpu(rows: Rows, order: I64) -> tuple[Spans, Spans, Spans, Points, I64, I64]:
    """Cut each CPU's time at its switches and say whose each piece was.

    A piece is a slice only if the switch that opens it and the one that ends it name the same task;
    it is idle only if the next switch does not say that a task went off. Anything else is unknown,
    and the switch that does not fit is broken (records were lost).
    """
    # Repeated idle records continue one idle period.
    kind, cpu = rows.kind[order], rows.cpu[order]
    again = np.zeros(order.size, dtype=np.bool_)
    again[1:] = (kind[1:] == IDLE) & (kind[:-1] == IDLE) & (cpu[1:] == cpu[:-1])
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
    anyone = (end_kind == END) & (end_tid <= 0)
    goes_off = (end_kind >= SLEPT) & (end_kind <= END) & ~anyone
    same = goes_off & (end_tid == rows.tid[opens])
    slice_ = ((open_kind == IN) & (same | anyone | ~ended)) | (~opened & goes_off)
    idle = ((open_kind == IDLE) | ~opened) & ~goes_off
    start = np.where(opened, rows.time_ns[opens], EVER)
    end = np.where(ended, rows.time_ns[ends], NEVER)
    # A switch is two records with one time: off, then on.
    handover = (open_kind >= SLEPT) & (end_kind <= IDLE) & (end == start)
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


def _lives(rows: Rows) -> I64:
    """A number for each task's life: a tid that completed and comes back is another task."""
    start = np.ones(rows.tid.size, dtype=np.bool_)
    start[1:] = (rows.tid[1:] != rows.tid[:-1]) | (rows.kind[:-1] == COMPLETED)
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


def _switch_ins(rows: Rows, life: I64) -> Points:
    ins = np.flatnonzero(rows.kind == IN)
    moved = np.zeros(ins.size, dtype=np.bool_)
    moved[1:] = (life[ins[1:]] == life[ins[:-1]]) & (rows.cpu[ins[1:]] != rows.cpu[ins[:-1]])
    return _points(rows, ins, moved)


def _waits(rows: Rows, life: I64, leader: I64) -> tuple[Waits, Points]:
    """Waits, and the switch-ins whose wait began nobody knows when.

    Between two switches of a task it is in one state. After a preemption or yield it waits at once;
    after a sleep, or at its first appearance, from the first wakeup record on: those that follow
    before the switch-in (another waker, or sched_wakeup after sched_waking) change nothing.
    """
    woke = np.flatnonzero(rows.kind == WOKE)
    switch = (rows.kind != WOKE) & (rows.kind != INSERT)
    segment, opener, following = _segments(switch, life)
    wake = np.full(opener.size, -1, dtype=np.int64)
    firsts, position = np.unique(segment[woke], return_index=True)
    wake[firsts] = woke[position]
    state = rows.kind[opener]
    pushed = (state == PREEMPTED) | (state == YIELDED)
    off = (state == SLEPT) | (state == WOKE) | (state == INSERT)
    begun = np.where(pushed, opener, np.where(off, wake, -1))
    more = _same(life, opener, following)
    runs = more & (rows.kind[np.where(more, following, 0)] == IN)
    # The other case, a switch-out without its switch-in, has lost its end.
    valid = (begun >= 0) & (runs | ~more)
    begin, ends, in_time = begun[valid], following[valid], runs[valid]
    end_row = np.where(in_time, ends, begin)
    waits = Waits(
        start_ns=rows.time_ns[begin],
        end_ns=np.where(in_time, rows.time_ns[end_row], NEVER),
        tid=rows.tid[begin],
        comm=rows.comm[end_row],
        process=leader[end_row],
        by_waking=off[valid] & rows.waking[begin],
    )
    unmatched = following[(state == SLEPT) & (wake < 0) & runs]
    return waits, _points(rows, unmatched, np.ones(unmatched.size, dtype=np.bool_))


def _inserts(rows: Rows, life: I64, table: pa.Table) -> Inserts:
    """The last insert before each switch-in.

    A re-enqueue at put_prev comes before the switch-out, so inserts while the task still runs
    count; one that is followed by a sleep was used up or cancelled.
    """
    segment, opener, following = _segments(np.isin(rows.kind, (IN, SLEPT, COMPLETED)), life)
    inserts = np.flatnonzero(rows.kind == INSERT)
    last = np.full(opener.size, -1, dtype=np.int64)
    last[segment[inserts]] = inserts
    more = _same(life, opener, following)
    runs = more & (rows.kind[np.where(more, following, 0)] == IN)
    valid = runs & (last >= 0)
    insert, switch_in = last[valid], following[valid]
    dsq_id, known = unsigned(table, "dsq_id", rows.place[insert])
    return Inserts(
        insert_ns=rows.time_ns[insert],
        switch_in_ns=rows.time_ns[switch_in],
        comm=rows.comm[switch_in],
        dsq_id=dsq_id,
        known=known,
    )


def comm_codes(trace: Trace, names: Sequence[str] | frozenset[str]) -> I64:
    """The codes of those names that the trace knows."""
    return np.array([i for i, comm in enumerate(trace.comms) if comm in names], dtype=np.int64)

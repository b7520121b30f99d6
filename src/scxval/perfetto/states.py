# SPDX-License-Identifier: MIT
"""Who ran, waited and slept, when: spans of CPUs and of tasks, with the rows that began and ended them.

What the metrics count (scxval.events.metrics) is what is drawn: slices, waits and stretches that no record
explains are theirs. A stretch that the source cannot know about is in no span.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.events.metrics.rows import (
    COMPLETED,
    I64,
    IDLE,
    IN,
    INSERT,
    SLEPT,
    WOKE,
    Bools,
    Rows,
    dense_codes,
    read_rows,
    whole,
)
from scxval.events.metrics.trace import NEVER, Spans, Trace, take_apart
from scxval.events.schema import TraceKind

NO_ROW = -1
# The states of a task.
RUNNING, RUNNABLE, ASLEEP = range(3)


@dataclass(frozen=True)
class Slices:
    """Who had which CPU: `spans`, and rows of the event table that each is from (NO_ROW: none).

    `left` took the task off its CPU, `insert` put it into a dispatch queue last before it ran, `woke` is
    the first wakeup of the wait that ended with it.
    """

    spans: Spans
    left: I64
    insert: I64
    woke: I64


@dataclass(frozen=True)
class TaskStates:
    """Every task's states; `left` is the row that took it off its CPU, of running and asleep.

    `cpu` is where it ran, -1 in other states. `cut` marks spans that end where the task's next begins, and
    not where their own records say: these contradict each other.
    """

    start_ns: I64
    end_ns: I64
    tid: I64
    state: npt.NDArray[np.int8]
    cpu: I64
    left: I64
    cut: Bools


@dataclass(frozen=True)
class States:
    """All that is known about who did what."""

    trace: Trace
    slices: Slices
    tasks: TaskStates


def read_states(events: pa.Table, kinds: Collection[str]) -> States:
    """The states that an event table tells of; `kinds` are those that its source can see."""
    trace = take_apart(events)
    rows, _ = read_rows(whole(events))
    by_task = rows.take(task_order(rows))
    slices = _slices(trace, by_task)
    sleeps = _sleeps(by_task) if TraceKind.TASK_WOKE in kinds else np.zeros((0, 3), np.int64)
    return States(trace, slices, _task_states(trace, slices, by_task, sleeps))


def task_order(rows: Rows) -> I64:
    """The places of rows of tasks, task after task, each in the order of time."""
    tasks = np.flatnonzero((rows.tid > 0) & (rows.kind != IDLE))
    return tasks[np.argsort(dense_codes(rows.tid[tasks]), kind="stable")]


def find_rows(rows: Rows, which: Bools, tid: I64, time_ns: I64) -> I64:
    """The event table's row of each (tid, time) among these rows, the first of several; else NO_ROW."""
    at = np.flatnonzero(which)
    if not len(at) or not len(tid):
        return np.full(len(tid), NO_ROW, dtype=np.int64)
    times = np.unique(rows.time_ns[at])
    rank = np.searchsorted(times, time_ns)
    inside = rank < len(times)
    inside &= times[np.where(inside, rank, 0)] == time_ns
    have = rows.tid[at] * len(times) + np.searchsorted(times, rows.time_ns[at])
    order = np.argsort(have, kind="stable")
    have, at = have[order], at[order]
    want = tid * len(times) + np.where(inside, rank, 0)
    place = np.minimum(np.searchsorted(have, want), len(have) - 1)
    found = inside & (have[place] == want)
    return np.where(found, rows.place[at[place]], NO_ROW)


def _slices(trace: Trace, by_task: Rows) -> Slices:
    spans, waits = trace.slices, trace.waits
    off = (by_task.kind >= SLEPT) & (by_task.kind < WOKE)
    ins = np.flatnonzero(by_task.kind == IN)
    insert = np.full(len(by_task.kind), NO_ROW, dtype=np.int64)
    insert[ins] = _last_insert(by_task)[ins]
    at = find_rows(_placed(by_task), by_task.kind == IN, spans.tid, spans.start_ns)
    woke = find_rows(by_task, by_task.kind == WOKE, waits.tid, waits.start_ns)
    woken = waits.end_ns != NEVER
    ended_by = find_rows(
        _placed(by_task), by_task.kind == IN, waits.tid[woken], waits.end_ns[woken]
    )
    woke_of_in = np.full(len(by_task.kind) + 1, NO_ROW, dtype=np.int64)
    woke_of_in[ended_by] = woke[woken]
    woke_of_in[NO_ROW] = NO_ROW
    return Slices(
        spans=spans,
        left=find_rows(by_task, off, spans.tid, spans.end_ns),
        insert=np.append(insert, NO_ROW)[at],
        woke=woke_of_in[at],
    )


def _placed(rows: Rows) -> Rows:
    """The same rows, numbered by their own order."""
    number = np.arange(len(rows.kind), dtype=np.int64)
    return Rows(number, *(getattr(rows, n) for n in list(rows.__dataclass_fields__)[1:]))


def _last_insert(rows: Rows) -> I64:
    """The event table's row of a task's last insert since it ran or slept last, at each row."""
    count = len(rows.kind)
    number = np.arange(count)
    new = np.ones(count, dtype=np.bool_)
    new[1:] = rows.tid[1:] != rows.tid[:-1]
    # What ends a stay in a queue counts for the rows after it.
    new[1:] |= np.isin(rows.kind[:-1], (IN, SLEPT, COMPLETED))
    begin = np.maximum.accumulate(np.where(new, number, 0)) if count else number
    last = np.maximum.accumulate(np.where(rows.kind == INSERT, number, -1)) if count else number
    found = last >= begin
    return np.where(found, rows.place[np.where(found, last, 0)], NO_ROW) if count else number


def _sleeps(rows: Rows) -> npt.NDArray[np.int64]:
    """Start, end and tid of every sleep whose end is known, or that lasts to the trace's end.

    A sleep that ends with a switch-in has lost its wakeup: when it ended nobody knows.
    """
    rows = rows.take(rows.kind != INSERT)
    slept = np.flatnonzero(rows.kind == SLEPT)
    after = np.append(rows.tid, NO_ROW)[slept + 1] == rows.tid[slept]
    following = np.where(after, slept + 1, slept)
    known = ~after | (rows.kind[following] == WOKE)
    end = np.where(after, rows.time_ns[following], NEVER)
    sleeps: I64 = np.stack([rows.time_ns[slept], end, rows.tid[slept]], axis=1)[known]
    return sleeps


def _task_states(
    trace: Trace, slices: Slices, by_task: Rows, sleeps: npt.NDArray[np.int64]
) -> TaskStates:
    ran, waits = slices.spans, trace.waits
    slept = find_rows(by_task, by_task.kind == SLEPT, sleeps[:, 2], sleeps[:, 0])
    parts = (len(ran.tid), len(waits.tid), len(sleeps))
    nowhere = np.full(parts[1] + parts[2], -1, dtype=np.int64)
    no_rows = np.full(parts[1], NO_ROW, dtype=np.int64)
    start = np.concatenate([ran.start_ns, waits.start_ns, sleeps[:, 0]])
    end = np.concatenate([ran.end_ns, waits.end_ns, sleeps[:, 1]])
    tid = np.concatenate([ran.tid, waits.tid, sleeps[:, 2]])
    state = np.repeat(np.array([RUNNING, RUNNABLE, ASLEEP], dtype=np.int8), parts)
    cpu = np.concatenate([ran.cpu, nowhere])
    left = np.concatenate([slices.left, no_rows, slept])
    # An end of nobody (SimulationEnd) closes a slice whose opening names its task.
    order = np.lexsort((end, start, tid))
    order = order[tid[order] > 0]
    start, end, tid = start[order], end[order], tid[order]
    following = np.append(start[1:], NEVER)
    following[:-1][tid[1:] != tid[:-1]] = NEVER
    return TaskStates(
        start,
        np.minimum(end, following),
        tid,
        state[order],
        cpu[order],
        left[order],
        end > following,
    )

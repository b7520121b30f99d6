# SPDX-License-Identifier: MIT
"""How many tasks wait: in all, on each CPU's runqueue, and in each dispatch queue, at every change.

A length is there only where the source can tell it (docs/perfetto.md): none is never drawn as zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.events.capability import Capability
from scxval.events.metrics.rows import I64, U64, dictionary, numbers, unsigned, whole
from scxval.events.metrics.trace import NEVER, Waits
from scxval.events.schema import Reason, TraceKind
from scxval.formats.compiled import compiled
from scxval.formats.perfetto.wire import Array

_OUT = (TraceKind.TASK_PREEMPTED, TraceKind.TASK_YIELDED)
_GONE = (TraceKind.TASK_SLEPT, TraceKind.TASK_COMPLETED)
_INSERTS = (TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME)
_WAKEUPS = (Reason.WAKEUP, Reason.WAKEUP_NEW)
# What a row does to a task, for the loops below.
_JOINS, _LEAVES, _MOVES, _RUNS = range(1, 5)
NOWHERE = -1


@dataclass(frozen=True)
class Lengths:
    """Lengths by key (a CPU, or a place in a list of queues): from `time_ns` on it is `length`.

    Rows are in the order of key, then of time; a key has one row a time.
    """

    key: I64
    time_ns: I64
    length: I64


def waiting(waits: Waits) -> Lengths:
    """How many tasks are runnable and not running, all CPUs together (key 0)."""
    ended = waits.end_ns != NEVER
    time = np.concatenate([waits.start_ns, waits.end_ns[ended]])
    change = np.repeat([1, -1], [len(ended), int(ended.sum())])
    return summed(np.zeros(len(time), dtype=np.int64), time, change)


def tells_runqueues(events: pa.Table, capability: Capability) -> bool:
    """Whether a source sees onto which CPU's runqueue a task is put, and when it is moved to another.

    sched_waking will not do: it fires before a CPU is chosen.
    """
    sees = {TraceKind.TASK_WOKE, TraceKind.TASK_MIGRATED, TraceKind.TASK_SCHEDULED}
    filled = capability.fields.get(TraceKind.TASK_WOKE, [])
    if not sees <= set(capability.kinds) or not {"other_cpu", "reason"} <= set(filled):
        return False
    reasons, names = dictionary(whole(events), "reason")
    return any(names[code] == Reason.WAKEUP for code in np.unique(reasons) if code >= 0)


def on_runqueues(events: pa.Table) -> Lengths:
    """How many tasks wait on each CPU's runqueue (key: CPU); see `tells_runqueues`.

    A task is there from the wakeup record or from the switch that took its CPU away, is moved by
    TaskMigrated, and leaves when it runs: the running task is not counted.
    """
    table = whole(events)
    kinds, names = dictionary(table, "kind")
    reasons, reason_names = dictionary(table, "reason")
    what = _coded(kinds, names, dict.fromkeys(_OUT, _JOINS) | dict.fromkeys(_GONE, _LEAVES))
    what[_is(kinds, names, TraceKind.TASK_SCHEDULED)] = _RUNS
    what[_is(kinds, names, TraceKind.TASK_MIGRATED)] = _MOVES
    put = np.isin(reasons, [i for i, name in enumerate(reason_names) if name in _WAKEUPS])
    woke = _is(kinds, names, TraceKind.TASK_WOKE) & put
    what[woke] = _JOINS
    about, ran = numbers(table, "other_cpu"), numbers(table, "cpu")
    place = np.where(what == _JOINS, np.where(woke, about, ran), about)
    return _stays(table, what, place, woke, joined_once=True)


def in_queues(events: pa.Table) -> tuple[Lengths, list[int]]:
    """How many tasks are in each dispatch queue that was inserted into (key: place in the list of ids).

    A task is there from its insert until it is inserted elsewhere, runs, is dequeued or sleeps: what a
    CPU has moved to its local queue and not run yet counts for the queue that it was inserted into.
    """
    table = whole(events)
    kinds, names = dictionary(table, "kind")
    what = _coded(kinds, names, dict.fromkeys((*_GONE, TraceKind.DEQUEUE_TASK), _LEAVES))
    what[_is(kinds, names, TraceKind.TASK_SCHEDULED)] = _RUNS
    inserts = np.flatnonzero(_is(kinds, names, *_INSERTS))
    ids, known = unsigned(table, "dsq_id", inserts)
    inserts, ids = inserts[known], ids[known]
    what[inserts] = _MOVES
    queues: U64 = np.unique(ids)
    place = np.full(len(kinds), NOWHERE, dtype=np.int64)
    place[inserts] = np.searchsorted(queues, ids)
    nobody = np.zeros(len(kinds), dtype=np.bool_)
    return _stays(table, what, place, nobody, joined_once=False), queues.tolist()


def _is(kinds: I64, names: list[str], *wanted: TraceKind) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.isin(kinds, [i for i, n in enumerate(names) if n in wanted])
    return found


def _coded(kinds: I64, names: list[str], codes: dict[TraceKind, int]) -> npt.NDArray[np.int8]:
    by_name = {str(kind): code for kind, code in codes.items()}
    return np.array([*(by_name.get(name, 0) for name in names), 0], dtype=np.int8)[kinds]


def _stays(
    table: pa.Table,
    what: npt.NDArray[np.int8],
    place: I64,
    woken: npt.NDArray[np.bool_],
    joined_once: bool,
) -> Lengths:
    """The lengths that tasks make by joining, moving and leaving. `place` is where a row puts its task.

    `woken` marks wakeups, which do nothing to a task that runs.

    `joined_once`: a task that is there is not put elsewhere by a second joining, only by a move; else a
    move puts it there wherever it was.
    """
    tid = numbers(table, "tid")
    rows = np.flatnonzero((what > 0) & (tid > 0))
    time, seq = numbers(table, "time_ns"), numbers(table, "seq")
    rows = rows[np.lexsort((seq[rows], time[rows], tid[rows]))]
    room = 2 * len(rows)
    key, change = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    when = np.empty(room, dtype=np.int64)
    count = int(
        _changes(
            tid[rows],
            time[rows],
            what[rows],
            place[rows],
            woken[rows],
            joined_once,
            key,
            when,
            change,
        )
    )
    return summed(key[:count], when[:count], change[:count])


@compiled
def _changes(
    tid: Array,
    time: Array,
    what: Array,
    place: Array,
    woken: Array,
    joined_once: bool,
    key: Array,
    when: Array,
    change: Array,
) -> int:
    """Changes of lengths, of rows in the order of task and time; how many there are."""
    count = 0
    where = -1
    runs = False
    for i in range(len(tid)):
        if i == 0 or tid[i] != tid[i - 1]:
            where, runs = -1, False
        does, to = what[i], place[i]
        if does == _JOINS:
            # A second record of one wakeup changes nothing, nor does one of a task that runs.
            if where >= 0 or (runs and woken[i]):
                continue
            runs = False
        elif does == _MOVES:
            if joined_once and where < 0:
                continue
        else:
            to = -1
            runs = does == _RUNS
        if to == where:
            continue
        if where >= 0:
            key[count], when[count], change[count] = where, time[i], -1
            count += 1
        if to >= 0:
            key[count], when[count], change[count] = to, time[i], 1
            count += 1
        where = to
    return count


def summed(key: I64, time_ns: I64, change: I64) -> Lengths:
    """Lengths from changes in any order."""
    order = np.lexsort((time_ns, key))
    key, time_ns, change = key[order], time_ns[order], change[order]
    new_key = np.append(True, key[1:] != key[:-1])[: len(key)]
    total = np.cumsum(change)
    first = np.flatnonzero(new_key)
    before = (total - change)[first]
    sizes = np.diff(np.append(first, len(key)))
    length = total - np.repeat(before, sizes)
    last = np.append((key[1:] != key[:-1]) | (time_ns[1:] != time_ns[:-1]), True)[: len(key)]
    return Lengths(key[last], time_ns[last], length[last])

# SPDX-License-Identifier: MIT
"""A table's rows by task and activation: who a row is about, by name, and since which wakeup.

An activation begins with the first TaskWoke after the task slept (or with its switch in, where the wakeup
was recorded before the sleep that it ended, or by nobody) and ends before the next one. Activation 0 is
what the window shows before the first. Where a source cannot see sleeps, the first TaskWoke after the
task ran begins one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.schema import TraceKind
from scxval.formats.compiled import compiled

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_OTHER, _WAKES, _SLEEPS, _RUNS, _STOPS = range(5)
_ROLES = {
    TraceKind.TASK_WOKE: _WAKES,
    TraceKind.TASK_SLEPT: _SLEEPS,
    TraceKind.TASK_COMPLETED: _SLEEPS,
    TraceKind.TASK_SCHEDULED: _RUNS,
    TraceKind.TASK_PREEMPTED: _STOPS,
    TraceKind.TASK_YIELDED: _STOPS,
}


@dataclass(frozen=True)
class Codes:
    """A text column as places in `names`, -1 for null."""

    code: I64
    names: list[str]


@dataclass(frozen=True)
class Tasks:
    """The rows of one table that are laid beside another's, in the table's order.

    `place` is a row's place in the table, `task` its place in `names`, `kind` in `kinds`. A name is a
    comm and which thread of it this is, from 1. `removed` counts the other rows by why they are not there.
    """

    place: I64
    task: I64
    names: list[tuple[str, int]]
    kind: I64
    kinds: list[str]
    removed: dict[str, int]


def text(column: pa.ChunkedArray) -> Codes:
    """A text column's codes."""
    joined = column.unify_dictionaries().combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    code = pc.fill_null(joined.indices, -1).to_numpy().astype(np.int64)
    return Codes(code, joined.dictionary.to_pylist())


def tasks(table: pa.Table, kinds: Collection[str], comms: Collection[str] | None) -> Tasks:
    """The rows of a table whose kind is in `kinds` and whose task is called one of `comms`.

    None takes all tasks but idle. Several threads of one name are 1, 2, ... in the order in which they
    come first.
    """
    kind, comm = text(table["kind"]), text(table["comm"])
    tid = pc.fill_null(table["tid"], -1).to_numpy().astype(np.int64)
    wanted = _one_of(comm.names, comms)
    tests = [
        ("kind that not both see", ~_one_of(kind.names, kinds)[kind.code]),
        ("row without a task", tid < 0),
        ("idle", tid == 0),
        ("task without a name", comm.code < 0),
        ("other task", ~wanted[comm.code]),
    ]
    why = np.select([test for _, test in tests], range(len(tests)), len(tests))
    place = np.flatnonzero(why == len(tests))
    counts = np.bincount(why, minlength=len(tests) + 1)
    removed = {name: int(counts[i]) for i, (name, _) in enumerate(tests) if counts[i]}
    task, names = _named(tid[place], comm.code[place], comm.names)
    return Tasks(place, task, names, kind.code[place], kind.names, removed)


def _one_of(names: Sequence[str], wanted: Collection[str] | None) -> Bools:
    """By code, whether a name is wanted; null, the last, is not."""
    chosen = None if wanted is None else {str(name) for name in wanted}
    return np.array([*(chosen is None or name in chosen for name in names), False])


def _named(tid: I64, comm: I64, comms: Sequence[str]) -> tuple[I64, list[tuple[str, int]]]:
    """Each row's task, and the tasks' names in order of first appearance."""
    if not len(tid):
        return tid, []
    _, first, task = np.unique(tid * len(comms) + comm, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    seen: dict[str, int] = {}
    names = []
    for row in first[order]:
        name = comms[comm[row]]
        seen[name] = seen.get(name, 0) + 1
        names.append((name, seen[name]))
    return rank[task], names


def activations(task: I64, kind: I64, kinds: Sequence[str], seen: Collection[str]) -> I64:
    """The activation of each row; rows are a task's after another's, in order of time.

    `kinds` are the kinds by code, `seen` those that both sources can see.
    """
    roles = np.array([_ROLES.get(TraceKind(k), _OTHER) if k in _KNOWN else _OTHER for k in kinds])
    found: I64 = _activations(
        task, roles.astype(np.int64)[kind], str(TraceKind.TASK_SLEPT) in {str(k) for k in seen}
    )
    return found


_KNOWN = {str(kind) for kind in TraceKind}
_UNKNOWN, _AWAKE, _ASLEEP = range(3)


@compiled
def _activations(task: I64, role: I64, sees_sleep: bool) -> I64:
    found = np.empty(len(task), np.int64)
    number, state = 0, _UNKNOWN
    for i in range(len(task)):
        if i == 0 or task[i] != task[i - 1]:
            number, state = 0, _UNKNOWN
        what = role[i]
        if what == _WAKES:
            number += state != _AWAKE
            state = _AWAKE
        elif what == _RUNS:
            number += sees_sleep and state == _ASLEEP
            state = _AWAKE if sees_sleep else _ASLEEP
        elif what == _SLEEPS:
            state = _ASLEEP
        elif what == _STOPS and state == _UNKNOWN:
            state = _AWAKE
        found[i] = number
    return found

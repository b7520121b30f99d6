# SPDX-License-Identifier: MIT
"""Reads the rows of an event table that metrics are made of, in the source's own order.

That is (time_ns, seq): for one task on several CPUs the source's order decides a tie.
"""

from __future__ import annotations

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
COLUMNS = [
    "time_ns",
    "cpu",
    "kind",
    "tid",
    "pid",
    "comm",
    "other_cpu",
    "dsq_id",
    "slice_ns",
    "vtime",
    "flags",
    "reason",
    "seq",
]

NO_TASK = -1

# Row classes; every other kind is dropped.
IN, IDLE, SLEPT, COMPLETED, PREEMPTED, YIELDED, END, WOKE, INSERT = range(1, 10)
_CLASS: dict[str, int] = {
    TraceKind.TASK_SCHEDULED: IN,
    TraceKind.CPU_IDLE: IDLE,
    TraceKind.TASK_SLEPT: SLEPT,
    TraceKind.TASK_COMPLETED: COMPLETED,
    TraceKind.TASK_PREEMPTED: PREEMPTED,
    TraceKind.TASK_YIELDED: YIELDED,
    TraceKind.SIMULATION_END: END,
    TraceKind.TASK_WOKE: WOKE,
    TraceKind.DSQ_INSERT: INSERT,
    TraceKind.DSQ_INSERT_VTIME: INSERT,
}


@dataclass(frozen=True)
class Rows:
    """The rows that matter, in (time_ns, seq) order. `comm` holds the name of the activation.

    `place` is the row of the event table, `pid` -1 where the source names no thread group.
    """

    place: I64

    time_ns: I64
    cpu: I64
    kind: npt.NDArray[np.int8]
    tid: I64
    pid: I64
    comm: I64
    waking: Bools

    def take(self, index: I64 | Bools) -> Rows:
        """Some of them, in the order given."""
        return Rows(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def whole(events: pa.Table) -> pa.Table:
    """The table's COLUMNS, each in one piece."""
    return events.select(COLUMNS).unify_dictionaries().combine_chunks()


def read_rows(table: pa.Table) -> tuple[Rows, list[str]]:
    """The rows of a table made by `whole`, and the names that `comm` indexes.

    Raises ScxvalError when a switch names no task.
    """
    kinds, kind_names = dictionary(table, "kind")
    kind = np.array([*(_CLASS.get(name, 0) for name in kind_names), 0], dtype=np.int8)[kinds]
    order = np.flatnonzero(kind)
    time_ns, seq = numbers(table, "time_ns"), numbers(table, "seq")
    order = order[np.lexsort((seq[order], time_ns[order]))]
    kind = kind[order]
    tid = numbers(table, "tid")[order]
    _refuse_nameless(kind, tid, seq[order])
    tid[kind == IDLE] = 0
    # Some sources report idle as a task with tid 0.
    kind[(kind == IN) & (tid == 0)] = IDLE
    comm, comms = _comm(table, order, tid)
    reasons, reason_names = dictionary(table, "reason")
    is_waking = np.array([name == Reason.WAKING for name in reason_names] + [False])
    woke = kind == WOKE
    waking = woke & is_waking[reasons[order]]
    if not waking.any():
        waking = woke
    cpu = numbers(table, "cpu")[order]
    pid = numbers(table, "pid")[order]
    return Rows(order, time_ns[order], cpu, kind, tid, pid, comm, waking), comms


def _refuse_nameless(kind: npt.NDArray[np.int8], tid: I64, seq: I64) -> None:
    bad = np.flatnonzero((kind >= IN) & (kind <= YIELDED) & (kind != IDLE) & (tid < 0))
    if bad.size:
        raise ScxvalError(
            f"event table: {bad.size} switch rows without a tid (first: seq {seq[bad[0]]}); "
            "mend the converter: a switch must name its task"
        )


def _column(table: pa.Table, name: str) -> pa.Array:
    chunked = table[name]
    return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)


def numbers(table: pa.Table, name: str) -> I64:
    """An integer column as int64; null is -1."""
    array = _column(table, name)
    values: I64 = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    values[array.is_null().to_numpy(zero_copy_only=False)] = -1
    return values


def dictionary(table: pa.Table, name: str) -> tuple[I64, list[str]]:
    """A dictionary column's indices, null as -1 (so that a list with one more item answers it)."""
    array = _column(table, name)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, array.dictionary.to_pylist()


def unsigned(table: pa.Table, name: str, at: I64) -> tuple[U64, Bools]:
    """An unsigned column at these rows, and which of them are not null."""
    array = _column(table, name).take(pa.array(at))
    known = array.is_valid().to_numpy(zero_copy_only=False)
    values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    return values, known


def _comm(table: pa.Table, order: I64, tid: I64) -> tuple[I64, list[str]]:
    """Names by code, each once; a task that the source gives no name is called `tid <n>`."""
    codes, names = dictionary(table, "comm")
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


def dense_codes(values: I64) -> npt.NDArray[np.integer]:
    """Dense codes, in 16 bits when they fit: numpy then sorts by radix, which is linear."""
    unique, inverse = np.unique(values, return_inverse=True)
    small = unique.size <= np.iinfo(np.uint16).max
    return inverse.astype(np.uint16) if small else inverse

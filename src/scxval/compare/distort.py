# SPDX-License-Identifier: MIT
"""Distorted copies of a run's events: controls that a comparison must tell from the original.

`dilated`: everything takes longer. `starved`: one task gets less, in the same time and order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.compare.prepare import Prepared
from scxval.events.metrics.rows import dictionary, numbers
from scxval.events.schema import EVENT_SCHEMA, SWITCH_OUT_KINDS, TraceKind
from scxval.events.table import sorted_table

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def dilated(run: Prepared, factor: float) -> Prepared:
    """All times stretched by `factor` around the window's start; the window stays."""
    start = run.window_ns[0]
    time = numbers(run.table, "time_ns")
    # Apart from the start as a double: exact to the nanosecond for 100 days.
    later = start + np.floor((time - start) * factor).astype(np.int64)
    return replace(run, table=_with_times(run.table, later))


def starved(run: Prepared, factor: float) -> Prepared:
    """Each slice of the busiest task shortened by `factor` within the window; its CPU then idles.

    The busiest is the name among the workload's tasks with the most time on CPUs in the window. What the
    slice would have had is nobody's, so that nothing runs before it was woken. Rows inside the cut part
    stay where they are. A slice that the window's end cuts ends early and goes on after the window.
    """
    slices = _slices(run)
    if not len(slices.comm):
        return run
    total = np.bincount(slices.comm, weights=slices.end_ns - slices.start_ns)
    mine = slices.take(slices.comm == int(np.argmax(total)))
    length = mine.end_ns - mine.start_ns
    cut = mine.start_ns + (length / factor).astype(np.int64)
    real = (cut > mine.start_ns) & (cut < mine.end_ns)
    return replace(run, table=_shortened(run, mine.take(real), cut[real]))


COPIES: dict[str, Callable[[Prepared, float], Prepared]] = {"dilated": dilated, "starved": starved}


@dataclass(frozen=True)
class _Slices:
    """Slices of the workload's tasks in the window: places of their rows, clipped ends, and name.

    `off` is -1 for a slice that has no switch-out in the window.
    """

    on: I64
    off: I64
    start_ns: I64
    end_ns: I64
    comm: I64

    def take(self, which: Bools) -> _Slices:
        """Some of them."""
        return _Slices(*(getattr(self, field.name)[which] for field in fields(self)))


def _slices(run: Prepared) -> _Slices:
    table, (start, end) = run.table, run.window_ns
    kind, kinds = dictionary(table, "kind")
    comm, comms = dictionary(table, "comm")

    def of(*names: str) -> Bools:
        mask: Bools = np.isin(kind, [code for code, name in enumerate(kinds) if name in names])
        return mask

    on = of(TraceKind.TASK_SCHEDULED)
    off = of(*SWITCH_OUT_KINDS)
    switches = np.flatnonzero(on | off | of(TraceKind.CPU_IDLE))
    time, cpu, tid = (numbers(table, name) for name in ("time_ns", "cpu", "tid"))
    seq = numbers(table, "seq")
    order = switches[np.lexsort((seq[switches], time[switches], cpu[switches]))]
    follows = np.append(order[1:], -1)
    # A CPU's last switch-in runs to the window's end.
    last = np.append(cpu[order[1:]] != cpu[order[:-1]], True)[: len(order)]
    ends = off[follows] & (tid[follows] == tid[order]) & ~last
    opens = on[order] & (tid[order] > 0) & (ends | last)
    first, second = order[opens], np.where(last, -1, follows)[opens]
    stop = np.where(second >= 0, time[second], end)
    # The name at the switch-out: a thread renames itself while it runs.
    name = np.where(second >= 0, comm[second], comm[first])
    own = [code for code, text in enumerate(comms) if not run.comms or text in run.comms]
    within = np.isin(name, own) & (name >= 0) & (time[first] < end) & (stop > start)
    late = stop >= end
    return _Slices(
        first[within],
        np.where(late, -1, second)[within],
        np.maximum(time[first], start)[within],
        np.minimum(stop, end)[within],
        name[within],
    )


def _shortened(run: Prepared, slices: _Slices, cut: I64) -> pa.Table:
    """The table with these slices ending at `cut`."""
    table, end = run.table, run.window_ns[1]
    time = numbers(table, "time_ns").copy()
    moves = slices.off >= 0
    time[slices.off[moves]] = cut[moves]
    kept = _with_times(table, time)
    switch_in = slices.on
    opened = switch_in[~moves]
    parts = [kept]
    if TraceKind.CPU_IDLE in run.capability.kinds:
        rows = table.take(pa.array(np.where(moves, slices.off, switch_in)))
        parts.append(_as(rows, TraceKind.CPU_IDLE, cut, 1, idle=True))
    if len(opened):
        rows = table.take(pa.array(opened))
        parts.append(_as(rows, TraceKind.TASK_PREEMPTED, cut[~moves], 0))
        parts.append(_as(rows, TraceKind.TASK_SCHEDULED, np.full(len(opened), end), 2))
    return sorted_table(pa.concat_tables(parts, promote_options="none").unify_dictionaries())


def _as(rows: pa.Table, kind: TraceKind, time: I64, later: int, idle: bool = False) -> pa.Table:
    """Rows made into others: kind, time, and a place in the source after the row that they are from."""
    count = rows.num_rows
    changed: dict[str, pa.Array] = {
        "time_ns": pa.array(time, pa.int64()),
        "kind": _text(kind, count),
        "reason": pa.nulls(count, EVENT_SCHEMA.field("reason").type),
        "seq": pa.array(numbers(rows.combine_chunks(), "seq") + later, pa.int64()),
    }
    if idle:
        zeros = pa.array(np.zeros(count, dtype=np.int32))
        changed |= {"tid": zeros, "pid": zeros, "comm": _text("swapper", count)}
    columns = [changed.get(field.name, rows[field.name]) for field in EVENT_SCHEMA]
    return pa.table(columns, schema=EVENT_SCHEMA)


def _text(value: str, count: int) -> pa.Array:
    indices = pa.array(np.zeros(count, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([str(value)], pa.string()))


def _with_times(table: pa.Table, time_ns: I64) -> pa.Table:
    place = EVENT_SCHEMA.get_field_index("time_ns")
    return table.set_column(place, EVENT_SCHEMA.field("time_ns"), pa.array(time_ns))

# SPDX-License-Identifier: MIT
"""The rows of an event table as points in time on their CPU, with everything that a row says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.metrics.rows import I64, U64, Bools, dictionary, numbers
from scxval.events.schema import SLICE_INFINITE, TraceKind, dsq_name
from scxval.perfetto.timeline import Argument, Sort, Timeline

# Drawn as slices of their CPU; every other kind is a point.
SWITCHES = (
    TraceKind.TASK_SCHEDULED,
    TraceKind.TASK_PREEMPTED,
    TraceKind.TASK_YIELDED,
    TraceKind.TASK_SLEPT,
    TraceKind.TASK_COMPLETED,
    TraceKind.CPU_IDLE,
)
# Greater ones are negative in SQL: they are given as text.
_SIGNED = np.uint64(1 << 63)


def point_rows(table: pa.Table) -> I64:
    """The rows that are points: all but switches and frequencies, which are slices and counters."""
    codes, names = dictionary(table, "kind")
    drawn = {*map(str, SWITCHES), str(TraceKind.CPU_FREQUENCY)}
    return np.flatnonzero(~np.isin(codes, [i for i, name in enumerate(names) if name in drawn]))


def arguments(timeline: Timeline, table: pa.Table, rows: I64) -> list[Argument]:
    """What these rows say, a column an argument; NO_ROW (-1) says nothing."""
    here = rows >= 0
    taken = table.take(pa.array(np.where(here, rows, 0))) if len(table) else table
    found = [
        _signed(taken, "tid", here),
        _text(timeline, taken, "comm", here),
        _signed(taken, "other_tid", here),
        _signed(taken, "other_cpu", here),
        queue(timeline, taken, here),
        time_slice(timeline, taken, here),
        _vtime(timeline, taken, here),
        _flags(taken, here),
        _signed(taken, "prev_state", here, exact=True),
        _text(timeline, taken, "reason", here),
        _success(taken, here),
        _signed(taken, "seq", here, exact=True),
    ]
    return [argument for argument in found if argument.known.any()]


def _valid(table: pa.Table, name: str, here: Bools) -> Bools:
    valid: Bools = table[name].is_valid().to_numpy() & here
    return valid


def _signed(table: pa.Table, name: str, here: Bools, exact: bool = False) -> Argument:
    values = (
        pc.fill_null(table[name], 0).to_numpy() if exact else numbers(_pieces(table, name), name)
    )
    return Argument(name, Sort.INT, values, _valid(table, name, here))


def _pieces(table: pa.Table, name: str) -> pa.Table:
    return table.select([name]).combine_chunks()


def _text(timeline: Timeline, table: pa.Table, name: str, here: Bools) -> Argument:
    codes, names = dictionary(_pieces(table.unify_dictionaries(), name), name)
    used = np.unique(codes[here]) if len(codes) else codes
    code_of = np.full(len(names) + 1, -1, dtype=np.int64)
    for code in used[used >= 0].tolist():
        code_of[code] = timeline.texts.of(names[code])
    return Argument(name, Sort.TEXT, code_of[codes], _valid(table, name, here))


def _success(table: pa.Table, here: Bools) -> Argument:
    values = pc.fill_null(table["success"], False).to_numpy().astype(np.int64)
    return Argument("success", Sort.BOOL, values, _valid(table, "success", here))


def _unsigned(table: pa.Table, name: str) -> U64:
    values: U64 = pc.fill_null(table[name], 0).to_numpy()
    return values


def queue(timeline: Timeline, table: pa.Table, here: Bools, name: str = "dsq") -> Argument:
    """The dispatch queue of each row, by name."""
    ids, inverse = np.unique(_unsigned(table, "dsq_id"), return_inverse=True)
    known = _valid(table, "dsq_id", here)
    names = np.zeros(len(ids), dtype=np.int64)
    for at in np.unique(inverse[known]).tolist():
        names[at] = timeline.texts.of(dsq_name(int(ids[at])))
    return Argument(name, Sort.TEXT, names[inverse], known)


def time_slice(
    timeline: Timeline, table: pa.Table, here: Bools, name: str = "slice_ns"
) -> Argument:
    """The slice of each row in nanoseconds; one without end is called infinite."""
    values, known = _unsigned(table, "slice_ns"), _valid(table, "slice_ns", here)
    return _mixed(timeline, name, values, known, SLICE_INFINITE, "infinite")


def _vtime(timeline: Timeline, table: pa.Table, here: Bools) -> Argument:
    return _mixed(timeline, "vtime", _unsigned(table, "vtime"), _valid(table, "vtime", here))


def _flags(table: pa.Table, here: Bools) -> Argument:
    values = _unsigned(table, "flags").view(np.int64)
    return Argument("flags", Sort.HEX, values, _valid(table, "flags", here))


def _mixed(
    timeline: Timeline,
    name: str,
    values: U64,
    known: Bools,
    special: int | None = None,
    word: str = "",
) -> Argument:
    """Unsigned numbers; those that SQL would show as negative ones are text, a special one a word."""
    as_text = values >= _SIGNED
    bits = values.view(np.int64).copy()
    sort: npt.NDArray[np.int8] = np.where(as_text, Sort.TEXT, Sort.UINT).astype(np.int8)
    spoken = np.flatnonzero(as_text & known)
    huge, place = np.unique(values[spoken], return_inverse=True)
    texts = [word if number == special else str(number) for number in huge.tolist()]
    codes = np.array([timeline.texts.of(text) for text in texts], dtype=np.int64)
    bits[spoken] = codes[place]
    return Argument(name, sort, bits, known)

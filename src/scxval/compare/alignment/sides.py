# SPDX-License-Identifier: MIT
"""`align`: two event tables laid side by side, the k-th activation of a task beside the other's k-th."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scxval.compare.alignment.activations import I64, Bools, Codes, Tasks, activations, tasks
from scxval.compare.alignment.edit import edit, mark_edges
from scxval.compare.alignment.result import Alignment, Laid, Place
from scxval.compare.alignment.tokens import Side, common_fields, tokens
from scxval.errors import ScxvalError
from scxval.events.schema import TraceKind

_ENDS = (TraceKind.TASK_SLEPT, TraceKind.TASK_COMPLETED)


def align(
    a: pa.Table,
    b: pa.Table,
    kinds: Collection[str],
    comms: Collection[str] | None,
    band: int,
    *,
    fields: Mapping[str, Collection[str]] | None = None,
    window_ns: int | None = None,
) -> Alignment:
    """Lay B's rows beside A's: tasks by name, activations by number, rows by edit distance.

    Both are event tables of windows of one length, `window_ns` (None: to the last row of either), with
    `time_ns` 0 at its begin. `kinds` are those that both sources can see, `fields` by kind the columns that
    both fill (None: those that both tables have in some row), `comms` the tasks' names (None: all but idle).
    `band` is how many rows to either side the edit distance looks; docs/alignment.md has the result. Raises
    ScxvalError for a band below 1.
    """
    if band < 1:
        raise ScxvalError(f"alignment: a band of {band} rows: expected at least 1")
    of_a, of_b = tasks(a, kinds, comms), tasks(b, kinds, comms)
    names = sorted({*of_a.names, *of_b.names})
    side_a, side_b = _side(a, of_a, names), _side(b, of_b, names)
    parts_a, parts_b = _Parts.of(side_a, kinds), _Parts.of(side_b, kinds)
    length = window_ns
    if length is None:
        last = [int(part.time_ns.max()) for part in (parts_a, parts_b) if len(part.time_ns)]
        length = max(last, default=0)
    told = common_fields(side_a, side_b) if fields is None else fields
    said = tokens(side_a, side_b, told)
    place = _Pairing.of(parts_a, parts_b, len(names))
    op, at_a, at_b, begins = edit(said.a, said.b, said.kind_of, place.bounds, band)
    mark_edges(
        op,
        at_a,
        at_b,
        begins,
        parts_a.time_ns,
        parts_b.time_ns,
        *place.cuts(parts_a, parts_b, length),
    )
    laid = Laid(op, at_a, at_b, begins)
    return Alignment(
        side_a,
        side_b,
        laid,
        Place([_called(*name) for name in names], place.task, place.activation, place.bounds),
        said,
        of_a.removed,
        of_b.removed,
        length,
        band,
    )


def _called(comm: str, thread: int) -> str:
    return comm if thread == 1 else f"{comm}#{thread}"


def _side(table: pa.Table, found: Tasks, names: list[tuple[str, int]]) -> Side:
    place_of = {name: i for i, name in enumerate(names)}
    own = np.array([place_of[name] for name in found.names], dtype=np.int64)
    task = own[found.task] if len(own) else found.task
    order = np.argsort(task, kind="stable")
    return Side(table, found.place[order], task[order], Codes(found.kind[order], found.kinds))


@dataclass(frozen=True)
class _Parts:
    """One side's rows by activation: their times, and whether each ends with the task off its CPU."""

    task: I64
    number: I64
    time_ns: I64
    ends: Bools

    @classmethod
    def of(cls, side: Side, kinds: Collection[str]) -> _Parts:
        """Number the activations of a side's rows."""
        number = activations(side.task, side.kind.code, side.kind.names, kinds)
        time_ns = side.table["time_ns"].to_numpy()[side.place]
        ends = np.array([name in _ENDS for name in side.kind.names], dtype=np.bool_)
        return cls(side.task, number, time_ns, ends[side.kind.code])

    def count(self, tasks: int) -> I64:
        """How many activations each task has: one more than the last one's number."""
        found = np.zeros(tasks, dtype=np.int64)
        np.maximum.at(found, self.task, self.number + 1)
        return found


@dataclass(frozen=True)
class _Pairing:
    """Every activation that a side has: task, number, rows of both sides, and how many each side has."""

    task: I64
    activation: I64
    bounds: I64
    count_a: I64
    count_b: I64

    @classmethod
    def of(cls, a: _Parts, b: _Parts, tasks: int) -> _Pairing:
        """Pair the k-th with the k-th."""
        count_a, count_b = a.count(tasks), b.count(tasks)
        most = np.maximum(count_a, count_b)
        first = np.cumsum(most) - most
        task = np.repeat(np.arange(tasks), most)
        activation = np.arange(len(task)) - first[task]
        edges = np.arange(len(task) + 1)
        rows_a = np.searchsorted(first[a.task] + a.number, edges)
        rows_b = np.searchsorted(first[b.task] + b.number, edges)
        bounds = np.stack([rows_a[:-1], rows_a[1:], rows_b[:-1], rows_b[1:]], axis=1)
        return cls(task, activation, bounds, count_a, count_b)

    def cuts(self, a: _Parts, b: _Parts, length_ns: int) -> tuple[I64, I64, I64]:
        """What `mark_edges` has to know of where the window cuts activations."""
        last_a = self.activation == self.count_a[self.task] - 1
        last_b = self.activation == self.count_b[self.task] - 1
        begin_a, begin_b = self._begins(a.time_ns, 0), self._begins(b.time_ns, 2)
        # What the windows' begin cuts ends with the wakeup after it.
        both = (self.activation == 0) & ~last_a & ~last_b
        both &= (self.count_a[self.task] > 0) & (self.count_b[self.task] > 0)
        leading = np.full((len(both), 2), -1, dtype=np.int64)
        at = np.flatnonzero(both)
        leading[at] = np.stack([begin_a[at + 1], begin_b[at + 1]], axis=1)
        paired = (self.activation < self.count_a[self.task]) & (
            self.activation < self.count_b[self.task]
        )
        room_a = np.where(paired & last_a, length_ns - begin_a, -1)
        room_b = np.where(paired & last_b, length_ns - begin_b, -1)
        trailing = np.stack([begin_a, begin_b, room_a, room_b], axis=1)
        one_sided = ~paired & (self.count_a[self.task] > 0) & (self.count_b[self.task] > 0)
        open_a = one_sided & last_a & ~self._ended(a.ends, 1)
        open_b = one_sided & last_b & ~self._ended(b.ends, 3)
        late_a = one_sided & last_a & self._late(begin_a, begin_b, -1, length_ns)
        late_b = one_sided & last_b & self._late(begin_b, begin_a, 1, length_ns)
        return leading, trailing, (open_a | open_b | late_a | late_b).astype(np.int64)

    def _late(self, begin: I64, other: I64, more: int, length_ns: int) -> Bools:
        """Whether the one activation that a side has more would have begun after the other's window.

        As long after the one before as on its own side. Of several more, none is the window's doing.
        """
        before = np.maximum(np.arange(len(begin)) - 1, 0)
        one_more = (self.count_b - self.count_a)[self.task] == more
        expected = other[before] + begin - begin[before]
        found: Bools = one_more & (self.activation > 1) & (expected >= length_ns)
        return found

    def _begins(self, time_ns: I64, column: int) -> I64:
        """When each activation begins on one side; 0 for what the window's begin cuts."""
        some = self.bounds[:, column] < self.bounds[:, column + 1]
        begin = np.zeros(len(some), dtype=np.int64)
        begin[some] = time_ns[self.bounds[some, column]]
        begin[self.activation == 0] = 0
        return begin

    def _ended(self, ends: Bools, column: int) -> Bools:
        """Whether the last row of each activation takes the task off its CPU to sleep."""
        some = self.bounds[:, column - 1] < self.bounds[:, column]
        found = np.zeros(len(some), dtype=np.bool_)
        found[some] = ends[self.bounds[some, column] - 1]
        return found

# SPDX-License-Identifier: MIT
"""What an alignment says: a row an operation, counts by task, timing errors, drift, first divergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scxval.compare.alignment.activations import I64, Bools
from scxval.compare.alignment.divergence import Divergence, diverges
from scxval.compare.alignment.drift import Drift, drift
from scxval.compare.alignment.edit import DELETED, EDGE, I8, INSERTED, MATCHED, SUBSTITUTED
from scxval.compare.alignment.tokens import Side, Tokens

OPERATIONS = ("matched", "substituted", "inserted", "deleted", "edge")
# Tasks that a summary has one by one: those with the most rows.
TASKS_TOLD = 50

_TEXT = pa.dictionary(pa.int32(), pa.string())
ROWS_SCHEMA = pa.schema(
    [
        pa.field("task", _TEXT, nullable=False),
        pa.field("activation", pa.int32(), nullable=False),
        pa.field("op", _TEXT, nullable=False),
        pa.field("kind_a", _TEXT),
        pa.field("kind_b", _TEXT),
        pa.field("time_a_ns", pa.int64()),
        pa.field("time_b_ns", pa.int64()),
        pa.field("seq_a", pa.int64()),
        pa.field("seq_b", pa.int64()),
        pa.field("error_ns", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Laid:
    """Operations and their places in both sides' rows; `begins` is where each activation's begin."""

    op: I8
    at_a: I64
    at_b: I64
    begins: I64


@dataclass(frozen=True)
class Place:
    """By pair of activations: task (place in `names`), number, rows of both sides."""

    names: list[str]
    task: I64
    activation: I64
    bounds: I64


@dataclass(frozen=True)
class Counts:
    """Rows by what became of them. `edge_a` and `edge_b` are held against nobody and in no other."""

    rows_a: int
    rows_b: int
    matched: int
    substituted: int
    inserted: int
    deleted: int
    edge_a: int
    edge_b: int

    @property
    def cost(self) -> int:
        """The edit distance."""
        return self.substituted + self.inserted + self.deleted

    @property
    def similarity(self) -> float | None:
        """2 * matched / (rows_a + rows_b) without edges, 0 to 1; None without rows."""
        rows = self.rows_a + self.rows_b - self.edge_a - self.edge_b
        return 2 * self.matched / rows if rows else None


@dataclass(frozen=True)
class Errors:
    """Timing errors of matched rows against their activations' begins, t_B - t_A in ns.

    Percentiles are numpy's `inverted_cdf`; rows that are a begin themselves are not among the `count`.
    """

    count: int
    p1: int
    p50: int
    p99: int
    max_abs: int


@dataclass(frozen=True)
class TaskAlignment:
    """One task's rows; `activations_*` with the one before the first wakeup, if there is any."""

    task: str
    activations_a: int
    activations_b: int
    counts: Counts
    error: Errors | None
    drift: Drift | None


@dataclass(frozen=True)
class Alignment:
    """Two tables side by side; `a`, `b`, `laid`, `place` and `said` are what the rest is made from."""

    a: Side
    b: Side
    laid: Laid
    place: Place
    said: Tokens
    removed_a: dict[str, int]
    removed_b: dict[str, int]
    window_ns: int
    band: int

    @cached_property
    def pair(self) -> I64:
        """The pair of activations of each operation."""
        return np.repeat(np.arange(len(self.place.task)), np.diff(self.laid.begins))

    @cached_property
    def times(self) -> tuple[I64, I64]:
        """Both sides' times by operation, 0 where a side has none."""
        found = []
        for side, at in ((self.a, self.laid.at_a), (self.b, self.laid.at_b)):
            own = side.table["time_ns"].to_numpy()[side.place]
            own = np.append(own, 0)
            found.append(own[at])
        return found[0], found[1]

    @cached_property
    def begins(self) -> tuple[I64, I64]:
        """Both sides' begin of each pair of activations: what times in it are counted from.

        Its first row; of what the window's begin cuts, where nobody saw the begin, the first matched row.
        """
        time_a, time_b = self.times
        count = len(self.place.task)
        matched = np.flatnonzero(self.laid.op == MATCHED)
        # Assigned from the last to the first: the first stays.
        first = np.full(count, -1, dtype=np.int64)
        first[self.pair[matched][::-1]] = matched[::-1]
        cut = (self.place.activation == 0) & (first >= 0)
        found = []
        for time_ns, side, column in ((time_a, self.a, 0), (time_b, self.b, 2)):
            own = side.table["time_ns"].to_numpy()[side.place]
            bounds = self.place.bounds
            some = bounds[:, column] < bounds[:, column + 1]
            begin = np.zeros(count, dtype=np.int64)
            begin[some] = own[bounds[some, column]]
            begin[(self.place.activation == 0) & ~cut] = 0
            begin[cut] = time_ns[first[cut]]
            found.append(begin)
        return found[0], found[1]

    @cached_property
    def errors_ns(self) -> I64:
        """By operation, B's time since its begin less A's; meaningless where a side has no row."""
        (time_a, time_b), (begin_a, begin_b) = self.times, self.begins
        found: I64 = (time_b - begin_b[self.pair]) - (time_a - begin_a[self.pair])
        return found

    @cached_property
    def rows(self) -> pa.Table:
        """A row an operation (ROWS_SCHEMA), by task, activation, and order in it."""
        has_a, has_b = self.laid.at_a >= 0, self.laid.at_b >= 0
        time_a, time_b = self.times
        pair = self.pair
        columns = [
            _coded(self.place.task[pair], self.place.names),
            pa.array(self.place.activation[pair].astype(np.int32)),
            _coded(self.laid.op, OPERATIONS),
            _coded(_at(self.a.kind.code, self.laid.at_a), self.a.kind.names),
            _coded(_at(self.b.kind.code, self.laid.at_b), self.b.kind.names),
            pa.array(time_a, mask=~has_a),
            pa.array(time_b, mask=~has_b),
            pa.array(_seq(self.a, self.laid.at_a), mask=~has_a),
            pa.array(_seq(self.b, self.laid.at_b), mask=~has_b),
            pa.array(self.errors_ns, mask=~(has_a & has_b)),
        ]
        return pa.table(columns, schema=ROWS_SCHEMA)

    def write(self, path: Path) -> None:
        """Write `rows` as Parquet."""
        pq.write_table(self.rows, path, compression="zstd", row_group_size=1 << 20)

    @cached_property
    def counts(self) -> Counts:
        """The counts of all tasks together."""
        return _counts(self._by_task.sum(axis=0))

    @property
    def similarity(self) -> float | None:
        """2 * matched / (rows_a + rows_b) without edges, 0 to 1; None without rows."""
        return self.counts.similarity

    @cached_property
    def _by_task(self) -> I64:
        """Operations by task and class; edges of A and of B are two classes."""
        op = self.laid.op.astype(np.int64)
        op += (op == EDGE) & (self.laid.at_a < 0)
        classes = EDGE + 2
        task = self.place.task[self.pair]
        counts = np.bincount(task * classes + op, minlength=len(self.place.names) * classes)
        return counts.reshape(-1, classes).astype(np.int64)

    @cached_property
    def _measured(self) -> Bools:
        """Operations whose timing error says something: matched, and not the begin itself."""
        time_a, time_b = self.times
        begin_a, begin_b = self.begins
        begins = (time_a == begin_a[self.pair]) & (time_b == begin_b[self.pair])
        found: Bools = (self.laid.op == MATCHED) & ~begins
        return found

    @cached_property
    def error(self) -> Errors | None:
        """The timing errors of all tasks; None without any."""
        return _errors(self.errors_ns[self._measured])

    @cached_property
    def _paired(self) -> I64:
        """Pairs of activations whose begins are wakeups that both sides have."""
        bounds = self.place.bounds
        both = (bounds[:, 0] < bounds[:, 1]) & (bounds[:, 2] < bounds[:, 3])
        return np.flatnonzero(both & (self.place.activation > 0))

    @cached_property
    def drift(self) -> Drift | None:
        """The drift over all tasks; None without activations that both sides have."""
        begin_a, begin_b = self.begins
        at = self._paired
        return drift(begin_a[at], begin_b[at], self.place.task[at])

    @cached_property
    def tasks(self) -> tuple[TaskAlignment, ...]:
        """The TASKS_TOLD tasks with the most rows, most first."""
        rows = self._by_task @ np.array([2, 2, 1, 1, 1, 1])
        order = np.argsort(-rows, kind="stable")[:TASKS_TOLD]
        return tuple(self._task(int(task)) for task in order)

    def _task(self, task: int) -> TaskAlignment:
        first, last = np.searchsorted(self.place.task, [task, task + 1])
        ops = slice(self.laid.begins[first], self.laid.begins[last])
        pairs = self._paired[(self._paired >= first) & (self._paired < last)]
        begin_a, begin_b = self.begins
        some = self.place.bounds[first:last]
        return TaskAlignment(
            self.place.names[task],
            int((some[:, 0] < some[:, 1]).sum()),
            int((some[:, 2] < some[:, 3]).sum()),
            _counts(self._by_task[task]),
            _errors(self.errors_ns[ops][self._measured[ops]]),
            drift(begin_a[pairs], begin_b[pairs], np.zeros(len(pairs), dtype=np.int64)),
        )

    @cached_property
    def divergence(self) -> Divergence | None:
        """The earliest row that is not matched, and what stands around it; None when all are."""
        return diverges(self)

    def summary(self) -> dict[str, Any]:
        """What pair.json has of it, as JSON takes it."""
        return {
            "window_ns": self.window_ns,
            "band": self.band,
            **_said(self.counts),
            "error_ns": asdict(self.error) if self.error else None,
            "drift": self.drift.summary() if self.drift else None,
            "removed_a": self.removed_a,
            "removed_b": self.removed_b,
            "tasks": [
                {
                    "task": task.task,
                    "activations_a": task.activations_a,
                    "activations_b": task.activations_b,
                    **_said(task.counts),
                    "error_ns": asdict(task.error) if task.error else None,
                    "drift": task.drift.summary() if task.drift else None,
                }
                for task in self.tasks
            ],
            "more_tasks": len(self.place.names) - len(self.tasks),
            "divergence": self.divergence.summary() if self.divergence else None,
        }


def _said(counts: Counts) -> dict[str, Any]:
    return {**asdict(counts), "cost": counts.cost, "similarity": counts.similarity}


def _counts(by_class: I64) -> Counts:
    matched, substituted, inserted, deleted, edge_a, edge_b = (int(n) for n in by_class)
    both = matched + substituted
    return Counts(
        both + deleted + edge_a,
        both + inserted + edge_b,
        matched,
        substituted,
        inserted,
        deleted,
        edge_a,
        edge_b,
    )


def _errors(errors_ns: I64) -> Errors | None:
    if not len(errors_ns):
        return None
    p1, p50, p99 = np.percentile(errors_ns, (1, 50, 99), method="inverted_cdf")
    return Errors(len(errors_ns), int(p1), int(p50), int(p99), int(np.abs(errors_ns).max()))


def _coded(codes: I64 | I8, names: Sequence[str]) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(names), pa.string()))


def _at(values: I64, at: I64) -> I64:
    """Values at these places, -1 where there is none."""
    return np.append(values, -1)[at]


def _seq(side: Side, at: I64) -> I64:
    return _at(side.table["seq"].to_numpy()[side.place], at)


# For readers of the codes in `Laid.op`.
assert tuple(range(len(OPERATIONS))) == (MATCHED, SUBSTITUTED, INSERTED, DELETED, EDGE)

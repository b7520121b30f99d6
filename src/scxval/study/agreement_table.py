# SPDX-License-Identifier: MIT
"""Two sources' rows paired, and what pairs.parquet holds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from scxval.study.agreement_align import I64
from scxval.study.agreement_misses import Misses, near_misses
from scxval.study.agreement_pairs import pair
from scxval.study.agreement_rows import Bools, Comparable, Source, Window, comparable

PAIR_SCHEMA = pa.schema(
    [
        pa.field("what", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("cpu", pa.int16(), nullable=False),
        pa.field("tid", pa.int32()),
        pa.field("time_a_ns", pa.int64()),
        pa.field("time_b_ns", pa.int64()),
        pa.field("residual_ns", pa.int64()),
        pa.field("seq_a", pa.int64()),
        pa.field("seq_b", pa.int64()),
        # So near an end of the window that the partner may lie outside: not held against anyone.
        pa.field("edge", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Paired:
    """Places of pairs and of unpaired rows in the two tables, with each one's class.

    `edge_a` and `edge_b` are unpaired rows within the tolerance of an end of the window.
    """

    rows: Comparable
    a: I64
    b: I64
    klass: I64
    residual_ns: I64
    only_a: I64
    only_b: I64
    klass_a: I64
    klass_b: I64
    edge_a: Bools
    edge_b: Bools
    dense: int
    misses: Misses


def pair_sources(a: Source, b: Source, window_ns: Window, tolerance_ns: int) -> Paired:
    """Pair the comparable rows of two sources within a window."""
    rows = comparable(a, b, window_ns)
    found = pair(rows.a.side, rows.b.side, rows.family, tolerance_ns)
    start, end = window_ns[0] + tolerance_ns, window_ns[1] - tolerance_ns
    edges = [
        (side.time_ns[only] < start) | (side.time_ns[only] > end)
        for side, only in ((rows.a.side, found.only_a), (rows.b.side, found.only_b))
    ]
    return Paired(
        rows,
        rows.a.place[found.a],
        rows.b.place[found.b],
        rows.a.klass[found.a],
        rows.b.side.time_ns[found.b] - rows.a.side.time_ns[found.a],
        rows.a.place[found.only_a],
        rows.b.place[found.only_b],
        rows.a.klass[found.only_a],
        rows.b.klass[found.only_b],
        edges[0],
        edges[1],
        found.dense,
        near_misses(rows, found, tolerance_ns),
    )


def pair_table(a: Source, b: Source, paired: Paired) -> pa.Table:
    """Pairs and unpaired rows in order of time (A's where it has one), then of sequence number."""
    klass = np.concatenate([paired.klass, paired.klass_a, paired.klass_b])
    edge = np.concatenate([np.zeros(len(paired.a), dtype=np.bool_), paired.edge_a, paired.edge_b])
    none = -1
    in_a = np.concatenate([paired.a, paired.only_a, np.full(len(paired.only_b), none)])
    in_b = np.concatenate([paired.b, np.full(len(paired.only_a), none), paired.only_b])
    time_a, time_b = _taken(a, "time_ns", in_a), _taken(b, "time_ns", in_b)
    when = np.where(in_a >= 0, time_a, time_b)
    order = np.lexsort((in_b, in_a, when))
    klass, edge, in_a, in_b = klass[order], edge[order], in_a[order], in_b[order]
    time_a, time_b = time_a[order], time_b[order]
    no_a, no_b = in_a < 0, in_b < 0
    cpu = np.where(no_a, _taken(b, "cpu", in_b), _taken(a, "cpu", in_a))
    tid = np.where(no_a, _taken(b, "tid", in_b), _taken(a, "tid", in_a))
    what = pa.DictionaryArray.from_arrays(
        pa.array(klass.astype(np.int32)), pa.array(paired.rows.classes, pa.string())
    )
    columns = [
        what,
        pa.array(cpu, pa.int16()),
        pa.array(tid, pa.int32(), mask=tid < 0),
        pa.array(time_a, mask=no_a),
        pa.array(time_b, mask=no_b),
        pa.array(time_b - time_a, mask=no_a | no_b),
        pa.array(_taken(a, "seq", in_a), mask=no_a),
        pa.array(_taken(b, "seq", in_b), mask=no_b),
        pa.array(edge),
    ]
    return pa.table(columns, schema=PAIR_SCHEMA)


def _taken(source: Source, column: str, places: I64) -> Any:
    """A column's values at places; what stands for -1 is masked by the caller."""
    return source.numbers(column)[places]

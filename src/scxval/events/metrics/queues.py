# SPDX-License-Identifier: MIT
"""Inserts into dispatch queues: the slice and the virtual time that each gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scxval.events.metrics.rows import I64, INSERT, U64, Bools, Rows, unsigned


@dataclass(frozen=True)
class Insertions:
    """Every insert, in the source's order; a value counts where its `known` is true."""

    time_ns: I64
    comm: I64
    dsq_id: U64
    dsq_known: Bools
    slice_ns: U64
    slice_known: Bools
    vtime: U64
    vtime_known: Bools

    def take(self, which: I64 | Bools) -> Insertions:
        """Some of them, in the order given."""
        return Insertions(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def insertions(table: pa.Table, rows: Rows) -> Insertions:
    """The inserts among the rows."""
    at = np.flatnonzero(rows.kind == INSERT)
    place = rows.place[at]
    return Insertions(
        rows.time_ns[at],
        rows.comm[at],
        *unsigned(table, "dsq_id", place),
        *unsigned(table, "slice_ns", place),
        *unsigned(table, "vtime", place),
    )


def vtime_steps(inserts: Insertions) -> tuple[Insertions, I64]:
    """The inserts by vtime that have one before them in their queue, and how far each is from it.

    The step is modulo 2**64 and signed, as the kernel compares times (time_before64): a vtime that
    wraps is a small step.
    """
    with_vtime = inserts.take(inserts.vtime_known & inserts.dsq_known)
    by_queue = with_vtime.take(np.argsort(with_vtime.dsq_id, kind="stable"))
    follows = np.flatnonzero(by_queue.dsq_id[1:] == by_queue.dsq_id[:-1]) + 1
    step = (by_queue.vtime[follows] - by_queue.vtime[follows - 1]).view(np.int64)
    return by_queue.take(follows), step

# SPDX-License-Identifier: MIT
"""Which rows are of which task, by name, and of which activation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from scxval.compare.alignment.activations import activations, tasks
from scxval.events.schema import TraceKind as K
from tests.compare.alignment.tables import kinds, sequence, with_column

NAMES = [str(kind) for kind in K]


def numbers(*rows: K, seen: list[K] | None = None) -> list[int]:
    """The activations of one task's rows."""
    kind = np.array([NAMES.index(row) for row in rows])
    found = activations(np.zeros(len(rows), dtype=np.int64), kind, NAMES, list(seen or K))
    return [int(number) for number in found]


def test_an_activation_begins_with_the_first_of_a_wakeups_records() -> None:
    rows = (K.TASK_WOKE, K.ENQUEUE_TASK, K.TASK_WOKE, K.TASK_SCHEDULED, K.TASK_SLEPT)
    assert numbers(*rows, *rows) == [1] * 5 + [2] * 5


def test_what_stands_before_the_first_wakeup_is_activation_0() -> None:
    assert numbers(K.TASK_SCHEDULED, K.TASK_SLEPT, K.TASK_WOKE, K.TASK_SCHEDULED) == [0, 0, 1, 1]
    assert numbers(K.TASK_SLEPT, K.TASK_WOKE) == [0, 1]


def test_a_wakeup_of_a_task_that_does_not_sleep_begins_nothing() -> None:
    rows = (K.TASK_SCHEDULED, K.TASK_WOKE, K.TASK_PREEMPTED, K.TASK_WOKE)
    assert numbers(*rows) == [0, 0, 0, 0]
    assert numbers(K.TASK_PREEMPTED, K.TASK_WOKE, K.TASK_SCHEDULED) == [0, 0, 0]


def test_a_wakeup_that_was_recorded_before_the_sleep_begins_with_the_switch() -> None:
    rows = (K.TASK_WOKE, K.TASK_SCHEDULED, K.TASK_WOKE, K.TASK_SLEPT, K.TASK_SCHEDULED)
    assert numbers(*rows) == [1, 1, 1, 1, 2]


def test_where_sleeps_cannot_be_seen_a_wakeup_after_a_run_begins_one() -> None:
    rows = (K.TASK_WOKE, K.TASK_WOKE, K.TASK_SCHEDULED, K.TASK_PREEMPTED, K.TASK_WOKE)
    assert numbers(*rows, seen=[K.TASK_WOKE, K.TASK_SCHEDULED]) == [1, 1, 1, 1, 2]


def test_each_task_counts_for_itself() -> None:
    kind = np.array([NAMES.index(K.TASK_WOKE)] * 3)
    assert activations(np.array([0, 1, 1]), kind, NAMES, NAMES).tolist() == [1, 1, 1]


def test_threads_of_one_name_are_numbered_as_they_come() -> None:
    table = sequence("scx_simple.oversub")
    same = pa.array(["w"] * len(table)).dictionary_encode().cast(table.schema.field("comm").type)
    found = tasks(with_column(table, "comm", same), kinds(table), None)
    tid = table["tid"].to_numpy(zero_copy_only=False)[found.place]
    order = list(dict.fromkeys(tid.tolist()))
    assert found.names == [("w", k) for k in range(1, len(order) + 1)]
    assert [order[task] for task in found.task] == tid.tolist()


def test_every_row_is_there_or_counted_as_removed() -> None:
    table = sequence("scx_simple.periodic_mix")
    for comms in (None, ["per8"], []):
        found = tasks(table, kinds(table) - {"Tick"}, comms)
        assert len(found.place) + sum(found.removed.values()) == len(table)
    assert tasks(table, kinds(table), ["per8"]).names == [("per8", 1)]
    assert tasks(table, [], None).removed == {"kind that not both see": len(table)}
    assert tasks(table.slice(0, 0), kinds(table), None).names == []

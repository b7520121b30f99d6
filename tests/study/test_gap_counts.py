# SPDX-License-Identifier: MIT
"""What a run shows, counted: against the tables line by line, and on real captures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.prepare import Common, Prepared
from scxval.compare.source import Source
from scxval.events.capability import Capability
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import read_events
from scxval.simulate.sequences import Episode, shapes
from scxval.study.gap_counts import (
    ALL_EPISODES,
    THEN,
    Aspect,
    Base,
    Counts,
    Item,
    count,
    of_workload,
    without_ends,
)

from ..conftest import ROOT
from ..simulate.sequence_runs import KINDS

CAPTURES = sorted((ROOT / "tests/fixtures/sequences").glob("scx_*.periodic_mix.parquet"))
TASKS = frozenset({"per8", "per20", "hog"})
FILLED = [f.name for f in EVENT_SCHEMA if f.nullable]


def prepared(table: pa.Table, comms: frozenset[str] = TASKS, **fields: list[str]) -> Prepared:
    """A whole table as a run; `fields` are what a kind fills, where that is not everything."""
    told = {kind: fields.get(kind, FILLED) for kind in KINDS}
    capability = Capability("test", list(KINDS), told)
    return Prepared(table, capability, (0, 1 << 62), None, comms, {})


def rows(*made: dict[str, Any]) -> pa.Table:
    plain = {"cpu": 0, "tid": 7, "comm": "per8", "probe": "p"}
    some = [{**plain, "time_ns": 10 * n, "seq": n, **row} for n, row in enumerate(made)]
    return pa.Table.from_pylist(some, schema=EVENT_SCHEMA)


def named(counts: Counts, aspect: Aspect) -> dict[str, int]:
    return {i.name: n for i, n in counts.items.items() if i.base.aspect is aspect and n}


@pytest.mark.parametrize("file", CAPTURES, ids=lambda file: file.stem.split(".")[0])
def test_a_real_runs_counts_are_those_of_its_rows(file: Path) -> None:
    table = read_events(file)
    counts = count(prepared(table))
    # These captures are cut to the workload's episodes: what is about no task is theirs.
    own = [r for r in table.to_pylist() if r["comm"] in TASKS or r["tid"] is None]
    kinds = Counter(r["kind"] for r in own)
    assert named(counts, Aspect.KIND) == {k: n for k, n in kinds.items() if k in KINDS}
    assert counts.bases[Base(Aspect.KIND, "switch-in")] == kinds["TaskScheduled"]


@pytest.mark.parametrize("file", CAPTURES, ids=lambda file: file.stem.split(".")[0])
def test_a_real_runs_transitions_are_those_read_row_by_row(file: Path) -> None:
    table = read_events(file)
    last: dict[int, str] = {}
    expected: Counter[str] = Counter()
    for row in sorted(table.to_pylist(), key=lambda row: (row["time_ns"], row["seq"])):
        if row["comm"] not in TASKS or row["kind"] == "Tick":
            continue
        label = f"TaskWoke {row['reason']}" if row["kind"] == "TaskWoke" else row["kind"]
        if row["tid"] in last:
            expected[f"{last[row['tid']]}{THEN}{label}"] += 1
        last[row["tid"]] = label
    counts = count(prepared(table))
    assert named(counts, Aspect.TRANSITION) == expected
    bases = {b: n for b, n in counts.bases.items() if b.aspect is Aspect.TRANSITION}
    assert sum(bases.values()) == expected.total()


@pytest.mark.parametrize("file", CAPTURES, ids=lambda file: file.stem.split(".")[0])
def test_orders_are_the_shapes_of_the_simulators_check(file: Path) -> None:
    table = read_events(file)
    counts = count(prepared(table))
    found = shapes(table, TASKS, KINDS)
    for episode, counter in found.counts.items():
        base = Base(Aspect.ORDER, str(episode))
        assert counts.bases.get(base, 0) == counter.total()
        for shape, number in counter.items():
            assert counts.items[Item(base, THEN.join(shape))] == number
    whole = Base(Aspect.ORDER, ALL_EPISODES)
    assert counts.bases[whole] == sum(c.total() for c in found.counts.values()) > 0


def test_what_only_one_side_fills_is_told_by_none() -> None:
    wake = [
        {"kind": "TaskWoke", "reason": "waking", "other_tid": 0},
        {"kind": "EnqueueTask", "flags": 9, "other_cpu": 0},
        {"kind": "TaskWoke", "reason": "wakeup", "other_tid": 0},
    ]
    less = [field for field in FILLED if field != "flags"]
    bare = [dict(row) for row in wake]
    del bare[1]["flags"]
    told = count(prepared(rows(*wake)))
    assert "TaskWoke it > EnqueueTask it 0x9 > TaskWoke it" in named(told, Aspect.ORDER)
    one = count(prepared(rows(*wake), EnqueueTask=less))
    assert one == count(prepared(rows(*bare), EnqueueTask=less))
    assert one != told


def test_what_a_task_does_at_its_end_can_be_left_out() -> None:
    table = rows(
        {"kind": "TaskScheduled"},
        {"kind": "PutPrevTask"},
        {"kind": "TaskCompleted"},
        {"kind": "TaskScheduled", "tid": 8, "comm": "per20"},
        {"kind": "PutPrevTask", "tid": 8, "comm": "per20"},
    )
    counts = count(prepared(table))
    found = without_ends(counts)
    assert "TaskCompleted" in named(counts, Aspect.KIND)
    assert named(found, Aspect.KIND) == {"TaskScheduled": 2, "PutPrevTask": 2}
    assert named(found, Aspect.TRANSITION) == {"TaskScheduled > PutPrevTask": 2}
    assert found.bases[Base(Aspect.TRANSITION, "PutPrevTask")] == 0


def test_episodes_of_exits_go_with_the_ends() -> None:
    whole, ends = Base(Aspect.ORDER, ALL_EPISODES), Base(Aspect.ORDER, str(Episode.EXIT))
    wake = Base(Aspect.ORDER, str(Episode.WAKE))
    items = {Item(whole, "exit"): 2, Item(whole, "wake"): 3, Item(ends, "x"): 2, Item(wake, "y"): 3}
    found = without_ends(Counts(items, {whole: 5, ends: 2, wake: 3}))
    assert found == Counts({Item(whole, "wake"): 3, Item(wake, "y"): 3}, {whole: 3, wake: 3})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["TaskScheduled", "TaskSlept", "PickTask", "Tick", "TaskPreempted"]),
        st.integers(7, 9),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(STEPS)
def test_every_row_but_a_tasks_last_begins_a_transition(steps: list[tuple[str, int, int]]) -> None:
    table = rows(*({"kind": k, "tid": tid, "cpu": cpu} for k, tid, cpu in steps))
    counts = count(prepared(table))
    counted = [(k, tid) for k, tid, _ in steps if k != "Tick"]
    total = sum(n for b, n in counts.bases.items() if b.aspect is Aspect.TRANSITION)
    assert total == len(counted) - len({tid for _, tid in counted})
    assert sum(named(counts, Aspect.TRANSITION).values()) == total


@given(STEPS)
def test_a_share_is_of_its_base(steps: list[tuple[str, int, int]]) -> None:
    counts = count(prepared(rows(*({"kind": k, "tid": tid} for k, tid, _ in steps))))
    for item, number in counts.items.items():
        share = counts.share(item)
        if counts.bases[item.base]:
            assert share == pytest.approx(number / counts.bases[item.base])
        else:
            assert share is None


def test_the_workload_is_what_was_simulated() -> None:
    plain = Common(frozenset(), {}, None, frozenset())
    run = Source(Path("run"), "ok", ran=frozenset({"hog-0", "hog-x", "rcu_preempt", "other-3"}))
    simulation = replace(run, ran=frozenset({"hog", "per8"}))
    found = of_workload(plain, [run], [simulation])
    assert found.comms == {"hog", "per8"}
    assert found.renamed == {"hog-0": "hog"}

# SPDX-License-Identifier: MIT
"""The engine asks a scheduler what the kernel asks it, in the same order: on real traces, and cut by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from scxval.catalog.load import Catalog
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import read_events
from scxval.simulate.sequences import (
    Episode,
    Shape,
    own_episodes,
    shapes,
    without_repeats,
)

from .sequence_runs import FIXTURES, KINDS, WORKLOADS, names_of, real, simulated, total

SCHEDULERS = ("scx_simple", "scx_qmap", "scx_flatcg", "scx_cpu0", "scx_central")
# A simulation ends before its tasks do, and has no tasks of other classes.
COMPARED = [e for e in Episode if e not in (Episode.CUT, Episode.EXIT, Episode.PREEMPTED)]
# Why a shape is only real or only simulated: docs/simulate.md.
NOTHING_ASKED = (Episode.KEPT, ("PickTask it here ok",))
MOVED = (
    "DequeueTask another there 0x0",
    "TaskMigrated another here",
    "EnqueueTask another here 0x0",
)
PUSHED = (
    "DequeueTask another here 0x0",
    "TaskMigrated another there",
    "EnqueueTask another there 0x0",
)
# What central's dispatch does, and how a switch to another task and one to idle end.
FOR_ANOTHER = (
    "DsqInsert another local_on endless 0x0",
    "KickCpu there 0x1",
    "DsqMoveToLocal user none",
)
FOR_ITSELF = ("DsqInsert another local_on endless 0x0",)
BOUNCED = ("DsqInsert another user endless 0x0", "DsqMoveToLocal user ok")
PICKED, NOTHING, SLEEPS = (
    "PickTask another here ok",
    "PickTask here none",
    "DequeueTask it here 0x9",
)


def switch(off: str, *rows: str) -> Shape:
    to = ("CpuIdle idle",) if NOTHING in rows else ("TaskScheduled another",)
    put = ("PutPrevTask it here",)
    chosen = () if NOTHING in rows else ("SetNextTask another here",)
    return (*rows, *put, *chosen, off, *to)


REAL_ONLY: dict[str, set[tuple[Episode, Shape]]] = {
    "scx_simple": {NOTHING_ASKED},
    "scx_qmap": {(Episode.WAKE, ("TaskWoke it",))},
    "scx_flatcg": {NOTHING_ASKED},
    "scx_cpu0": {NOTHING_ASKED},
    "scx_central": {
        NOTHING_ASKED,
        (Episode.YIELD, switch("TaskYielded it", NOTHING, "DsqMoveToLocal user none")),
        (
            Episode.YIELD,
            switch("TaskYielded it", PICKED, "DsqMoveToLocal user none", *FOR_ITSELF, *MOVED),
        ),
        (
            Episode.YIELD,
            switch("TaskYielded it", NOTHING, *FOR_ANOTHER, *PUSHED, "DsqMoveToLocal user none"),
        ),
        (Episode.SLICE_END, switch("TaskPreempted it", PICKED)),
    },
}
# A queue of the tracer's and the workload's tasks comes in more orders than one run of each shows.
SIMULATED_ONLY: dict[str, set[tuple[Episode, Shape]]] = {
    "scx_central": {
        (Episode.SLICE_END, switch("TaskPreempted it", PICKED, *BOUNCED, *MOVED)),
        (Episode.SLEEP, switch("TaskSlept it", SLEEPS, PICKED, *BOUNCED, *MOVED)),
        (
            Episode.SLEEP,
            switch("TaskSlept it", SLEEPS, PICKED, *FOR_ANOTHER, *PUSHED, *FOR_ITSELF, *MOVED),
        ),
    }
}


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_simulated_sequences_are_the_kernels(
    libraries: Path, catalog: Catalog, scheduler: str
) -> None:
    runs = [
        simulated(libraries, catalog, scheduler, name, seed)
        for name in WORKLOADS
        for seed in (0, 1, 2, 3)
    ]
    theirs, ours = real(catalog, scheduler), total(runs)
    unseen, unmade = {}, {}
    for episode in COMPARED:
        here, there = ours[episode], theirs[episode]
        for shape, count in here.items():
            if not there[shape]:
                unseen[episode, shape] = f"{count} of {here.total()}"
        for shape, count in there.items():
            if count >= 0.01 * there.total() and not here[shape]:
                unmade[episode, shape] = f"{count} of {there.total()}"
    assert all(theirs[episode] for episode in (Episode.WAKE, Episode.SLICE_END, Episode.YIELD))
    assert unseen.keys() <= SIMULATED_ONLY.get(scheduler, set()), unseen
    assert unmade.keys() <= REAL_ONLY[scheduler], unmade


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.parquet")), ids=lambda file: file.stem)
def test_a_cut_table_has_the_same_shapes(catalog: Catalog, file: Path) -> None:
    table, names = read_events(file), names_of(catalog, file.stem.split(".")[1])
    whole = shapes(table, names, KINDS)
    assert whole.foreign == 0
    assert shapes(own_episodes(table, names, KINDS), names, KINDS) == whole


def rows_of(*rows: dict[str, Any]) -> pa.Table:
    """Rows on CPU 0 about task 7, 1 us apart, but for what they say."""
    plain = {"cpu": 0, "tid": 7, "comm": "seven", "probe": "p"}
    made = [{**plain, "time_ns": 1000 * i, "seq": i, **row} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(made, schema=EVENT_SCHEMA)


WAKING = {"kind": "TaskWoke", "reason": "waking", "other_tid": 0}
WAKEUP = {"kind": "TaskWoke", "reason": "wakeup", "other_tid": 0}


def test_an_episode_is_its_cpus_own() -> None:
    elsewhere = {"kind": "EnqueueTask", "cpu": 1, "flags": 9, "other_cpu": 1}
    enqueue = {"kind": "EnqueueTask", "flags": 0x40009, "other_cpu": 0}
    found = shapes(rows_of(WAKING, elsewhere, enqueue, WAKEUP), ["seven"], KINDS)
    # That it moved is not said twice.
    assert found.counts[Episode.WAKE] == {("TaskWoke it", "EnqueueTask it 0x9", "TaskWoke it"): 1}
    assert sum(c.total() for c in found.counts.values()) == 1


def test_an_episode_with_others_in_it_is_foreign() -> None:
    stranger = {"kind": "EnqueueTask", "tid": 9, "comm": "nine", "flags": 9}
    found = shapes(rows_of(WAKING, stranger, WAKEUP), ["seven"], KINDS)
    assert (found.foreign, sum(c.total() for c in found.counts.values())) == (1, 0)


def test_an_episode_cut_by_the_tables_end_is_left_out() -> None:
    found = shapes(rows_of(WAKING), ["seven"], KINDS)
    assert (found.foreign, sum(c.total() for c in found.counts.values())) == (0, 0)
    assert not sum(c.total() for c in shapes(rows_of(), ["seven"], KINDS).counts.values())


def test_passes_of_a_loop_are_one() -> None:
    assert without_repeats(("a", "b", "a", "b", "a", "b", "c")) == ("a", "b", "c")
    assert without_repeats(("a", "a", "b", "c", "d", "b", "c", "d")) == ("a", "b", "c", "d")
    assert without_repeats(("a", "b", "a")) == ("a", "b", "a")

# SPDX-License-Identifier: MIT
"""What one run shows of a scheduler's doings: kinds of rows, a task's transitions, orders of episodes.

A run of the kernel and a simulation are counted alike, over what both can show: rows, columns and wakeup
records that only one side has are gone before anything is counted (scxval.compare.prepare).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scxval.compare.prepare import Common, Prepared
from scxval.compare.source import Source
from scxval.events.metrics.rows import dictionary, numbers
from scxval.events.schema import TraceKind
from scxval.simulate.sequences import Episode, own_episodes, shapes

# Columns of which the shape of an episode is made (scxval.simulate.sequences).
ARGUMENTS = ("other_tid", "other_cpu", "dsq_id", "slice_ns", "flags", "success")
# Between the rows of an order, and the two of a transition.
THEN = " > "
ALL_EPISODES = "episode"
_TICK = str(TraceKind.TICK)
_IDLE = str(TraceKind.CPU_IDLE)
_WOKE = str(TraceKind.TASK_WOKE)
_SCHEDULED = str(TraceKind.TASK_SCHEDULED)
COMPLETED = str(TraceKind.TASK_COMPLETED)


class Aspect(StrEnum):
    """How a run is looked at."""

    KIND = "kinds"
    TRANSITION = "transitions"
    ORDER = "orders"


@dataclass(frozen=True, order=True)
class Base:
    """What an item is a part of: `name` is the kind of row before, or of episode."""

    aspect: Aspect
    name: str


@dataclass(frozen=True, order=True)
class Item:
    """One thing that a run shows or does not."""

    base: Base
    name: str


@dataclass(frozen=True)
class Counts:
    """How often each item came in a run, and of how many rows, transitions or episodes of its base."""

    items: Mapping[Item, int]
    bases: Mapping[Base, int]

    def share(self, item: Item) -> float | None:
        """An item's part of its base (of kinds: rows a switch-in, which may be above 1); None of nothing."""
        base = self.bases.get(item.base, 0)
        return self.items.get(item, 0) / base if base else None


def of_workload(common: Common, real: Iterable[Source], simulated: Iterable[Source]) -> Common:
    """The same with the workload's tasks: those that were simulated, for nothing else is.

    rt-app may name the threads of a task `<task>-<index>` (rtapp_comms of scxval.events.metrics).
    """
    comms = frozenset().union(*(run.ran for run in simulated))
    names = frozenset().union(*(run.ran for run in real))
    renamed = {}
    for name in names - comms:
        task, dash, index = name.rpartition("-")
        if dash and index.isdigit() and task in comms:
            renamed[name] = task
    return replace(common, comms=comms, renamed=renamed)


def count(run: Prepared) -> Counts:
    """Count what a run shows in the window that is compared."""
    table = _told(_within(run.table, run.window_ns), run.capability.fields)
    kinds = run.capability.kinds
    items: Counter[Item] = Counter()
    bases: Counter[Base] = Counter()
    for found in (
        _kinds(table, run.comms, kinds),
        _transitions(table, run.comms),
        _orders(table, run.comms, kinds),
    ):
        items.update(found.items)
        bases.update(found.bases)
    return Counts(items, bases)


def without_ends(counts: Counts) -> Counts:
    """The same without what a task does when it ends: the kind, transitions to it, and its episode."""
    items = dict(counts.items)
    bases = dict(counts.bases)
    whole = Base(Aspect.ORDER, ALL_EPISODES)
    for item, number in counts.items.items():
        if item.base.aspect is Aspect.TRANSITION and item.name.endswith(f"{THEN}{COMPLETED}"):
            bases[item.base] -= number
        elif item == Item(whole, str(Episode.EXIT)):
            bases[whole] -= number
        elif item.name != COMPLETED and item.base != Base(Aspect.ORDER, str(Episode.EXIT)):
            continue
        del items[item]
    bases.pop(Base(Aspect.ORDER, str(Episode.EXIT)), None)
    return Counts(items, bases)


def _within(table: pa.Table, window_ns: tuple[int, int]) -> pa.Table:
    time = numbers(table, "time_ns")
    inside = (time >= window_ns[0]) & (time < window_ns[1])
    return table.filter(pa.array(inside)).combine_chunks()


def _told(table: pa.Table, fields: Mapping[str, Iterable[str]]) -> pa.Table:
    """The table without what only one side fills: an argument of a kind is told by both or by none."""
    for column in ARGUMENTS:
        mute = [kind for kind, columns in fields.items() if column not in set(columns)]
        hidden = pc.is_in(table["kind"].cast(pa.string()), pa.array(mute, pa.string()))
        if pc.any(pc.and_(hidden, pc.is_valid(table[column]))).as_py():
            place = table.schema.get_field_index(column)
            field = table.schema.field(column)
            values = pc.if_else(hidden, pa.scalar(None, field.type), table[column])
            table = table.set_column(place, field, values)
    return table


def _kinds(table: pa.Table, comms: Iterable[str], kinds: Iterable[str]) -> Counts:
    """Rows of each kind about the workload's tasks, and in their episodes those about no task.

    An idle CPU is no task's doing: CpuIdle is not counted.
    """
    kinds = [kind for kind in kinds if kind != _IDLE]
    rows: Counter[str] = Counter(_names(_own(table, comms)))
    episodes = own_episodes(table, list(comms), kinds)
    rows.update(_names(episodes.filter(pc.is_null(episodes["tid"]))))
    base = Base(Aspect.KIND, "switch-in" if _SCHEDULED in kinds else "row")
    total = rows[_SCHEDULED] if _SCHEDULED in kinds else rows.total()
    return Counts({Item(base, kind): rows[kind] for kind in kinds}, {base: total})


def _own(table: pa.Table, comms: Iterable[str]) -> pa.Table:
    names = pa.array(list(comms), pa.string())
    return table.filter(pc.is_in(table["comm"].cast(pa.string()), names))


def _names(table: pa.Table) -> list[str]:
    kinds: list[str] = table["kind"].cast(pa.string()).to_pylist()
    return kinds


def _transitions(table: pa.Table, comms: Iterable[str]) -> Counts:
    """What follows what in each task's rows, without ticks: those come whenever the clock says.

    Rows of a task are in order of time, those of one time in the source's (scxval.events.metrics.rows).
    """
    table = _own(table, comms)
    table = table.filter(pc.not_equal(table["kind"].cast(pa.string()), _TICK)).combine_chunks()
    tid = numbers(table, "tid")
    order = np.lexsort((numbers(table, "seq"), numbers(table, "time_ns"), tid))
    labels, code = _labels(table)
    code, tid = code[order], tid[order]
    same = tid[1:] == tid[:-1]
    pairs, times = np.unique(
        np.stack([code[:-1][same], code[1:][same]]), axis=1, return_counts=True
    )
    items: Counter[Item] = Counter()
    bases: Counter[Base] = Counter()
    for (first, second), number in zip(pairs.T, times, strict=True):
        base = Base(Aspect.TRANSITION, labels[first])
        items[Item(base, f"{labels[first]}{THEN}{labels[second]}")] += int(number)
        bases[base] += int(number)
    return Counts(items, bases)


def _labels(table: pa.Table) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """What each row is in a transition: its kind, and which record of a wakeup it is."""
    kind, kinds = dictionary(table, "kind")
    reason, reasons = dictionary(table, "reason")
    woke = np.array([name == _WOKE for name in kinds], dtype=np.bool_)
    reason = np.where(woke[kind], reason, -1) if len(kinds) else reason
    used, code = np.unique(np.stack([kind, reason]), axis=1, return_inverse=True)
    labels = [
        f"{kinds[k]} {reasons[r]}" if r >= 0 else kinds[k] for k, r in used.T.astype(np.int64)
    ]
    return labels, code.reshape(-1).astype(np.int64)


def _orders(table: pa.Table, comms: Iterable[str], kinds: Iterable[str]) -> Counts:
    """The kinds of episodes, and of each the shapes."""
    found = shapes(table, list(comms), list(kinds))
    whole = Base(Aspect.ORDER, ALL_EPISODES)
    items: dict[Item, int] = {}
    bases: dict[Base, int] = {whole: 0}
    for episode, counter in found.counts.items():
        if not counter:
            continue
        base = Base(Aspect.ORDER, str(episode))
        bases[base] = counter.total()
        bases[whole] += counter.total()
        items[Item(whole, str(episode))] = counter.total()
        for shape, number in counter.items():
            items[Item(base, THEN.join(shape))] = number
    return Counts(items, bases)

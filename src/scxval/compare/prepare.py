# SPDX-License-Identifier: MIT
"""Makes two groups' event tables comparable: kinds, columns, wakeup records and names that both sides have.

A kind that one side cannot see is not measured on either; everything left out is counted by class. Two
kinds have a coarser one that stands in for them, so that no slice is left open: a TaskYielded is a
TaskPreempted to a source that cannot tell yields, a TaskCompleted a TaskSlept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.catalog.rtapp import read_json
from scxval.compare.source import Source
from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.metrics import rtapp_comms
from scxval.events.metrics.rows import dictionary, numbers
from scxval.events.schema import EVENT_SCHEMA, Reason, TraceKind
from scxval.events.table import read_events

Bools = npt.NDArray[np.bool_]

# What a source calls a switch-out whose kind it cannot tell.
COARSER = {
    str(TraceKind.TASK_YIELDED): str(TraceKind.TASK_PREEMPTED),
    str(TraceKind.TASK_COMPLETED): str(TraceKind.TASK_SLEPT),
}
_WOKE = str(TraceKind.TASK_WOKE)

# Without a workload file these are not taken for its tasks: kernel threads (most have a slash), the
# scheduler, the tracers and the agent.
_NOT_WORKLOAD = re.compile(
    r".*/.*|tid \d+|(rcu_|scx_|kworker|kswapd|kcompactd|kdamond|khungtaskd|khugepaged|kauditd|kthreadd"
    r"|jbd2|systemd|python|bpftrace|perf-exec|trace-cmd|scxtop|wprof|systing).*|perf|init|sh|bash|swapper"
)


@dataclass(frozen=True)
class Common:
    """What both groups have. `kinds` and `fields` (columns by kind) as in a capability record.

    `reasons` are the wakeup records kept, None: whatever is there. `comms` are the workload's tasks,
    `renamed` other names of theirs. `dropped` says of a kind that each side sees why it is not compared;
    `seen` is what all runs of each side see.
    """

    kinds: frozenset[str]
    fields: Mapping[str, frozenset[str]]
    reasons: frozenset[str] | None
    comms: frozenset[str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """One run's events that have a counterpart, before, in and after the window, in canonical order.

    `capability` is cut to what is common and has no window: `window_ns` is cut already.
    """

    table: pa.Table
    capability: Capability
    window_ns: tuple[int, int]
    cpus: list[int] | None
    comms: frozenset[str]
    removed: dict[str, int]


def common_of(a: Sequence[Source], b: Sequence[Source], workload: Path | None) -> Common:
    """What the used runs of both sides that have events can show.

    Without a workload file its tasks are those whose names ran in the window of every run of both sides,
    but for the kernel's threads, schedulers and tracers. Raises ScxvalError for a bad workload file.
    """
    sides = [[run for run in side if run.used and run.has_events] for side in (a, b)]
    seen = [_kinds(side) for side in sides]
    kinds = seen[0] & seen[1]
    reasons, dropped, notes = _reasons(sides) if _WOKE in kinds else (None, {}, [])
    kinds -= dropped.keys()
    fields = {kind: frozenset.intersection(*_fields(sides, kind)) for kind in kinds}
    comms, renamed = _workload(workload) if workload else (_ran_everywhere(sides), {})
    if workload is None and comms:
        names = ", ".join(sorted(comms))
        notes.append(f"no workload file: its tasks are those that ran in every run: {names}")
    elif workload is None and any(sides):
        notes.append(
            "no workload file, and no name of a task that ran in every run: all tasks count"
        )
    return Common(kinds, fields, reasons, comms, renamed, dropped, (seen[0], seen[1]), tuple(notes))


def _kinds(side: Sequence[Source]) -> frozenset[str]:
    """Kinds that every run of a side can see."""
    found = [frozenset(run.capability.kinds) for run in side if run.capability]
    return frozenset.intersection(*found) if found else frozenset()


def _fields(sides: Sequence[Sequence[Source]], kind: str) -> list[frozenset[str]]:
    runs = [run.capability for side in sides for run in side]
    return [frozenset(run.fields.get(kind, ())) for run in runs if run]


def _reasons(
    sides: Sequence[Sequence[Source]],
) -> tuple[frozenset[str] | None, dict[str, str], list[str]]:
    """Wakeup records that both sides have; TaskWoke with why it cannot be compared; notes.

    A record that is in no table of a side is taken as not recorded by it: the capability record does not
    say. A wait begins later with `wakeup` than with `waking`, so that only the same record will do.
    """
    told = [all(run.reasons is not None for run in side) for side in sides]
    if not any(told):
        return None, {}, []
    if not all(told):
        mute = "B" if told[0] else "A"
        why = f"{mute} does not say which record of a wakeup it shows"
        return None, {_WOKE: why}, [f"no wakeups are compared: {why}"]
    found = [frozenset().union(*(run.reasons or () for run in side)) for side in sides]
    common = found[0] & found[1]
    if not common & {Reason.WAKING, Reason.WAKEUP}:
        words = [", ".join(sorted(some)) or "none" for some in found]
        why = f"A and B have no record of a wakeup in common: {words[0]}; {words[1]}"
        return None, {_WOKE: why}, [f"no wakeups are compared: {why}"]
    only = [sorted(some - common) for some in found]
    notes = [
        f"wakeup records that only {side} has are left out: {', '.join(some)}"
        for side, some in zip("AB", only, strict=True)
        if some
    ]
    return common, {}, notes


def _ran_everywhere(sides: Sequence[Sequence[Source]]) -> frozenset[str]:
    runs = [run.ran for side in sides for run in side]
    if not runs:
        return frozenset()
    common = frozenset.intersection(*runs)
    return frozenset(name for name in common if not _NOT_WORKLOAD.fullmatch(name))


def _workload(file: Path) -> tuple[frozenset[str], dict[str, str]]:
    """Names of an rt-app file's tasks, and the indexed names of their threads."""
    tasks = frozenset(read_json(file)["tasks"])
    indexed = {name: name.rpartition("-")[0] for name in rtapp_comms(file) - tasks}
    return tasks, {name: task for name, task in indexed.items() if task in tasks}


def prepare(source: Source, common: Common) -> Prepared:
    """Read a used run's events and keep what is common. Raises ScxvalError for what cannot be read."""
    capability, window, covered = source.capability, source.window_ns, source.covered_ns
    if capability is None or window is None or covered is None:
        raise ScxvalError(f"{source.folder}: no events to compare")
    table = _renamed(read_events(source.folder / "events.parquet"), common)
    _check_order(table)
    kept, removed = _keep(table, common, (covered[0], window[0], window[1]))
    return Prepared(
        table=table.filter(pa.array(kept)).combine_chunks(),
        capability=replace(
            capability,
            kinds=sorted(common.kinds),
            fields={kind: sorted(columns) for kind, columns in common.fields.items()},
            window_ns=None,
        ),
        window_ns=window,
        cpus=source.cpus,
        comms=common.comms,
        removed=removed,
    )


def _check_order(table: pa.Table) -> None:
    time = numbers(table, "time_ns")
    if (time[1:] < time[:-1]).any():
        raise ScxvalError("events.parquet: rows are not in order of time; convert the trace again")


def _renamed(events: pa.Table, common: Common) -> pa.Table:
    """Kinds that not both can tell by their coarser one, threads by their task's name."""
    kinds = {
        fine: coarse
        for fine, coarse in COARSER.items()
        if fine not in common.kinds and coarse in common.kinds
    }
    table = events.unify_dictionaries().combine_chunks()
    for column, names in (("kind", kinds), ("comm", common.renamed)):
        codes, texts = dictionary(table, column)
        if not any(text in names for text in texts):
            continue
        distinct = pa.array([names.get(t, t) for t in texts], pa.string()).dictionary_encode()
        indices = pa.array(codes.astype(np.int32), mask=codes < 0)
        values = pa.DictionaryArray.from_arrays(distinct.indices.take(indices), distinct.dictionary)
        place = EVENT_SCHEMA.get_field_index(column)
        table = table.set_column(place, EVENT_SCHEMA.field(column), values)
    return table


def _keep(
    table: pa.Table, common: Common, ends_ns: tuple[int, int, int]
) -> tuple[Bools, dict[str, int]]:
    """Which rows have a counterpart, and how many of the others there are by class.

    `ends_ns`: where the covered window begins, where the warm-up ends, where the window ends. Rows outside
    are kept all the same, because they tell the state in which the window begins and ends, and counted.
    """
    time, tid = numbers(table, "time_ns"), numbers(table, "tid")
    kind, kinds = dictionary(table, "kind")
    comm, comms = dictionary(table, "comm")
    left: Bools = np.ones(table.num_rows, dtype=np.bool_)
    kept: Bools = left.copy()
    removed: dict[str, int] = {}

    def take(what: str, mask: Bools, drop: bool = False) -> None:
        # A row is counted in the first class that it is of.
        count = int((left & mask).sum())
        left[mask] = False
        if drop:
            kept[mask] = False
        if count:
            removed[what] = count

    start, warm, end = ends_ns
    take("before the window", time < start)
    take("warm-up", (time >= start) & (time < warm))
    take("after the window", time >= end)
    for code, name in enumerate(kinds):
        if name not in common.kinds:
            take(f"kind {name}: {_why_dropped(name, common)}", kind == code, drop=True)
    if common.reasons is not None:
        woke = np.isin(kind, [code for code, name in enumerate(kinds) if name == _WOKE])
        reason, reasons = dictionary(table, "reason")
        for code, name in [*enumerate(reasons), (-1, "no reason")]:
            if name not in common.reasons:
                what = f"wakeup record {name}: only one side has it"
                take(what, woke & (reason == code), drop=True)
    take("idle", tid == 0)
    take("no task named", tid < 0)
    if common.comms:
        own = [code for code, name in enumerate(comms) if name in common.comms]
        take("other tasks", ~np.isin(comm, own))
    return kept, removed


def _why_dropped(kind: str, common: Common) -> str:
    if kind in common.dropped:
        return common.dropped[kind]
    one = any(kind in side for side in common.seen)
    return "only one side sees it" if one else "not every run sees it"

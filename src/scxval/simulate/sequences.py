# SPDX-License-Identifier: MIT
"""What a scheduling class is asked, in what order, for one wakeup or one switch: a table cut into episodes.

An episode is what one CPU does without a break: a wakeup from sched_waking to sched_wakeup, or a call of
__schedule() from the sleeper's dequeue, else from the pick, to the switch or the pick's last row. Both run
with interrupts off (try_to_wake_up() and __schedule(), kernel/sched/core.c of 7.2), so their rows follow
each other on their CPU, whatever other CPUs do. Its shape is the order of its rows with what does not depend
on time, so that shapes of a real trace and of a simulated one can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.schema import (
    DSQ_GLOBAL,
    DSQ_LOCAL,
    DSQ_LOCAL_ON,
    SLICE_INFINITE,
    Reason,
    TraceKind,
)

# kernel/sched/sched.h, include/linux/sched/ext.h (7.2).
DEQUEUE_SLEEP = 0x1
WAKE_TTWU = 0x8
ENQUEUE_MIGRATED = 0x40000
# Says again what a TaskMigrated row says.
_ENQUEUE_MASK = ~np.uint64(ENQUEUE_MIGRATED)
# Each is a row of an episode; the rest (Tick, CpuFrequency, ...) is not about one.
EPISODE_KINDS = (
    TraceKind.TASK_SCHEDULED,
    TraceKind.TASK_PREEMPTED,
    TraceKind.TASK_YIELDED,
    TraceKind.TASK_SLEPT,
    TraceKind.TASK_WOKE,
    TraceKind.TASK_COMPLETED,
    TraceKind.CPU_IDLE,
    TraceKind.PUT_PREV_TASK,
    TraceKind.SELECT_TASK_RQ,
    TraceKind.ENQUEUE_TASK,
    TraceKind.BALANCE,
    TraceKind.PICK_TASK,
    TraceKind.SET_NEXT_TASK,
    TraceKind.DSQ_INSERT,
    TraceKind.DSQ_INSERT_VTIME,
    TraceKind.DSQ_MOVE_TO_LOCAL,
    TraceKind.KICK_CPU,
    TraceKind.DEQUEUE_TASK,
    TraceKind.TASK_MIGRATED,
)

Shape = tuple[str, ...]
Bools = npt.NDArray[np.bool_]


class Episode(StrEnum):
    """What an episode is about: its task (wake), or what went off the CPU and why."""

    WAKE = "wake"
    START = "start"
    SLEEP = "sleep"
    YIELD = "yield"
    SLICE_END = "slice end"
    # The pick went on with what was running: a dispatch without a task for this CPU.
    KEPT = "kept"
    IDLE_PICK = "idle pick"
    EXIT = "exit"
    PREEMPTED = "preempted"
    CUT = "cut"


@dataclass(frozen=True)
class Shapes:
    """How often each shape came, by kind of episode; `foreign` episodes had tasks of no interest in them."""

    counts: Mapping[Episode, Counter[Shape]]
    foreign: int

    def share(self, episode: Episode, shape: Shape) -> float:
        """The part of the episodes of this kind that had the shape, 0 to 1."""
        counts = self.counts[episode]
        return counts[shape] / max(1, counts.total())


def own_episodes(table: pa.Table, comms: Collection[str], kinds: Collection[str]) -> pa.Table:
    """The rows that `shapes` counts, in the table's order: what is left has the same shapes."""
    table = _of_episodes(table, kinds)
    rows = _Rows.of(table, comms)
    begin, end, _ = _episodes(rows)
    strange = np.concatenate([[0], np.cumsum(rows.foreign)])
    own = strange[end] == strange[begin]
    depth = np.zeros(len(rows.cpu) + 1, dtype=np.int64)
    np.add.at(depth, begin[own], 1)
    np.add.at(depth, end[own], -1)
    inside = np.cumsum(depth)[:-1] > 0
    return table.take(np.sort(rows.place[inside]))


def _of_episodes(table: pa.Table, kinds: Collection[str]) -> pa.Table:
    wanted = [str(kind) for kind in (*EPISODE_KINDS, TraceKind.TICK) if str(kind) in kinds]
    return table.filter(pc.is_in(table["kind"].cast(pa.string()), pa.array(wanted)))


def shapes(table: pa.Table, comms: Collection[str], kinds: Collection[str]) -> Shapes:
    """The shapes of all episodes whose tasks are called one of `comms`, or are idle.

    `kinds` are those that every table of the comparison can show. Episodes that the table's ends cut are
    left out.
    """
    rows = _Rows.of(_of_episodes(table, kinds), comms)
    counts: dict[Episode, Counter[Shape]] = {episode: Counter() for episode in Episode}
    begin, end, label = _episodes(rows)
    tokens, names = _tokens(rows, begin, end)
    strange = np.concatenate([[0], np.cumsum(rows.foreign)])
    own = strange[end] == strange[begin]
    cells: Counter[tuple[Episode, bytes]] = Counter()
    for first, last, what in zip(begin[own], end[own], label[own], strict=True):
        cells[_EPISODES[what], tokens[first:last].tobytes()] += 1
    for (episode, key), count in cells.items():
        shape = without_repeats(tuple(names[code] for code in np.frombuffer(key, tokens.dtype)))
        counts[episode][shape] += count
    del counts[Episode.CUT]
    return Shapes(counts, int((~own).sum()))


def without_repeats(shape: Shape) -> Shape:
    """Passes of a loop once: how many there are is how long a queue was."""
    for length in range(1, _LONGEST_LOOP + 1):
        kept: list[str] = []
        for row in shape:
            kept.append(row)
            if kept[-length:] == kept[-2 * length : -length]:
                del kept[-length:]
        shape = tuple(kept)
    return shape


# Rows of one pass: dequeue, migration, enqueue of a task that is moved.
_LONGEST_LOOP = 3
_EPISODES = list(Episode)
_CODE = {episode: code for code, episode in enumerate(_EPISODES)}


@dataclass(frozen=True)
class _Rows:
    """Columns of a table, one CPU's rows after another's, in the table's order on each."""

    place: npt.NDArray[np.int64]
    cpu: npt.NDArray[np.int64]
    kind: npt.NDArray[np.str_]
    reason: npt.NDArray[np.str_]
    tid: npt.NDArray[np.int64]
    other_tid: npt.NDArray[np.int64]
    other_cpu: npt.NDArray[np.int64]
    dsq: npt.NDArray[np.uint64]
    slice_ns: npt.NDArray[np.uint64]
    flags: npt.NDArray[np.uint64]
    success: npt.NDArray[np.int64]
    foreign: Bools

    @staticmethod
    def of(table: pa.Table, comms: Collection[str]) -> _Rows:
        order = np.argsort(table["cpu"].to_numpy(), kind="stable")

        def whole(name: str, null: int) -> npt.NDArray[np.int64]:
            column = pc.fill_null(pc.cast(table[name], pa.int64()), null)
            values: npt.NDArray[np.int64] = column.to_numpy()[order]
            return values

        def wide(name: str) -> npt.NDArray[np.uint64]:
            values: npt.NDArray[np.uint64] = pc.fill_null(table[name], 0).to_numpy()[order]
            return values

        def text(name: str) -> npt.NDArray[np.str_]:
            column = pc.fill_null(table[name].cast(pa.string()), "")
            values: npt.NDArray[np.str_] = column.to_numpy(zero_copy_only=False)[order].astype(
                np.str_
            )
            return values

        tid, other = whole("tid", -1), whole("other_tid", -1)
        own = np.unique(tid[np.isin(text("comm"), list(comms))])
        known = np.union1d(own, [-1, 0])
        kind = text("kind")
        # The waker is whoever was there when a timer rang: no part of the wakeup.
        foreign = ~np.isin(tid, known)
        switch = np.isin(kind, [*_OFF, TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE])
        foreign |= switch & ~np.isin(other, known)
        return _Rows(
            place=order,
            cpu=whole("cpu", -1),
            kind=kind,
            reason=text("reason"),
            tid=tid,
            other_tid=other,
            other_cpu=whole("other_cpu", -1),
            dsq=wide("dsq_id"),
            slice_ns=wide("slice_ns"),
            flags=wide("flags"),
            success=whole("success", -1),
            foreign=foreign,
        )

    def is_(self, *kinds: TraceKind) -> Bools:
        """Which rows are of these kinds."""
        found: Bools = np.isin(self.kind, [str(kind) for kind in kinds])
        return found


_OFF = (
    TraceKind.TASK_PREEMPTED,
    TraceKind.TASK_YIELDED,
    TraceKind.TASK_SLEPT,
    TraceKind.TASK_COMPLETED,
)


def _episodes(
    rows: _Rows,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First row, row after the last, and code of each episode."""
    waking = rows.is_(TraceKind.TASK_WOKE) & (rows.reason == str(Reason.WAKING))
    woken = rows.is_(TraceKind.TASK_WOKE) & ~waking
    blocks = rows.is_(TraceKind.DEQUEUE_TASK) & (rows.tid == rows.other_tid)
    blocks &= (rows.flags & np.uint64(DEQUEUE_SLEEP)) != 0
    pick = rows.is_(TraceKind.PICK_TASK)
    switched = rows.is_(TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE)
    marks = waking | woken | blocks | pick | switched | rows.is_(TraceKind.TICK)
    edge = np.ones(len(rows.cpu), dtype=np.bool_)
    edge[1:] = rows.cpu[1:] != rows.cpu[:-1]
    at = np.flatnonzero(marks | edge)
    # A pick goes on with what the sleeper's dequeue began.
    goes_on = np.zeros(len(rows.cpu), dtype=np.bool_)
    goes_on[at[1:]] = pick[at[1:]] & blocks[at[:-1]] & (rows.cpu[at[1:]] == rows.cpu[at[:-1]])
    starts = waking | blocks | (pick & ~goes_on)
    begin = np.flatnonzero(starts)
    stops = np.flatnonzero(starts | edge | rows.is_(TraceKind.TICK) | _begins_elsewhere(rows))
    stops = np.append(stops, len(rows.cpu))
    limit = stops[np.searchsorted(stops, begin, side="right")]
    closing = np.append(np.flatnonzero(woken | switched), len(rows.cpu))
    close = closing[np.searchsorted(closing, begin)]
    closed = close < limit
    # Kicks after a pick that changed nothing may be a timer's: nothing tells where it ended.
    kick = rows.is_(TraceKind.KICK_CPU)
    settled = np.maximum.accumulate(np.where(kick, -1, np.arange(len(kick))))
    end = np.where(closed, close + 1, settled[limit - 1] + 1)
    return begin, end, _labels(rows, begin, end, closed)


def _begins_elsewhere(rows: _Rows) -> Bools:
    """What only a new task or a change of a task's CPUs begins with: no row of a switch."""
    new: Bools = rows.is_(TraceKind.SELECT_TASK_RQ) & (rows.flags & np.uint64(WAKE_TTWU) == 0)
    return new


def _labels(
    rows: _Rows, begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64], closed: Bools
) -> npt.NDArray[np.int64]:
    first, last = rows.kind[begin], rows.kind[end - 1]
    off = rows.kind[np.maximum(end - 2, begin)]
    wake, pick = first == str(TraceKind.TASK_WOKE), first == str(TraceKind.PICK_TASK)
    wake_ends = last == str(TraceKind.TASK_WOKE)
    left = np.concatenate(
        [[0], np.cumsum(rows.is_(TraceKind.PUT_PREV_TASK) & (rows.slice_ns != 0))]
    )
    kept = pick & ~closed & (rows.tid[begin] == rows.other_tid[begin])
    idle = pick & ~closed & (rows.other_tid[begin] == 0) & (rows.success[begin] == 0)
    tests = [
        (wake & ~(closed & wake_ends & (rows.tid[begin] == rows.tid[end - 1])), Episode.CUT),
        (wake, Episode.WAKE),
        (kept, Episode.KEPT),
        (idle, Episode.IDLE_PICK),
        (~closed | wake_ends, Episode.CUT),
        (off == str(TraceKind.TASK_COMPLETED), Episode.EXIT),
        (off == str(TraceKind.TASK_SLEPT), Episode.SLEEP),
        (off == str(TraceKind.TASK_YIELDED), Episode.YIELD),
        ((off == str(TraceKind.TASK_PREEMPTED)) & (left[end] > left[begin]), Episode.PREEMPTED),
        (off == str(TraceKind.TASK_PREEMPTED), Episode.SLICE_END),
    ]
    codes = [_CODE[episode] for _, episode in tests]
    return np.select([test for test, _ in tests], codes, _CODE[Episode.START]).astype(np.int64)


def _tokens(
    rows: _Rows, begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A code for what each row of an episode says, and what the codes mean."""
    subject = np.full(len(rows.cpu), -2, dtype=np.int64)
    # The task that the episode is about: the woken one, or the one that was running.
    who = np.where(
        rows.kind[begin] == str(TraceKind.PICK_TASK), rows.other_tid[begin], rows.tid[begin]
    )
    inside = np.repeat(np.arange(len(begin)), end - begin)
    at = np.arange(len(inside)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
    subject[np.repeat(begin, end - begin) + at] = who[inside]
    # A waker is where it is: that is not the class's doing.
    in_wake = np.zeros(len(rows.cpu), dtype=np.bool_)
    in_wake[np.repeat(begin, end - begin) + at] = (rows.kind[begin] == str(TraceKind.TASK_WOKE))[
        inside
    ]
    columns = [
        rows.kind,
        _who(rows, subject),
        np.where(in_wake, "", _where(rows)),
        _queue(rows),
        np.select([rows.success == 1, rows.success == 0], ["ok", "none"], ""),
        _flags(rows),
    ]
    names, codes = [], np.zeros(len(rows.cpu), dtype=np.int64)
    distinct: list[npt.NDArray[np.str_]] = []
    for column in columns:
        values, place = np.unique(column, return_inverse=True)
        codes = codes * len(values) + place
        distinct.append(values)
    used, codes = np.unique(codes, return_inverse=True)
    for code in used:
        parts = []
        for values in reversed(distinct):
            code, place = divmod(code, len(values))
            parts.append(str(values[place]))
        names.append(" ".join(part for part in reversed(parts) if part))
    return codes.astype(np.int64), names


def _who(rows: _Rows, subject: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]:
    """The row's task: the episode's own, idle, or another."""
    tests = [rows.tid == -1, rows.tid == 0, rows.tid == subject]
    return np.select(tests, ["", "idle", "it"], "another")


def _where(rows: _Rows) -> npt.NDArray[np.str_]:
    """Whether the CPU that the row is about is the one that it came from."""
    known = (rows.other_cpu >= 0) & ~rows.is_(TraceKind.TASK_WOKE, TraceKind.SELECT_TASK_RQ)
    return np.where(known, np.where(rows.other_cpu == rows.cpu, "here", "there"), "")


def _queue(rows: _Rows) -> npt.NDArray[np.str_]:
    """The kind of queue, and whether a slice never ends."""
    about = rows.is_(TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME, TraceKind.DSQ_MOVE_TO_LOCAL)
    on = (rows.dsq & np.uint64(DSQ_LOCAL_ON)) == np.uint64(DSQ_LOCAL_ON)
    tests = [rows.dsq == np.uint64(DSQ_LOCAL), on, rows.dsq == np.uint64(DSQ_GLOBAL)]
    queue = np.select(tests, ["local", "local_on", "global"], "user")
    inserted = about & (rows.slice_ns == np.uint64(SLICE_INFINITE))
    return np.where(about, np.char.add(queue, np.where(inserted, " endless", "")), "")


def _flags(rows: _Rows) -> npt.NDArray[np.str_]:
    told = rows.is_(
        TraceKind.ENQUEUE_TASK,
        TraceKind.DEQUEUE_TASK,
        TraceKind.SELECT_TASK_RQ,
        TraceKind.DSQ_INSERT,
        TraceKind.DSQ_INSERT_VTIME,
        TraceKind.KICK_CPU,
    )
    values, place = np.unique(rows.flags & _ENQUEUE_MASK, return_inverse=True)
    return np.where(told, np.array([f"{value:#x}" for value in values])[place], "")

# SPDX-License-Identifier: MIT
"""Makes the tracks of one or several event tables, on one axis that is zero where the workload begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.metrics.rows import I64, Bools, dictionary, numbers
from scxval.events.schema import TraceKind, dsq_name
from scxval.perfetto.instants import arguments, point_rows, queue, time_slice
from scxval.perfetto.lengths import Lengths, in_queues, on_runqueues, tells_runqueues, waiting
from scxval.perfetto.side import Side, require_one_axis
from scxval.perfetto.states import (
    NO_ROW,
    RUNNABLE,
    RUNNING,
    States,
    read_states,
)
from scxval.perfetto.timeline import NONE, Argument, Holds, Sort, Timeline, shown

_INSERTS = {TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME}


@dataclass(frozen=True)
class Made:
    """A timeline, and lines for the reader: what it does not show, and why."""

    timeline: Timeline
    notes: tuple[str, ...]


def make_timeline(sides: Sequence[Side], absent: Sequence[str] = ()) -> Made:
    """The tracks of every side, each in a group of its own; `absent` are lines about others.

    Raises ScxvalError when one does not fit.
    """
    require_one_axis(sides)
    timeline, notes = Timeline(), []
    for side in sides:
        notes += [f"{side.group}: {note}" for note in _Drawing(timeline, side).draw()]
    for line in absent:
        track = timeline.track("not drawn", NONE, Holds.INSTANTS)
        timeline.instants(_one(0), _one(track), _one(timeline.names.of(shown(line))))
    return Made(timeline, (*notes, *absent))


class _Drawing:
    """Draws one side. Points come first: of one moment, an arrow begins before it ends."""

    def __init__(self, timeline: Timeline, side: Side) -> None:
        self.timeline, self.side = timeline, side
        self.table = side.events
        self.zero = side.window_ns[0]
        self.start, self.end = side.traced_ns
        self.kinds = set(side.capability.kinds)
        self.notes: list[str] = []
        self.time = numbers(self.table, "time_ns")
        self.cpu = numbers(self.table, "cpu")
        self.idle: list[int] = []

    def draw(self) -> list[str]:
        """Add all of the side's tracks; notes for the reader."""
        states = read_states(self.table, self.kinds)
        root = self.timeline.track(
            self.side.group, NONE, Holds.TRACKS, about=" ".join(self._about())
        )
        self._draw_window(root)
        self._draw_waiting(root, states)
        points = point_rows(self.table)
        points = points[self._inside(self.time[points])]
        runs, operations = self._draw_cpu_tracks(root, states, points)
        flow_of_row, flow_of_slice = self._flows(states, points)
        self._draw_points(points, operations, flow_of_row)
        self._draw_slices(states, runs, flow_of_slice)
        self._draw_queues(root)
        self._draw_tasks(root, states)
        return self.notes

    def _about(self) -> list[str]:
        capability = self.side.capability
        what = "the workload's start" if self.side.of_workload else "the first event"
        lines = [
            f"Source: {capability.source}. Zero is {what}, {self.zero} ns of {capability.clock}."
        ]
        lost = [f"{capability.lost} lost", f"{capability.unparsed} not understood"]
        lines.append(f"Records: {', '.join(lost)}.")
        return lines

    def _inside(self, time_ns: I64) -> Bools:
        inside: Bools = (time_ns >= self.start) & (time_ns <= self.end)
        return inside

    def _clipped(self, start_ns: I64, end_ns: I64) -> tuple[Bools, I64, I64]:
        """Which spans are in the window, and the window's part of these, from zero on."""
        inside = (end_ns >= self.start) & (start_ns <= self.end)
        # One that only touches the window's end or start is not in it, unless it is that short.
        inside &= (start_ns == end_ns) | ((end_ns > self.start) & (start_ns < self.end))
        start = np.clip(start_ns[inside], self.start, self.end) - self.zero
        end = np.clip(end_ns[inside], self.start, self.end) - self.zero
        return inside, start, end

    def _draw_window(self, root: int) -> None:
        capability, timeline = self.side.capability, self.timeline
        track = timeline.track("window", root, Holds.SLICES)
        length = self.side.window_ns[1] - self.zero
        whole = (self.start, self.end) == self.side.window_ns
        what = "workload" if self.side.of_workload else "trace"
        self._one_slice(track, what, 0, length, {
            "source": capability.source,
            "clock": capability.clock,
            "outcome": self.side.outcome,
            "zero_ns": self.zero,
            "lost": capability.lost,
            "unparsed": capability.unparsed,
        })  # fmt: skip
        if not whole:
            self._one_slice(track, "traced", self.start - self.zero, self.end - self.zero, {})
            self.notes.append(
                f"{(self.end - self.start) / 1e6:.1f} of {length / 1e6:.1f} ms of the workload were traced"
            )
        if capability.lost or capability.unparsed:
            self.notes.append(
                f"{capability.lost} records lost, {capability.unparsed} not understood"
            )

    def _one_slice(
        self, track: int, name: str, start: int, end: int, said: dict[str, str | int]
    ) -> None:
        given = [
            Argument(
                key,
                Sort.TEXT if isinstance(value, str) else Sort.INT,
                _one(self.timeline.texts.of(value) if isinstance(value, str) else value),
                np.array([value != ""]),
            )
            for key, value in said.items()
        ]
        self.timeline.slices(
            _one(start), _one(end), _one(track), _one(self.timeline.names.of(name)), given
        )

    def _draw_waiting(self, root: int, states: States) -> None:
        if TraceKind.TASK_WOKE not in self.kinds:
            self.notes.append("no wakeups seen: how many tasks wait, and who sleeps, is not known")
            return
        track = self.timeline.track("runnable, not running (all CPUs)", root, Holds.COUNTS, "tasks")
        self._draw_lengths(waiting(states.trace.waits), {0: track})

    def _draw_lengths(self, lengths: Lengths, tracks: dict[int, int]) -> None:
        """Counters from the window's start on; a key without a track is left out."""
        for key, track in tracks.items():
            first, last = np.searchsorted(lengths.key, (key, key + 1))
            time, length = lengths.time_ns[first:last], lengths.length[first:last]
            at = int(np.searchsorted(time, self.start, side="right"))
            before = int(length[at - 1]) if at else 0
            until = int(np.searchsorted(time, self.end, side="right"))
            time = np.append(self.start, time[at:until]) - self.zero
            value = np.append(before, length[at:until])
            self.timeline.counts(time, np.full(len(time), track, dtype=np.int64), value)

    def _draw_cpu_tracks(
        self, root: int, states: States, points: I64
    ) -> tuple[dict[int, int], dict[int, int]]:
        """The tracks of every CPU that has events; those of who runs and of operations, by CPU."""
        spans = states.trace
        running = {
            int(cpu)
            for some in (spans.slices, spans.unknown)
            for cpu in np.unique(some.cpu[self._clipped(some.start_ns, some.end_ns)[0]])
        }
        # A CPU that was idle all the time was seen, and the UI shows no track that is empty.
        self.idle = sorted({int(cpu) for cpu in spans.seen_cpus} - running)
        running |= set(self.idle)
        busy = {int(cpu) for cpu in np.unique(self.cpu[points])}
        lengths = self._runqueues()
        frequencies = self._frequencies()
        runs: dict[int, int] = {}
        operations: dict[int, int] = {}
        group = self.timeline.track("CPUs", root, Holds.TRACKS)
        for cpu in sorted(running | busy | frequencies.keys()):
            make = self.timeline.track
            if cpu in running:
                runs[cpu] = make(f"CPU {cpu}", group, Holds.SLICES)
                if lengths is not None:
                    queue_track = make(f"CPU {cpu} runqueue", group, Holds.COUNTS, "tasks")
                    self._draw_lengths(lengths, {cpu: queue_track})
            if cpu in frequencies:
                track = make(f"CPU {cpu} frequency", group, Holds.COUNTS, "kHz")
                self._draw_lengths_as_seen(frequencies[cpu], track)
            if cpu in busy:
                operations[cpu] = make(f"CPU {cpu} operations", group, Holds.INSTANTS)
        return runs, operations

    def _runqueues(self) -> Lengths | None:
        if not tells_runqueues(self.table, self.side.capability):
            self.notes.append("the source does not tell which CPU's runqueue a task waits on")
            return None
        return on_runqueues(self.table)

    def _frequencies(self) -> dict[int, tuple[I64, I64]]:
        """Times and frequencies of each CPU that has any in the window."""
        codes, names = dictionary(self.table, "kind")
        wanted = names.index(TraceKind.CPU_FREQUENCY) if TraceKind.CPU_FREQUENCY in names else -2
        rows = np.flatnonzero((codes == wanted) & self._inside(self.time))
        cpus = numbers(self.table, "other_cpu")[rows]
        khz = pc.fill_null(self.table["flags"], 0).to_numpy().astype(np.int64)[rows]
        return {
            int(cpu): (self.time[rows][cpus == cpu], khz[cpus == cpu])
            for cpu in np.unique(cpus[cpus >= 0])
        }

    def _draw_lengths_as_seen(self, seen: tuple[I64, I64], track: int) -> None:
        time, value = seen
        self.timeline.counts(time - self.zero, np.full(len(time), track, dtype=np.int64), value)

    def _flows(self, states: States, points: I64) -> tuple[I64, I64]:
        """Arrows from a wakeup to the slice that it led to: by row of the table, by slice."""
        spans, woke = states.slices.spans, states.slices.woke
        drawn = np.zeros(len(self.table) + 1, dtype=np.bool_)
        drawn[points] = True
        begins = self._clipped(spans.start_ns, spans.end_ns)[0] & self._inside(spans.start_ns)
        has = np.flatnonzero(drawn[woke] & (woke != NO_ROW) & begins)
        flow_of_row = np.full(len(self.table), NONE, dtype=np.int64)
        flow_of_slice = np.full(len(spans.tid), NONE, dtype=np.int64)
        numbered = self.timeline.flows + np.arange(len(has))
        flow_of_row[woke[has]], flow_of_slice[has] = numbered, numbered
        self.timeline.flows += len(has)
        return flow_of_row, flow_of_slice

    def _draw_points(self, rows: I64, tracks: dict[int, int], flow_of_row: I64) -> None:
        codes, names = dictionary(self.table, "kind")
        known = self.timeline.names.codes(names)
        self.timeline.instants(
            self.time[rows] - self.zero,
            _of_cpus(tracks, self.cpu[rows]),
            known[codes[rows]],
            arguments(self.timeline, self.table, rows),
            flow_of_row[rows],
        )

    def _draw_slices(self, states: States, tracks: dict[int, int], flow_of_slice: I64) -> None:
        """Who ran, and stretches that no record explains; idle stretches stay empty."""
        slices, unknown = states.slices, states.trace.unknown
        ran, start, end = self._clipped(slices.spans.start_ns, slices.spans.end_ns)
        lost, lost_start, lost_end = self._clipped(unknown.start_ns, unknown.end_ns)
        if len(lost_start):
            lost_ms = (lost_end - lost_start).sum() / 1e6
            self.notes.append(
                f"{len(lost_start)} stretches of CPUs ({lost_ms:.1f} ms) that no record explains"
            )
        names = self.timeline.names.codes(states.trace.comms)[slices.spans.comm[ran]]
        nameless = np.full(len(lost_start), self.timeline.names.of("not known"), dtype=np.int64)
        nobody = np.full(len(lost_start), NONE, dtype=np.int64)
        tid = np.append(slices.spans.tid[ran], nobody)
        # One call for both: of slices that touch, the end of one comes before the beginning of the next.
        self.timeline.slices(
            np.append(start, lost_start),
            np.append(end, lost_end),
            _of_cpus(tracks, np.append(slices.spans.cpu[ran], unknown.cpu[lost])),
            np.append(names, nameless),
            [
                Argument("tid", Sort.INT, tid, tid != NONE),
                *self._left(np.append(slices.left[ran], nobody)),
                *self._inserted(np.append(slices.insert[ran], nobody)),
            ],
            np.append(flow_of_slice[ran], nobody),
        )
        for cpu in self.idle:
            self._one_slice(tracks[cpu], "idle", self.start - self.zero, self.end - self.zero, {})

    def _left(self, rows: I64) -> list[Argument]:
        """How a task left its CPU, by the rows that say so."""
        wanted = ("reason", "prev_state")
        left = [a for a in arguments(self.timeline, self.table, rows) if a.name in wanted]
        codes, names = dictionary(self.table, "kind")
        kind = self.timeline.texts.codes(names)[codes[rows]] if len(codes) else rows
        return [Argument("left", Sort.TEXT, kind, rows != NO_ROW), *left]

    def _inserted(self, rows: I64) -> list[Argument]:
        """From which dispatch queue, and with which slice, if the source sees inserts."""
        if not self.kinds & _INSERTS or not len(self.table):
            return []
        here = rows != NO_ROW
        taken = self.table.take(pa.array(np.where(here, rows, 0)))
        return [
            queue(self.timeline, taken, here),
            time_slice(self.timeline, taken, here),
            Argument("inserted_ns", Sort.INT, self.time[rows] - self.zero, here),
        ]

    def _draw_queues(self, root: int) -> None:
        if not self.kinds & _INSERTS:
            self.notes.append("the source sees no inserts into dispatch queues")
            return
        lengths, queues = in_queues(self.table)
        if not queues:
            return
        group = self.timeline.track(
            "dispatch queues",
            root,
            Holds.TRACKS,
            about="Tasks inserted and not yet running, by the queue that they were inserted into.",
        )
        tracks = {
            key: self.timeline.track(dsq_name(dsq_id), group, Holds.COUNTS, "tasks")
            for key, dsq_id in enumerate(queues)
        }
        self._draw_lengths(lengths, tracks)

    def _draw_tasks(self, root: int, states: States) -> None:
        tasks = states.tasks
        inside, start, end = self._clipped(tasks.start_ns, tasks.end_ns)
        if cut := int(tasks.cut[inside].sum()):
            self.notes.append(f"{cut} states of tasks cut short: records contradict each other")
        tid, state, cpu = tasks.tid[inside], tasks.state[inside], tasks.cpu[inside]
        if not len(tid):
            return
        group = self.timeline.track("tasks", root, Holds.TRACKS)
        track = self._task_tracks(group, states, tid, np.where(state == RUNNING, end - start, 0))
        texts = [f"running on CPU {n}" for n in range(int(cpu.max()) + 1)]
        name = np.array(
            [self.timeline.names.of(text) for text in (*texts, "asleep", "runnable")],
            dtype=np.int64,
        )
        which = np.where(state == RUNNING, cpu, np.where(state == RUNNABLE, -1, len(texts)))
        rows = tasks.left[inside]
        self.timeline.slices(
            start, end, track, name[which], [_always("tid", tid), *self._left(rows)]
        )

    def _task_tracks(
        self, group: int, states: States, tid: I64, ran: npt.NDArray[np.integer]
    ) -> I64:
        """The track of each span's task; those that ran most first."""
        tids, place = np.unique(tid, return_inverse=True)
        total = np.bincount(place, weights=ran, minlength=len(tids))
        names = self._task_names(states, tids)
        order = sorted(range(len(tids)), key=list(zip(-total, names, strict=True)).__getitem__)
        track_of = np.empty(len(tids), dtype=np.int64)
        for at in order:
            track_of[at] = self.timeline.track(f"{names[at]} [{tids[at]}]", group, Holds.SLICES)
        return track_of[place]

    def _task_names(self, states: States, tids: I64) -> list[str]:
        """The last name of each task while it ran or waited."""
        trace = states.trace
        tid = np.concatenate([trace.waits.tid, trace.slices.tid])
        comm = np.concatenate([trace.waits.comm, trace.slices.comm])
        known, last = np.unique(tid[::-1], return_index=True)
        code_of = dict(zip(known.tolist(), comm[::-1][last].tolist(), strict=True))
        codes = [code_of.get(t, NONE) for t in tids.tolist()]
        return [trace.comms[code] if code >= 0 else "task" for code in codes]


def _one(value: int) -> I64:
    return np.array([value], dtype=np.int64)


def _always(name: str, value: I64) -> Argument:
    return Argument(name, Sort.INT, value, np.ones(len(value), dtype=np.bool_))


def _of_cpus(tracks: dict[int, int], cpu: I64) -> I64:
    """The tracks of CPUs, each of which has one."""
    cpus = np.array(sorted(tracks), dtype=np.int64)
    return np.array([tracks[n] for n in cpus.tolist()], dtype=np.int64)[np.searchsorted(cpus, cpu)]

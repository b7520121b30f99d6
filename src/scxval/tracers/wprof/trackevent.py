# SPDX-License-Identifier: MIT
"""wprof's Perfetto output (-T): slices ONCPU and SCX_DSQ, instants WAKER, FORKING and their partners.

A switch is the end of one ONCPU slice and the begin of the next, of the same time and CPU. Who is woken or
forked is the track of the partner event (WAKEE, FORKED) with the same flow id, or an annotation that
a replay with `-e tidpid` has. That flow id is the CLOCK_MONOTONIC time of the event: it dates
the session. A track's uuid is seven times an id, plus the sort of track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.events.columns import NULL, Columns, Names, Side
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.interned import read_interned
from scxval.formats.perfetto.packets import Packets
from scxval.formats.perfetto.track_events import (
    INSTANT,
    SLICE_BEGIN,
    SLICE_END,
    Annotations,
    TrackEvents,
    read_annotations,
    read_flows,
    read_track_events,
)
from scxval.formats.perfetto.tracks import read_tracks
from scxval.formats.perfetto.wire import Data, Int64s
from scxval.tracers.wprof import rows as made
from scxval.tracers.wprof.ftrace import Wakings
from scxval.tracers.wprof.json_text import NAME_BYTES
from scxval.tracers.wprof.session import LATEST_NS
from scxval.tracers.wprof.words import INSERTS, STATES

# Sorts of tracks: events of a thread (id: tid) and of an idle CPU (id: CPU + 1), and a thread itself.
_THREAD, _THREAD_EVENTS, _IDLE_EVENTS, _SORTS = 1, 3, 4, 7
# The process that kernel threads are shown under: each is a thread group of its own in the kernel.
KERNEL_PID = 2_000_000_001
_MAX_CPU = np.iinfo(np.int16).max
_MAX_TID = np.iinfo(np.int32).max
CATEGORIES = (
    *("ONCPU", "SCX_DSQ", "WAKER", "WAKER_NEW", "WAKEE", "WAKEE_NEW"),
    *("FORKING", "FORKED", "RENAME"),
)


@dataclass(frozen=True)
class Events:
    """The events of these categories, in the order of the file, one element each.

    `ns` counts from the session's start; `cpu` and `flow` are NULL where there is none, `tid` of the
    event's track too (0: idle). `category` is a place in CATEGORIES, `name` a code of the names.
    """

    ns: Int64s
    cpu: Int64s
    tid: Int64s
    type: npt.NDArray[np.int8]
    category: npt.NDArray[np.int8]
    flow: Int64s
    name: npt.NDArray[np.int64]
    record: Int64s
    annotations: Annotations

    def of(self, category: str, kind: int, placed: bool = True) -> Int64s:
        """The places of the events of one category and type, those with time, task and (`placed`) CPU."""
        wanted = (self.category == CATEGORIES.index(category)) & (self.type == kind)
        timed = (self.ns >= 0) & (self.ns < LATEST_NS) & (self.tid >= 0)
        return np.flatnonzero(wanted & timed & ((self.cpu >= 0) | (not placed)))

    def numbers(self, name: str) -> Int64s:
        """An annotation's number (or code of a string) of every event, NULL without one."""
        return _numbers(self.annotations, len(self.ns), name)


@dataclass
class Found:
    """Rows, and what was left out: slices from before the session, or without their other end."""

    parts: list[Columns]
    inserts: made.Inserts
    seen: frozenset[str] = frozenset()
    switches: int = 0
    early: int = 0
    one_sided: int = 0
    one_sided_waits: int = 0
    unresolved: int = 0

    def has(self, category: str) -> bool:
        """Whether there were events of this category."""
        return category in self.seen

    def notes(self) -> list[str]:
        """A line for each thing that is not in the table."""
        told = [
            (self.early, "slices of tasks that ran when the session began were left out"),
            (self.one_sided, "switches show one side only (a filter, or what could not be read)"),
            (self.one_sided_waits, "ends of waits in dispatch queues have no partner"),
            (self.unresolved, "woken or forked tasks have no tid (replay with -e tidpid)"),
        ]
        return [f"{count} {what}" for count, what in told if count]


def read_events(data: Data, packets: Packets, names: Names, faults: Faults) -> Events:
    """The track events that matter."""
    interned = read_interned(data, packets)
    every = read_track_events(data, packets, interned, faults)
    place = {name: code for code, name in enumerate(CATEGORIES)}
    known = np.array([*(place.get(name, NULL) for name in every.categories), NULL])
    category = known[every.category]
    which = np.flatnonzero((category >= 0) & packets.timed[every.packet])
    events = every.take(which)
    annotations = read_annotations(data, packets, events, interned, faults)
    flow = np.full(len(events), NULL, dtype=np.int64)
    owner, value = read_flows(data, events)
    flow[owner] = value
    cpu, ns, tid = (
        _numbers(annotations, len(events), "cpu"),
        packets.timestamp[events.packet],
        _tids(events),
    )
    cpu = np.where((cpu >= 0) & (cpu <= _MAX_CPU), cpu, NULL)
    # The end of a wait in a dispatch queue says no CPU; its begin does.
    placed = (cpu >= 0) | (category[which] == CATEGORIES.index("SCX_DSQ"))
    lacking = ~placed | (ns < 0) | (ns >= LATEST_NS) | (tid < 0)
    faults.at("track event without a time, a CPU or a task", events.spans.start[lacking])
    return Events(
        ns=ns,
        cpu=cpu,
        tid=tid,
        type=events.type,
        category=category[which].astype(np.int8),
        flow=flow,
        name=_codes(events.names, names)[events.name],
        record=which,
        annotations=annotations,
    )


def _numbers(annotations: Annotations, count: int, name: str) -> Int64s:
    which = annotations.named(name)
    out = np.full(count, NULL, dtype=np.int64)
    out[annotations.event[which]] = annotations.value[which]
    return out


def _tids(events: TrackEvents) -> Int64s:
    number, sort = events.track // _SORTS, events.track % _SORTS
    tid = np.where((sort == _THREAD_EVENTS) & (number <= _MAX_TID), number, NULL)
    return np.where(sort == _IDLE_EVENTS, 0, tid)


def _codes(texts: list[str], names: Names) -> npt.NDArray[np.int64]:
    """Codes of task names, cut as the kernel cuts them; the last element is for no name."""
    return np.array([*(names.of(_cut(text)) for text in texts), NULL], dtype=np.int64)


def _cut(text: str) -> str:
    return text.encode()[: NAME_BYTES - 1].decode("utf-8", "replace")


def thread_groups(data: Data, packets: Packets, faults: Faults) -> tuple[Int64s, Int64s]:
    """tids in order and their thread groups (NULL where the trace names two for one tid)."""
    tracks = read_tracks(data, packets, faults)
    which = np.flatnonzero((tracks.uuid % _SORTS == _THREAD) & (tracks.tid > 0))
    tid = tracks.tid[which]
    pid = np.where(tracks.pid[which] == KERNEL_PID, tid, tracks.pid[which])
    pid = np.where((pid > 0) & (pid <= _MAX_TID), pid, NULL)
    order = np.argsort(tid, kind="stable")
    tid, pid = tid[order], pid[order]
    first = np.append(True, tid[1:] != tid[:-1]) if len(tid) else np.zeros(0, dtype=np.bool_)
    group = np.cumsum(first) - 1
    differs = np.bincount(group, pid != pid[np.flatnonzero(first)[group]], int(first.sum())) > 0
    return tid[first], np.where(differs, NULL, pid[first])


def session_start(events: Events) -> int:
    """MONOTONIC at the session's start by the flow ids of wakings; 0 when they do not agree on one."""
    which = np.concatenate([events.of("WAKER", INSTANT), events.of("WAKER_NEW", INSTANT)])
    which = which[events.flow[which] != NULL]
    start = events.flow[which] - events.ns[which]
    agreed = len(start) and 0 < start[0] < LATEST_NS and (start == start[0]).all()
    return int(start[0]) if agreed else 0


def _seen(events: Events) -> frozenset[str]:
    return frozenset(CATEGORIES[code] for code in np.unique(events.category).tolist())


class Converter:
    """Rows of track events, of a session that began at `mono_ns`."""

    def __init__(
        self, events: Events, groups: tuple[Int64s, Int64s], names: Names, mono_ns: int
    ) -> None:
        self.events = events
        self.groups = groups
        self.names = names
        self.mono_ns = mono_ns
        self.strings = _codes(events.annotations.strings, names)
        self.found = Found([], made.Inserts(), _seen(events))

    def convert(self, wakings: Sequence[Wakings]) -> Found:
        """All rows; `wakings` of the ftrace view say which CPUs they were for."""
        self._switches()
        for known in wakings:
            self._wakings("WAKER_NEW" if known.new else "WAKER", known)
        self._forks()
        self._inserts()
        self._renames()
        self.found.parts = [part for part in self.found.parts if len(part)]
        return self.found

    def _at(self, which: Int64s) -> made.Moments:
        events = self.events
        return made.Moments(
            events.ns[which] + self.mono_ns, events.cpu[which], events.record[which]
        )

    def pid_of(self, tid: Int64s) -> Int64s:
        """The thread groups of tasks, NULL where the trace does not say."""
        tids, pids = self.groups
        place = np.minimum(np.searchsorted(tids, tid), max(0, len(tids) - 1))
        if not len(tids):
            return np.full(len(tid), NULL, dtype=np.int64)
        return np.where(tids[place] == tid, pids[place], np.where(tid == 0, 0, NULL))

    def _side(self, tid: Int64s, comm: npt.NDArray[np.int64] | None) -> Side:
        return Side(tid, self.pid_of(tid), comm)

    def _switches(self) -> None:
        """Ends and begins of ONCPU slices; a begin at 0 stands for what ran before the session."""
        events, found = self.events, self.found
        begin, end = events.of("ONCPU", SLICE_BEGIN), events.of("ONCPU", SLICE_END)
        early = events.ns[begin] == 0
        self._evidence(begin[early], events.name[begin[early]])
        found.early = int(early.sum())
        both = np.sort(np.concatenate([begin[~early], end]))
        ends = events.type[both] == SLICE_END
        pairs = ends[:-1] & ~ends[1:]
        pairs &= events.ns[both[:-1]] == events.ns[both[1:]]
        pairs &= events.cpu[both[:-1]] == events.cpu[both[1:]]
        paired = np.append(pairs, False) | np.append(False, pairs)
        off, on = both[:-1][pairs], both[1:][pairs]
        state = self._places("offcpu_reason", STATES)
        prev = self._side(events.tid[off], None)
        next = self._side(events.tid[on], events.name[on])
        found.parts.append(made.switch_rows(self._at(off), prev, next, state[off]))
        found.switches = len(off)
        # With a filter on tasks only one side of some switches is there.
        off, on = both[~paired & ends], both[~paired & ~ends]
        found.one_sided = len(off) + len(on)
        nobody = Side(np.full(len(on), NULL, dtype=np.int64))
        next = self._side(events.tid[on], events.name[on])
        never = np.full(len(on), NULL, dtype=np.int64)
        found.parts.append(made.switch_rows(self._at(on), nobody, next, never))
        prev = self._side(events.tid[off], None)
        found.parts.append(made.leave_rows(self._at(off), prev, state[off]))

    def _places(self, annotation: str, words: tuple[str, ...]) -> Int64s:
        """For every event the place in `words` of an annotation's string, NULL without one."""
        strings = self.events.annotations.strings
        place = {word: number for number, word in enumerate(words)}
        known = np.array([*(place.get(text, NULL) for text in strings), NULL], dtype=np.int64)
        return known[self.events.numbers(annotation)]

    def _evidence(self, which: Int64s, comm: npt.NDArray[np.int64]) -> None:
        tid = self.events.tid[which]
        self.found.parts.append(made.evidence_rows(self._at(which), self._side(tid, comm)))

    def _renames(self) -> None:
        which = self.events.of("RENAME", INSTANT)
        self._evidence(which, self.strings[self.events.numbers("new_name")[which]])

    def _partners(self, which: Int64s, partner: str, annotation: str) -> Side:
        """The tasks that instants point at: by annotations, else by the partner of the same flow."""
        events = self.events
        other = events.of(partner, INSTANT)
        other = other[np.argsort(events.flow[other], kind="stable")]
        flow = events.flow[other]
        # Two of one flow (of one nanosecond) cannot be told apart.
        alone = np.ones(len(flow), dtype=np.bool_)
        alone[1:] &= flow[1:] != flow[:-1]
        alone[:-1] &= flow[1:] != flow[:-1]
        other, flow = other[alone & (flow != NULL)], flow[alone & (flow != NULL)]
        place = np.searchsorted(flow, events.flow[which])
        found = np.append(flow, NULL)[place] == events.flow[which]
        found &= events.flow[which] != NULL
        by_flow = np.where(found, np.append(events.tid[other], NULL)[place], NULL)
        told = events.numbers(f"{annotation}_tid")[which]
        tid = np.where((told >= 0) & (told <= _MAX_TID), told, by_flow)
        self.found.unresolved += int((tid < 0).sum())
        pid = events.numbers(f"{annotation}_pid")[which]
        known = (pid > 0) & (pid <= _MAX_TID)
        comm = self.strings[events.numbers(annotation)[which]]
        return Side(tid, np.where(known, pid, self.pid_of(tid)), comm)

    def _wakings(self, category: str, known: Wakings) -> None:
        which = self.events.of(category, INSTANT)
        wakee = self._partners(which, category.replace("WAKER", "WAKEE"), "wakee")
        target = known.targets(self.events.ns[which], self.events.cpu[which], wakee.tid)
        self.found.parts.append(
            made.wake_rows(self._at(which), wakee, self.events.tid[which], known.new, target)
        )

    def _forks(self) -> None:
        which = self.events.of("FORKING", INSTANT)
        child = self._partners(which, "FORKED", "forked_into")
        self.found.parts.append(made.fork_rows(self._at(which), child, self.events.tid[which]))

    def _inserts(self) -> None:
        """Waits in dispatch queues: each is written when it ends, its begin and its end in a row."""
        events = self.events
        begin, end = (
            events.of("SCX_DSQ", SLICE_BEGIN),
            events.of("SCX_DSQ", SLICE_END, placed=False),
        )
        both = np.sort(np.concatenate([begin, end]))
        begins = events.type[both] == SLICE_BEGIN
        pairs = begins[:-1] & ~begins[1:] & (events.tid[both[:-1]] == events.tid[both[1:]])
        begin, end = both[:-1][pairs], both[1:][pairs]
        self.found.one_sided_waits = len(both) - 2 * len(begin)
        sort = self.found.inserts.sort_of(self._places("action", INSERTS)[begin])
        # The id's 64 bits, though wprof writes them as a signed number.
        dsq = events.numbers("scx_dsq_id")[end].view(np.uint64)
        has_start = events.ns[begin] > 0
        self.found.inserts.add(sort, has_start)
        begin, sort, dsq = begin[has_start], sort[has_start], dsq[has_start]
        task = self._side(events.tid[begin], None)
        self.found.parts += made.insert_rows(self._at(begin), task, sort, dsq)

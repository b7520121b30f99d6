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

from scxval.events.columns import NULL, Columns, Ints, Side
from scxval.formats.perfetto.track_events import INSTANT, SLICE_BEGIN, SLICE_END
from scxval.formats.perfetto.wire import Int64s
from scxval.tracers.wprof import rows as made
from scxval.tracers.wprof.events import CATEGORIES, Events
from scxval.tracers.wprof.ftrace import Wakings
from scxval.tracers.wprof.session import LATEST_NS


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

    def __init__(self, events: Events, groups: tuple[Int64s, Int64s], mono_ns: int) -> None:
        self.events = events
        self.groups = groups
        self.mono_ns = mono_ns
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
            events.ns[which] + self.mono_ns,
            events.cpu[which],
            events.record[which].astype(np.int64).astype(np.int64),
        )

    def pid_of(self, tid: Ints) -> Int64s:
        """The thread groups of tasks, NULL where the trace does not say."""
        tids, pids = self.groups
        place = np.minimum(np.searchsorted(tids, tid), max(0, len(tids) - 1))
        if not len(tids):
            return np.full(len(tid), NULL, dtype=np.int64)
        return np.where(tids[place] == tid, pids[place], np.where(tid == 0, 0, NULL))

    def _side(self, tid: Ints, comm: Ints | None) -> Side:
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
        state = events.state
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

    def _evidence(self, which: Int64s, comm: Ints) -> None:
        tid = self.events.tid[which]
        self.found.parts.append(made.evidence_rows(self._at(which), self._side(tid, comm)))

    def _renames(self) -> None:
        which = self.events.of("RENAME", INSTANT)
        self._evidence(which, self.events.other_name[which])

    def _partners(self, which: Int64s, partner: str) -> Side:
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
        told = events.other_tid[which]
        tid = np.where(told >= 0, told, by_flow)
        self.found.unresolved += int((tid < 0).sum())
        pid = events.other_pid[which]
        pid = np.where(pid > 0, pid, self.pid_of(tid))
        return Side(tid, pid, events.other_name[which])

    def _wakings(self, category: str, known: Wakings) -> None:
        which = self.events.of(category, INSTANT)
        wakee = self._partners(which, category.replace("WAKER", "WAKEE"))
        target = known.targets(self.events.ns[which], self.events.cpu[which], wakee.tid)
        self.found.parts.append(
            made.wake_rows(self._at(which), wakee, self.events.tid[which], known.new, target)
        )

    def _forks(self) -> None:
        which = self.events.of("FORKING", INSTANT)
        child = self._partners(which, "FORKED")
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
        sort = self.found.inserts.sort_of(events.insert[begin])
        # The id's 64 bits, though wprof writes them as a signed number.
        dsq = events.dsq[end].view(np.uint64)
        has_start = events.ns[begin] > 0
        self.found.inserts.add(sort, has_start)
        begin, sort, dsq = begin[has_start], sort[has_start], dsq[has_start]
        task = self._side(events.tid[begin], None)
        self.found.parts += made.insert_rows(self._at(begin), task, sort, dsq)

# SPDX-License-Identifier: MIT
"""The track events of wprof's Perfetto output that matter, as columns: its own names for what they say.

Events are read some hundred thousand packets at a time, so that their annotations are never all in memory.
A track's uuid is seven times an id, plus the sort of track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from scxval.events.columns import NULL, Names
from scxval.events.schema import MAX_CPU
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.interned import Interned, read_interned
from scxval.formats.perfetto.packets import TRACK_EVENT, Packets
from scxval.formats.perfetto.track_events import (
    INT,
    STRING,
    UINT,
    Annotations,
    TrackEvents,
    read_annotations,
    read_flows,
    read_track_events,
)
from scxval.formats.perfetto.tracks import read_tracks
from scxval.formats.perfetto.wire import Data, Int64s
from scxval.tracers.wprof.json_text import NAME_BYTES
from scxval.tracers.wprof.session import LATEST_NS
from scxval.tracers.wprof.words import INSERTS, STATES

_PACKETS_AT_ONCE = 1 << 18
# Sorts of tracks: events of a thread (id: tid) and of an idle CPU (id: CPU + 1), and a thread itself.
_THREAD, _THREAD_EVENTS, _IDLE_EVENTS, _SORTS = 1, 3, 4, 7
# The process that kernel threads are shown under: each is a thread group of its own in the kernel.
KERNEL_PID = 2_000_000_001
_MAX_TID = np.iinfo(np.int32).max
CATEGORIES = (
    *("ONCPU", "SCX_DSQ", "WAKER", "WAKER_NEW", "WAKEE", "WAKEE_NEW"),
    *("FORKING", "FORKED", "RENAME"),
)


@dataclass(frozen=True)
class Events:
    """The events of these categories, in the order of the file, one element each.

    `ns` counts from the session's start; `cpu` and `flow` are NULL where there is none, `tid` of the
    event's track too (0: idle). `category` is a place in CATEGORIES, `name` a code of the names. `state`
    is a place in STATES, `insert` in INSERTS; `other_tid`, `other_pid` and `other_name` are the task
    that an instant points at, where annotations say so, or a new name.
    """

    ns: Int64s
    cpu: npt.NDArray[np.int16]
    tid: npt.NDArray[np.int32]
    type: npt.NDArray[np.int8]
    category: npt.NDArray[np.int8]
    flow: Int64s
    name: npt.NDArray[np.int32]
    record: npt.NDArray[np.int32]
    state: npt.NDArray[np.int8]
    insert: npt.NDArray[np.int8]
    dsq: Int64s
    other_tid: npt.NDArray[np.int32]
    other_pid: npt.NDArray[np.int32]
    other_name: npt.NDArray[np.int32]

    def of(self, category: str, kind: int, placed: bool = True) -> Int64s:
        """The places of the events of one category and type, those with time, task and (`placed`) CPU."""
        wanted = (self.category == CATEGORIES.index(category)) & (self.type == kind)
        timed = (self.ns >= 0) & (self.ns < LATEST_NS) & (self.tid >= 0)
        return np.flatnonzero(wanted & timed & ((self.cpu >= 0) | (not placed)))


def read_events(data: Data, packets: Packets, names: Names, faults: Faults) -> Events:
    """All events of these categories."""
    interned = read_interned(data, packets)
    pieces = []
    for begin in range(0, max(1, len(packets)), _PACKETS_AT_ONCE):
        payload = np.zeros_like(packets.payload)
        some = slice(begin, begin + _PACKETS_AT_ONCE)
        payload[some] = np.where(packets.payload[some] == TRACK_EVENT, TRACK_EVENT, 0)
        pieces.append(_piece(data, replace(packets, payload=payload), interned, names, faults))
    return Events(*(np.concatenate([getattr(p, f.name) for p in pieces]) for f in fields(Events)))


def _piece(
    data: Data, packets: Packets, interned: dict[int, Interned], names: Names, faults: Faults
) -> Events:
    every = read_track_events(data, packets, interned, faults)
    category = _places(every.categories, CATEGORIES)[every.category]
    events = every.take(np.flatnonzero((category >= 0) & packets.timed[every.packet]))
    category = _places(every.categories, CATEGORIES)[events.category]
    told = _Told(read_annotations(data, packets, events, interned, faults), len(events), names)
    flow = np.full(len(events), NULL, dtype=np.int64)
    owner, value = read_flows(data, events)
    flow[owner] = value
    cpu, ns, tid = told.number("cpu", MAX_CPU), packets.timestamp[events.packet], _tids(events)
    # The end of a wait in a dispatch queue says no CPU; its begin does.
    placed = (cpu >= 0) | (category == CATEGORIES.index("SCX_DSQ"))
    lacking = ~placed | (ns < 0) | (ns >= LATEST_NS) | (tid < 0)
    faults.at("track event without a time, a CPU or a task", events.spans.start[lacking])
    return Events(
        ns=ns,
        cpu=cpu.astype(np.int16),
        tid=tid.astype(np.int32),
        type=events.type,
        category=category.astype(np.int8),
        flow=flow,
        name=_codes(events.names, names)[events.name].astype(np.int32),
        record=events.packet.astype(np.int32),
        state=told.word("offcpu_reason", STATES).astype(np.int8),
        insert=told.word("action", INSERTS).astype(np.int8),
        dsq=told.values("scx_dsq_id", (INT, UINT), 0),
        other_tid=told.first(("wakee_tid", "forked_into_tid")).astype(np.int32),
        other_pid=told.first(("wakee_pid", "forked_into_pid")).astype(np.int32),
        other_name=told.name(("wakee", "forked_into", "new_name")).astype(np.int32),
    )


class _Told:
    """What annotations say, an element an event; NULL where they do not."""

    def __init__(self, annotations: Annotations, count: int, names: Names) -> None:
        self.annotations = annotations
        self.count = count
        self.codes = _codes(annotations.strings, names)

    def values(self, name: str, sorts: tuple[int, ...], default: int = NULL) -> Int64s:
        """The annotation's 64 bits, or its string's code, where it is of such a sort."""
        which = self.annotations.named(name)
        which = which[np.isin(self.annotations.sort[which], sorts)]
        out = np.full(self.count, default, dtype=np.int64)
        out[self.annotations.event[which]] = self.annotations.value[which]
        return out

    def number(self, name: str, most: int) -> Int64s:
        """Numbers from 0 to `most`."""
        value = self.values(name, (INT, UINT))
        return np.where((value >= 0) & (value <= most), value, NULL)

    def first(self, names: Sequence[str]) -> Int64s:
        """The tid or pid that one of these annotations gives."""
        found = np.full(self.count, NULL, dtype=np.int64)
        for name in names:
            found = np.where(found < 0, self.number(name, _MAX_TID), found)
        return found

    def word(self, name: str, words: tuple[str, ...]) -> Int64s:
        """The place in `words` of the annotation's string."""
        return _places(self.annotations.strings, words)[self.values(name, (STRING,))]

    def name(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """The code of the task's name that one of these annotations gives."""
        found = np.full(self.count, NULL, dtype=np.int64)
        for name in names:
            found = np.where(found < 0, self.codes[self.values(name, (STRING,))], found)
        return found


def _places(texts: list[str], words: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """The place of each text in `words`, NULL for others; the last element is for no text."""
    place = {word: number for number, word in enumerate(words)}
    return np.array([*(place.get(text, NULL) for text in texts), NULL], dtype=np.int64)


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

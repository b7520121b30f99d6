# SPDX-License-Identifier: MIT
"""Tracks, and the threads and processes that a trace names: by descriptors or process trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.packets import (
    GENERIC_PROCESS_TREE,
    PROCESS_TREE,
    THREAD_DESCRIPTOR,
    TRACK_DESCRIPTOR,
    Packets,
)
from scxval.formats.perfetto.text import texts
from scxval.formats.perfetto.wire import (
    LEN,
    VARINT,
    Bools,
    Data,
    Fields,
    Int64s,
    Spans,
    children,
    fields,
)

NULL = -1


@dataclass(frozen=True)
class Tracks:
    """Track descriptors in the order of the file; a uuid may come again with more said about it.

    `name` is a code into `names`, NULL without one. `pid` and `tid` are NULL unless the track is a
    process (pid) or a thread (both); `task_name` is that process's or thread's name, a code into
    `names`. `is_counter` marks counter tracks.
    """

    uuid: Int64s
    parent: Int64s
    has_parent: Bools
    name: npt.NDArray[np.int64]
    pid: Int64s
    tid: Int64s
    task_name: npt.NDArray[np.int64]
    is_counter: Bools
    names: list[str]


@dataclass(frozen=True)
class Threads:
    """Threads with their thread groups as process trees and thread descriptors name them.

    A process stands for its leader (tid = pid). `name` is a code into `names`, NULL without one.
    """

    tid: Int64s
    pid: Int64s
    name: npt.NDArray[np.int64]
    names: list[str]


class _Texts:
    """Codes of texts from several columns, one list for all."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.code: dict[str, int] = {}

    def of(self, found: Fields, row: int) -> npt.NDArray[np.int64]:
        """Codes of one string field, NULL where it is absent."""
        codes = np.full(found.length.shape[1], NULL, dtype=np.int64)
        which = np.flatnonzero(found.length[row] >= 0)
        local, names = texts(self.data, found.spans(row, which))
        known = np.array([self.code.setdefault(n, len(self.code)) for n in names], dtype=np.int64)
        if len(which):
            codes[which] = known[local]
        return codes


def _within(data: Data, found: Fields, row: int, wanted: tuple[tuple[int, int], ...]) -> Fields:
    """Fields of a message that lies in another one; absent ones read as empty messages."""
    start = found.value[row]
    return fields(data, Spans(start, start + np.maximum(found.length[row], 0)), wanted)


def read_tracks(data: Data, packets: Packets, faults: Faults) -> Tracks:
    """Every TrackDescriptor."""
    spans = packets.body.take(packets.having(TRACK_DESCRIPTOR))
    wanted = ((1, VARINT), (5, VARINT), (2, LEN), (3, LEN), (4, LEN), (8, LEN), (10, LEN))
    found = fields(data, spans, wanted)
    faults.at("track descriptor that cannot be read", spans.start[~found.ok])
    good = np.flatnonzero(found.ok)
    found = Fields(found.value[:, good], found.length[:, good], found.ok[good])
    process = _within(data, found, 3, ((1, VARINT), (6, LEN)))
    thread = _within(data, found, 4, ((1, VARINT), (2, VARINT), (5, LEN)))
    is_process, is_thread = found.length[3] >= 0, found.length[4] >= 0
    named = _Texts(data)
    name, static = named.of(found, 2), named.of(found, 6)
    process_name, thread_name = named.of(process, 1), named.of(thread, 2)
    pid = np.where(is_thread, thread.value[0], np.where(is_process, process.value[0], NULL))
    return Tracks(
        uuid=found.value[0],
        parent=found.value[1],
        has_parent=found.length[1] >= 0,
        name=np.where(name >= 0, name, static),
        pid=pid,
        tid=np.where(is_thread, thread.value[1], NULL),
        task_name=np.where(is_thread, thread_name, process_name),
        is_counter=found.length[5] >= 0,
        names=list(named.code),
    )


def read_threads(data: Data, packets: Packets) -> Threads:
    """Every process and thread of process trees and thread descriptors."""
    named = _Texts(data)
    parts: list[tuple[Int64s, Int64s, npt.NDArray[np.int64]]] = []
    # Process: pid, cmdline; Thread: tid, tgid (pid in the generic tree), name (comm there).
    for payload, thread in (
        (PROCESS_TREE, ((1, VARINT), (3, VARINT), (2, LEN))),
        (GENERIC_PROCESS_TREE, ((1, VARINT), (2, VARINT), (3, LEN))),
    ):
        trees = packets.body.take(packets.having(payload))
        members = children(data, trees, (1, 2))
        processes = fields(data, members.of(1).spans, ((1, VARINT),))
        good = processes.ok & (processes.length[0] >= 0)
        pid = processes.value[0][good]
        parts.append((pid, pid, np.full(len(pid), NULL, dtype=np.int64)))
        parts.append(_thread_rows(fields(data, members.of(2).spans, thread), named))
    spans = packets.body.take(packets.having(THREAD_DESCRIPTOR))
    found = fields(data, spans, ((2, VARINT), (1, VARINT), (5, LEN)))
    parts.append(_thread_rows(found, named))
    tid, pid, name = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return Threads(tid, pid, name, list(named.code))


def _thread_rows(found: Fields, named: _Texts) -> tuple[Int64s, Int64s, npt.NDArray[np.int64]]:
    """tid, pid, name of threads that have the first two."""
    good = found.ok & (found.length[0] >= 0) & (found.length[1] >= 0)
    return found.value[0][good], found.value[1][good], named.of(found, 2)[good]

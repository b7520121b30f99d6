# SPDX-License-Identifier: MIT
"""Ftrace bundles: a CPU's kernel events, one by one or in the compact form of sched events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields

import numpy as np
import numpy.typing as npt

from scxval.events.schema import MAX_CPU
from scxval.formats.compiled import compiled
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.packets import FTRACE_EVENTS, Packets
from scxval.formats.perfetto.text import texts
from scxval.formats.perfetto.wire import (
    LEN,
    VARINT,
    Array,
    Bools,
    Data,
    Fields,
    Int64s,
    Spans,
    _field,
    children,
    fields,
    repeated,
)

# Fields of FtraceEvent: what the event is, by tracepoint.
SCHED_SWITCH = 4
SCHED_WAKEUP = 17
SCHED_WAKING = 20
SCHED_WAKEUP_NEW = 114
SCHED_PROCESS_EXIT = 238
SCHED_PROCESS_FORK = 239
# FtraceEventBundle and FtraceEventBundle.CompactSched
_CPU, _EVENT, _LOST_EVENTS, _COMPACT_SCHED = 1, 2, 3, 4
_SWITCH_TIMESTAMP, _SWITCH_PREV_STATE, _SWITCH_NEXT_PID = 1, 2, 3
_INTERN_TABLE, _SWITCH_COMM = 5, 6
_WAKING_TIMESTAMP, _WAKING_PID, _WAKING_TARGET_CPU, _WAKING_COMM = 7, 8, 9, 11
UNKNOWN = -1


@dataclass(frozen=True)
class Bundles:
    """Ftrace bundles whose CPU is known.

    `lost` marks those that follow events lost to the kernel, `cut` one that the file's end cuts off.
    """

    spans: Spans
    cpu: npt.NDArray[np.int16]
    lost: Bools
    cut: Bools


@dataclass(frozen=True)
class FtraceEvents:
    """The events of all bundles, bundle by bundle, in the order of the file.

    `pid` is FtraceEvent.pid (0 where it is absent, as protobuf has it), `number` the field of
    FtraceEvent that says which tracepoint (0: none), `body` where its fields lie.
    """

    cpu: npt.NDArray[np.int16]
    time: Int64s
    pid: npt.NDArray[np.int32]
    number: npt.NDArray[np.int16]
    start: Int64s
    length: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.time)

    def fields(self, data: Data, places: Int64s, wanted: Sequence[tuple[int, int]]) -> Fields:
        """The fields (number, wire type) of the tracepoint's message of some events."""
        start = self.start[places]
        return fields(data, Spans(start, start + self.length[places]), wanted)

    def select(
        self, data: Data, number: int, wanted: Sequence[tuple[int, int]]
    ) -> tuple[Int64s, Fields]:
        """Places of all events of one tracepoint, and its fields (number, wire type)."""
        which = np.flatnonzero(self.number == number)
        return which, self.fields(data, which, wanted)


@dataclass(frozen=True)
class CompactSwitches:
    """sched_switch in compact form: no previous task, only its state. `comm` is a code into `names`."""

    cpu: npt.NDArray[np.int16]
    time: Int64s
    prev_state: Int64s
    next_pid: Int64s
    comm: npt.NDArray[np.int64]
    names: list[str]


@dataclass(frozen=True)
class CompactWakings:
    """sched_waking in compact form: no waker. `cpu` is that of the bundle; `comm` a code into `names`."""

    cpu: npt.NDArray[np.int16]
    time: Int64s
    pid: Int64s
    target_cpu: Int64s
    comm: npt.NDArray[np.int64]
    names: list[str]


@compiled
def _count_events(data: Array, start: Array, end: Array, bad_bundles: Array) -> int:
    count = 0
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            which, wire, _, _, after = _field(data, at, end[i])
            if after < 0:
                bad_bundles[i] = True
                break
            at = after
            count += which == _EVENT and wire == LEN
    return count


@compiled
def _fill_events(
    data: Array,
    start: Array,
    end: Array,
    bundle: Array,
    time: Array,
    pid: Array,
    number: Array,
    body: Array,
    length: Array,
) -> int:
    """Fill in the events of bundles; an unreadable one has number -1. How many there are of those."""
    count = 0
    faulty = 0
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            which, wire, value, size, after = _field(data, at, end[i])
            if after < 0:
                break
            at = after
            if which != _EVENT or wire != LEN:
                continue
            place, stop = value, value + size
            stamp, task, kind = -1, 0, 0
            inner, inner_size = value, 0
            while place < stop:
                which, wire, value, size, after = _field(data, place, stop)
                if after < 0 or (wire == LEN and kind != 0):
                    kind = -1
                    break
                place = after
                if wire == LEN:
                    kind, inner, inner_size = which, value, size
                elif which == 1 and wire == VARINT:
                    stamp = value
                elif which == 2 and wire == VARINT:
                    task = value
            # An event has a time; 32767 and above are no tracepoint's number.
            if kind >= 32767 or stamp < 0:
                kind = -1
            faulty += kind < 0
            bundle[count], time[count], pid[count] = i, stamp, task
            number[count], body[count], length[count] = kind, inner, inner_size
            count += 1
    return faulty


def read_bundles(data: Data, packets: Packets, faults: Faults) -> Bundles:
    """Every ftrace bundle with a CPU."""
    spans = packets.body.take(packets.having(FTRACE_EVENTS))
    found = fields(data, spans, ((_CPU, VARINT), (_LOST_EVENTS, VARINT)))
    cpu = found.value[0]
    good = (found.length[0] >= 0) & (cpu >= 0) & (cpu <= MAX_CPU)
    faults.at("ftrace bundle without a CPU", spans.start[~good])
    lost = (found.value[1] != 0) & (found.length[1] >= 0)
    cut = np.zeros(len(spans), dtype=np.bool_)
    cut[-1:] = packets.cut
    return Bundles(spans.take(good), cpu[good].astype(np.int16), lost[good], cut[good])


def read_events(data: Data, bundles: Bundles, faults: Faults) -> FtraceEvents:
    """The events of all bundles that stand on their own (not those of the compact form)."""
    bad = np.zeros(len(bundles.spans), dtype=np.bool_)
    start, end = bundles.spans.start, bundles.spans.end

    count = int(_count_events(data, start, end, bad))
    bundle, pid = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    time, number = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int16)
    body, length = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int32)
    faulty = _fill_events(data, start, end, bundle, time, pid, number, body, length)
    events = FtraceEvents(bundles.cpu[bundle], time, pid, number, body, length)
    if faulty:
        faults.at("ftrace event that cannot be read", body[number < 0])
        keep = np.flatnonzero(number >= 0)
        events = FtraceEvents(*(getattr(events, f.name)[keep] for f in dataclass_fields(events)))
    faults.at("ftrace bundle that cannot be read to its end", start[bad])
    return events


def read_compact(
    data: Data, bundles: Bundles, faults: Faults
) -> tuple[CompactSwitches, CompactWakings]:
    """The switches and wakings of all bundles that are in compact form.

    The columns of a bundle must have equal lengths: one that has not is left out and counted.
    """
    messages = children(data, bundles.spans, (_COMPACT_SCHED,))
    cpu = bundles.cpu[messages.owner]
    table = children(data, messages.spans, (_INTERN_TABLE,))
    codes, names = texts(data, table.spans)
    first = np.searchsorted(table.owner, np.arange(len(messages.spans) + 1))

    def form(
        *numbers: int,
    ) -> tuple[npt.NDArray[np.int16], Int64s, Int64s, Int64s, Int64s, list[str]]:
        """CPUs, times, the two other columns and the names' codes of a form's four columns."""
        owner, columns = _columns(data, messages.spans, numbers, faults)
        time, second, third, comm = columns
        named = _name_codes(owner, comm, first, codes)
        return cpu[owner], _running_time(owner, time), second, third, named, names

    switches = form(_SWITCH_TIMESTAMP, _SWITCH_PREV_STATE, _SWITCH_NEXT_PID, _SWITCH_COMM)
    wakings = form(_WAKING_TIMESTAMP, _WAKING_PID, _WAKING_TARGET_CPU, _WAKING_COMM)
    return CompactSwitches(*switches), CompactWakings(*wakings)


def _columns(
    data: Data, spans: Spans, numbers: Sequence[int], faults: Faults
) -> tuple[npt.NDArray[np.int32], list[Int64s]]:
    """Repeated numbers of equal length in each message: their owner, and one array a number."""
    read = [repeated(data, spans, number) for number in numbers]
    counts = [np.bincount(owner, minlength=len(spans)) for owner, _, _ in read]
    good = np.ones(len(spans), dtype=np.bool_)
    for (_, _, bad), count in zip(read, counts, strict=True):
        good &= ~bad & (count == counts[0])
    faults.at("compact sched events whose columns do not agree", spans.start[~good])
    kept = [value[good[owner]] for owner, value, _ in read]
    owner = read[0][0]
    return owner[good[owner]], kept


def _running_time(owner: npt.NDArray[np.int32], delta: Int64s) -> Int64s:
    """Times from differences, the first of each bundle being the time itself."""
    total = np.cumsum(delta)
    begin = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])) if len(owner) else owner
    before = total[begin] - delta[begin]
    sizes = np.diff(np.append(begin, len(owner)))
    return np.asarray(total - np.repeat(before, sizes), dtype=np.int64)


def _name_codes(
    owner: npt.NDArray[np.int32], index: Int64s, first: Int64s, codes: Int64s
) -> npt.NDArray[np.int64]:
    """Codes of names by their index into the bundle's own table; UNKNOWN beyond it."""
    place = first[owner] + index
    known = (index >= 0) & (place < first[owner + 1])
    padded = np.append(codes, UNKNOWN)
    return padded[np.where(known, place, len(codes))]

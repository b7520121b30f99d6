# SPDX-License-Identifier: MIT
"""Track events: slices, instants and counters, with their names, categories, flows and annotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.interned import (
    DEBUG_ANNOTATION_NAMES,
    DEBUG_ANNOTATION_STRINGS,
    EVENT_CATEGORIES,
    EVENT_NAMES,
    Interned,
)
from scxval.formats.perfetto.packets import TRACK_EVENT, Packets
from scxval.formats.perfetto.text import texts
from scxval.formats.perfetto.wire import (
    FIXED64,
    LEN,
    VARINT,
    Bools,
    Data,
    Fields,
    Int64s,
    Spans,
    children,
    fields,
    repeated,
)

# TrackEvent.Type
SLICE_BEGIN, SLICE_END, INSTANT, COUNTER = 1, 2, 3, 4
UNKNOWN = -1
# TrackEvent
_ANNOTATIONS, _TYPE, _NAME_IID, _TRACK, _NAME = 4, 9, 10, 11, 23
_CATEGORY_IIDS, _CATEGORIES = 3, 22
_COUNTER, _DOUBLE_COUNTER = 30, 44
_FLOWS = 47
# DebugAnnotation: what holds a value, by field number, and the sort that it is.
BOOL, UINT, INT, DOUBLE, STRING = 1, 2, 3, 4, 5
_VALUES = ((2, VARINT), (3, VARINT), (4, VARINT), (5, FIXED64), (6, LEN), (17, VARINT))
_SORTS = (BOOL, UINT, INT, DOUBLE, STRING, STRING)


@dataclass(frozen=True)
class TrackEvents:
    """Track events that could be read, in the order of the file.

    `packet` is the place of an event's packet. `name` and `category` (the first one) are codes into
    `names` and `categories`, UNKNOWN where there is none or the sequence has not said what an id stands
    for. `counter` is what a counter event counts, a double in `counter_double` where `is_double`.
    """

    packet: Int64s
    type: npt.NDArray[np.int8]
    track: Int64s
    name: npt.NDArray[np.int32]
    category: npt.NDArray[np.int32]
    counter: Int64s
    is_double: Bools
    names: list[str]
    categories: list[str]
    spans: Spans

    def __len__(self) -> int:
        """Number of events."""
        return len(self.packet)

    def take(self, which: npt.NDArray[np.integer] | Bools) -> TrackEvents:
        """The events at these places."""
        return TrackEvents(
            self.packet[which],
            self.type[which],
            self.track[which],
            self.name[which],
            self.category[which],
            self.counter[which],
            self.is_double[which],
            self.names,
            self.categories,
            self.spans.take(which),
        )

    @property
    def counter_double(self) -> npt.NDArray[np.float64]:
        """The counters as doubles."""
        return np.where(self.is_double, self.counter.view(np.float64), self.counter)


@dataclass(frozen=True)
class Annotations:
    """Debug annotations of events, in the order of the file.

    `event` is the place in TrackEvents, `name` a code into `names`, `sort` one of BOOL, UINT, INT, DOUBLE,
    STRING, or 0 for a value of another sort (nested ones). `value` has the 64 bits of a number, or the
    code of a string into `strings` (UNKNOWN where an id was never given).
    """

    event: npt.NDArray[np.int32]
    name: npt.NDArray[np.int32]
    sort: npt.NDArray[np.int8]
    value: Int64s
    names: list[str]
    strings: list[str]

    def named(self, name: str) -> npt.NDArray[np.int64]:
        """The places of all annotations with a name."""
        if name not in self.names:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.name == self.names.index(name))

    def doubles(self, which: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Numbers of any sort as doubles, NaN for what is none."""
        value, sort = self.value[which], self.sort[which]
        out = np.full(len(value), np.nan)
        for is_sort, numbers in (
            (DOUBLE, value.view(np.float64)),
            (UINT, value.view(np.uint64).astype(np.float64)),
            (INT, value.astype(np.float64)),
            (BOOL, (value != 0).astype(np.float64)),
        ):
            out = np.where(sort == is_sort, numbers, out)
        return out


def _either(
    data: Data,
    inline: tuple[npt.NDArray[np.integer], Spans],
    by_id: npt.NDArray[np.int32],
    table: Interned,
) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Codes of texts that are interned (`by_id`) or, at the places `inline[0]`, given in full."""
    codes, names = by_id, table.names
    where, spans = inline
    if len(where):
        local, more = texts(data, spans)
        place = {name: code for code, name in enumerate(names)}
        known = np.array([place.setdefault(n, len(place)) for n in more], dtype=np.int32)
        codes = codes.copy()
        codes[where] = known[local]
        names = list(place)
    return codes, names


def read_track_events(
    data: Data, packets: Packets, interned: dict[int, Interned], faults: Faults
) -> TrackEvents:
    """Every track event. Ids that their sequence has not explained are counted, and left unknown."""
    where = packets.having(TRACK_EVENT)
    spans = packets.body.take(where)
    wanted = (
        (_TYPE, VARINT),
        (_TRACK, VARINT),
        (_NAME_IID, VARINT),
        (_NAME, LEN),
        (_COUNTER, VARINT),
        (_DOUBLE_COUNTER, FIXED64),
    )
    found = fields(data, spans, wanted)
    kind = found.value[0]
    good = found.ok & (kind >= 0) & (kind <= COUNTER)
    faults.at("track event that cannot be read", spans.start[~good])
    if not good.all():
        keep = np.flatnonzero(good)
        where, spans = where[keep], spans.take(keep)
        found = Fields(found.value[:, keep], found.length[:, keep], found.ok[keep])
    name, names = _names(data, packets, interned[EVENT_NAMES], where, found, faults)
    category, categories = _category(
        data, packets, interned[EVENT_CATEGORIES], where, spans, faults
    )
    double = found.length[5] >= 0
    return TrackEvents(
        packet=where,
        type=found.value[0].astype(np.int8),
        track=found.value[1],
        name=name,
        category=category,
        counter=np.where(double, found.value[5], found.value[4]),
        is_double=double,
        names=names,
        categories=categories,
        spans=spans,
    )


def _resolve(
    table: Interned,
    packets: Packets,
    packet: npt.NDArray[np.integer],
    iid: Int64s,
    what: str,
    faults: Faults,
) -> npt.NDArray[np.int32]:
    """Codes of ids at packets; those never explained are counted."""
    codes = table.resolve(packets.state[packet], packet, iid)
    missing = packet[codes == UNKNOWN]
    faults.at(f"{what} id that its sequence does not explain", packets.spans.start[missing])
    return codes


def _names(
    data: Data,
    packets: Packets,
    table: Interned,
    packet: Int64s,
    found: Fields,
    faults: Faults,
) -> tuple[npt.NDArray[np.int32], list[str]]:
    codes = np.full(len(packet), UNKNOWN, dtype=np.int32)
    by_id = np.flatnonzero((found.length[2] >= 0) & (found.value[2] != 0))
    codes[by_id] = _resolve(
        table, packets, packet[by_id], found.value[2][by_id], "event name", faults
    )
    inline = np.flatnonzero(found.length[3] >= 0)
    return _either(data, (inline, found.spans(3, inline)), codes, table)


def _category(
    data: Data,
    packets: Packets,
    table: Interned,
    packet: Int64s,
    spans: Spans,
    faults: Faults,
) -> tuple[npt.NDArray[np.int32], list[str]]:
    """The first category of each event."""
    codes = np.full(len(packet), UNKNOWN, dtype=np.int32)
    owner, iid, _ = repeated(data, spans, _CATEGORY_IIDS)
    first = _firsts(owner)
    by_id = owner[first]
    codes[by_id] = _resolve(table, packets, packet[by_id], iid[first], "category", faults)
    given = children(data, spans, (_CATEGORIES,))
    first = _firsts(given.owner)
    return _either(data, (given.owner[first], given.spans.take(first)), codes, table)


def _firsts(owner: npt.NDArray[np.int32]) -> Int64s:
    """Where each owner's first element lies."""
    if not len(owner):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))


def read_annotations(
    data: Data,
    packets: Packets,
    events: TrackEvents,
    interned: dict[int, Interned],
    faults: Faults,
) -> Annotations:
    """All debug annotations of these events. One whose name is not known is counted and left out."""
    given = children(data, events.spans, (_ANNOTATIONS,))
    wanted = ((1, VARINT), (10, LEN), *_VALUES)
    found = fields(data, given.spans, wanted)
    faults.at("debug annotation that cannot be read", given.spans.start[~found.ok])
    packet = events.packet[given.owner]
    names_of, strings_of = interned[DEBUG_ANNOTATION_NAMES], interned[DEBUG_ANNOTATION_STRINGS]
    name = np.full(len(packet), UNKNOWN, dtype=np.int32)
    by_id = np.flatnonzero(found.ok & (found.length[0] >= 0) & (found.value[0] != 0))
    name[by_id] = _resolve(
        names_of, packets, packet[by_id], found.value[0][by_id], "annotation name", faults
    )
    inline = np.flatnonzero(found.ok & (found.length[1] >= 0))
    name, names = _either(data, (inline, found.spans(1, inline)), name, names_of)
    sort, value = np.zeros(len(packet), dtype=np.int8), np.zeros(len(packet), dtype=np.int64)
    for row, code in enumerate(_SORTS, start=2):
        there = found.length[row] >= 0
        sort[there], value[there] = code, found.value[row][there]
    string = np.full(len(packet), UNKNOWN, dtype=np.int32)
    by_id = np.flatnonzero(found.ok & (found.length[7] >= 0))
    string[by_id] = _resolve(
        strings_of, packets, packet[by_id], found.value[7][by_id], "annotation string", faults
    )
    inline = np.flatnonzero(found.ok & (found.length[6] >= 0))
    string, texts_ = _either(data, (inline, found.spans(6, inline)), string, strings_of)
    value = np.where(sort == STRING, string, value)
    keep = np.flatnonzero(found.ok & (name != UNKNOWN))
    return Annotations(given.owner[keep], name[keep], sort[keep], value[keep], names, texts_)


def read_flows(data: Data, events: TrackEvents) -> tuple[npt.NDArray[np.int32], Int64s]:
    """Flow ids: the place of each one's event in TrackEvents, and the id."""
    owner, value, _ = repeated(data, events.spans, _FLOWS, FIXED64)
    return owner, value

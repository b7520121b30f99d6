# SPDX-License-Identifier: MIT
"""Writes a timeline as a Perfetto trace: protobuf packets of track descriptors and track events.

Field numbers are those of perfetto's public protos (protos/perfetto/trace/); scxval.formats.perfetto reads
the same ones. One sequence, one clearing of its state, each text once: an event is some 20 to 70 bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from scxval.files import whole
from scxval.formats.compiled import compiled
from scxval.formats.perfetto.interned import (
    DEBUG_ANNOTATION_NAMES,
    DEBUG_ANNOTATION_STRINGS,
    EVENT_NAMES,
)
from scxval.formats.perfetto.packets import TRACK_DESCRIPTOR
from scxval.formats.perfetto.wire import LEN, VARINT, Array
from scxval.perfetto.timeline import NONE, Events, Holds, Timeline, Track

# Events encoded before they are written.
_CHUNK = 1 << 16
# What the fields of an event and of one of its arguments take at most, with their tags.
_EVENT_BYTES = 128
_ARGUMENT_BYTES = 32
# TrackDescriptor.ChildTracksOrdering.EXPLICIT, SiblingMergeBehavior.SIBLING_MERGE_BEHAVIOR_NONE,
# CounterDescriptor.Unit.UNIT_COUNT.
_EXPLICIT, _APART, _COUNT = 3, 2, 2
# TracePacket.SequenceFlags
_CLEARED, _NEEDED = 1, 2


def write_trace(timeline: Timeline, path: Path) -> int:
    """Write the trace, whole or not at all; its size in bytes. Equal timelines give equal bytes."""
    with whole(path) as (part,), part.open("wb") as file:
        file.write(_head(timeline))
        _write_events(timeline.events(), file)
        return file.tell()


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | VARINT) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | LEN) + _varint(len(data)) + data


def _packet(*fields: bytes) -> bytes:
    """A packet of the one sequence; a packet that names none may be dropped in silence."""
    return _bytes(1, b"".join(fields) + _number(10, 1))


def _head(timeline: Timeline) -> bytes:
    """What stands before the events: the texts and the tracks."""
    tables = (
        (EVENT_NAMES, timeline.names.list),
        (DEBUG_ANNOTATION_NAMES, timeline.argument_names.list),
        (DEBUG_ANNOTATION_STRINGS, timeline.texts.list),
    )
    interned = b"".join(
        _bytes(table, _number(1, code + 1) + _bytes(2, text))
        for table, texts in tables
        for code, text in enumerate(texts)
    )
    tracks = (
        _packet(_bytes(TRACK_DESCRIPTOR, _descriptor(number, track)))
        for number, track in enumerate(timeline.tracks)
    )
    return _packet(_number(13, _CLEARED), _bytes(12, interned)) + b"".join(tracks)


def _descriptor(number: int, track: Track) -> bytes:
    fields = [_number(1, number + 1), _bytes(2, track.name)]
    if track.parent != NONE:
        fields.append(_number(5, track.parent + 1))
    if track.holds == Holds.COUNTS:
        fields.append(_bytes(8, _bytes(6, track.unit) if track.unit else _number(3, _COUNT)))
    fields += [_number(11, _EXPLICIT), _number(12, number)]
    if track.about:
        fields.append(_bytes(14, track.about))
    return b"".join([*fields, _number(15, _APART)])


def _write_events(events: Events, file: IO[bytes]) -> None:
    for start in range(0, len(events), _CHUNK):
        stop = min(start + _CHUNK, len(events))
        count = events.count[start:stop]
        room = _EVENT_BYTES * (stop - start) + _ARGUMENT_BYTES * int(count.sum())
        out = np.empty(room, dtype=np.uint8)
        body = np.empty(_EVENT_BYTES + _ARGUMENT_BYTES * int(count.max()), dtype=np.uint8)
        size = _encode(
            events.time_ns[start:stop],
            events.kind[start:stop],
            events.track[start:stop],
            events.name[start:stop],
            events.value[start:stop],
            events.flow_out[start:stop],
            events.flow_in[start:stop],
            events.first[start:stop],
            count,
            events.argument,
            events.sort,
            events.argument_value,
            body,
            out,
        )
        file.write(out[:size].tobytes())


@compiled
def _put(out: Array, at: int, value: int) -> int:
    """A varint of 64 bits, signed or not; the place after it."""
    bits = np.uint64(value)
    while bits > np.uint64(0x7F):
        out[at] = np.uint8(bits & np.uint64(0x7F)) | np.uint8(0x80)
        bits >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(bits)
    return at + 1


@compiled
def _put_number(out: Array, at: int, field: int, value: int) -> int:
    return _put(out, _put(out, at, field << 3), value)


@compiled
def _put_fixed(out: Array, at: int, field: int, value: int) -> int:
    at = _put(out, at, field << 3 | 1)
    for k in range(8):
        out[at + k] = np.uint8((value >> (8 * k)) & 0xFF)
    return at + 8


@compiled
def _varint_size(value: int) -> int:
    bits = np.uint64(value)
    size = 1
    while bits > np.uint64(0x7F):
        bits >>= np.uint64(7)
        size += 1
    return size


@compiled
def _encode(
    time: Array,
    kind: Array,
    track: Array,
    name: Array,
    value: Array,
    flow_out: Array,
    flow_in: Array,
    first: Array,
    count: Array,
    argument: Array,
    sort: Array,
    argument_value: Array,
    body: Array,
    out: Array,
) -> int:
    """Write a packet for each event into `out`; how many bytes that is. `body` is room for one."""
    at = 0
    for i in range(len(time)):
        size = _put_number(body, 0, 9, kind[i])
        size = _put_number(body, size, 11, track[i] + 1)
        if name[i] >= 0:
            size = _put_number(body, size, 10, name[i] + 1)
        if kind[i] == 4:
            size = _put_number(body, size, 30, value[i])
        if flow_out[i] >= 0:
            size = _put_fixed(body, size, 47, flow_out[i] + 1)
        if flow_in[i] >= 0:
            size = _put_fixed(body, size, 48, flow_in[i] + 1)
        for k in range(first[i], first[i] + count[i]):
            bits = argument_value[k] + 1 if sort[k] == 17 else argument_value[k]
            # One byte tells the length: it is at most 5 of the name and 12 of the value.
            size = _put(body, size, 4 << 3 | 2)
            begin = size + 1
            size = _put_number(body, begin, 1, argument[k] + 1)
            size = _put_number(body, size, sort[k], bits)
            body[begin - 1] = np.uint8(size - begin)
        packet = 1 + _varint_size(time[i]) + 2 + 2 + 1 + _varint_size(size) + size
        at = _put(out, at, 1 << 3 | 2)
        at = _put(out, at, packet)
        at = _put_number(out, at, 8, time[i])
        at = _put_number(out, at, 10, 1)
        at = _put_number(out, at, 13, 2)
        at = _put(out, at, 11 << 3 | 2)
        at = _put(out, at, size)
        out[at : at + size] = body[:size]
        at += size
    return at

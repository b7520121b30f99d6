# SPDX-License-Identifier: MIT
"""The packets of a trace: time, clock, sequence, what each carries, and the state of its sequence.

A sequence is what one writer wrote in order. Ids that stand for strings are good within one state of one
sequence: from where the writer cleared its state, or a packet of it was dropped, until that happens again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.formats.compiled import compiled
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.wire import (
    LEN,
    NUMBERS,
    VARINT,
    Array,
    Bools,
    Children,
    Data,
    Int64s,
    Spans,
    _field,
    children,
    fields,
)

# Trace.packet, and the fields of TracePacket that are read.
_PACKET = 1
_TIMESTAMP = 8
_SEQUENCE = 10
_INTERNED_DATA = 12
_SEQUENCE_FLAGS = 13
_STATE_CLEARED = 41
_PACKET_DROPPED = 42
_CLOCK_ID = 58
_DEFAULTS = 59
# TracePacket.SequenceFlags
_FLAG_STATE_CLEARED = 1

# What a packet can carry: one of these (the oneof TracePacket.data, as far as it is read or named).
FTRACE_EVENTS = 1
PROCESS_TREE = 2
CLOCK_SNAPSHOT = 6
TRACK_EVENT = 11
PROCESS_DESCRIPTOR = 43
THREAD_DESCRIPTOR = 44
COMPRESSED_PACKETS = 50
TRACK_DESCRIPTOR = 60
GENERIC_PROCESS_TREE = 122
ZSTD_PACKETS = 133
PAYLOADS = (
    FTRACE_EVENTS,
    PROCESS_TREE,
    CLOCK_SNAPSHOT,
    TRACK_EVENT,
    PROCESS_DESCRIPTOR,
    THREAD_DESCRIPTOR,
    COMPRESSED_PACKETS,
    TRACK_DESCRIPTOR,
    GENERIC_PROCESS_TREE,
    ZSTD_PACKETS,
)
NO_STATE = -1
NO_CLOCK = -1


@dataclass(frozen=True)
class Packets:
    """Packets that could be read, in the order of the file.

    `payload` is the number of the field that a packet carries (one of PAYLOADS, else 0) and `body` where
    that lies. `timed` marks packets with a timestamp; `clock_id` is NO_CLOCK where the trace's default
    clock counts. `state` numbers the states of all sequences; NO_STATE: the packet names no sequence.
    `gaps` counts places where a sequence says that packets before were dropped; `cut`: the last packet is
    an ftrace bundle that the end of the file cuts off.
    """

    spans: Spans
    timestamp: Int64s
    timed: Bools
    clock_id: npt.NDArray[np.int32]
    sequence: npt.NDArray[np.int64]
    state: npt.NDArray[np.int32]
    payload: npt.NDArray[np.int16]
    body: Spans
    gaps: int
    cut: bool

    def __len__(self) -> int:
        """Number of packets."""
        return len(self.timestamp)

    def having(self, payload: int) -> Int64s:
        """The places of the packets that carry this."""
        return np.flatnonzero(self.payload == payload)


@compiled
def _walk_trace(
    data: Array, end: int, fill: bool, starts: Array, ends: Array
) -> tuple[int, int, int]:
    """Packets, fields that are none, and where reading ended: -1 at the end, else at a fault."""
    at = 0
    count = 0
    strangers = 0
    while at < end:
        number, wire, value, length, after = _field(data, at, end)
        packet = number == _PACKET and wire == LEN and after != -1
        if packet:
            if fill:
                starts[count], ends[count] = value, value + length
            count += 1
        elif after >= 0:
            strangers += 1
        if after < 0:
            return count, strangers, at
        at = after
    return count, strangers, -1


@compiled
def _read_packets(
    data: Array,
    start: Array,
    end: Array,
    cut: Array,
    is_payload: Array,
    numbers: Array,
    timed: Array,
    payload: Array,
    body_start: Array,
    body_end: Array,
    ok: Array,
) -> None:
    """Fill in the packets' columns; ok: 1 good, 0 unreadable, 2 an ftrace bundle that is cut off."""
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            number, wire, value, length, after = _field(data, at, end[i])
            named = number < NUMBERS and wire == LEN and is_payload[number]
            if after == -2 and cut[i] and named and number == FTRACE_EVENTS and payload[i] == 0:
                payload[i], body_start[i], body_end[i] = number, value, value + length
            if after < 0:
                ok[i] = 0
                break
            if named:
                if payload[i] != 0:
                    ok[i] = 0
                    break
                payload[i], body_start[i], body_end[i] = number, value, value + length
            elif wire == VARINT:
                if number == _TIMESTAMP:
                    numbers[0, i] = value
                    timed[i] = True
                elif number == _SEQUENCE:
                    numbers[1, i] = value
                elif number == _CLOCK_ID:
                    numbers[2, i] = value
                elif number == _SEQUENCE_FLAGS:
                    numbers[3, i] |= value & _FLAG_STATE_CLEARED
                elif number == _STATE_CLEARED:
                    numbers[3, i] |= value != 0
                elif number == _PACKET_DROPPED:
                    numbers[3, i] |= 2 * (value != 0)
            at = after
        if cut[i]:
            ok[i] = 2 if payload[i] == FTRACE_EVENTS else 0


@compiled
def _number_states(sequence: Array, flags: Array, current: Array, state: Array) -> int:
    """`sequence` is a small code, negative for none; `current` has one element a code, all -1."""
    made = 0
    gaps = 0
    for i in range(len(sequence)):
        code = sequence[i]
        if code < 0:
            continue
        first = current[code] < 0
        # A first packet says "dropped" because nobody knows whether others came before it.
        gap = flags[i] & 2 and not first
        gaps += gap
        if first or flags[i] != 0:
            current[code] = made
            made += 1
        state[i] = current[code]
    return gaps


def read_packets(data: Data, faults: Faults) -> Packets:
    """All packets of a trace; a file that is cut off keeps what came before the cut."""
    count, strangers, stop = _walk_trace(
        data, len(data), False, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    )
    start, end = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    _walk_trace(data, len(data), True, start, end)
    cut = np.zeros(count, dtype=np.bool_)
    if stop >= 0:
        faults.at("the rest of the file, cut off or not a packet,", np.array([stop]))
        cut[-1:] = bool(count) and end[-1] == len(data) and start[-1] > stop
    if strangers:
        faults.at("a field of the trace that is no packet", np.zeros(strangers, dtype=np.int64))
    return _packets(data, Spans(start, end), cut, faults)


def _packets(data: Data, spans: Spans, cut: Bools, faults: Faults) -> Packets:
    count = len(spans)
    is_payload = np.zeros(NUMBERS, dtype=np.bool_)
    is_payload[list(PAYLOADS)] = True
    numbers = np.zeros((4, count), dtype=np.int64)
    numbers[2] = NO_CLOCK
    timed, ok = np.zeros(count, dtype=np.bool_), np.ones(count, dtype=np.int8)
    payload = np.zeros(count, dtype=np.int16)
    body = Spans(np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64))
    _read_packets(
        data, spans.start, spans.end, cut, is_payload, numbers, timed, payload, body.start,
        body.end, ok,
    )  # fmt: skip
    # One that is cut off is counted as the rest of the file already.
    faults.at("packet that cannot be read", spans.start[(ok == 0) & ~cut])
    squeezed = (payload == COMPRESSED_PACKETS) | (payload == ZSTD_PACKETS)
    faults.at("compressed packets (expand them with traceconv)", spans.start[squeezed & (ok == 1)])
    if not (ok == 1).all():
        keep = np.flatnonzero(ok)
        spans, body = spans.take(keep), body.take(keep)
        numbers, timed, payload = numbers[:, keep], timed[keep], payload[keep]
    clock_id = np.where((numbers[2] < 0) | (numbers[2] >= 1 << 31), NO_CLOCK, numbers[2])
    sequence = numbers[1] & 0xFFFFFFFF
    state, gaps = _states(sequence, numbers[3])
    packets = Packets(
        spans,
        numbers[0],
        timed,
        clock_id.astype(np.int32),
        sequence,
        state,
        payload,
        body,
        gaps,
        bool((ok == 2).any()),
    )
    return _with_default_clocks(data, packets)


def _states(sequence: Int64s, flags: Int64s) -> tuple[npt.NDArray[np.int32], int]:
    encoded = pa.array(sequence).dictionary_encode()
    codes = encoded.indices.to_numpy()
    state = np.full(len(sequence), NO_STATE, dtype=np.int32)
    codes = np.where(sequence == 0, -1, codes)
    current = np.full(len(encoded.dictionary), -1, dtype=np.int64)
    gaps = int(_number_states(codes, flags, current, state))
    return state, gaps


def _with_default_clocks(data: Data, packets: Packets) -> Packets:
    """Packets that name no clock have the default that their sequence gave last in this state."""
    given = children(data, packets.spans, (_DEFAULTS,))
    if not len(given.owner):
        return packets
    found = fields(data, given.spans, ((_CLOCK_ID, VARINT),))
    says = (found.length[0] >= 0) & (packets.state[given.owner] >= 0)
    which = given.owner[says]
    everyone = np.arange(len(packets))
    at = latest(
        (packets.state[which], np.zeros(len(which), dtype=np.int64), which),
        (packets.state, np.zeros(len(packets), dtype=np.int64), everyone),
    )
    default = found.value[0][says].astype(np.int32)
    silent = (packets.clock_id == NO_CLOCK) & (at >= 0)
    packets.clock_id[silent] = default[at[silent]]
    return packets


@compiled
def _latest(
    states: Array,
    ids: Array,
    places: Array,
    at_state: Array,
    at_id: Array,
    at_place: Array,
    used: Array,
    key_state: Array,
    key_id: Array,
    current: Array,
    found: Array,
) -> None:
    """A hash table of (state, id), filled while questions and entries are walked in packets' order."""
    mask = len(used) - 1
    given = 0
    for i in range(len(at_state)):
        while given < len(states) and places[given] <= at_place[i]:
            slot = _slot(states[given], ids[given], mask, used, key_state, key_id)
            used[slot] = True
            key_state[slot], key_id[slot] = states[given], ids[given]
            current[slot] = given
            given += 1
        slot = _slot(at_state[i], at_id[i], mask, used, key_state, key_id)
        found[i] = current[slot] if used[slot] else -1


@compiled
def _slot(state: int, number: int, mask: int, used: Array, key_state: Array, key_id: Array) -> int:
    # Any mixing does: keys are small counting numbers mostly.
    slot = ((number * 0x9E3779B1) ^ (state * 0x85EBCA6B)) & mask
    while used[slot] and (key_state[slot] != state or key_id[slot] != number):
        slot = (slot + 1) & mask
    return slot


def latest(
    entries: tuple[npt.NDArray[np.integer], Int64s, npt.NDArray[np.integer]],
    questions: tuple[npt.NDArray[np.integer], Int64s, npt.NDArray[np.integer]],
) -> npt.NDArray[np.int32]:
    """For each question the index of the last entry of the same state and id at its packet or before.

    Both are (states, ids, packets) in the order of packets; -1 where there is no entry.
    """
    size = 1 << max(4, (2 * len(entries[0])).bit_length())
    found = np.empty(len(questions[0]), dtype=np.int32)
    used, current = np.zeros(size, dtype=np.bool_), np.empty(size, dtype=np.int32)
    key_state, key_id = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    _latest(*entries, *questions, used, key_state, key_id, current, found)
    return found


def interned_data(data: Data, packets: Packets) -> Children:
    """The packets' InternedData; `owner` is the packet."""
    return children(data, packets.spans, (_INTERNED_DATA,))

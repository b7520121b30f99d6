# SPDX-License-Identifier: MIT
"""The wire format against the protobuf library and a slow reading, on any message, whole or damaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.formats.perfetto.text import strings, task_names, texts
from scxval.formats.perfetto.wire import (
    FIXED64,
    LEN,
    VARINT,
    Spans,
    children,
    fields,
    repeated,
)

from .protos import CompactSched, DebugAnnotation, Trace, TrackEvent

# Loops are compiled when first called.
relaxed = settings(deadline=None)
U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
ANNOTATION = st.builds(
    DebugAnnotation,
    name_iid=st.none() | U64,
    bool_value=st.none() | st.booleans(),
    uint_value=st.none() | U64,
    int_value=st.none() | I64,
    double_value=st.none() | st.floats(allow_nan=False),
    string_value=st.none() | st.text(max_size=300),
)
WANTED = (
    ("name_iid", 1, VARINT),
    ("bool_value", 2, VARINT),
    ("uint_value", 3, VARINT),
    ("int_value", 4, VARINT),
    ("double_value", 5, FIXED64),
    ("string_value", 6, LEN),
)


def laid_out(bodies: list[bytes]) -> tuple[np.ndarray, Spans]:
    """Messages one after another with a byte between, which must never be read."""
    data = b"\xff" + b"\xff".join(bodies) + b"\xff"
    ends = np.cumsum([len(body) + 1 for body in bodies], dtype=np.int64)
    starts = ends - np.array([len(body) for body in bodies], dtype=np.int64)
    return np.frombuffer(data, dtype=np.uint8), Spans(starts, ends)


@relaxed
@given(st.lists(ANNOTATION, min_size=1, max_size=20))
def test_singular_fields_as_the_library_reads_them(messages):
    data, spans = laid_out([message.SerializeToString() for message in messages])
    found = fields(data, spans, [(number, wire) for _, number, wire in WANTED])
    assert found.ok.all()
    for row, (name, _, wire) in enumerate(WANTED):
        for i, message in enumerate(messages):
            if not message.HasField(name):
                assert found.length[row, i] == -1
                continue
            bits = found.value[row, i]
            if wire == LEN:
                text = bytes(data[bits : bits + found.length[row, i]])
                assert text.decode() == message.string_value
            elif name == "double_value":
                assert bits.view(np.float64) == message.double_value
            else:
                assert int(bits) % 2**64 == getattr(message, name) % 2**64


@relaxed
@given(st.lists(st.lists(U64, max_size=9), min_size=1, max_size=9), st.booleans())
def test_repeated_numbers_packed_or_not(lists, packed):
    if packed:
        # A writer may begin a packed field anew at any element.
        number, bodies = 1, [packed_in_two(values) for values in lists]
    else:
        number = 3
        bodies = [TrackEvent(category_iids=v, track_uuid=5).SerializeToString() for v in lists]
    data, spans = laid_out(bodies)
    owner, values, bad = repeated(data, spans, number)
    assert not bad.any()
    assert values.view(np.uint64).tolist() == [value for values in lists for value in values]
    assert np.bincount(owner, minlength=len(lists)).tolist() == [len(values) for values in lists]
    assert owner.tolist() == sorted(owner.tolist())


def packed_in_two(values: list[int]) -> bytes:
    parts = (CompactSched(switch_timestamp=values[:3]), CompactSched(switch_timestamp=values[3:]))
    return b"".join(part.SerializeToString() for part in parts)


@relaxed
@given(st.lists(st.lists(U64, max_size=9), min_size=1, max_size=9))
def test_repeated_fixed64(lists):
    bodies = [TrackEvent(flow_ids=values).SerializeToString() for values in lists]
    data, spans = laid_out(bodies)
    owner, values, bad = repeated(data, spans, 47, FIXED64)
    assert not bad.any()
    assert values.view(np.uint64).tolist() == [v for values in lists for v in values]
    assert np.bincount(owner, minlength=len(lists)).tolist() == [len(v) for v in lists]


@relaxed
@given(st.lists(ANNOTATION, max_size=9), st.data())
def test_a_damaged_message_is_read_up_to_its_fault_and_marked(messages, choose):
    event = TrackEvent(debug_annotations=messages, track_uuid=77)
    body = bytearray(event.SerializeToString())
    for _ in range(choose.draw(st.integers(0, 3))):
        body[choose.draw(st.integers(0, len(body) - 1))] = choose.draw(st.integers(0, 255))
    body = bytes(body[: choose.draw(st.integers(0, len(body)))])
    data, spans = laid_out([body])
    expected, whole = slowly(body)
    found = fields(data, spans, ((4, LEN), (11, VARINT)))
    assert bool(found.ok[0]) is whole
    lengths = [value for number, wire, value, _ in expected if (number, wire) == (4, LEN)]
    inner = children(data, spans, (4,))
    assert bool(inner.bad[0]) is not whole
    assert [bytes(data[a:b]) for a, b in zip(inner.spans.start, inner.spans.end, strict=True)] == (
        lengths
    )
    uuids = [value for number, wire, value, _ in expected if (number, wire) == (11, VARINT)]
    assert found.length[1, 0] == (0 if uuids else -1)
    if uuids:
        assert int(found.value[1, 0]) % 2**64 == uuids[-1] % 2**64


def slowly(body: bytes):
    """Fields up to the first fault, and whether there was none, by the rules of the format."""
    at, found = 0, []

    def varint(at):
        value = 0
        for shift in range(0, 70, 7):
            if at >= len(body):
                return None, at
            value |= (body[at] & 0x7F) << shift
            at += 1
            if body[at - 1] < 0x80:
                return value % 2**64, at
        return None, at

    while at < len(body):
        tag, at = varint(at)
        if tag is None or not 0 < tag >> 3 < 2**29:
            return found, False
        wire = tag & 7
        if wire in (VARINT, LEN):
            value, at = varint(at)
            if value is None or (wire == LEN and value > len(body) - at):
                return found, False
            if wire == LEN:
                value, at = body[at : at + value], at + value
        elif wire in (FIXED64, 5):
            size = 8 if wire == FIXED64 else 4
            if len(body) - at < size:
                return found, False
            value, at = body[at : at + size], at + size
        else:
            return found, False
        found.append((tag >> 3, wire, value, at))
    return found, True


def test_a_child_that_is_cut_off_can_be_clipped_to_what_is_there():
    trace = Trace()
    trace.packet.add(timestamp=1)
    trace.packet.add(timestamp=2**40)
    body = trace.SerializeToString()[:-2]
    data, spans = laid_out([body])
    kept = children(data, spans, (1,))
    clipped = children(data, spans, (1,), clip=True)
    assert len(kept.spans) == 1
    assert clipped.cut.tolist() == [False, True]
    assert clipped.spans.end[1] == spans.end[0]
    assert kept.bad[0] and clipped.bad[0]


@relaxed
@given(st.lists(st.binary(max_size=40)))
def test_strings(values):
    data, spans = laid_out(values or [b""])
    values = values or [b""]
    assert strings(data, spans).to_pylist() == values
    codes, known = texts(data, spans)
    cut = [value.partition(b"\0")[0] for value in values]
    assert [known[code] for code in codes] == [v.decode("utf-8", "replace") for v in cut]
    assert len(set(known)) == len(known)
    assert [bytes(row).rstrip(b"\0") for row in task_names(data, spans)] == [v[:15] for v in cut]


@pytest.mark.parametrize("size", [0, 1])
def test_no_messages_and_empty_messages(size):
    data, spans = (
        laid_out([b""] * size)
        if size
        else (np.zeros(0, np.uint8), Spans(*[np.zeros(0, np.int64)] * 2))
    )
    assert fields(data, spans, ((1, VARINT),)).ok.all()
    assert not len(children(data, spans, (1,)).spans)
    assert not len(repeated(data, spans, 1)[1])

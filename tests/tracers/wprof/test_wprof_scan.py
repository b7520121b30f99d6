# SPDX-License-Identifier: MIT
"""The compiled loop over JSON lines: numbers to the nanosecond, words, names, and no way out of its text."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.events.columns import Names
from scxval.tracers.wprof.interning import Interner
from scxval.tracers.wprof.scan import BAD, read_lines
from scxval.tracers.wprof.words import EVENTS, INSERTS, OTHER, STATES, UNKNOWN_WORD, vocabulary

from .reference import text


def line_of(ts: str, **fields: object) -> bytes:
    rest = {"t": "task_exit", "task": {"tid": 1, "pid": 1, "comm": "x"}, "cpu": 0, **fields}
    return f'{{"ts":{ts},{json.dumps(rest)[1:]}'.encode()


def one(line: bytes):
    return read_lines(line, Interner())


@settings(deadline=None)
@given(st.decimals(0, 4 * 10**9, allow_nan=False, places=9))
def test_nine_decimals_are_taken_as_they_stand(value):
    assert one(line_of(f"{value:.9f}")).ns.tolist() == [int(value * 10**9)]


@settings(deadline=None)
@given(
    st.integers(0, 4 * 10**7),
    st.text("0123456789", max_size=14),
    st.sampled_from(["", "e0", "e-3", "E+2"]),
)
def test_other_ways_to_write_a_number_are_rounded(whole, decimals, exponent):
    told = f"{whole}{'.' if decimals else ''}{decimals}{exponent}"
    exact = (Decimal(told) * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    # Digits that do not fit into 63 bits are cut.
    assert abs(one(line_of(told)).ns.item() - int(exact)) <= (len(str(whole) + decimals) > 17)


@pytest.mark.parametrize("ts", ["", "x", ".", "1e", "1e+", "-1", "1e400", "1" * 30, "null", '"1"'])
def test_what_is_no_time_makes_a_bad_line(ts):
    assert one(line_of(ts)).kind.tolist() == [BAD]


@pytest.mark.parametrize("value", [0, 77, (1 << 64) - 1, -1, -(1 << 63), -4611686018427387903])
def test_dispatch_queue_ids_keep_their_64_bits(value):
    line = line_of("1.5", t="scx_dsq", insert_type="dsq_insert", dsq_id=value)
    assert one(line).dsq.tolist() == [value % (1 << 64)]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda name: "\0" not in name))
def test_names_are_cut_and_unescaped(name):
    interner, names = Interner(), Names()
    raw = json.dumps({"pid": 7, "tid": 7, "comm": name}, ensure_ascii=False).encode(
        "utf-8", "replace"
    )
    line = b'{"ts":1.0,"t":"task_exit","cpu":0,"task":' + raw + b"}"
    found = read_lines(line, interner)
    cut = json.loads(raw)["comm"].encode()[:15].decode("utf-8", "replace")
    assert [names.list[c] for c in interner.codes(names)[found.comm[0]]] == [cut]


def test_words():
    for number, name in enumerate(EVENTS):
        assert one(b'{"ts":1.0,"t":"%s"}' % name.encode()).kind.tolist() == [BAD]
        assert number == EVENTS.index(name)
    for name in ("softirq", "switchy", "s", "", "wakeup_old"):
        assert one(b'{"ts":1.0,"t":"%s"}' % name.encode()).kind.tolist() == [OTHER]
    for states, key in ((STATES, "prev_state"), (INSERTS, "insert_type")):
        for number, name in enumerate((*states, "no-such-word")):
            found = one(line_of("1.0", t="scx_dsq", dsq_id=1, **{key: name, "insert_type": name}))
            told = found.state if key == "prev_state" else found.insert
            expected = number if number < len(states) else UNKNOWN_WORD
            assert key == "prev_state" or told.tolist() == [expected]


def test_words_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="cannot be told apart"):
        vocabulary(["abcde", "axcye"])


def test_many_names_keep_their_numbers():
    interner, names = Interner(), Names()
    for piece in range(4):
        tasks = [f"task-{n}" for n in range(900 * piece, 900 * piece + 3000)]
        lines = [
            b'{"ts":1.0,"t":"task_exit","cpu":0,"task":{"tid":1,"pid":1,"comm":"%s"}}' % t.encode()
            for t in tasks
        ]
        found = read_lines(b"\n".join(lines), interner)
        codes = interner.codes(names)[found.comm[0]]
        assert [names.list[code] for code in codes] == tasks


LINES = text("wprof-legacykf").split(b"\n")[1:400]


@settings(max_examples=400, deadline=None)
@given(
    line=st.sampled_from(LINES),
    cut=st.integers(0, 600),
    place=st.integers(0, 600),
    byte=st.integers(0, 255),
)
def test_no_line_leads_out_of_the_text(line, cut, place, byte):
    damaged = bytearray(line[:cut] or line)
    if place < len(damaged):
        damaged[place] = byte
    found = one(bytes(damaged))
    # A line that was changed to a newline is two.
    assert len(found.kind) <= damaged.count(10) + 1
    good = found.kind >= 0
    assert (found.ns[good] >= 0).all()
    assert ((found.cpu[good] >= 0) & (found.cpu[good] < 1 << 15)).all()
    assert (found.tid < 1 << 31).all()


@pytest.mark.parametrize("key", ["pid", "comm", "t", "ts", "prev", "cpu", "dur", "waking_ts", ""])
def test_a_line_that_ends_in_a_key_is_bad(key):
    for line in (f'{{"{key}":', f'{{"{key}":}}', f'{{"ts":1.0,"{key}":  }}', f'{{"{key}"}}'):
        assert one(line.encode()).kind.tolist() == [BAD]


def test_no_text_has_no_lines():
    assert len(one(b"").kind) == 0
    assert np.array_equal(one(b"\n\n").kind, [BAD, BAD])

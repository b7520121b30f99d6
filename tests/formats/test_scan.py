# SPDX-License-Identifier: MIT
"""The byte scanner against Python's own int()."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.formats.scan import PAD, Scan

U64 = st.integers(min_value=0, max_value=2**64 - 1)
TOKEN = st.one_of(
    U64.map(str),
    U64.map("{:x}".format),
    st.integers(min_value=-(2**33), max_value=2**33).map(str),
    st.text(alphabet="0123456789abcdefAFgG-+/:@`{ .", max_size=22),
    st.binary(max_size=22).map(lambda b: b.replace(b"\n", b"").decode("latin-1")),
)


def spans(tokens):
    data = "\n".join(tokens).encode("latin-1") + b"\n"
    size = np.array([len(token) for token in tokens])
    start = PAD + np.cumsum(size + 1) - size - 1
    return Scan(data), start, start + size


def check(found, tokens, pattern, base, low, high):
    values, ok = found
    for token, value, good in zip(tokens, values.tolist(), ok.tolist(), strict=True):
        wanted = re.fullmatch(pattern, token, re.ASCII) and low <= int(token, base) <= high
        assert good == bool(wanted), token
        if good:
            assert value == int(token, base)


@settings(deadline=None)
@given(st.lists(TOKEN, min_size=1, max_size=30))
def test_numbers(tokens):
    scan, start, end = spans(tokens)
    check(scan.decimal(start, end), tokens, "[0-9]{1,20}", 10, 0, 2**64 - 1)
    check(scan.hexadecimal(start, end), tokens, "[0-9a-fA-F]{1,16}", 16, 0, 2**64 - 1)
    check(scan.signed(start, end), tokens, "-?[0-9]{1,20}", 10, -(2**31), 2**31 - 1)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_lines_are_those_of_split(data):
    lines = Scan(data).lines()
    parts = data.split(b"\n")
    expected = parts[:-1] if parts[-1] == b"" else parts
    found = [data[a - PAD : b - PAD] for a, b in zip(lines.start, lines.end, strict=True)]
    assert found == expected
    for start, end, first in zip(lines.start, lines.end, lines.first_space, strict=True):
        space = data.find(b" ", start - PAD, end - PAD)
        assert (lines.spaces[first] < end) == (space >= 0)
        if space >= 0:
            assert lines.spaces[first] == space + PAD


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=20), st.data())
def test_holds_and_sixteen(data, literal, draw):
    if draw.draw(st.booleans()):
        literal = data[: len(literal)]
    places = np.arange(len(data)) + PAD
    scan = Scan(data)
    padded = data + b"\0" * 32
    expected = [padded[n : n + len(literal)] == literal for n in range(len(data))]
    assert scan.holds(places, literal).tolist() == expected
    sizes = np.array([draw.draw(st.integers(0, 16)) for _ in range(len(data))])
    rows = scan.sixteen(places, sizes)
    for n, size in enumerate(sizes.tolist()):
        assert rows[n].tobytes() == padded[n : n + size].ljust(16, b"\0")

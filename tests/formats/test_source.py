# SPDX-License-Identifier: MIT
"""Plain and gzip files by content: whole, in several members, cut at every place, damaged."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.formats.source import CUT_NOTE, Blocks, Source, read_head, read_source

TEXT = b"".join(b"%d line\n" % n for n in range(3000))
MEMBER = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize(
    ("stored", "held"),
    [
        (b"", b""),
        (TEXT, TEXT),
        (MEMBER, TEXT),
        (MEMBER + MEMBER, TEXT + TEXT),
        (MEMBER + b"\0" * 512, TEXT),
        (gzip.compress(b"", mtime=0), b""),
        (gzip.compress(b"", mtime=0) + MEMBER, TEXT),
        (gzip.compress(b"1\n", mtime=0) + MEMBER, b"1\n" + TEXT),
        (b"\x1f\x8b", b"\x1f\x8b"),
    ],
)
def test_whole(tmp_path, name, stored, held):
    path = tmp_path / name
    path.write_bytes(stored)
    assert read_source(path) == Source(held)
    assert read_head(path, 4096) == held[:4096]


@settings(max_examples=200, deadline=None)
@given(size=st.integers(10, len(MEMBER) - 1))
def test_cut_keeps_what_came_before(tmp_path_factory, size):
    path = tmp_path_factory.getbasetemp() / "cut"
    path.write_bytes(MEMBER[:size])
    source = read_source(path)
    assert source.note == CUT_NOTE
    assert TEXT.startswith(source.data)
    assert read_head(path, 4096) == source.data[:4096]


@settings(max_examples=200, deadline=None)
@given(size=st.integers(10, 2 * len(MEMBER)), block=st.integers(3, 300), plain=st.booleans())
def test_blocks_of_any_size_are_the_whole(tmp_path_factory, size, block, plain):
    path = tmp_path_factory.getbasetemp() / "blocks"
    path.write_bytes(TEXT[:size] if plain else (MEMBER + MEMBER)[:size])
    blocks = Blocks(path, block)
    parts = list(blocks)
    assert all(0 < len(part) <= block for part in parts)
    assert Source(b"".join(parts), blocks.note) == read_source(path)


def test_a_cut_near_the_end_loses_little(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(MEMBER[:-9])
    assert len(read_source(path).data) > len(TEXT) - 300


def test_a_damaged_beginning_is_refused(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(MEMBER[:12] + b"\xff" * 100)
    with pytest.raises(ScxvalError, match=r"x: damaged gzip file"):
        read_head(path, 4096)


@pytest.mark.parametrize("place", [len(MEMBER) // 2, -6, -2])
def test_damaged_is_refused(tmp_path, place):
    stored = bytearray(MEMBER)
    stored[place] ^= 0x55
    path = tmp_path / "x"
    path.write_bytes(stored)
    with pytest.raises(ScxvalError, match=r"x: damaged gzip file"):
        read_source(path)


def test_unreadable(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        for read in (read_source, lambda path: read_head(path, 10)):
            with pytest.raises(ScxvalError, match="cannot read trace"):
                read(path)

# SPDX-License-Identifier: MIT
"""Where two files differ is where a reader finds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.published.same import differences, where_unlike


@pytest.mark.parametrize(
    ("published", "made", "words"),
    [
        (b"a\nb,1\n", b"a\nb,2\n", "line 2, column 3: published 'b,1', made 'b,2'"),
        (b"a\n", b"a\nb\n", "line 2, column 1: published '', made 'b'"),
        (b"a", b"a\n", "line 2: only made has it"),
        (b"a\nb", b"a", "line 2: only published has it"),
        (b"", b"x", "line 1, column 1: published '', made 'x'"),
        (b"a\r\n", b"a\n", "line 1, column 2: published 'a\\r', made 'a'"),
        (b"\xff", b"\xfe", "line 1, column 1: published '\ufffd', made '\ufffd'"),
        (b"x" * 500 + b"1", b"x" * 500 + b"2", "line 1, column 501: published 'xxxxxxxxxxxxxxxxxxxx1'"),
    ],
)  # fmt: skip
def test_the_first_place(published: bytes, made: bytes, words: str) -> None:
    assert where_unlike(published, made).startswith(words)


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_nothing_is_said_of_equal_bytes_alone(a: bytes, b: bytes) -> None:
    assert (where_unlike(a, b) == "") == (a == b)
    assert where_unlike(a, a) == ""


def test_files_of_one_side_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    a, b = tmp_path / "a", tmp_path / "b"
    found = differences({"one": a, "same": a, "two": a}, {"same": a, "three": b, "two": b})
    assert [(d.name, d.what.split(":")[0]) for d in found] == [
        ("one", "is published and was not made again"),
        ("three", "was made and is not published"),
        ("two", "line 1, column 1"),
    ]

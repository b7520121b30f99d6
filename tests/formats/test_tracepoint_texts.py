# SPDX-License-Identifier: MIT
"""Task names in place and elsewhere in a record, against struct."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from scxval.errors import ScxvalError
from scxval.formats.tracepoint import Field, parse_tracepoint, places, texts

FIXED = Field("comm", 8, 16, False, True)
DATA_LOC = Field("comm", 8, 4, False, False, "data_loc")
REL_LOC = Field("comm", 8, 4, False, False, "rel_loc")


FORMAT = """name: sched_migrate_task
ID: 309
format:
	field:__data_loc char[] comm;	offset:8;	size:4;	signed:0;
"""


def test_a_format_says_that_a_name_is_elsewhere() -> None:
    assert parse_tracepoint(FORMAT).fields["comm"] == DATA_LOC


def decoded(found: np.ndarray) -> list[bytes]:
    return [bytes(row).rstrip(b"\0") for row in found]


def record(name: bytes, at: int, base: int) -> bytes:
    """A record of 8 bytes of common fields, a location, and the string `at` bytes from the start."""
    size = len(name) + 1
    location = size << 16 | (at - base)
    body = bytes(8) + struct.pack("<I", location)
    return body.ljust(at, b"\xaa") + name + b"\0"


@pytest.mark.parametrize(("field", "base"), [(DATA_LOC, 0), (REL_LOC, 12)])
def test_names_elsewhere(field: Field, base: int) -> None:
    names = [b"", b"a", b"kworker/u16:1-e", b"a name of more than sixteen bytes"]
    data, start = b"\x55" * 3, []
    for number, name in enumerate(names):
        start.append(len(data))
        data += record(name, 12 + number, base)
    array = np.frombuffer(data, np.uint8)
    begins = np.array(start)
    assert decoded(texts(array, begins, field)) == [name[:16] for name in names]
    where, size = places(array, begins, field)
    assert [data[a : a + n] for a, n in zip(where, size, strict=True)] == [n + b"\0" for n in names]


def test_a_location_beyond_the_data_gives_no_byte_of_it() -> None:
    data = np.frombuffer(bytes(8) + struct.pack("<I", 0xFFFF_FFFF) + b"tail", np.uint8)
    assert decoded(texts(data, np.array([0]), DATA_LOC)) == [b""]


def test_names_in_place_end_at_their_zero() -> None:
    data = np.frombuffer(bytes(8) + b"perf\0garbage\0\0\0\0", np.uint8)
    assert decoded(texts(data, np.array([0]), FIXED)) == [b"perf"]
    assert texts(data, np.zeros(0, dtype=np.int64), FIXED).shape == (0, 16)


def test_a_field_that_is_no_name_is_refused() -> None:
    with pytest.raises(ScxvalError, match="no task name"):
        texts(np.zeros(64, np.uint8), np.array([0]), Field("comm", 8, 8, False, True))

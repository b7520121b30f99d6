# SPDX-License-Identifier: MIT
"""Ring-buffer pages against a slow reading by the kernel's rules, made-up pages and real ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.formats.ringbuffer import PageLayout, PageRecords, parse_layout, read_pages
from scxval.formats.source import read_source
from scxval.tracers.ftrace.archive import read_archive

from .. import ring
from ..captures import FIXTURES
from ..ring import Event, Page

LAYOUT = PageLayout(4096, 8)
HEADER_PAGE = """\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: char overwrite;\toffset:8;\tsize:1;\tsigned:0;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""
HEADER_EVENT = """# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
"""


def read(data: bytes, layout: PageLayout = LAYOUT) -> PageRecords:
    return read_pages(np.frombuffer(data, dtype=np.uint8), layout)


def as_tuples(data: bytes, found: PageRecords) -> list[tuple[int, int, bytes]]:
    return [
        (time, start, data[start : start + size])
        for time, start, size in zip(
            found.time_ns.tolist(), found.start.tolist(), found.size.tolist(), strict=True
        )
    ]


def expected(data: bytes, size: int = 4096) -> list[tuple[int, int, bytes]]:
    return [(record.time_ns, record.at, record.data) for record in ring.read(data, size)]


def test_layout_of_linux_7_2():
    assert parse_layout(HEADER_PAGE, HEADER_EVENT) == LAYOUT


def test_layout_of_larger_pages_and_of_32_bits():
    big = HEADER_PAGE.replace("size:4080", "size:65520")
    assert parse_layout(big, HEADER_EVENT) == PageLayout(65536, 8)
    short = HEADER_PAGE.replace("commit;\toffset:8;\tsize:8", "commit;\toffset:8;\tsize:4")
    short = short.replace("offset:16;\tsize:4080", "offset:12;\tsize:4084")
    assert parse_layout(short, HEADER_EVENT) == PageLayout(4096, 4)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("5 bits", "6 bits", "type_len"),
        ("type == 30", "type == 28", "time_extend"),
        ("== 28", "== 27", "data"),
        ("timestamp;\toffset:0", "timestamp;\toffset:8", "header_page"),
        ("commit;\toffset:8;\tsize:8", "commit;\toffset:8;\tsize:2", "header_page"),
        ("size:4080", "size:4079", "4095 bytes"),
        ("char data", "char dota", "header_page"),
    ],
)
def test_another_layout_is_refused(old, new, says):
    with pytest.raises(ScxvalError, match=says):
        parse_layout(HEADER_PAGE.replace(old, new), HEADER_EVENT.replace(old, new))


STEPS = st.integers(0, (1 << 27) - 1)
DATA = st.binary(min_size=8, max_size=140)
EVENTS = st.one_of(
    st.builds(Event, st.just("data"), STEPS, DATA),
    st.builds(Event, st.just("padding"), st.integers(1, (1 << 27) - 1), DATA),
    st.builds(Event, st.just("extend"), st.integers(0, 1 << 40)),
    st.builds(Event, st.just("stamp"), st.integers(1 << 50, 1 << 51)),
)
PAGES = st.builds(Page, st.integers(0, 1 << 58), st.lists(EVENTS, max_size=25))


@settings(max_examples=150, deadline=None)
@given(st.lists(PAGES, max_size=4))
def test_any_pages_read_as_the_rules_say(pages):
    data = b"".join(page.encode() for page in pages)
    found = read(data)
    assert as_tuples(data, found) == expected(data)
    assert not found.faults
    assert not found.cut


@settings(max_examples=40, deadline=None)
@given(PAGES, st.sampled_from([8192, 65536]))
def test_sub_buffers_of_more_than_a_page(page, size):
    data = page.encode(size) + page.encode(size)
    assert as_tuples(data, read(data, PageLayout(size, 8))) == expected(data, size)


def test_real_pages_read_as_the_rules_say():
    source = read_source(FIXTURES / "ftrace/ftrace.tar.gz")
    archive = read_archive(io.BytesIO(source.data))
    for at, size in archive.pages.values():
        data = source.data[at : at + size]
        found = read(data)
        assert len(found.start) > 100
        assert as_tuples(data, found) == expected(data)


def test_the_top_five_bits_of_an_absolute_time_are_those_before_it():
    # 0x58... ns: bits 59 to 62 are set in the page's own time.
    base = 0x5800000000000000
    page = Page(base + 5, [Event("stamp", 7), Event("data", 1, b"12345678")])
    assert read(page.encode()).time_ns.tolist() == [base + 8]
    # The 59 bits ran over between the page's time and the stamp.
    late = Page(base + (1 << 59) - 1, [Event("stamp", 3), Event("data", 0, b"12345678")])
    assert read(late.encode()).time_ns.tolist() == [base + (1 << 59) + 3]


MISSED, STORED = 1 << 31, 1 << 30


def test_missed_events_are_counted():
    page = Page(1000, [Event("data", 5, b"12345678")])
    data = (
        page.encode(flags=MISSED | STORED, missed=41)
        + page.encode()
        + page.encode(flags=MISSED)
        + page.encode(flags=MISSED | STORED, missed=1)
        # No number of events: damage.
        + page.encode(flags=MISSED | STORED, missed=1 << 50)
    )
    found = read(data)
    assert (found.missed, found.gaps, found.unknown_gaps) == (42, 4, 2)
    assert len(found.start) == 5


def test_a_number_of_missed_events_beyond_the_page_is_not_read():
    full = Page(0, [Event("data", 0, bytes(100))] * 39 + [Event("data", 0, bytes(20))])
    data = full.encode(flags=MISSED | STORED)
    assert len(data) == 4096
    found = read(data + full.encode())
    assert (found.missed, found.unknown_gaps) == (0, 1)


def test_a_page_that_lies_is_read_up_to_the_lie():
    good = Page(0, [Event("data", 1, b"12345678")] * 3).encode()
    cases = {
        "longer than a page": good[:8] + struct.pack("<Q", 5000) + good[16:],
        "impossible length": good[:40] + struct.pack("<II", 0, 3) + good[48:],
        "reaches beyond": good[:40] + struct.pack("<I", 28) + good[44:],
        "beyond 2^63": struct.pack("<Q", 1 << 63) + good[8:],
    }
    for says, page in cases.items():
        found = read(page + good)
        assert says in found.faults[0], says
        assert found.bad_pages == 1, says
        # The next page is read again.
        assert found.start.tolist()[-3:] == [4096 + 20, 4096 + 32, 4096 + 44]
    counts = {says: len(read(page).start) for says, page in cases.items()}
    assert counts == {
        "longer than a page": 0,
        "impossible length": 2,
        "reaches beyond": 2,
        "beyond 2^63": 0,
    }


def test_a_cut_page_gives_what_is_there():
    page = Page(7, [Event("data", 1, bytes([n] * 8)) for n in range(10)]).encode()
    for size in range(0, 16 + 10 * 12 + 1):
        found = read(page + page[:size])
        assert found.cut == (size > 0)
        assert len(found.start) == 10 + max(0, size - 16) // 12

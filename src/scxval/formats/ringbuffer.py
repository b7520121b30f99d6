# SPDX-License-Identifier: MIT
"""Reads pages of the kernel's ftrace ring buffer: where each record lies, and when it was made.

The pages are what per_cpu/cpuN/trace_pipe_raw gives, and what trace.dat holds. Layout and rules are
those of kernel/trace/ring_buffer.c and include/linux/ring_buffer.h (7.2); the kernel describes them
itself in events/header_page and events/header_event, which are read and must agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from scxval.errors import ScxvalError
from scxval.formats.compiled import compiled

_PAGE_FIELD = re.compile(r"field:\s*[^;]*?(\w+);\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:[01];)?")
_EVENT_LINES = {
    "type_len": r"type_len\s*:\s*5 bits",
    "time_delta": r"time_delta\s*:\s*27 bits",
    "array": r"array\s*:\s*32 bits",
    "padding": r"padding\s*:\s*type == 29",
    "time_extend": r"time_extend\s*:\s*type == 30",
    "data": r"data max type_len\s*==\s*28",
}
# Sub-buffers of more than a page exist since 6.8 (buffer_subbuf_size_kb).
_MAX_PAGE_BYTES = 1 << 26

Words = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
Sizes = npt.NDArray[np.int32]

# What a page can have wrong; the number is the code that `_walk` returns.
FAULTS = (
    "",
    "says that it is longer than a page",
    "has a record that reaches beyond its end",
    "has a record of an impossible length",
    "has a time beyond 2^63 ns",
)


@dataclass(frozen=True)
class PageLayout:
    """A page: u64 time at 0, a commit word of `commit_bytes` (a kernel long) at 8, data from there on."""

    page_bytes: int
    commit_bytes: int


@dataclass(frozen=True)
class PageRecords:
    """The data records of one CPU's pages, in the order of the pages.

    `start` is the place of each in the bytes given and `size` its length, both without the ring
    buffer's own header. `missed` is what pages say was overwritten or dropped before them; `gaps`
    counts pages that say so, among them `unknown_gaps` without a number. `faults` tells of pages that
    could not be read to their end, at most five; `bad_pages` counts them. `cut` is set when the last
    page is not whole.
    """

    start: Ints
    size: Sizes
    time_ns: Ints
    missed: int
    gaps: int
    unknown_gaps: int
    bad_pages: int
    faults: list[str]
    cut: bool


def parse_layout(header_page: str, header_event: str) -> PageLayout:
    """The layout by the kernel's two descriptions. Raises ScxvalError for one that is not known here."""
    for name, pattern in _EVENT_LINES.items():
        if re.search(pattern, header_event) is None:
            raise ScxvalError(
                f"header_event: {name} is not as in any known kernel; the ring buffer cannot be read"
            )
    found = {
        match[1]: (int(match[2]), int(match[3])) for match in _PAGE_FIELD.finditer(header_page)
    }
    commit, data = found.get("commit"), found.get("data")
    if (
        found.get("timestamp") != (0, 8)
        or commit not in ((8, 8), (8, 4))
        or data is None
        or data[0] != 8 + commit[1]
    ):
        raise ScxvalError(f"header_page: no page of a known kernel: {header_page[:60]!r}")
    page_bytes = data[0] + data[1]
    if page_bytes % 8 or not 64 <= page_bytes <= _MAX_PAGE_BYTES:
        raise ScxvalError(f"header_page: pages of {page_bytes} bytes; expected 64 to 2^26")
    return PageLayout(page_bytes, commit[1])


def read_pages(data: npt.NDArray[np.uint8], layout: PageLayout, first_page: int = 0) -> PageRecords:
    """Read one CPU's pages, one after another; a last page that is cut off is read as far as it goes.

    A page that lies about a length is read up to there, and counted. `first_page` is how many pages
    of the CPU came before these, for what is told of faults.
    """
    pages = -(-len(data) // layout.page_bytes)
    words = data[: len(data) & ~3].view("<u4")
    tally = np.zeros(len(_TALLY), dtype=np.int64)
    faults = np.zeros((pages, 2), dtype=np.int32)
    none = np.zeros(0, dtype=np.int64)
    sizes = (layout.page_bytes >> 2, layout.commit_bytes >> 2)
    count = _walk(words, *sizes, none, none.astype(np.int32), none, tally, faults)
    tally[:] = 0
    start = np.empty(count, dtype=np.int64)
    size = np.empty(count, dtype=np.int32)
    time_ns = np.empty(count, dtype=np.int64)
    _walk(words, *sizes, start, size, time_ns, tally, faults)
    bad = np.flatnonzero(faults[:, 0])
    cut = len(data) % layout.page_bytes != 0
    told = [
        f"page {first_page + page} {FAULTS[faults[page, 0]]}, {faults[page, 1]} bytes into its data"
        for page in bad[:5].tolist()
    ]
    counts = dict(zip(_TALLY, tally.tolist(), strict=True))
    return PageRecords(start, size, time_ns, bad_pages=len(bad), faults=told, cut=cut, **counts)


_TALLY = ("missed", "gaps", "unknown_gaps")

_MISSED_EVENTS = 1 << 31
_MISSED_STORED = 1 << 30
_COMMIT_MASK = _MISSED_STORED - 1
_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
_TIME_BITS = 27
# A number of lost events above this is none.
_MAX_MISSED = 1 << 40
# An absolute time has 59 bits; the five above are those of the time before it (rb_fix_abs_ts).
_TOP = -(1 << 59)
_STEP = 1 << 59


def _walk_pages(
    words: Words,
    page_words: int,
    commit_words: int,
    start: Ints,
    size: Sizes,
    time_ns: Ints,
    tally: Ints,
    faults: Sizes,
) -> int:
    """Count the records of all pages; write them out too when `start` has room for them."""
    count = 0
    for page in range(len(faults)):
        head = page * page_words
        first = head + 2 + commit_words
        if first > len(words):
            break
        time: Any = np.int64(words[head]) | np.int64(words[head + 1]) << 32
        commit = np.int64(words[head + 2])
        used = commit & _COMMIT_MASK
        fault = 0
        end: Any = first + (used >> 2)
        if used > (page_words - 2 - commit_words) * 4:
            fault, end = 1, first
        if time < 0:
            fault, end = 4, first
        if commit & _MISSED_EVENTS and end > first:
            tally[1] += 1
            number = np.int64(0)
            # The number follows the data where there is room for it.
            if commit & _MISSED_STORED and end + commit_words <= min(head + page_words, len(words)):
                number = np.int64(words[end])
                if commit_words == 2:
                    number |= np.int64(words[end + 1]) << 32
            if 0 < number < _MAX_MISSED:
                tally[0] += number
            else:
                tally[2] += 1
        end = min(end, len(words))
        at: Any = first
        while at < end:
            kind = np.int64(words[at]) & 31
            delta = np.int64(words[at]) >> 5
            if kind == _PADDING and delta == 0:
                break
            body: Any = at + 1
            length: Any = kind
            if kind == 0 or kind > 28:
                if at + 1 >= end:
                    fault = 2
                    break
                array = np.int64(words[at + 1])
                if kind in (_TIME_EXTEND, _TIME_STAMP):
                    wide = (array << _TIME_BITS) + delta
                    if kind == _TIME_STAMP:
                        if time & _TOP:
                            wide |= time & _TOP
                            if wide < time:
                                wide += _STEP
                        time = wide
                    else:
                        time += wide
                    at += 2
                    continue
                if kind == _PADDING:
                    # The delta of a discarded record counts, but 1 stands for none (check_buffer).
                    if delta != 1:
                        time += delta
                    if array < 4:
                        fault = 3
                        break
                    at += 1 + ((array + 3) >> 2)
                    continue
                if array < 8:
                    fault = 3
                    break
                body = at + 2
                # It counts itself, and what follows begins at a multiple of four.
                length = (array - 1) >> 2
            if body + length > end:
                fault = 2
                break
            time += delta
            if time < 0:
                fault = 4
                break
            if len(start):
                start[count] = body * 4
                size[count] = length * 4
                time_ns[count] = time
            count += 1
            at = body + length
        if fault:
            faults[page, 0] = fault
            faults[page, 1] = (at - first) * 4
    return count


_walk = cast("Callable[..., int]", compiled(_walk_pages))

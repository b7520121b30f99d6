# SPDX-License-Identifier: MIT
"""Reads many lines of wprof's JSON at once: a compiled loop over bytes, no Python object a line.

It knows JSON as far as one object a line with task objects in it; every other value is skipped by
its brackets and quotes. A line that is anything else is BAD, and nothing of it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled
from scxval.tracers.wprof.interning import Interner, number_of, two_words
from scxval.tracers.wprof.json_text import (
    CLOSE,
    COLON,
    COMMA,
    NAME_BYTES,
    OPEN,
    QUOTE,
    SPACE,
    WORD_BYTES,
    Array,
    after_spaces,
    after_value,
    copy_name,
    integer,
    natural,
    seconds,
    short_name,
    string_end,
    where_zero,
)
from scxval.tracers.wprof.words import (
    EVENT_OF,
    INSERT_OF,
    KEY_CHILD,
    KEY_COMM,
    KEY_CPU,
    KEY_DSQ,
    KEY_INSERT,
    KEY_NEXT,
    KEY_OF,
    KEY_PID,
    KEY_PREV,
    KEY_START,
    KEY_STATE,
    KEY_T,
    KEY_TASK,
    KEY_TID,
    KEY_TS,
    KEY_WAKEE,
    KEY_WAKER,
    OTHER,
    SHORT_BYTES,
    SHORT_KEY,
    SHORT_MASK,
    SHORT_NUMBER,
    STATE_OF,
    word_at,
)

# A line that cannot be read; other kinds are places in EVENTS, or OTHER.
BAD = -2
NONE = -1
# Task objects of a line: who is left or acts, who comes or is acted on, who woke.
FIRST, SECOND, WAKER = 0, 1, 2

_SWITCH, _WAKING, _WAKEUP_NEW, _FORK, _SCX_DSQ = range(5)
_HAS_TS, _HAS_CPU, _HAS_FIRST, _HAS_SECOND, _HAS_WAKER, _HAS_STATE, _HAS_INSERT, _HAS_DSQ = (
    1 << bit for bit in range(8)
)
# What a line is read into: a number each, three for the tasks'.
_NS, _START, _CPU, _STATE, _INSERT, _DSQ, _TID, _PID, _COMM = (*range(6), 6, 9, 12)
_FIELDS = 15

_MAX_CPU = np.iinfo(np.int16).max
_MAX_TID = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Lines:
    """What the lines of a piece of text say, one element a line.

    `kind` is a place in EVENTS, OTHER or BAD; times are nanoseconds from the session's start, NONE where
    there is none. `tid`, `pid` are of the three task objects (NONE: not there or unresolved), `comm` of
    the first two: the interner's numbers, NONE without a name. `state` and `insert` are places in
    STATES and INSERTS.
    """

    kind: npt.NDArray[np.int8]
    ns: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.int64]
    cpu: npt.NDArray[np.int64]
    tid: npt.NDArray[np.int64]
    pid: npt.NDArray[np.int64]
    comm: npt.NDArray[np.int64]
    state: npt.NDArray[np.int64]
    insert: npt.NDArray[np.int64]
    dsq: npt.NDArray[np.uint64]
    begin: npt.NDArray[np.int64]


def read_lines(text: bytes, interner: Interner) -> Lines:
    """Read whole lines (the last may lack its newline); their tasks' names are numbered by `interner`."""
    padded = np.frombuffer(text + bytes(2 * WORD_BYTES), dtype=np.uint8)
    data = padded[: len(text)]
    # One word for every byte position: the reads overlap.
    ahead = np.ndarray((len(text) + WORD_BYTES,), "<u8", buffer=padded, strides=(1,))
    end = np.flatnonzero(data == 10)
    if len(data) and data[-1] != 10:
        end = np.append(end, len(data))
    count = len(end)
    begin = np.zeros(count, dtype=np.int64)
    begin[1:] = end[:-1] + 1
    out = np.full((count, _FIELDS), NONE, dtype=np.int64)
    kind = np.empty(count, dtype=np.int8)
    interner.make_room(2 * count)
    table = (interner.keys, interner.slots, interner.count)
    _read_lines(data, ahead, begin, end, kind, out, *table)
    columns = out.T
    return Lines(
        kind=kind,
        ns=columns[_NS],
        start_ns=columns[_START],
        cpu=columns[_CPU],
        tid=columns[_TID : _TID + 3],
        pid=columns[_PID : _PID + 3],
        comm=columns[_COMM : _COMM + 3],
        state=columns[_STATE],
        insert=columns[_INSERT],
        dsq=out.view(np.uint64).T[_DSQ],
        begin=begin,
    )


@compiled
def _task(
    data: Array,
    ahead: Array,
    at: int,
    end: int,
    slot: int,
    row: int,
    out: Array,
    keys: Array,
    slots: Array,
    count: Array,
) -> int:
    """Read a task object; the place after it, or -1. Idle has no tid and pid 0: tid 0 here.

    A task that wprof could not resolve has a tid, pid 0 and a made-up name: only its tid is kept.
    """
    if at >= end or data[at] != OPEN:
        return -1
    at += 1
    tid = NONE
    pid = NONE
    first, second = np.uint64(0), np.uint64(0)
    while True:
        at, key = _key(data, ahead, at, end)
        if at < 0:
            return -1
        if key == KEY_TID:
            tid, at = natural(data, at, end, _MAX_TID)
        elif key == KEY_PID:
            pid, at = natural(data, at, end, _MAX_TID)
        elif key == KEY_COMM and data[at] == QUOTE:
            begin, at = at, string_end(data, ahead, at, end) + 1
            if at <= 0:
                return -1
            plain, first, second = short_name(ahead, begin + 1, at - begin - 2)
            if not plain:
                scratch = np.zeros(NAME_BYTES, dtype=np.uint8)
                if copy_name(data, ahead, begin, end, scratch) < 0:
                    return -1
                first, second = two_words(scratch)
        else:
            at = after_value(data, ahead, at, end)
        if at <= 0:
            return -1
        at = after_spaces(data, at, end)
        if at >= end:
            return -1
        if data[at] == CLOSE:
            break
        if data[at] != COMMA:
            return -1
        at += 1
    if pid == NONE:
        return -1
    if tid == NONE:
        if pid != 0:
            return -1
        tid = 0
    elif pid == 0 and tid != 0:
        pid = NONE
        first = np.uint64(0)
    out[row, _COMM + slot] = NONE
    if slot < WAKER:
        out[row, _COMM + slot] = number_of(first, second, keys, slots, count)
    out[row, _TID + slot] = tid
    out[row, _PID + slot] = pid
    return at + 1


@compiled
def _key(data: Array, ahead: Array, at: int, end: int) -> tuple[int, int]:
    """The place of the value after the key at `at`, and the key's number; -1, -1 when there is none."""
    for short in range(len(SHORT_KEY)):
        if ahead[at] & SHORT_MASK[short] == SHORT_KEY[short]:
            at = after_spaces(data, at + SHORT_BYTES[short], end)
            return (at, SHORT_NUMBER[short]) if at < end else (-1, -1)
    at = after_spaces(data, at, end)
    if at >= end or data[at] != QUOTE:
        return -1, -1
    last = string_end(data, ahead, at, end)
    if last < 0:
        return -1, -1
    number = KEY_OF[word_at(data, at + 1, last - at - 1)]
    at = after_spaces(data, last + 1, end)
    if at >= end or data[at] != COLON:
        return -1, -1
    at = after_spaces(data, at + 1, end)
    if at >= end:
        return -1, -1
    return at, number


@compiled
def _word(data: Array, ahead: Array, at: int, end: int) -> tuple[int, int]:
    """The number of the word that a string is (-1: none), and the place after it, or -1."""
    if data[at] != QUOTE:
        return -1, -1
    last = string_end(data, ahead, at, end)
    if last < 0:
        return -1, -1
    return word_at(data, at + 1, last - at - 1), last + 1


@compiled
def _needed(kind: int) -> int:
    """The fields without which a line of this kind says nothing."""
    if kind == _SWITCH:
        return _HAS_TS | _HAS_CPU | _HAS_FIRST | _HAS_SECOND | _HAS_STATE
    if kind in (_WAKING, _WAKEUP_NEW):
        return _HAS_TS | _HAS_CPU | _HAS_SECOND | _HAS_WAKER
    if kind == _FORK:
        return _HAS_TS | _HAS_CPU | _HAS_FIRST | _HAS_SECOND
    if kind == _SCX_DSQ:
        return _HAS_TS | _HAS_CPU | _HAS_FIRST | _HAS_INSERT | _HAS_DSQ
    if kind == OTHER:
        return _HAS_TS
    return _HAS_TS | _HAS_CPU | _HAS_FIRST


@compiled
def _line(
    data: Array,
    ahead: Array,
    at: int,
    end: int,
    row: int,
    out: Array,
    keys: Array,
    slots: Array,
    count: Array,
) -> int:
    """Read one line into `row` of the arrays; its kind. What follows the last field that its kind needs is
    only looked at for another record, which would else be lost unseen."""
    at = after_spaces(data, at, end)
    while end > at and (data[end - 1] == 13 or data[end - 1] == SPACE):
        end -= 1
    if at >= end or data[at] != OPEN or data[end - 1] != CLOSE:
        return BAD
    at += 1
    kind = BAD
    has = 0
    needed = -1
    while True:
        at, key = _key(data, ahead, at, end)
        if at < 0:
            return BAD
        if key == KEY_TS:
            out[row, _NS], at = seconds(data, at, end)
            has |= _HAS_TS
        elif key == KEY_T:
            word, at = _word(data, ahead, at, end)
            kind = EVENT_OF[word]
            needed = _needed(kind)
        elif key == KEY_CPU:
            out[row, _CPU], at = natural(data, at, end, _MAX_CPU)
            has |= _HAS_CPU
        elif key in (KEY_PREV, KEY_TASK):
            at = _task(data, ahead, at, end, FIRST, row, out, keys, slots, count)
            has |= _HAS_FIRST
        elif key in (KEY_NEXT, KEY_WAKEE, KEY_CHILD):
            at = _task(data, ahead, at, end, SECOND, row, out, keys, slots, count)
            has |= _HAS_SECOND
        elif key == KEY_WAKER:
            at = _task(data, ahead, at, end, WAKER, row, out, keys, slots, count)
            has |= _HAS_WAKER
        elif key == KEY_STATE:
            word, at = _word(data, ahead, at, end)
            out[row, _STATE] = STATE_OF[word]
            has |= _HAS_STATE
        elif key == KEY_INSERT:
            word, at = _word(data, ahead, at, end)
            out[row, _INSERT] = INSERT_OF[word]
            has |= _HAS_INSERT
        elif key == KEY_START:
            out[row, _START], at = seconds(data, at, end)
        elif key == KEY_DSQ:
            bits, at = integer(data, at, end)
            out[row, _DSQ] = np.int64(bits)
            has |= _HAS_DSQ
        else:
            at = after_value(data, ahead, at, end)
        if at < 0:
            return BAD
        # Of scx_dsq start_ts may follow, which is not needed. Another record has two braces at least.
        if has & needed == needed and kind != _SCX_DSQ and _braces(ahead, at, end) < 2:
            return kind
        at = after_spaces(data, at, end)
        if at >= end:
            return BAD
        if data[at] == CLOSE:
            break
        if data[at] != COMMA:
            return BAD
        at += 1
    return kind if at + 1 == end and has & needed == needed else BAD


@compiled
def _braces(ahead: Array, at: int, end: int) -> int:
    """Opening braces in [at, end), looked for eight bytes at a time."""
    count = 0
    while at < end:
        if where_zero(ahead[at] ^ np.uint64(0x7B7B7B7B7B7B7B7B)):
            for place in range(at, min(at + WORD_BYTES, end)):
                count += ahead[place] & np.uint64(0xFF) == np.uint64(OPEN)
        at += WORD_BYTES
    return count


@compiled
def _read_lines(
    data: Array,
    ahead: Array,
    begin: Array,
    end: Array,
    kind: Array,
    out: Array,
    keys: Array,
    slots: Array,
    count: Array,
) -> None:
    for row in range(len(begin)):
        kind[row] = _line(data, ahead, begin[row], end[row], row, out, keys, slots, count)

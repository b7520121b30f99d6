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
from scxval.tracers.wprof.interning import Interner, number_of
from scxval.tracers.wprof.json_text import (
    CLOSE,
    COLON,
    COMMA,
    NAME_BYTES,
    OPEN,
    QUOTE,
    SPACE,
    Array,
    after_spaces,
    after_value,
    copy_name,
    integer,
    natural,
    seconds,
    string_end,
)
from scxval.tracers.wprof.words import slot_of, vocabulary

EVENTS = ("switch", "waking", "wakeup_new", "fork", "scx_dsq", "task_rename", "exec", "task_exit")
# What wprof calls a task's state when it goes off its CPU.
STATES = (
    *("runnable", "preempted", "interruptible_sleep", "uninterruptible_sleep", "killable_sleep"),
    *("stopped", "traced", "exit_dead", "exit_zombie", "exit_trace", "parked", "task_dead"),
    *("rtlock_wait", "freezable", "frozen", "idle", "waking", "new", "unknown"),
)
INSERTS = (
    *("dsq_insert", "dispatch", "dsq_insert_vtime", "dispatch_vtime"),
    *("dsq_move", "dsq_move_vtime", "dispatch_from_dsq", "dispatch_vtime_from_dsq"),
)
# Codes of `kind` besides the places in EVENTS.
OTHER, BAD = -1, -2
# A state or an insert type whose name is not in the lists.
UNKNOWN_WORD = -2
_WORD = 8
NONE = -1
# Task objects of a line: who is left or acts, who comes or is acted on, who woke.
FIRST, SECOND, WAKER = 0, 1, 2

_KEYS = (
    *("ts", "t", "cpu", "start_ts", "prev_state", "insert_type", "dsq_id"),
    *("prev", "task", "next", "wakee", "child", "waker"),
    *("tid", "pid", "comm"),
)
_TS, _T, _CPU, _START, _STATE, _INSERT, _DSQ = range(7)
_PREV, _TASK, _NEXT, _WAKEE, _CHILD, _WAKER = range(7, 13)
_TID, _PID, _COMM = range(13, 16)
_SWITCH, _WAKING, _WAKEUP_NEW, _FORK, _SCX_DSQ = range(5)
_HAS_TS, _HAS_CPU, _HAS_FIRST, _HAS_SECOND, _HAS_WAKER, _HAS_STATE, _HAS_INSERT, _HAS_DSQ = (
    1 << bit for bit in range(8)
)

_ALL = tuple(dict.fromkeys((*_KEYS, *EVENTS, *STATES, *INSERTS)))
_WORDS = vocabulary(_ALL)
_SLOTS, _BEGIN, _LENGTH, _TEXT = _WORDS.slots, _WORDS.start, _WORDS.length, _WORDS.text
_FACTOR = _WORDS.factor
_slot_of = compiled(slot_of)


def _places(names: tuple[str, ...], absent: int) -> npt.NDArray[np.int64]:
    """For each word of all its place in `names`; the last element is for no word at all (-1)."""
    places = [names.index(word) if word in names else absent for word in _ALL]
    return np.array([*places, absent], dtype=np.int64)


_KEY_OF, _EVENT_OF = _places(_KEYS, NONE), _places(EVENTS, OTHER)
_STATE_OF, _INSERT_OF = _places(STATES, UNKNOWN_WORD), _places(INSERTS, UNKNOWN_WORD)

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
    cpu: npt.NDArray[np.int32]
    tid: npt.NDArray[np.int32]
    pid: npt.NDArray[np.int32]
    comm: npt.NDArray[np.int32]
    state: npt.NDArray[np.int8]
    insert: npt.NDArray[np.int8]
    dsq: npt.NDArray[np.uint64]
    begin: npt.NDArray[np.int64]


def read_lines(text: bytes, interner: Interner) -> Lines:
    """Read whole lines (the last may lack its newline); their tasks' names are numbered by `interner`."""
    padded = np.frombuffer(text + bytes(_WORD), dtype=np.uint8)
    data = padded[: len(text)]
    # One word for every byte position: the reads overlap.
    ahead = np.ndarray((len(text),), "<u8", buffer=padded, strides=(1,))
    end = np.flatnonzero(data == 10)
    if len(data) and data[-1] != 10:
        end = np.append(end, len(data))
    count = len(end)
    begin = np.zeros(count, dtype=np.int64)
    begin[1:] = end[:-1] + 1
    lines = Lines(
        kind=np.full(count, OTHER, dtype=np.int8),
        ns=np.full(count, NONE, dtype=np.int64),
        start_ns=np.full(count, NONE, dtype=np.int64),
        cpu=np.full(count, NONE, dtype=np.int32),
        tid=np.full((3, count), NONE, dtype=np.int32),
        pid=np.full((3, count), NONE, dtype=np.int32),
        comm=np.full((3, count), NONE, dtype=np.int32),
        state=np.full(count, NONE, dtype=np.int8),
        insert=np.full(count, NONE, dtype=np.int8),
        dsq=np.zeros(count, dtype=np.uint64),
        begin=begin,
    )
    interner.make_room(2 * count)
    table = (interner.keys, interner.slots, interner.count)
    columns = list(vars(lines).values())[:-1]
    _read_lines(data, ahead, begin, end, np.zeros(NAME_BYTES, dtype=np.uint8), *table, *columns)
    return lines


@compiled
def _word_at(data: Array, at: int, size: int) -> int:
    """The number of the word of `size` bytes at `at`, -1 when it is none of them."""
    if size <= 0:
        return -1
    last = at + size - 1
    slot = _slot_of(size, data[at], data[at + size // 2], data[last], _FACTOR)
    number = int(np.int64(_SLOTS[slot]))
    if number < 0 or _LENGTH[number] != size:
        return -1
    begin = _BEGIN[number]
    for offset in range(size):
        if data[at + offset] != _TEXT[begin + offset]:
            return -1
    return number


@compiled
def _task(
    data: Array,
    at: int,
    end: int,
    slot: int,
    row: int,
    scratch: Array,
    keys: Array,
    slots: Array,
    count: Array,
    tids: Array,
    pids: Array,
    comms: Array,
) -> int:
    """Read a task object; the place after it, or -1. Idle has no tid and pid 0: tid 0 here.

    A task that wprof could not resolve has a tid, pid 0 and a made-up name: only its tid is kept.
    """
    if at >= end or data[at] != OPEN:
        return -1
    at += 1
    tid = NONE
    pid = NONE
    named = False
    while True:
        at, key = _key(data, at, end)
        if at < 0:
            return -1
        if key == _TID:
            tid, at = natural(data, at, end, _MAX_TID)
        elif key == _PID:
            pid, at = natural(data, at, end, _MAX_TID)
        elif key == _COMM and data[at] == QUOTE:
            named = True
            wanted = slot < WAKER
            at = copy_name(data, at, end, scratch) if wanted else after_value(data, at, end)
        else:
            at = after_value(data, at, end)
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
    if pid == NONE or not named:
        return -1
    if tid == NONE:
        if pid != 0:
            return -1
        tid = 0
    elif pid == 0 and tid != 0:
        pid = NONE
        named = False
    comms[slot, row] = NONE
    if named and slot < WAKER:
        comms[slot, row] = number_of(scratch, keys, slots, count)
    tids[slot, row] = tid
    pids[slot, row] = pid
    return at + 1


@compiled
def _key(data: Array, at: int, end: int) -> tuple[int, int]:
    """The place of the value after the key at `at`, and the key's number; -1, -1 when there is none."""
    at = after_spaces(data, at, end)
    if at >= end or data[at] != QUOTE:
        return -1, -1
    last = string_end(data, at, end)
    if last < 0:
        return -1, -1
    number = _KEY_OF[_word_at(data, at + 1, last - at - 1)]
    at = after_spaces(data, last + 1, end)
    if at >= end or data[at] != COLON:
        return -1, -1
    at = after_spaces(data, at + 1, end)
    if at >= end:
        return -1, -1
    return at, number


@compiled
def _word(data: Array, at: int, end: int) -> tuple[int, int]:
    """The number of the word that a string is (-1: none), and the place after it, or -1."""
    if data[at] != QUOTE:
        return -1, -1
    last = string_end(data, at, end)
    if last < 0:
        return -1, -1
    return _word_at(data, at + 1, last - at - 1), last + 1


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
    scratch: Array,
    keys: Array,
    slots: Array,
    count: Array,
    ns: Array,
    starts: Array,
    cpus: Array,
    tids: Array,
    pids: Array,
    comms: Array,
    states: Array,
    inserts: Array,
    dsqs: Array,
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
        at, key = _key(data, at, end)
        if at < 0:
            return BAD
        if key == _TS:
            ns[row], at = seconds(data, at, end)
            has |= _HAS_TS
        elif key == _T:
            word, at = _word(data, at, end)
            kind = _EVENT_OF[word]
            needed = _needed(kind)
        elif key == _CPU:
            cpus[row], at = natural(data, at, end, _MAX_CPU)
            has |= _HAS_CPU
        elif key in (_PREV, _TASK):
            at = _task(data, at, end, FIRST, row, scratch, keys, slots, count, tids, pids, comms)
            has |= _HAS_FIRST
        elif key in (_NEXT, _WAKEE, _CHILD):
            at = _task(data, at, end, SECOND, row, scratch, keys, slots, count, tids, pids, comms)
            has |= _HAS_SECOND
        elif key == _WAKER:
            at = _task(data, at, end, WAKER, row, scratch, keys, slots, count, tids, pids, comms)
            has |= _HAS_WAKER
        elif key == _STATE:
            word, at = _word(data, at, end)
            states[row] = _STATE_OF[word]
            has |= _HAS_STATE
        elif key == _INSERT:
            word, at = _word(data, at, end)
            inserts[row] = _INSERT_OF[word]
            has |= _HAS_INSERT
        elif key == _START:
            starts[row], at = seconds(data, at, end)
        elif key == _DSQ:
            dsqs[row], at = integer(data, at, end)
            has |= _HAS_DSQ
        else:
            at = after_value(data, at, end)
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
        word = ahead[at] ^ np.uint64(0x7B7B7B7B7B7B7B7B)
        some = (word - np.uint64(0x0101010101010101)) & ~word & np.uint64(0x8080808080808080)
        if some:
            for place in range(at, min(at + _WORD, end)):
                count += ahead[place] & np.uint64(0xFF) == np.uint64(OPEN)
        at += _WORD
    return count


@compiled
def _read_lines(
    data: Array,
    ahead: Array,
    begin: Array,
    end: Array,
    scratch: Array,
    keys: Array,
    slots: Array,
    count: Array,
    kinds: Array,
    ns: Array,
    starts: Array,
    cpus: Array,
    tids: Array,
    pids: Array,
    comms: Array,
    states: Array,
    inserts: Array,
    dsqs: Array,
) -> None:
    for row in range(len(begin)):
        kinds[row] = _line(
            *(
                data,
                ahead,
                begin[row],
                end[row],
                row,
                scratch,
                keys,
                slots,
                count,
                ns,
                starts,
                cpus,
            ),
            *(tids, pids, comms, states, inserts, dsqs),
        )

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
NONE = -1
# Task objects of a line: who is left or acts, who comes or is acted on, who woke.
FIRST, SECOND, WAKER = 0, 1, 2
NAME_BYTES = 16

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
_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE = b'"\\,:{}'
_SPACE, _MINUS, _PLUS, _DOT = b" -+."


@dataclass(frozen=True)
class Lines:
    """What the lines of a piece of text say, one element a line.

    `kind` is a place in EVENTS, OTHER or BAD; times are nanoseconds from the session's start, NONE
    where there is none; `tid`, `pid` are of the three task objects (NONE: not there or unresolved),
    `name` of the first two, zero-padded. `state` and `insert` are places in STATES and INSERTS.
    """

    kind: npt.NDArray[np.int8]
    ns: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.int64]
    cpu: npt.NDArray[np.int32]
    tid: npt.NDArray[np.int32]
    pid: npt.NDArray[np.int32]
    name: npt.NDArray[np.uint8]
    state: npt.NDArray[np.int8]
    insert: npt.NDArray[np.int8]
    dsq: npt.NDArray[np.uint64]
    begin: npt.NDArray[np.int64]


def read_lines(text: bytes) -> Lines:
    """Read whole lines (the last may lack its newline)."""
    data = np.frombuffer(text, dtype=np.uint8)
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
        name=np.zeros((2, count, NAME_BYTES), dtype=np.uint8),
        state=np.full(count, NONE, dtype=np.int8),
        insert=np.full(count, NONE, dtype=np.int8),
        dsq=np.zeros(count, dtype=np.uint64),
        begin=begin,
    )
    # A record that began in the rest of another's line would be lost unseen.
    whole = text.count(b'{"ts":') != count
    columns = list(vars(lines).values())[:-1]
    _read_lines(data, begin, end, whole, *columns)
    return lines


@compiled
def _spaces(data, at, end):  # type: ignore[no-untyped-def]
    while at < end and data[at] == _SPACE:
        at += 1
    return at


@compiled
def _string_end(data, at, end):  # type: ignore[no-untyped-def]
    """The place of the closing quote of a string whose opening quote is at `at`; -1 without one."""
    at += 1
    while at < end:
        byte = data[at]
        if byte == _QUOTE:
            return at
        at += 2 if byte == _BACKSLASH else 1
    return -1


@compiled
def _skip(data, at, end):  # type: ignore[no-untyped-def]
    """The place after any value; -1 when it does not end in this line."""
    depth = 0
    begin = at
    while at < end:
        byte = data[at]
        if byte == _QUOTE:
            at = _string_end(data, at, end)
            if at < 0:
                return -1
        elif byte == _OPEN or byte == 91:
            depth += 1
        elif byte == _CLOSE or byte == 93:
            if depth == 0:
                return at if at > begin else -1
            depth -= 1
        elif byte == _COMMA and depth == 0:
            return at if at > begin else -1
        at += 1
    return -1


@compiled
def _seconds(data, at, end):  # type: ignore[no-untyped-def]
    """A number of seconds as whole nanoseconds (the nearest), and the place after it; -1, -1: none.

    Digits are taken as they stand, so that nothing depends on how a double rounds.
    """
    value = 0
    digits = 0
    decimals = 0
    dot = False
    while at < end:
        byte = data[at]
        if byte == _DOT and not dot:
            dot = True
        elif 48 <= byte <= 57:
            digits += 1
            # Eighteen digits fit; what follows is far below a nanosecond.
            if value < 10**17:
                value = value * 10 + byte - 48
                decimals += dot
            elif not dot:
                return -1, -1
        else:
            break
        at += 1
    if digits == 0:
        return -1, -1
    exponent = 0
    if at < end and (data[at] == 101 or data[at] == 69):
        at += 1
        sign = 1
        if at < end and (data[at] == _MINUS or data[at] == _PLUS):
            sign = -1 if data[at] == _MINUS else 1
            at += 1
        if at >= end or not 48 <= data[at] <= 57:
            return -1, -1
        while at < end and 48 <= data[at] <= 57:
            exponent = min(exponent * 10 + data[at] - 48, 1000)
            at += 1
        exponent *= sign
    shift = 9 + exponent - decimals
    while shift > 0 and value:
        if value > (1 << 62) // 10:
            return -1, -1
        value *= 10
        shift -= 1
    rest = 0
    while shift < 0 and (value or rest):
        rest = value % 10
        value //= 10
        shift += 1
    return value + (rest >= 5), at


@compiled
def _integer(data, at, end):  # type: ignore[no-untyped-def]
    """An integer's 64 bits (negative ones as two's complement), and the place after it, or -1."""
    negative = at < end and data[at] == _MINUS
    if negative:
        at += 1
    value = np.uint64(0)
    begin = at
    while at < end and 48 <= data[at] <= 57:
        digit = np.uint64(data[at] - 48)
        # 2**64 - 1 is 18446744073709551615.
        if value > np.uint64(1844674407370955161) or (
            value == np.uint64(1844674407370955161) and digit > np.uint64(5)
        ):
            return value, -1
        value = value * np.uint64(10) + digit
        at += 1
    if at == begin:
        return value, -1
    if negative:
        if value > np.uint64(1 << 63):
            return value, -1
        value = ~value + np.uint64(1)
    return value, at


@compiled
def _small(data, at, end, most):  # type: ignore[no-untyped-def]
    """An integer from 0 to `most`, and the place after it, or -1."""
    value, at = _integer(data, at, end)
    if at < 0 or value > np.uint64(most):
        return 0, -1
    return np.int64(value), at


@compiled
def _hexadecimal(byte):  # type: ignore[no-untyped-def]
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte | 32 <= 102:
        return (byte | 32) - 87
    return 255


@compiled
def _name(data, at, end, out):  # type: ignore[no-untyped-def]
    """Copy up to 15 bytes of a string, its escapes undone (the kernel's names have no more); the place
    after it, or -1."""
    last = _string_end(data, at, end)
    if last < 0:
        return -1
    at += 1
    size = 0
    if out[0]:
        out[:] = 0
    while at < last and size < NAME_BYTES - 1:
        code = np.int64(data[at])
        at += 1
        if code != _BACKSLASH:
            out[size] = code
            size += 1
            continue
        code = np.int64(data[at])
        at += 1
        if code == 117:
            if at + 4 > last:
                return -1
            code = 0
            for _ in range(4):
                nibble = _hexadecimal(data[at])
                if nibble == 255:
                    return -1
                code = code * 16 + nibble
                at += 1
            if code >= 0x800 and size + 2 < NAME_BYTES - 1:
                out[size] = 0xE0 | code >> 12
                out[size + 1] = 0x80 | code >> 6 & 0x3F
                size += 2
                code = 0x80 | code & 0x3F
            elif code >= 0x80 and size + 1 < NAME_BYTES - 1:
                out[size] = 0xC0 | code >> 6 & 0x1F
                size += 1
                code = 0x80 | code & 0x3F
            elif code >= 0x80:
                break
        elif code == 110:
            code = 10
        elif code == 116:
            code = 9
        elif code == 114:
            code = 13
        elif code == 98:
            code = 8
        elif code == 102:
            code = 12
        out[size] = code
        size += 1
    return last + 1


@compiled
def _word_at(data, at, size):  # type: ignore[no-untyped-def]
    """The number of the word of `size` bytes at `at`, -1 when it is none of them."""
    if size <= 0:
        return -1
    last = at + size - 1
    slot = _slot_of(size, data[at], data[at + size // 2], data[last], _FACTOR)
    number = np.int64(_SLOTS[slot])
    if number < 0 or _LENGTH[number] != size:
        return -1
    begin = _BEGIN[number]
    for offset in range(size):
        if data[at + offset] != _TEXT[begin + offset]:
            return -1
    return number


@compiled
def _task(data, at, end, slot, row, tids, pids, names):  # type: ignore[no-untyped-def]
    """Read a task object; the place after it, or -1. Idle has no tid and pid 0: tid 0 here.

    A task that wprof could not resolve has a tid, pid 0 and a made-up name: only its tid is kept.
    """
    if at >= end or data[at] != _OPEN:
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
            tid, at = _small(data, at, end, _MAX_TID)
        elif key == _PID:
            pid, at = _small(data, at, end, _MAX_TID)
        elif key == _COMM and data[at] == _QUOTE:
            named = True
            if slot < WAKER:
                at = _name(data, at, end, names[slot, row])
            else:
                at = _string_end(data, at, end) + 1
        else:
            at = _skip(data, at, end)
        if at <= 0:
            return -1
        at = _spaces(data, at, end)
        if at >= end:
            return -1
        if data[at] == _CLOSE:
            break
        if data[at] != _COMMA:
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
        if slot < WAKER:
            names[slot, row, :] = 0
    tids[slot, row] = tid
    pids[slot, row] = pid
    return at + 1


@compiled
def _key(data, at, end):  # type: ignore[no-untyped-def]
    """The place of the value after the key at `at`, and the key's number; -1, -1 when there is none."""
    at = _spaces(data, at, end)
    if at >= end or data[at] != _QUOTE:
        return -1, -1
    last = _string_end(data, at, end)
    if last < 0:
        return -1, -1
    number = _KEY_OF[_word_at(data, at + 1, last - at - 1)]
    at = _spaces(data, last + 1, end)
    if at >= end or data[at] != _COLON:
        return -1, -1
    at = _spaces(data, at + 1, end)
    if at >= end:
        return -1, -1
    return at, number


@compiled
def _word(data, at, end):  # type: ignore[no-untyped-def]
    """The number of the word that a string is (-1: none), and the place after it, or -1."""
    if data[at] != _QUOTE:
        return -1, -1
    last = _string_end(data, at, end)
    if last < 0:
        return -1, -1
    return _word_at(data, at + 1, last - at - 1), last + 1


@compiled
def _needed(kind):  # type: ignore[no-untyped-def]
    """The fields without which a line of this kind says nothing."""
    if kind == _SWITCH:
        return _HAS_TS | _HAS_CPU | _HAS_FIRST | _HAS_SECOND | _HAS_STATE
    if kind == _WAKING or kind == _WAKEUP_NEW:
        return _HAS_TS | _HAS_CPU | _HAS_SECOND | _HAS_WAKER
    if kind == _FORK:
        return _HAS_TS | _HAS_CPU | _HAS_FIRST | _HAS_SECOND
    if kind == _SCX_DSQ:
        return _HAS_TS | _HAS_CPU | _HAS_FIRST | _HAS_INSERT | _HAS_DSQ
    if kind == OTHER:
        return _HAS_TS
    return _HAS_TS | _HAS_CPU | _HAS_FIRST


@compiled
def _line(  # type: ignore[no-untyped-def]
    data, at, end, whole, row, ns, starts, cpus, tids, pids, names, states, inserts, dsqs
):
    """Read one line into `row` of the arrays; its kind. Unless `whole`, what follows the last field
    that its kind needs is not looked at."""
    at = _spaces(data, at, end)
    while end > at and (data[end - 1] == 13 or data[end - 1] == _SPACE):
        end -= 1
    if at >= end or data[at] != _OPEN or data[end - 1] != _CLOSE:
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
            ns[row], at = _seconds(data, at, end)
            has |= _HAS_TS
        elif key == _T:
            word, at = _word(data, at, end)
            kind = _EVENT_OF[word]
            needed = _needed(kind)
        elif key == _CPU:
            cpus[row], at = _small(data, at, end, _MAX_CPU)
            has |= _HAS_CPU
        elif key == _PREV or key == _TASK:
            at = _task(data, at, end, FIRST, row, tids, pids, names)
            has |= _HAS_FIRST
        elif key == _NEXT or key == _WAKEE or key == _CHILD:
            at = _task(data, at, end, SECOND, row, tids, pids, names)
            has |= _HAS_SECOND
        elif key == _WAKER:
            at = _task(data, at, end, WAKER, row, tids, pids, names)
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
            starts[row], at = _seconds(data, at, end)
        elif key == _DSQ:
            dsqs[row], at = _integer(data, at, end)
            has |= _HAS_DSQ
        else:
            at = _skip(data, at, end)
        if at < 0:
            return BAD
        # start_ts may follow, and is not needed.
        if not whole and has & needed == needed and kind != _SCX_DSQ:
            return kind
        at = _spaces(data, at, end)
        if at >= end:
            return BAD
        if data[at] == _CLOSE:
            break
        if data[at] != _COMMA:
            return BAD
        at += 1
    return kind if at + 1 == end and has & needed == needed else BAD


@compiled
def _read_lines(  # type: ignore[no-untyped-def]
    data, begin, end, whole, kinds, ns, starts, cpus, tids, pids, names, states, inserts, dsqs
):
    for row in range(len(begin)):
        kinds[row] = _line(
            *(data, begin[row], end[row], whole, row, ns, starts, cpus),
            *(tids, pids, names, states, inserts, dsqs),
        )

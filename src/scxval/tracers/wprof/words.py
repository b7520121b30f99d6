# SPDX-License-Identifier: MIT
"""The words of wprof's JSON that matter (keys, events, task states, ways to insert into a dispatch queue),
and how a compiled loop looks one up: one fixed vocabulary, of which no two words share a slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled
from scxval.tracers.wprof.json_text import Array

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
# An event that is not in the list; a state or an insert type that is not.
OTHER, UNKNOWN_WORD = -1, -2
SLOTS = 1024


@dataclass(frozen=True)
class Words:
    """A vocabulary laid out for a loop: constants of the code that is compiled over it.

    A word is looked for in the slot that `slot_of` gives with `factor`: `slots` has its number (its
    place in the list it was made from) or -1, `start` and `length` where it lies in `text`.
    """

    slots: npt.NDArray[np.int16]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    text: npt.NDArray[np.uint8]
    factor: int


def slot_of(size: int, first: int, middle: int, last: int, factor: int) -> int:
    """Where to look for a word, from its length and three of its bytes (also compiled)."""
    mixed = ((size * factor + first) * factor + middle) * factor + last
    return (mixed ^ mixed >> 10) & (SLOTS - 1)


def vocabulary(names: Sequence[str]) -> Words:
    """Lay words out so that no two share a slot. Raises ValueError when that cannot be had."""
    words = [name.encode() for name in names]
    length = np.array([len(word) for word in words], dtype=np.int64)
    text = np.frombuffer(b"".join(words), dtype=np.uint8).copy()
    for factor in range(3, 10_000, 2):
        slot = [slot_of(len(w), w[0], w[len(w) // 2], w[-1], factor) for w in words]
        if len(set(slot)) == len(slot):
            slots = np.full(SLOTS, -1, dtype=np.int16)
            slots[slot] = np.arange(len(words))
            return Words(slots, np.cumsum(length) - length, length, text, factor)
    raise ValueError(f"{len(words)} words cannot be told apart by three of their letters")


_KEYS = (
    *("ts", "t", "cpu", "start_ts", "prev_state", "insert_type", "dsq_id"),
    *("prev", "task", "next", "wakee", "child", "waker"),
    *("tid", "pid", "comm"),
)
KEY_TS, KEY_T, KEY_CPU, KEY_START, KEY_STATE, KEY_INSERT, KEY_DSQ = range(7)
KEY_PREV, KEY_TASK, KEY_NEXT, KEY_WAKEE, KEY_CHILD, KEY_WAKER = range(7, 13)
KEY_TID, KEY_PID, KEY_COMM = range(13, 16)

_ALL = tuple(dict.fromkeys((*_KEYS, *EVENTS, *STATES, *INSERTS)))
_WORDS = vocabulary(_ALL)
_SLOTS, _BEGIN, _LENGTH, _TEXT = _WORDS.slots, _WORDS.start, _WORDS.length, _WORDS.text
_FACTOR = _WORDS.factor
_slot_of = compiled(slot_of)


def _places(names: tuple[str, ...], absent: int) -> npt.NDArray[np.int64]:
    """For each word of all its place in `names`; the last element is for no word at all (-1)."""
    places = [names.index(word) if word in names else absent for word in _ALL]
    return np.array([*places, absent], dtype=np.int64)


KEY_OF, EVENT_OF = _places(_KEYS, -1), _places(EVENTS, OTHER)
STATE_OF, INSERT_OF = _places(STATES, UNKNOWN_WORD), _places(INSERTS, UNKNOWN_WORD)


@compiled
def word_at(data: Array, at: int, size: int) -> int:
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


# Keys that fit into a word of eight bytes with their quotes and colon, the frequent ones first: the
# word, what of a word to compare, the bytes it takes, and the key's number (-1: not of interest).
_SHORT = (
    *(
        "pid",
        "comm",
        "tid",
        "pcomm",
        "cpu",
        "t",
        "ts",
        "prev",
        "next",
        "wakee",
        "waker",
        "task",
        "dur",
    ),
)
_SPELT = [f'"{name}":'.encode() for name in _SHORT]
SHORT_KEY = np.array([int.from_bytes(key, "little") for key in _SPELT], dtype=np.uint64)
SHORT_MASK = np.array([(1 << 8 * len(key)) - 1 for key in _SPELT], dtype=np.uint64)
SHORT_BYTES = np.array([len(key) for key in _SPELT], dtype=np.int64)
SHORT_NUMBER = np.array([_KEYS.index(n) if n in _KEYS else -1 for n in _SHORT], dtype=np.int64)

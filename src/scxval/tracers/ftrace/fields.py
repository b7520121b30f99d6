# SPDX-License-Identifier: MIT
"""The fields of the sched tracepoints as their text prints them (TP_printk, include/trace/events/sched.h).

Names may hold anything. One ends at the last place, at most 15 bytes on, where the next key stands: the
key after it cannot come again so early, and one inside the name comes before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.events.columns import Ints
from scxval.events.schema import MAX_CPU
from scxval.formats.scan import Flags, Positions, Scan
from scxval.tracers.sched_records import MAX_TID

_COMM_BYTES = 15
# __print_flags of sched_switch; "+" stands for TASK_REPORT_MAX, preempted.
_STATES = {
    "S": 0x1,
    "D": 0x2,
    "T": 0x4,
    "t": 0x8,
    "X": 0x10,
    "Z": 0x20,
    "P": 0x40,
    "I": 0x80,
    "R": 0,
}
_PREEMPTED = 0x100


@dataclass
class Parsed:
    """Values of one tracepoint's lines; only where `good` do they mean anything."""

    numbers: dict[str, Ints]
    names: dict[str, npt.NDArray[np.uint8]]
    good: Flags


class _Line:
    """A place in every line, which moves on as fields are read."""

    def __init__(self, scan: Scan, at: Positions, end: Positions) -> None:
        self.scan = scan
        self.at = at
        self.end = end
        self.parsed = Parsed({}, {}, np.ones(len(at), dtype=np.bool_))

    def key(self, literal: bytes) -> None:
        """Demand a literal here."""
        self.parsed.good &= self.scan.holds(self.at, literal)
        self._move(self.at + len(literal))

    def name(self, column: str, then: bytes) -> None:
        """A task name up to the literal that follows it."""
        stop = self.scan.last_of(self.at, _COMM_BYTES, then)
        self._take_name(column, np.where(stop < 0, self.at, stop), stop >= 0)
        self._move(np.where(stop < 0, self.at, stop))
        self.key(then)

    def name_until(self, column: str, stop: Positions) -> None:
        """A task name up to a place that is known."""
        self._take_name(column, stop, (stop >= self.at) & (stop - self.at <= _COMM_BYTES))

    def _take_name(self, column: str, stop: Positions, good: Flags) -> None:
        self.parsed.good &= good & (stop <= self.end)
        self.parsed.names[column] = self.scan.sixteen(self.at, np.maximum(stop - self.at, 0))

    def word_end(self) -> Positions:
        """Where the word that begins here ends."""
        return self.scan.word_end(self.at, self.end)

    def number(self, column: str | None, most: int = MAX_TID) -> None:
        """A number from 0 to `most`; of a column without a name, any number."""
        stop = self.word_end()
        if column is None:
            _, ok = self.scan.signed(self.at, stop)
        else:
            value, ok = self.scan.decimal(self.at, stop)
            ok &= value <= most
            self.parsed.numbers[column] = value.astype(np.int16 if most < 2**15 else np.int32)
        self.parsed.good &= ok
        self._move(stop)

    def _move(self, at: Positions) -> None:
        self.at = np.minimum(at, self.end)


def _switch(scan: Scan, at: Positions, end: Positions) -> Parsed:
    line = _Line(scan, at, end)
    line.key(b"prev_comm=")
    line.name("prev_comm", b" prev_pid=")
    line.number("prev_pid")
    line.key(b" prev_prio=")
    line.number(None)
    line.key(b" prev_state=")
    stop = line.word_end()
    line.parsed.numbers["prev_state"] = _states(line, stop)
    line.at = stop
    line.key(b" ==> next_comm=")
    # The name is followed by two words without a space.
    prio = scan.word_start(line.at, end)
    pid = scan.word_start(line.at, prio)
    line.name_until("next_comm", pid)
    line.at = np.minimum(pid, end)
    line.key(b" next_pid=")
    line.number("next_pid")
    line.parsed.good &= line.at == prio
    line.key(b" next_prio=")
    line.number(None)
    return line.parsed


def _states(line: _Line, stop: Positions) -> Ints:
    """State words: letters joined by "|", with "+" behind them when the task was preempted."""
    raw = line.scan.sixteen(line.at, np.clip(stop - line.at, 0, 16))
    words, code = np.unique(np.ascontiguousarray(raw).view("S16").ravel(), return_inverse=True)
    values = np.array([_state(word.decode("latin-1")) for word in words.tolist()], dtype=np.int64)
    found: Ints = values[code]
    line.parsed.good &= (found >= 0) & (stop - line.at <= 16)
    return found


def _state(word: str) -> int:
    """The number of a state word, -1 for none."""
    letters = word.removesuffix("+").split("|")
    if not all(letter in _STATES for letter in letters):
        return -1
    return sum(_STATES[letter] for letter in set(letters)) | (word.endswith("+") * _PREEMPTED)


def _wakeup(scan: Scan, at: Positions, end: Positions) -> Parsed:
    line = _Line(scan, at, end)
    _task(line)
    line.key(b" prio=")
    line.number(None)
    # Until 5.x a wakeup says success=1 before its CPU.
    old = line.scan.holds(line.at, b" success=1")
    line.at = np.where(old, line.at + 10, line.at)
    line.key(b" target_cpu=")
    line.number("target_cpu", MAX_CPU)
    return line.parsed


def _migrate(scan: Scan, at: Positions, end: Positions) -> Parsed:
    line = _Line(scan, at, end)
    _task(line)
    line.key(b" prio=")
    line.number(None)
    line.key(b" orig_cpu=")
    line.number(None)
    line.key(b" dest_cpu=")
    line.number("dest_cpu", MAX_CPU)
    return line.parsed


def _exit(scan: Scan, at: Positions, end: Positions) -> Parsed:
    line = _Line(scan, at, end)
    _task(line)
    line.key(b" prio=")
    line.number(None)
    return line.parsed


def _task(line: _Line) -> None:
    line.key(b"comm=")
    line.name("comm", b" pid=")
    line.number("pid")


def _fork(scan: Scan, at: Positions, end: Positions) -> Parsed:
    line = _Line(scan, at, end)
    line.key(b"comm=")
    line.name("comm", b" pid=")
    line.number("parent_pid")
    line.key(b" child_comm=")
    line.at = scan.word_start(line.at, end)
    line.key(b" child_pid=")
    line.number("child_pid")
    del line.parsed.names["comm"]
    return line.parsed


PARSERS: dict[str, Callable[[Scan, Positions, Positions], Parsed]] = {
    "sched_switch": _switch,
    "sched_waking": _wakeup,
    "sched_wakeup": _wakeup,
    "sched_wakeup_new": _wakeup,
    "sched_migrate_task": _migrate,
    "sched_process_fork": _fork,
    "sched_process_exit": _exit,
}

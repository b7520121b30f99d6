# SPDX-License-Identifier: MIT
"""What of two sources can be compared: the rows of kinds that both can see, in the time that both cover.

Rows are sorted into classes, within which they pair:

- SwitchOut: every kind that takes a task off its CPU. Which kind it is is a field, so that a switch
  that was told differently is not one that was missed. TaskYielded counts as TaskPreempted unless
  both sources can tell a yield.
- TaskWoke: a class for each reason (waking, wakeup, wakeup_new), for these are different records of
  one wakeup. Both sources must fill `reason`. One that never occurs in a source's whole table is taken
  as not recorded by it: the capability record does not say.
- Any other kind that both sources can see is its own class.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.catalog.config import Agreement, agreement_limits
from scxval.errors import ScxvalError
from scxval.events.capability import Capability, read_capability
from scxval.events.schema import SWITCH_OUT_KINDS, TraceKind
from scxval.events.table import read_events
from scxval.study.agreement_align import I64
from scxval.study.agreement_pairs import Side, numbered

SWITCH_OUT = "SwitchOut"
_YIELDED, _PREEMPTED = str(TraceKind.TASK_YIELDED), str(TraceKind.TASK_PREEMPTED)
_WOKE = str(TraceKind.TASK_WOKE)
_OFF = frozenset(map(str, SWITCH_OUT_KINDS))

Window = tuple[int, int]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """One tracer's reading of a run: its name, event table and capability record."""

    name: str
    table: pa.Table
    capability: Capability

    @property
    def lost(self) -> int:
        """Records that are not in the table: dropped by the tracer, or not understood."""
        return self.capability.lost + self.capability.unparsed

    def dictionary(self, column: str) -> tuple[npt.NDArray[np.int64], list[str]]:
        """A dictionary column as codes (-1 is null) and the texts that they stand for."""
        values = self.table[column].unify_dictionaries().combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else _no_text()
        codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, values.dictionary.to_pylist()

    def numbers(self, column: str, null: int = -1) -> npt.NDArray[np.generic]:
        """A column of numbers with nulls replaced."""
        values = self.table[column].fill_null(null).to_numpy()
        return np.asarray(values)


def _no_text() -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))


def read_source(name: str, events: Path, capability: Path) -> Source:
    """Read a source's two files. Raises ScxvalError for what is not an event table in order."""
    table = read_events(events)
    try:
        record = read_capability(capability)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{capability}: not a capability record: {error}") from error
    time = table["time_ns"].to_numpy()
    if len(time) and (time[1:] < time[:-1]).any():
        raise ScxvalError(f"{events}: rows are not in order of time; convert the trace again")
    return Source(name, table, record)


def read_window(status: Path) -> Window | None:
    """The workload's window in a run's status.json, None if it has none."""
    try:
        window = json.loads(status.read_text(encoding="utf-8"))["window_ns"]
        return None if window is None else (int(window[0]), int(window[1]))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ScxvalError(f"{status}: not a run's status.json: {error!r}") from error


def read_limits(text: str) -> Agreement:
    """Thresholds from JSON, the shipped ones where it has none. Raises ScxvalError."""
    try:
        given = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise ScxvalError(f"thresholds are not a JSON object: {error}") from error
    return agreement_limits(given)


@dataclass(frozen=True)
class Left:
    """Rows that are not compared: whose they are, what they are, how many, and why."""

    source: str
    what: str
    rows: int
    reason: str


@dataclass(frozen=True)
class Rows:
    """One source's comparable rows: places in its table, class and group of each, in order of time."""

    place: I64
    klass: I64
    side: Side


@dataclass(frozen=True)
class Comparable:
    """Both sources' comparable rows; `classes` names the classes, `key_of` has class, CPU and task of
    each group as one number.

    `outside` counts rows of either source outside the window.
    """

    window_ns: Window
    classes: list[str]
    key_of: I64
    a: Rows
    b: Rows
    outside: tuple[int, int]
    left: list[Left]
    tells_yields: bool

    @property
    def family(self) -> I64:
        """The class of each group."""
        return self.key_of >> 48


def common_window(a: Source, b: Source, window_ns: Window | None = None) -> Window | None:
    """The time that both sources cover, within `window_ns` if that is given; None if there is none."""
    spans = [a.capability.window_ns, b.capability.window_ns]
    if spans[0] is None or spans[1] is None:
        return None
    ends = [span for span in (*spans, window_ns) if span is not None]
    start, end = max(s for s, _ in ends), min(e for _, e in ends)
    return (start, end) if start <= end else None


def comparable(a: Source, b: Source, window_ns: Window) -> Comparable:
    """Select and group the rows of both sources that can be compared within a window."""
    kinds = _common_kinds(a, b)
    reasons, reason_notes = _common_reasons(a, b, kinds)
    classes = _class_names(kinds, reasons)
    number = {name: place for place, name in enumerate(classes)}
    left: list[Left] = list(reason_notes)
    sides = []
    for source in (a, b):
        klass = _classes_of(source, kinds, reasons, number)
        time = source.table["time_ns"].to_numpy()
        inside = (time >= window_ns[0]) & (time <= window_ns[1])
        left += _left_out(source, kinds, inside)
        place = np.flatnonzero(inside & (klass >= 0))
        sides.append((place, klass[place], int((~inside).sum())))
    keys = [_keys(s, place, klass) for s, (place, klass, _) in zip((a, b), sides, strict=True)]
    group_a, group_b, key_of = numbered(*keys)
    rows = [
        Rows(place, klass, Side(group, source.table["time_ns"].to_numpy()[place]))
        for source, group, (place, klass, _) in zip((a, b), (group_a, group_b), sides, strict=True)
    ]
    return Comparable(
        window_ns,
        classes,
        key_of,
        rows[0],
        rows[1],
        (sides[0][2], sides[1][2]),
        left,
        tells_yields=_YIELDED in kinds,
    )


def _keys(source: Source, place: I64, klass: I64) -> I64:
    """Class, CPU and task of rows as one number; idle is tid 0, and no task -1, on every CPU."""
    cpu = source.table["cpu"].to_numpy()[place].astype(np.int64)
    tid = source.numbers("tid")[place].astype(np.int64)
    key: I64 = (klass << 48) | ((cpu & 0xFFFF) << 32) | (tid & 0xFFFFFFFF)
    return key


def _common_kinds(a: Source, b: Source) -> list[str]:
    """Kinds that both can see. A source that sees preemptions shows yields among them, or as such."""
    return [kind for kind in a.capability.kinds if kind in b.capability.kinds]


def _common_reasons(a: Source, b: Source, kinds: list[str]) -> tuple[list[str] | None, list[Left]]:
    """Reasons of wakeups to compare, None if neither source tells them, and what is left out."""
    if _WOKE not in kinds:
        return None, []
    tells = ["reason" in s.capability.fields.get(_WOKE, []) for s in (a, b)]
    if not any(tells):
        return None, []
    counts = (_wakeups(a), _wakeups(b))
    if not all(tells):
        mute = b if tells[0] else a
        told = f"{mute.name} does not say which record of a wakeup it shows"
        both = zip((a, b), counts, strict=True)
        return [], [Left(s.name, _WOKE, sum(count.values()), told) for s, count in both]
    left = []
    for source, other, own, others in ((a, b, counts[0], counts[1]), (b, a, counts[1], counts[0])):
        why = f"{other.name} has none at all: taken as not recorded by it"
        left += [
            Left(source.name, f"{_WOKE} {reason}", rows, why)
            for reason, rows in own.items()
            if reason not in others
        ]
    return sorted(reason for reason in counts[0] if reason in counts[1]), left


def _wakeups(source: Source) -> dict[str, int]:
    """How many TaskWoke rows a table has of each reason."""
    kind, kinds = source.dictionary("kind")
    if _WOKE not in kinds:
        return {}
    reason, reasons = source.dictionary("reason")
    found = np.bincount(reason[kind == kinds.index(_WOKE)] + 1, minlength=len(reasons) + 1)
    return {name: int(n) for name, n in zip(["no reason", *reasons], found, strict=True) if n}


def _class_names(kinds: list[str], reasons: list[str] | None) -> list[str]:
    names: list[str] = []
    for kind in kinds:
        if kind in _OFF:
            names.append(SWITCH_OUT)
        elif kind == _WOKE and reasons is not None:
            names += [f"{_WOKE} {reason}" for reason in reasons]
        else:
            names.append(kind)
    return list(dict.fromkeys(names))


def _compared_kind(kind: str, kinds: list[str]) -> str:
    """The kind that a row of this kind is compared as: a yield that one source cannot tell."""
    return _PREEMPTED if kind == _YIELDED and _YIELDED not in kinds else kind


def compared_kinds(source: Source, tells_yields: bool) -> tuple[I64, list[str]]:
    """Kinds of all rows as codes and names, yields as preemptions unless both sources tell them."""
    codes, names = source.dictionary("kind")
    return codes, [_PREEMPTED if n == _YIELDED and not tells_yields else n for n in names]


def _classes_of(
    source: Source, kinds: list[str], reasons: list[str] | None, number: dict[str, int]
) -> I64:
    """The class of each row of a table, -1 for those that are not compared."""
    kind, names = source.dictionary("kind")
    of_kind = np.full(len(names) + 1, -1, dtype=np.int64)
    for code, name in enumerate(names):
        compared = _compared_kind(name, kinds)
        if compared in kinds:
            of_kind[code] = number.get(SWITCH_OUT if compared in _OFF else compared, -1)
    klass = of_kind[kind]
    if reasons is None or _WOKE not in names:
        return klass
    woke = kind == names.index(_WOKE)
    reason, texts = source.dictionary("reason")
    of_reason = np.array(
        [number.get(f"{_WOKE} {text}", -1) if text in reasons else -1 for text in [*texts, ""]],
        dtype=np.int64,
    )
    klass[woke] = of_reason[reason[woke]]
    return klass


def _left_out(source: Source, kinds: list[str], inside: Bools) -> list[Left]:
    """Rows in the window of kinds that the other source cannot see."""
    kind, names = source.dictionary("kind")
    counts = np.bincount(kind[inside], minlength=len(names))
    return [
        Left(source.name, name, int(rows), "only this source can see the kind")
        for name, rows in zip(names, counts, strict=True)
        if rows and _compared_kind(name, kinds) not in kinds
    ]

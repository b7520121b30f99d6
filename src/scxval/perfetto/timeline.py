# SPDX-License-Identifier: MIT
"""A trace to be written: tracks, and events as columns with their arguments, whatever the format.

Times are nanoseconds since the axis' zero. Texts are codes into tables; a code of -1 is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from scxval.report.text import visible

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# No kernel's name has more than 15 characters; from outside files anything may come.
LONGEST = 200
NONE = -1


class Kind(IntEnum):
    """What an event is: perfetto's TrackEvent.Type."""

    BEGIN = 1
    END = 2
    INSTANT = 3
    COUNTER = 4


class Sort(IntEnum):
    """What an argument's value is: the field of perfetto's DebugAnnotation that holds it."""

    BOOL = 2
    UINT = 3
    INT = 4
    HEX = 7
    TEXT = 17


class Holds(IntEnum):
    """What a track holds."""

    TRACKS = 0
    SLICES = 1
    INSTANTS = 2
    COUNTS = 3


def shown(text: object) -> str:
    """A text as it may be shown: nothing hidden in it, and no longer than LONGEST characters."""
    full = visible(str(text)[: LONGEST + 1])
    return full if len(full) <= LONGEST else full[: LONGEST - 1] + "\u2026"


@dataclass(frozen=True)
class Track:
    """A track; `parent` is its parent's number, NONE at the top. Siblings stand in order of making."""

    name: str
    parent: int
    holds: Holds
    unit: str = ""
    about: str = ""


@dataclass
class Texts:
    """Texts by code: its place in `list`."""

    code: dict[str, int] = field(default_factory=dict)

    @property
    def list(self) -> list[str]:
        """The texts by code."""
        return list(self.code)

    def of(self, text: str) -> int:
        """The code of one text."""
        return self.code.setdefault(text, len(self.code))

    def codes(self, texts: Sequence[str]) -> I64:
        """Codes of texts, with NONE at the end, so that a code of -1 stays one."""
        return np.array([*(self.of(text) for text in texts), NONE], dtype=np.int64)


@dataclass(frozen=True)
class Argument:
    """One argument of some events: the 64 bits of its value, where `known`."""

    name: str
    sort: Sort | npt.NDArray[np.int8]
    value: npt.NDArray[np.integer]
    known: Bools


@dataclass(frozen=True)
class Events:
    """Events in the order of time, on one track in the order in which they happen.

    `value` is what a counter counts. `flow_out` and `flow_in` number an arrow that begins or ends at an
    event, NONE without. The arguments of event i are those from `first[i]` to `first[i] + count[i]`.
    """

    time_ns: I64
    kind: npt.NDArray[np.int8]
    track: I64
    name: I64
    value: I64
    flow_out: I64
    flow_in: I64
    first: I64
    count: I64
    argument: npt.NDArray[np.int64]
    sort: npt.NDArray[np.int8]
    argument_value: I64

    def __len__(self) -> int:
        """Number of events."""
        return len(self.time_ns)


@dataclass
class Timeline:
    """Tracks and events as they are collected; `events` puts them in order."""

    tracks: list[Track] = field(default_factory=list)
    names: Texts = field(default_factory=Texts)
    argument_names: Texts = field(default_factory=Texts)
    texts: Texts = field(default_factory=Texts)
    parts: list[Events] = field(default_factory=list)
    flows: int = 0

    def track(self, name: str, parent: int, holds: Holds, unit: str = "", about: str = "") -> int:
        """Make a track; its number."""
        self.tracks.append(Track(shown(name), parent, holds, unit, about))
        return len(self.tracks) - 1

    def instants(
        self,
        time_ns: I64,
        track: I64,
        name: I64,
        arguments: Sequence[Argument] = (),
        flow_out: I64 | None = None,
    ) -> None:
        """Add points in time; rows of a track in the order of time."""
        kind = np.full(len(time_ns), Kind.INSTANT, dtype=np.int8)
        self._add(time_ns, kind, track, name, arguments, flow_out=flow_out)

    def counts(self, time_ns: I64, track: I64, value: I64) -> None:
        """Add what counter tracks count from these moments on."""
        kind = np.full(len(time_ns), Kind.COUNTER, dtype=np.int8)
        nameless = np.full(len(time_ns), NONE, dtype=np.int64)
        self._add(time_ns, kind, track, nameless, value=value)

    def slices(
        self,
        start_ns: I64,
        end_ns: I64,
        track: I64,
        name: I64,
        arguments: Sequence[Argument] = (),
        flow_in: I64 | None = None,
    ) -> None:
        """Add slices in any order. Those of one track may touch, if they are added in one call, and
        must not overlap; an outer one that others lie within is added in a call before.
        """
        count = len(start_ns)
        order = np.lexsort((end_ns, start_ns, track))
        start_ns, end_ns, track, name = start_ns[order], end_ns[order], track[order], name[order]
        both = np.stack([start_ns, end_ns], axis=1).ravel()
        begins = np.zeros(2 * count, dtype=np.bool_)
        begins[::2] = True
        nobody = np.full(count, NONE, dtype=np.int64)
        given = nobody if flow_in is None else flow_in[order]
        self._add(
            both,
            np.where(begins, Kind.BEGIN, Kind.END).astype(np.int8),
            np.repeat(track, 2),
            np.stack([name, nobody], axis=1).ravel(),
            [_of_begins(argument, order) for argument in arguments],
            flow_in=np.stack([given, nobody], axis=1).ravel(),
        )

    def _add(
        self,
        time_ns: I64,
        kind: npt.NDArray[np.int8],
        track: I64,
        name: I64,
        arguments: Sequence[Argument] = (),
        value: I64 | None = None,
        flow_out: I64 | None = None,
        flow_in: I64 | None = None,
    ) -> None:
        count = len(time_ns)
        none = np.full(count, NONE, dtype=np.int64)
        known = np.zeros((count, len(arguments)), dtype=np.bool_)
        bits = np.zeros((count, len(arguments)), dtype=np.int64)
        sorts = np.zeros((count, len(arguments)), dtype=np.int8)
        codes = np.array([self.argument_names.of(a.name) for a in arguments], dtype=np.int64)
        for at, argument in enumerate(arguments):
            known[:, at] = argument.known
            bits[:, at] = argument.value.astype(np.int64, copy=False)
            sorts[:, at] = argument.sort
        counts = known.sum(axis=1, dtype=np.int64)
        self.parts.append(
            Events(
                time_ns=time_ns,
                kind=kind,
                track=track,
                name=name,
                value=none if value is None else value,
                flow_out=none if flow_out is None else flow_out,
                flow_in=none if flow_in is None else flow_in,
                first=np.cumsum(counts) - counts,
                count=counts,
                argument=np.broadcast_to(codes, known.shape)[known],
                sort=sorts[known],
                argument_value=bits[known],
            )
        )

    def events(self) -> Events:
        """All events in the order of time; those of one time in the order in which they were added."""
        parts = self.parts or [_nothing()]
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Events.__dataclass_fields__
        }
        arguments = [len(part.argument) for part in parts]
        before = np.cumsum(arguments) - arguments
        joined["first"] += np.repeat(before, [len(part) for part in parts])
        order = np.argsort(joined["time_ns"], kind="stable")
        for name in ("time_ns", "kind", "track", "name", "value", "flow_out", "flow_in"):
            joined[name] = joined[name][order]
        joined["first"], joined["count"] = joined["first"][order], joined["count"][order]
        return Events(**joined)


def _of_begins(argument: Argument, order: I64) -> Argument:
    """Arguments of slices as those of their beginnings; an end has none."""
    known = np.zeros(2 * len(order), dtype=np.bool_)
    known[::2] = argument.known[order]
    value = np.repeat(argument.value[order], 2)
    sort = argument.sort
    return Argument(
        argument.name,
        np.repeat(sort[order], 2) if isinstance(sort, np.ndarray) else sort,
        value,
        known,
    )


def _nothing() -> Events:
    empty = np.zeros(0, dtype=np.int64)
    narrow = np.zeros(0, dtype=np.int8)
    return Events(
        time_ns=empty,
        kind=narrow,
        track=empty,
        name=empty,
        value=empty,
        flow_out=empty,
        flow_in=empty,
        first=empty,
        count=empty,
        argument=empty,
        sort=narrow,
        argument_value=empty,
    )

# SPDX-License-Identifier: MIT
"""An exported trace read back with the readers of scxval.formats.perfetto, and what tests ask of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from scxval.events.capability import Capability, read_capability
from scxval.events.table import read_events
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.interned import read_interned
from scxval.formats.perfetto.packets import read_packets
from scxval.formats.perfetto.track_events import (
    COUNTER,
    INSTANT,
    SLICE_BEGIN,
    SLICE_END,
    read_annotations,
    read_flows,
    read_track_events,
)
from scxval.formats.perfetto.tracks import read_tracks
from scxval.formats.perfetto.wire import FIXED64, repeated
from scxval.perfetto.side import Side, read_side

from ..captures import FIXTURES

KERNEL = FIXTURES / "perfetto/kernel"
SIMULATOR = FIXTURES / "perfetto/simulator"


@dataclass(frozen=True)
class Event:
    """One track event; `args` are its annotations, flows the ids that begin or end at it."""

    time_ns: int
    kind: int
    track: str
    name: str | None
    value: int
    args: dict[str, int | str]
    flow_out: tuple[int, ...]
    flow_in: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """A slice: a beginning with its end."""

    track: str
    name: str | None
    start_ns: int
    end_ns: int
    args: dict[str, int | str]


@dataclass(frozen=True)
class Back:
    """A trace read back; `tracks` are paths of names, `/` between."""

    tracks: list[str]
    events: list[Event]

    def slices(self) -> list[Span]:
        """Every slice; fails for an end without a beginning, and a beginning without an end."""
        made: list[Span] = []
        open_by_track: dict[str, list[Event]] = {}
        for event in self.events:
            if event.kind == SLICE_BEGIN:
                open_by_track.setdefault(event.track, []).append(event)
            elif event.kind == SLICE_END:
                began = open_by_track[event.track].pop()
                made.append(Span(event.track, began.name, began.time_ns, event.time_ns, began.args))
        assert not any(open_by_track.values())
        return made

    def of(self, kind: int, track: str = "") -> list[Event]:
        """Events of a kind, on tracks whose path ends so."""
        return [e for e in self.events if e.kind == kind and e.track.endswith(track)]

    def counts(self) -> dict[str, int]:
        """What the UI's tables count."""
        kinds = [event.kind for event in self.events]
        return {
            "slice": kinds.count(SLICE_BEGIN) + kinds.count(INSTANT),
            "counter": kinds.count(COUNTER),
            "flow": sum(len(event.flow_in) for event in self.events),
        }


def read_back(path: Path) -> Back:
    """Read a trace; fails for anything in it that the readers do not understand."""
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    faults = Faults()
    packets = read_packets(data, faults)
    assert (packets.sequence != 0).all(), "a packet of no sequence is dropped in silence"
    tracks = read_tracks(data, packets, faults)
    interned = read_interned(data, packets)
    events = read_track_events(data, packets, interned, faults)
    notes = read_annotations(data, packets, events, interned, faults)
    assert faults.counts == {}
    # Ids are of 64 bits: their order in the file is the order of the events.
    out_owner, out = read_flows(data, events)
    in_owner, into, _ = repeated(data, events.spans, 48, FIXED64)
    paths = _paths(tracks)
    args: list[dict[str, int | str]] = [{} for _ in range(len(events))]
    for at, name, sort, value in zip(
        notes.event.tolist(), notes.name, notes.sort, notes.value.tolist(), strict=True
    ):
        is_text = sort == 5
        args[at][notes.names[name]] = notes.strings[value] if is_text else value
    return Back(
        list(paths.values()),
        [
            Event(
                time_ns=int(packets.timestamp[events.packet[i]]),
                kind=int(events.type[i]),
                track=paths[int(events.track[i])],
                name=events.names[events.name[i]] if events.name[i] >= 0 else None,
                value=int(events.counter[i]),
                args=args[i],
                flow_out=tuple(out[out_owner == i].tolist()),
                flow_in=tuple(into[in_owner == i].tolist()),
            )
            for i in range(len(events))
        ],
    )


def _paths(tracks) -> dict[int, str]:  # type: ignore[no-untyped-def]
    paths: dict[int, str] = {}
    for uuid, parent, has, name in zip(
        tracks.uuid.tolist(), tracks.parent.tolist(), tracks.has_parent, tracks.name, strict=True
    ):
        own = tracks.names[name]
        paths[uuid] = f"{paths[parent]}/{own}" if has else own
    return paths


def side_of(table: pa.Table, **changed: object) -> Side:
    """A table as a side: the fixture's capability, the whole table its window."""
    times = table["time_ns"].to_pylist()
    window = (min(times), max(times))
    side = replace(read_side(KERNEL, "x"), events=table, window_ns=window, traced_ns=window)
    return replace(side, **changed)  # type: ignore[arg-type]


def copied(folder: Path, to: Path, **changed: object) -> Path:
    """A copy of a fixture with other keys in its capability.json."""
    shutil.copytree(folder, to)
    path = to / "capability.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    return to


def fixture_table(folder: Path) -> tuple[pa.Table, Capability]:
    """A fixture's table and capability."""
    return read_events(folder / "events.parquet"), read_capability(folder / "capability.json")

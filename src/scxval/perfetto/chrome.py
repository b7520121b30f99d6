# SPDX-License-Identifier: MIT
"""Writes a timeline as Chrome's JSON trace format, for chrome://tracing and tools that read no protobuf.

The format has processes with threads and nothing deeper: each side is a process, each track a thread.
Times are microseconds with three decimals, which is every nanosecond. Whole slices (`X`) hold an arrow's
ends by `bind_id`. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from scxval.files import whole
from scxval.perfetto.timeline import NONE, Events, Holds, Kind, Sort, Timeline, Track

# JavaScript's numbers are exact up to here.
_EXACT = 1 << 53


def write_json_trace(timeline: Timeline, path: Path) -> int:
    """Write the trace, whole or not at all; its size in bytes. Equal timelines give equal bytes."""
    with whole(path) as (part,), part.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        file.write(",\n".join(_about(timeline.tracks)))
        for line in _lines(timeline, timeline.events()):
            file.write(",\n" + line)
        file.write("\n]}\n")
        return file.tell()


def _process(tracks: list[Track], number: int) -> int:
    while tracks[number].parent != NONE:
        number = tracks[number].parent
    return number + 1


def _about(tracks: list[Track]) -> Iterator[str]:
    """Names and order of the processes and threads."""
    for number, track in enumerate(tracks):
        process = _process(tracks, number)
        if track.parent == NONE:
            yield _said("process_name", process, 0, {"name": track.name})
            yield _said("process_sort_index", process, 0, {"sort_index": number})
        elif track.holds in (Holds.SLICES, Holds.INSTANTS):
            yield _said("thread_name", process, number + 1, {"name": track.name})
            yield _said("thread_sort_index", process, number + 1, {"sort_index": number})


def _said(what: str, process: int, thread: int, args: dict[str, object]) -> str:
    event = {"ph": "M", "name": what, "pid": process, "tid": thread, "args": args}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)


def _quoted(text: str) -> str:
    # The UI's reader (v52) leaves the escapes of most strings as they are: none that can be avoided.
    return json.dumps(text, ensure_ascii=False)


def _microseconds(time_ns: int) -> str:
    return f"{time_ns // 1000}.{time_ns % 1000:03d}"


def _lines(timeline: Timeline, events: Events) -> Iterator[str]:
    """A line an event, in the order of time; a slice at its beginning."""
    tracks = timeline.tracks
    where = [
        f'"pid":{_process(tracks, number)},"tid":{number + 1}' for number in range(len(tracks))
    ]
    counted = [_quoted(track.name) for track in tracks]
    names = [_quoted(name) for name in timeline.names.list]
    arguments = _Arguments(timeline, events)
    ends = _ends(events)
    columns = (
        events.time_ns,
        events.kind,
        events.track,
        events.name,
        events.value,
        events.flow_out,
        events.flow_in,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for i, (time, kind, track, name, value, flow_out, flow_in) in enumerate(rows):
        at = f'"ts":{_microseconds(time)},{where[track]}'
        if kind == Kind.COUNTER:
            yield f'{{"ph":"C","name":{counted[track]},{at},"args":{{"value":{value}}}}}'
        elif kind != Kind.END:
            said = arguments.of(i)
            bound = ""
            if flow_out != NONE:
                bound = f',"bind_id":"{flow_out + 1:#x}","flow_out":true'
            elif flow_in != NONE:
                bound = f',"bind_id":"{flow_in + 1:#x}","flow_in":true'
            # Only a slice can hold an arrow's end: a point that does is one of no length.
            if kind == Kind.INSTANT and not bound:
                form = '"ph":"i","s":"t"'
            else:
                end = ends[i] if kind == Kind.BEGIN else time
                form = f'"ph":"X","dur":{_microseconds(end - time)}'
            yield f'{{{form},"name":{names[name]},{at}{bound},"args":{{{said}}}}}'


def _ends(events: Events) -> dict[int, int]:
    """When each slice ends, by the place of its beginning: slices of a track nest."""
    open_slices: dict[int, list[int]] = {}
    ends: dict[int, int] = {}
    for i, (time, kind, track) in enumerate(
        zip(events.time_ns.tolist(), events.kind.tolist(), events.track.tolist(), strict=True)
    ):
        if kind == Kind.BEGIN:
            open_slices.setdefault(track, []).append(i)
        elif kind == Kind.END:
            ends[open_slices[track].pop()] = time
    return ends


class _Arguments:
    """The arguments of events as the inside of a JSON object."""

    def __init__(self, timeline: Timeline, events: Events) -> None:
        self.names = [_quoted(name) for name in timeline.argument_names.list]
        self.texts = [_quoted(text) for text in timeline.texts.list]
        self.first, self.count = events.first.tolist(), events.count.tolist()
        self.argument, self.sort = events.argument.tolist(), events.sort.tolist()
        self.value = events.argument_value.tolist()

    def of(self, event: int) -> str:
        """Those of one event."""
        first = self.first[event]
        return ",".join(
            f"{self.names[self.argument[k]]}:{self._value(self.sort[k], self.value[k])}"
            for k in range(first, first + self.count[event])
        )

    def _value(self, sort: int, value: int) -> str:
        if sort == Sort.TEXT:
            return self.texts[value]
        if sort == Sort.BOOL:
            return "true" if value else "false"
        if sort == Sort.HEX:
            return f'"{value & (1 << 64) - 1:#x}"'
        return str(value) if abs(value) < _EXACT else f'"{value}"'

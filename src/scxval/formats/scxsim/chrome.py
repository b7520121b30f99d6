# SPDX-License-Identifier: MIT
"""The simulator's Chrome JSON: a process for each CPU, slices B and E on it, instants for the rest.

Times are microseconds, cut off, so that the order within one is the file's. Elements are read one by
one: a file that was cut keeps what came before, and after damage reading goes on at the next element.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError
from scxval.events.schema import MAX_CPU, TraceKind
from scxval.formats.conversion import Conversion, Losses
from scxval.formats.scxsim.kinds import ABOUT_A_CPU, CALL_REACH, OFF, TRACK_REACH, instant_kind
from scxval.formats.scxsim.rows import (
    MAX_TID,
    MAX_TIME_NS,
    BadRecord,
    Rows,
    dsq_id,
    finish,
    number,
    wide,
)
from scxval.formats.source import read_source

SOURCE = "scxsim-chrome"
TRUNCATED_NOTE = (
    "times are whole microseconds, cut off: up to 999 ns early, and of intervals up to 1 us wrong; "
    "the Perfetto format has nanoseconds"
)
CUT_NOTE = "the file ends in the middle of its list: only what came before is here"
_BEGIN = re.compile(r'\s*\{\s*"traceEvents"\s*:\s*\[\s*')
_SPACE = re.compile(r"\s*")
_NEXT = re.compile(r"\}\s*,\s*(?=\{)")
_DECODER = json.JSONDecoder()


def recognises(head: bytes) -> bool:
    """Whether a file begins as the simulator's: its first process is named `CPU <its number>`, whose
    thread 0 is `running`. Other tools number processes by pid."""
    text = head.decode("utf-8", "replace")
    begin = _BEGIN.match(text)
    if not begin:
        return False
    try:
        first, at = _DECODER.raw_decode(text, begin.end())
        second, _ = _DECODER.raw_decode(text, text.index("{", at))
        return bool(
            [first["ph"], first["name"], first["args"]["name"]]
            == ["M", "process_name", f"CPU {first['pid']}"]
            and [second["name"], second["args"]["name"]] == ["thread_name", "running"]
        )
    except (ValueError, RecursionError, KeyError, TypeError):
        return False


def convert(path: Path) -> Conversion:
    """Read a file, plain or gzip. Raises ScxvalError when it is none of the simulator's."""
    source = read_source(path)
    text = source.data.decode("utf-8", "replace")
    begin = _BEGIN.match(text)
    if not begin:
        raise ScxvalError(f"{path}: no list of traceEvents at its beginning: export it again")
    found = Rows()
    whole = _read(text, begin.end(), found)
    notes = [TRUNCATED_NOTE, source.note, "" if whole else CUT_NOTE]
    return finish(
        SOURCE,
        found.made(),
        (found.kinds, found.names, found.probes.list),
        {**TRACK_REACH, **CALL_REACH},
        Losses(0, found.unparsed, found.examples),
        notes,
    )


def _read(text: str, at: int, found: Rows) -> bool:
    """All elements; whether the list has its end."""
    place = 0
    while True:
        if text.startswith("]", at):
            return True
        where = f"element {place}"
        try:
            element, after = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            again = _NEXT.search(text, at)
            if not again:
                if text[at:].strip():
                    found.bad(where, text[at:])
                return False
            found.bad(where, text[at : again.end()])
            at, place = again.end(), place + 1
            continue
        try:
            _take(element, place, found)
        except (BadRecord, KeyError, TypeError, AttributeError):
            found.bad(where, text[at:after])
        place += 1
        at = _space(text, after)
        if text.startswith(",", at):
            at = _space(text, at + 1)
        elif not text.startswith("]", at):
            if at >= len(text):
                return False
            found.bad(f"after {where}", text[at:])
            again = _NEXT.search(text, at)
            if not again:
                return False
            at = again.end()


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _take(element: dict[str, Any], place: int, found: Rows) -> None:
    """The row of an element, none for metadata; raises BadRecord and what wrong types raise."""
    phase = element["ph"]
    if phase == "M":
        return
    cpu = number(element["pid"], 0, MAX_CPU)
    time_ns = number(element["ts"], 0, MAX_TIME_NS // 1000) * 1000
    args = element.get("args") or {}
    at = (place, time_ns, cpu)
    if phase == "B":
        name = _text(element["name"])
        found.add(*at, TraceKind.TASK_SCHEDULED, "B", tid=_tid(args["pid"]), comm=name)
    elif phase == "E":
        why = _text(args["reason"])
        kind, reason = OFF.get(why, (why, None))
        found.add(*at, kind, "E", tid=_tid(args["pid"]), reason=reason)
    elif phase == "i":
        name = _text(element["name"])
        kind = instant_kind(name)
        found.add(*at, kind, name, **_columns(kind, args, cpu))
    else:
        raise BadRecord


def _columns(kind: str, args: dict[str, Any], cpu: int) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if kind == TraceKind.CPU_IDLE:
        return {"tid": 0, "comm": f"swapper/{cpu}"}
    if "pid" in args:
        given["tid"] = _tid(args["pid"])
    if kind == TraceKind.TASK_WOKE and "task" in args:
        given["comm"] = _text(args["task"])
    if kind == TraceKind.SELECT_TASK_RQ:
        given["other_cpu"] = number(args["selected_cpu"], 0, MAX_CPU)
    elif "target_cpu" in args:
        given["other_cpu"] = number(args["target_cpu"], 0, MAX_CPU)
    elif "cpu" in args and kind in ABOUT_A_CPU:
        given["other_cpu"] = number(args["cpu"], 0, MAX_CPU)
    if kind == TraceKind.BALANCE and args["prev_pid"] is not None:
        given["other_tid"] = _tid(args["prev_pid"])
    for name in ("enq_flags", "deq_flags"):
        if name in args:
            given["flags"] = wide(args[name])
    if "dsq_id" in args:
        given["dsq_id"] = dsq_id(args["dsq_id"])
    if kind in (TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME):
        given["slice_ns"] = wide(args["slice_ns"])
    if kind == TraceKind.DSQ_INSERT_VTIME:
        given["vtime"] = wide(args["vtime"])
    if kind == TraceKind.DSQ_MOVE_TO_LOCAL:
        if not isinstance(args["success"], bool):
            raise BadRecord
        given["success"] = int(args["success"])
    return given


def _tid(value: object) -> int:
    return number(value, 1, MAX_TID)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadRecord
    # A lone surrogate is valid JSON and no text.
    return value.encode("utf-8", "replace").decode()

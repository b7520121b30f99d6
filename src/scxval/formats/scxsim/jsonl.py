# SPDX-License-Identifier: MIT
"""The simulator's JSONL of struct_ops and kfunc calls: a line an entry, and one for what it returned.

It has no switches, wakeups or names of tasks. `wake_flags`, the `enq_flags` of inserts and the `flags`
of kicks are always 0 there, whatever the call had: they are not taken.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError
from scxval.events.schema import MAX_CPU, TraceKind
from scxval.formats.conversion import Conversion, Losses
from scxval.formats.scxsim.kinds import CALL_REACH, call_kind
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

SOURCE = "scxsim-structops"
NO_NAMES_NOTE = (
    "calls only, without names of tasks, so that none is joined by name; Perfetto has them"
)
CUT_NOTE = "the last line was cut off"
_FIRST = re.compile(
    rb'\{"ts_ns":(\d{1,19}),"cpu":\d+,"pid":\d+,"kind":"(?:structop|helper)","name":"\w+",'
    rb'"phase":"(?:entry|exit)","args":'
)
# The simulator's probes of real kernels write the same lines with times since boot. No kernel has
# attached a scheduler within its first second; the simulator's times begin at 0.
_EARLY_NS = 1_000_000_000


def recognises(head: bytes) -> bool:
    """Whether a file begins with a call of the simulator's: its keys in their order, time near 0."""
    first = _FIRST.match(head)
    return first is not None and int(first[1]) < _EARLY_NS


def convert(path: Path) -> Conversion:
    """Read a file, plain or gzip. Raises ScxvalError when it holds no call at all."""
    source = read_source(path)
    lines = source.data.split(b"\n")
    found = Rows()
    for place, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            _take(json.loads(line), place, found)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            found.bad(f"line {place + 1}", line.decode("utf-8", "replace"))
    if not found.columns["seq"]:
        raise ScxvalError(f"{path}: no call of the simulator can be read: export it again")
    # The simulator ends every line.
    cut = CUT_NOTE if lines[-1].strip() else ""
    return finish(
        SOURCE,
        found.made(),
        (found.kinds, found.names, found.probes.list),
        CALL_REACH,
        Losses(0, found.unparsed, found.examples),
        [NO_NAMES_NOTE, source.note, cut],
    )


def _take(record: dict[str, Any], place: int, found: Rows) -> None:
    """A row for an entry; an exit completes the row before it. Raises BadRecord and the like."""
    name, args = record["name"], record["args"]
    if not isinstance(name, str) or not re.fullmatch(r"[\w.:-]{1,64}", name, re.ASCII):
        raise BadRecord
    time_ns = number(record["ts_ns"], 0, MAX_TIME_NS)
    cpu = number(record["cpu"], 0, MAX_CPU)
    if record["phase"] == "exit":
        _complete(found, (time_ns, cpu, name), record["ret"])
        return
    if record["phase"] != "entry":
        raise BadRecord
    kind = call_kind(name)
    found.add(place, time_ns, cpu, kind, name, **_columns(kind, args))


def _complete(found: Rows, call: tuple[int, int, str], returned: object) -> None:
    """What a call returned: the simulator writes it right behind the entry."""
    columns = found.columns
    if not columns["seq"]:
        raise BadRecord
    before = (columns["time_ns"][-1], columns["cpu"][-1], found.probes.list[columns["probe"][-1]])
    if before != call:
        raise BadRecord
    kind = call_kind(call[2])
    if kind == TraceKind.SELECT_TASK_RQ:
        columns["other_cpu"][-1] = number(returned, 0, MAX_CPU)
    elif kind == TraceKind.DSQ_MOVE_TO_LOCAL:
        columns["success"][-1] = number(returned, 0, 1)


def _columns(kind: str, args: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if "task_pid" in args:
        given["tid"] = number(args["task_pid"], 1, MAX_TID)
    if "cpu_arg" in args:
        given["other_cpu"] = number(args["cpu_arg"], 0, MAX_CPU)
    if kind == TraceKind.BALANCE and args["prev_pid"] != -1:
        given["other_tid"] = number(args["prev_pid"], 1, MAX_TID)
    if kind not in (TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME):
        for name in ("enq_flags", "deq_flags"):
            if name in args:
                given["flags"] = wide(args[name])
    if "dsq_id" in args:
        given["dsq_id"] = dsq_id(args["dsq_id"])
    if kind in (TraceKind.DSQ_INSERT, TraceKind.DSQ_INSERT_VTIME):
        given["slice_ns"] = wide(args["slice"])
    if kind == TraceKind.DSQ_INSERT_VTIME:
        given["vtime"] = wide(args["vtime"])
    return given

# SPDX-License-Identifier: MIT
"""A file of scx_stats answers to a table of values over time.

Two forms, one JSON object a line: records of the sampler, which have the CLOCK_MONOTONIC times around each
request, and bare answers, which have no times. An answer with an error, and a record that cannot be read,
are counted; the values that follow one are then over a window that nobody knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.stats import stats_table
from scxval.events.table import empty_table
from scxval.formats.conversion import EXAMPLE_CHARS, EXAMPLES, StatsConversion
from scxval.formats.source import read_source
from scxval.tracers.scx_stats.meta import About, about, is_meta, top_of

SAMPLED = re.compile(rb'\s*\{\s*"t_(sent|recv)_mono_ns"\s*:\s*\d+\s*,')
BARE = re.compile(rb'\s*\{\s*"errno"\s*:\s*-?\d+\s*,\s*"args"\s*:\s*\{\s*"resp"\s*:')
# Deeper than any scheduler's statistics; what is nested for its own sake is not read.
DEPTH = 16
# A double holds every integer up to here.
EXACT = 1 << 53
LAST_NS = (1 << 63) - 1
NOT_JSON = "not JSON"

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What came back for one request; the times are None in a file without any."""

    sent_ns: int | None
    time_ns: int | None
    target: str
    body: Any


@dataclass
class Reading:
    """What has been read so far, and the time of the last answer that values may count from."""

    columns: dict[str, list[Any]] = field(
        default_factory=lambda: {
            name: [] for name in ("seq", "time_ns", "wait_ns", "window_ns", "path", "value", "text")
        }
    )
    keys: dict[str, Keys] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    answers: int = 0
    unparsed: int = 0
    examples: list[str] = field(default_factory=list)
    other_targets: int = 0
    last_ns: int | None = None
    since_ns: int | None = None

    def refuse(self, why: str, line: bytes) -> None:
        """Count a record that gives no values."""
        self.unparsed += 1
        self.since_ns = None
        if len(self.examples) < EXAMPLES:
            text = line[:EXAMPLE_CHARS].decode("utf-8", "replace").strip()
            self.examples.append(f"{why}: {text}"[:EXAMPLE_CHARS])


class Unreadable(Exception):
    """Why a record gives no values."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins like this holds answers of scx_stats, in either form."""
    return bool(SAMPLED.match(head) or BARE.match(head))


def convert(path: Path) -> StatsConversion:
    """Read a file (plain or gzip). Raises ScxvalError when it cannot be read or holds nothing of the kind."""
    source = read_source(path)
    return convert_text(source.data, str(path), source.note)


def convert_text(data: bytes, name: str = "statistics", note: str = "") -> StatsConversion:
    """Convert what a file holds; `note` says what is already known to be missing.

    Raises ScxvalError, with `name`, for data that is not of either form.
    """
    if not recognises(data[:EXAMPLE_CHARS]):
        raise ScxvalError(f"{name}: not answers of scx_stats: sample a scheduler again")
    read = Reading()
    whole, _, rest = data.rpartition(b"\n")
    lines = whole.split(b"\n")
    for seq, line in enumerate(lines):
        if line.strip():
            _take(read, seq, line)
    notes = [note] if note else []
    if rest.strip() and _take(read, len(lines), rest) == NOT_JSON:
        notes.append("the file ends in the middle of a record")
    return _conclude(read, notes)


def _take(read: Reading, seq: int, line: bytes) -> str:
    """Add one record's values, or count it; why it was not read, "" when it was."""
    try:
        answer = _answer(line)
        asked_ns = answer.time_ns if answer.sent_ns is None else answer.sent_ns
        if (_between(read.last_ns, asked_ns) or 0) < 0:
            raise Unreadable("the clock goes back")
        body = _response(answer.body)
        values = list(_values(body, ())) if not is_meta(body) else []
    except Unreadable as error:
        read.refuse(str(error), line)
        return str(error)
    except (ValueError, RecursionError):
        read.refuse(NOT_JSON, line)
        return NOT_JSON
    read.last_ns = answer.time_ns
    if is_meta(body):
        read.meta = body
    elif answer.target != "top":
        read.other_targets += 1
    else:
        _add(read, seq, answer, values)
    return ""


def _add(read: Reading, seq: int, answer: Answer, values: list[tuple[Keys, Any]]) -> None:
    time_ns = answer.time_ns
    wait_ns = _between(answer.sent_ns, time_ns)
    window_ns = _between(read.since_ns, time_ns)
    paths = [_path(keys) for keys, _ in values]
    read.keys.update(zip(paths, (keys for keys, _ in values), strict=True))
    many = len(values)
    columns = read.columns
    columns["seq"] += [seq] * many
    columns["time_ns"] += [time_ns] * many
    columns["wait_ns"] += [wait_ns] * many
    columns["window_ns"] += [window_ns] * many
    columns["path"] += paths
    for _, value in values:
        number, text = _number_and_text(value)
        columns["value"].append(number)
        columns["text"].append(text)
    read.answers += 1
    read.since_ns = time_ns


def _between(start_ns: int | None, end_ns: int | None) -> int | None:
    return None if start_ns is None or end_ns is None else end_ns - start_ns


def _answer(line: bytes) -> Answer:
    """The answer that a line holds. Raises Unreadable, or ValueError for what is not JSON."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise Unreadable("not a record")
    if "errno" in record:
        return Answer(None, None, "top", record)
    time_ns = record.get("t_recv_mono_ns")
    sent_ns = record.get("t_sent_mono_ns")
    for clock in (time_ns, sent_ns):
        if clock is not None and not (type(clock) is int and 0 <= clock <= LAST_NS):
            raise Unreadable("not a time")
    if time_ns is None:
        raise Unreadable("no answer")
    if sent_ns is not None and sent_ns > time_ns:
        raise Unreadable("answered before it was asked")
    received = record.get("recv")
    if not isinstance(received, str) or not received.endswith("\n"):
        raise Unreadable("the answer was cut")
    return Answer(sent_ns, time_ns, _target(record.get("sent")), json.loads(received))


def _target(sent: object) -> str:
    """The target that a request names; `top` without one (scx_stats 1.1.2, server.rs)."""
    try:
        request = json.loads(sent) if isinstance(sent, str) else {}
    except ValueError:
        return "top"
    args = request.get("args") if isinstance(request, dict) else None
    return str(args.get("target", "top")) if isinstance(args, dict) else "top"


def _response(body: Any) -> Any:
    """What an answer holds. Raises Unreadable for one with an error."""
    args = body.get("args") if isinstance(body, dict) else None
    if not isinstance(args, dict) or "resp" not in args or type(body.get("errno")) is not int:
        raise Unreadable("not an answer")
    if body["errno"] != 0:
        words = str(args["resp"]).split("\n", 1)[0]
        raise Unreadable(f"errno {body['errno']}, {words}")
    if not isinstance(args["resp"], dict):
        raise Unreadable("no statistics in the answer")
    return args["resp"]


def _values(body: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    """Every value in an answer with the names that lead to it, in the scheduler's order."""
    if len(keys) > DEPTH:
        raise Unreadable(f"nested deeper than {DEPTH}")
    if isinstance(body, dict):
        for key, value in body.items():
            yield from _values(value, (*keys, key))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from _values(value, (*keys, str(index)))
    else:
        yield keys, body


def _path(keys: Keys) -> str:
    return "/".join(key.replace("%", "%25").replace("/", "%2F") for key in keys)


def _number_and_text(value: Any) -> tuple[float | None, str | None]:
    if isinstance(value, str):
        return None, value
    if value is None:
        return None, None
    if isinstance(value, int) and abs(value) > EXACT:
        # A double is near it; beyond its range there are only the digits.
        return (float(value) if abs(value) < 1 << 1000 else None), str(value)
    return float(value), None


def _conclude(read: Reading, notes: list[str]) -> StatsConversion:
    top = top_of(read.meta, {keys[0] for keys in read.keys.values() if keys})
    told = {path: about(read.meta, top, keys) for path, keys in read.keys.items()}
    paths = read.columns["path"]
    described: dict[str, list[Any]] = {
        name: [getattr(told[path], name) for path in paths] for name in About.__dataclass_fields__
    }
    table = stats_table({**read.columns, **described})
    notes.append(f"no events: {read.answers} answers with {table.num_rows} values")
    if read.answers and table["time_ns"].null_count:
        notes.append("bare answers: when they were given is not known")
    if not read.meta:
        notes.append("no answer to stats_meta: types and descriptions are not known")
    if read.other_targets:
        notes.append(f"{read.other_targets} answers of other targets than top are left out")
    record = Capability(
        source="scx_stats",
        kinds=[],
        unparsed=read.unparsed,
        examples=read.examples,
        notes=notes,
    )
    return StatsConversion(empty_table(), record, table)

# SPDX-License-Identifier: MIT
"""When a wprof session began on the guest's CLOCK_MONOTONIC: its output counts from there.

Only the dump (wprof.data) says so. Its header, version 3, as it stands in captures: `WPROF` and a zero
byte, the header's size (u16 at 6), major and minor version (u32 at 16 and 20), and at 200 and 208 where the
session's record lies after the header and its size. That record is four u64: MONOTONIC and REALTIME at
the session's start and its duration, in nanoseconds, and bits of what was captured. It is believed only
where REALTIME and duration are those of the converted file.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.events.capability import GUEST_CLOCK
from scxval.formats.source import GZIP_MAGIC, read_head, read_source

MAGIC = b"WPROF\0"
DUMP_FILE = "wprof.data"
MAJOR = 3
_HEADER = struct.Struct("<6sHQII")
_SESSION_AT = 200
_RECORD_BYTES = 32
# No clock of a machine is near this; sums of two such times are still 64-bit numbers.
LATEST_NS = 1 << 62
# Marks of one run further apart than this: REALTIME was set, or is being slewed.
_STEP_NS = 100_000
RELATIVE = (
    "times count from the start of the wprof session: no wprof.data of the same session lies beside "
    "the trace, and no run's provenance.json"
)


@dataclass(frozen=True)
class Start:
    """What a replay says of its session's start: REALTIME in ns, known to within `exact_to_ns`, and the
    session's duration (None where the format has none)."""

    real_ns: int
    exact_to_ns: int
    duration_ns: int | None = None


@dataclass(frozen=True)
class Origin:
    """MONOTONIC at the session's start (0: not known), and a note on where that is known from."""

    mono_ns: int
    note: str

    @property
    def clock(self) -> str:
        """What times are of, as in Capability."""
        return GUEST_CLOCK if self.mono_ns else "session"


def check_version(text: str, where: str) -> None:
    """Raise ScxvalError unless a version `major.minor` has the major number that is understood."""
    major = text.partition(".")[0]
    if major != str(MAJOR):
        raise ScxvalError(
            f"{where}: of wprof's format {text}, and {MAJOR} is what is understood: record and replay "
            f"with a wprof of format {MAJOR} (wprof 0.5)"
        )


def from_timestamp(text: str, duration_ns: int | None) -> Start | None:
    """The start that the JSON header's `timestamp` tells, which is cut to milliseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return Start(micros * 1000, 1_000_000, duration_ns)


def origin(trace: Path, start: Start | None) -> Origin:
    """When the session of a replay began: by the dump beside it, else by the clocks of the run.

    Raises ScxvalError when the dump beside it has a foreign version.
    """
    if start is None:
        return Origin(0, RELATIVE)
    for name in (DUMP_FILE, f"{DUMP_FILE}.gz"):
        dump = trace.with_name(name)
        if dump.is_file():
            found = _by_dump(dump, start)
            if found is not None:
                return found
    # A run's trace lies in its raw folder, or in one below that.
    for folder in trace.parents[1:4]:
        found = _by_marks(folder / "provenance.json", start)
        if found is not None:
            return found
    return Origin(0, RELATIVE)


def _by_dump(dump: Path, start: Start) -> Origin | None:
    """None when the dump cannot be read or is of another session."""
    try:
        head = read_head(dump, _SESSION_AT + 16)
    except ScxvalError:
        return None
    if not head.startswith(MAGIC) or len(head) < _SESSION_AT + 16:
        return None
    _, size, _, major, minor = _HEADER.unpack_from(head)
    check_version(f"{major}.{minor}", str(dump))
    offset, length = struct.unpack_from("<QQ", head, _SESSION_AT)
    record = _bytes_at(dump, size + offset, _RECORD_BYTES)
    if length != _RECORD_BYTES or len(record) != _RECORD_BYTES:
        return None
    mono_ns, real_ns, duration_ns, _ = struct.unpack("<4Q", record)
    same = 0 <= real_ns - start.real_ns < start.exact_to_ns and mono_ns < LATEST_NS
    if not same or start.duration_ns not in (None, duration_ns):
        return None
    return Origin(mono_ns, f"the session's start on CLOCK_MONOTONIC is that of {DUMP_FILE}")


def _bytes_at(path: Path, offset: int, size: int) -> bytes:
    """Some bytes of what a file holds, fewer where it ends before; a plain file is not read through."""
    try:
        with path.open("rb") as file:
            if not file.read(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
                file.seek(offset)
                return file.read(size)
        return read_source(path).data[offset : offset + size]
    except (OSError, OverflowError, ValueError, ScxvalError):
        return b""


def _by_marks(provenance: Path, start: Start) -> Origin | None:
    """By the clocks that the run read together; None without them, or when REALTIME was set."""
    try:
        clocks = json.loads(provenance.read_text(encoding="utf-8"))["clocks"]
        apart = [int(mark["real_ns"]) - int(mark["mono_ns"]) for mark in clocks]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not apart or not 0 <= start.real_ns - apart[0] < LATEST_NS:
        return None
    if max(apart) - min(apart) > _STEP_NS:
        return Origin(0, f"{RELATIVE} whose clocks agree: REALTIME was set or slewed in the run")
    half = start.exact_to_ns // 2
    known = f" to {start.exact_to_ns / 1e6:g} ms" if half else ""
    return Origin(
        start.real_ns + half - apart[0],
        "the session's start on CLOCK_MONOTONIC is from its REALTIME and the clocks in "
        f"provenance.json{known}: no {DUMP_FILE} of the same session lies beside the trace",
    )

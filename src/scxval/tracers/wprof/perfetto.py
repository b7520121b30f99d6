# SPDX-License-Identifier: MIT
"""A Perfetto file that wprof wrote: track events, with the wakings of the ftrace view where it has one.

With the ftrace view alone (track events taken out by another tool) its switches are taken too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scxval.errors import ScxvalError
from scxval.events.columns import Names
from scxval.formats.conversion import Conversion, Losses, conclude
from scxval.formats.perfetto.clocks import BOOTTIME, REALTIME, read_clocks
from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.ftrace import read_bundles
from scxval.formats.perfetto.head import first_packets, message_fields
from scxval.formats.perfetto.packets import CLOCK_SNAPSHOT, Packets, read_packets
from scxval.formats.perfetto.wire import Data
from scxval.formats.source import read_source
from scxval.tracers.wprof import ftrace, rows
from scxval.tracers.wprof.events import read_events, thread_groups
from scxval.tracers.wprof.session import Origin, Start, origin
from scxval.tracers.wprof.trackevent import Converter, session_start

# The one sequence that wprof writes; its first packet sets BOOTTIME 0 against REALTIME.
_SEQUENCE_FIELD, _SEQUENCE = 10, 7


def recognises(head: bytes) -> bool:
    """Whether a file begins like wprof's: its sequence, and a clock that begins at 0."""
    packets = first_packets(head)
    snapshot = packets[0].get(CLOCK_SNAPSHOT) if packets else None
    if not isinstance(snapshot, bytes) or packets[0].get(_SEQUENCE_FIELD) != _SEQUENCE:
        return False
    clocks: dict[object, object] = {}
    for number, value in message_fields(snapshot):
        if number == 1 and isinstance(value, bytes):
            clock = dict(message_fields(value))
            clocks[clock.get(1)] = clock.get(2, 0)
    return set(clocks) == {BOOTTIME, REALTIME} and clocks[BOOTTIME] == 0


def convert(path: Path) -> Conversion:
    """Convert a Perfetto file, plain or gzip. Raises ScxvalError when it cannot be read."""
    source = read_source(path)
    data = np.frombuffer(source.data, dtype=np.uint8)
    faults, names = Faults(), Names()
    packets = read_packets(data, faults)
    if not len(packets):
        raise ScxvalError(f"{path}: no packet of a Perfetto trace can be read")
    events = read_events(data, packets, names, faults)
    bundles = read_bundles(data, packets, faults)
    began = _origin(path, data, packets, session_start(events))
    converter = Converter(events, thread_groups(data, packets, faults), began.mono_ns)
    wakings = ftrace.read_wakings(data, bundles, names, faults)
    found = converter.convert(wakings)
    by_ftrace = (
        [] if found.has("WAKER") else [w.rows(converter.pid_of, began.mono_ns) for w in wakings]
    )
    parts = [*found.parts, *by_ftrace]
    notes = [*([source.note] if source.note else []), began.note, *found.notes()]
    switched = found.switches + found.one_sided
    if not switched and len(bundles.cpu):
        more, unknown = ftrace.switch_rows(
            data, bundles, names, converter.pid_of, began.mono_ns, faults
        )
        parts.append(more)
        switched = len(more)
        notes.append(f"{unknown} switches do not say who went off: each CPU's first")
    lost, loss_notes = rows.losses(path)
    if packets.gaps:
        loss_notes.append(f"{packets.gaps} places where the file says that packets were dropped")
    woke = any(len(some.ns) for some in wakings)
    # The file does not say what was on: of what left no event nothing is known.
    captured = rows.Captured(
        sched=switched > 0,
        wakeup=woke or found.has("WAKER"),
        task_life=found.has("FORKING"),
        scx=None,
    )
    return conclude(
        rows.SOURCE,
        parts,
        names,
        rows.PROBES,
        rows.reach(captured, found.inserts, woke),
        Losses(lost, faults.unparsed, faults.examples),
        [*notes, *loss_notes, *faults.notes(), *rows.dsq_notes(captured, found.inserts, switched)],
        ordered=False,
        clock=began.clock,
    )


def _origin(path: Path, data: Data, packets: Packets, by_flows: int) -> Origin:
    """The session's start: by the flow ids of wakings, else by REALTIME as for the JSON output."""
    if by_flows:
        return Origin(
            by_flows,
            "the session's start on CLOCK_MONOTONIC is from the flow ids of wakings, which are such times",
        )
    readings = read_clocks(data, packets).of_snapshots()
    real = readings[0].get(REALTIME, 0) if readings else 0
    return origin(path, Start(real, 1) if real > 0 else None)

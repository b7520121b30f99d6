# SPDX-License-Identifier: MIT
"""What a bpftrace trace could see: the probes it had, the kinds they can produce, and what is blind.

Of two names for one operation that are both in a trace only the preferred is counted, because the
older one calls it. A sched_ext probe that nothing ever reached proves no zero: under the kernel's
own scheduler it sees none of what it is named for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scxval.events.schema import TraceKind
from scxval.formats.conversion import Reach
from scxval.tracers.bpftrace import SCRIPT_FILE
from scxval.tracers.bpftrace.probes import PROBES, SWITCH, SWITCH_KINDS, YIELDS, Point, Probe

# How many records each point left.
Seen = Mapping[Point, int]


def duplicates(seen: Seen) -> dict[str, int]:
    """Functions whose operation is also there under a preferred name, with their records."""
    present = {point.function for point in seen}
    dropped: set[str | None] = set()
    for probe in PROBES:
        names = [p.function for p in probe.variants if p.function in present]
        dropped.update(names[1:])
    return {
        name: sum(count for point, count in seen.items() if point.function == name)
        for name in sorted(name for name in dropped if name)
    }


def attached_points(listed: frozenset[str], seen: Seen, script: str) -> tuple[frozenset[str], str]:
    """Attach points that the trace could see, and a note on where that is known from.

    `listed` are those of the trace's header, `script` is the text of trace.bt or "".
    """
    observed = frozenset(point.point for point in seen)
    if listed:
        return listed | observed, ""
    named = re.findall(r"^(?:tracepoint|kprobe|kretprobe):[\w:]+", script, re.MULTILINE)
    if named:
        return frozenset(named) | observed, f"probes are those named in {SCRIPT_FILE}"
    return observed, f"no list of probes in the trace and no {SCRIPT_FILE}: only kinds with events"


def sees_yields(attached: frozenset[str], seen: Seen) -> bool:
    """Whether a task that yields would leave a record."""
    scx, fair = (probe.variants[0].point in attached for probe in YIELDS)
    return fair or (scx and _saw_sched_ext(seen))


def _saw_sched_ext(seen: Seen) -> bool:
    return any("scx" in (point.function or "") for point in seen)


def reach_of(attached: frozenset[str], seen: Seen) -> tuple[Reach, str]:
    """Kinds that the attached probes can produce with the columns of each; a note if some are blind."""
    reach: dict[TraceKind, frozenset[str]] = {}
    blind = False
    for probe in PROBES:
        points = [p for p in probe.variants if p.point in attached]
        if not points or (probe.kind is None and probe is not SWITCH):
            continue
        if probe.is_sched_ext and not _saw_sched_ext(seen):
            blind = True
            continue
        if probe is SWITCH:
            reach |= _switch_columns(sees_yields(attached, seen))
        elif probe.kind is not None:
            before = reach.get(probe.kind, frozenset())
            reach[probe.kind] = before | _columns(probe, points, attached)
    note = "no sched_ext probe was ever reached: their kinds are not measured" if blind else ""
    return reach, note


def _switch_columns(yields: bool) -> dict[TraceKind, frozenset[str]]:
    kinds = [*SWITCH_KINDS, *([TraceKind.TASK_YIELDED] if yields else [])]
    on_cpu = frozenset(("tid", "other_tid"))
    comes = (TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE)
    return {k: on_cpu if k in comes else on_cpu | {"prev_state", "reason"} for k in kinds}


def _columns(probe: Probe, points: list[Point], attached: frozenset[str]) -> frozenset[str]:
    found = set() if probe.reason is None else {"reason"}
    for point in points:
        found |= {column for column, key in probe.columns.items() if f"{key}=" in point.line}
        back = probe.returns.get(point.function or "")
        if back is not None and back.point in attached:
            found |= set(probe.return_columns)
    return frozenset(found)

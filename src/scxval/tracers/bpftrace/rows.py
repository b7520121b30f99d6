# SPDX-License-Identifier: MIT
"""Records of one bpftrace probe to event rows; what a row means is in docs/events.md.

Yields and returns become evidence rows here: what they say of other rows takes the whole trace
(`pairing`). Evidence about a CPU carries no tid, so that it is no task's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scxval.events.columns import EVIDENCE, NULL, WIDE, Columns, Ints, Side, off_cpu, rows, switches
from scxval.events.schema import Reason, TraceKind
from scxval.tracers.bpftrace.probes import EXIT, PROBES, SWITCH, YIELDS, Point, Probe
from scxval.tracers.bpftrace.records import Group, known_points

Values = npt.NDArray[np.int64] | npt.NDArray[np.uint64]

# Names of the records, by the code that rows carry in `probe`.
PROBE_NAMES = [point.record for point in known_points()]
PROBE_CODE = {name: code for code, name in enumerate(PROBE_NAMES)}

_PROBE_OF = {point.record: probe for probe in PROBES for point in probe.variants}
_RETURN_OF = {point.record: probe for probe in PROBES for point in probe.returns.values()}
_YIELD_COLUMNS = {"other_tid": "by", "other_cpu": "rq_cpu"}


def makes_rows(point: Point) -> bool:
    """Whether the point's records are events, and not evidence about others alone."""
    probe = _PROBE_OF.get(point.record)
    return probe is not None and probe is not EXIT and probe not in YIELDS


def rows_of(group: Group) -> Columns:
    """The rows that a group's records become."""
    record = group.point.record
    if record in _RETURN_OF:
        columns = {"other_tid": "by", **_RETURN_OF[record].return_columns}
        return _simple(group, EVIDENCE, NULL, columns)
    probe = _PROBE_OF[record]
    if probe is SWITCH:
        return _switches(group)
    if probe in YIELDS:
        return _simple(group, EVIDENCE, NULL, _YIELD_COLUMNS)
    return _simple(group, _kind(probe), probe.reason or NULL, dict(probe.columns))


def _kind(probe: Probe) -> TraceKind | int:
    return EVIDENCE if probe.kind is None else probe.kind


def _simple(
    group: Group, kind: TraceKind | int, reason: Reason | int, columns: dict[str, str]
) -> Columns:
    found = {column: group.values[key] for column, key in columns.items() if key in group.values}
    wide = {column: values for column, values in found.items() if column in WIDE}
    narrow = {
        column: _narrow(column, values) for column, values in found.items() if column not in wide
    }
    return rows(
        group.time_ns,
        2 * group.line,
        group.cpu,
        kind,
        PROBE_CODE[group.point.record],
        wide=wide,
        **narrow,
        reason=reason,
    )


def _narrow(column: str, values: Values) -> Ints:
    """Numbers for a column where negative is null: they may be wider than it (an errno)."""
    if column == "success":
        truth: Ints = (values != 0).astype(np.int8)
        return truth
    return _signed(np.maximum(values, NULL) if column == "other_cpu" else values)


def _signed(values: Values) -> Ints:
    # Every number but a wide one was read as a signed 32-bit one.
    return values.astype(np.int32)


def _switches(group: Group) -> Columns:
    values = group.values
    state = values["prev_state"]
    kind, reason = off_cpu(state)
    task = {name: _signed(numbers) for name, numbers in values.items() if numbers is not state}
    return switches(
        group.time_ns,
        group.line,
        group.cpu,
        PROBE_CODE[group.point.record],
        prev=Side(task["prev_pid"], task.get("prev_tgid"), task["prev_comm"]),
        next=Side(task["next_pid"], None, task["next_comm"]),
        off_kind=kind,
        off_reason=reason,
        prev_state=state,
    )

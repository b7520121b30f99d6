# SPDX-License-Identifier: MIT
"""Turns a bpftrace text into the canonical event table and its capability record.

What a row means, beyond the table of probes:

- `cpu` is the CPU that ran the code. `other_cpu` is the CPU it is about: the runqueue's for the
  operations on a runqueue, the target's for KickCpu and TaskWoke, the chosen one for SelectTaskRq,
  the destination for TaskMigrated. The origin of SelectTaskRq and TaskMigrated has no column: it is
  the CPU of the task's last row that went off CPU.
- `other_tid` is the task that was running (the waker, the inserter); for PutPrevTask it is the next
  task, for TaskForked the parent, for a switch the task on the other side.
- sched_switch gives a row for the task that goes off its CPU (none for idle), then one for what
  comes on: TaskScheduled, or CpuIdle. `prev_state` is as the tracepoint reports it (see
  __trace_sched_switch_state): 0x100 preempted in the kernel, 0 still runnable, 0x10 and 0x20 dead,
  anything else asleep; 0x80 is TASK_IDLE there, not TASK_DEAD.
- TaskYielded needs proof: the task called yield on that CPU since it was switched in, and at most
  one pick was made there since, because a yield picks at once and one that kept the task proves
  nothing about a later switch. Any other runnable task was preempted: reason `preempt` when state
  0x100 says so or when yields are seen and none came, `unknown` when yields cannot be seen. (A
  sleep called off by a wakeup before it began ends runnable too; nothing tells it apart.)
- A return probe is paired with the last entry on its CPU, by the same task: all of them run without
  migration or nesting. An entry without its return keeps nulls.
- Of two names for one operation that are both in a trace only the preferred is counted, because the
  older one calls it.
- `pid` and missing `comm` are those that the trace itself gives for that tid nearest before, else
  after; a fork of the tid separates its lives. Idle is pid 0.
- `seq` is twice the line's number, plus one for what comes on in a switch.

The kernel skips a probe that fires inside another BPF program on the same CPU, and nothing reports
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.capability import Capability
from scxval.events.schema import EVENT_SCHEMA, Reason, TraceKind
from scxval.formats.source import read_source
from scxval.tracers.bpftrace import LOST_PATTERN, SCRIPT_FILE
from scxval.tracers.bpftrace.probes import (
    EXIT,
    HEADER,
    PICK_TASK,
    PROBES,
    SWITCH,
    SWITCH_KINDS,
    YIELDS,
    Point,
    Probe,
)
from scxval.tracers.bpftrace.records import Group, LineCounts, Records, read_records
from scxval.tracers.bpftrace.scan import Flags, Positions, Words

SOURCE = "bpftrace"
STATE_PREEMPTED = 0x100
STATE_DEAD = 0x10 | 0x20
STATE_ASLEEP = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80

KINDS = list(TraceKind)
REASONS = list(Reason)
_KIND = {kind: code for code, kind in enumerate(KINDS)}
_REASON = {reason: code for code, reason in enumerate(REASONS)}

# In these columns -1 is null; the others carry a mask.
CODED = ("tid", "pid", "comm", "other_tid", "other_cpu", "reason", "success")
WIDE = ("dsq_id", "slice_ns", "vtime", "flags", "prev_state")

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Conversion:
    """An event table (sorted), its capability, and how every line and record was used.

    `rows` counts records that made rows (a switch counts once), `evidence` those that made none:
    exits, yields and returns. `duplicates` were dropped because a preferred name covers them.
    """

    table: pa.Table
    capability: Capability
    lines: LineCounts
    rows: int
    evidence: int
    duplicates: int


def recognises(head: bytes) -> bool:
    """Whether the beginning of a file (some kilobytes) is this tracer's text."""
    first = head.decode("utf-8", "replace").lstrip("\n").split("\n", 1)[0]
    return first == HEADER or re.fullmatch(r"Attached \d+ probes?|\d+ \d+ BEGIN", first) is not None


def convert(path: Path) -> Conversion:
    """Convert a trace (plain or .gz), held in memory several times over while it lasts.

    trace.bt and tracer.log beside it are used when they are there: for the list of probes when the
    trace has no header, and for lost events. Raises ScxvalError when the file cannot be read.
    """
    script = path.with_name(SCRIPT_FILE)
    log = path.with_name("tracer.log")
    source = read_source(path)
    result = convert_text(
        source.data,
        script.read_text(encoding="utf-8", errors="replace") if script.is_file() else "",
        log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "",
    )
    if not source.note:
        return result
    notes = [source.note, *result.capability.notes]
    return replace(result, capability=replace(result.capability, notes=notes))


def convert_text(text: bytes, script: str = "", log: str = "") -> Conversion:
    """Convert a trace that is in memory; `script` and `log` are trace.bt and tracer.log, or ""."""
    records = read_records(text)
    groups, duplicates, notes = _without_duplicates(records.groups)
    attached, origin = _attached(records, script)
    if origin:
        notes.append(origin)
    notes += _line_notes(records)
    rows = _Rows(records, groups)
    unpaired = rows.fill_all(_sees_yields(attached, groups))
    if unpaired:
        notes.append(f"{unpaired} returns had no entry before them and were left out")
    table = rows.table()
    kinds, fields, blind = _reach(attached, groups, _has_pids(table))
    if blind:
        notes.append(blind)
    lost = sum(int(m[1]) for m in re.finditer(LOST_PATTERN, log, re.MULTILINE))
    times = table["time_ns"]
    capability = Capability(
        source=SOURCE,
        kinds=kinds,
        fields=fields,
        lost=records.lost + lost,
        unparsed=records.counts.unparsed,
        examples=records.examples,
        window_ns=(times[0].as_py(), times[-1].as_py()) if len(times) else None,
        events=table.num_rows,
        notes=notes,
    )
    return Conversion(
        table,
        capability,
        records.counts,
        rows=rows.records,
        evidence=records.counts.records - rows.records - duplicates,
        duplicates=duplicates,
    )


# -- what the trace could see


def _without_duplicates(groups: list[Group]) -> tuple[list[Group], int, list[str]]:
    """Drop records of a name whose operation is also there under a preferred name."""
    present = {group.point.function for group in groups}
    dropped: set[str | None] = set()
    for probe in PROBES:
        names = [p.function for p in probe.variants if p.function in present]
        dropped.update(names[1:])
    dropped.discard(None)
    kept = [group for group in groups if group.point.function not in dropped]
    notes = []
    for name in sorted(name for name in dropped if name):
        count = sum(len(g.rank) for g in groups if g.point.function == name)
        notes.append(
            f"{count} records of {name} left out: the newer function it calls is traced too"
        )
    return kept, sum(len(g.rank) for g in groups) - sum(len(g.rank) for g in kept), notes


def _attached(records: Records, script: str) -> tuple[frozenset[str], str]:
    """Attach points that the trace could see, and a note on where that is known from."""
    observed = frozenset(group.point.point for group in records.groups)
    if records.attached:
        return records.attached | observed, ""
    named = re.findall(r"^(?:tracepoint|kprobe|kretprobe):[\w:]+", script, re.MULTILINE)
    if named:
        return frozenset(named) | observed, f"probes are those named in {SCRIPT_FILE}"
    return observed, f"no list of probes in the trace and no {SCRIPT_FILE}: only kinds with events"


def _sees_yields(attached: frozenset[str], groups: list[Group]) -> bool:
    scx, fair = (probe.variants[0].point in attached for probe in YIELDS)
    return fair or (scx and _saw_sched_ext(groups))


def _saw_sched_ext(groups: Iterable[Group]) -> bool:
    return any("scx" in (group.point.function or "") for group in groups)


def _has_pids(table: pa.Table) -> bool:
    return bool(pc.any(pc.greater(table["pid"], 0)).as_py())


def _reach(
    attached: frozenset[str], groups: list[Group], pids: bool
) -> tuple[list[str], dict[str, list[str]], str]:
    """Kinds that the attached probes can produce, the columns of each, a note if some are blind.

    A sched_ext probe that nothing ever reached proves no zero: under the kernel's own scheduler it
    sees none of what it is named for.
    """
    fields: dict[TraceKind, set[str]] = {}
    blind = False
    for probe in PROBES:
        points = [p for p in probe.variants if p.point in attached]
        if not points or (probe.kind is None and probe is not SWITCH):
            continue
        if probe.is_sched_ext and not _saw_sched_ext(groups):
            blind = True
            continue
        if probe is SWITCH:
            for kind, columns in _switch_fields(_sees_yields(attached, groups)).items():
                fields.setdefault(kind, set()).update(columns)
        elif probe.kind is not None:
            fields.setdefault(probe.kind, set()).update(_fields(probe, points, attached))
    for columns in fields.values():
        if "tid" in columns:
            columns.update(("comm", "pid") if pids else ("comm",))
    kinds = [kind for kind in KINDS if kind in fields]
    order = EVENT_SCHEMA.names
    note = "no sched_ext probe was ever reached: their kinds are not measured" if blind else ""
    return (
        [str(kind) for kind in kinds],
        {str(kind): [name for name in order if name in fields[kind]] for kind in kinds},
        note,
    )


_ALWAYS = frozenset(("time_ns", "cpu", "kind", "probe", "seq"))


def _switch_fields(yields: bool) -> dict[TraceKind, set[str]]:
    kinds = [*SWITCH_KINDS, *([TraceKind.TASK_YIELDED] if yields else [])]
    on_cpu = {*_ALWAYS, "tid", "other_tid"}
    comes = (TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE)
    return {k: on_cpu if k in comes else {*on_cpu, "prev_state", "reason"} for k in kinds}


def _fields(probe: Probe, points: list[Point], attached: frozenset[str]) -> set[str]:
    found = set(_ALWAYS)
    if probe.reason is not None:
        found.add("reason")
    for point in points:
        found |= {column for column, key in probe.columns.items() if f"{key}=" in point.line}
        back = probe.returns.get(point.function or "")
        if back is not None and back.point in attached:
            found |= set(probe.return_columns)
    return found


def _line_notes(records: Records) -> list[str]:
    notes = []
    if not records.ended:
        notes.append("no END record: the trace was cut off, or its end was lost")
    if records.ambiguous_names:
        notes.append(
            f"{records.ambiguous_names} switches hold a task name that imitates the record; "
            "their names were taken from other records"
        )
    return notes


# -- rows


class _Rows:
    """Columns of the table, filled group by group; slots are in canonical order."""

    def __init__(self, records: Records, groups: list[Group]) -> None:
        self.source = records
        self.groups = groups
        self.probe_names = sorted({group.point.record for group in groups})
        self.by_record: dict[str, list[Group]] = {}
        for group in groups:
            self.by_record.setdefault(group.point.record, []).append(group)
        self.records = 0
        count = np.zeros(len(records.line), dtype=np.int64)
        for probe, group in self._row_groups():
            if probe is not EXIT:
                self.records += len(group.rank)
            count[group.rank] = 1
        for group in self.by_record.get("sched_switch", []):
            count[group.rank] = 1 + (group.values["prev_pid"] != 0)
        self.slot = np.cumsum(count) - count
        rows = int(count.sum())
        self.rank = np.repeat(np.arange(len(count)), count)
        self.second = np.zeros(rows, dtype=np.int64)
        # Kind -1: evidence for the task's name and process only; dropped at the end.
        self.kind = np.full(rows, -1, dtype=np.int64)
        self.probe = np.zeros(rows, dtype=np.int64)
        self.coded: dict[str, Codes] = {name: np.full(rows, -1, dtype=np.int64) for name in CODED}
        self.wide: dict[str, Words] = {name: np.zeros(rows, dtype=np.uint64) for name in WIDE}
        self.filled: dict[str, Flags] = {name: np.zeros(rows, dtype=np.bool_) for name in WIDE}

    def _row_groups(self) -> list[tuple[Probe, Group]]:
        """Every group but yields and returns, with its probe."""
        return [
            (probe, group)
            for probe in PROBES
            if probe not in YIELDS
            for point in probe.variants
            for group in self.by_record.get(point.record, [])
        ]

    def fill_all(self, sees_yields: bool) -> int:
        """Fill every column; the number of returns that belong to no entry."""
        unpaired = 0
        for probe, group in self._row_groups():
            if probe is SWITCH:
                self._fill_switches(group, sees_yields)
                continue
            slot = self.slot[group.rank]
            if probe.kind is not None:
                self.kind[slot] = _KIND[probe.kind]
            if probe.reason is not None:
                self.coded["reason"][slot] = _REASON[probe.reason]
            self.probe[slot] = self.probe_names.index(group.point.record)
            for column, key in probe.columns.items():
                if key in group.values:
                    self._put(column, slot, group.values[key])
        for probe in PROBES:
            for name, back in probe.returns.items():
                unpaired += self._fill_returns(probe, name, back)
        self._complete_tasks()
        return unpaired

    def _put(self, column: str, slot: Positions, values: Positions | Words) -> None:
        if column in self.coded:
            self.coded[column][slot] = values
        else:
            self.wide[column][slot] = values
            self.filled[column][slot] = True

    def _fill_switches(self, group: Group, sees_yields: bool) -> None:
        values = group.values
        slot = self.slot[group.rank]
        leaves = values["prev_pid"] != 0
        off, on = slot[leaves], slot + leaves
        number = self.probe_names.index(group.point.record)
        self.probe[off] = self.probe[on] = number
        self.second[on] = 1
        idle = values["next_pid"] == 0
        self.kind[on] = np.where(idle, _KIND[TraceKind.CPU_IDLE], _KIND[TraceKind.TASK_SCHEDULED])
        self._put("tid", on, values["next_pid"])
        self._put("comm", on, values["next_comm"])
        self._put("other_tid", on, values["prev_pid"])
        state = values["prev_state"][leaves]
        kind, reason = _off_cpu(state, self._yielded(group)[leaves], sees_yields)
        self.kind[off] = kind
        self.coded["reason"][off] = reason
        self._put("prev_state", off, state)
        self._put("tid", off, values["prev_pid"][leaves])
        self._put("comm", off, values["prev_comm"][leaves])
        self._put("other_tid", off, values["next_pid"][leaves])
        if "prev_tgid" in values:
            self._put("pid", off, values["prev_tgid"][leaves])

    def _yielded(self, group: Group) -> Flags:
        """Which switches follow a yield that has not been answered by a pick of the same task."""
        switch, yielding, pick = 0, 1, 2
        parts = [(g, switch, "prev_pid") for g in self.by_record.get("sched_switch", [])]
        for probe in YIELDS:
            found = self.by_record.get(probe.variants[0].record, [])
            parts += [(g, yielding, "by") for g in found]
        parts += [(g, pick, "by") for g in self.by_record.get(PICK_TASK.variants[0].record, [])]
        rank = np.concatenate([g.rank for g, _, _ in parts])
        what = np.concatenate([np.full(len(g.rank), code) for g, code, _ in parts])
        task = np.concatenate([g.values[key] for g, _, key in parts]).astype(np.int64)
        # Picks and yields count for the CPU whose runqueue they are about.
        cpu = np.concatenate([g.values.get("rq_cpu", self.source.cpu[g.rank]) for g, _, _ in parts])
        order = np.lexsort((rank, cpu))
        rank, what, task, cpu = rank[order], what[order], task[order], cpu[order]
        place = np.arange(len(order))
        last_yield = np.maximum.accumulate(np.where(what == yielding, place, -1))
        barrier = np.where(what == switch, place, -1)
        barrier = np.append(-1, np.maximum.accumulate(barrier)[:-1])
        first_of_cpu = np.append(True, cpu[1:] != cpu[:-1])
        begin = np.maximum.accumulate(np.where(first_of_cpu, place, 0))
        picks = np.cumsum(what == pick)
        proof = (last_yield > barrier) & (last_yield >= begin)
        proof &= (task[last_yield] == task) & (picks - picks[last_yield] <= 1)
        result = np.zeros(len(self.source.line), dtype=np.bool_)
        result[rank[what == switch]] = proof[what == switch]
        return result[group.rank]

    def _fill_returns(self, probe: Probe, function: str, back: Point) -> int:
        returns = self.by_record.get(back.record, [])
        if not returns:
            return 0
        entries = self.by_record.get(function, [])
        parts = [(g, False) for g in entries] + [(g, True) for g in returns]
        rank = np.concatenate([g.rank for g, _ in parts])
        is_return = np.concatenate([np.full(len(g.rank), end) for g, end in parts])
        # -1: a line without `by`, from an older script; it goes with any task.
        by = np.concatenate([g.values.get("by", np.full(len(g.rank), -1)) for g, _ in parts])
        order = np.lexsort((rank, self.source.cpu[rank]))
        cpu = self.source.cpu[rank[order]]
        by, is_return_sorted = by[order], is_return[order]
        pair = ~is_return_sorted[:-1] & is_return_sorted[1:] & (cpu[:-1] == cpu[1:])
        pair &= (by[:-1] == by[1:]) | (by[1:] == -1)
        entry_rank, return_at = rank[order[:-1][pair]], order[1:][pair]
        slot = self.slot[entry_rank]
        for column, key in probe.return_columns.items():
            values = np.concatenate([g.values.get(key, np.zeros(len(g.rank))) for g, _ in parts])
            found = values[return_at].astype(np.int64)
            self._put(column, slot, (found != 0) if column == "success" else found)
        return int(is_return.sum() - pair.sum())

    def _complete_tasks(self) -> None:
        """Fill pid and comm from the same tid's other rows: nearest before, else nearest after."""
        tid = self.coded["tid"]
        of_task = np.flatnonzero(tid > 0)
        order = of_task[_stable_order(tid[of_task])]
        if len(order):
            born = self.kind[order] == _KIND[TraceKind.TASK_FORKED]
            life = np.append(True, tid[order][1:] != tid[order][:-1]) | born
            for column in ("comm", "pid"):
                self.coded[column][order] = _carried(self.coded[column][order], life)
        self.coded["pid"][tid == 0] = 0

    def table(self) -> pa.Table:
        """The event table."""
        keep = np.flatnonzero(self.kind >= 0)
        rank = self.rank[keep]
        coded = {name: column[keep] for name, column in self.coded.items()}
        line = self.source.line[rank]
        columns = {
            "time_ns": pa.array(self.source.time_ns[rank]),
            "cpu": pa.array(self.source.cpu[rank]),
            "kind": _text(self.kind[keep], [str(kind) for kind in KINDS]),
            "comm": _text(coded["comm"], self.source.names),
            "reason": _text(coded["reason"], [str(reason) for reason in REASONS]),
            "probe": _text(self.probe[keep], self.probe_names),
            "seq": pa.array(2 * line + self.second[keep]),
        }
        for name in ("tid", "pid", "other_tid", "other_cpu", "success"):
            null = coded[name] < 0
            numbers = coded[name].astype(EVENT_SCHEMA.field(name).type.to_pandas_dtype())
            columns[name] = pa.array(numbers, mask=null)
        for name in WIDE:
            numbers = self.wide[name][keep]
            typed = numbers.view(np.int64) if name == "prev_state" else numbers
            columns[name] = pa.array(typed, mask=~self.filled[name][keep])
        return pa.table([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)


def _off_cpu(state: Words, yielded: Flags, sees_yields: bool) -> tuple[Codes, Codes]:
    """Kind and reason of tasks that go off their CPU with these states."""
    preempted = (state & STATE_PREEMPTED) != 0
    dead = (state & STATE_DEAD) != 0
    runnable = state == 0
    asleep = (state & ~np.uint64(STATE_ASLEEP)) == 0
    tests = [preempted, dead, runnable & yielded, runnable, asleep]
    no_yield = Reason.PREEMPT if sees_yields else Reason.UNKNOWN
    outcomes = [
        (TraceKind.TASK_PREEMPTED, Reason.PREEMPT),
        (TraceKind.TASK_COMPLETED, Reason.EXIT),
        (TraceKind.TASK_YIELDED, Reason.YIELD),
        (TraceKind.TASK_PREEMPTED, no_yield),
        (TraceKind.TASK_SLEPT, Reason.SLEEP),
    ]
    kind = np.select(tests, [_KIND[k] for k, _ in outcomes], _KIND[TraceKind.TASK_SLEPT])
    reason = np.select(tests, [_REASON[r] for _, r in outcomes], _REASON[Reason.UNKNOWN])
    return kind, reason


def _stable_order(tid: Codes) -> Positions:
    """Stable sorting permutation; 16-bit keys are sorted by radix, several times faster."""
    distinct = pa.array(tid).dictionary_encode()
    codes = distinct.indices.to_numpy()
    small = codes.astype(np.uint16) if len(distinct.dictionary) < 1 << 16 else codes
    return np.argsort(small, kind="stable")


def _carried(values: Codes, life: Flags) -> Codes:
    """Replace -1 by the nearest value before it in the same life, else the nearest after it."""
    place = np.arange(len(values))
    begin = np.maximum.accumulate(np.where(life, place, 0))
    before = np.maximum.accumulate(np.where(values >= 0, place, -1))
    after = np.where(values >= 0, place, len(values))
    after = np.minimum.accumulate(after[::-1])[::-1]
    alive = begin[np.minimum(after, len(values) - 1)] == begin
    nearest = np.where(before >= begin, before, np.where(alive, after, len(values)))
    return np.append(values, -1)[nearest]


def _text(codes: Codes, values: list[str]) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))

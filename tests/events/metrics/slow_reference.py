# SPDX-License-Identifier: MIT
"""The metrics again from docs/metrics.md, one event after the other: what the arrays must equal."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from event_tables import Event, K

INFINITE = math.inf
DISTRIBUTIONS = (
    "slice_length",
    "wakeup_latency",
    "scheduling_delay",
    "dsq_latency",
    "slice_allocation",
    "vtime_step",
)
WAITING = {K.TASK_WOKE, K.DSQ_INSERT, K.DSQ_INSERT_VTIME}
OFF = {K.TASK_SLEPT, K.TASK_COMPLETED, K.TASK_PREEMPTED, K.TASK_YIELDED}


@dataclass
class Task:
    """What is known of one tid; a completed task is forgotten."""

    state: str = "new"
    since: int | None = None
    by_waking: bool = False
    last_cpu: int | None = None
    insert: tuple[int, int | None] | None = None


@dataclass
class Found:
    """Everything that happened, with names as in the table of metrics."""

    slices: list = field(default_factory=list)  # start, end, cpu, tid, name
    idle: list = field(default_factory=list)  # start, end, cpu
    unknown: list = field(default_factory=list)  # start, end, cpu
    broken: list = field(default_factory=list)  # time, cpu
    waits: list = field(default_factory=list)  # start, end, tid, by_waking, name, process
    ins: list = field(default_factory=list)  # time, migrated, unmatched, name
    outs: list = field(default_factory=list)  # time, cpu, voluntary, name
    inserts: list = field(default_factory=list)  # insert, switch-in, dsq, name


def find(events: list[Event]) -> Found:
    """Walk the events in the order given, which is the order of time."""
    found = Found()
    any_waking = any(e.kind == K.TASK_WOKE and e.reason == "waking" for e in events)
    names = _activation_names(events)
    _walk_cpus(events, found, names)
    tasks: dict[int, Task] = defaultdict(Task)
    for index, e in enumerate(events):
        if not e.tid:
            continue
        task = tasks[e.tid]
        if e.kind == K.TASK_WOKE:
            if task.state in ("new", "asleep") and task.since is None:
                task.since = e.time_ns
                task.by_waking = e.reason == "waking" or not any_waking
                task.state = "woken new" if task.state == "new" else "woken"
        elif e.kind in (K.DSQ_INSERT, K.DSQ_INSERT_VTIME):
            task.insert = (e.time_ns, e.dsq_id)
        elif e.kind == K.TASK_SCHEDULED:
            _switch_in(e, task, found, names[index], process(events, index))
        elif e.kind in OFF:
            voluntary = e.kind in (K.TASK_SLEPT, K.TASK_COMPLETED)
            found.outs.append((e.time_ns, e.cpu, voluntary, e.comm))
            # A switch-out of a task that waits: the end of that wait was lost.
            task.state, task.since, task.by_waking = "asleep", None, False
            if voluntary:
                task.insert = None
            else:
                task.state, task.since = "pushed", e.time_ns
        if e.kind == K.TASK_COMPLETED:
            del tasks[e.tid]
    for tid, task in tasks.items():
        if task.since is not None:
            name = _name_at(events, tid, task)
            at = _begin(events, tid, task)
            found.waits.append(
                (task.since, INFINITE, tid, task.by_waking, name, process(events, at))
            )
    return found


def _begin(events: list[Event], tid: int, task: Task) -> int:
    """Where the wait that has not ended began."""
    kinds = OFF if task.state == "pushed" else {K.TASK_WOKE}
    return next(
        index
        for index, e in enumerate(events)
        if e.tid == tid and e.time_ns == task.since and e.kind in kinds
    )


def _name_at(events: list[Event], tid: int, task: Task) -> str:
    return events[_begin(events, tid, task)].comm


def process(events: list[Event], index: int) -> str | None:
    """The last name of the leader in its life at this event."""
    pid = events[index].pid
    if pid is None:
        return None
    lives: list[tuple[int, str]] = []
    ended = True
    names = _activation_names(events)
    for at, e in enumerate(events):
        if e.tid != pid or not (_is_switch(e) or e.kind in WAITING):
            continue
        name = names.get(at, e.comm)
        if ended:
            lives.append((at, name))
        lives[-1] = (lives[-1][0], name)
        ended = e.kind == K.TASK_COMPLETED
    begun = [name for start, name in lives if start <= index]
    return begun[-1] if begun else lives[0][1] if lives else f"pid {pid}"


def _switch_in(e: Event, task: Task, found: Found, name: str, leader: str | None) -> None:
    if task.since is not None:
        found.waits.append((task.since, e.time_ns, e.tid, task.by_waking, name, leader))
    moved = task.last_cpu is not None and task.last_cpu != e.cpu
    found.ins.append((e.time_ns, moved, task.state == "asleep", name))
    if task.insert is not None:
        found.inserts.append((task.insert[0], e.time_ns, task.insert[1], name))
    task.state, task.since, task.by_waking = "on", None, False
    task.last_cpu, task.insert = e.cpu, None


def _activation_names(events: list[Event]) -> dict[int, str]:
    """Per switch-in the name at the switch-out that ends it, or its own if there is none."""
    names = {}
    for index, e in enumerate(events):
        if e.kind != K.TASK_SCHEDULED:
            continue
        switches = [x for x in events[index + 1 :] if x.cpu == e.cpu and _is_switch(x)]
        ours = switches and switches[0].kind in OFF and switches[0].tid == e.tid
        names[index] = switches[0].comm if ours else e.comm
    return names


def _is_switch(e: Event) -> bool:
    return e.kind in OFF or e.kind in (K.TASK_SCHEDULED, K.CPU_IDLE)


def _walk_cpus(events: list[Event], found: Found, names: dict[int, str]) -> None:
    for cpu in sorted({e.cpu for e in events if _is_switch(e)}):
        start, holder = -INFINITE, "?"
        name = None
        for index, e in enumerate(events):
            if e.cpu != cpu or not _is_switch(e):
                continue
            if e.kind == K.CPU_IDLE and holder == "idle":
                continue
            goes_off = e.kind in OFF
            if goes_off and holder in ("?", e.tid):
                found.slices.append((start, e.time_ns, cpu, e.tid, e.comm))
            elif not goes_off and holder in ("?", "idle"):
                found.idle.append((start, e.time_ns, cpu))
            elif goes_off or holder != "nobody" or e.time_ns != start:
                found.unknown.append((start, e.time_ns, cpu))
                found.broken.append((e.time_ns, cpu))
            start = e.time_ns
            if goes_off:
                holder = "nobody"
            elif e.kind == K.CPU_IDLE:
                holder = "idle"
            else:
                holder, name = e.tid, names[index]
        if holder == "idle":
            found.idle.append((start, INFINITE, cpu))
        elif holder == "nobody":
            found.unknown.append((start, INFINITE, cpu))
        else:
            found.slices.append((start, INFINITE, cpu, holder, name))


def percentile(values: list[float], percent: int) -> float:
    """Linear interpolation between the two nearest ranks, rank 0 the least value."""
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def reference(events: list[Event], window: tuple[int, int]) -> dict[tuple, float | None]:
    """(scope, name, metric, stat) -> value for system, cpu, task and dsq."""
    found = find(events)
    lists: dict[tuple, list] = defaultdict(list)
    a, b = window

    def inside(t: float) -> bool:
        return a <= t < b

    def overlaps(s: float, e: float) -> bool:
        return s < b and (e > a or s >= a)

    def clip(s: float, e: float) -> float:
        return min(e, b) - max(s, a)

    def add(metric: str, value, name: str | None = None, cpu: int | None = None) -> None:
        lists["system", "", metric].append(value)
        if name is not None:
            lists["task", name, metric].append(value)
        if cpu is not None:
            lists["cpu", str(cpu), metric].append(value)

    for s, e, cpu, tid, name in found.slices:
        if overlaps(s, e):
            for metric in ("run_time", "slice_length"):
                add(metric, clip(s, e), name, cpu)
            add("utilisation", clip(s, e), None, cpu)
            add("slices", 1, name, cpu)
            add("threads", tid, name)
            if s < a or e > b:
                add("truncated_slices", 1, name, cpu)
    for s, e, cpu in found.idle:
        if overlaps(s, e):
            add("idle_time", clip(s, e), cpu=cpu)
            add("idle_periods", 1, cpu=cpu)
    for s, e, cpu in found.unknown:
        if overlaps(s, e):
            add("unknown_time", clip(s, e), cpu=cpu)
    for t, cpu in found.broken:
        if inside(t):
            add("broken_switches", 1, cpu=cpu)
    for s, e, tid, by_waking, name, leader in found.waits:
        if overlaps(s, e):
            add("threads", tid, name)
            add("scheduling_delay_total", clip(s, e), name)
            if leader is not None:
                lists["process", leader, "scheduling_delay_total"].append(clip(s, e))
        if s < b <= e:
            add("unfinished_waits", 1, name)
        if inside(e):
            add("scheduling_delay", e - s, name)
            if leader is not None:
                lists["process", leader, "scheduling_delay"].append(e - s)
            if by_waking:
                add("wakeup_latency", e - s, name)
    for t, moved, unmatched, name in found.ins:
        if inside(t):
            if moved:
                add("migrations", 1, name)
            if unmatched:
                add("unmatched_waits", 1, name)
    for t, cpu, voluntary, name in found.outs:
        if inside(t):
            add("context_switches", 1, name, cpu)
            add("voluntary_switches" if voluntary else "involuntary_switches", 1, name, cpu)
    for s, e, dsq, name in found.inserts:
        if inside(e):
            add("dsq_latency", e - s, name)
            if dsq is not None:
                lists["dsq", f"{dsq:#x}", "dsq_latency"].append(e - s)
    previous: dict[int, int] = {}
    for event in events:
        if event.kind not in (K.DSQ_INSERT, K.DSQ_INSERT_VTIME):
            continue
        given = []
        if event.slice_ns is not None:
            endless = event.slice_ns >= 1 << 63
            kind = (
                "slice_infinite"
                if endless
                else "slice_allocation"
                if event.slice_ns
                else "slice_kept"
            )
            given.append((kind, event.slice_ns if kind == "slice_allocation" else 1))
        if event.vtime is not None and event.dsq_id is not None:
            if event.dsq_id in previous:
                step = (event.vtime - previous[event.dsq_id]) % (1 << 64)
                given.append(("vtime_step", step if step < 1 << 63 else step - (1 << 64)))
            previous[event.dsq_id] = event.vtime
        for metric, value in given if inside(event.time_ns) else ():
            add(metric, value, event.comm)
            if event.dsq_id is not None:
                lists["dsq", f"{event.dsq_id:#x}", metric].append(value)
    switched = {e.cpu for e in events if _is_switch(e)}
    changes = [e for e in events if e.kind == K.CPU_FREQUENCY]
    for index, event in enumerate(changes):
        end = next((e.time_ns for e in changes[index + 1 :] if e.other_cpu == event.other_cpu), b)
        if overlaps(event.time_ns, end):
            # A CPU that no switch was seen on is none that the trace knows.
            cpu = event.other_cpu if event.other_cpu in switched else None
            add("cpu_frequency", (event.flags, clip(event.time_ns, end)), cpu=cpu)
    return _statistics(lists, window, len(switched))


def _statistics(lists: dict[tuple, list], window: tuple[int, int], cpus: int) -> dict[tuple, float]:
    out: dict[tuple, float] = {("system", "", "window", "value"): window[1] - window[0]}
    for key, values in lists.items():
        scope, _, metric = key
        if metric == "cpu_frequency":
            whole = sum(length for _, length in values)
            out[*key, "value"] = (
                sum(khz * length for khz, length in values) / whole if whole else None
            )
        elif metric in DISTRIBUTIONS:
            out[*key, "count"] = len(values)
            out[*key, "mean"] = sum(values) / len(values)
            for stat, percent in (("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)):
                out[*key, stat] = percentile(values, percent)
        elif metric == "threads":
            out[*key, "value"] = len(set(values))
        elif metric == "utilisation":
            whole = (window[1] - window[0]) * (cpus if scope == "system" else 1)
            out[*key, "value"] = sum(values) / whole
        else:
            out[*key, "value"] = sum(values)
    return out

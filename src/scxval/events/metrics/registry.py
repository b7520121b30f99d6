# SPDX-License-Identifier: MIT
"""The metrics: one function each, whose docstring is the definition, and METRICS, the list.

Those of dispatch queues and frequency are in `dispatch`. To add a metric: write its function, enter
it in METRICS, and copy its docstring to docs/metrics.md (a test compares the two). The window is
[a, b): a record at b is outside.
"""

from __future__ import annotations

import numpy as np

from scxval.events.metrics.dispatch import (
    cpu_frequency,
    dsq_latency,
    slice_allocation,
    slice_infinite,
    slice_kept,
    vtime_step,
)
from scxval.events.metrics.rows import NO_TASK
from scxval.events.metrics.samples import (
    Form,
    Metric,
    Samples,
    View,
    no_cpu,
    ones,
    points_of,
    spans_of,
)
from scxval.events.schema import TraceKind


def window(view: View) -> Samples:
    """Length of the window: the workload's, cut to the traced span where that is known.

    Formula: b - a.
    Source: status.json (window_ns), capability.json (window_ns).
    """
    nobody = np.full(1, NO_TASK, dtype=np.int64)
    return Samples(np.array([view.end_ns - view.start_ns]), nobody, nobody)


def run_time(view: View) -> Samples:
    """Time on a CPU, clipped to the window. Interrupts that hit while the task was current are in
    it.

    Formula: sum over slices of min(e, b) - max(s, a).
    Source: sched_switch; the run time of `perf sched timehist`. Not the kernel's sum_exec_runtime
    (sched_stat_runtime), which differs, for short slices by far.
    """
    return spans_of(view, view.trace.slices)


def slices(view: View) -> Samples:
    """Number of slices with a part in the window. A slice [s, e) is the time from a task's
    TaskScheduled on a CPU to its switch-out there. A task that was on its CPU before that CPU's
    first record has a slice from the window's start; one still on at the end, to the window's end.

    Formula: number of slices with s < b and e > a.
    Source: sched_switch.
    """
    spans = view.trace.slices
    return spans_of(view, spans, ones(spans.start_ns.size))


def slice_length(view: View) -> Samples:
    """Length of each slice, clipped to the window: the values add up to run_time. Clipped slices
    are lower bounds; truncated_slices says how many there are.

    Formula: min(e, b) - max(s, a) of each slice.
    Source: sched_switch.
    """
    return spans_of(view, view.trace.slices)


def truncated_slices(view: View) -> Samples:
    """Number of slices that the window cuts, or that were never seen to begin or to end.

    Formula: number of slices in the window with s < a or e > b.
    Source: sched_switch.
    """
    spans = view.trace.slices
    cut = (spans.start_ns < view.start_ns) | (spans.end_ns > view.end_ns)
    mask = cut & view.overlaps(spans.start_ns, spans.end_ns)
    return Samples(ones(int(mask.sum())), spans.comm[mask], spans.cpu[mask])


def wakeup_latency(view: View) -> Samples:
    """From the first waking of a task after its switch-out (or its first in the trace) to its next
    switch-in. Only waits that a waking began: not those after a preemption or yield, and not
    repeated wakings of a task that already waits. If the trace has no TaskWoke with reason waking,
    TaskWoke of any reason counts; if it has, a wait that another record began is left out (a new
    task has only wakeup_new). Counted in the window that has the switch-in, and whole even if the
    waking was before the window.

    Formula: r - w of each wait [w, r) that a waking began, a <= r < b.
    Source: sched_waking (try_to_wake_up, before a CPU is chosen) and sched_switch.
    """
    waits = view.trace.waits
    mask = waits.by_waking & view.inside(waits.end_ns)
    comm = waits.comm[mask]
    return Samples((waits.end_ns - waits.start_ns)[mask], comm, no_cpu(comm))


def scheduling_delay(view: View) -> Samples:
    """From becoming runnable to running: from the first TaskWoke of any reason after a sleep (or
    the first in the trace), or from the switch-out of a preempted or yielding task, to its next
    switch-in. Counted in the window that has the switch-in, and whole even if the wait began before
    the window.

    Formula: r - w of each wait [w, r), a <= r < b.
    Source: sched_waking, sched_wakeup, sched_wakeup_new and sched_switch; the delay of
    `perf sched latency`.
    """
    waits = view.trace.waits
    mask = view.inside(waits.end_ns)
    comm = waits.comm[mask]
    process = waits.process[mask]
    return Samples((waits.end_ns - waits.start_ns)[mask], comm, no_cpu(comm), process=process)


def scheduling_delay_total(view: View) -> Samples:
    """Time runnable but not running, clipped to the window, with the waits that had not ended.

    Formula: sum over waits [w, r) of min(r, b) - max(w, a).
    Source: as scheduling_delay.
    """
    waits = view.trace.waits
    mask = view.overlaps(waits.start_ns, waits.end_ns)
    comm = waits.comm[mask]
    length = view.length(waits.start_ns, waits.end_ns)[mask]
    return Samples(length, comm, no_cpu(comm), process=waits.process[mask])


def unfinished_waits(view: View) -> Samples:
    """Number of waits that had not ended when the window did. They are in no distribution of waits:
    a task that starves shows here and in scheduling_delay_total.

    Formula: number of waits [w, r) with w < b <= r.
    Source: as scheduling_delay.
    """
    waits = view.trace.waits
    mask = (waits.start_ns < view.end_ns) & (waits.end_ns >= view.end_ns)
    comm = waits.comm[mask]
    return Samples(ones(comm.size), comm, no_cpu(comm))


def unmatched_waits(view: View) -> Samples:
    """Number of switch-ins that follow a sleep with no TaskWoke in between, so that nobody knows
    when the wait began: lost records, or a waking that raced with the switch-out and came first
    (try_to_wake_up needs the task's state, not its switch-out). They are in no metric of waits.

    Formula: number of such switch-ins at t, a <= t < b.
    Source: as scheduling_delay.
    """
    return points_of(view, view.trace.unmatched)


def migrations(view: View) -> Samples:
    """Number of switch-ins on another CPU than the same task's switch-in before, wherever in the
    trace that was. Moves between two switch-ins count once, or not at all if they lead back, unlike
    in sched_migrate_task.

    Formula: number of switch-ins at t with cpu other than at the one before, a <= t < b.
    Source: sched_switch.
    """
    points = view.trace.switch_ins
    return points_of(view, points, points.mark)


def context_switches(view: View) -> Samples:
    """Number of switch-outs of tasks. Switches from idle to a task do not count, so that this is
    less than the kernel's nr_switches.

    Formula: voluntary_switches + involuntary_switches.
    Source: sched_switch.
    """
    return points_of(view, view.trace.switch_outs)


def voluntary_switches(view: View) -> Samples:
    """Number of switch-outs because the task slept or exited.

    Formula: number of TaskSlept and TaskCompleted at t, a <= t < b.
    Source: sched_switch; the kernel's nvcsw (__schedule: a state other than running, and no
    preemption), but for a task that a pending signal kept from sleeping.
    """
    points = view.trace.switch_outs
    return points_of(view, points, points.mark)


def involuntary_switches(view: View) -> Samples:
    """Number of switch-outs of a task that could have gone on: preempted, or in sched_yield.

    Formula: number of TaskPreempted and TaskYielded at t, a <= t < b.
    Source: sched_switch; the kernel's nivcsw, which counts yields too, so that it does not matter
    whether a source can tell a yield from a preemption.
    """
    points = view.trace.switch_outs
    return points_of(view, points, ~points.mark)


def threads(view: View) -> Samples:
    """Number of different tids that ran or waited in the window.

    Formula: number of different tids of the slices and waits in the window.
    Source: as run_time and scheduling_delay_total; without TaskWoke, only those that ran or were
    preempted.
    """
    spans, waits = view.trace.slices, view.trace.waits
    ran = view.overlaps(spans.start_ns, spans.end_ns)
    waited = view.overlaps(waits.start_ns, waits.end_ns)
    comm = np.concatenate([spans.comm[ran], waits.comm[waited]])
    return Samples(np.concatenate([spans.tid[ran], waits.tid[waited]]), comm, no_cpu(comm))


def utilisation(view: View) -> Samples:
    """Share of the window in which a task had the CPU; in scope system, of all CPUs' time. Between
    0 and 1. A lower bound where unknown_time is not zero.

    Formula: run_time / (b - a), or run_time / ((b - a) * CPUs).
    Source: sched_switch.
    """
    return spans_of(view, view.trace.slices)


def idle_time(view: View) -> Samples:
    """Time in which the idle task had the CPU, clipped to the window. run_time, idle_time and
    unknown_time of a CPU add up to the window.

    Formula: sum over idle periods [s, e) of min(e, b) - max(s, a).
    Source: CpuIdle (sched_switch to pid 0) to the next TaskScheduled. A CPU whose first record is a
    switch from idle was idle before.
    """
    return spans_of(view, view.trace.idle)


def idle_periods(view: View) -> Samples:
    """Number of idle periods with a part in the window.

    Formula: number of idle periods [s, e) with s < b and e > a.
    Source: as idle_time.
    """
    spans = view.trace.idle
    return spans_of(view, spans, ones(spans.start_ns.size))


def unknown_time(view: View) -> Samples:
    """CPU time about which the records contradict each other (the task that goes off is not the one
    that went on), clipped to the window: neither in run_time nor in idle_time. Zero in a trace
    without loss.

    Formula: sum over such stretches [s, e) of min(e, b) - max(s, a).
    Source: sched_switch.
    """
    return spans_of(view, view.trace.unknown)


def broken_switches(view: View) -> Samples:
    """Number of switch records that do not fit the one before on their CPU: each hides at least one
    lost record.

    Formula: number of such records at t, a <= t < b.
    Source: sched_switch.
    """
    return points_of(view, view.trace.broken)


_ON = frozenset({TraceKind.TASK_SCHEDULED.value})
_IDLE = frozenset({TraceKind.CPU_IDLE.value})
_WOKE = frozenset({TraceKind.TASK_WOKE.value})
_SLEPT = frozenset({TraceKind.TASK_SLEPT.value})
_PREEMPTED = frozenset({TraceKind.TASK_PREEMPTED.value})
_OFF = _SLEPT | _PREEMPTED
_INSERT = frozenset({TraceKind.DSQ_INSERT.value, TraceKind.DSQ_INSERT_VTIME.value})
_INSERT_VTIME = frozenset({TraceKind.DSQ_INSERT_VTIME.value})
_FREQUENCY = frozenset({TraceKind.CPU_FREQUENCY.value})
_TASKS = ("system", "workload", "task")
_CPUS = ("system", "cpu")
_ALL = ("system", "workload", "cpu", "task")

METRICS: tuple[Metric, ...] = (
    Metric("window", "ns", Form.TOTAL, ("system",), (), window),
    Metric("run_time", "ns", Form.TOTAL, _ALL, (_ON, _OFF), run_time),
    Metric("slices", "count", Form.TOTAL, _ALL, (_ON, _OFF), slices),
    Metric("slice_length", "ns", Form.DISTRIBUTION, _ALL, (_ON, _OFF), slice_length),
    Metric("truncated_slices", "count", Form.TOTAL, _ALL, (_ON, _OFF), truncated_slices),
    Metric("wakeup_latency", "ns", Form.DISTRIBUTION, _TASKS, (_ON, _SLEPT, _WOKE), wakeup_latency),
    Metric(
        "scheduling_delay",
        "ns",
        Form.DISTRIBUTION,
        (*_TASKS, "process"),
        (_ON, _SLEPT, _PREEMPTED, _WOKE),
        scheduling_delay,
    ),
    Metric(
        "scheduling_delay_total",
        "ns",
        Form.TOTAL,
        (*_TASKS, "process"),
        (_ON, _SLEPT, _PREEMPTED, _WOKE),
        scheduling_delay_total,
    ),
    Metric(
        "unfinished_waits",
        "count",
        Form.TOTAL,
        _TASKS,
        (_ON, _SLEPT, _PREEMPTED, _WOKE),
        unfinished_waits,
    ),
    Metric("unmatched_waits", "count", Form.TOTAL, _TASKS, (_ON, _SLEPT, _WOKE), unmatched_waits),
    Metric("migrations", "count", Form.TOTAL, _TASKS, (_ON,), migrations),
    Metric("context_switches", "count", Form.TOTAL, _ALL, (_SLEPT, _PREEMPTED), context_switches),
    Metric("voluntary_switches", "count", Form.TOTAL, _ALL, (_SLEPT,), voluntary_switches),
    Metric("involuntary_switches", "count", Form.TOTAL, _ALL, (_PREEMPTED,), involuntary_switches),
    Metric(
        "dsq_latency",
        "ns",
        Form.DISTRIBUTION,
        (*_TASKS, "dsq"),
        (_ON, _SLEPT, _INSERT),
        dsq_latency,
    ),
    *(
        Metric(name, unit, form, (*_TASKS, "dsq"), (_INSERT,), samples, column="slice_ns")
        for name, unit, form, samples in (
            ("slice_allocation", "ns", Form.DISTRIBUTION, slice_allocation),
            ("slice_infinite", "count", Form.TOTAL, slice_infinite),
            ("slice_kept", "count", Form.TOTAL, slice_kept),
        )
    ),
    Metric(
        "vtime_step",
        "vtime",
        Form.DISTRIBUTION,
        (*_TASKS, "dsq"),
        (_INSERT_VTIME,),
        vtime_step,
        column="vtime",
    ),
    Metric("threads", "count", Form.DISTINCT, _TASKS, (_ON, _OFF), threads),
    Metric("utilisation", "ratio", Form.SHARE, _CPUS, (_ON, _OFF), utilisation),
    Metric("idle_time", "ns", Form.TOTAL, _CPUS, (_ON, _IDLE), idle_time),
    Metric("idle_periods", "count", Form.TOTAL, _CPUS, (_ON, _IDLE), idle_periods),
    Metric("unknown_time", "ns", Form.TOTAL, _CPUS, (_ON, _OFF, _IDLE), unknown_time),
    Metric("broken_switches", "count", Form.TOTAL, _CPUS, (_ON, _OFF, _IDLE), broken_switches),
    Metric(
        "cpu_frequency",
        "kHz",
        Form.WEIGHTED_MEAN,
        _CPUS,
        (_FREQUENCY,),
        cpu_frequency,
        column="flags",
    ),
)

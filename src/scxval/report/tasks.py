# SPDX-License-Identifier: MIT
"""Per task of one run: time on CPU, switches, scheduling delays and when the longest began.

What `perf sched latency` prints, from any tracer's event table; docs/report.md says where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scxval.errors import ScxvalError
from scxval.events.metrics.registry import (
    METRICS,
    Samples,
    View,
    context_switches,
    run_time,
    threads,
)
from scxval.events.metrics.trace import COLUMNS, I64, take_apart
from scxval.events.table import read_events
from scxval.report import facts, text
from scxval.report.load import Run

# The delay needs every kind that the others do.
_DELAY = next(metric for metric in METRICS if metric.name == "scheduling_delay")
_MS = text.Scale("ms", 1e-6, 3)
_S = text.Scale("s", 1e-9, 6)


@dataclass(frozen=True)
class TaskDelays:
    """All threads of one name in a window. Times are ns; a delay belongs where its switch-in is.

    The last three are None without a delay; `max_start_ns` is when the longest began, on the trace's
    clock, the first of equal ones.
    """

    name: str
    threads: int
    run_ns: int
    switches: int
    delays: int
    mean_ns: float | None
    max_ns: int | None
    max_start_ns: int | None

    @property
    def cells(self) -> list[str]:
        """The numbers as a table shows them: threads, ms, switches, delays, ms, ms, s."""
        shown = [
            None if self.mean_ns is None else _MS.show(self.mean_ns),
            None if self.max_ns is None else _MS.show(self.max_ns),
            None if self.max_start_ns is None else _S.show(self.max_start_ns),
        ]
        return [
            text.count_text(self.threads),
            _MS.show(self.run_ns),
            text.count_text(self.switches),
            text.count_text(self.delays),
            *("none" if number is None else number for number in shown),
        ]


def task_delays(events: pa.Table, window_ns: tuple[int, int]) -> list[TaskDelays]:
    """Every task that ran or waited in the window [start, end) of an event table, longest delay first.

    The definitions are those of the metrics run_time, context_switches, scheduling_delay and threads.
    Raises ScxvalError for a table that is none of switches.
    """
    trace = take_apart(events)
    view = View(trace, *window_ns)
    size = len(trace.comms)
    tids = threads(view)
    each = np.unique(np.stack([tids.comm, tids.values]), axis=1)
    waits = trace.waits
    inside = view.inside(waits.end_ns)
    comm, start = waits.comm[inside], waits.start_ns[inside]
    delay = waits.end_ns[inside] - start
    # The last one of a name that is written is its longest, the first of those.
    order = np.lexsort((-start, delay))
    longest = np.full(size, -1, dtype=np.int64)
    longest[comm[order]] = order
    found = zip(
        trace.comms,
        _count(each[0], size),
        _total(run_time(view), size),
        _total(context_switches(view), size),
        _count(comm, size),
        _total(Samples(delay, comm, comm), size),
        longest.tolist(),
        strict=True,
    )
    tasks = [
        TaskDelays(
            name,
            number,
            run_ns,
            switches,
            delays,
            total / delays if delays else None,
            int(delay[most]) if delays else None,
            int(start[most]) if delays else None,
        )
        for name, number, run_ns, switches, delays, total, most in found
        if number
    ]
    return sorted(tasks, key=lambda task: (-(task.max_ns or 0), task.name))


def _count(comm: I64, size: int) -> list[int]:
    counts: list[int] = np.bincount(comm, minlength=size).tolist()
    return counts


def _total(samples: Samples, size: int) -> list[int]:
    """Sums by name, exact: a double cannot hold every sum of nanoseconds."""
    totals = np.zeros(size, dtype=np.int64)
    np.add.at(totals, samples.comm, samples.values)
    sums: list[int] = totals.tolist()
    return sums


def run_tasks(run: Run) -> tuple[list[TaskDelays], str]:
    """The tasks of a run in its workload's window, or none and the reason why."""
    capability = run.capability
    if capability is None or not run.has_events or run.kinds is None:
        return [], "Not measured: no event table that counts as this run's."
    if not _DELAY.measurable(frozenset(capability.kinds)):
        return [], "Not measured: the source cannot see what a scheduling delay is made of."
    window = (run.status or {}).get("window_ns")
    if not facts.is_window(window):
        return [], "Not measured: the status has no workload window."
    try:
        return task_delays(read_events(run.events_path, COLUMNS), (window[0], window[1])), ""
    except ScxvalError as error:
        return [], f"Not measured: {error}"

# SPDX-License-Identifier: MIT
"""Where a trace of scxtop's ends: the last moment until which no record can be missing."""

from __future__ import annotations

import numpy as np

from scxval.formats.perfetto.ftrace import (
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    Bundles,
    FtraceEvents,
)
from scxval.formats.perfetto.wire import VARINT, Data

# Tracepoints that every busy moment has.
STEADY = {SCHED_SWITCH: "sched_switch", SCHED_WAKING: "sched_waking", SCHED_WAKEUP: "sched_wakeup"}
# A CPU that went idle so long before the end was idle until then.
_IDLE_NS = 1_000_000_000


def common_end(data: Data, bundles: Bundles, events: FtraceEvents) -> tuple[int, str]:
    """Until when nothing can be missing, and "" or a note on what came after.

    scxtop detaches its probes one by one, and discards what is then still in its ring buffers, one for
    each CPU or some. Whatever a CPU's last record is, all before it are there. A bundle that the file's
    end cut off is no measure, nor is a CPU that was idle: its buffer is emptied hundreds of times a
    second, so that a silence of _IDLE_NS before the end is none of a buffer.
    """
    of_cpu = np.full(1 << 15, -1, dtype=np.int64)
    np.maximum.at(of_cpu, events.cpu, events.time)
    ends = {}
    for number, name in STEADY.items():
        times = events.time[events.number == number]
        ends[name] = int(times.max()) if len(times) else -1
    steady = min((end for end in ends.values() if end >= 0), default=0)
    idle = _idle_at_the_end(data, events)
    for cpu in np.unique(bundles.cpu[~bundles.cut]).tolist():
        if cpu not in idle or of_cpu[cpu] > steady - _IDLE_NS:
            ends[f"CPU {cpu}"] = int(of_cpu[cpu])
    ends = {who: end for who, end in ends.items() if end >= 0}
    if not ends:
        return np.iinfo(np.int64).max, ""
    first = min(ends, key=lambda who: ends[who])
    after = int((events.time > ends[first]).sum())
    if not after:
        return ends[first], ""
    return ends[first], (
        f"the last {after} records, after {ends[first]} ns, are left out: scxtop detaches its probes one "
        f"by one and discards the end of its ring buffers, and {first} has nothing later"
    )


def _idle_at_the_end(data: Data, events: FtraceEvents) -> set[int]:
    """The CPUs whose last switch was to idle."""
    last = np.full(1 << 15, -1, dtype=np.int64)
    switched = np.flatnonzero(events.number == SCHED_SWITCH)
    np.maximum.at(last, events.cpu[switched], switched)
    places = last[last >= 0]
    # SchedSwitchFtraceEvent.next_pid, which scxtop leaves out for idle.
    found = events.fields(data, places, ((6, VARINT),))
    idle = found.ok & (found.value[0] == 0)
    return set(events.cpu[places[idle]].tolist())

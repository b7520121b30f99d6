# SPDX-License-Identifier: MIT
"""Metrics of what a sched_ext scheduler asks for: waits in dispatch queues, slices, virtual times.

And of what the CPUs were set to meanwhile. They answer what scx's scripts dsq_lat.bt, slicesnoop.bt,
vtime_dist.bt and freq_trace.bt ask.
"""

from __future__ import annotations

import numpy as np

from scxval.events.metrics.queues import Insertions, vtime_steps
from scxval.events.metrics.rows import I64, NO_TASK, Bools
from scxval.events.metrics.samples import Samples, View, no_cpu, ones

# From here on a slice is longer than 292 years; SCX_SLICE_INF is 2**64 - 1.
_ENDLESS = np.uint64(1 << 63)


def dsq_latency(view: View) -> Samples:
    """From the last insert of a task into a dispatch queue to its next switch-in. Inserts since the
    switch-in before count, because a preempted task is re-enqueued before its switch-out; not those
    that a sleep followed. Scope dsq groups by the queue given to the insert, wherever the task was
    moved later. Counted in the window that has the switch-in, and whole even if the insert was
    before the window.

    Formula: r - i for each switch-in r with a last insert i, a <= r < b.
    Source: DsqInsert and DsqInsertVtime (scx_bpf_dsq_insert and its kin) and sched_switch.
    """
    inserts = view.trace.inserts
    mask = view.inside(inserts.switch_in_ns)
    comm = inserts.comm[mask]
    latency = (inserts.switch_in_ns - inserts.insert_ns)[mask]
    return Samples(latency, comm, no_cpu(comm), inserts.dsq_id[mask], inserts.known[mask])


def _inserted(view: View, only: Bools, values: I64 | None = None) -> Samples:
    """The inserts in the window that are also in `only`, each with its value or a one."""
    inserts = view.trace.insertions
    mask = view.inside(inserts.time_ns) & inserts.slice_known & only
    return _samples(inserts.take(mask), ones(int(mask.sum())) if values is None else values[mask])


def _samples(inserts: Insertions, values: I64) -> Samples:
    comm = inserts.comm
    return Samples(values, comm, no_cpu(comm), inserts.dsq_id, inserts.dsq_known)


def slice_allocation(view: View) -> Samples:
    """Slice that an insert into a dispatch queue gave its task. Inserts without an end to the slice
    (slice_infinite) or that leave the task what it had (slice_kept) are no sample. Scope dsq groups
    by the queue given to the insert.

    Formula: slice of each insert at t, a <= t < b, with 0 < slice < 2^63 ns.
    Source: DsqInsert and DsqInsertVtime (scx_bpf_dsq_insert and its kin), their argument; scx's
    slicesnoop.bt.
    """
    slices = view.trace.insertions.slice_ns
    finite = (slices > 0) & (slices < _ENDLESS)
    return _inserted(view, finite, slices.view(np.int64))


def slice_infinite(view: View) -> Samples:
    """Number of inserts with a slice that does not end: SCX_SLICE_INF (2^64 - 1), or any of at least
    2^63 ns, which is 292 years.

    Formula: number of inserts at t, a <= t < b, with slice >= 2^63 ns.
    Source: as slice_allocation.
    """
    return _inserted(view, view.trace.insertions.slice_ns >= _ENDLESS)


def slice_kept(view: View) -> Samples:
    """Number of inserts with slice 0, which leaves the task the rest of the slice it had.

    Formula: number of inserts at t, a <= t < b, with slice = 0.
    Source: as slice_allocation; scx_bpf_dsq_insert in kernel/sched/ext.
    """
    return _inserted(view, view.trace.insertions.slice_ns == 0)


def vtime_step(view: View) -> Samples:
    """How far the virtual time of an insert is from that of the insert before it in the same queue,
    wherever in the trace that was. Negative: it goes before that task. A queue's first insert is no
    sample. The unit is the scheduler's own; most weigh nanoseconds. Whether a queue's clock jumps or
    tasks are put far apart shows here.

    Formula: v - v' modulo 2^64, as a signed number, of each insert by vtime at t, a <= t < b.
    Source: DsqInsertVtime (scx_bpf_dsq_insert_vtime and its kin); scx's vtime_dist.bt, which takes
    the first insert's step from 0.
    """
    inserts, step = vtime_steps(view.trace.insertions)
    mask = view.inside(inserts.time_ns)
    return _samples(inserts.take(mask), step[mask])


def cpu_frequency(view: View) -> Samples:
    """Mean frequency that the kernel set a CPU to, weighted by time. Time before a CPU's first
    record is left out, because nobody knows the frequency then. In scope system, over all CPUs' time
    that is known. Not measured where no frequency changes at all, as in a guest, which has no
    frequency driver. What the hardware made of the request is not seen.

    Formula: sum of f * (min(e, b) - max(s, a)) over the sum of min(e, b) - max(s, a), over stretches
    [s, e) from one record of the CPU to its next.
    Source: CpuFrequency (the tracepoint power:cpu_frequency); scx's freq_trace.bt, whose mean is over
    records and not over time.
    """
    spans = view.trace.frequencies
    mask = view.overlaps(spans.start_ns, spans.end_ns)
    nobody = np.full(int(mask.sum()), NO_TASK, dtype=np.int64)
    weight = view.length(spans.start_ns, spans.end_ns)[mask]
    return Samples(spans.khz[mask], nobody, spans.cpu[mask], weight=weight)

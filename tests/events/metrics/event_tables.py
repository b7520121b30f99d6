# SPDX-License-Identifier: MIT
"""Short notation for event tables in tests: one line an event, `seq` from the order given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from scxval.events.capability import Capability
from scxval.events.metrics import measure
from scxval.events.schema import EVENT_SCHEMA, Reason, TraceKind
from scxval.events.table import sorted_table

K = TraceKind
SWITCH_KINDS = [
    K.TASK_SCHEDULED,
    K.CPU_IDLE,
    K.TASK_SLEPT,
    K.TASK_PREEMPTED,
    K.TASK_YIELDED,
    K.TASK_COMPLETED,
]
ALL_KINDS = [*SWITCH_KINDS, K.TASK_WOKE, K.DSQ_INSERT, K.DSQ_INSERT_VTIME, K.CPU_FREQUENCY]
FIELDS = {
    K.DSQ_INSERT: ["dsq_id", "slice_ns"],
    K.DSQ_INSERT_VTIME: ["dsq_id", "slice_ns", "vtime"],
    K.CPU_FREQUENCY: ["other_cpu", "flags"],
}


@dataclass(frozen=True)
class Event:
    time_ns: int
    cpu: int
    kind: str
    tid: int | None = None
    comm: str | None = None
    reason: str | None = None
    dsq_id: int | None = None
    pid: int | None = None
    slice_ns: int | None = None
    vtime: int | None = None
    other_cpu: int | None = None
    flags: int | None = None


def table(events: Iterable[Event], first_seq: int = 0) -> pa.Table:
    """The canonical table of these events."""
    columns: dict[str, list] = {field.name: [] for field in EVENT_SCHEMA}
    for seq, event in enumerate(events, first_seq):
        row = {**event.__dict__, "seq": seq, "probe": "test"}
        for name, values in columns.items():
            values.append(row.get(name))
    arrays = [pa.array(columns[field.name], field.type) for field in EVENT_SCHEMA]
    return sorted_table(pa.table(arrays, schema=EVENT_SCHEMA))


def capability(kinds: Iterable[str] = ALL_KINDS, window_ns=None) -> Capability:
    """A source that sees these kinds."""
    names = [str(kind) for kind in kinds]
    fields = {name: FIELDS.get(name, []) for name in names}
    return Capability("test", names, fields, window_ns=window_ns)


def on(time_ns: int, cpu: int, tid: int, comm: str | None = None) -> Event:
    """Switch-in; tid 0 is idle. A task is called t<tid> unless told otherwise."""
    if tid == 0:
        return Event(time_ns, cpu, K.CPU_IDLE, 0, f"swapper/{cpu}")
    return Event(time_ns, cpu, K.TASK_SCHEDULED, tid, comm or f"t{tid}")


def off(time_ns: int, cpu: int, tid: int, kind: str = K.TASK_SLEPT, comm=None) -> Event:
    """Switch-out."""
    return Event(time_ns, cpu, kind, tid, comm or f"t{tid}")


def woke(time_ns: int, tid: int, reason: str | None = Reason.WAKING, cpu: int = 0) -> Event:
    """A wakeup record of task `tid`, on the waker's CPU."""
    return Event(time_ns, cpu, K.TASK_WOKE, tid, f"t{tid}", reason)


def insert(time_ns: int, tid: int, dsq_id: int | None, kind: str = K.DSQ_INSERT) -> Event:
    """An insert of task `tid` into a dispatch queue."""
    return Event(time_ns, 0, kind, tid, f"t{tid}", dsq_id=dsq_id)


def given(time_ns: int, tid: int, dsq_id: int | None, slice_ns=None, vtime=None) -> Event:
    """An insert with the slice, and by vtime if there is one, that the scheduler gave."""
    kind = K.DSQ_INSERT if vtime is None else K.DSQ_INSERT_VTIME
    return Event(time_ns, 0, kind, tid, f"t{tid}", dsq_id=dsq_id, slice_ns=slice_ns, vtime=vtime)


def frequency(time_ns: int, cpu: int, khz: int) -> Event:
    """CPU `cpu` was set to a frequency, by code on CPU 0."""
    return Event(time_ns, 0, K.CPU_FREQUENCY, other_cpu=cpu, flags=khz)


class Measured:
    """The metrics of some events, by scope, name, metric and stat."""

    def __init__(self, events, window_ns, cpus=None, workload=None, kinds=ALL_KINDS) -> None:
        self.table = measure(table(events), capability(kinds), window_ns, cpus, workload)
        self.rows = {
            (row["scope"], row["name"], row["metric"], row["stat"]): row
            for row in self.table.to_pylist()
        }
        assert len(self.rows) == self.table.num_rows, "a row stands there twice"

    def value(self, scope: str, name: str, metric: str, stat: str = "value") -> float | None:
        return self.rows[scope, name, metric, stat]["value"]

    def n(self, scope: str, name: str, metric: str, stat: str = "value") -> int:
        return self.rows[scope, name, metric, stat]["n"]

    def task(self, comm: str, metric: str, stat: str = "value") -> float | None:
        return self.value("task", comm, metric, stat)

    def cpu(self, cpu: int, metric: str, stat: str = "value") -> float | None:
        return self.value("cpu", str(cpu), metric, stat)

    def system(self, metric: str, stat: str = "value") -> float | None:
        return self.value("system", "", metric, stat)

    def distribution(self, scope: str, name: str, metric: str) -> list[float | None]:
        """count, mean, p50, p90, p99, max."""
        stats = ("count", "mean", "p50", "p90", "p99", "max")
        return [self.value(scope, name, metric, stat) for stat in stats]

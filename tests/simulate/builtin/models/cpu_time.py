# SPDX-License-Identifier: MIT
"""What ran when, of an event table: the measure of a policy that does not ask the policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_ENDS = ("TaskPreempted", "TaskYielded", "TaskSlept", "TaskCompleted", "SimulationEnd")


@dataclass(frozen=True)
class Stints:
    """Each stay of a task on a CPU, one element a stay."""

    comm: npt.NDArray[np.str_]
    tid: npt.NDArray[np.int64]
    cpu: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.int64]
    ns: npt.NDArray[np.int64]
    end: npt.NDArray[np.str_]

    def total_ns(self) -> dict[str, int]:
        """CPU time by name, of all threads of that name."""
        return {str(name): int(self.ns[self.comm == name].sum()) for name in np.unique(self.comm)}

    def by_tid(self) -> dict[int, int]:
        """CPU time by thread."""
        return {int(tid): int(self.ns[self.tid == tid].sum()) for tid in np.unique(self.tid)}


def stints(table: pa.Table) -> Stints:
    """All stays: each TaskScheduled with the next event of its CPU that ends one."""
    kind = np.array(table["kind"].cast("string").to_pylist())
    keep = np.isin(kind, ["TaskScheduled", *_ENDS])
    kind = kind[keep]
    cpu, time, tid = (table[name].to_numpy()[keep] for name in ("cpu", "time_ns", "tid"))
    comm = np.array(table["comm"].cast("string").to_pylist())[keep]
    order = np.argsort(cpu, kind="stable")
    kind, cpu, time, tid, comm = (column[order] for column in (kind, cpu, time, tid, comm))
    on = np.flatnonzero(kind == "TaskScheduled")
    off = on + 1
    assert (tid[on] == tid[off]).all() and (cpu[on] == cpu[off]).all()
    return Stints(comm[on], tid[on].astype(int), cpu[on], time[on], time[off] - time[on], kind[off])

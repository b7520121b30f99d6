# SPDX-License-Identifier: MIT
"""The frequency that each CPU was set to, from one CpuFrequency record to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scxval.events.metrics.rows import I64, dictionary, numbers
from scxval.events.schema import TraceKind


@dataclass(frozen=True)
class Frequencies:
    """Stretches [start_ns, end_ns) in which a CPU was set to `khz`; the last one never ends."""

    start_ns: I64
    end_ns: I64
    cpu: I64
    khz: I64


def frequencies(table: pa.Table) -> Frequencies:
    """The stretches of every CPU. Before a CPU's first record nobody knows its frequency."""
    kinds, names = dictionary(table, "kind")
    is_change = np.array([*(name == TraceKind.CPU_FREQUENCY for name in names), False])
    at = np.flatnonzero(is_change[kinds])
    time, cpu, seq, khz = (
        numbers(table, name)[at] for name in ("time_ns", "other_cpu", "seq", "flags")
    )
    order = np.lexsort((seq, time, cpu))
    time, cpu, khz = time[order], cpu[order], khz[order]
    end = np.full(len(time), np.iinfo(np.int64).max)
    more = np.flatnonzero(cpu[1:] == cpu[:-1])
    end[more] = time[more + 1]
    known = cpu >= 0
    return Frequencies(time[known], end[known], cpu[known], khz[known])

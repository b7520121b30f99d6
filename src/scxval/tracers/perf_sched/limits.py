# SPDX-License-Identifier: MIT
"""Which numbers a record of the kernel can hold: a record with another one is damaged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from scxval.events.schema import MAX_CPU
from scxval.tracers.sched_records import CPU_FIELDS, MAX_TID

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer]

_TID_FIELDS = frozenset(("pid", "prev_pid", "next_pid", "parent_pid", "child_pid", "common_pid"))


def sound_tids(tid: Ints) -> Bools:
    """Which numbers can be those of tasks or thread groups."""
    sound: Bools = (tid >= 0) & (tid <= MAX_TID)
    return sound


def sound(values: Mapping[str, Ints]) -> Bools:
    """Which records of a tracepoint have possible numbers of tasks and CPUs only."""
    good = np.ones(len(next(iter(values.values()))), dtype=np.bool_)
    for name, value in values.items():
        if name in _TID_FIELDS:
            good &= sound_tids(value)
        elif name in CPU_FIELDS:
            good &= (value >= 0) & (value <= MAX_CPU)
    return good

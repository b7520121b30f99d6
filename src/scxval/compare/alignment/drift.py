# SPDX-License-Identifier: MIT
"""How B's times lie against A's where activations begin: offset, drift, and what a line leaves over.

The logical clock is the number of the activation; wall time is mapped by a line through the begins of
paired activations, and its residual says how well a line maps one side's time to the other's at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from scxval.compare.alignment.activations import I64
from scxval.compare.clock import Clock, Residuals, clock, residuals


@dataclass(frozen=True)
class Drift:
    """A line through t_B - t_A at the begins of `activations` pairs, and its `residual`, in ns."""

    activations: int
    line: Clock
    residual: Residuals

    def summary(self) -> dict[str, Any]:
        """As JSON has it: the line's fields, `activations` and `residual_ns`."""
        return {
            "activations": self.activations,
            **asdict(self.line),
            "residual_ns": asdict(self.residual),
        }


def drift(begin_a_ns: I64, begin_b_ns: I64, task: I64) -> Drift | None:
    """The drift of the begins of paired activations; None without any.

    `task` is each pair's task. The slope is what tasks have in common: times and differences are counted
    from each task's own medians, as the phase in which a window found a task is no drift. The offset is at
    the middle of the time. One line maps all, so that phases are in the residual.
    """
    if not len(begin_a_ns):
        return None
    apart = begin_b_ns - begin_a_ns
    _, which = np.unique(task, return_inverse=True)
    when, rest = begin_a_ns - _medians(begin_a_ns, which), apart - _medians(apart, which)
    order = np.argsort(when, kind="stable")
    line = clock(when[order], rest[order])
    assert line is not None
    first, last = int(begin_a_ns.min()), int(begin_a_ns.max())
    middle = first + (last - first) // 2
    level = apart - (line.drift_ppm or 0.0) / 1e6 * (begin_a_ns - middle)
    offset = float(np.median(level))
    left = residuals(np.rint(level - offset).astype(np.int64))
    assert left is not None
    return Drift(len(apart), replace(line, offset_ns=offset), left)


def _medians(values: I64, group: I64) -> I64:
    """The lower median of the values of each one's group; groups are 0, 1, ..."""
    order = np.lexsort((values, group))
    count = np.bincount(group)
    first = np.cumsum(count) - count
    found: I64 = values[order][first + (count - 1) // 2][group]
    return found

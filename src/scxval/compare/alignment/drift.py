# SPDX-License-Identifier: MIT
"""How B's times lie against A's where activations begin: offset, drift, and what a line leaves over.

The logical clock is the number of the activation; wall time is mapped by a line through the begins of
paired activations, and its residual says how well a line maps one side's time to the other's at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
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

    `task` is each pair's task: its own offset, the phase in which a window found it, is no part of the
    slope that tasks have in common. The offset is the median over all pairs, at the middle of the time.
    """
    if not len(begin_a_ns):
        return None
    apart = begin_b_ns - begin_a_ns
    order = np.argsort(begin_a_ns, kind="stable")
    distinct, which = np.unique(task, return_inverse=True)
    own = np.zeros(1, dtype=np.int64)
    if len(distinct) > 1:
        own = _medians(apart, which, len(distinct))
    line = clock(begin_a_ns[order], (apart - own[which])[order])
    assert line is not None
    common = round(float(np.median(own[which])))
    middle = begin_a_ns[order[0]] + (begin_a_ns[order[-1]] - begin_a_ns[order[0]]) // 2
    slope = (line.drift_ppm or 0.0) / 1e6
    rest = (apart - own[which]) - line.offset_ns - slope * (begin_a_ns - middle)
    left = residuals(np.rint(rest).astype(np.int64))
    assert left is not None
    shifted = Clock(
        line.offset_ns + common,
        line.drift_ppm,
        line.drift_low_ppm,
        line.drift_high_ppm,
        line.points,
    )
    return Drift(len(apart), shifted, left)


def _medians(values: I64, group: I64, groups: int) -> I64:
    """The lower median of each group's values."""
    order = np.lexsort((values, group))
    count = np.bincount(group, minlength=groups)
    first = np.cumsum(count) - count
    found: I64 = values[order][first + (count - 1) // 2]
    return found

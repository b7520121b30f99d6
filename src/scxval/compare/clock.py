# SPDX-License-Identifier: MIT
"""How far two sources' times of the same events lie apart: distribution, clock offset and drift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.stats import theilslopes

I64 = npt.NDArray[np.int64]


# Stretches of equally many pairs, whose medians the line is laid through.
STRETCHES = 200
# Fewer medians than this make no line.
FEWEST = 5


@dataclass(frozen=True)
class Residuals:
    """t_B - t_A over pairs, in ns; p1 and p99 are numpy's default percentiles."""

    median: float
    p1: float
    p99: float
    max_abs: int


@dataclass(frozen=True)
class Clock:
    """A line through the residuals: `offset_ns` in the middle of the time, `drift_ppm` its slope.

    Theil and Sen's slope, the median over all pairs of points, over the medians of up to STRETCHES
    stretches; `drift_low_ppm` and `drift_high_ppm` are its 95 % confidence limits (Sen 1968). Drift is
    None where there are fewer than FEWEST points.
    """

    offset_ns: float
    drift_ppm: float | None
    drift_low_ppm: float | None
    drift_high_ppm: float | None
    points: int


def residuals(values_ns: I64) -> Residuals | None:
    """The distribution of residuals, None without any."""
    if not len(values_ns):
        return None
    p1, median, p99 = np.percentile(values_ns, (1, 50, 99))
    return Residuals(float(median), float(p1), float(p99), int(np.abs(values_ns).max()))


def clock(time_ns: I64, residual_ns: I64) -> Clock | None:
    """Offset and drift of B's clock against A's; `time_ns` are A's times, in order."""
    count = len(time_ns)
    if not count:
        return None
    edges = np.linspace(0, count, min(STRETCHES, count) + 1).astype(np.int64)
    parts = [slice(start, end) for start, end in pairwise(edges)]
    middle = float(time_ns[0] + (time_ns[-1] - time_ns[0]) // 2)
    when = np.array([np.median(time_ns[part]) for part in parts]) - middle
    apart = np.array([np.median(residual_ns[part]) for part in parts])
    if len(parts) < FEWEST or when[0] == when[-1]:
        return Clock(float(np.median(residual_ns)), None, None, None, len(parts))
    # Without limits (nan) where nearly all medians are tied.
    with np.errstate(invalid="ignore"):
        slope, _, low, high = map(float, theilslopes(apart, when))
    offset = float(np.median(apart - slope * when))
    ends = [None if math.isnan(end) else end * 1e6 for end in (low, high)]
    return Clock(offset, slope * 1e6, ends[0], ends[1], len(parts))

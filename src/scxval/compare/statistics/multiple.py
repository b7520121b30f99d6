# SPDX-License-Identifier: MIT
"""Many questions at once: p-values adjusted over a family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from scxval.errors import ScxvalError


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted so that below alpha anywhere is a false alarm in at most alpha of families (Holm 1979).

    The k-th smallest of m times m - k + 1, never below one before it, never above 1. ScxvalError for
    what is no probability.
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(value) for value in adjusted]


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted so that of what lies below q about a part of q is false (Benjamini and Hochberg 1995)."""
    values = _checked(p)
    if not len(values):
        return []
    return [float(q) for q in stats.false_discovery_control(values, method="bh")]


def _checked(p: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.array(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ScxvalError(f"not probabilities: {list(p)}")
    return values

# SPDX-License-Identifier: MIT
"""The comparison that these tests ask for, and values of runs as hypothesis draws them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from scxval.catalog.comparison import FAMILIES, Compare, Margin

HOW = Compare(
    families=FAMILIES,
    against=(),
    warm_up_ns=0,
    alpha=0.05,
    confidence=0.95,
    power=0.8,
    resamples=999,
    random_seed=1,
    distortion=1.5,
    band=64,
    clock_step_ns=2_000_000,
    quantities=(),
)
FULL = replace(HOW, resamples=9999)

# Whole numbers and halves: sums and means are exact enough for equalities to be asked of.
values = st.integers(0, 20_000).map(lambda v: v / 2)
signed = st.integers(-20_000, 20_000).map(lambda v: v / 2)


def runs(
    of: st.SearchStrategy[float] = values, least: int = 2
) -> st.SearchStrategy[tuple[float, ...]]:
    """Values of `least` to 8 runs."""
    return st.lists(of, min_size=least, max_size=8).map(tuple)


def margin(ratio: float = 0.1, absolute: float = 0.0) -> Margin:
    """A margin as a test needs one."""
    return Margin(ratio, absolute, "a test's")

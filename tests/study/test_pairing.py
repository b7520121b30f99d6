# SPDX-License-Identifier: MIT
"""What pairs gain: known answers, and nothing where nothing is common."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.study.pairing import pairing_table, pairing_words


def varies(a: object, b: object) -> object:
    table = pairing_table({"x": ([], [(a, b)])})  # type: ignore[list-item]
    return table.rows[0][table.columns.index("varies")]


def test_runs_that_share_nothing_gain_nothing() -> None:
    a, b = np.random.default_rng(3).normal(100, 5, (2, 20_000))
    assert varies(a, b) == pytest.approx(1.0, abs=0.02)


@given(st.floats(0.0, 0.99))
def test_with_equal_spreads_it_is_the_root_of_what_is_not_common(r: float) -> None:
    """sqrt(1 - r) of Pearson's r; here both sides have exactly one spread."""
    e, f = np.array([1.0, -1.0, 1.0, -1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    assert varies(e, r * e + math.sqrt(1 - r**2) * f) == pytest.approx(math.sqrt(1 - r), abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]), ([5.0] * 4, [5.0] * 4), ([], [])]
)
def test_what_says_nothing(a: list[float], b: list[float]) -> None:
    assert varies(a, b) is None


def test_words_are_only_of_what_is_known() -> None:
    assert pairing_words(pairing_table({})) == ""
    assert pairing_words(pairing_table({"x": ([], [])})) == ""
    near = pairing_words(pairing_table({"x": ([60.0, 180.0], []), "y": ([600.0], [])}))
    assert near == "The two runs of a pair began 6.0 minutes apart in the median, 10.0 at most."

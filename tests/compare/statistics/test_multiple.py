# SPDX-License-Identifier: MIT
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.statistics.multiple import benjamini_hochberg, holm
from scxval.errors import ScxvalError

chances = st.lists(st.floats(0, 1), max_size=6)


@given(chances)
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """Marcus, Peritz and Gabriel's closure, by trying every set of hypotheses."""
    everything = range(len(p))
    sets = [s for k in everything for s in itertools.combinations(everything, k + 1)]
    closed = [
        max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in everything
    ]
    assert holm(p) == pytest.approx(closed)


def test_known_answers() -> None:
    """R's p.adjust."""
    p = [0.04, 0.01, 0.03, 0.02, 0.05]
    assert holm(p) == pytest.approx([0.09, 0.05, 0.09, 0.08, 0.09])
    assert benjamini_hochberg(p) == pytest.approx([0.05] * 5)
    p = [0.005, 0.01, 0.03, 0.4]
    assert holm(p) == pytest.approx([0.02, 0.03, 0.06, 0.4])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.02, 0.04, 0.4])


@given(chances)
def test_false_discovery_is_never_stricter_than_family_wise(p: list[float]) -> None:
    for raw, q, adjusted in zip(p, benjamini_hochberg(p), holm(p), strict=True):
        assert raw - 1e-12 <= q <= adjusted + 1e-12 <= 1 + 1e-12


def test_nothing_and_one() -> None:
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([0.03]) == benjamini_hochberg([0.03]) == [0.03]


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p: float) -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ScxvalError):
            adjust([0.5, p])

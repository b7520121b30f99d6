# SPDX-License-Identifier: MIT
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from scxval.compare.statistics.contrast import Moments, within_and_beyond
from scxval.compare.statistics.side import Side
from tests.compare.statistics.asked import runs

ratios = st.sampled_from((0.0, 0.01, 0.1, 0.5))
absolutes = st.sampled_from((0.0, 0.5, 10.0, 500.0))


def asked(
    a: tuple[float, ...], b: tuple[float, ...], ratio: float, absolute: float
) -> tuple[float, float]:
    moments = []
    for values in (a, b):
        side = Side(values)
        assert side.sd is not None
        moments.append(Moments(side.mean, side.sd, side.n))
    agree, beyond = within_and_beyond(*moments, ratio, absolute)
    return float(agree), float(beyond)


def varies(values: tuple[float, ...]) -> bool:
    return max(values) > min(values)


@given(runs(), runs(), ratios, absolutes)
def test_each_end_is_scipys_welch_test_against_a_scaled_and_moved(
    a: tuple[float, ...], b: tuple[float, ...], ratio: float, absolute: float
) -> None:
    assume(varies(a) and varies(b))
    k = 1 + ratio
    most, least = [k * v + absolute for v in a], [v / k - absolute for v in a]
    ends = [
        stats.ttest_ind(b, most, equal_var=False, alternative="less").pvalue,
        stats.ttest_ind(b, least, equal_var=False, alternative="greater").pvalue,
    ]
    agree, beyond = asked(a, b, ratio, absolute)
    assert agree == pytest.approx(max(ends), rel=1e-6, abs=1e-12)
    assert beyond == pytest.approx(min(1, 2 * min(1 - p for p in ends)), rel=1e-6, abs=1e-12)


@given(runs(), runs())
def test_without_a_margin_beyond_is_welchs_two_sided_p(
    a: tuple[float, ...], b: tuple[float, ...]
) -> None:
    assume(varies(a) and varies(b))
    welch = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert asked(a, b, 0, 0)[1] == pytest.approx(welch, rel=1e-6, abs=1e-12)


@given(runs(), st.integers(0, 20_000), ratios, absolutes)
def test_against_a_known_value_it_is_the_one_sample_test(
    b: tuple[float, ...], known: float, ratio: float, absolute: float
) -> None:
    assume(varies(b))
    side = Side(b)
    assert side.sd is not None
    agree, _ = within_and_beyond(
        Moments(known, 0.0, 1), Moments(side.mean, side.sd, side.n), ratio, absolute
    )
    k = 1 + ratio
    ends = [
        stats.ttest_1samp(b, k * known + absolute, alternative="less").pvalue,
        stats.ttest_1samp(b, known / k - absolute, alternative="greater").pvalue,
    ]
    assert float(agree) == pytest.approx(max(ends), rel=1e-6, abs=1e-12)


@given(runs(), runs(), ratios)
def test_which_side_is_a_makes_no_difference_to_a_ratio(
    a: tuple[float, ...], b: tuple[float, ...], ratio: float
) -> None:
    # All equal on both sides at the very edge is decided by rounding.
    assume(varies(a) or varies(b))
    assert asked(a, b, ratio, 0) == pytest.approx(asked(b, a, ratio, 0), rel=1e-6, abs=1e-9)


@given(runs(), runs(), ratios, absolutes, st.sampled_from((1e-6, 1e9)))
def test_the_unit_makes_no_difference(
    a: tuple[float, ...], b: tuple[float, ...], ratio: float, absolute: float, unit: float
) -> None:
    assume(varies(a) or varies(b))
    scaled = [tuple(v * unit for v in side) for side in (a, b)]
    assert asked(*scaled, ratio, absolute * unit) == pytest.approx(
        asked(a, b, ratio, absolute), rel=1e-5, abs=1e-9
    )


@given(runs(), runs(), ratios, absolutes, st.floats(0, 100))
def test_a_wider_absolute_margin_never_makes_agreement_harder(
    a: tuple[float, ...], b: tuple[float, ...], ratio: float, absolute: float, more: float
) -> None:
    narrow, wide = asked(a, b, ratio, absolute), asked(a, b, ratio, absolute + more)
    assert wide[0] <= narrow[0] + 1e-12
    assert wide[1] >= narrow[1] - 1e-12


@given(runs(), runs(), ratios, absolutes)
def test_never_both(
    a: tuple[float, ...], b: tuple[float, ...], ratio: float, absolute: float
) -> None:
    agree, beyond = asked(a, b, ratio, absolute)
    assert agree >= 0.5 or beyond == 1.0


@pytest.mark.parametrize(
    ("mean_b", "ratio", "absolute", "expected"),
    [
        (100.0, 0.0, 0.0, (0.0, 1.0)),
        (100.5, 0.0, 0.5, (0.0, 1.0)),
        (101.0, 0.0, 0.5, (1.0, 0.0)),
        (109.0, 0.1, 0.0, (0.0, 1.0)),
        (92.0, 0.1, 0.0, (0.0, 1.0)),
        (111.0, 0.1, 0.0, (1.0, 0.0)),
        (90.5, 0.1, 0.0, (1.0, 0.0)),
    ],
)
def test_without_variance_the_sign_decides(
    mean_b: float, ratio: float, absolute: float, expected: tuple[float, float]
) -> None:
    assert asked((100.0, 100.0), (mean_b, mean_b), ratio, absolute) == expected


def test_arrays_are_asked_one_by_one() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(100, 5, (2, 50, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agree, beyond = within_and_beyond(
            *(Moments(x.mean(1), x.std(1, ddof=1), 4) for x in (a, b)), 0.1, 0.0
        )
    single = [asked(tuple(x), tuple(y), 0.1, 0.0) for x, y in zip(a, b, strict=True)]
    assert np.transpose([agree, beyond]) == pytest.approx(np.array(single))

# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.compare.statistics.contrast import Moments, within_and_beyond
from scxval.compare.statistics.power import Design, needed_runs, power, smallest_ratio

# Measured for the project's design, by another program: margin, standard deviation -> by runs. Mean 100.
RUNS = (3, 5, 10, 20, 30)
MEASURED = {
    (5, 2): (0.64, 0.95, 1, 1, 1),
    (5, 5): (0.03, 0.07, 0.40, 0.85, 0.97),
    (5, 10): (0, 0, 0, 0.03, 0.20),
    (10, 5): (0.39, 0.78, 0.99, 1, 1),
    (10, 10): (0.03, 0.07, 0.40, 0.84, 0.97),
}

designs = st.builds(
    Design,
    mean=st.floats(10, 1000),
    sd_a=st.floats(0.1, 50),
    sd_b=st.floats(0.1, 50),
    n_a=st.integers(2, 12),
    n_b=st.integers(2, 12),
)


@given(designs, st.sampled_from((0.05, 0.25, 1.0)), st.sampled_from((0.0, 10.0)))
@settings(max_examples=25)
def test_power_is_how_often_the_test_says_agree(
    design: Design, ratio: float, absolute: float
) -> None:
    rng = np.random.default_rng(1)
    sides = []
    for sd, n in ((design.sd_a, design.n_a), (design.sd_b, design.n_b)):
        drawn = rng.normal(design.mean, sd, (4000, n))
        sides.append(Moments(drawn.mean(1), drawn.std(1, ddof=1), n))
    agree, _ = within_and_beyond(*sides, ratio, absolute)
    assert power(design, ratio, absolute, 0.05) == pytest.approx((agree < 0.05).mean(), abs=0.045)


@pytest.mark.parametrize("margin_sd", MEASURED)
def test_power_is_what_others_measured(margin_sd: tuple[int, int]) -> None:
    """Theirs has both degrees of freedom pooled, which gains power with few runs."""
    margin, sd = margin_sd
    for n, theirs in zip(RUNS, MEASURED[margin_sd], strict=True):
        ours = power(Design(100, sd, sd, n, n), 0.0, margin, 0.05)
        assert theirs - (0.13 if n < 5 else 0.05) <= ours <= theirs + 0.02


@given(designs, st.sampled_from((0.05, 0.25)))
@settings(max_examples=25)
def test_one_run_less_is_too_few(design: Design, ratio: float) -> None:
    found = needed_runs(design, ratio, 0.0, 0.05, 0.8)
    if found is None:
        assert power(design.with_runs(1000), ratio, 0.0, 0.05) < 0.8
        return
    assert power(design.with_runs(found), ratio, 0.0, 0.05) >= 0.8
    assert found == 2 or power(design.with_runs(found - 1), ratio, 0.0, 0.05) < 0.8


@given(designs)
@settings(max_examples=25)
def test_a_smaller_ratio_is_too_small(design: Design) -> None:
    found = smallest_ratio(design, 0.0, 0.05, 0.8)
    if found is None:
        assert power(design, 100.0, 0.0, 0.05) < 0.8
        return
    assert power(design, found, 0.0, 0.05) >= 0.8
    assert power(design, found / 1.02, 0.0, 0.05) < 0.8


def test_a_known_value_needs_fewer_runs_of_the_other_side() -> None:
    both = Design(100, 10, 10, 5, 5)
    one = Design(100, 10, 0, 5, 1, known_b=True)
    needed = [needed_runs(design, 0.1, 0.0, 0.05, 0.8) for design in (both, one)]
    assert None not in needed
    assert needed[1] < needed[0]
    # Julious 2004, one sample: (z_0.95 + z_0.9)^2 sd^2 / margin^2 with margin 10 is 9 at least.
    assert 9 <= needed[1] <= 13


def test_no_variance_decides_at_once() -> None:
    same = Design(100, 0, 0, 2, 2)
    assert power(same, 0.0, 0.0, 0.001) == 1.0
    assert needed_runs(same, 0.0, 0.0, 0.05, 0.8) == 2
    assert smallest_ratio(same, 0.0, 0.05, 0.8) == 0.0


def test_without_a_margin_no_number_of_runs_confirms() -> None:
    assert needed_runs(Design(100, 1, 1, 5, 5), 0.0, 0.0, 0.05, 0.8) is None


def test_an_absolute_margin_alone_can_be_enough() -> None:
    assert smallest_ratio(Design(100, 1, 1, 10, 10), 5.0, 0.05, 0.8) == 0.0

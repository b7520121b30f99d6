# SPDX-License-Identifier: MIT
import statistics
from dataclasses import replace

import pytest
from hypothesis import given

from scxval.compare.statistics.side import Side, enough_for_a_test
from scxval.errors import ScxvalError
from tests.compare.statistics.asked import runs, signed


@given(runs(signed))
def test_mean_and_deviation_are_the_usual_ones(values: tuple[float, ...]) -> None:
    side = Side(values)
    assert side.mean == pytest.approx(statistics.fmean(values))
    assert side.sd == pytest.approx(statistics.stdev(values), abs=1e-9)


def test_equal_values_have_no_rounding() -> None:
    side = Side((0.1, 0.1, 0.1))
    assert side.constant
    assert (side.mean, side.sd) == (0.1, 0.0)


def test_one_run_has_no_spread_but_one_simulation_has_none_to_have() -> None:
    assert Side((1.0,)).sd is None
    assert not Side((1.0,)).known
    assert Side((1.0,), deterministic=True).sd == 0.0
    assert Side((1.0,), deterministic=True).known


def test_several_seeds_of_a_simulator_are_runs() -> None:
    side = Side((1.0, 3.0), deterministic=True)
    assert not side.known
    assert side.sd == pytest.approx(2**0.5)


@pytest.mark.parametrize("values", [(), (1.0, float("nan")), (float("inf"),)])
def test_what_has_no_mean_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ScxvalError):
        Side(values)


@pytest.mark.parametrize(
    ("a", "b", "enough"),
    [
        (Side((1.0, 2.0)), Side((1.0, 1.0)), True),
        (Side((1.0, 1.0)), Side((1.0, 1.0)), False),
        (Side((1.0,) * 5), Side((2.0,) * 5), True),
        (Side((1.0,) * 5), Side((2.0,) * 4), False),
        (Side((1.0,)), Side((1.0, 2.0)), False),
        # Of a simulator nothing is left to chance.
        (Side((1.0, 1.0), True), Side((2.0,), True), True),
        (Side((1.0, 1.0), True), Side((2.0,) * 4), False),
        (Side((1.0,), True), Side((2.0, 3.0)), True),
    ],
)
def test_runs_that_are_all_alike_have_to_be_five(a: Side, b: Side, enough: bool) -> None:
    assert enough_for_a_test(a, b) is enough_for_a_test(b, a) is enough


def test_counts_over_windows_of_other_lengths_are_alike_and_take_as_many_runs() -> None:
    """40 events in 2.000 s and in 2.002 s are the same number: their spread is the windows'."""
    blur = 20.0 * (1 - 2.0 / 2.002) * (1 + 1e-9)
    a = Side((40 / 2.0, 40 / 2.002), blur=blur)
    b = Side((48 / 2.002, 48 / 2.0), blur=1.2 * blur)
    assert not enough_for_a_test(a, b)
    assert not enough_for_a_test(replace(a, values=a.values[:1] * 2), b)
    assert enough_for_a_test(a, replace(b, blur=0.0))
    five = [Side((*side.values, *side.values, side.values[0]), blur=side.blur) for side in (a, b)]
    assert enough_for_a_test(*five)

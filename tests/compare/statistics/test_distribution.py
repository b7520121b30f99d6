# SPDX-License-Identifier: MIT
import itertools
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scxval.compare.statistics.distribution import GRID, distances
from scxval.errors import ScxvalError
from tests.compare.statistics.asked import HOW

I64 = npt.NDArray[np.int64]
Group = list[I64]

QUICK = replace(HOW, resamples=99)
samples = st.lists(st.integers(0, 50), min_size=1, max_size=12)
groups = st.lists(samples, min_size=1, max_size=4).map(
    lambda runs: [np.array(run, dtype=np.int64) for run in runs]
)


def weighted(group: Group) -> tuple[I64, list[float]]:
    """All samples, each run weighing the same."""
    return np.concatenate(group), [1 / len(run) for run in group for _ in run]


def expected(a: Group, b: Group) -> float:
    (values_a, weights_a), (values_b, weights_b) = weighted(a), weighted(b)
    return float(stats.wasserstein_distance(values_a, values_b, weights_a, weights_b))


def boots(rng: np.random.Generator, count: int, shift: float = 0, events: int = 20_000) -> Group:
    """Runs whose means differ between boots, as waits in ns do."""
    means = rng.normal(1e6 + shift, 3e4, count)
    return [rng.normal(mean, 1e5, events).astype(np.int64) for mean in means]


@given(groups, groups)
@settings(max_examples=60)
def test_wasserstein_is_scipys_with_every_run_weighing_the_same(a: Group, b: Group) -> None:
    assert distances(a, b, QUICK).wasserstein == pytest.approx(expected(a, b), abs=1e-9)


@given(groups, groups)
@settings(max_examples=60)
def test_ks_is_the_greatest_distance_of_the_functions(a: Group, b: Group) -> None:
    def below(group: Group, x: int) -> float:
        return sum(float((run <= x).mean()) for run in group) / len(group)

    ks = max(abs(below(a, x) - below(b, x)) for x in range(51))
    assert distances(a, b, QUICK).ks == pytest.approx(ks)


def test_ks_of_one_run_each_is_scipys() -> None:
    rng = np.random.default_rng(1)
    a, b = boots(rng, 2, events=1500)
    assert distances([a], [b], QUICK).ks == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_many_different_values_lose_next_to_nothing() -> None:
    rng = np.random.default_rng(2)
    a, b = boots(rng, 3), boots(rng, 3, 2e4)
    found = distances(a, b, QUICK)
    assert found.wasserstein == pytest.approx(expected(a, b), rel=1e-3)
    everything = np.sort(np.concatenate([*a, *b]))
    functions = [
        np.mean(
            [np.searchsorted(np.sort(run), everything, "right") / len(run) for run in g], axis=0
        )
        for g in (a, b)
    ]
    exact = float(np.abs(functions[0] - functions[1]).max())
    assert exact - 6 / GRID <= found.ks <= exact + 1e-12


@given(groups, st.integers(1, 1000))
@settings(max_examples=30)
def test_a_shift_is_a_wasserstein_distance_of_itself(a: Group, shift: int) -> None:
    shifted = [run + shift for run in a]
    assert distances(a, shifted, QUICK).wasserstein == pytest.approx(shift)


@given(groups, groups)
@settings(max_examples=30)
def test_exchanged_sides_are_as_far_apart(a: Group, b: Group) -> None:
    there, back = distances(a, b, QUICK), distances(b, a, QUICK)
    assert (there.ks, there.wasserstein) == pytest.approx((back.ks, back.wasserstein))


def test_p_is_the_part_of_all_relabellings_as_far_apart() -> None:
    rng = np.random.default_rng(3)
    a, b = boots(rng, 4, events=300), boots(rng, 4, 6e4, events=300)
    pool = [*a, *b]
    far = 0
    for chosen in itertools.combinations(range(8), 4):
        rest = [k for k in range(8) if k not in chosen]
        got = expected([pool[k] for k in chosen], [pool[k] for k in rest])
        far += got >= expected(a, b) * (1 - 1e-9)
    assert distances(a, b, HOW).p == pytest.approx(far / math.comb(8, 4))


@pytest.mark.parametrize(
    ("runs_a", "runs_b", "smallest"),
    [(3, 3, None), (4, 4, 2 / 70), (3, 4, 1 / 35), (2, 4, None), (19, 1, 1 / 20), (18, 1, None)],
)
def test_too_few_runs_have_no_p(runs_a: int, runs_b: int, smallest: float | None) -> None:
    rng = np.random.default_rng(4)
    a, b = boots(rng, runs_a, events=50), boots(rng, runs_b, 1e9, events=50)
    assert distances(a, b, HOW).p == (None if smallest is None else pytest.approx(smallest))


def test_many_runs_are_relabelled_at_random_and_p_is_never_zero() -> None:
    rng = np.random.default_rng(5)
    a, b = boots(rng, 10, events=50), boots(rng, 10, 1e9, events=50)
    assert distances(a, b, HOW).p == pytest.approx(1 / 1000)


def test_the_floor_is_the_mean_distance_of_two_runs_of_a() -> None:
    rng = np.random.default_rng(6)
    a = boots(rng, 3, events=200)
    pairs = [expected([x], [y]) for x, y in itertools.combinations(a, 2)]
    assert distances(a, a, QUICK).floor == pytest.approx(sum(pairs) / 3)
    assert distances(a[:1], a, QUICK).floor is None


def test_the_interval_has_the_distance_in_it_and_needs_three_runs() -> None:
    rng = np.random.default_rng(7)
    a, b = boots(rng, 6, events=500), boots(rng, 6, 5e5, events=500)
    found = distances(a, b, HOW)
    assert found.low is not None and found.high is not None
    assert found.low < 5e5 < found.high
    assert found.low < found.wasserstein < found.high
    few = distances(a[:2], b, HOW)
    assert (few.low, few.high) == (None, None)


def test_times_since_boot_lose_no_digits() -> None:
    year = 365 * 86_400 * 10**9
    a = [np.array([year, year + 3], dtype=np.int64)]
    b = [np.array([year + 1, year + 4], dtype=np.int64)]
    assert distances(a, b, QUICK).wasserstein == 1.0


@pytest.mark.parametrize(("a", "b"), [([], [[1]]), ([[1]], []), ([[1], []], [[1]])])
def test_nothing_has_no_distribution(a: list[list[int]], b: list[list[int]]) -> None:
    sides = [[np.array(run, dtype=np.int64) for run in side] for side in (a, b)]
    with pytest.raises(ScxvalError):
        distances(*sides, HOW)

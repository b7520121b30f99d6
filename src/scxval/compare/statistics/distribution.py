# SPDX-License-Identifier: MIT
"""How far two groups' distributions of single events lie apart, with the run as the unit.

Events of one run are not independent, so a test over pooled events finds differences between any two
boots (docs/method.md). Here every run is one distribution function with the same weight, and chance is
what relabelling or resampling whole runs gives. Time and memory are linear in events but for one sort a
run: functions are kept on a grid of at most GRID points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scxval.catalog.comparison import Compare
from scxval.errors import ScxvalError
from scxval.formats.compiled import compiled

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

# Distinct values up to which everything is exact; beyond, quantiles of each run.
GRID = 4096
# Relabellings or resamples at once.
CHUNK = 256


class Distances(NamedTuple):
    """As `scxval.compare.record.Distance`; all but `ks` and `p` in the samples' unit."""

    ks: float
    wasserstein: float
    low: float | None
    high: float | None
    p: float | None
    floor: float | None


@dataclass(frozen=True)
class _Functions:
    """Distribution functions of runs on one grid, a row a run: at the points, and integrals between."""

    at: F64
    area: F64


def distances(a: Sequence[I64], b: Sequence[I64], how: Compare) -> Distances:
    """Kolmogorov and Smirnov's and Wasserstein's distance of two groups of runs, samples by run.

    Exact with at most GRID different values; else `ks` is at most runs / GRID too small, and
    `wasserstein` is too small where the functions cross between two points. `p` is of the Wasserstein
    distance over all relabellings of runs (or `how.resamples` of them; Phipson and Smyth 2010), None where
    even the smallest possible one is not below alpha. The interval is the basic bootstrap's (Davison and
    Hinkley 1997, 5.6) over runs, because a distance of samples is always too large; None with fewer than 3
    runs on a side. Raises ScxvalError for a run or a side without samples.
    """
    runs = [*a, *b]
    if not a or not b or not all(len(run) for run in runs):
        raise ScxvalError("no distance of a distribution without samples")
    functions = _functions(runs)
    n_a, n_b = len(a), len(b)
    contrast = np.r_[np.full(n_a, -1 / n_a), np.full(n_b, 1 / n_b)]
    ks = float(np.abs(contrast @ functions.at).max())
    wasserstein = float(np.abs(contrast @ functions.area).sum())
    low, high = _interval(functions.area, n_a, n_b, wasserstein, how)
    p = _p(functions.area, n_a, n_b, wasserstein, how)
    return Distances(ks, wasserstein, low, high, p, _floor(functions.area[:n_a]))


def _functions(runs: Sequence[I64]) -> _Functions:
    ordered = [np.sort(np.asarray(run, dtype=np.int64)) for run in runs]
    grid = _grid(ordered)
    rows = [_function(run, grid) for run in ordered]
    return _Functions(np.array([at for at, _ in rows]), np.array([area for _, area in rows]))


def _grid(ordered: Sequence[I64]) -> I64:
    """All different values if they are few, else as many quantiles of each run."""
    each = [_distinct(run) for run in ordered]
    if all(len(values) <= GRID for values in each):
        values = np.unique(np.concatenate(each))
        if len(values) <= GRID:
            return values
    most = max(2, GRID // len(ordered))
    picked = [run[np.linspace(0, len(run) - 1, min(most, len(run))).astype(int)] for run in ordered]
    return np.unique(np.concatenate(picked))


def _distinct(run: I64) -> I64:
    return run[np.r_[True, run[1:] != run[:-1]]]


def _function(run: I64, grid: I64) -> tuple[F64, F64]:
    """Its distribution function at the grid's points, and its exact integral between neighbours."""
    index = np.searchsorted(run, grid, side="right")
    at = index / len(run)
    # From the first point on: sums of values in ns since boot would lose digits.
    sums = np.r_[0.0, np.cumsum((run - grid[0]).astype(np.float64))]
    points = (grid - grid[0]).astype(np.float64)
    inside, total = np.diff(index), np.diff(sums[index])
    area = at[:-1] * np.diff(points) + (inside * points[1:] - total) / len(run)
    return at, area


def _floor(area: F64) -> float | None:
    """The mean distance of two runs of one side."""
    pairs = list(itertools.combinations(range(len(area)), 2))
    if not pairs:
        return None
    return math.fsum(float(np.abs(area[i] - area[j]).sum()) for i, j in pairs) / len(pairs)


def _p(area: F64, n_a: int, n_b: int, observed: float, how: Compare) -> float | None:
    count = math.comb(n_a + n_b, n_a)
    # With equal sides exchanging all labels gives the same distance again.
    if (2 if n_a == n_b else 1) / count > how.alpha:
        return None
    every = count <= how.resamples
    labels = _all_labels(n_a, n_b) if every else _some_labels(n_a, n_b, how)
    # Rounding must not make the observed labels' own distance less than itself.
    limit = observed * (1 - 1e-9)
    reached = sum(int((found >= limit).sum()) for found in _measured(labels, area))
    return reached / count if every else (reached + 1) / (how.resamples + 1)


def _all_labels(n_a: int, n_b: int) -> Iterator[F64]:
    for chosen in itertools.combinations(range(n_a + n_b), n_a):
        weights = np.full(n_a + n_b, 1 / n_b)
        weights[list(chosen)] = -1 / n_a
        yield weights


def _some_labels(n_a: int, n_b: int, how: Compare) -> Iterator[F64]:
    rng = np.random.default_rng(how.random_seed)
    weights = np.r_[np.full(n_a, -1 / n_a), np.full(n_b, 1 / n_b)]
    return (np.asarray(rng.permutation(weights), np.float64) for _ in range(how.resamples))


def _interval(
    area: F64, n_a: int, n_b: int, observed: float, how: Compare
) -> tuple[float | None, float | None]:
    if min(n_a, n_b) < 3:
        return None, None
    rng = np.random.default_rng(how.random_seed)
    weights = (_some_runs(rng, n_a, n_b) for _ in range(how.resamples))
    found = np.concatenate(list(_measured(weights, area)))
    tail = (1 - how.confidence) / 2
    low, high = np.quantile(found, (tail, 1 - tail))
    return max(0.0, 2 * observed - float(high)), max(0.0, 2 * observed - float(low))


def _some_runs(rng: np.random.Generator, n_a: int, n_b: int) -> F64:
    drawn_a, drawn_b = (rng.multinomial(n, np.full(n, 1 / n)) for n in (n_a, n_b))
    return np.concatenate([drawn_a / -n_a, drawn_b / n_b], dtype=np.float64)


def _measured(weights: Iterator[F64], area: F64) -> Iterator[F64]:
    """Wasserstein distances of weighted runs, some at once."""
    while chunk := list(itertools.islice(weights, CHUNK)):
        yield _weighted(np.array(chunk), area)


@compiled
def _weighted(weights: F64, area: F64) -> F64:
    # weights @ area would start threads of its own in each of the jobs that share a machine.
    found = np.empty(len(weights))
    difference = np.empty(area.shape[1])
    for row in range(len(weights)):
        difference[:] = 0.0
        for run in range(len(area)):
            weight = weights[row, run]
            if weight != 0.0:
                difference += weight * area[run]
        found[row] = np.abs(difference).sum()
    return found

# SPDX-License-Identifier: MIT
"""What n runs can decide: the chance of `agree` where both means are the same, and what it would take.

The chance is over three things that runs draw: A's mean (normal) and both standard deviations (chi
square); given these, B's mean is normal and the chance is exact. Over the three it is a mean over Sobol
points, the same ones in every call, so that it changes smoothly with n and margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, ndtr, ndtri, stdtrit
from scipy.stats import qmc

from scxval.compare.statistics.contrast import F64, freedom

# Runs a side beyond which nobody goes.
MOST_RUNS = 1000
# Margins that are asked for; the steps between them are 1 %.
SMALLEST_RATIO, LARGEST_RATIO, STEP = 1e-4, 100.0, 1.01
_LOG2_POINTS = 8


@dataclass(frozen=True)
class Design:
    """Two sides with one mean: runs and standard deviation of each, in the quantity's unit.

    A side with `known` variance 0 is one value, however many runs the other has.
    """

    mean: float
    sd_a: float
    sd_b: float
    n_a: int
    n_b: int
    known_a: bool = False
    known_b: bool = False

    def with_runs(self, n: int) -> Design:
        """The same with n runs on each side that has runs."""
        return replace(self, n_a=1 if self.known_a else n, n_b=1 if self.known_b else n)


def power(design: Design, ratio: float, absolute: float, alpha: float) -> float:
    """The chance that both one-sided tests of `contrast` are below alpha, 0 to 1, to about 0.01."""
    z, low_a, low_b = _points()
    part_a = _drawn(design.sd_a, design.n_a, low_a)
    part_b = _drawn(design.sd_b, design.n_b, low_b)
    mean_a = design.mean + z * design.sd_a / math.sqrt(design.n_a)
    k = 1 + ratio
    high = k * mean_a + absolute - _reach(k**2 * part_a, part_b, design, alpha)
    low = mean_a / k - absolute + _reach(part_a / k**2, part_b, design, alpha)
    spread = design.sd_b / math.sqrt(design.n_b)
    if spread == 0:
        return float(((low <= design.mean) & (design.mean <= high)).mean())
    chance = ndtr((high - design.mean) / spread) - ndtr((low - design.mean) / spread)
    return float(np.maximum(chance, 0.0).mean())


def needed_runs(
    design: Design, ratio: float, absolute: float, alpha: float, wanted: float
) -> int | None:
    """The fewest runs a side with that power, at least 2; None if more than MOST_RUNS."""
    return smallest(
        2, MOST_RUNS, lambda n: power(design.with_runs(n), ratio, absolute, alpha) >= wanted
    )


def smallest_ratio(design: Design, absolute: float, alpha: float, wanted: float) -> float | None:
    """The smallest ratio, up to 1 %, with that power beside the absolute margin; None if none has it."""
    if power(design, 0.0, absolute, alpha) >= wanted:
        return 0.0
    steps = math.ceil(math.log(LARGEST_RATIO / SMALLEST_RATIO) / math.log(STEP))
    found = smallest(
        0,
        steps,
        lambda step: power(design, SMALLEST_RATIO * STEP**step, absolute, alpha) >= wanted,
    )
    return None if found is None else SMALLEST_RATIO * STEP**found


def smallest(low: int, high: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest number from low to high that is enough, where every larger one is too; None: none is."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _drawn(sd: float, n: int, chance: F64) -> F64:
    """Variances of the mean that n runs would show."""
    if sd == 0 or n < 2:
        return np.zeros(len(chance))
    return np.asarray(sd**2 / n * chdtri(n - 1, 1 - chance) / (n - 1), dtype=np.float64)


def _reach(part_a: F64, part_b: F64, design: Design, alpha: float) -> F64:
    """How far inside its limit the means must lie: Student's t times the standard error."""
    degrees = freedom(part_a, design.n_a, part_b, design.n_b)
    return np.asarray(stdtrit(degrees, 1 - alpha) * np.sqrt(part_a + part_b), dtype=np.float64)


@lru_cache(maxsize=1)
def _points() -> tuple[F64, F64, F64]:
    """Standard normal values, and two chances, each in (0, 1)."""
    sobol = qmc.Sobol(3, scramble=True, rng=np.random.default_rng(0))
    points = np.clip(sobol.random_base2(_LOG2_POINTS), 1e-9, 1 - 1e-9)
    return ndtri(points[:, 0]), points[:, 1], points[:, 2]

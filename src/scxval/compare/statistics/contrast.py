# SPDX-License-Identifier: MIT
"""The verdict's test: are two means within a margin of each other, are they beyond it.

B's mean agrees with A's between mean_a / (1 + r) - d and mean_a * (1 + r) + d. Both ends are linear in the
two means, so each is tested by a linear contrast with Welch and Satterthwaite's degrees of freedom, which
needs no variances alike and no logarithms. Within: both one-sided tests (Schuirmann 1987, with means in
ratio Sasabuchi 1980). Beyond: either of the two opposite ones, doubled. All arguments may be arrays, which
is how the study of the method asks thousands of experiments at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

F64 = npt.NDArray[np.float64]
Numbers = float | F64


@dataclass(frozen=True)
class Moments:
    """Mean, standard deviation between runs and number of runs of a side, or of arrays of sides.

    A value whose variance is known to be 0 has `sd` 0 and any n.
    """

    mean: Numbers
    sd: Numbers
    n: Numbers


def freedom(part_a: Numbers, n_a: Numbers, part_b: Numbers, n_b: Numbers) -> F64:
    """Welch and Satterthwaite's degrees of freedom of a sum of two variances of means; 1 of none."""
    total = np.asarray(part_a + part_b, dtype=np.float64)
    # Parts of the total, not the parts: squares of variances in ns^2 leave what a double holds.
    scale = np.where(total > 0, total, 1.0)
    below = (part_a / scale) ** 2 / np.maximum(np.asarray(n_a) - 1, 1) + (
        part_b / scale
    ) ** 2 / np.maximum(np.asarray(n_b) - 1, 1)
    return np.where(total > 0, 1 / np.where(total > 0, below, 1.0), 1.0)


def below(theta: Numbers, part_a: Numbers, n_a: Numbers, part_b: Numbers, n_b: Numbers) -> F64:
    """One-sided p of theta <= 0, against that it is above: small when theta lies well below 0.

    Without variance 0 or 1 by the sign; 0, on the margin, is within.
    """
    theta = np.asarray(theta, dtype=np.float64)
    error = np.sqrt(np.asarray(part_a + part_b, dtype=np.float64))
    certain = error == 0
    t = theta / np.where(certain, 1.0, error)
    p = stdtr(freedom(part_a, n_a, part_b, n_b), t)
    return np.where(certain, np.where(theta <= 0, 0.0, 1.0), p)


def within_and_beyond(a: Moments, b: Moments, ratio: float, absolute: Numbers) -> tuple[F64, F64]:
    """p_agree, that the means are not within the margin, and p_beyond, that they are not beyond it."""
    k = 1 + ratio
    part_a, part_b = a.sd**2 / a.n, b.sd**2 / b.n
    upper = below(b.mean - k * a.mean - absolute, k**2 * part_a, a.n, part_b, b.n)
    lower = below(a.mean / k - b.mean - absolute, part_a / k**2, a.n, part_b, b.n)
    agree = np.maximum(upper, lower)
    return agree, np.minimum(1.0, 2 * np.minimum(1 - upper, 1 - lower))

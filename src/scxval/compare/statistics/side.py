# SPDX-License-Identifier: MIT
"""One side of a question: one number of each of its runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scxval.errors import ScxvalError

# Runs that are all alike show no variance to test with. Of a quantity with few levels 2 or 3 are alike by
# chance so often that false verdicts come to 30 %; with 5 they come to alpha (docs/method.md, few levels).
FEWEST_ALIKE = 5


@dataclass(frozen=True)
class Side:
    """The values of one quantity, one a run, in any unit; at least one, all finite (else ScxvalError).

    `deterministic`: a single value stands for all runs there could be, as a simulator's does, so that its
    variance is known to be 0. With several values (seeds) they are runs like any others. `blur`: by how
    much equal runs may differ here, as equal counts do over windows of unlike length.
    """

    values: tuple[float, ...]
    deterministic: bool = False
    blur: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no statistic can be had of."""
        if not self.values:
            raise ScxvalError("a side without runs has nothing to compare")
        if not all(math.isfinite(value) for value in self.values):
            raise ScxvalError(f"not a number in the values of a side: {self.values}")

    @property
    def n(self) -> int:
        """How many runs there are."""
        return len(self.values)

    @property
    def known(self) -> bool:
        """Whether it is one value without variance: the one-sample form of every test."""
        return self.deterministic and self.n == 1

    @property
    def constant(self) -> bool:
        """Whether no run differs from another."""
        return min(self.values) == max(self.values)

    @property
    def alike(self) -> bool:
        """Whether no run differs from another by more than the blur."""
        return max(self.values) - min(self.values) <= self.blur

    @property
    def mean(self) -> float:
        """The mean over runs; exactly the value where all are equal."""
        return self.values[0] if self.constant else math.fsum(self.values) / self.n

    @property
    def sd(self) -> float | None:
        """The standard deviation between runs (n - 1), 0 if `known`, None of one run."""
        if self.known:
            return 0.0
        if self.n < 2:
            return None
        if self.constant:
            return 0.0
        return math.sqrt(math.fsum((v - self.mean) ** 2 for v in self.values) / (self.n - 1))


def enough_for_a_test(a: Side, b: Side) -> bool:
    """Whether there are runs enough for a test: a spread on each side, or alike in FEWEST_ALIKE runs.

    One value that stands for all, and simulations with several seeds, need no more.
    """
    if a.sd is None or b.sd is None:
        return False
    if not (a.alike and b.alike):
        return True
    return all(side.deterministic or side.n >= FEWEST_ALIKE for side in (a, b))

# SPDX-License-Identifier: MIT
"""Which two schedulers the kernel's runs tell apart, and whether the simulator has these the same way round.

Only what the kernel's runs tell apart by more than the margin can be right or wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.multiple import holm
from scxval.compare.statistics.question import p_values
from scxval.compare.statistics.side import Side

# The simulator's scale is its own: any difference counts there.
ANY = Margin(0.0, 0.0, "an order has no distances")


@dataclass(frozen=True)
class Ranked:
    """One quantity of several schedulers: a number a run on the kernel, and one a simulation.

    `deterministic`: equal simulations are no chance. `why_not`: why no verdict is made of it, "" if one is.
    """

    what: str
    where: dict[str, str]
    unit: str
    margin: Margin
    real: Mapping[str, tuple[float, ...]]
    simulated: Mapping[str, tuple[float, ...]]
    deterministic: bool = True
    why_not: str = ""

    @property
    def schedulers(self) -> list[str]:
        """Those with numbers on both sides, by name."""
        return sorted(self.real)


class Said(StrEnum):
    """What there is to say of two schedulers in one quantity."""

    RIGHT = "right"
    WRONG = "wrong"
    # The simulations of both have the same numbers.
    ALIKE = "alike in the simulator"
    UNSURE = "the simulator's runs cannot tell"
    TOO_NEAR = "the kernel's runs cannot tell"


@dataclass(frozen=True)
class Told:
    """Two schedulers in one quantity: `p` of being no further apart than the margin on the kernel,
    `p_simulated` of being alike in the simulator, both after Holm; None where it was not asked.
    """

    first: str
    second: str
    p: float
    p_simulated: float | None
    said: Said


def told_of(ranked: Sequence[Ranked], alpha: float) -> list[list[Told]]:
    """Every two schedulers of every quantity, in the order of combinations.

    Holm over all pairs of all quantities on the kernel's side; on the simulator's over those that the
    kernel's runs tell apart, which they do without knowing the simulations.
    """
    every = [(item, two) for item in ranked for two in itertools.combinations(item.schedulers, 2)]
    real = holm([_beyond(_sides(item.real, two), item.margin) for item, two in every])
    apart = [place for place, p in enumerate(real) if p < alpha]
    asked = [_beyond(_simulated(*every[place]), ANY) for place in apart]
    simulated: dict[int, float] = dict(zip(apart, holm(asked), strict=True))
    found: Iterator[Told] = (
        Told(*two, real[place], simulated.get(place), _said(item, two, simulated.get(place), alpha))
        for place, (item, two) in enumerate(every)
    )
    return [[next(found) for _ in itertools.combinations(item.schedulers, 2)] for item in ranked]


def _sides(
    runs: Mapping[str, tuple[float, ...]], two: tuple[str, str], deterministic: bool = False
) -> tuple[Side, Side]:
    first, second = (Side(runs[name], deterministic) for name in two)
    return first, second


def _simulated(item: Ranked, two: tuple[str, str]) -> tuple[Side, Side]:
    return _sides(item.simulated, two, item.deterministic)


def _beyond(sides: tuple[Side, Side], margin: Margin) -> float:
    found = p_values(*sides, margin)
    return 1.0 if found is None else found[1]


def _said(item: Ranked, two: tuple[str, str], p_simulated: float | None, alpha: float) -> Said:
    """`p_simulated` is None of what the kernel's runs do not tell apart."""
    if p_simulated is None:
        return Said.TOO_NEAR
    real, simulated = _sides(item.real, two), _simulated(item, two)
    if simulated[0].mean == simulated[1].mean:
        return Said.ALIKE if _the_same(*simulated) else Said.UNSURE
    if (real[0].mean < real[1].mean) == (simulated[0].mean < simulated[1].mean):
        return Said.RIGHT
    return Said.WRONG if p_simulated < alpha else Said.UNSURE


def _the_same(first: Side, second: Side) -> bool:
    """Whether there is no difference at all: seed by seed none, or no chance that could hide one."""
    if first.deterministic:
        return sorted(first.values) == sorted(second.values)
    return first.constant and second.constant and p_values(first, second, ANY) is not None

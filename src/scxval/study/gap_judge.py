# SPDX-License-Identifier: MIT
"""Whether what one side does and the other never shows is more than is allowed: the run is the unit.

Of each run of a side it is counted which part of its rows (transitions, episodes) are of items that no run
of the other side has. Two one-sided tests ask whether the mean of these parts is above or below what is
allowed: Student's t over runs, and Poisson over rows, so that few rows cannot say more than they may; the
greater p holds (an intersection-union test, Berger 1982). For `above`, what a run of a side has and its
other runs have not is taken off first: so much is missing between equals.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from scxval.compare.statistics.multiple import holm
from scxval.compare.verdict import Verdict
from scxval.study.gap_counts import ALL_EPISODES, Aspect, Base, Counts, Item

# A spread takes two runs: with one, nobody knows whether the next has it too.
FEWEST_RUNS = 2
# Beyond this nobody runs them.
MOST_RUNS = 1000
KERNEL, SIMULATION = "kernel", "simulation"


@dataclass(frozen=True)
class Limits:
    """`share` and `rows` as StudySettings; `alpha`, `confidence`, `power` as Compare."""

    share: float
    rows: int
    alpha: float
    confidence: float
    power: float


@dataclass(frozen=True)
class Part:
    """How much of each run of one side is of items that the other never shows.

    `counts` and `bases` are of runs that have anything of the aspect; `floor` is the part that a run's
    fellows never show, by run, and None without as many fellows. `other_base` is how much the other side has.
    """

    counts: tuple[int, ...]
    bases: tuple[int, ...]
    floor: tuple[float, ...] | None
    other_base: int
    other_runs: int

    @property
    def shares(self) -> list[float]:
        """By run."""
        return [c / b for c, b in zip(self.counts, self.bases, strict=True)]

    @property
    def mean(self) -> float | None:
        """Over runs, each weighing the same."""
        return float(np.mean(self.shares)) if self.counts else None

    @property
    def base(self) -> int:
        """Of how many in all runs."""
        return sum(self.bases)

    @property
    def mean_floor(self) -> float:
        """What equals miss of each other; 0 where that is not known."""
        return float(np.mean(self.floor)) if self.floor else 0.0


def part(aspect: Aspect, has: Sequence[Counts], lacks: Sequence[Counts]) -> Part:
    """Count what of one side the other lacks, of one aspect."""
    own = [run for run in has if _base(run, aspect)]
    counts = tuple(_missing(run, aspect, _items(lacks)) for run in own)
    bases = tuple(_base(run, aspect) for run in own)
    other = [run for run in lacks if _base(run, aspect)]
    floor = None
    if len(own) > 1:
        fellows = (_fellows(own, place, len(other)) for place in range(len(own)))
        missed = (
            _missing(run, aspect, _items(some)) for run, some in zip(own, fellows, strict=True)
        )
        floor = tuple(count / base for count, base in zip(missed, bases, strict=True))
    return Part(counts, bases, floor, sum(_base(run, aspect) for run in other), len(other))


def _fellows(runs: Sequence[Counts], place: int, most: int) -> list[Counts]:
    """As many other runs of the same side as the other side has, if there are."""
    others = [*runs[place + 1 :], *runs[:place]]
    return others[: max(1, most)]


def _items(runs: Iterable[Counts]) -> set[Item]:
    return {item for run in runs for item, number in run.items.items() if number}


def _missing(run: Counts, aspect: Aspect, known: Collection[Item]) -> int:
    return sum(
        number
        for item, number in run.items.items()
        if _counted(item.base, aspect) and item not in known
    )


def _base(run: Counts, aspect: Aspect) -> int:
    return sum(number for base, number in run.bases.items() if _counted(base, aspect))


def _counted(base: Base, aspect: Aspect) -> bool:
    """Whether a base is of the aspect; the kinds of episodes hold the episodes that are counted by shape."""
    return base.aspect is aspect and base.name != ALL_EPISODES


def interval(shares: Sequence[float], confidence: float) -> tuple[float | None, float | None]:
    """Student's interval of the mean over runs, not below 0; None with fewer than two runs."""
    if len(shares) < FEWEST_RUNS:
        return None, None
    error = float(np.std(shares, ddof=1)) / math.sqrt(len(shares))
    half = float(stats.t.ppf((1 + confidence) / 2, len(shares) - 1)) * error
    mean = float(np.mean(shares))
    return max(0.0, mean - half), mean + half


def p_above(found: Part, share: float) -> float:
    """Chance of so much or more if no more than `share`, beside what equals miss, is missing.

    Over runs in logarithms, for parts are skewed: their geometric mean is never above the mean, so that what
    is above for the one is for the other. A run without any counts as half a row.
    """
    floor = found.floor or (0.0,) * len(found.counts)
    beyond = [
        math.log(max(count, 0.5) / base / (share + missed))
        for count, base, missed in zip(found.counts, found.bases, floor, strict=True)
    ]
    expected = (share + found.mean_floor) * found.base
    return max(_t_above(beyond), float(stats.poisson.sf(sum(found.counts) - 1, expected)))


def p_below(found: Part, share: float) -> float:
    """Chance of so little or less if `share` or more is missing."""
    short = [share - one for one in found.shares]
    return max(_t_above(short), float(stats.poisson.cdf(sum(found.counts), share * found.base)))


def _t_above(values: Sequence[float]) -> float:
    """One-sided p of a mean above 0; without a spread the sign decides."""
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    if spread == 0:
        return 0.0 if mean > 0 else 1.0
    return float(stats.t.sf(mean / spread * math.sqrt(len(values)), len(values) - 1))


def power(found: Part, alpha: float, share: float, runs: int | None = None) -> float:
    """The chance to be told that no more than `share` is missing if only what equals miss is.

    With `runs` runs of as many rows as these on the average; alpha is after correction. By rows alone.
    """
    count = len(found.bases)
    base = found.base if runs is None else found.base * runs / count
    fewest = int(stats.poisson.ppf(alpha, share * base))
    while fewest >= 0 and stats.poisson.cdf(fewest, share * base) >= alpha:
        fewest -= 1
    return float(stats.poisson.cdf(fewest, found.mean_floor * base)) if fewest >= 0 else 0.0


def needed(found: Part, alpha: float, share: float, wanted: float) -> int | None:
    """The fewest runs with that power, None when more than MOST_RUNS."""
    low, high = FEWEST_RUNS, MOST_RUNS
    if power(found, alpha, share, high) < wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(found, alpha, share, middle) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True)
class Answer:
    """What is said of one question; p after Holm, None where nothing was tested."""

    part: Part
    verdict: Verdict
    why: str
    p_above: float | None = None
    p_below: float | None = None
    power: float | None = None
    needed: int | None = None


def answers(parts: Mapping[str, Part], limits: Limits) -> dict[str, Answer]:
    """All questions of the study together: Holm over those that have the runs and rows for a test."""
    why = {name: _untested(found, limits) for name, found in parts.items()}
    tested = [name for name in parts if not why[name]]
    above = holm([p_above(parts[name], limits.share) for name in tested])
    below = holm([p_below(parts[name], limits.share) for name in tested])
    found = {
        name: _answer(parts[name], p, q, len(tested), limits)
        for name, p, q in zip(tested, above, below, strict=True)
    }
    return {name: found.get(name) or _silent(parts[name], why[name]) for name in parts}


def _untested(found: Part, limits: Limits) -> str:
    """Why a question cannot be tested, "" when it can."""
    if not found.counts:
        return "nothing"
    if min(len(found.counts), found.other_runs) < FEWEST_RUNS:
        return (
            f"{len(found.counts)} runs that have it against {found.other_runs}: it takes {FEWEST_RUNS} "
            "a side, for one says nothing of the next"
        )
    if min(found.base, found.other_base) < limits.rows:
        return (
            f"{found.base} against {found.other_base} are too few: of {limits.rows} "
            "none may be there by chance"
        )
    return ""


def _silent(found: Part, why: str) -> Answer:
    verdict = Verdict.INCONCLUSIVE if found.counts else Verdict.NOT_MEASURED
    return Answer(found, verdict, why)


def _answer(found: Part, above: float, below: float, questions: int, limits: Limits) -> Answer:
    alpha = limits.alpha / questions
    verdict, word = Verdict.INCONCLUSIVE, f"neither above nor below {limits.share:.1%}"
    if above < limits.alpha:
        verdict, word = Verdict.DISAGREE, f"above {limits.share:.1%}"
    elif below < limits.alpha:
        verdict, word = Verdict.AGREE, f"below {limits.share:.1%}"
    why = f"{word} (p {min(above, below):.2g} over {questions} questions)"
    return Answer(
        found,
        verdict,
        why,
        above,
        below,
        power(found, alpha, limits.share),
        needed(found, alpha, limits.share, limits.power),
    )


class Status(StrEnum):
    """What is said of one item."""

    BOTH = "both"
    KERNEL = "only the kernel"
    SIMULATION = "only simulated"


@dataclass(frozen=True)
class Reading:
    """One side's reading of an item: per run how often it came, and of how many."""

    counts: tuple[int, ...]
    bases: tuple[int, ...]

    @property
    def shares(self) -> list[float]:
        """Its part of each run that has anything of its base."""
        return [c / b for c, b in zip(self.counts, self.bases, strict=True) if b]

    @property
    def share(self) -> float:
        """Mean over runs, each weighing the same; 0 without any."""
        return float(np.mean(self.shares)) if self.shares else 0.0

    @property
    def rows(self) -> int:
        """How often it came in all runs."""
        return sum(self.counts)

    @property
    def base(self) -> int:
        """Of how many in all runs."""
        return sum(self.bases)

    @property
    def runs_with(self) -> int:
        """Runs in which it came."""
        return sum(count > 0 for count in self.counts)


@dataclass(frozen=True)
class Compared:
    """An item in both sides' runs."""

    item: Item
    real: Reading
    simulated: Reading

    @property
    def status(self) -> Status:
        """Which side has it."""
        if self.real.rows and self.simulated.rows:
            return Status.BOTH
        return Status.KERNEL if self.real.rows else Status.SIMULATION

    @property
    def has(self) -> Reading:
        """The side that has it, the kernel's where both do."""
        return self.simulated if self.status is Status.SIMULATION else self.real


def compared(real: Sequence[Counts], simulated: Sequence[Counts]) -> list[Compared]:
    """Everything that either side shows, in order."""
    return [
        Compared(item, _reading(item, real), _reading(item, simulated))
        for item in sorted(_items([*real, *simulated]))
    ]


def _reading(item: Item, runs: Sequence[Counts]) -> Reading:
    return Reading(
        tuple(run.items.get(item, 0) for run in runs),
        tuple(run.bases.get(item.base, 0) for run in runs),
    )

# SPDX-License-Identifier: MIT
"""How often the study of ranking is wrong, and what it finds: schedulers of known truth, judged as real ones.

`python -m scxval.study.ranking_trials [--trials N]` prints docs/studies-ranking.md's tables; status 1 when a
promise is broken by more than so many trials explain.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.experiments import HOW, Rate
from scxval.compare.verdict import Verdict
from scxval.errors import ScxvalError, answer
from scxval.study.order import F64, kendall
from scxval.study.order_pairs import Ranked
from scxval.study.ranking import Answer, answers_of, judge, power_shown

SEED = 11
TRIALS = 300
FEWEST = 4
RUNS, SEEDS = 6, 3
MEAN = 100.0
MARGIN = Margin(0.1, 0.0, "as most of config/config.yaml")
# No interval is asked for where verdicts are counted, and drawing runs anew is what takes the time.
QUICK = replace(HOW, resamples=1)

Rng = np.random.Generator
# From the kernel's true means, a row a quantity, to the simulator's.
World = Callable[[Rng, F64], F64]


@dataclass(frozen=True)
class Case:
    """So many schedulers and quantities; `spread`: coefficient of variation of runs and simulations."""

    schedulers: int
    quantities: int
    spread: float

    @property
    def name(self) -> str:
        """The column of the table."""
        return f"{self.schedulers}, {self.quantities}, {self.spread:.0%}"


Count = Callable[[Case, int], int]
CASES = [
    Case(*shape, spread)
    for shape in ((4, 1), (5, 5), (6, 1), (6, 10), (8, 10))
    for spread in (0.02, 0.2)
]


def unrelated(rng: Rng, real: F64) -> F64:
    """The simulator's means have nothing to do with the kernel's."""
    return rng.permuted(real, axis=1)


def without_differences(rng: Rng, real: F64) -> F64:
    """The kernel has all schedulers alike, the simulator has not."""
    return real


def the_same(rng: Rng, real: F64) -> F64:
    """The simulator is the kernel."""
    return real


def other_scale(rng: Rng, real: F64) -> F64:
    """The kernel's order with smaller differences on another scale."""
    return 7 * np.sqrt(real)


def turned_round(rng: Rng, real: F64) -> F64:
    """The kernel's order turned round."""
    return 1e5 / real


def largest_swapped(rng: Rng, real: F64) -> F64:
    """The kernel's order, but the two largest the other way round."""
    made = real.copy()
    last = np.argsort(real, axis=1)[:, -2:]
    rows = np.arange(len(real))[:, None]
    made[rows, last] = real[rows, last[:, ::-1]]
    return made


def about_right(rng: Rng, real: F64) -> F64:
    """The kernel's means, each off by a factor of about 1.6."""
    return real * np.exp(0.5 * rng.standard_normal(real.shape))


WORLDS = (unrelated, without_differences, the_same, other_scale, turned_round, largest_swapped)


def _means(rng: Rng, case: Case) -> F64:
    """True means on the kernel in any order, a row a quantity; each is 1.2 to 2 times the one before."""
    steps = rng.uniform(math.log(1.2), math.log(2.0), size=(case.quantities, case.schedulers))
    found: F64 = rng.permuted(MEAN * np.exp(steps.cumsum(axis=1)), axis=1)
    return found


def _drawn(rng: Rng, case: Case, real: F64, simulated: F64) -> list[Ranked]:
    """Runs and simulations of schedulers with these means, all with the case's spread."""

    def side(means: F64, runs: int) -> Mapping[str, tuple[float, ...]]:
        factors = np.maximum(rng.normal(1, case.spread, size=(len(means), runs)), 0.01)
        values = (means[:, None] * factors).tolist()
        return {f"s{n}": tuple(row) for n, row in enumerate(values)}

    return [
        Ranked(f"q{n}", {}, "ns", MARGIN, side(real[n], RUNS), side(simulated[n], SEEDS))
        for n in range(len(real))
    ]


def _said(answers: Sequence[Answer], verdict: Verdict) -> list[bool]:
    return [judge(one, QUICK, FEWEST, len(answers)).verdict is verdict for one in answers]


@lru_cache(maxsize=16)
def studies(world: World, case: Case, trials: int) -> list[list[Answer]]:
    """So many studies of a world, anew in each; the same ones for every row of the table."""
    rng = np.random.default_rng([SEED, WORLDS.index(world), CASES.index(case)])
    return [_studied(rng, case, world) for _ in range(trials)]


def _studied(rng: Rng, case: Case, world: World) -> list[Answer]:
    means = _means(rng, case)
    simulated = world(rng, means)
    real = np.full_like(means, MEAN) if world is without_differences else means
    return answers_of(_drawn(rng, case, real, simulated), QUICK, FEWEST)


def any_said(verdict: Verdict, world: World) -> Count:
    """In how many studies that is said of any quantity."""
    return lambda case, trials: sum(any(_said(m, verdict)) for m in studies(world, case, trials))


def first_said(verdict: Verdict, world: World) -> Count:
    """In how many studies that is said of the first quantity."""
    return lambda case, trials: sum(_said(m, verdict)[0] for m in studies(world, case, trials))


def predicted(case: Case, trials: int) -> int:
    """The sum of `power` of the first quantity over the studies of the kernel itself, rounded."""
    how = replace(HOW, resamples=100)
    made = studies(the_same, case, trials)
    return round(sum(power_shown(one, how, case.quantities) for one, *_ in made))


def covered(case: Case, trials: int) -> int:
    """In how many studies the first quantity's interval has the true tau in it."""
    rng = np.random.default_rng([SEED, len(WORLDS), CASES.index(case)])
    return sum(_covers(rng, replace(case, quantities=1)) for _ in range(trials))


def _covers(rng: Rng, case: Case) -> bool:
    real = _means(rng, case)
    simulated = about_right(rng, real)
    (one,) = answers_of(_drawn(rng, case, real, simulated), replace(HOW, resamples=199), FEWEST)
    true, low, high = kendall(real[0], simulated[0]), one.order.low, one.order.high
    if true is None or low is None or high is None:
        return False
    return low - 1e-9 <= true <= high + 1e-9


@dataclass(frozen=True)
class Row:
    """A row of the table: what is counted, and the promise that it is held to, if any."""

    what: str
    hits: Count
    bound: float | None = None
    least: bool = False


ALPHA = HOW.alpha
ROWS = (
    Row("any `agree`, simulator unrelated", any_said(Verdict.AGREE, unrelated), ALPHA),
    Row(
        "any `agree`, kernel without differences",
        any_said(Verdict.AGREE, without_differences),
        ALPHA,
    ),
    Row(
        "any `disagree`, the same order at another scale",
        any_said(Verdict.DISAGREE, other_scale),
        ALPHA,
    ),
    Row(
        "any `disagree`, kernel without differences",
        any_said(Verdict.DISAGREE, without_differences),
        ALPHA,
    ),
    Row("`agree`, simulator is the kernel", first_said(Verdict.AGREE, the_same)),
    Row("the same as `power` has it", predicted),
    Row("`agree`, the same order at another scale", first_said(Verdict.AGREE, other_scale)),
    Row("`disagree`, order turned round", first_said(Verdict.DISAGREE, turned_round)),
    Row("`disagree`, the two largest swapped", first_said(Verdict.DISAGREE, largest_swapped)),
    Row("`agree`, the two largest swapped", first_said(Verdict.AGREE, largest_swapped)),
    Row(
        "interval has the true tau in it, each mean off by a factor of about 1.6",
        covered,
        0.9,
        True,
    ),
)


def measure(row: Row, cases: Sequence[Case], trials: int) -> Iterator[Rate]:
    """A row's rates; the same trials give the same rates."""
    for case in cases:
        yield Rate(row.what, case.name, row.hits(case, trials), trials, row.bound, row.least)


def table(rates: Sequence[Rate]) -> str:
    """Rates as Markdown, in percent: a row what is counted, a column a case."""
    cases = list(dict.fromkeys(rate.runs for rate in rates))
    lines = [
        "| schedulers, quantities, spread | " + " | ".join(cases) + " | promised |",
        "|---" * (len(cases) + 2) + "|",
    ]
    for what in dict.fromkeys(rate.case for rate in rates):
        found = [rate for rate in rates if rate.case == what]
        bound, least = found[0].bound, found[0].least
        promise = "" if bound is None else f"at {'least' if least else 'most'} {100 * bound:.0f}"
        cells = " | ".join(f"{100 * rate.rate:.1f}" for rate in found)
        lines.append(f"| {what} | {cells} | {promise} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, 1 when a promise does not hold, 2 for bad arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m scxval.study.ranking_trials"
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"a number, {TRIALS} by default")
    trials = parser.parse_args(argv).trials
    broken: list[Rate] = []

    def step() -> None:
        if trials < 1:
            raise ScxvalError(f"--trials {trials}: at least 1")
        # Case by case: the studies of one are kept until all of its rows are made.
        rates = [rate for case in CASES for row in ROWS for rate in measure(row, [case], trials)]
        print(table(rates))
        broken.extend(rate for rate in rates if not rate.holds)

    status = answer("ranking_trials", step)
    for rate in broken:
        said = f"{rate.case}, {rate.runs}: {rate.rate:.4f} with {rate.bound} promised"
        print(said, file=sys.stderr)
    return 1 if broken else status


if __name__ == "__main__":
    sys.exit(main())

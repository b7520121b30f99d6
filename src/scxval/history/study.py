# SPDX-License-Identifier: MIT
"""How often history is wrong and how long it takes, measured: `python -m scxval.history.study`.

Made-up series whose truth is known are looked at night by night, as real ones are. Prints docs/history.md's
tables, or puts them there (`--write`). Status 1 when false alarms are beyond what is promised.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from scxval.catalog.comparison import Margin
from scxval.compare.statistics.contrast import F64
from scxval.compare.statistics.study import put
from scxval.errors import ScxvalError, answer
from scxval.history.changes import NIGHTS_A_YEAR, level_of
from scxval.history.steps import How, drifts, steps

TRIALS = 400
SEED = 7
MEAN = 100.0
MARGIN = Margin(0.1, 0.0, "the study's")
PERSISTENCE = 3
FALSE_ALARMS = 1.0
# So many series share the alarms: about what four schedulers on one machine have, and one alone.
MANY, ONE = 200, 1
# Nights before a step, and how long it is waited for.
BASELINE, WAIT = 60, 90

Rng = np.random.Generator
Nights = Callable[[Rng, int], F64]


def normal(part: float) -> Nights:
    """Normal nights, standard deviation as a part of the mean."""
    return lambda rng, n: MEAN * (1 + part * rng.standard_normal(n))


def skewed(rng: Rng, n: int) -> F64:
    """Lognormal nights, sigma 0.15."""
    made: F64 = MEAN * rng.lognormal(-(0.15**2) / 2, 0.15, n)
    return made


def heavy(rng: Rng, n: int) -> F64:
    """Student's t with 3 degrees of freedom, 8 % standard deviation."""
    made: F64 = MEAN * (1 + 0.08 * rng.standard_t(3, n) / np.sqrt(3))
    return made


def outliers(rng: Rng, n: int) -> F64:
    """Normal nights of 3 %, of which 3 in 100 are half as much again to three times as much."""
    single = (rng.random(n) < 0.03) * rng.uniform(0.5, 2.0, n)
    return MEAN * (1 + 0.03 * rng.standard_normal(n) + single)


def modes(part: float) -> Nights:
    """Two modes 30 % apart, each night in the upper one with a chance of `part`."""
    return lambda rng, n: MEAN * (1 + 0.01 * rng.standard_normal(n) + 0.3 * (rng.random(n) < part))


def remembering(like: float) -> Nights:
    """AR(1) nights of 8 %, each `like` the one before."""

    def made(rng: Rng, n: int) -> F64:
        z = rng.standard_normal(n)
        x = np.empty(n)
        x[0] = z[0]
        for at in range(1, n):
            x[at] = like * x[at - 1] + np.sqrt(1 - like**2) * z[at]
        return MEAN * (1 + 0.08 * x)

    return made


def weeks(rng: Rng, n: int) -> F64:
    """Normal nights of 3 %, two of seven 15 % above the others."""
    return MEAN * (1 + 0.03 * rng.standard_normal(n) + 0.15 * (np.arange(n) % 7 < 2))


def alternating(rng: Rng, n: int) -> F64:
    """Two hosts 15 % apart by turns of one night, 3 % each."""
    return MEAN * (1 + 0.03 * rng.standard_normal(n) + 0.15 * (np.arange(n) % 2))


# What stays as it is; those that the promise is made for: independent nights of one normal level.
STEADY: Mapping[str, tuple[Nights, bool]] = {
    "normal, 3 %": (normal(0.03), True),
    "normal, 10 %": (normal(0.10), True),
    "normal, 20 %": (normal(0.20), True),
    "skewed, 15 %": (skewed, False),
    "heavy tails, 8 %": (heavy, False),
    "single outliers, 3 in 100": (outliers, False),
    "two modes, 50 : 50": (modes(0.5), False),
    "two modes, 90 : 10": (modes(0.1), False),
    "nights alike, AR 0.3": (remembering(0.3), False),
    "nights alike, AR 0.6": (remembering(0.6), False),
    "weekends 15 % above": (weeks, False),
    "two hosts by turns": (alternating, False),
}
NOISE = (0.02, 0.05, 0.10)
STEPS = (0.05, 0.08, 0.12, 0.20, 0.30, 0.50)


@dataclass(frozen=True)
class Alarms:
    """Changes told in `years` years of a steady series that is one of `questions`; `promised`: bounded."""

    case: str
    questions: int
    told: int
    years: int
    promised: bool

    @property
    def a_year(self) -> float:
        """Of one series."""
        return self.told / self.years

    @property
    def holds(self) -> bool:
        """Whether what is promised is within what so many years can tell: Poisson, 99.9 %."""
        if not self.promised:
            return True
        least = float(stats.chi2.ppf(0.001, 2 * self.told) / 2) if self.told else 0.0
        return least <= self.years * FALSE_ALARMS / self.questions


@dataclass(frozen=True)
class Delay:
    """Nights from a step until it is told, the first changed night being 1: half and nine tenths of trials.

    None: not within WAIT nights. `told` is the part that was, `right` the part of these whose place is at
    most a night off.
    """

    noise: float
    step: float
    half: int | None
    most: int | None
    told: float
    right: float | None


def _how(questions: int) -> How:
    return How(MARGIN, PERSISTENCE, level_of(FALSE_ALARMS, questions))


def alarms(trials: int) -> Iterator[Alarms]:
    """Steps and drifts told where there are none, over a year of nights that are all looked at."""
    days = np.arange(float(NIGHTS_A_YEAR))
    for case, (nights, promised) in STEADY.items():
        rng = np.random.default_rng([SEED, *case.encode()])
        made = [nights(rng, NIGHTS_A_YEAR) for _ in range(trials)]
        for questions in (ONE, MANY):
            how = _how(questions)
            told = 0
            for means in made:
                found = steps(means, days, how)
                told += len(found) + len(list(drifts(means, days, found, how)))
            yield Alarms(case, questions, told, trials, promised)


def delays(trials: int) -> Iterator[Delay]:
    """How long a step takes to be told, with MANY series."""
    how = _how(MANY)
    days = np.arange(float(BASELINE + WAIT))
    for noise in NOISE:
        for step in STEPS:
            rng = np.random.default_rng([SEED, round(1000 * noise), round(1000 * step)])
            waited, off = [], []
            for _ in range(trials):
                means = normal(noise)(rng, BASELINE + WAIT)
                means[BASELINE:] *= 1 + step
                found = [one for one in steps(means, days, how) if one.told >= BASELINE]
                waited.append(found[0].told - BASELINE + 1 if found else WAIT + 1)
                off += [abs(found[0].place - BASELINE)] if found else []
            yield Delay(
                noise,
                step,
                _quantile(waited, 0.5),
                _quantile(waited, 0.9),
                float(np.mean([one <= WAIT for one in waited])),
                float(np.mean([one <= 1 for one in off])) if off else None,
            )


def _quantile(waited: Sequence[int], part: float) -> int | None:
    value = int(np.quantile(waited, part, method="inverted_cdf"))
    return value if value <= WAIT else None


def drift_cases(trials: int) -> Iterator[tuple[str, float, float, float]]:
    """Of slow changes over a year at 3 %: how many are told as a drift, as steps, not at all."""
    days = np.arange(float(NIGHTS_A_YEAR))
    how = _how(MANY)
    for total in (0.05, 0.2, 0.5):
        rng = np.random.default_rng([SEED, round(1000 * total)])
        drift = step = none = 0
        for _ in range(trials):
            means = normal(0.03)(rng, NIGHTS_A_YEAR) * (1 + total * days / days[-1])
            found = steps(means, days, how)
            drifting = bool(list(drifts(means, days, found, how)))
            drift += drifting and not found
            step += bool(found)
            none += not drifting and not found
        yield f"{100 * total:.0f} %", drift / trials, step / trials, none / trials


def alarm_table(found: Sequence[Alarms]) -> str:
    """False alarms as Markdown."""
    lines = [
        f"**False alarms.** Changes told in a year of {NIGHTS_A_YEAR} nights where there is none, "
        f"`persistence: {PERSISTENCE}`, `false_alarms: {FALSE_ALARMS:g}`, margin {100 * MARGIN.ratio:g} %, "
        f"{found[0].years:,} years a number.",
        "",
        f"| nights | one series alone | each of {MANY} | all {MANY} together | promised together |",
        "|---|---|---|---|---|",
    ]
    for case in STEADY:
        one, each = (a for a in found if a.case == case)
        promise = f"at most {FALSE_ALARMS:g}" if one.promised else "nothing"
        many = each.a_year * MANY
        lines.append(f"| {case} | {one.a_year:.3f} | {each.a_year:.4f} | {many:.1f} | {promise} |")
    return "\n".join(lines)


def delay_table(found: Sequence[Delay], trials: int) -> str:
    """Delays as Markdown."""
    lines = [
        f"**Delay.** Nights until a step is told after {BASELINE} nights of a level, {MANY} series "
        f"together: in half of {trials:,} trials / in nine tenths (never: not within {WAIT} nights).",
        "",
        "| nights' standard deviation | " + " | ".join(f"{100 * s:.0f} %" for s in STEPS) + " |",
        "|---" * (len(STEPS) + 1) + "|",
    ]
    for noise in NOISE:
        row = [
            f"{one.half or 'never'} / {one.most or 'never'}" for one in found if one.noise == noise
        ]
        lines.append(f"| {100 * noise:.0f} % | {' | '.join(row)} |")
    placed = [one.right for one in found if one.right is not None and one.told > 0.5]
    lines += [
        "",
        f"Told steps are at most a night off in {100 * min(placed):.0f} to {100 * max(placed):.0f} %.",
    ]
    return "\n".join(lines)


def drift_table(found: Sequence[tuple[str, float, float, float]]) -> str:
    """Drifts as Markdown."""
    lines = [
        "**Drifts.** A line over a year, nights of 3 %, margin 10 %: what is told, in percent of series.",
        "",
        "| from first to last night | a drift | steps | nothing |",
        "|---|---|---|---|",
    ]
    for name, *parts in found:
        lines.append(f"| {name} | " + " | ".join(f"{100 * part:.0f}" for part in parts) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, 1 when a promise does not hold, 2 for bad arguments."""
    parser = argparse.ArgumentParser(description=__doc__, prog="scxval.history.study")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"a number, {TRIALS} by default")
    parser.add_argument("--write", type=Path, help="the page to put the tables in")
    arguments = parser.parse_args(argv)
    broken: list[Alarms] = []

    def step() -> None:
        if arguments.trials < 1:
            raise ScxvalError(f"--trials {arguments.trials}: at least 1")
        found = list(alarms(arguments.trials))
        broken.extend(one for one in found if not one.holds)
        tables = [
            alarm_table(found),
            delay_table(list(delays(arguments.trials)), arguments.trials),
            drift_table(list(drift_cases(arguments.trials))),
        ]
        if arguments.write:
            put(arguments.write, "\n\n".join(tables))
        else:
            print("\n\n".join(tables))

    status = answer("study", step)
    for one in broken:
        print(f"{one.case}: {one.a_year:.3f} a year of {one.questions} series", file=sys.stderr)
    return 1 if broken else status


if __name__ == "__main__":
    sys.exit(main())

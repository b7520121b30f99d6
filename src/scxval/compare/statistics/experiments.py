# SPDX-License-Identifier: MIT
"""Synthetic groups of runs whose truth is known, asked as real ones are: the material of `study`.

Every function is one part of docs/method.md's table. A trial draws the runs of both sides anew and asks
`contrast` (and `multiple`, `effect`, `distribution`) as `question` and `judge` do, many trials at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from scxval.catalog.comparison import FAMILIES, Compare, Margin
from scxval.compare.statistics.contrast import F64, Moments, within_and_beyond
from scxval.compare.statistics.distribution import I64, distances
from scxval.compare.statistics.effect import effect
from scxval.compare.statistics.multiple import holm
from scxval.compare.statistics.paired import ask_pairs, power_of_pairs, within_and_beyond_pairs
from scxval.compare.statistics.power import Design, needed_runs, power
from scxval.compare.statistics.side import FEWEST_ALIKE, Side

ALPHA = 0.05
MEAN = 100.0
MARGIN = 0.1
QUESTIONS = 20
# Events are whole numbers, as times in ns are: so many to a unit.
FINE = 10_000
HOW = Compare(
    families=FAMILIES,
    against=(),
    warm_up_ns=0,
    alpha=ALPHA,
    confidence=0.95,
    power=0.8,
    resamples=999,
    random_seed=1,
    distortion=1.5,
    band=64,
    clock_step_ns=0,
    quantities=(),
)

Rng = np.random.Generator
# Factors of mean 1, one a run, of a shape.
Spread = Callable[[Rng, tuple[int, ...]], F64]


@dataclass(frozen=True)
class Rate:
    """How often something was said in `trials` trials of one `case` with `runs` on a side.

    `bound` is what the method promises, at most or (`least`) at least; None where it promises nothing.
    """

    case: str
    runs: str
    hits: int
    trials: int
    bound: float | None
    least: bool = False

    @property
    def rate(self) -> float:
        """The measured part, 0 to 1."""
        return self.hits / self.trials

    @property
    def holds(self) -> bool:
        """Whether the promise is within what so many trials can tell: Clopper and Pearson, 99.9 %."""
        if self.bound is None:
            return True
        ends = stats.binomtest(self.hits, self.trials).proportion_ci(0.999)
        return bool(ends.high >= self.bound if self.least else ends.low <= self.bound)


def normal(variation: float) -> Spread:
    """Normal runs, standard deviation as a part of the mean."""
    return lambda rng, shape: 1 + variation * rng.standard_normal(shape)


def lognormal(sigma: float) -> Spread:
    """Skewed runs; sigma is of the logarithm."""
    return lambda rng, shape: np.exp(sigma * rng.standard_normal(shape) - sigma**2 / 2)


def heavy(variation: float) -> Spread:
    """Student's t with 3 degrees of freedom, scaled to that standard deviation."""
    return lambda rng, shape: 1 + variation * rng.standard_t(3, shape) / np.sqrt(3)


def disturbed(variation: float) -> Spread:
    """Normal, but every tenth run has half as much again."""
    return lambda rng, shape: (
        (1 + variation * rng.standard_normal(shape)) * (1 + 0.5 * (rng.random(shape) < 0.1)) / 1.05
    )


SHAPES = {
    "normal, 2 %": normal(0.02),
    "normal, 5 %": normal(0.05),
    "normal, 20 %": normal(0.20),
    "lognormal, 20 %": lognormal(0.20),
    "lognormal, 50 %": lognormal(0.50),
    "t with 3 degrees, 5 %": heavy(0.05),
    "every 10th run +50 %": disturbed(0.03),
}


def sides(
    rng: Rng, spread: Spread, trials: int, runs: int, mean_b: float
) -> tuple[Moments, Moments]:
    """Both sides of many trials, A's mean being MEAN."""
    return moments(MEAN * spread(rng, (trials, runs))), moments(
        mean_b * spread(rng, (trials, runs))
    )


def moments(drawn: F64) -> Moments:
    """Of values whose last axis is runs."""
    return Moments(drawn.mean(axis=-1), drawn.std(axis=-1, ddof=1), drawn.shape[-1])


def counted(said: F64) -> tuple[int, int]:
    """How many p-values are below alpha, of how many."""
    return int(np.count_nonzero(said < ALPHA)), said.size


def no_difference(rng: Rng, trials: int) -> Iterator[Rate]:
    """`disagree`, with equal means and no margin at all: Welch's test alone."""
    for name, spread in SHAPES.items():
        for runs in (2, 3, 5, 10, 30):
            _, beyond = within_and_beyond(*sides(rng, spread, trials, runs, MEAN), 0.0, 0.0)
            yield Rate(name, str(runs), *counted(beyond), ALPHA)


def beyond_the_margin(rng: Rng, trials: int) -> Iterator[Rate]:
    """`agree`, with B's mean on the margin's upper or lower edge, whichever is said more often."""
    for name, spread in SHAPES.items():
        for runs in (2, 3, 5, 10, 30):
            found = [
                within_and_beyond(*sides(rng, spread, trials, runs, mean_b), MARGIN, 0.0)[0]
                for mean_b in (MEAN * (1 + MARGIN), MEAN / (1 + MARGIN))
            ]
            yield Rate(name, str(runs), *max(counted(said) for said in found), ALPHA)


def within_the_margin(rng: Rng, trials: int) -> Iterator[Rate]:
    """`disagree`, with B's mean on the margin's upper or lower edge, whichever is said more often."""
    for name, spread in SHAPES.items():
        for runs in (2, 3, 5, 10, 30):
            found = [
                within_and_beyond(*sides(rng, spread, trials, runs, mean_b), MARGIN, 0.0)[1]
                for mean_b in (MEAN * (1 + MARGIN), MEAN / (1 + MARGIN))
            ]
            yield Rate(name, str(runs), *max(counted(said) for said in found), ALPHA)


def unlike_sides(rng: Rng, trials: int) -> Iterator[Rate]:
    """Sides of other spread and other numbers of runs: what a test with one variance gets wrong."""
    for runs_a, runs_b in ((10, 3), (3, 10), (30, 5)):
        a = moments(MEAN * normal(0.02)(rng, (trials, runs_a)))
        same, edge = (
            moments(mean_b * normal(0.08)(rng, (trials, runs_b)))
            for mean_b in (MEAN, MEAN * (1 + MARGIN))
        )
        runs = f"{runs_a} and {runs_b}"
        none = within_and_beyond(a, same, 0.0, 0.0)[1]
        # Welch and Satterthwaite's degrees of freedom are an approximation: least good for 3 runs of the
        # side that varies more.
        promise = 0.07 if min(runs_a, runs_b) < 5 else ALPHA
        yield Rate("`disagree`, equal means, no margin", runs, *counted(none), promise)
        agree = within_and_beyond(a, edge, MARGIN, 0.0)[0]
        yield Rate("`agree`, on the edge", runs, *counted(agree), promise)


def one_sample(rng: Rng, trials: int) -> Iterator[Rate]:
    """One deterministic value against runs."""
    known = Moments(MEAN, 0.0, 1)
    for name in ("normal, 5 %", "lognormal, 20 %", "lognormal, 50 %", "t with 3 degrees, 5 %"):
        # A mean of few skewed runs is mostly below the true one, with a spread that is too small as well;
        # with two sides that cancels, with one it does not.
        promise = {"lognormal, 20 %": 0.07, "lognormal, 50 %": 0.10}.get(name, ALPHA)
        for runs in (3, 5, 10, 30):
            drawn = SHAPES[name](rng, (trials, runs))
            same = within_and_beyond(known, moments(MEAN * drawn), 0.0, 0.0)[1]
            yield Rate(
                f"`disagree`, equal means, no margin; {name}", str(runs), *counted(same), promise
            )
            edges = [
                within_and_beyond(known, moments(mean_b * drawn), MARGIN, 0.0)[0]
                for mean_b in (MEAN * (1 + MARGIN), MEAN / (1 + MARGIN))
            ]
            worst = max(counted(said) for said in edges)
            yield Rate(f"`agree`, on the edge; {name}", str(runs), *worst, promise)


def chance_to_agree(rng: Rng, trials: int) -> Iterator[Rate]:
    """`agree`, with equal means: at least what `power` says, less 0.02."""
    for variation in (0.02, 0.05, 0.10):
        for runs in (3, 5, 10, 20, 30):
            drawn = sides(rng, normal(variation), trials, runs, MEAN)
            agree, _ = within_and_beyond(*drawn, MARGIN, 0.0)
            sd = MEAN * variation
            said = power(Design(MEAN, sd, sd, runs, runs), MARGIN, 0.0, ALPHA)
            case = f"standard deviation {100 * variation:.0f} %, margin 10 %"
            yield Rate(case, str(runs), *counted(agree), round(max(0.0, said - 0.02), 3), True)


def enough_runs(rng: Rng, trials: int) -> Iterator[Rate]:
    """`agree`, with equal means and as many runs as `needed_runs` says: 80 %, less 0.02."""
    for variation in (0.02, 0.05, 0.10, 0.20):
        sd = MEAN * variation
        runs = needed_runs(Design(MEAN, sd, sd, 2, 2), MARGIN, 0.0, ALPHA, HOW.power)
        assert runs is not None
        agree, _ = within_and_beyond(
            *sides(rng, normal(variation), trials, runs, MEAN), MARGIN, 0.0
        )
        yield Rate(
            f"standard deviation {100 * variation:.0f} %", str(runs), *counted(agree), 0.78, True
        )


def whole_family(rng: Rng, trials: int) -> Iterator[Rate]:
    """At least one false verdict among 20 questions, 5 runs a side."""
    trials = max(1, trials // 5)
    runs, edge = 5, MEAN * (1 + MARGIN)
    shape = (trials, QUESTIONS, runs)
    spread = normal(0.05)

    def asked(mean_b: F64 | float, slow: float = 0.0, margin: float = MARGIN) -> tuple[F64, F64]:
        # Questions of one run share what made that run slow.
        shared = 1 + slow * rng.standard_normal((2, trials, 1, runs))
        a = moments(MEAN * spread(rng, shape) * shared[0])
        b = moments(mean_b * spread(rng, shape) * shared[1])
        return within_and_beyond(a, b, margin, 0.0)

    none = asked(MEAN, margin=0.0)[1]
    yield _anywhere("`disagree`, equal means, no margin", none, True, ALPHA)
    yield _anywhere("`disagree`, the same without Holm", none, False, None)
    yield _anywhere("`disagree`, all on the edge", asked(edge)[1], True, ALPHA)
    at_edge = asked(edge)[0]
    yield _anywhere("`agree`, all on the edge", at_edge, True, ALPHA)
    yield _anywhere("`agree`, the same without Holm", at_edge, False, None)
    alike = asked(edge, slow=0.05)[0]
    yield _anywhere("`agree`, all on the edge, runs slow in all questions", alike, True, ALPHA)
    # Half of them are rightly said to agree, which makes Holm's steps wider for the others.
    means = np.where(np.arange(QUESTIONS) < QUESTIONS // 2, MEAN, edge)[:, None]
    spread = normal(0.01)
    mixed = asked(means)[0]
    yield _anywhere("`agree`, half on the edge", mixed, True, ALPHA, slice(QUESTIONS // 2, None))


def _anywhere(
    case: str, p: F64, adjusted: bool, bound: float | None, which: slice = slice(None)
) -> Rate:
    family = np.array([holm(list(row)) for row in p]) if adjusted else p
    hits = np.count_nonzero(family[:, which].min(axis=1) < ALPHA)
    return Rate(case, "5", int(hits), len(family), bound)


def coverage(rng: Rng, trials: int) -> Iterator[Rate]:
    """The effect's interval has the true ratio in it."""
    trials = max(1, trials // 10)
    promises = {
        "normal, 5 %": (0.75, 0.85, 0.90, 0.92),
        "lognormal, 50 %": (0.70, 0.78, 0.86, 0.90),
    }
    for name, promised in promises.items():
        for runs, bound in zip((3, 5, 10, 20), promised, strict=True):
            drawn_a, drawn_b = SHAPES[name](rng, (2, trials, runs)) * MEAN
            inside = 0
            for a, b in zip(drawn_a, 1.2 * drawn_b, strict=True):
                found = effect(Side(tuple(a)), Side(tuple(b)), HOW)
                inside += (
                    found.low is not None
                    and found.high is not None
                    and (found.low <= 1.2 <= found.high)
                )
            yield Rate(name, str(runs), inside, trials, bound, True)


def pooled_events(rng: Rng, trials: int) -> Iterator[Rate]:
    """A difference that is not there, 2000 events a run (standard deviation 10 in a run, 3 between)."""
    trials = max(1, trials // 25)
    quick = replace(HOW, resamples=100)
    for runs in (3, 5):
        ks = welch = relabelled = 0
        for _ in range(trials):
            a, b = (_events(rng, runs) for _ in range(2))
            ks += stats.ks_2samp(a.ravel(), b.ravel(), method="asymp").pvalue < ALPHA
            _, beyond = within_and_beyond(_of_runs(a), _of_runs(b), 0.0, 0.0)
            welch += bool(beyond < ALPHA)
            p = distances(_whole(a), _whole(b), quick).p
            relabelled += p is not None and p < ALPHA
        # No promise of the method but the reason for it: that this one fails must stay true.
        yield Rate("Kolmogorov and Smirnov, events pooled", str(runs), ks, trials, 0.8, True)
        yield Rate("this method, no margin", str(runs), welch, trials, ALPHA)
        yield Rate("Wasserstein, runs relabelled", str(runs), relabelled, trials, ALPHA)


def distance_interval(rng: Rng, trials: int) -> Iterator[Rate]:
    """The Wasserstein distance's interval has the true distance in it; events as above, 500 a run."""
    trials = max(1, trials // 25)
    quick = replace(HOW, resamples=299)
    for shift, promised in ((0.0, (0.85, 0.9)), (10.0, (0.75, 0.85))):
        for runs, bound in zip((5, 10), promised, strict=True):
            inside = 0
            for _ in range(trials):
                a, b = _events(rng, runs, 500), _events(rng, runs, 500) + shift
                found = distances(_whole(a), _whole(b), quick)
                assert found.low is not None and found.high is not None
                inside += found.low <= shift * FINE <= found.high
            case = f"shifted by {shift:g}"
            yield Rate(case, str(runs), inside, trials, bound, True)


def _of_runs(events: F64) -> Moments:
    return moments(np.asarray(events.mean(axis=1), dtype=np.float64))


def _whole(events: F64) -> list[I64]:
    return [np.asarray(run * FINE, dtype=np.int64) for run in events]


def _events(rng: Rng, runs: int, events: int = 2000) -> F64:
    between = rng.normal(MEAN, 3, (runs, 1))
    return np.asarray(between + rng.normal(0, 10, (runs, events)), dtype=np.float64)


def few_levels(rng: Rng, trials: int) -> Iterator[Rate]:
    """Runs that have one of two values only, the second twice the first."""
    for often in (0.2, 0.5):
        # As often as puts the mean on the margin's edge.
        more = (1 + often) * (1 + MARGIN) - 1
        for runs in (2, 3, 5, 10, 30):
            a, same, edge = (
                moments(np.where(rng.random((trials, runs)) < chance, 2.0, 1.0))
                for chance in (often, often, more)
            )
            case = f"second in {100 * often:.0f} % of runs"
            beyond = _told(within_and_beyond(a, same, 0.0, 0.0)[1], a, same)
            yield Rate(
                f"`disagree`, equal means, no margin; {case}", str(runs), *counted(beyond), ALPHA
            )
            agree = _told(within_and_beyond(a, edge, MARGIN, 0.0)[0], a, edge)
            yield Rate(f"`agree`, on the edge; {case}", str(runs), *counted(agree), ALPHA)


PAIRS = (2, 4, 6, 10, 20)
# What the host does to both runs of a pair: slower or faster, in the standard deviation of its logarithm.
HOST = 0.4


def pairs_of_runs(rng: Rng, trials: int) -> Iterator[Rate]:
    """What pairs gain: `agree`, with equal means and 5 % of each run's own, by how the host varies."""
    for sigma in (0.0, 0.1, HOST):
        host = lognormal(sigma)
        for pairs in PAIRS:
            a, b = _pairs(rng, (trials, pairs), host, SHAPES["normal, 5 %"])
            case = f"host varies by {100 * sigma:.0f} %"
            together, _ = within_and_beyond_pairs(a, b, MARGIN, 0.0)
            yield Rate(f"{case}, paired", str(pairs), *counted(together), None)
            apart, _ = within_and_beyond(moments(a), moments(b), MARGIN, 0.0)
            yield Rate(f"{case}, not paired", str(pairs), *counted(apart), None)


def _pairs(
    rng: Rng, shape: tuple[int, int], host: Spread, a: Spread, b: Spread | None = None
) -> tuple[F64, F64]:
    """Both runs of pairs, of mean MEAN, with what the host does to both and what is each run's own."""
    together = MEAN * host(rng, shape)
    return together * a(rng, shape), together * (b or a)(rng, shape)


def pairs_without_difference(rng: Rng, trials: int) -> Iterator[Rate]:
    """`disagree` of pairs on a host that varies by 40 %, with equal means and no margin at all."""
    for name, own in SHAPES.items():
        for pairs in PAIRS:
            a, b = _pairs(rng, (trials, pairs), lognormal(HOST), own)
            _, beyond = within_and_beyond_pairs(a, b, 0.0, 0.0)
            yield Rate(name, str(pairs), *counted(beyond), ALPHA)


def pairs_on_the_edge(rng: Rng, trials: int) -> Iterator[Rate]:
    """Pairs as above, B's mean on the margin's upper or lower edge, whichever is said more often."""
    for place, said in enumerate(("agree", "disagree")):
        for name, own in SHAPES.items():
            for pairs in PAIRS:
                rate = _worst_edge(*_pairs(rng, (trials, pairs), lognormal(HOST), own), place)
                yield Rate(f"`{said}`; {name}", str(pairs), *rate, ALPHA)


def _worst_edge(a: F64, b: F64, place: int) -> tuple[int, int]:
    """Of two verdicts, the one at `place`, told of B's mean on either edge."""
    found = [
        within_and_beyond_pairs(a, factor * b, MARGIN, 0.0)[place]
        for factor in (1 + MARGIN, 1 / (1 + MARGIN))
    ]
    return max(counted(said) for said in found)


def one_side_disturbed(rng: Rng, trials: int) -> Iterator[Rate]:
    """Only B has every tenth run with half as much again: `agree`, B's mean on the margin's upper edge."""
    own = normal(0.03)
    for pairs in PAIRS:
        a, b = _pairs(rng, (trials, pairs), lognormal(HOST), own, disturbed(0.03))
        agree, _ = within_and_beyond_pairs(a, (1 + MARGIN) * b, MARGIN, 0.0)
        yield Rate("paired, host varies by 40 %", str(pairs), *counted(agree), None)
        a, b = _pairs(rng, (trials, pairs), lognormal(0.0), own, disturbed(0.03))
        agree, _ = within_and_beyond(moments(a), moments((1 + MARGIN) * b), MARGIN, 0.0)
        yield Rate("not paired, quiet host", str(pairs), *counted(agree), None)


def pairs_chance_to_agree(rng: Rng, trials: int) -> Iterator[Rate]:
    """`agree` of pairs with equal means: at least what their `power` says, less 0.02 (noisy host: 0.07)."""
    for sigma, less in ((0.0, 0.02), (HOST, 0.07)):
        for variation in (0.02, 0.05, 0.10):
            own, host = normal(variation), lognormal(sigma)
            # Of a product with a lognormal of mean 1, whose mean square is exp(sigma^2).
            sd = MEAN * variation * math.sqrt(2 * math.exp(sigma**2))
            for pairs in PAIRS[1:]:
                a, b = _pairs(rng, (trials, pairs), host, own)
                agree, _ = within_and_beyond_pairs(a, b, MARGIN, 0.0)
                said = power_of_pairs(MEAN, sd, pairs, MARGIN, 0.0, ALPHA)
                case = f"host varies by {100 * sigma:.0f} %, a run by {100 * variation:.0f} %"
                promise = round(max(0.0, said - less), 3)
                yield Rate(case, str(pairs), *counted(agree), promise, True)


def pairs_coverage(rng: Rng, trials: int) -> Iterator[Rate]:
    """The interval of a ratio over pairs has the true one in it; the host varies by 40 %."""
    trials = max(1, trials // 10)
    wide = Margin(MARGIN, 0.0, "of the experiments")
    promises = {
        "normal, 5 %": (0.80, 0.80, 0.85, 0.90),
        "lognormal, 50 %": (0.75, 0.75, 0.85, 0.88),
    }
    for name, promised in promises.items():
        for pairs, bound in zip(PAIRS[1:], promised, strict=True):
            drawn = _pairs(rng, (trials, pairs), lognormal(HOST), SHAPES[name])
            inside = 0
            for a, b in zip(drawn[0], 1.2 * drawn[1], strict=True):
                found = ask_pairs(tuple(a), tuple(b), wide, HOW).effect
                assert found.low is not None and found.high is not None
                inside += found.low <= 1.2 <= found.high
            yield Rate(name, str(pairs), inside, trials, bound, True)


def _told(p: F64, a: Moments, b: Moments) -> F64:
    """The p of those that are tested, as side.enough_for_a_test has it; 1 of the others."""
    alike = (np.asarray(a.sd) == 0) & (np.asarray(b.sd) == 0)
    few = np.minimum(np.asarray(a.n), np.asarray(b.n)) < FEWEST_ALIKE
    return np.where(alike & few, 1.0, p)


PARTS: dict[str, Callable[[Rng, int], Iterator[Rate]]] = {
    part.__name__: part
    for part in (
        no_difference,
        beyond_the_margin,
        within_the_margin,
        unlike_sides,
        one_sample,
        chance_to_agree,
        enough_runs,
        whole_family,
        coverage,
        pooled_events,
        distance_interval,
        few_levels,
        pairs_of_runs,
        pairs_without_difference,
        pairs_on_the_edge,
        one_side_disturbed,
        pairs_chance_to_agree,
        pairs_coverage,
    )
}

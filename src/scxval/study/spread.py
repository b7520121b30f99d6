# SPDX-License-Identifier: MIT
"""Whether runs of one side vary less than those of the other, and how much less these runs can show.

One question a pair, over all its quantities together, as those of one run share what made it differ: how
far a run lies from the median of its side. Of one quantity that is Brown and Forsythe's test (1974), of
several its extension to many (Anderson 2006, tests for homogeneity of multivariate dispersions). A test
of difference never says that there is none, so that it has no verdict but words and a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from scxval.catalog.comparison import Compare
from scxval.compare.statistics.multiple import benjamini_hochberg, holm
from scxval.compare.statistics.power import smallest
from scxval.study.record import Table, Value

F64 = npt.NDArray[np.float64]

# Distances from a median of few runs are too much alike. In 4000 draws of normal runs with an alpha of 5 %,
# 7 % are false alarms with 4 a side; 5 find one spread that is four times the other in an eighth, 6 in two
# fifths.
FEWEST_FOR_SPREAD = 6
TOGETHER = "all together"
# How many times as large is searched, in steps of 5 %.
MOST_TIMES = 100.0
_STEP = 1.05
_DRAWS = 2000
_COLUMNS = (
    *("pair", "what", "n_a", "n_b", "spread_a", "spread_b", "p", "p_holm", "q", "tells_times"),
)


@dataclass(frozen=True)
class _One:
    """A quantity's runs over their side's mean, and their distances from the median of those."""

    name: str
    a: F64
    b: F64

    @property
    def spreads(self) -> tuple[float, float]:
        return float(self.a.std(ddof=1)), float(self.b.std(ddof=1))

    @property
    def distances(self) -> tuple[F64, F64]:
        """Of both sides, as parts of their mean over both: quantities that vary little count as much."""
        a, b = np.abs(self.a - np.median(self.a)), np.abs(self.b - np.median(self.b))
        scale = (a.mean() + b.mean()) / 2
        return np.asarray(a / scale), np.asarray(b / scale)


def spread_table(pairs: Sequence[Mapping[str, Any]], how: Compare) -> Table:
    """Standard deviations over means of both sides, of quantities that carry a verdict, and of all together.

    `pairs` are those of verdicts.json. A row of TOGETHER has means over quantities, Holm's p over pairs and
    in `tells_times` what `told_times` says; a row of one quantity Benjamini and Hochberg's q over all such,
    to look through. Quantities with fewer runs than FEWEST_FOR_SPREAD, a mean that is not above 0 or no
    spread on either side have no row; those that some runs lack are not in TOGETHER.
    """
    found = {pair["path"]: _quantities(pair) for pair in pairs}
    whole = {path: together for path, ones in found.items() if (together := _together(ones))}
    p_whole = {path: _p(*sides) for path, (sides, _) in whole.items()}
    adjusted = dict(zip(whole, holm(list(p_whole.values())), strict=True))
    p_single = [_p(*one.distances) for ones in found.values() for one in ones]
    single = iter(zip(p_single, benjamini_hochberg(p_single), strict=True))
    rows: list[tuple[Value, ...]] = []
    for path, ones in found.items():
        if path in whole:
            sides, spreads = whole[path]
            times = told_times(*sides, how.alpha / len(whole), how)
            counts = len(sides[0]), len(sides[1])
            tested = (p_whole[path], adjusted[path], None, times)
            rows.append((path, TOGETHER, *counts, *spreads, *tested))
        for one in ones:
            p, q = next(single)
            rows.append(
                (path, one.name, len(one.a), len(one.b), *one.spreads, p, None, q, None),
            )
    return Table("spread", "Spread between runs, as a part of the mean", _COLUMNS, tuple(rows))


def _quantities(pair: Mapping[str, Any]) -> list[_One]:
    found = []
    for quantity in pair["quantities"]:
        a, b = (np.asarray(quantity[side], dtype=np.float64) for side in ("a", "b"))
        if quantity["verdict"] is None or min(len(a), len(b)) < FEWEST_FOR_SPREAD:
            continue
        if min(a.mean(), b.mean()) > 0 and max(np.ptp(a), np.ptp(b)) > 0:
            found.append(_One(quantity["name"], a / a.mean(), b / b.mean()))
    return found


def _together(ones: Sequence[_One]) -> tuple[tuple[F64, F64], tuple[float, float]] | None:
    """Each run's mean distance, and the sides' mean spreads, over quantities that all runs have."""
    if not ones:
        return None
    most = max(len(one.a) for one in ones), max(len(one.b) for one in ones)
    ones = [one for one in ones if (len(one.a), len(one.b)) == most]
    if not ones:
        return None
    a, b = (np.mean([one.distances[side] for one in ones], axis=0) for side in (0, 1))
    spreads = [one.spreads for one in ones]
    means = np.mean(spreads, axis=0)
    return (np.asarray(a), np.asarray(b)), (float(means[0]), float(means[1]))


def _p(a: F64, b: F64) -> float:
    """Analysis of variance of distances: Brown and Forsythe's."""
    return float(stats.f_oneway(a, b).pvalue)


def told_times(a: F64, b: F64, alpha: float, how: Compare) -> float | None:
    """How many times as large one side's spread must be to be told with `how.power`; None beyond MOST_TIMES.

    Whichever side it is that varies more. `a` and `b` are distances of runs: drawn from again, each side
    over its mean, 2000 times, so that quantities depend on each other as they do; to about a tenth.
    """
    rng = np.random.default_rng(how.random_seed)
    pool = np.concatenate([side / side.mean() for side in (a, b) if side.mean() > 0])
    one, other = (rng.choice(pool, (_DRAWS, len(side))) for side in (a, b))

    def told(step: int) -> bool:
        times = _STEP**step
        return all(
            float((stats.f_oneway(*sides, axis=1).pvalue < alpha).mean()) >= how.power
            for sides in ((times * one, other), (one, times * other))
        )

    step = smallest(0, int(np.ceil(np.log(MOST_TIMES) / np.log(_STEP))), told)
    return None if step is None else _STEP**step


def spread_told(table: Table, how: Compare) -> list[str]:
    """A line for each pair of which one side varies more."""
    rows = _together_rows(table)
    return [
        f"{row['pair']}: runs vary by {row['spread_a']:.2%} of the mean on one side and by"
        f" {row['spread_b']:.2%} on the other, over all quantities together (n {row['n_a']}+{row['n_b']},"
        f" p {row['p_holm']:.2g} over {len(rows)} pairs)"
        for row in rows
        if row["p_holm"] < how.alpha
    ]


def spread_not_told(table: Table, how: Compare) -> list[str]:
    """What these runs cannot say of spreads, and how many times as large one must be to be seen."""
    rows = _together_rows(table)
    if not rows:
        return [
            "Whether one side varies less between runs: nothing has the runs for it, which are at least"
            f" {FEWEST_FOR_SPREAD} a side (`reps`)."
        ]
    return [
        f"{row['pair']}: whether one side varies less between runs ({row['spread_a']:.2%} and"
        f" {row['spread_b']:.2%} of the mean, p {row['p_holm']:.2g} over {len(rows)} pairs), which is not to"
        f" say that both vary alike. {_seen(row, how)}; more runs (`reps`) show less."
        for row in rows
        if not row["p_holm"] < how.alpha
    ]


def _together_rows(table: Table) -> list[dict[str, Any]]:
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [row for row in rows if row["what"] == TOGETHER]


def _seen(row: Mapping[str, Any], how: Compare) -> str:
    runs = f"{row['n_a']} and {row['n_b']} runs"
    if row["tells_times"] is None:
        return f"{runs} show not even a spread {MOST_TIMES:.0f} times the other's in {how.power:.0%} of cases"
    return f"{runs} show a spread {row['tells_times']:.2g} times the other's in {how.power:.0%} of cases"

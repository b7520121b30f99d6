# SPDX-License-Identifier: MIT
"""Whether pairs were worth it: how near in time their runs were, and how much both had in common.

The standard deviation of differences in pairs over that of differences of two runs that are none, which
is the root of both variances' sum: 1 where the two of a pair have nothing in common, and pairs only cost
degrees of freedom; 0 where all that varies is common.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scxval.study.record import Table, Value

_COLUMNS = (*("where", "pairs", "minutes_apart", "minutes_apart_most", "quantities", "varies"),)
# Of fewer pairs it may come out as anything.
FEWEST_FOR_SPREAD = 4

Sides = tuple[Sequence[float], Sequence[float]]


def pairing_table(groups: Mapping[str, tuple[Sequence[float], Sequence[Sides]]]) -> Table:
    """A row a group of pairs, from seconds between the starts of each pair, and both sides' numbers.

    `minutes_apart` is the median, `varies` that over quantities of how much differences vary in pairs, as
    a part of what they would in runs that are not paired. None where nothing is known of it.
    """
    rows: list[tuple[Value, ...]] = []
    for place, (gaps_s, quantities) in groups.items():
        found = [part for sides in quantities if (part := _varies(*sides)) is not None]
        rows.append(
            (
                place,
                max((len(a) for a, _ in quantities), default=0),
                float(np.median(gaps_s)) / 60 if gaps_s else None,
                max(gaps_s) / 60 if gaps_s else None,
                len(found),
                float(np.median(found)) if found else None,
            )
        )
    return Table("pairing", "How near the two runs of a pair were", _COLUMNS, tuple(rows))


def _varies(a: Sequence[float], b: Sequence[float]) -> float | None:
    if len(a) < FEWEST_FOR_SPREAD or np.ptp(a) == np.ptp(b) == 0:
        return None
    apart = math.hypot(np.std(a, ddof=1), np.std(b, ddof=1))
    return float(np.std(np.asarray(b) - np.asarray(a), ddof=1)) / apart


def pairing_words(table: Table) -> str:
    """How near in time pairs were, and what that gained, in one or two sentences; "" if nobody knows."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    apart = _known(rows, "minutes_apart")
    words = []
    if apart:
        most = max(_known(rows, "minutes_apart_most"))
        words.append(
            f"The two runs of a pair began {np.median(apart):.1f} minutes apart in the median,"
            f" {most:.1f} at most."
        )
    varies = _known(rows, "varies")
    if varies:
        words.append(
            f"Differences in pairs vary {np.median(varies):.2f} times as much as those of runs that are not"
            " paired, in the median of quantities."
        )
    return " ".join(words)


def _known(rows: Iterable[Mapping[str, Any]], column: str) -> list[float]:
    return [float(row[column]) for row in rows if row[column] is not None]

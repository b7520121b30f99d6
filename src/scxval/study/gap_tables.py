# SPDX-License-Identifier: MIT
"""The tables of the study of simulator gaps: every item, what there is of each base, what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scxval.study.gap_counts import Base, Counts
from scxval.study.gap_groups import AXES, Group
from scxval.study.gap_judge import Compared, Status, compared, interval
from scxval.study.record import Table, Value

_SIDE = ("share", "low", "high", "count", "of", "runs_with", "runs")
ITEMS = (
    *AXES,
    "aspect",
    "of",
    "item",
    "which",
    *(f"kernel_{name}" for name in _SIDE),
    *(f"simulated_{name}" for name in _SIDE),
)
COVERAGE = (
    *AXES,
    "aspect",
    "of",
    *(
        f"{side}_{name}"
        for side in ("kernel", "simulated")
        for name in ("count", "items", "unseen")
    ),
)

Row = tuple[Value, ...]


def gap_tables(groups: Sequence[Group], confidence: float) -> tuple[Table, ...]:
    """All of them; rows in the order of the groups, of `gaps` the most frequent of each group first."""
    gaps: list[Row] = []
    items: list[Row] = []
    for group in groups:
        found = compared(group.real, group.simulated)
        items += [_item(group, one, confidence) for one in found]
        only = [one for one in found if one.status is not Status.BOTH]
        only.sort(key=_frequent)
        gaps += [_item(group, one, confidence) for one in only]
    left = [(*g.where.values(), what, why) for g in groups for what, why in g.not_compared]
    unused = [(*g.where.values(), run, why) for g in groups for run, why in g.unused]
    coverage = [row for group in groups for row in _coverage(group)]
    return (
        Table("gaps", "What only one side shows, the most frequent first", ITEMS, tuple(gaps)),
        Table("items", "Everything that either side shows", ITEMS, tuple(items)),
        Table(
            "coverage",
            "How much there is of each base, and the estimated part that no run has shown yet",
            COVERAGE,
            tuple(coverage),
        ),
        Table(
            "not_compared",
            "What one side cannot show: not measured, never a gap",
            (*AXES, "what", "reason"),
            tuple(left),
        ),
        Table("unused", "Runs that are not counted", (*AXES, "run", "reason"), tuple(unused)),
    )


def _frequent(one: Compared) -> tuple[float, str]:
    return (-one.has.rows, one.item.name)


def _item(group: Group, one: Compared, confidence: float) -> Row:
    base = one.item.base
    sides: list[Value] = []
    for side in (one.real, one.simulated):
        share = side.share if side.base else None
        sides += [share, *interval(side.shares, confidence), side.rows, side.base]
        sides += [side.runs_with, len(side.counts)]
    return (
        *group.where.values(),
        str(base.aspect),
        base.name,
        one.item.name,
        str(one.status),
        *sides,
    )


def _coverage(group: Group) -> list[Row]:
    """Rows and distinct items of each base. `unseen`: items that came once over all rows (Good 1953)."""
    bases = sorted({base for run in (*group.real, *group.simulated) for base in run.bases})
    return [
        (
            *group.where.values(),
            str(base.aspect),
            base.name,
            *_known(base, group.real),
            *_known(base, group.simulated),
        )
        for base in bases
    ]


def _known(base: Base, runs: Sequence[Counts]) -> Row:
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update({i.name: n for i, n in run.items.items() if i.base == base and n})
    total = sum(run.bases.get(base, 0) for run in runs)
    once = sum(number == 1 for number in counts.values())
    return (total, len(counts), once / total if total else None)

# SPDX-License-Identifier: MIT
"""How long a sweep will take: from when the runs of earlier ones began, by the history and by results/.

From one run's begin to the next is all that a cell costs a sweep: its machine, and what was converted and
compared beside it, with as many machines at once as there were.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scxval.catalog.model import AXES, Cell
from scxval.errors import ScxvalError
from scxval.files import read_record
from scxval.history.store import runs_table
from scxval.planning.words import duration

# Seconds of a cell of which nothing is known: what one took in an emulated guest on 2 CPUs (docs/sweeps.md).
GUESS_S = 30.0
# Two runs further apart are of two sweeps: longer than the limit of any shipped configuration.
APART_S = 900.0
# What makes two cells alike, from all axes to none.
ALIKE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the same cell", AXES),
    ("the same workload, tracer and machine", ("workload", "tracer", "machine")),
    ("the same tracer and machine", ("tracer", "machine")),
    ("the same machine", ("machine",)),
    ("any cell", ()),
)

Group = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Begun:
    """When a run began, in seconds since 1970; `axes` as Cell.group."""

    started_s: float
    axes: Group
    rep: int


@dataclass(frozen=True)
class Estimate:
    """Seconds of one cell, of how many runs they are the median, and what these have in common with it."""

    seconds: float
    runs: int
    source: str


@dataclass(frozen=True)
class Timing:
    """Seconds that cells took, by what of them is alike; `last` is when a group was measured last."""

    took: Mapping[tuple[int, Group], tuple[float, ...]]
    last: Mapping[Group, float]

    def of(self, group: Group) -> Estimate:
        """Seconds of a cell by the runs most like it."""
        for level, (name, axes) in enumerate(ALIKE):
            found = self.took.get((level, _part(group, axes)))
            if found:
                return Estimate(statistics.median(found), len(found), name)
        return Estimate(GUESS_S, 0, "a guess: nothing was measured yet")


def timing(begun: Iterable[Begun]) -> Timing:
    """What runs tell of time; one that is given twice counts once."""
    runs = sorted(set(begun))
    took: dict[tuple[int, Group], list[float]] = {}
    for one, following in itertools.pairwise(runs):
        gap = following.started_s - one.started_s
        if gap >= APART_S:
            continue
        for level, (_, axes) in enumerate(ALIKE):
            took.setdefault((level, _part(one.axes, axes)), []).append(gap)
    last = {run.axes: run.started_s for run in runs}
    return Timing({key: tuple(values) for key, values in took.items()}, last)


def _part(group: Group, axes: Sequence[str]) -> Group:
    return tuple(group[AXES.index(axis)] for axis in axes)


def begun_in_history(store: Path) -> list[Begun]:
    """The runs of a history; none where there is no store. Raises ScxvalError for one that cannot be read."""
    if not store.exists():
        return []
    rows = runs_table(store).select([*AXES, "rep", "started_s"]).to_pylist()
    return [Begun(row["started_s"], tuple(row[axis] for axis in AXES), row["rep"]) for row in rows]


def begun_in_results(runs: Path) -> list[Begun]:
    """The runs below results/runs; one whose provenance cannot be read tells nothing."""
    found = []
    for file in sorted(runs.glob(f"{'*/' * (len(AXES) + 1)}provenance.json")):
        *axes, rep = file.parent.relative_to(runs).parts
        try:
            started_s = float(read_record(file)["started_unix_s"])
            found.append(Begun(started_s, tuple(axes), int(rep.removeprefix("rep"))))
        except (ScxvalError, KeyError, TypeError, ValueError):
            continue
    return found


def known_timing(store: Path, runs: Path) -> Timing:
    """What the history and the results here tell."""
    return timing([*begun_in_history(store), *begun_in_results(runs)])


def lines(cells: Sequence[Cell], known: Timing) -> list[str]:
    """The estimate of a sweep in words: its sum, and where it comes from."""
    sources: dict[str, list[float]] = {}
    for cell in cells:
        estimate = known.of(cell.group)
        sources.setdefault(estimate.source, []).append(estimate.seconds)
    total = sum(map(sum, sources.values()))
    found = [f"about {duration(total)} for {len(cells)} cells that are to be run"]
    for source, seconds in sources.items():
        found.append(f"  {len(seconds)} by {source}: {duration(sum(seconds))}")
    return found


def to_run(cells: Iterable[Cell], runs: Path) -> list[Cell]:
    """Those that have no record yet; whether a record is still good, Snakemake says."""
    return [cell for cell in cells if not _has_record(runs / cell.path / "status.json")]


def _has_record(status: Path) -> bool:
    try:
        return bool(read_record(status))
    except ScxvalError:
        return False

# SPDX-License-Identifier: MIT
"""The page's first table: what ran, and every verdict, by scheduler and workload; each square leads there.

Nothing is judged here, and nothing summed up beyond counting: a square has the number of pairs by verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from scxval.catalog.model import Cell
from scxval.report.cell import link, style
from scxval.report.load import Inputs, Run
from scxval.report.studies import StudyView
from scxval.report.text import plural, visible
from scxval.report.verdicts import FamilyView, PairView, VerdictSection

# The row of pairs whose sides differ in the scheduler: no one scheduler's.
SEVERAL = "several"
RUNS = "results/runs/"


@dataclass(frozen=True)
class Lead:
    """A badge that leads somewhere in the page."""

    words: str
    style: str
    href: str
    about: str


@dataclass(frozen=True)
class Row:
    """One scheduler with one workload: its cells, its pairs in each family, its timeline."""

    scheduler: str
    workload: str
    cells: list[Lead]
    families: list[list[Lead]]
    timeline: str


@dataclass(frozen=True)
class Overview:
    """The table's columns (families) and rows, and a badge for each study."""

    families: list[str]
    rows: list[Row]
    studies: list[tuple[str, str, Lead]]


def timeline_anchor(scheduler: str, workload: str) -> str:
    """The element id of a timeline."""
    return visible(f"timeline:{workload}/{scheduler}")


def overview(
    inputs: Inputs,
    judged: VerdictSection,
    studies: Sequence[StudyView],
    drawn: Mapping[str, set[str]],
) -> Overview:
    """Arrange what the sections have; `drawn` are the schedulers with a timeline, by workload."""
    places = dict.fromkeys((run.cell.scheduler, run.cell.workload) for run in inputs.runs)
    places |= dict.fromkeys((e.cell.scheduler, e.cell.workload) for e in inputs.excluded)
    pairs = [pair for family in judged.families for pair in (*family.pairs, *family.bare)]
    places |= dict.fromkeys(_place(pair) for pair in pairs)
    return Overview(
        families=[family.record.name for family in judged.families],
        rows=[
            Row(
                scheduler,
                workload,
                list(_cells(inputs, scheduler, workload)),
                [_pairs(family, (scheduler, workload)) for family in judged.families],
                target(timeline_anchor(scheduler, workload))
                if scheduler in drawn.get(workload, ())
                else "",
            )
            for scheduler, workload in places
        ],
        studies=[
            (
                view.title,
                view.question,
                Lead(view.verdict.words, view.verdict.style, target(view.anchor), view.reason),
            )
            for view in studies
        ],
    )


def _place(pair: PairView) -> tuple[str, str]:
    where = pair.record.where
    return where.get("scheduler", SEVERAL), where.get("workload", SEVERAL)


def _cells(inputs: Inputs, scheduler: str, workload: str) -> Iterator[Lead]:
    """How many ended in each way; the first of each is where its badge leads."""

    def here(cell: Cell) -> bool:
        return (cell.scheduler, cell.workload) == (scheduler, workload)

    states: dict[str, list[Run]] = {}
    for run in inputs.runs:
        if here(run.cell):
            states.setdefault(run.state, []).append(run)
    for state, runs in states.items():
        words = f"{len(runs)} {state.replace('_', ' ')}"
        yield Lead(words, style(state), link(runs[0].cell), f"the first: {runs[0].cell.path}")
    excluded = sum(here(item.cell) for item in inputs.excluded)
    if excluded:
        yield Lead(f"{excluded} excluded", "excluded", "#excluded", plural(excluded, "cell"))


def _pairs(family: FamilyView, place: tuple[str, str]) -> list[Lead]:
    found: dict[tuple[str, str], list[PairView]] = {}
    for pair in (*family.pairs, *family.bare):
        if _place(pair) == place:
            key = ("void", "void") if pair.record.void else (pair.verdict.words, pair.verdict.style)
            found.setdefault(key, []).append(pair)
    return [
        Lead(f"{len(pairs)} {words}", shown, target(pairs[0].anchor), pairs[0].record.reason)
        for (words, shown), pairs in found.items()
    ]


def target(anchor: str) -> str:
    """A link to an element of the page."""
    return "#" + quote(anchor, safe="/:")


def pairs_of_cells(judged: VerdictSection) -> dict[str, list[Lead]]:
    """The pairs that each run is in, by the run's path: from a cell to what was concluded from it."""
    found: dict[str, list[Lead]] = {}
    for family in judged.families:
        for pair in (*family.pairs, *family.bare):
            for run in pair.group_runs:
                name = f"{family.record.name}: {pair.record.a.name} and {pair.record.b.name}"
                lead = Lead(name, pair.verdict.style, target(pair.anchor), pair.verdict.words)
                found.setdefault(run.path.removeprefix(RUNS), []).append(lead)
    return found

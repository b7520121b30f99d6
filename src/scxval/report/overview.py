# SPDX-License-Identifier: MIT
"""The page's first table: what ran, and every verdict, by scheduler and workload; each square leads there.

Nothing is judged here, and nothing summed up beyond counting: a square has the number of pairs by verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from scxval.catalog.model import Cell, Excluded
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
    # What the filter finds it by, beside its text.
    words: str


@dataclass(frozen=True)
class Column:
    """A family of comparisons: its name, where it is, and its verdict, with `void` beside it if it is."""

    name: str
    href: str
    verdicts: list[Lead]


@dataclass(frozen=True)
class Overview:
    """How cells ended, the table's columns (families with pairs) and rows, and a badge for each study.

    `ended` counts the ends that are not ok; `without_pairs` are the families that have no column.
    """

    ok: int
    ended: list[Lead]
    families: list[Column]
    rows: list[Row]
    without_pairs: list[Lead]
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
    compared = [family for family in judged.families if family.pairs or family.bare]
    return Overview(
        ok=sum(run.ok for run in inputs.runs),
        ended=[lead for lead in _ends(inputs.runs, inputs.excluded) if lead.style != "ok"],
        families=[_column(family) for family in compared],
        rows=[
            Row(
                scheduler,
                workload,
                list(_cells(inputs, scheduler, workload)),
                [_pairs(family, (scheduler, workload)) for family in compared],
                target(timeline_anchor(scheduler, workload))
                if scheduler in drawn.get(workload, ())
                else "",
                _words(inputs, scheduler, workload),
            )
            for scheduler, workload in places
        ],
        without_pairs=[
            Lead(
                f"{family.record.name}: {family.verdict.words}",
                family.verdict.style,
                target(family.anchor),
                family.record.reason,
            )
            for family in judged.families
            if family not in compared
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


def _column(family: FamilyView) -> Column:
    href = target(family.anchor)
    shown = [Lead(family.verdict.words, family.verdict.style, href, family.record.reason)]
    if family.record.void:
        shown.append(Lead("void", "void", href, "a control failed: nothing can be concluded"))
    return Column(family.record.name, href, shown)


def _cells(inputs: Inputs, scheduler: str, workload: str) -> Iterator[Lead]:
    """How many ended in each way; the first of each is where its badge leads."""

    def here(cell: Cell) -> bool:
        return (cell.scheduler, cell.workload) == (scheduler, workload)

    runs = [run for run in inputs.runs if here(run.cell)]
    yield from _ends(runs, [item for item in inputs.excluded if here(item.cell)])


def _ends(runs: Sequence[Run], excluded: Sequence[Excluded]) -> Iterator[Lead]:
    states: dict[str, list[Run]] = {}
    for run in runs:
        states.setdefault(run.state, []).append(run)
    for state, ended in states.items():
        words = f"{len(ended)} {state.replace('_', ' ')}"
        yield Lead(words, style(state), link(ended[0].cell), f"the first: {ended[0].cell.path}")
    if excluded:
        about = plural(len(excluded), "cell")
        yield Lead(f"{len(excluded)} excluded", "excluded", "#excluded", about)


def _words(inputs: Inputs, scheduler: str, workload: str) -> str:
    cells = [*(run.cell for run in inputs.runs), *(item.cell for item in inputs.excluded)]
    here = (c for c in cells if (c.scheduler, c.workload) == (scheduler, workload))
    return " ".join(dict.fromkeys(w for c in here for w in (c.tracer, c.isolation, c.machine)))


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


def cell_paths(inputs: Inputs) -> Callable[[str], str]:
    """From a run as records name it, by where it lies, to its cell's path."""
    known = {str(run.folder): run.cell.path for run in inputs.runs}
    return lambda path: known.get(path, path.removeprefix(RUNS))


def pairs_of_cells(inputs: Inputs, judged: VerdictSection) -> dict[str, list[Lead]]:
    """The pairs that each run is in, by the run's path: from a cell to what was concluded from it."""
    path_of = cell_paths(inputs)
    found: dict[str, list[Lead]] = {}
    for family in judged.families:
        for pair in (*family.pairs, *family.bare):
            for run in pair.group_runs:
                name = f"{family.record.name}: {pair.record.a.name} and {pair.record.b.name}"
                lead = Lead(name, pair.verdict.style, target(pair.anchor), pair.verdict.words)
                found.setdefault(path_of(run.path), []).append(lead)
    return found

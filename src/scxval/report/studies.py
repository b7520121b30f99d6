# SPDX-License-Identifier: MIT
"""The section on studies: each one's verdict, figure, findings, tables, and what it cannot tell.

Arranges what `scxval.study.record.read_study` read. A study that cannot be read is said, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from scxval.errors import ScxvalError
from scxval.report.cell import File, file_link
from scxval.report.text import number_text, visible
from scxval.report.verdicts import STYLE, Marked
from scxval.study.record import Finding, Table, Value, read_study

SVG = "{http://www.w3.org/2000/svg}"
# What a figure of scxval.study.figure is made of; anything else is no figure of ours.
ELEMENTS = frozenset(
    SVG + name
    for name in ("svg", "title", "desc", "style", "rect", "text", "line", "path", "circle", "g")
)
# Rows of a study's own tables that are in the page; the files have all.
MOST_ROWS = 200


@dataclass(frozen=True)
class FindingView:
    """A finding as text, in the order of the table's columns."""

    what: str
    where: str
    verdict: Marked
    cells: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class TableView:
    """One of a study's own tables; `left_out` rows are in the files only."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left_out: int
    files: list[File]


@dataclass(frozen=True)
class StudyView:
    """One study, ready for the template; one that cannot be read has a `problem` and no more."""

    name: str
    anchor: str
    title: str
    question: str
    verdict: Marked
    reason: str
    figure: Markup = field(default_factory=Markup)
    caption: str = ""
    findings: Sequence[FindingView] = ()
    tables: Sequence[TableView] = ()
    cannot_tell: Sequence[str] = ()
    notes: Sequence[str] = ()
    files: Sequence[File] = ()
    problem: str = ""


def section(root: Path | None, page_folder: Path) -> list[StudyView]:
    """Every study below `root` (results/study); links are relative to `page_folder`."""
    if root is None:
        return []
    folders = sorted(file.parent for file in root.glob("*/study.json"))
    return [_view(folder, page_folder) for folder in folders]


def _view(folder: Path, page_folder: Path) -> StudyView:
    anchor = visible(f"study:{folder.name}")
    try:
        study = read_study(folder)
        figure = _figure(study.figure)
    except ScxvalError as error:
        blank = Marked("unreadable", "failed")
        return StudyView(folder.name, anchor, folder.name, "", blank, "", problem=str(error))
    verdict = study.judgement.verdict
    return StudyView(
        name=study.name,
        anchor=anchor,
        title=study.title,
        question=study.question,
        verdict=Marked(verdict.replace("_", " "), STYLE[verdict]),
        reason=study.judgement.reason,
        figure=figure,
        caption=study.caption,
        findings=[_finding(finding) for finding in study.findings],
        tables=[_table(table, folder, page_folder) for table in study.tables],
        cannot_tell=study.cannot_tell,
        notes=study.notes,
        files=_files(folder, ("study.json", "figure.svg", *_both("findings")), page_folder),
    )


def _figure(svg: str) -> Markup:
    """The figure as it is, if it is one of ours: no script, no link, no foreign element."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ScxvalError(f"figure.svg is not XML: {error}") from error
    for element in root.iter():
        hostile = [name for name in element.attrib if name.startswith("on") or "href" in name]
        if element.tag not in ELEMENTS or hostile:
            raise ScxvalError(
                f"figure.svg has what no figure of a study has: {element.tag} {hostile}"
            )
    return Markup(svg)


def _both(name: str) -> tuple[str, str]:
    return f"{name}.csv", f"{name}.parquet"


def _files(folder: Path, names: Sequence[str], page_folder: Path) -> list[File]:
    paths = [folder / name for name in names]
    return [file_link(path, path.name, page_folder) for path in paths if path.is_file()]


def _finding(finding: Finding) -> FindingView:
    interval = _span(finding.low, finding.high)
    estimate = "" if finding.estimate is None else number_text(finding.estimate, 3)
    shown = f"{estimate} {finding.unit if finding.unit != 'ratio' else ''}".strip()
    n = "" if finding.n_a is None else str(finding.n_a)
    return FindingView(
        what=finding.what,
        where=", ".join(finding.where.values()),
        verdict=Marked(finding.verdict.replace("_", " "), STYLE[finding.verdict]),
        cells=(
            f"\u00d7 {shown}" if finding.unit == "ratio" and shown else shown,
            interval,
            _span(finding.margin_low, finding.margin_high),
            n if finding.n_b is None else f"{n} and {finding.n_b}",
            "" if finding.power is None else f"{finding.power:.2f}",
            "" if finding.needed is None else str(finding.needed),
        ),
        reason=finding.reason,
    )


def _span(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f"{number_text(low, 3)} to {number_text(high, 3)}"


def _table(table: Table, folder: Path, page_folder: Path) -> TableView:
    return TableView(
        title=table.title,
        columns=table.columns,
        rows=[tuple(_value(value) for value in row) for row in table.rows[:MOST_ROWS]],
        left_out=max(0, len(table.rows) - MOST_ROWS),
        files=_files(folder, _both(table.name), page_folder),
    )


def _value(value: Value) -> str:
    if value is None:
        return ""
    return number_text(value, 4) if isinstance(value, float) else str(value)

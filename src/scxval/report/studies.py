# SPDX-License-Identifier: MIT
"""The section on studies: each one's verdict, figure, findings, tables, and what it cannot tell.

Arranges what `scxval.study.record.read_study` read. A study that cannot be read is said, never left out.
"""

from __future__ import annotations

import re
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
    ("svg", "title", "desc", "style", "rect", "text", "line", "path", "circle", "g", "tspan")
)
# What a style must not have: it would fetch something, or reach the rest of the page.
_REACHES = re.compile(r"url\(|@import|@font-face|expression\(|\\|/\*", re.IGNORECASE)
# A selector of a figure's style begins with a class of its own.
_SELECTORS = re.compile(r"(?:^|[{};])\s*([^{};@]+)\{")
# The folder of another rule beside those of studies.
NO_STUDY = frozenset(("agreement",))
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


@dataclass(frozen=True)
class StudySection:
    """Studies in the configuration's order, and those on disk that it does not name."""

    shown: list[StudyView]
    left_over: list[str]


def section(root: Path | None, page_folder: Path, asked: Sequence[str] | None) -> StudySection:
    """The studies below `root` (results/study); links are relative to `page_folder`.

    `asked` are those of the configuration, there or not. None: it is not known, and all on disk are shown.
    """
    there = _folders(root)
    names = sorted(there) if asked is None else list(asked)
    shown = [_view(there.get(name), name, page_folder) for name in names]
    return StudySection(shown, sorted(set(there) - set(names)))


def _folders(root: Path | None) -> dict[str, Path]:
    if root is None or not root.is_dir():
        return {}
    return {
        folder.name: folder
        for folder in root.iterdir()
        if folder.is_dir() and folder.name not in NO_STUDY
    }


def _view(folder: Path | None, name: str, page_folder: Path) -> StudyView:
    anchor = visible(f"study:{name}")
    if folder is None or not (folder / "study.json").is_file():
        blank = Marked("not made", "blank")
        why = "there is no study.json: its job has not ended well"
        return StudyView(name, anchor, name, "", blank, "", problem=why)
    try:
        study = read_study(folder)
        figure = _figure(study.figure)
    except ScxvalError as error:
        failed = Marked("unreadable", "failed")
        return StudyView(name, anchor, name, "", failed, "", problem=str(error))
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
        # The verdict's reason stands above already.
        cannot_tell=[line for line in study.cannot_tell if line != study.judgement.reason],
        notes=study.notes,
        files=_files(folder, ("study.json", "figure.svg", *_both("findings")), page_folder),
    )


def _figure(svg: str) -> Markup:
    """The figure as it was understood, if it is one of ours: no script, link, id or foreign element.

    Written anew from its elements: what XML and HTML read differently (comments, entities, CDATA) is gone.
    """
    try:
        root = ElementTree.fromstring(svg)
    except (ElementTree.ParseError, ValueError) as error:
        raise ScxvalError(f"figure.svg is not XML: {error}") from error
    if root.tag != f"{SVG}svg":
        raise ScxvalError(f"figure.svg is no SVG but {visible(root.tag)}")
    for element in root.iter():
        name = element.tag.removeprefix(SVG) if isinstance(element.tag, str) else "?"
        wrong = [key for key in element.attrib if _hostile(key)]
        styles = [element.get("style") or "", (element.text or "") if name == "style" else ""]
        if name not in ELEMENTS or wrong or not all(map(_own_style, styles)):
            said = visible(" ".join((name, *wrong)))
            raise ScxvalError(f"figure.svg has what no figure of a study has: {said}")
        element.tag = name
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _hostile(attribute: str) -> bool:
    """Handlers, links, other namespaces, and ids, of which a page may have only one each."""
    return attribute.lower().startswith("on") or "href" in attribute or attribute[0] in "{i"


def _own_style(css: str) -> bool:
    selectors = (s for found in _SELECTORS.findall(css) for s in found.split(","))
    return not _REACHES.search(css) and all(s.strip().startswith(".st") for s in selectors)


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

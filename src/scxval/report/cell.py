# SPDX-License-Identifier: MIT
"""One cell's section of the page: status, times, loss, capability and files, as text and links."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from scxval.catalog.model import Cell
from scxval.catalog.outcomes import Outcome
from scxval.events.schema import TraceKind
from scxval.inventory import NAMES, PARTS
from scxval.report import facts, text
from scxval.report.load import NOT_RUN, Run
from scxval.report.tasks import run_tasks

# How a cell that was never started is told.
EXCLUDED = tuple(outcome for outcome in Outcome if outcome.planned)


@dataclass(frozen=True)
class File:
    """A file with a link relative to the page."""

    name: str
    href: str
    size: str


def anchor(cell: Cell) -> str:
    """The element id of a cell's section."""
    return f"cell:{cell.path}"


def link(cell: Cell) -> str:
    """A link to a cell's section."""
    return "#" + quote(anchor(cell), safe="/:")


def style(state: str) -> str:
    """The style class of a state; its words always stand beside the colour."""
    if state == Outcome.OK:
        return "ok"
    if state == Outcome.TRACER_LOST_EVENTS:
        return "lossy"
    if state == NOT_RUN:
        return "blank"
    if state in EXCLUDED:
        return "excluded"
    return "failed"


def file_link(path: Path, name: str, page_folder: Path, size: str = "") -> File:
    """A link to a file, relative to the page's folder."""
    relative = Path(os.path.relpath(path, page_folder)).as_posix()
    # A leading ./ keeps a name with a colon from being read as a scheme.
    return File(name, "./" + quote(relative, errors="surrogateescape"), size)


class CellView:
    """One cell's section: status, times, loss, capability and files, ready for the template."""

    def __init__(self, run: Run, all_facts: facts.Facts, page_folder: Path) -> None:
        self.run = run
        self.style = style(run.state)
        self.href = link(run.cell)
        self.page_folder = page_folder
        status = run.status or {}
        self.reason = str(status.get("reason") or "")
        self.log = str(status.get("log") or "")
        self.log_tail = status.get("log_tail") or []
        self.exit_codes = self._exit_codes(status)
        self.wall = self._wall(status)
        self.window = self._window(status)
        self.scheduler = self._scheduler(status)
        self.expected_ops = str(_mapping(status.get("scheduler")).get("expected") or "")
        self.lost = self._lost(status)
        self.facts = facts.own_facts(run, all_facts)
        self.tasks, self.no_tasks = run_tasks(run)

    @staticmethod
    def _exit_codes(status: dict[str, Any]) -> list[tuple[str, str]]:
        codes = _mapping(status.get("exit_codes"))
        return [
            (name, "never ran or never ended" if code is None else str(code))
            for name, code in codes.items()
        ]

    @staticmethod
    def _wall(status: dict[str, Any]) -> list[tuple[str, str]]:
        wall = _mapping(status.get("wall_s"))
        return [
            (name, f"{value:.2f}" if isinstance(value, (int, float)) else "not reached")
            for name, value in wall.items()
        ]

    @staticmethod
    def _window(status: dict[str, Any]) -> str:
        window = status.get("window_ns")
        if not facts.is_window(window):
            return "not recorded"
        return f"{window[0]} to {window[1]} ns ({text.duration_text(window[1] - window[0])})"

    @staticmethod
    def _scheduler(status: dict[str, Any]) -> list[tuple[str, str, str]]:
        """The kernel's sched_ext state: key, before and after the workload."""
        states = _mapping(status.get("scheduler"))
        before, after = _mapping(states.get("before")), _mapping(states.get("after"))
        keys = dict.fromkeys([*before, *after])
        return [
            (key, text.value_text(before.get(key, "")), text.value_text(after.get(key, "")))
            for key in keys
        ]

    def _lost(self, status: dict[str, Any]) -> list[tuple[str, str]]:
        """What the tracer says it lost, and what the converter counted."""
        tracer = _mapping(status.get("tracer"))
        parts = {f"tracer {name}": part for name, part in _mapping(tracer.get("parts")).items()}
        shown = [
            (f"lost, by {name}", "not recorded" if lost is None else str(lost))
            for name, part in (parts or {"the tracer": tracer}).items()
            for lost in [_mapping(part).get("lost")]
        ]
        capability = self.run.capability
        if capability is not None:
            shown += [
                ("events", text.count_text(capability.events)),
                ("lost, by the converter", text.count_text(capability.lost)),
                ("records not understood", text.count_text(capability.unparsed)),
            ]
        return shown

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """How often each kind occurs that the source can see, zero included."""
        visible = self.run.capability.kinds if self.run.capability else []
        counts = self.run.kinds
        names = dict.fromkeys([*visible, *(counts or {})])
        if counts is None:
            return [(name, "no event table") for name in names]
        return [(name, text.count_text(counts.get(name, 0))) for name in names]

    @property
    def not_visible(self) -> list[str]:
        """The kinds of the shared vocabulary that this source cannot see."""
        seen = {name for name, _ in self.kinds}
        return [str(kind) for kind in TraceKind if kind not in seen]

    @property
    def files(self) -> list[File]:
        """The files that are there, the contract's first, then raw/."""
        status = self.run.status or {}
        parts = _mapping(_mapping(status.get("tracer")).get("parts"))
        names = [*NAMES, *(f"parts/{part}/{n}" for part in parts for n in PARTS)]
        files = [self._file(name, None) for name in names if self._is_there(name)]
        for name, about in _mapping(status.get("raw")).items():
            if self._is_there(f"raw/{name}"):
                files.append(self._file(f"raw/{name}", _mapping(about).get("bytes")))
        return files

    @property
    def perfetto(self) -> File | None:
        """The Perfetto trace of this cell beside the page, if there is one."""
        path = self.page_folder / "perfetto" / f"{self.run.cell.path}.pftrace"
        if not path.is_file():
            return None
        size = text.bytes_text(path.stat().st_size)
        return file_link(path, path.name, self.page_folder, size)

    @property
    def log_href(self) -> str:
        """Link to the log that shows the outcome, "" if it is not there."""
        name = f"raw/{self.log}"
        return self._file(name, None).href if self.log and self._is_there(name) else ""

    def _is_there(self, name: str) -> bool:
        """Whether the run has the file; a name that leads out of its folder is not followed."""
        return ".." not in PurePosixPath(name).parts and (self.run.folder / name).is_file()

    def _file(self, name: str, size: object) -> File:
        return file_link(self.run.folder / name, name, self.page_folder, text.bytes_text(size))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

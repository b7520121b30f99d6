# SPDX-License-Identifier: MIT
"""The real captures under tests/fixtures: every file that a converter claims, found by trying all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.formats.source import read_head
from scxval.tracers.convert import HEAD_BYTES, converters

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Capture:
    """A trace in the fixtures and the converter that claims it; `name` is its path below them."""

    source: str
    path: Path

    @property
    def name(self) -> str:
        inside = self.path.is_relative_to(FIXTURES)
        return self.path.relative_to(FIXTURES).as_posix() if inside else self.path.name

    def copy_into(self, folder: Path) -> None:
        """The small files beside the capture (a log, a script) that its converter may look at."""
        for file in self.path.parent.iterdir():
            if file.is_dir():
                shutil.copytree(file, folder / file.name)
            elif file != self.path and not claims(file):
                (folder / file.name).symlink_to(file)


def claims(path: Path) -> list[str]:
    """The converters that claim a file."""
    try:
        head = read_head(path, HEAD_BYTES)
    except ScxvalError:
        return []
    return [name for name, module in converters().items() if module.recognises(head)]


@cache
def captures() -> tuple[Capture, ...]:
    """Every capture, a converter's smallest first. A file that two claim is there for both."""
    files = sorted(
        (path for path in FIXTURES.rglob("*") if path.is_file()),
        key=lambda path: (path.stat().st_size, path),
    )
    found = [Capture(name, path) for path in files for name in claims(path)]
    return tuple(sorted(found, key=lambda capture: capture.source))

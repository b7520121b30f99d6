# SPDX-License-Identifier: MIT
"""SHA256SUMS: the digests of a folder's or an archive's files, as `sha256sum -c` reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.files import sha256

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
# Names of cells and files are made of these: no `..`, no hidden file, no line feed.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=,-]{0,254}")
_LONGEST = 1024


def checked_name(name: str, where: str) -> str:
    """A relative file name that cannot lead out of its folder, as it is. Raises ScxvalError for another.

    `where` is what has the name, for the reader.
    """
    parts = name.split("/")
    if len(name) > _LONGEST or not all(_PART.fullmatch(part) for part in parts):
        raise ScxvalError(f"{where}: refused: {name!r} is not a plain name below its folder")
    return name


def without_folders(names: list[str], where: str) -> None:
    """Raise ScxvalError for a name that is there twice, or is a file and a folder at once."""
    seen = set(names)
    if len(seen) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ScxvalError(f"{where}: refused: {twice} is there twice")
    for name in names:
        for end in (i for i, letter in enumerate(name) if letter == "/"):
            if name[:end] in seen:
                raise ScxvalError(f"{where}: refused: {name[:end]} is a file and a folder")


def render(sums: Mapping[str, str]) -> str:
    """The text of a SHA256SUMS, in the order of names."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def parse(text: str, where: str) -> dict[str, str]:
    """Digest by name. Raises ScxvalError for a line that is none, and for names that are refused."""
    sums = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ScxvalError(f"{where}: line {number} of {NAME} is not a digest and a name")
        sums.append((checked_name(found[2], where), found[1]))
    without_folders([name for name, _ in sums], where)
    return dict(sums)


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS of all other files in a folder."""
    files = (f for f in sorted(folder.rglob("*")) if f.is_file() and f != folder / NAME)
    sums = {f.relative_to(folder).as_posix(): sha256(f) for f in files}
    (folder / NAME).write_text(render(sums), encoding="utf-8")


def check_folder(folder: Path) -> list[str]:
    """The files of a folder, each checked against its SHA256SUMS.

    Raises ScxvalError for a file that is missing, changed, not listed, or no plain file.
    """
    where = str(folder)
    try:
        sums = parse((folder / NAME).read_text(encoding="utf-8"), where)
    except (OSError, UnicodeDecodeError) as error:
        raise ScxvalError(f"{folder}: cannot read {NAME}: {error}") from error
    there = {f.relative_to(folder).as_posix(): f for f in folder.rglob("*") if not _is_folder(f)}
    del there[NAME]
    for name in sorted({*sums, *there}):
        _check_file(name, sums.get(name), there.get(name), where)
    return sorted(sums)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _check_file(name: str, digest: str | None, file: Path | None, where: str) -> None:
    if digest is None:
        raise ScxvalError(f"{where}: {name} is not listed in {NAME}; move it away")
    if file is None:
        raise ScxvalError(f"{where}: {name} of {NAME} is missing; get it again")
    if file.is_symlink() or not file.is_file():
        raise ScxvalError(f"{where}: refused: {name} is not a plain file")
    if sha256(file) != digest:
        raise ScxvalError(f"{where}: {name} was changed: its digest is not that of {NAME}")

# SPDX-License-Identifier: MIT
"""A folder is what its SHA256SUMS says, or is refused with the file's name."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.published.sums import NAME, check_folder, parse, render, write_sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "study"
    (top / "tables").mkdir(parents=True)
    (top / "tables/runs.csv").write_text("a,b\n")
    (top / "claims.json").write_text("{}")
    write_sums(top)
    return top


def test_a_folder_as_it_was_written(folder: Path) -> None:
    assert check_folder(folder) == ["claims.json", "tables/runs.csv"]
    # With the tool that everybody has, too.
    sha256sum = shutil.which("sha256sum")
    assert sha256sum, "coreutils"
    subprocess.run([sha256sum, "--check", "--strict", "--quiet", NAME], cwd=folder, check=True)


def changed(folder: Path) -> None:
    (folder / "claims.json").write_text("{ }")


def missing(folder: Path) -> None:
    (folder / "claims.json").unlink()


def unlisted(folder: Path) -> None:
    (folder / "tables/more.csv").write_text("")


def linked(folder: Path) -> None:
    (folder / "claims.json").unlink()
    (folder / "claims.json").symlink_to("tables/runs.csv")


def linked_folder(folder: Path) -> None:
    (folder / "tables").rename(folder.parent / "elsewhere")
    (folder / "tables").symlink_to(folder.parent / "elsewhere")


def no_sums(folder: Path) -> None:
    (folder / NAME).unlink()


def leading_out(folder: Path) -> None:
    (folder.parent / "up.csv").write_text("")
    (folder / NAME).write_text(render({"../up.csv": "0" * 64}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (changed, "claims.json was changed"),
        (missing, "claims.json of SHA256SUMS is missing"),
        (unlisted, "tables/more.csv is not listed"),
        (linked, "claims.json is not a plain file"),
        (linked_folder, "tables is not listed"),
        (no_sums, "cannot read SHA256SUMS"),
        (leading_out, "is not a plain name below its folder"),
    ],
)
def test_a_folder_that_is_refused(folder: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(folder)
    with pytest.raises(ScxvalError, match=words):
        check_folder(folder)


digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9.+-]{0,20}", fullmatch=True), digests))
def test_rendered_and_parsed(sums: dict[str, str]) -> None:
    assert parse(render(sums), "x") == sums


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text, "x")
    except ScxvalError:
        return
    assert parse(render(found), "x") == found

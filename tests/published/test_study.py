# SPDX-License-Identifier: MIT
"""What must not be used is refused before anything runs; what was made again is said, and fails or passes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scxval.errors import ScxvalError
from scxval.published.__main__ import main
from scxval.published.archive import pack
from scxval.published.same import Difference
from scxval.published.study import ARCHIVE, CLAIMS, CONFIG, Outcomes, publish, same_or_not
from scxval.published.sums import NAME, render, write_sums


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    pack({"runs/x": b""}, folder / ARCHIVE)
    (folder / CONFIG).write_text("{}")
    (folder / CLAIMS).write_text('{"schema": 1, "claims": []}')
    write_sums(folder)
    return folder


def step(name: str, published: Path, tmp_path: Path) -> int:
    output = tmp_path / "results" / name / "record.json"
    options = ["--published", str(published), "--cores", "1", "--output", str(output)]
    return main([name, *options])


@pytest.mark.parametrize("name", ["rebuild", "remeasure"])
def test_refused_before_anything_runs(
    name: str, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published / ARCHIVE).write_bytes((published / ARCHIVE).read_bytes()[:-1])
    assert step(name, published, tmp_path) == 1
    assert f"{ARCHIVE} was changed" in capsys.readouterr().err
    # Whoever changed it has changed the sums, too.
    write_sums(published)
    assert step(name, published, tmp_path) == 1
    assert "refused: not a whole tar.xz" in capsys.readouterr().err
    (published / NAME).write_text(render({"../../etc/passwd": "0" * 64}))
    assert step(name, published, tmp_path) == 1
    assert "not a plain name below its folder" in capsys.readouterr().err
    made = [f for f in (tmp_path / "results").rglob("*") if f.is_file()]
    assert made == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("provision: {mirror: elsewhere}", "provision is for each host to say"),
        ("runs: measured", "runs is for each host to say"),
        ("catalog: [config/catalog, /srv/mine]", "catalogue /srv/mine is not one of"),
        ("catalog: results/mine", "catalogue results/mine is not one of"),
        ("catalog: [config/../results]", "is not one of the checkout's"),
        ("catalog: ['']", "is not one of the checkout's"),
        ("compare: {against: [/srv]}", r"compare\.against names results"),
        ("compare: 1", r"compare\.against names results"),
        ("- 1", "expected names with entries"),
        ("{", "not YAML"),
    ],
)
@pytest.mark.parametrize("name", ["rebuild", "remeasure"])
def test_a_configuration_that_reaches_further(
    name: str, config: str, words: str, published: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (published / CONFIG).write_text(config)
    write_sums(published)
    assert step(name, published, tmp_path) == 1
    assert re.search(words, capsys.readouterr().err)
    assert not (tmp_path / "results" / name / "work").exists()


def test_nothing_to_publish(
    raw_config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    with pytest.raises(ScxvalError, match="no run of this configuration lies below"):
        publish(tmp_path, raw_config, tmp_path / "published", 1)
    assert not (tmp_path / "published").exists()


def test_differences_in_words(tmp_path: Path) -> None:
    files = {f"{n}.csv": tmp_path for n in range(30)}
    assert same_or_not(files, []) == Outcomes(
        True, (), "30 of 30 published tables and figures are the same byte for byte"
    )
    unlike = [*(Difference(name, "line 1") for name in files), Difference("new.csv", "was made")]
    found = same_or_not(files, unlike)
    assert not found.passed
    assert found.lines[0] == "0.csv: line 1"
    assert (len(found.lines), found.lines[-1]) == (21, "and 11 more")
    assert found.summary.startswith("0 of 30 ")


@pytest.mark.parametrize("passed", [True, False])
def test_said_and_failed(passed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Outcomes(passed, ("a.csv: line 1",), "9 of 10").write(tmp_path / "record.json")
    assert json.loads((tmp_path / "record.json").read_text())["passed"] is passed
    status = main(["say", str(tmp_path / "record.json"), "--log", str(tmp_path / "say.log")])
    assert status == (0 if passed else 1)
    said = capsys.readouterr()
    assert said.out == (tmp_path / "say.log").read_text() == "a.csv: line 1\n9 of 10\n"
    assert said.err == ("" if passed else f"error: 9 of 10; {tmp_path} has what was made\n")

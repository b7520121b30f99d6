# SPDX-License-Identifier: MIT
"""The shared cache: the same asked is the same given, anything else is not, and damage is never given."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.cache import MANIFEST, Job, cached, entries, entry_of, main, prune
from scxval.cli import main as scxval

from .conftest import ROOT

# Copies its input and counts how often it was run.
PROGRAM = (
    "import pathlib, sys; out, into, count, say = sys.argv[1:];"
    "pathlib.Path(out).write_text(say + pathlib.Path(into).read_text());"
    "pathlib.Path(out).chmod(0o755);"
    "pathlib.Path(count).open('a').write('x')"
)


def job(folder: Path, text: str = "abc", say: str = "", code: str = "1", out: str = "out") -> Job:
    folder.mkdir(exist_ok=True)
    (folder / "in").write_text(text)
    argv = (sys.executable, "-c", PROGRAM, str(folder / out), str(folder / "in"))
    return Job((*argv, str(folder.parent / "count"), say), (folder / "in",), (folder / out,), code)


def count(folder: Path) -> int:
    return len((folder / "count").read_text())


def test_made_once_and_taken_elsewhere(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert cached(job(tmp_path / "a"), cache)[1].startswith("cache: kept")
    assert cached(job(tmp_path / "b"), cache)[1].startswith("cache: taken")
    assert count(tmp_path) == 1
    assert (tmp_path / "b/out").read_text() == "abc"
    assert (tmp_path / "b/out").stat().st_mode & 0o777 == 0o755
    assert not [f for f in (tmp_path / "b").iterdir() if f.name.startswith(".")]


@pytest.mark.parametrize("change", [{"text": "abd"}, {"say": "x"}, {"code": "2"}, {"out": "other"}])
def test_anything_else_is_another(tmp_path: Path, change: dict[str, str]) -> None:
    cache = tmp_path / "cache"
    cached(job(tmp_path / "a"), cache)
    assert cached(job(tmp_path / "b", **change), cache)[1].startswith("cache: kept")
    assert count(tmp_path) == 2


def test_a_lock_that_is_read_decides_too(tmp_path: Path) -> None:
    first = job(tmp_path / "a")
    lock = tmp_path / "lock"
    asked = Job(first.command, first.inputs, first.outputs, first.code, (lock,))
    absent = asked.key()
    lock.write_text("bash 5.2")
    assert asked.key() != absent


@given(names=st.lists(st.text("ab/", min_size=1, max_size=4), min_size=2, max_size=4, unique=True))
def test_a_folders_names_are_part_of_it(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    keys = set()
    for name in names:
        folder = tmp_path_factory.mktemp("in")
        file = folder / name.strip("/").replace("//", "/").replace("/", "_")
        if file == folder:
            continue
        file.write_text("same")
        keys.add((file.name, Job(("cmd",), (folder,), (Path("out"),)).key()))
    assert len({key for _, key in keys}) == len({name for name, _ in keys})


@pytest.mark.parametrize("damage", ["cut", "manifest", "gone", "more"])
def test_damage_is_made_anew(tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    asked = job(tmp_path / "a")
    cached(asked, cache)
    entry = entry_of(cache, asked.key())
    if damage == "cut":
        (entry / "0").write_text("ab")
    elif damage == "manifest":
        (entry / MANIFEST).write_text("{}")
    elif damage == "gone":
        (entry / "0").unlink()
    else:
        record = json.loads((entry / MANIFEST).read_text())
        record["files"] *= 2
        (entry / MANIFEST).write_text(json.dumps(record))
    (tmp_path / "a/out").unlink()
    status, said = cached(asked, cache)
    assert status == 0 and "entry removed, made anew; cache: kept" in said
    assert (tmp_path / "a/out").read_text() == "abc" and count(tmp_path) == 2
    assert cached(job(tmp_path / "b"), cache)[1].startswith("cache: taken")


def test_a_command_that_fails_is_not_kept(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    failing = Job((sys.executable, "-c", "raise SystemExit(3)"), (), (tmp_path / "out",))
    assert cached(failing, cache) == (3, "cache: not kept, the command failed")
    assert list(entries(cache)) == []


def test_a_cache_that_cannot_be_written_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    status, said = cached(job(tmp_path / "a"), tmp_path / "cache")
    assert status == 0 and "cannot keep" in said and (tmp_path / "a/out").exists()


def test_without_a_folder_the_command_alone_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SCXVAL_CACHE", raising=False)
    asked = job(tmp_path / "a")
    arguments = ["--inputs", str(asked.inputs[0]), "--outputs", str(asked.outputs[0]), "--"]
    assert main([*arguments, *asked.command]) == 0
    assert (tmp_path / "a/out").exists() and capfd.readouterr().err == ""


def test_two_at_once_leave_one_entry(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    asked = [job(tmp_path / name) for name in "abcd"]
    here = {"SCXVAL_CACHE": str(cache), "PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"}
    wrapped = [
        *(sys.executable, "-m", "scxval.cache", "--code", "1"),
        *("--inputs", "{in}", "--outputs", "{out}", "--"),
    ]
    running = [
        subprocess.Popen(
            [word.format(**{"in": one.inputs[0], "out": one.outputs[0]}) for word in wrapped]
            + list(one.command),
            env=here,
        )
        for one in asked
    ]
    assert [process.wait() for process in running] == [0] * 4
    assert len(list(entries(cache))) == 1
    assert not list(cache.glob("??/.part-*"))
    assert {one.outputs[0].read_text() for one in asked} == {"abc"}


def test_prune_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = tmp_path / "cache"
    cached(job(tmp_path / "a"), cache)
    assert prune(cache, days=1) == (0, 0)
    assert scxval(["cache", "--folder", str(cache)]) == 0
    assert capsys.readouterr().out.startswith("1 entries, ")
    assert scxval(["cache", "--folder", str(cache), "--unused-days", "-1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("1 entries removed")
    shutil.rmtree(cache)
    assert scxval(["cache", "--folder", str(cache)]) == 2


def test_only_provisioning_and_conversion_are_cached() -> None:
    found = {}
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"\n(?=(?:use )?(?:rule|checkpoint) )", file.read_text()):
            if "scxval.cache" in rule.split("shell:")[-1] and "shell:" in rule:
                found.setdefault(file.name, []).append(rule.split()[1].rstrip(":"))
    assert sorted(found) == ["convert.smk", "provision.smk"]
    assert sorted(found["convert.smk"]) == ["convert", "convert_part", "stats"]

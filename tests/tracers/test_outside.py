# SPDX-License-Identifier: MIT
"""`scxval convert` on files from anywhere: what it takes, says, writes and refuses, in any folder."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scxval.cli import main
from scxval.errors import ScxvalError
from scxval.events.capability import read_capability
from scxval.events.table import read_events
from scxval.tracers import convert
from scxval.tracers.convert import convert_file, converters, recognise
from scxval.tracers.outside import find_trace

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests/fixtures/bpftrace-rusty"
ROWS = 29877


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def packed() -> bytes:
    return (FIXTURE / "bpftrace.txt.gz").read_bytes()


@pytest.mark.parametrize("name", ["trace", "perf.data", "trace.gz", "no suffix.txt"])
@pytest.mark.parametrize("plain", [True, False])
def test_the_name_never_matters(folder, capsys, name, plain):
    (folder / name).write_bytes(gzip.decompress(packed()) if plain else packed())
    assert main(["convert", name]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert out.startswith(
        f"{name}: bpftrace, {ROWS} events in 3.938228 s from 20.172573 s, 0 lost, 0 "
    )
    assert out.endswith(f"-> {name}.events.parquet, {name}.capability.json\n")
    assert read_events(folder / f"{name}.events.parquet").num_rows == ROWS
    assert read_capability(folder / f"{name}.capability.json").events == ROWS


def test_as_a_command_of_its_own(folder):
    shutil.copy(FIXTURE / "bpftrace.txt.gz", folder / "x")
    command = [sys.executable, "-m", "scxval.cli", "convert"]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"]}
    done = subprocess.run([*command, "x", "-o", "new/out"], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(p.name for p in (folder / "new/out").iterdir()) == [
        "capability.json",
        "events.parquet",
    ]
    (folder / "y").write_bytes(b"<html>")
    done = subprocess.run([*command, "y"], env=environment, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert b"web page" in done.stderr


@pytest.mark.parametrize("inside", ["", "raw"])
def test_a_runs_folder(folder, capsys, inside):
    raw = folder / "run" / inside
    shutil.copytree(FIXTURE, raw)
    assert main(["convert", "run", "-o", "out"]) == 0
    assert "probes are those named in trace.bt" in capsys.readouterr().out
    assert read_events(folder / "out/events.parquet").num_rows == ROWS
    assert main(["convert", "run"]) == 2
    assert "-o DIR" in capsys.readouterr().err


def test_a_folder_of_several_traces(folder, monkeypatch):
    (folder / "raw").mkdir()
    pair = [(folder / "raw/a.txt", "a"), (folder / "raw/b.dat", "b")]
    monkeypatch.setattr("scxval.tracers.outside.raw_files", lambda raw: pair)
    with pytest.raises(ScxvalError, match=r"several traces \(a\.txt, b\.dat\): name one"):
        find_trace(folder / "raw")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "name a trace"),
        (["none"], "no file none"),
        (["empty"], "empty: the tracer wrote nothing"),
        (["."], "folder without a trace (bpftrace.txt"),
        (["pipe"], "not a regular file"),
        (["text"], "text: not a trace of a known format (known: bpftrace"),
        (["good", "-o", "text"], "cannot write text/events.parquet"),
        (["good", "-o", "out", "--events", "e"], "either -o, or"),
        (["good", "--events", "good"], "is the trace itself"),
        (["good", "--events", "e", "--capability", "./e"], "cannot be both"),
        (["good", "--events", "."], "is a folder"),
    ],
)
def test_refusals_are_one_line_and_write_nothing(folder, capsys, argv, says):
    (folder / "empty").touch()
    (folder / "text").write_text("hello\n")
    (folder / "good").write_bytes(packed())
    os.mkfifo(folder / "pipe")
    before = sorted(folder.iterdir())
    assert main(["convert", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert says in err
    assert sorted(folder.iterdir()) == before
    assert (folder / "good").read_bytes() == packed()


def test_an_event_table_is_converted_already(folder, capsys):
    convert_file(FIXTURE / "bpftrace.txt.gz", folder / "e.parquet", folder / "c.json")
    assert main(["convert", "e.parquet"]) == 2
    assert "an event table already" in capsys.readouterr().err


def test_nothing_half_written_when_the_disk_is_full(folder, monkeypatch):
    (folder / "e").write_bytes(b"old table")
    (folder / "c").write_bytes(b"old record")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert.Capability, "write", full)
    with pytest.raises(ScxvalError, match="No space left"):
        convert_file(FIXTURE / "bpftrace.txt.gz", folder / "e", folder / "c")
    assert (folder / "e").read_bytes() == b"old table"
    assert sorted(path.name for path in folder.iterdir()) == ["c", "e"]


def test_two_claims_are_an_error_that_names_both(monkeypatch):
    real = converters()["bpftrace"]
    monkeypatch.setattr(convert, "converters", lambda: {"one": real, "two": real})
    with pytest.raises(ScxvalError, match=r"claimed by several converters \(one, two\)"):
        recognise(FIXTURE / "bpftrace.txt.gz")


def test_list_has_a_line_for_each_format(capsys):
    assert main(["convert", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(converters())
    assert any(line.startswith("bpftrace     bpftrace.txt   bpftrace: ") for line in lines)

# SPDX-License-Identifier: MIT
"""`python -m scxval.events.metrics`, as the workflow runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from event_tables import capability, off, on, table, woke

from scxval.errors import ScxvalError
from scxval.events.metrics import METRIC_SCHEMA
from scxval.events.metrics.__main__ import main, parse_cpus
from scxval.events.table import write_events

EVENTS = [on(10, 0, 1), off(40, 0, 1), on(40, 0, 0), woke(50, 1), on(55, 1, 1)]


@pytest.fixture
def cell(tmp_path):
    """A cell's files, and the command's arguments for them."""
    write_events(table(EVENTS), tmp_path / "events.parquet")
    capability(window_ns=(10, 55)).write(tmp_path / "capability.json")
    status(tmp_path, "ok", [20, 50])
    return tmp_path


def status(folder, outcome, window):
    (folder / "status.json").write_text(json.dumps({"outcome": outcome, "window_ns": window}))


def arguments(cell, *more):
    files = {"events": "events.parquet", "capability": "capability.json"}
    files |= {"status": "status.json", "output": "metrics.parquet"}
    return [*(x for key, name in files.items() for x in (f"--{key}", str(cell / name))), *more]


def read(cell):
    rows = pq.read_table(cell / "metrics.parquet", schema=METRIC_SCHEMA).to_pylist()
    return {(r["scope"], r["name"], r["metric"], r["stat"]): r["value"] for r in rows}


def test_as_a_program(cell):
    command = [sys.executable, "-m", "scxval.events.metrics", *arguments(cell)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert pq.read_table(cell / "metrics.parquet").schema.equals(METRIC_SCHEMA)
    assert read(cell)["task", "t1", "run_time", "value"] == 20
    first = (cell / "metrics.parquet").read_bytes()
    subprocess.run(command, check=True)
    assert (cell / "metrics.parquet").read_bytes() == first


def test_workload_and_cpus(cell):
    (cell / "w.json").write_text(json.dumps({"tasks": {"t1": {"run": 1}}}))
    assert main(arguments(cell, "--workload", str(cell / "w.json"), "--cpus", "0-2")) == 0
    rows = read(cell)
    assert rows["workload", "", "run_time", "value"] == 20
    assert rows["cpu", "2", "utilisation", "value"] is None


@pytest.mark.parametrize("outcome", ["scheduler_ejected", "boot_failed", "unsupported"])
def test_a_failed_run_has_no_metrics(cell, outcome):
    status(cell, outcome, [20, 50])
    assert main(arguments(cell)) == 0
    assert pq.read_table(cell / "metrics.parquet").equals(METRIC_SCHEMA.empty_table())


def test_a_run_that_lost_events_is_measured(cell):
    status(cell, "tracer_lost_events", [20, 50])
    assert main(arguments(cell)) == 0
    assert read(cell)["task", "t1", "run_time", "value"] == 20


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("status.json", '{"outcome": "ok", "window_ns": null}', "without window_ns"),
        ("status.json", '{"outcome": "fine", "window_ns": [1, 2]}', "not a status.json"),
        ("status.json", '{"outcome": "ok"}', "not a status.json"),
        ("status.json", "[]", "not a status.json"),
        ("status.json", '{"outcome": "ok", "window_ns": [90, 99]}', "outside the traced span"),
        ("capability.json", "{}", "not a capability.json"),
        ("events.parquet", "no", "not an event table"),
    ],
)
def test_bad_files_are_one_line_and_no_output(cell, capsys, file, text, message):
    (cell / file).write_text(text)
    assert main(arguments(cell)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (cell / "metrics.parquet").exists()


@pytest.mark.parametrize("file", ["status.json", "capability.json", "events.parquet"])
def test_absent_files(cell, capsys, file):
    (cell / file).unlink()
    assert main(arguments(cell)) == 2
    assert file in capsys.readouterr().err


def test_cpu_lists():
    assert parse_cpus("0-3") == [0, 1, 2, 3]
    assert parse_cpus("6,0-1") == [0, 1, 6]
    for bad in ("", "a", "1-", "-1", "0-x"):
        with pytest.raises(ScxvalError, match="expected a list"):
            parse_cpus(bad)

# SPDX-License-Identifier: MIT
"""From a cell's status.json and raw folder to its table: which runs may carry the cell's name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.events.capability import read_capability
from scxval.events.table import read_events
from scxval.tracers.convert import convert_file, main, recognise

FIXTURE = Path(__file__).parents[1] / "fixtures/bpftrace-rusty"
ROWS = 29877
ENABLED = {"state": "enabled", "ops": "rusty_1", "enable_seq": 1, "nr_rejected": 0}
DISABLED = {"state": "disabled", "ops": "", "enable_seq": 1, "nr_rejected": 0}


class Cell:
    """A cell's folder; `convert` runs the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = folder / "raw"
        self.raw.mkdir()
        self.status = {
            "cell": {"scheduler": "scx_rusty", "tracer": "bpftrace"},
            "outcome": "ok",
            "reason": "",
            "scheduler": {"expected": "rusty_.*", "before": ENABLED, "after": ENABLED},
            "tracer": {"ready": True, "lost": 0},
        }

    def trace(self) -> None:
        for file in FIXTURE.iterdir():
            shutil.copy(file, self.raw)

    def convert(self) -> int:
        status = self.folder / "status.json"
        status.write_text(json.dumps(self.status))
        paths = {
            "status": status,
            "raw": self.raw,
            "events": self.events,
            "capability": self.record,
        }
        return main([word for name, path in paths.items() for word in (f"--{name}", str(path))])

    @property
    def events(self) -> Path:
        return self.folder / "out/events.parquet"

    @property
    def record(self) -> Path:
        return self.folder / "out/capability.json"

    def result(self):
        return read_events(self.events), read_capability(self.record)


@pytest.fixture
def cell(tmp_path):
    return Cell(tmp_path)


def test_good_run(cell):
    cell.trace()
    assert cell.convert() == 0
    table, record = cell.result()
    assert table.num_rows == record.events == ROWS
    assert record.source == "bpftrace"


def test_no_tracer(cell):
    cell.status["cell"]["tracer"] = "none"
    cell.status["tracer"] = {"ready": False, "lost": None}
    assert cell.convert() == 0
    table, record = cell.result()
    assert (table.num_rows, record.kinds, record.notes) == (0, [], ["no tracer ran"])


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if not o.has_events and o is not Outcome.TRACER_FAILED]
)
def test_run_that_may_not_carry_the_name(cell, outcome):
    cell.trace()
    cell.status.update(outcome=str(outcome), reason="because")
    assert cell.convert() == 0
    table, record = cell.result()
    assert (table.num_rows, record.kinds) == (0, [])
    assert record.notes == [f"outcome {outcome}: because"]


def test_failed_tracer_leaves_a_partial_trace(cell):
    cell.trace()
    cell.status.update(outcome="tracer_failed", reason="bpftrace died")
    assert cell.convert() == 0
    table, record = cell.result()
    assert table.num_rows == ROWS
    assert record.notes[0] == "partial trace, outcome tracer_failed: bpftrace died"


@pytest.mark.parametrize(
    "after", [None, DISABLED, {**ENABLED, "enable_seq": 2}, {**ENABLED, "ops": "x"}]
)
def test_partial_trace_needs_its_scheduler_throughout(cell, after):
    cell.trace()
    cell.status.update(outcome="tracer_failed", reason="bpftrace died")
    cell.status["scheduler"]["after"] = after
    assert cell.convert() == 0
    table, record = cell.result()
    assert table.num_rows == 0
    assert "not known that the scheduler" in record.notes[0]


@pytest.mark.parametrize(("after", "rows"), [(DISABLED, ROWS), (ENABLED, 0)])
def test_partial_trace_of_the_kernels_own_scheduler(cell, after, rows):
    cell.trace()
    cell.status.update(outcome="tracer_failed", reason="bpftrace died")
    cell.status["scheduler"] = {"expected": "", "before": DISABLED, "after": after}
    assert cell.convert() == 0
    assert cell.result()[0].num_rows == rows


def test_failed_tracer_without_a_file(cell):
    cell.status.update(outcome="tracer_failed", reason="not ready after 60 s")
    assert cell.convert() == 0
    table, record = cell.result()
    assert table.num_rows == 0
    assert "not ready after 60 s; no trace was left" in record.notes[0]


def test_good_run_without_its_trace_is_an_error(cell, capsys):
    assert cell.convert() == 2
    assert "no trace of tracer bpftrace" in capsys.readouterr().err


@pytest.mark.parametrize(("told", "logged", "lost"), [(7, 3, 7), (3, 7, 7), (None, 7, 7)])
def test_the_larger_loss_counts(cell, told, logged, lost):
    cell.trace()
    cell.status.update(outcome="tracer_lost_events", reason="lost some")
    cell.status["tracer"]["lost"] = told
    (cell.raw / "tracer.log").write_text(f"Lost {logged} events\n")
    assert cell.convert() == 0
    table, record = cell.result()
    assert (table.num_rows, record.lost) == (ROWS, lost)
    assert record.notes[0] == "outcome tracer_lost_events: lost some"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"outcome": "ok"}', "\x00"])
def test_bad_status(cell, capsys, text):
    status = cell.folder / "status.json"
    status.write_text(text)
    paths = ["--events", str(cell.events), "--capability", str(cell.record)]
    assert main(["--status", str(status), "--raw", str(cell.raw), *paths]) == 2
    assert str(status) in capsys.readouterr().err
    assert not cell.events.exists()


def test_recognise(tmp_path):
    assert recognise(FIXTURE / "bpftrace.txt.gz") == "bpftrace"
    other = tmp_path / "x.dat"
    other.write_bytes(b"hello")
    with pytest.raises(ScxvalError, match=r"x\.dat: not a trace .* bpftrace"):
        recognise(other)
    with pytest.raises(ScxvalError, match="cannot read trace"):
        recognise(tmp_path / "missing")


def test_convert_file(tmp_path):
    convert_file(FIXTURE / "bpftrace.txt.gz", tmp_path / "e.parquet", tmp_path / "c.json")
    assert read_events(tmp_path / "e.parquet").num_rows == ROWS
    assert read_capability(tmp_path / "c.json").events == ROWS

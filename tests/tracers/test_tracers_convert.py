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
from scxval.events.stats import read_stats
from scxval.events.table import read_events
from scxval.tracers.base import makes_events
from scxval.tracers.convert import convert_cell, convert_file, main, recognise
from scxval.tracers.scx_stats.cell import main as stats_main

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
    for content in (b"", b"no trace at all\0\0"):
        other.write_bytes(content)
        with pytest.raises(ScxvalError, match=r"x\.dat: .*known: bpftrace"):
            recognise(other)
    with pytest.raises(ScxvalError, match="cannot read trace"):
        recognise(tmp_path / "missing")


def test_convert_file(tmp_path):
    convert_file(FIXTURE / "bpftrace.txt.gz", tmp_path / "e.parquet", tmp_path / "c.json")
    assert read_events(tmp_path / "e.parquet").num_rows == ROWS
    assert read_capability(tmp_path / "c.json").events == ROWS


STATS = Path(__file__).parents[1] / "fixtures/stats-rusty/scx_stats.wrapped.ndjson"


@pytest.fixture
def several(cell):
    """A run of bpftrace beside scx-stats, each with its files in its folder."""
    parts = {"bpftrace": {"ready": True, "lost": 2, "exit_code": 0, "failed": ""}}
    parts["scx-stats"] = {"ready": True, "lost": None, "exit_code": 0, "failed": ""}
    cell.status["cell"]["tracer"] = "bpftrace+scx-stats"
    cell.status["tracer"] = {"ready": True, "lost": 2, "parts": parts}
    for name in parts:
        (cell.raw / "parts" / name).mkdir(parents=True)
    for file in FIXTURE.iterdir():
        shutil.copy(file, cell.raw / "parts/bpftrace")
    shutil.copy(STATS, cell.raw / "parts/scx-stats/scx_stats.ndjson")
    return cell


def convert_part(cell, part):
    status = cell.folder / "status.json"
    status.write_text(json.dumps(cell.status))
    convert_cell(status, cell.raw, cell.events, cell.record, part)
    return cell.result()


def sampled(cell, part="scx-stats"):
    status = cell.folder / "status.json"
    status.write_text(json.dumps(cell.status))
    words = ["--status", str(status), "--raw", str(cell.raw), "--part", part]
    output = cell.folder / "out/stats.parquet"
    assert stats_main([*words, "--output", str(output)]) == 0
    return read_stats(output)


def test_each_of_several_tracers_has_its_own_table(several):
    table, record = convert_part(several, "bpftrace")
    # What this tracer lost, not what the run did.
    assert (table.num_rows, record.source, record.lost) == (ROWS, "bpftrace", 2)
    table, record = convert_part(several, "scx-stats")
    assert (table.num_rows, record.source, record.kinds) == (0, "scx_stats", [])
    assert sampled(several).num_rows == 384


def test_a_part_that_ended_well_is_whole_beside_one_that_failed(several):
    several.status.update(outcome="tracer_failed", reason="bpftrace died")
    several.status["tracer"]["parts"]["bpftrace"].update(exit_code=-9, failed="bpftrace died")
    told = "outcome tracer_failed: bpftrace died"
    assert convert_part(several, "bpftrace")[1].notes[0] == f"partial trace, {told}"
    assert convert_part(several, "scx-stats")[1].notes[0] == told
    assert sampled(several).num_rows == 384


def test_a_part_of_a_run_that_may_not_carry_the_name(several):
    several.status.update(outcome="scheduler_ejected", reason="gone")
    for part in ("bpftrace", "scx-stats"):
        table, record = convert_part(several, part)
        assert (table.num_rows, record.source) == (0, part)
        assert record.notes == ["outcome scheduler_ejected: gone"]
    assert sampled(several).num_rows == 0


def test_a_part_of_a_guest_that_never_answered(several):
    """The status of a panic or a timeout knows nothing of the tracers."""
    several.status.update(outcome="panic", reason="oops", tracer={"ready": False, "lost": None})
    assert convert_part(several, "bpftrace")[0].num_rows == 0
    assert sampled(several).num_rows == 0


def test_a_part_without_its_trace_is_an_error(several):
    (several.raw / "parts/bpftrace/bpftrace.txt.gz").unlink()
    with pytest.raises(ScxvalError, match=r"parts/bpftrace: .* no trace of tracer bpftrace"):
        convert_part(several, "bpftrace")


def test_statistics_sampled_alone(cell):
    cell.status["cell"]["tracer"] = "scx-stats"
    shutil.copy(STATS, cell.raw / "scx_stats.ndjson")
    assert cell.convert() == 0
    table, record = cell.result()
    assert (table.num_rows, record.source, record.unparsed) == (0, "scx_stats", 3)
    assert sampled(cell).num_rows == 384
    (cell.raw / "scx_stats.ndjson").unlink()
    status = cell.folder / "status.json"
    words = ["--status", str(status), "--raw", str(cell.raw), "--part", "scx-stats"]
    assert stats_main([*words, "--output", str(cell.folder / "x")]) == 2


def test_which_modules_make_events():
    assert [makes_events(module) for module in ("bpftrace", "scx_stats", "")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("late_s", "early_s", "says"),
    [
        (0, 0, []),
        (0.5, 0, ["begins 0.500 s after the workload"]),
        (0, 7.1, ["ends 7.100 s before the workload"]),
        (1, 1, ["begins 1.000 s after the workload", "ends 1.000 s before the workload"]),
    ],
)
def test_a_trace_that_does_not_reach_over_the_workload_is_told(cell, late_s, early_s, says):
    """As of a tracer that lagged behind when it was stopped, and says of no event that it was lost."""
    cell.trace()
    assert cell.convert() == 0
    first, last = cell.result()[1].window_ns
    cell.status["window_ns"] = [first - int(late_s * 1e9), last + int(early_s * 1e9)]
    assert cell.convert() == 0
    table, record = cell.result()
    assert table.num_rows == ROWS
    lacks = "the trace lacks a part of the workload: "
    assert [note.removeprefix(lacks) for note in record.notes if note.startswith(lacks)] == says

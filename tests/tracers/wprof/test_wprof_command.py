# SPDX-License-Identifier: MIT
"""How wprof is run. No binary can be had here: its options are compared with those of a recorded run, and
a stand-in, which knows nothing of wprof's data, proves that script and agent keep to each other.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scxval.agent.__main__ import main
from scxval.catalog.config import Config, parse_config
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.catalog.model import Workload
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.tracers.wprof import LOST_PATTERN, RAW_FILE, READY_PATTERN, command
from scxval.vm.job import build_job, write_job

from ...conftest import ROOT
from ...vm.test_outcomes import spec_of
from .reference import CAPTURES, FIXTURES

STAND_IN = """\
#!/bin/sh
case $1 in
--version) echo stand-in 1 ;;
-R)
    echo "Generating trace..."
    echo "!!! Drops (TOTAL): 7 (all of it told a second time)" >&2
    echo "$*" >"$5"
    %s
    ;;
*)
    echo "$*" >"$2"
    trap 'echo "!!! Drops (TOTAL): 7 (a few)" >&2; exit %d' INT
    echo "Running..." >&2
    while :; do sleep 0.05; done
    ;;
esac
"""


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_options_are_those_of_a_recorded_run(capture):
    told = (FIXTURES / capture / "out.txt").read_text()
    recorded = re.search(r"^cmd: taskset -c 3 wprof (.*)$", told, re.MULTILINE)
    assert recorded is not None
    words = recorded[1].split()
    argv = command({}, frozenset()).argv
    assert argv[:4] == ["sh", "{in}/wprof.sh", "{in}/wprof", "{raw}"]
    ours = argv[4:]
    # Pairs of an option and its value; -D is the script's, and nothing reads IPIs.
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert [option for option, _ in pairs] == ["-d", "-D", "-f", "-f"]
    assert ours[::2] == ["-d", "-f"]
    assert ("-f", ours[3]) in pairs
    assert int(ours[1]) > 1000 * int(dict(pairs)["-d"])
    assert "replay json-default (-J /tmp/o/replay-default.ndjson) rc=0" in told


@pytest.mark.parametrize("capture", CAPTURES)
def test_readiness_and_losses_are_in_a_recorded_log(capture):
    log = (FIXTURES / capture / "tracer.log").read_text()
    assert len(re.findall(READY_PATTERN, log, re.MULTILINE)) == 1
    assert re.findall(LOST_PATTERN, log, re.MULTILINE) == []


def test_options():
    assert command({"ringbuf_mib": 64}, frozenset()).argv[-2:] == ["--ringbuf-size", "65536"]
    with pytest.raises(ScxvalError, match="ringbuf_mb"):
        command({"ringbuf_mb": 64}, frozenset())
    for bad in (0, -1, "16", True, 1 << 20):
        with pytest.raises(ScxvalError, match="tracer wprof: ringbuf_mib"):
            command({"ringbuf_mib": bad}, frozenset())


def test_without_a_binary_its_cells_are_excluded(raw_config, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    raw = {**raw_config, "tracer": ["wprof", "none"], "scheduler": "fair", "simulator": "none"}
    planned = plan(parse_config(raw, ROOT), Host(16384, {"kvm": False, "tcg": True}))
    assert {cell.tracer for cell in planned.cells} == {"none"}
    assert {(e.cell.tracer, e.outcome) for e in planned.excluded} == {
        ("wprof", Outcome.UNSUPPORTED)
    }
    assert "tracer wprof needs a program" in planned.excluded[0].reason
    (tmp_path / "wprof").write_text("#!/bin/sh\n")
    (tmp_path / "wprof").chmod(0o755)
    again = plan(parse_config(raw, ROOT), Host(16384, {"kvm": False, "tcg": True}))
    assert {cell.tracer for cell in again.cells} == {"none", "wprof"}


def run(config: Config, tmp_path: Path, replay: str = "", code: int = 0) -> dict[str, Any]:
    """A cell's job by the real agent, on this host, with the stand-in; the agent's result."""
    binary = tmp_path / "stand-in"
    binary.write_text(STAND_IN % (replay or ":", code))
    binary.chmod(0o755)
    spec = spec_of(config, tracer="wprof", machine="host")
    spec.__dict__["workload"] = Workload("w", "command", "?", argv=("sleep", "0.2"))
    write_job(build_job(spec, frozenset(), None, (), (binary,)), tmp_path / "in")
    for name in ("out", "raw"):
        (tmp_path / name).mkdir()
    main(tmp_path / "in", tmp_path / "out", tmp_path / "raw")
    result: dict[str, Any] = json.loads((tmp_path / "out/agent.json").read_text())
    return result


def test_a_run_leaves_dump_and_replay(fault_config, tmp_path):
    result = run(fault_config, tmp_path)
    assert (result["outcome"], result["reason"]) == ("ok", "")
    out, raw = tmp_path / "out", tmp_path / "raw"
    dump = (out / "wprof.data").read_text().split()
    assert dump == ["-D", str(raw / "wprof.data"), "-d", "86400000", "-f", "scx"]
    replay = (out / RAW_FILE).read_text().split()
    assert replay == ["-R", "-D", str(raw / "wprof.data"), "-J", str(raw / RAW_FILE)]
    assert "Generating trace" in (out / "replay.log").read_text()
    # The replay tells the losses again; they count once.
    assert result["tracer"]["lost"] == 7
    assert result["versions"]["tracer"] == "stand-in 1"


def test_a_replay_that_fails_is_a_failed_tracer_and_keeps_the_dump(fault_config, tmp_path):
    result = run(fault_config, tmp_path, replay="exit 3")
    assert result["outcome"] == "tracer_failed"
    assert "exit code 3" in result["reason"]
    assert "Generating trace" in (tmp_path / "out/tracer.log").read_text()
    assert (tmp_path / "out/wprof.data").exists()


def test_a_recording_that_fails_is_not_replayed(fault_config, tmp_path):
    result = run(fault_config, tmp_path, code=4)
    assert result["outcome"] == "tracer_failed"
    assert "exit code 4" in result["reason"]
    assert not (tmp_path / "out" / RAW_FILE).exists()

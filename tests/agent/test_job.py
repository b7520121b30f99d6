# SPDX-License-Identifier: MIT
"""The job's own logic on this host: outcomes of commands that need no scheduler and no guest.

Runs with schedulers and tracers are in tests/vm, in real guests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scxval.agent.__main__ import main
from scxval.agent.clocks import Marks, read_clocks
from scxval.agent.job import build_id, copy_tree
from scxval.agent.scx import SYSFS, ScxState

# What this host's kernel makes of a scheduler that does not attach.
REJECTED = "scheduler_rejected" if SYSFS.exists() else "unsupported"
LIMITS = {"attach_s": 2, "ready_s": 4, "workload_s": 1, "stop_s": 2}
TRACER = {
    "name": "t",
    "folder": "",
    "env": {},
    "ready_file": "{out}/tracer.log",
    "ready_pattern": r"^ready$",
    "outputs": ["{raw}/trace.txt"],
    "lost_pattern": r"^Lost (\d+) events$",
    "stop_signal": "SIGINT",
    "exit_codes": [0],
}
# Writes a trace, says that it is ready, and ends cleanly on SIGINT.
GOOD_TRACER = """
import signal, sys, time
open("{raw}/trace.txt", "w").write("Lost 3 events\\n")
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("Lost 4 events")
print("ready", flush=True)
time.sleep(60)
"""


def run(tmp_path: Path, workload: list[str], **parts: Any) -> dict[str, Any]:
    spec = {
        "limits": LIMITS,
        "isolation": {"tracer_cpus": None, "workload_cpus": None},
        "scheduler": None,
        "tracers": [],
        "workload": {"argv": workload},
        "versions": {"python": ["python3", "--version"]},
        **parts,
    }
    folders = [tmp_path / name for name in ("in", "out", "raw")]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "job.json").write_text(json.dumps(spec))
    main(*folders)
    result: dict[str, Any] = json.loads((folders[1] / "agent.json").read_text())
    assert "agent_error" not in result, result
    return result


def tracer(code: str) -> dict[str, Any]:
    return {**TRACER, "argv": [sys.executable, "-c", code]}


def test_ok(tmp_path: Path) -> None:
    result = run(tmp_path, ["sh", "-c", "echo work >{raw}/file"])
    assert (result["outcome"], result["reason"]) == ("ok", "")
    assert result["exit_codes"] == {"workload": 0, "scheduler": None, "tracer": None}
    assert (tmp_path / "out/file").read_text() == "work\n"
    start, end = result["window_ns"]
    marks = {mark["mark"]: mark["mono_ns"] for mark in result["marks"]}
    assert marks["job-start"] < start == marks["work-start"] < end == marks["work-end"]
    assert result["versions"]["python"].startswith("Python 3")
    counted = json.loads((tmp_path / "out/counters.json").read_text())
    assert counted["system"]["context_switches"] > 0 and counted["cpu_ns"] == {}


def test_another_topology_than_asked_for(tmp_path: Path) -> None:
    result = run(tmp_path, ["true"], topology={"llcs": 99, "threads": 1})
    assert result["outcome"] == "unsupported"
    assert "asked for: 99 caches" in result["reason"]
    assert result["exit_codes"]["workload"] is None


def test_workload_failed(tmp_path: Path) -> None:
    result = run(tmp_path, ["sh", "-c", "echo bad key >&2; exit 2"])
    assert result["outcome"] == "workload_failed"
    assert "exit code 2" in result["reason"]
    assert (tmp_path / "out" / result["log"]).read_text() == "bad key\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"\x7fELF\x02\x01\x01" + bytes(100), "Exec format error")],
)
def test_a_command_that_cannot_be_executed(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    """As from a build for another machine, an interrupted copy, or a typing error."""
    command = tmp_path / "command"
    if content is not None:
        command.write_bytes(content)
        command.chmod(0o755)
    result = run(tmp_path, [str(command)])
    assert result["outcome"] == "workload_failed"
    assert result["reason"] == f"the machine cannot execute {command}: {says}" + (
        " or directory" if content is None else ""
    )
    assert result["exit_codes"]["workload"] is None


def test_workload_over_its_limit(tmp_path: Path) -> None:
    result = run(tmp_path, ["sleep", "60"])
    assert result["outcome"] == "timeout"
    assert result["exit_codes"]["workload"] == -9


def test_scheduler_that_ends_at_once(tmp_path: Path) -> None:
    argv = ["sh", "-c", "echo verifier says no; exit 1"]
    result = run(tmp_path, ["true"], scheduler={"argv": argv, "ops": "x"})
    assert result["outcome"] == REJECTED
    assert "exit code 1" in result["reason"]
    # The workload must not run under another scheduler's name.
    assert result["exit_codes"]["workload"] is None
    assert "window_ns" not in result


def test_a_scheduler_that_is_lost_before_it_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this host's kernel cannot show: one reading before the start, the next after the end.
    readings = [ScxState("disabled", "", 4, 0), ScxState("disabled", "", 5, 0)]
    for module in ("job", "scx"):
        monkeypatch.setattr(
            f"scxval.agent.{module}.read_state",
            lambda: readings.pop(0) if readings[1:] else readings[0],
        )
    result = run(tmp_path, ["true"], scheduler={"argv": ["false"], "ops": "x"})
    assert result["outcome"] == "scheduler_ejected"
    assert "enabled and lost again before the workload began" in result["reason"]


def test_scheduler_that_never_attaches(tmp_path: Path) -> None:
    result = run(tmp_path, ["true"], scheduler={"argv": ["sleep", "60"], "ops": "x"})
    assert result["outcome"] == REJECTED
    assert "after 2 s" in result["reason"]
    assert result["exit_codes"] == {"workload": None, "scheduler": -2, "tracer": None}


def test_tracer_ready_and_its_losses_summed(tmp_path: Path) -> None:
    code = GOOD_TRACER.replace("{raw}", str(tmp_path / "raw"))
    result = run(tmp_path, ["true"], tracers=[tracer(code)])
    assert result["outcome"] == "ok"
    assert result["tracer"] == {"ready": True, "lost": 7}
    assert (tmp_path / "out/trace.txt").exists()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit(5)", "exit code 5 before it was ready"),
        ("import time; time.sleep(60)", "not ready after 4 s"),
        (
            "import time; print('ready', flush=True); time.sleep(.2); exit(6)",
            "died with exit code 6",
        ),
        (
            "import signal, sys, time; signal.signal(2, lambda *_: sys.exit(7));"
            "print('ready', flush=True); time.sleep(60)",
            "ended with exit code 7 after SIGINT",
        ),
        (
            "import signal, time; signal.signal(2, signal.SIG_IGN);"
            "print('ready', flush=True); time.sleep(60)",
            "had not ended 2 s after SIGINT, and was killed",
        ),
        (
            # As one that was killed under the workload and takes its time to go.
            "import os, signal, time; signal.signal(2, lambda *_: os.kill(os.getpid(), 9));"
            "print('ready', flush=True); time.sleep(60)",
            "died with exit code -9",
        ),
    ],
)
def test_tracer_failed(tmp_path: Path, code: str, says: str) -> None:
    result = run(tmp_path, ["sleep", "0.6"], tracers=[tracer(code)])
    assert result["outcome"] == "tracer_failed"
    assert says in result["reason"]


def part(name: str, **changes: Any) -> dict[str, Any]:
    """A tracer that leaves its name and its start and end in a file that all of them share."""
    code = """
import pathlib, signal, sys, time
def say(what):
    with open("{raw}/../../order", "a") as file: file.write(f"NAME {what}\\n")
def end(*_):
    say("ends"); sys.exit(CODE)
pathlib.Path("{raw}/trace.txt").write_text("Lost LOST events\\n")
signal.signal(signal.SIGINT, end)
say("starts")
print("ready", flush=True)
time.sleep(60)
"""
    values = {"NAME": name, "LOST": 0, "CODE": 0, **changes}
    for key, value in values.items():
        code = code.replace(key, str(value))
    return {**tracer(code), "name": name, "folder": f"parts/{name}/"}


def test_several_tracers_start_in_order_and_stop_the_other_way_round(tmp_path: Path) -> None:
    result = run(tmp_path, ["true"], tracers=[part("b"), part("a", LOST=3), part("c", LOST=4)])
    assert result["outcome"] == "ok", result
    order = (tmp_path / "out/order").read_text().splitlines()
    assert order == ["b starts", "a starts", "c starts", "c ends", "a ends", "b ends"]
    assert result["tracer"] == {
        "ready": True,
        "lost": 7,
        "parts": {
            "b": {"ready": True, "lost": 0, "exit_code": 0, "failed": ""},
            "a": {"ready": True, "lost": 3, "exit_code": 0, "failed": ""},
            "c": {"ready": True, "lost": 4, "exit_code": 0, "failed": ""},
        },
    }
    assert result["exit_codes"]["tracer"] == 0
    labels = [mark["mark"] for mark in result["marks"]]
    assert labels[1:] == [
        *("tracer-start.b", "tracer-start.a", "tracer-start.c", "tracer-ready"),
        *("work-start", "work-end", "tracer-end.c", "tracer-end.a", "tracer-end.b", "job-end"),
    ]
    assert set(result["cpus"]["affinity"]) == {"tracer.b", "tracer.a", "tracer.c", "workload"}
    for name in "abc":
        assert (tmp_path / f"out/parts/{name}/trace.txt").read_text().startswith("Lost ")
        assert (tmp_path / f"out/parts/{name}/tracer.log").read_text() == "ready\n"


def test_a_part_that_does_not_start_is_named_and_the_others_are_stopped(tmp_path: Path) -> None:
    bad = {**tracer("exit(5)"), "name": "bad", "folder": "parts/bad/"}
    result = run(tmp_path, ["true"], tracers=[part("a"), bad, part("never")])
    assert result["outcome"] == "tracer_failed"
    assert result["reason"].startswith(f"bad ({sys.executable}) ended with exit code 5 before")
    assert result["log"] == "parts/bad/tracer.log"
    assert result["exit_codes"] == {"workload": None, "scheduler": None, "tracer": 5}
    assert result["tracer"]["parts"] == {
        "a": {"ready": True, "lost": 0, "exit_code": 0, "failed": ""},
        "bad": {
            "ready": False,
            "lost": 0,
            "exit_code": 5,
            "failed": f"bad ({sys.executable}) ended with exit code 5 before it was ready",
        },
        "never": {"ready": False, "lost": None, "exit_code": None, "failed": ""},
    }
    assert not result["tracer"]["ready"]
    assert (tmp_path / "out/order").read_text() == "a starts\na ends\n"


def test_every_part_that_fails_at_the_end_is_named(tmp_path: Path) -> None:
    tracers = [part("a", CODE=3), part("b"), part("c", CODE=4)]
    result = run(tmp_path, ["true"], tracers=tracers)
    assert result["outcome"] == "tracer_failed"
    python = sys.executable
    assert result["reason"] == (
        f"a ({python}) ended with exit code 3 after SIGINT; "
        f"c ({python}) ended with exit code 4 after SIGINT"
    )
    assert result["log"] == "parts/a/tracer.log"
    assert (tmp_path / "out/order").read_text().endswith("c ends\nb ends\na ends\n")


def test_a_tracer_that_never_says_what_it_lost(tmp_path: Path) -> None:
    code = GOOD_TRACER.replace("{raw}", str(tmp_path / "raw"))
    result = run(tmp_path, ["true"], tracers=[{**tracer(code), "lost_pattern": ""}])
    assert result["tracer"] == {"ready": True, "lost": None}


def test_a_tracer_may_end_by_the_signal_that_stops_it(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(2, signal.SIG_DFL); print('ready', flush=True); time.sleep(60)"
    for name, codes, outcome in (("well", [-2], "ok"), ("ill", [0], "tracer_failed")):
        folder = tmp_path / name
        folder.mkdir()
        result = run(folder, ["true"], tracers=[{**tracer(code), "exit_codes": codes}])
        assert result["outcome"] == outcome
        assert result["exit_codes"]["tracer"] == -2


def test_a_ready_file_that_cannot_be_read_is_not_ready(tmp_path: Path) -> None:
    spec = {**tracer("import time; time.sleep(60)"), "ready_file": "{raw}"}
    result = run(tmp_path, ["true"], tracers=[spec])
    assert result["outcome"] == "tracer_failed"
    assert "not ready after 4 s" in result["reason"]


def test_the_agents_own_fault_is_not_an_outcome(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("in", "out", "raw")]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "job.json").write_text(json.dumps({"limits": LIMITS}))
    assert main(*folders) == 1
    assert "KeyError" in json.loads((folders[1] / "agent.json").read_text())["agent_error"]


def test_marks_are_on_disk_as_they_happen(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "agent.jsonl")
    times = [marks.take("a"), marks.take("b")]
    lines = [json.loads(line) for line in (tmp_path / "agent.jsonl").read_text().splitlines()]
    assert [line["mark"] for line in lines] == ["a", "b"]
    assert [line["mono_ns"] for line in lines] == times


def test_clocks_are_read_together() -> None:
    clocks = read_clocks()
    assert clocks["spread_ns"] >= 0
    assert clocks["boot_ns"] >= clocks["mono_ns"]


def test_build_id() -> None:
    notes = b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0" + bytes(range(20)) + b"rest"
    assert build_id(notes) == bytes(range(20)).hex()
    assert build_id(b"nothing") == ""


def test_copy_tree(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/x").write_bytes(b"x" * 3_000_000)
    (tmp_path / "a/b/c/y").write_text("y")
    copy_tree(tmp_path / "a", tmp_path / "z")
    assert (tmp_path / "z/x").read_bytes() == b"x" * 3_000_000
    assert (tmp_path / "z/b/c/y").read_text() == "y"

# SPDX-License-Identifier: MIT
"""The adapter against a program with scxsim's interface: what it is asked, and what each end becomes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from scxval.catalog.model import Machine, Scheduler, Simulator, Workload
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.events.capability import VIRTUAL_CLOCK
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import write_events
from scxval.formats.scxsim.convert import convert
from scxval.simulate.base import Request, Simulated
from scxval.simulate.parameters import Parameters
from scxval.simulate.scxsim import simulate
from scxval.simulate.scxsim.probe import NotUsableError, probe

ROOT = Path(__file__).parents[3]
TASK = {"priority": 0, "loop": -1, "run": 2000, "sleep": 1000}
GLOBAL = {"duration": 7, "calibration": 100, "logdir": "/run/scxval/raw/workload"}


def program(folder: Path, mode: str = "", name: str = "scxsim") -> str:
    """An executable that is the stand-in in this mode."""
    path = folder / name
    path.write_text(
        f"#!/bin/sh\nexport STANDIN_MODE={mode} PYTHONPATH={ROOT}:{ROOT / 'src'}\n"
        f'exec {sys.executable} -m tests.simulate.scxsim.standin "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def workload_of(folder: Path, tasks: dict | None = None) -> Workload:
    path = folder / "w.json"
    tasks = tasks or {"alpha": TASK, "beta": {**TASK, "cpus": [1]}}
    path.write_text(json.dumps({"global": GLOBAL, "tasks": tasks}))
    return Workload("w", "rt-app", "a workload", path)


@pytest.fixture
def request_of(tmp_path):
    def made(mode: str = "", tasks: dict | None = None, **options) -> Request:
        return Request(
            simulator=Simulator("scxsim", "scxsim", "", program(tmp_path, mode), options),
            scheduler=Scheduler("scx_simple", "tree", ""),
            workload=workload_of(tmp_path, tasks),
            machine=Machine("m", "tcg", "", "debian-7.2", 2, 1024),
            seed=11,
            seconds=2,
            parameters=Parameters(),
        )

    return made


def must_be_sound(made: Simulated) -> None:
    assert made.table.schema.equals(EVENT_SCHEMA)
    assert made.capability.events == made.table.num_rows
    assert made.capability.clock == VIRTUAL_CLOCK
    assert bool(made.reason) != (made.outcome is Outcome.OK)
    assert "\n" not in made.reason
    assert json.loads(json.dumps(made.facts)) == made.facts


def test_a_good_run(tmp_path, request_of):
    made = simulate(request_of(), tmp_path / "cell")
    must_be_sound(made)
    assert (made.outcome, made.reason, made.exit_code) == (Outcome.OK, "", 0)
    assert (made.policy, made.window_ns) == ("code", (0, 2_000_000_000))
    assert made.capability.source == "scxsim-perfetto"
    assert {"alpha", "beta"} <= set(made.table["comm"].to_pylist())
    raw = tmp_path / "cell/raw"
    files = {p.name for p in raw.iterdir()}
    trace = {"scxsim.pftrace", "structops.jsonl"}
    assert files == {*trace, "workload.json", "stdout.log", "stderr.log"}
    assert " ".join(made.facts["argv"][1:]) == (
        "run workload.json -s simple -c 2 --seed 11 --duration 2s --no-rbc "
        "--trace-format perfetto --perfetto scxsim.pftrace --structops-jsonl structops.jsonl"
    )
    assert made.facts["clock"] == {"asked": "fallback", "printed": "fallback"}
    assert set(made.facts["files"]) == {*trace, "workload.json"}
    given = json.loads((raw / "workload.json").read_text())
    assert given["global"]["duration"] == 2
    assert given["tasks"] == json.loads((tmp_path / "w.json").read_text())["tasks"]
    assert convert(raw / "structops.jsonl").capability.unparsed == 0
    assert str(tmp_path) not in json.dumps(made.facts)


def test_the_same_request_gives_the_same_bytes(tmp_path, request_of, monkeypatch):
    first = simulate(request_of(), tmp_path / "a")
    # The model must not depend on the caller's environment.
    monkeypatch.setenv("SCX_SIM_NOISE", "5")
    second = simulate(request_of(), tmp_path / "b")
    for name, made in (("1", first), ("2", second)):
        write_events(made.table, tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert second.facts["environment"]["removed"] == ["SCX_SIM_NOISE"]
    other = simulate(replace(request_of(), seed=12), tmp_path / "c")
    assert not other.table.equals(first.table)


def test_the_json_format_has_the_same_rows(tmp_path, request_of):
    fine = simulate(request_of(), tmp_path / "a")
    made = simulate(request_of(trace_format="json"), tmp_path / "b")
    must_be_sound(made)
    assert (made.outcome, made.capability.source) == (Outcome.OK, "scxsim-chrome")
    assert made.table.num_rows == fine.table.num_rows


ENDS = {
    "exit-1": (Outcome.SIMULATOR_FAILED, 1, "exit code 1: Error: scheduler library not found"),
    "exit-42": (Outcome.SCHEDULER_EJECTED, 42, "ExitKind::ErrorStall { pid: 2"),
    "exit-43": (Outcome.SCHEDULER_EJECTED, 43, "ExitKind::ErrorBpf"),
    "exit-44": (Outcome.SCHEDULER_EJECTED, 44, "ExitKind::ErrorDispatchLoopExhausted"),
    "exit-45": (Outcome.SIMULATOR_FAILED, 45, "ExitKind::ErrorCgroupExhausted"),
    "exit-46": (Outcome.SIMULATOR_FAILED, 46, "ExitKind::ErrorTerminalParkNotReached"),
    "exit-47": (Outcome.SCHEDULER_REJECTED, 47, "ErrorSchedulerIdentityMismatch"),
    "crash": (Outcome.SIMULATOR_FAILED, -11, "killed by signal 11"),
    "truncated": (Outcome.SIMULATOR_FAILED, 0, "ended well, but 1 records"),
    "garbage": (Outcome.SIMULATOR_FAILED, 0, "its trace cannot be read"),
    "no-trace": (Outcome.SIMULATOR_FAILED, 0, "wrote no scxsim.pftrace"),
}
PARTIAL = {"exit-42", "exit-43", "exit-44", "exit-45", "exit-46", "truncated"}


@pytest.mark.parametrize("mode", ENDS)
def test_ends(tmp_path, request_of, mode):
    made = simulate(request_of(mode), tmp_path / "cell")
    must_be_sound(made)
    outcome, code, says = ENDS[mode]
    assert (made.outcome, made.exit_code) == (outcome, code)
    assert says in made.reason
    assert (made.table.num_rows > 0) == (mode in PARTIAL)
    assert (made.policy, made.log) == ("code" if mode in PARTIAL else "", "stderr.log")
    assert made.log_tail
    assert any(says[-20:] in note for note in made.capability.notes)


def test_a_trace_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path, request_of):
    assert simulate(request_of(), tmp_path / "cell").table.num_rows
    assert not simulate(request_of("crash"), tmp_path / "cell").table.num_rows


def test_a_hang_is_killed_with_its_children(tmp_path, request_of):
    start = time.monotonic()
    made = simulate(request_of("hang", timeout_s=4), tmp_path / "cell")
    must_be_sound(made)
    assert (made.outcome, made.exit_code) == (Outcome.TIMEOUT, None)
    assert "timeout_s" in made.reason
    assert time.monotonic() - start < 30
    raw = tmp_path / "cell/raw"
    assert (raw / "child").exists()
    must_become_true(lambda: not processes_in(raw))


def processes_in(folder: Path) -> list[str]:
    """Living processes whose working directory this is."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and (entry / "cwd").resolve() == folder.resolve():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_it_does_not_outlive_who_started_it(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    script = (
        "import sys; from pathlib import Path; from scxval.simulate.scxsim.process import run\n"
        "raw = Path(sys.argv[1])\n"
        "run(['sleep', '600'], raw, raw / 'out', raw / 'err', 600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(raw)]) as caller:
        must_become_true(lambda: processes_in(raw))
        caller.kill()
    must_become_true(lambda: not processes_in(raw))


def must_become_true(what) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(("mode", "printed"), [("wrong-clock", "pmu"), ("no-clock", None)])
def test_another_clock_is_said(tmp_path, request_of, mode, printed):
    made = simulate(request_of(mode), tmp_path / "cell")
    assert made.outcome is Outcome.OK
    assert made.facts["clock"] == {"asked": "fallback", "printed": printed}
    told = "pmu instead of fallback" if printed else "did not print its clock mode"
    assert any(told in note for note in made.capability.notes)


def test_the_hosts_clock_when_asked_for(tmp_path, request_of):
    made = simulate(request_of(clock="default", rbc_ns=12), tmp_path / "cell")
    assert made.facts["clock"] == {"asked": "pmu", "printed": "pmu"}
    assert "--rbc-ns 12" in " ".join(made.facts["argv"])
    assert not any("clock mode" in note for note in made.capability.notes)


LOCKS = {"alpha": {**TASK, "lock0": "m", "unlock0": "m"}, "beta": TASK}


def test_keys_that_it_skips_are_refused(tmp_path, request_of):
    made = simulate(request_of(tasks=LOCKS), tmp_path / "cell")
    must_be_sound(made)
    assert made.outcome is Outcome.UNSUPPORTED
    assert "lock: skipped there (alpha)" in made.reason
    assert "tag: true" in made.reason
    assert not (tmp_path / "cell/raw").exists()


def test_or_tagged_and_nothing_of_it_is_lost(tmp_path, request_of):
    made = simulate(request_of(tasks=LOCKS, tag=True), tmp_path / "cell")
    must_be_sound(made)
    assert made.outcome is Outcome.OK
    assert made.facts["workload_tags"] == [
        "lock: skipped there (alpha)",
        "unlock: skipped there (alpha)",
    ]
    for key in ("lock0", "unlock0"):
        told = f"skipping unsupported event '{key}' of task alpha"
        assert any(told in line for line in made.facts["skipped"])
        assert any(told in note for note in made.capability.notes)
    assert not any("\x1b" in note for note in made.capability.notes)


def test_what_it_cannot_have_is_unsupported(tmp_path, request_of):
    request = request_of()
    cases = {
        "it lists: cosmos, lavd": replace(request, scheduler=Scheduler("scx_rusty", "crate", "")),
        "sched_ext schedulers only": replace(request, scheduler=Scheduler("fair", "kernel", "")),
        "takes 0 to 4294967295": replace(request, seed=1 << 32),
        "not an rt-app file": replace(
            request, workload=Workload("x", "command", "", argv=("true",))
        ),
    }
    for says, asked in cases.items():
        made = simulate(asked, tmp_path / "cell")
        must_be_sound(made)
        assert made.outcome is Outcome.UNSUPPORTED
        assert says in made.reason
        assert (made.policy, made.table.num_rows, made.exit_code) == ("", 0, None)


def test_what_the_real_side_has_beyond_it_is_said(tmp_path, request_of):
    request = request_of()
    made = simulate(
        replace(
            request,
            scheduler=replace(request.scheduler, args=("-f",), files=(Path("/x/layers.json"),)),
            machine=replace(request.machine, vcpus=4, llcs=2, threads=2),
        ),
        tmp_path / "cell",
    )
    assert made.outcome is Outcome.OK
    assert "--smt 2" in " ".join(made.facts["argv"])
    notes = " ".join(made.capability.notes)
    for said in ("arguments of scx_simple (-f)", "layers.json", "2 last-level caches"):
        assert said in notes


BINARIES = {
    "foreign": "is not scxsim",
    "no-run": "without the subcommand `run` (it has: go, vm-run, replay)",
    "no-jsonl": "has no --structops-jsonl",
}


@pytest.mark.parametrize("mode", BINARIES)
def test_another_program_is_unsupported(tmp_path, request_of, mode):
    made = simulate(request_of(mode), tmp_path / "cell")
    assert made.outcome is Outcome.UNSUPPORTED
    assert BINARIES[mode] in made.reason


def test_no_binary(tmp_path, monkeypatch, request_of):
    request = request_of()
    plain = tmp_path / "plain"
    plain.write_text("x")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for binary, says in (
        ("", "names no `binary`"),
        ("scxsim", "no scxsim on PATH: build scxsim"),
        (str(tmp_path / "none"), "does not exist"),
        (str(plain), "is not an executable file"),
    ):
        made = simulate(
            replace(request, simulator=replace(request.simulator, binary=binary)), tmp_path / "c"
        )
        must_be_sound(made)
        assert made.outcome is Outcome.UNSUPPORTED
        assert says in made.reason


def test_a_name_on_path(tmp_path, monkeypatch, request_of):
    request = request_of()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    named = replace(request, simulator=replace(request.simulator, binary="scxsim"))
    assert simulate(named, tmp_path / "cell").outcome is Outcome.OK


def test_the_probe_tells_builds_apart(tmp_path):
    new = probe(program(tmp_path))
    assert (new.version, new.subcommands) == ("scxsim 1.0.0", ("run", "vm-run", "replay"))
    assert new.schedulers == ("cosmos", "lavd", "layered", "mitosis", "simple", "tickless")
    assert {"--duration", "--end-time", "--no-rbc", "--seed"} <= set(new.flags)
    assert "--not-a-flag" not in new.flags
    assert len(new.sha256) == 64
    assert probe(program(tmp_path, "no-vm-run")).subcommands == ("run", "replay")
    assert probe(program(tmp_path, "no-version")).version == ""
    with pytest.raises(NotUsableError, match=r"no answer within 0\.5 s"):
        probe(program(tmp_path, "silent"), limit_s=0.5)
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    with pytest.raises(NotUsableError, match="cannot be run"):
        probe(str(broken))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"clok": "x"}, "did you mean 'clock'"),
        ({"clock": "pmu"}, "fallback or default"),
        ({"rbc_ns": 5}, "is of the clock `default`"),
        ({"timeout_s": 0}, "1 or more"),
        ({"tag": "yes"}, "true or false"),
        ({"trace_format": "pb"}, "perfetto or json"),
    ],
)
def test_options_at_fault(tmp_path, request_of, options, says):
    with pytest.raises(ScxvalError, match=says):
        simulate(request_of(**options), tmp_path / "cell")

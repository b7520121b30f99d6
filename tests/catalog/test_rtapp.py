# SPDX-License-Identifier: MIT
"""rt-app files: what rt-app 1.0 would drop without a word is refused, and the simulator's subset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.rtapp import LOGDIR, read_json, read_rtapp, simulator_reasons
from scxval.errors import ScxvalError

from ..conftest import ROOT

GLOBAL = {"duration": 2, "calibration": 1000, "logdir": LOGDIR}
PAIR = {
    "giver": {"run": 1, "resume": "taker", "sleep": 1},
    "taker": {"suspend": "taker", "run": 1},
}


def write(path: Path, tasks: Any, **settings: Any) -> Path:
    file = path / "w.json"
    chosen = {key: value for key, value in {**GLOBAL, **settings}.items() if value is not None}
    file.write_text(json.dumps({"global": chosen, "tasks": tasks}))
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ScxvalError) as caught:
        read_rtapp(file)
    message = str(caught.value)
    assert str(file) in message
    assert "\n" not in message
    return message


def test_a_file_as_it_was_meant(tmp_path: Path) -> None:
    tasks = {
        "phased": {
            "loop": 3,
            "cpus": [0],
            "phases": {
                "quiet": {"loop": 2, "run0": 10, "sleep": 90, "run1": 5},
                "busy": {"cpus": [1, 2], "runtime": 500},
            },
        },
        "fifo": {"policy": "SCHED_FIFO", "priority": 50, "instance": 2, "yield": ""},
    }
    file = read_rtapp(write(tmp_path, tasks))
    phased, fifo = file.tasks
    assert [(p.name, p.loop) for p in phased.phases] == [("quiet", 2), ("busy", 1)]
    assert [(e.key, e.kind, e.value) for e in phased.events] == [
        ("run0", "run", 10),
        ("sleep", "sleep", 90),
        ("run1", "run", 5),
        ("runtime", "runtime", 500),
    ]
    assert (phased.instances, fifo.instances) == (1, 2)
    assert file.cpus == {0, 1, 2}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"duration": None}, "global: no `duration`"),
        ({"duration": 0}, "`duration` must be an integer of 1 or more, not 0"),
        # rt-app ends with 2, the simulator takes 10 s.
        ({"duration": 1.5}, "`duration` must be an integer of 1 or more, not 1.5"),
        ({"duration": True}, "not true"),
        ({"calibration": None}, "no `calibration`"),
        ({"calibration": "CPU0"}, "calibrate itself anew"),
        ({"ftrace": "none"}, "`ftrace` must be true or false"),
        ({"logdir": "/tmp"}, f"`logdir` must be one of {LOGDIR}"),
        ({"log_size": "file"}, "the wrong way round"),
        ({"default_policy": "SCHED_IDLE"}, "one of SCHED_OTHER"),
        ({"durations": 3}, "did you mean 'duration'?"),
    ],
)
def test_global(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    assert says in refusal(write(tmp_path, {"a": {"run": 1}}, **settings))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        # Ignored by rt-app, with exit code 0.
        ({"run": 1, "slep": 9}, "unknown key in {file}: task 'a': 'slep'; did you mean 'sleep'?"),
        ({"run": 1, "taskgroup": "/x"}, "rt-app 1.0 ignores `taskgroup`"),
        ({"run": 1, "fork": "b"}, "rt-app 1.0 ignores `fork`"),
        ({"phases": {"p": {"run": 1, "priority": 3}}}, "key in {file}: task 'a': phase 'p':"),
        ({"run": 1, "phases": {"p": {"run": 1}}}, "`run` beside `phases` is never run"),
        # Runs nothing, with exit code 0.
        ({"run": "1000"}, '`run` must be an integer of 0 or more, not "1000"'),
        ({"run": -1}, "not -1"),
        ({"lock": 3}, "`lock` must be a name, not 3"),
        ({"timer": 8000}, "`timer` must be an object with ref, period, mode"),
        ({"timer": {"ref": "x"}}, "an object with ref, period"),
        ({"timer": {"ref": "x", "period": 0}}, "where period is an integer of 1"),
        ({"timer": {"ref": "x", "period": 8, "mode": "abs"}}, "where mode is one of relative"),
        # Reads 0 from it.
        ({"run": 1, "cpus": ["0-2"]}, "`cpus` must be a list of CPU numbers"),
        ({"run": 1, "cpus": [1024]}, "each 0 to 1023"),
        ({"run": 1, "cpus": []}, "`cpus` must be"),
        ({"run": 1, "loop": 0}, "-1 (for ever) or a count"),
        ({"run": 1, "loop": 3}, "`loop` 3 without `phases` does not end the task in rt-app 1.0"),
        ({"phases": {"p": {"loop": -1, "run": 1}, "q": {"run": 1}}}, "phase 'p' loops for ever"),
        ({"phases": {}}, "`phases` is empty"),
        ({"phases": {"p": 3}}, "phase 'p': must be an object, not 3"),
        ({"loop": -1}, "no events"),
        ({"run": 1, "priority": 20}, "`priority` must be -20 to 19 for SCHED_OTHER, not 20"),
        ({"run": 1, "policy": "SCHED_RR", "priority": 0}, "must be 1 to 99 for SCHED_RR"),
        ({"run": 1, "instance": 0}, "`instance` must be an integer of 1"),
        (3, "task 'a': must be an object, not 3"),
    ],
)
def test_task(tmp_path: Path, task: Any, says: str) -> None:
    file = write(tmp_path, {"a": task})
    assert says.format(file=file) in refusal(file)


@pytest.mark.parametrize("name", ["sixteen_bytes_xx", "a/b", ""])
def test_a_name_that_no_thread_or_log_can_have(tmp_path: Path, name: str) -> None:
    assert f"task {name!r}" in refusal(write(tmp_path, {name: {"run": 1}}))


def test_a_name_that_nobody_waits_for(tmp_path: Path) -> None:
    assert len(read_rtapp(write(tmp_path, PAIR)).tasks) == 2
    wrong = {**PAIR, "giver": {"run": 1, "resume": "tacker", "sleep": 1}}
    assert "task 'giver'" in (message := refusal(write(tmp_path, wrong)))
    assert "'tacker'; did you mean 'taker'?" in message
    asleep = refusal(write(tmp_path, {"taker": PAIR["taker"]}))
    assert "suspend 'taker', but no task has a `resume`" in asleep


def test_what_is_not_json(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text('{"global": {},\n "tasks": {"a": {"run": 1, "sleep": 2, "run": 3}}}')
    assert "key 'run' twice in one object" in refusal(file)
    file.write_text('{"tasks": {"a": {}},\n }')
    assert "line 2 column 2" in refusal(file)
    file.write_text("[]")
    assert "no `tasks`" in refusal(file)
    file.write_text('{"tasks": {"a": {"run": 1}}, "task": {}}')
    assert "did you mean 'tasks'?" in refusal(file)


def test_block_comments_are_blank_outside_of_strings(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text('/* one\n two */ {"tasks": {"a /* b */": /* "x": 3, */ {"run": 1}}}')
    assert read_json(file) == {"tasks": {"a /* b */": {"run": 1}}}


def test_the_simulator_takes_the_common_subset(tmp_path: Path) -> None:
    tasks = {
        **PAIR,
        "nice": {"priority": 5, "cpus": [0], "loop": -1, "run": 1, "yield": ""},
        "phased": {"loop": 2, "phases": {"p": {"loop": 3, "run": 1, "sleep": 2}}},
    }
    assert simulator_reasons(read_rtapp(write(tmp_path, tasks))) == ()


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"run": 1, "timer": {"ref": "x", "period": 8}}, "timer: a plain sleep of the whole"),
        ({"runtime": 1}, "runtime: wall time here"),
        ({"lock": "m", "run": 1, "unlock": "m"}, "lock: skipped there"),
        ({"run": 1, "mem": 1}, "mem: skipped there"),
        ({"run": 1, "delay": 5}, "delay: ignored there"),
        ({"run": 1, "instance": 2}, "instance: more than one"),
        ({"run": 1, "policy": "SCHED_RR"}, "policy: ignored there"),
        ({"phases": {"p": {"cpus": [0], "run": 1}}}, "cpus of a phase: ignored there"),
    ],
)
def test_why_the_simulator_does_not_take_it(
    tmp_path: Path, task: dict[str, Any], reason: str
) -> None:
    reasons = simulator_reasons(read_rtapp(write(tmp_path, {"plain": {"run": 1}, "odd": task})))
    assert reasons[0].startswith(reason)
    assert reasons[0].endswith("(odd)")


def test_a_suspend_on_a_name_that_the_simulator_does_not_read(tmp_path: Path) -> None:
    tasks = {"giver": {"run": 1, "resume": "bell"}, "taker": {"suspend": "bell", "run": 1}}
    (reason,) = simulator_reasons(read_rtapp(write(tmp_path, tasks)))
    assert reason.startswith("suspend on another name")


def test_every_shipped_file_is_in_the_catalogue() -> None:
    from scxval.catalog.load import load_catalog

    catalog = load_catalog([ROOT / "config/catalog"])
    files = {workload.file for workload in catalog.workloads.values()} - {None}
    assert files == set((ROOT / "config/workloads").glob("*.json"))

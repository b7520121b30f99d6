# SPDX-License-Identifier: MIT
"""rt-app files as programs: what rt-app 1.0's source does with each event, in the engine's instructions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.load import Catalog
from scxval.errors import ScxvalError
from scxval.simulate.builtin.api import enumerators
from scxval.simulate.builtin.program import Program, compile_workload
from scxval.simulate.parameters import Parameters

from ..rtapp_file import write_rtapp

NAMES = {value: name.removeprefix("SIM_OP_") for name, value in enumerators("sim_op").items()}
SPAWN = Parameters().spawn_ns


def compiled(tmp_path: Path, tasks: dict[str, Any], spare: int = 0, **settings: Any) -> Program:
    workload = write_rtapp(tmp_path / "a.json", tasks, **settings)
    return compile_workload(workload, 4, spare, 1, Parameters())


def ops(program: Program, task: int = 0) -> list[str]:
    return [NAMES[insn.op] for insn in program.tasks[task].program]


def test_a_task_meets_the_others_then_loops_for_ever(tmp_path: Path) -> None:
    program = compiled(tmp_path, {"a": {"run": 100, "sleep": 7}, "b": {"run": 1}})
    assert ops(program) == [
        *("BARRIER", "LOOP", "LOOP", "RUN", "SLEEP", "AGAIN", "AGAIN", "EXIT"),
    ]
    insns = program.tasks[0].program
    assert insns[0].arg == 2
    assert (insns[1].value, insns[1].arg) == (-1, 7)
    assert (insns[3].value, insns[4].value) == (100_000, 7_000)
    assert program.tasks[1].start_ns == SPAWN
    assert program.end_ns == 2 * SPAWN + 1_000_000_000


def test_phases_and_loops_that_end(tmp_path: Path) -> None:
    phases = {"x": {"loop": 3, "run": 1}, "y": {"yield": ""}}
    program = compiled(tmp_path, {"a": {"loop": 2, "phases": phases}})
    assert ops(program) == [
        *("BARRIER", "LOOP", "LOOP", "RUN", "AGAIN", "YIELD", "AGAIN", "EXIT"),
    ]
    assert [i.value for i in program.tasks[0].program if NAMES[i.op] == "LOOP"] == [2, 3]


def test_instances_share_names_and_locks_not_unique_timers(tmp_path: Path) -> None:
    task = {
        "instance": 2,
        "lock": "m",
        "run": 1,
        "unlock": "m",
        "timer": {"ref": "unique", "period": 50},
    }
    program = compiled(tmp_path, {"a": task})
    assert [t.name for t in program.tasks] == ["a", "a"]
    assert len({t.tid for t in program.tasks}) == 2
    assert len({t.pid for t in program.tasks}) == 1
    used = [
        {NAMES[i.op]: i.object for i in t.program if NAMES[i.op] in ("LOCK", "TIMER")}
        for t in program.tasks
    ]
    assert used[0]["LOCK"] == used[1]["LOCK"]
    assert used[0]["TIMER"] != used[1]["TIMER"]


def test_timers_and_delay_count_from_the_first_thread(tmp_path: Path) -> None:
    timer = {"timer": {"ref": "t", "period": 50}}
    program = compiled(tmp_path, {"a": {"run": 1}, "b": {"delay": 900, "run": 1, **timer}})
    timers = [i for i in program.tasks[1].program if NAMES[i.op] == "TIMER"]
    # An engine's timer starts with its own thread, SPAWN after the first.
    assert [(i.value, i.arg) for i in timers] == [(900_000 - SPAWN, 1)] * 2 + [(50_000, 0)]


def test_affinity_is_the_phases_before_the_tasks_before_the_machines(tmp_path: Path) -> None:
    phases = {"x": {"cpus": [1], "run": 1}, "y": {"run": 1}}
    program = compiled(tmp_path, {"a": {"cpus": [0, 2], "phases": phases}}, spare=1)
    moves = [i.arg for i in program.tasks[0].program if NAMES[i.op] == "AFFINITY"]
    assert [program.masks[m] for m in moves] == [{1}, {0, 2}]
    assert program.masks[program.tasks[0].mask] == {0, 1, 2}
    assert program.masks[0] == {0, 1, 2, 3}


def test_conditions_barriers_and_sync(tmp_path: Path) -> None:
    pair = {"ref": "c", "mutex": "m"}
    tasks = {
        "a": {"lock": "m", "wait": pair, "unlock": "m", "barrier": "b"},
        "b": {"lock": "m", "sync": pair, "unlock": "m", "barrier": "b", "broad": "c"},
    }
    program = compiled(tmp_path, tasks)
    assert [op for op in ops(program, 1) if op in ("SIGNAL", "WAIT", "BROAD")] == [
        *("SIGNAL", "WAIT", "BROAD"),
    ]
    barriers = [i for i in program.tasks[0].program if NAMES[i.op] == "BARRIER"]
    assert [i.arg for i in barriers] == [2, 2]


def test_run_is_loops_of_the_calibrations(tmp_path: Path) -> None:
    workload = write_rtapp(tmp_path / "a.json", {"a": {"run": 100}}, calibration=500)
    for measured_at, ns in ((0, 100_000), (1000, 200_000)):
        parameters = Parameters(rtapp_calibration=measured_at)
        program = compile_workload(workload, 1, 0, 1, parameters)
        (run,) = [i for i in program.tasks[0].program if NAMES[i.op] == "RUN"]
        assert run.value == ns


def test_cgroups_are_processes_of_their_own(catalog: Catalog) -> None:
    program = compile_workload(catalog.workloads["cgroup_weights"], 4, 1, 2, Parameters())
    assert [(g.name, g.weight) for g in program.cgroups] == [("heavy", 300), ("light", 100)]
    assert {t.cgroup for t in program.tasks} == {1, 2}
    assert len({t.pid for t in program.tasks}) == 2


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScxvalError, match="CPU 3 of a task: there are 0 to 2"):
        compiled(tmp_path, {"a": {"cpus": [3], "run": 1}}, spare=1)
    with pytest.raises(ScxvalError, match="4097 tasks, the simulator has 4096"):
        compiled(tmp_path, {"a": {"instance": 4097, "run": 1}})
    with pytest.raises(ScxvalError, match="none is left"):
        compiled(tmp_path, {"a": {"run": 1}}, spare=4)

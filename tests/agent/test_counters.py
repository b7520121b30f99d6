# SPDX-License-Identifier: MIT
"""Counters of this host's kernel around a child that is known to work, to sleep, or to be gone."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from scxval.agent.counters import NS, Reading, between, group_cpu_ns, read, read_system

SPIN = "import time; end = time.process_time() + {s}\nwhile time.process_time() < end: pass\n"


def started(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_the_workload_is_what_was_waited_for() -> None:
    before = read({})
    subprocess.run([sys.executable, "-c", SPIN.format(s=0.3)], check=True)
    found = between(before, read({}), {})
    used = found["workload"]["user_ns"] + found["workload"]["system_ns"]
    assert 0.3 * NS <= used < 3 * NS
    assert found["workload"]["voluntary_switches"] + found["workload"]["involuntary_switches"] > 0
    assert found["system"]["context_switches"] > 0 and found["system"]["forks"] >= 1


def test_a_group_is_all_its_processes() -> None:
    code = SPIN.format(s=0.2) + "print(1, flush=True); input()"
    with started(code) as one, started("print(1, flush=True); input()") as idle:
        for child in (one, idle):
            assert child.stdout is not None
            child.stdout.readline()
        found = group_cpu_ns({one.pid, idle.pid})
        assert found[one.pid] >= 0.2 * NS > found[idle.pid] > 0
        one.communicate(b"\n")
        idle.communicate(b"\n")


def test_a_tracer_that_is_gone_is_not_measured() -> None:
    with started("input()") as child:
        leaders = {"tracer t": child.pid}
        before = read(leaders)
        child.communicate(b"\n")
    assert between(before, read(leaders), leaders)["cpu_ns"] == {"tracer t": None}


def test_a_command_with_a_parenthesis(tmp_path: Path) -> None:
    (tmp_path / "7/task/8").mkdir(parents=True)
    (tmp_path / "7/stat").write_text("7 (a) 1 2 (b) S 1 5 5 0 -1\n")
    (tmp_path / "7/task/8/schedstat").write_text("123 4 5\n")
    assert group_cpu_ns({5}, tmp_path) == {5: 123}
    assert group_cpu_ns({1}, tmp_path) == {}


def test_system_lines(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  1 2 3\nintr 40 1 2\nctxt 50\nbtime 3\nprocesses 6\n")
    assert read_system(tmp_path) == {"interrupts": 40, "context_switches": 50, "forks": 6}


def test_differences() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = between(
        Reading({"forks": 3}, usage, {9: 5}), Reading({"forks": 7}, usage, {9: 8}), {"s": 9}
    )
    assert found == {
        "system": {"forks": 4},
        "workload": {
            "user_ns": 0,
            "system_ns": 0,
            "voluntary_switches": 0,
            "involuntary_switches": 0,
        },
        "cpu_ns": {"s": 3},
    }

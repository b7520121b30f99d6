# SPDX-License-Identifier: MIT
"""How a run ended, from what was left behind; the real ends are in test_outcomes.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.outcomes import Outcome
from scxval.vm.launch import VmExit
from scxval.vm.verdict import Verdict, judge, tail, with_cause, with_memory

DONE = VmExit(exit_code=0, timed_out=False, total_s=10, boot_s=5)
KILLED = VmExit(exit_code=None, timed_out=True, total_s=60, boot_s=None)
PANIC = "[    1.0] Kernel panic - not syncing: sysrq triggered crash\n"


def agent(outcome: str = "ok", lost: int | None = None) -> dict[str, Any]:
    return {"outcome": outcome, "reason": "why", "log": "x.log", "tracer": {"lost": lost}}


@pytest.mark.parametrize(
    ("vm", "result", "console", "marks", "outcome", "says"),
    [
        (DONE, agent(), "", ["job-start"], "ok", "why"),
        (DONE, agent("workload_failed"), "", ["job-start"], "workload_failed", "why"),
        (DONE, agent(lost=0), "", [], "ok", "why"),
        (DONE, agent(lost=9), "", [], "tracer_lost_events", "lost 9 events (5 allowed)"),
        (DONE, agent(lost=5), "", [], "ok", "why"),
        # What the workload made of a lost trace is less than what it is.
        (DONE, agent("workload_failed", 9), "", [], "workload_failed", "why"),
        (KILLED, None, "", [], "boot_failed", "no sign of the job after 7 s, twice"),
        (DONE, None, PANIC, [], "boot_failed", "sysrq triggered crash"),
        (DONE, None, "", [], "boot_failed", "QEMU ended with 0"),
        (DONE, None, PANIC, ["work-start"], "panic", "after work-start: sysrq triggered"),
        (KILLED, None, "", ["work-start"], "timeout", "after 60 s; its last sign was work-start"),
        (DONE, None, "", ["work-start"], "panic", "without a result"),
    ],
)
def test_judge(
    vm: VmExit,
    result: dict[str, Any] | None,
    console: str,
    marks: list[str],
    outcome: str,
    says: str,
) -> None:
    verdict = judge(vm, result, console, marks, lost_events_allowed=5, limits=(7, 60))
    assert verdict.outcome == outcome
    assert says in verdict.reason


def test_of_several_tracers_the_ones_that_lost_too_much_are_named() -> None:
    result = agent()
    lost = {"bpftrace": 3, "perf-sched": 6, "scx-stats": None, "trace-cmd": 7}
    result["tracer"] = {"lost": 16, "parts": {name: {"lost": n} for name, n in lost.items()}}
    verdict = judge(DONE, result, "", [], lost_events_allowed=5, limits=(7, 60))
    assert verdict.outcome is Outcome.TRACER_LOST_EVENTS
    assert verdict.reason.startswith(
        "tracer perf-sched lost 6 events, tracer trace-cmd lost 7 events (5 allowed); "
    )
    assert verdict.log == "parts/perf-sched/tracer.log"
    # What is allowed is allowed to each.
    assert judge(DONE, result, "", [], 7, (7, 60)).outcome is Outcome.OK


KILLED_BY_KERNEL = (
    "[   21.4] Out of memory: Killed process 155 (tail) total-vm:385524kB, anon-rss:382592kB\n"
)
NOTHING_TO_KILL = "[   30.1] Kernel panic - not syncing: System is deadlocked on memory\n"


@pytest.mark.parametrize(
    ("outcome", "log", "becomes", "says"),
    [
        ("ok", "", "ok", ""),
        ("ok", KILLED_BY_KERNEL, "workload_failed", "and the kernel killed tail: its machine"),
        ("workload_failed", KILLED_BY_KERNEL * 2, "workload_failed", "killed tail: its machine"),
        ("scheduler_ejected", KILLED_BY_KERNEL, "scheduler_ejected", "ended; the guest ran out"),
        ("panic", NOTHING_TO_KILL, "panic", "ran out of memory: its machine needs more memory_mib"),
    ],
)
def test_out_of_memory(outcome: str, log: str, becomes: str, says: str) -> None:
    before = Verdict(Outcome(outcome), "" if outcome == "ok" else "ended", "x.log")
    after = with_memory(before, log)
    assert after.outcome == becomes
    assert says in after.reason
    assert (after == before) == (not log)


def test_tail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(50)) + b"\x1b[31mred\x1b[0m \xff\n\n")
    lines = tail(log)
    assert len(lines) == 20
    assert lines[-1] == "red \ufffd"
    assert tail(tmp_path / "none") == []


def test_tail_of_a_panic_begins_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n" + PANIC + "trace\n" * 50)
    assert tail(log)[0].endswith("sysrq triggered crash")


def test_an_ejection_has_the_kernels_reason() -> None:
    ejected = Verdict(Outcome.SCHEDULER_EJECTED, "sched_ext is disabled", "scheduler.log")
    dmesg = (
        '[    7.4] sched_ext: BPF scheduler "x" enabled\n'
        '[   12.5] sched_ext: BPF scheduler "x" disabled (runnable task stall)\n'
        "[   12.5] sched_ext: x: watchdog failed to check in for 5.004s\n"
    )
    assert with_cause(ejected, "", dmesg).reason == (
        'sched_ext is disabled; BPF scheduler "x" disabled (runnable task stall); '
        "x: watchdog failed to check in for 5.004s"
    )
    assert with_cause(ejected, "", "").reason == "sched_ext is disabled"

# SPDX-License-Identifier: MIT
"""How a run ended, from what was left behind; the real ends are in test_outcomes.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scxval.vm.launch import VmExit
from scxval.vm.verdict import judge, tail

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

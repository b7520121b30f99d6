# SPDX-License-Identifier: MIT
"""Decides how a run ended, from what QEMU, the serial console and the agent left behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scxval.catalog.outcomes import Outcome
from scxval.vm.launch import VmExit
from scxval.vm.rejection import ANSI, explain, kernel_says

TAIL_LINES = 20
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
# mm/oom_kill.c; an error to the kernel, so the serial console has it too.
OOM_KILL = re.compile(r"Out of memory: Killed process \d+ \(([^)]*)\)")
OOM_PANIC = "System is deadlocked on memory"


@dataclass(frozen=True)
class Verdict:
    """An outcome, the sentence that explains it, and the log under raw/ that shows it."""

    outcome: Outcome
    reason: str
    log: str


def judge(
    vm: VmExit,
    agent: dict[str, Any] | None,
    console: str,
    marks: Sequence[str],
    lost_events_allowed: int,
    limits: tuple[int, int],
) -> Verdict:
    """The outcome of a run.

    `agent` is agent.json, None when the guest never wrote it; `marks` are the labels that the agent
    took, in order; `limits` are (boot_s, total_s).
    """
    if agent is None and not marks:
        log = "console.log" if console.strip() else "vm.log"
        return Verdict(Outcome.BOOT_FAILED, _why_no_boot(vm, console, limits[0]), log)
    if agent is None:
        where = f"after {marks[-1]}"
        panic = PANIC.search(console)
        if panic:
            return Verdict(
                Outcome.PANIC, f"kernel panic {where}: {panic[1].strip()}", "console.log"
            )
        if vm.timed_out:
            reason = f"the guest was killed after {limits[1]} s; its last sign was {marks[-1]}"
            return Verdict(Outcome.TIMEOUT, reason, "console.log")
        reason = f"the guest ended {where} without a result (QEMU ended with {vm.exit_code})"
        return Verdict(Outcome.PANIC, reason, "console.log")
    outcome = Outcome(agent["outcome"])
    lossy = _lossy(agent["tracer"], lost_events_allowed) if outcome is Outcome.OK else None
    return lossy or Verdict(outcome, agent["reason"], agent["log"])


def _lossy(tracer: dict[str, Any], allowed: int) -> Verdict | None:
    """The verdict on a run whose tracer, or one of its tracers, lost more events than allowed."""
    alone = {"the tracer": ("tracer.log", tracer["lost"])}
    each = {
        f"tracer {name}": (f"parts/{name}/tracer.log", part["lost"])
        for name, part in tracer.get("parts", {}).items()
    }
    lossy = {name: (log, n) for name, (log, n) in (each or alone).items() if n and n > allowed}
    if not lossy:
        return None
    told = ", ".join(f"{name} lost {n} events" for name, (_, n) in lossy.items())
    reason = f"{told} ({allowed} allowed); give it a larger buffer or a shorter workload"
    return Verdict(Outcome.TRACER_LOST_EVENTS, reason, next(iter(lossy.values()))[0])


def _why_no_boot(vm: VmExit, console: str, boot_s: int) -> str:
    panic = PANIC.search(console)
    if panic:
        return f"kernel panic before the job began: {panic[1].strip()}"
    if vm.timed_out:
        return f"no sign of the job after {boot_s} s, twice"
    if vm.exit_code == 0 and not console.strip():
        return (
            "the guest went down before the job began without a word, as with too little memory_mib "
            "for its initramfs (QEMU ended with 0)"
        )
    return f"QEMU ended with {vm.exit_code} before the job began"


def with_cause(verdict: Verdict, scheduler_log: str, dmesg: str) -> Verdict:
    """Add why a scheduler did not start, or was disabled, to the verdict that says so."""
    if verdict.outcome is Outcome.SCHEDULER_EJECTED:
        said = kernel_says(dmesg)
        return replace(verdict, reason=f"{verdict.reason}; {said}") if said else verdict
    if verdict.outcome is not Outcome.SCHEDULER_REJECTED or verdict.log != "scheduler.log":
        return verdict
    why = explain(scheduler_log, dmesg).reason or "its log and dmesg.log are silent"
    return replace(verdict, reason=f"{verdict.reason}: {why}")


def with_memory(verdict: Verdict, kernel_log: str) -> Verdict:
    """Say so when the guest ran out of memory: then that is why whatever ended did end.

    `kernel_log` is dmesg and the serial console. A run that looks ok though the kernel killed one of its
    processes is the workload's failure.
    """
    killed = list(dict.fromkeys(OOM_KILL.findall(kernel_log)))
    if not killed and OOM_PANIC not in kernel_log:
        return verdict
    what = f" and the kernel killed {', '.join(killed)}" if killed else ""
    why = f"the guest ran out of memory{what}: its machine needs more memory_mib"
    if verdict.outcome is Outcome.OK:
        return Verdict(Outcome.WORKLOAD_FAILED, why, "dmesg.log")
    return replace(verdict, reason=f"{verdict.reason}; {why}")


def tail(path: Path) -> list[str]:
    """The last lines of a log, or those from a kernel panic on; no colours; [] without a log."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = [ANSI.sub("", line).rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    panic = next((n for n, line in enumerate(lines) if PANIC.search(line)), None)
    return lines[-TAIL_LINES:] if panic is None else lines[panic : panic + TAIL_LINES]

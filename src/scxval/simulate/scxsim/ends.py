# SPDX-License-Identifier: MIT
"""What an end of `scxsim run` means, and what its output says besides the trace."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scxval.catalog.outcomes import Outcome

# Lines kept of warnings, and of each.
_WARNINGS = 50
_WARNING_CHARS = 300
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_EXIT_KIND = re.compile(r"^scxsim: (ExitKind::.*)$", re.M)
_CLOCK = re.compile(r"^[ \t]*clock:[ \t]*([\w-]+)", re.M)
_TIMESTAMP = re.compile(r"^\[?\d{4}-\d\d-\d\dT[\d:.]+Z?\s+")
_WARNING = re.compile(r"\bWARN(ING)?\b|^scxsim: (?!ExitKind::)", re.I)
_SKIPPED = re.compile(r"skip|unsupported|ignor", re.I)

_OUTCOMES = {
    0: Outcome.OK,
    # ErrorStall: a task was runnable for longer than the watchdog allows. The kernel would eject the
    # scheduler for it (scx_watchdog_workfn, kernel/sched/ext, 7.2).
    42: Outcome.SCHEDULER_EJECTED,
    # ErrorBpf: the scheduler itself gave up by scx_bpf_error, or did what the kernel ejects for.
    43: Outcome.SCHEDULER_EJECTED,
    # ErrorDispatchLoopExhausted: ops.dispatch goes on without giving its CPU anything to run; what a
    # kernel ends by the watchdog, too.
    44: Outcome.SCHEDULER_EJECTED,
    # ErrorCgroupExhausted: a table of the simulator's own is full. No kernel has that limit.
    45: Outcome.SIMULATOR_FAILED,
    # ErrorTerminalParkNotReached: threads of the simulator did not come to rest. Says nothing of a
    # scheduler in a kernel.
    46: Outcome.SIMULATOR_FAILED,
    # ErrorSchedulerIdentityMismatch: the library that was loaded is not the scheduler asked for, so that
    # none of it may bear the cell's name.
    47: Outcome.SCHEDULER_REJECTED,
    # 1 is any error of its command line or files, 2 a flag that it does not know: ours to mend.
    1: Outcome.SIMULATOR_FAILED,
    2: Outcome.SIMULATOR_FAILED,
}
_KINDS = {
    42: "ErrorStall",
    43: "ErrorBpf",
    44: "ErrorDispatchLoopExhausted",
    45: "ErrorCgroupExhausted",
    46: "ErrorTerminalParkNotReached",
    47: "ErrorSchedulerIdentityMismatch",
}


@dataclass(frozen=True)
class Told:
    """What stdout and stderr say. `clock` is "" when no mode was printed; `skipped` are those of the
    `warnings` by which something of the workload is not simulated."""

    exit_kind: str
    clock: str
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]
    last: str


def read_told(stdout: str, stderr: str) -> Told:
    """Read the output of a run, by labels and never by position."""
    stdout, stderr = _ANSI.sub("", stdout), _ANSI.sub("", stderr)
    kind = _EXIT_KIND.search(stderr)
    clock = _CLOCK.search(stdout) or _CLOCK.search(stderr)
    lines = [_TIMESTAMP.sub("", line).strip() for line in stderr.splitlines()]
    warnings = dict.fromkeys(line[:_WARNING_CHARS] for line in lines if _WARNING.search(line))
    skipped = [line for line in warnings if _SKIPPED.search(line)]
    return Told(
        kind[1].strip()[:_WARNING_CHARS] if kind else "",
        clock[1] if clock else "",
        # Nothing is lost of what was skipped, however much was warned of.
        tuple(dict.fromkeys([*skipped, *list(warnings)[:_WARNINGS]])),
        tuple(skipped),
        next((line[:_WARNING_CHARS] for line in reversed(lines) if line), ""),
    )


def judge(exit_code: int | None, told: Told, limit_s: float) -> tuple[Outcome, str]:
    """Outcome and reason of an end; the reason is "" when it is ok."""
    if exit_code is None:
        return Outcome.TIMEOUT, (
            f"scxsim did not end within {limit_s:g} s and was killed: raise `timeout_s` of the "
            "simulator's options, or shorten the workload"
        )
    outcome = _OUTCOMES.get(exit_code, Outcome.SIMULATOR_FAILED)
    if outcome is Outcome.OK:
        return outcome, ""
    if exit_code in _KINDS:
        return outcome, told.exit_kind or f"ExitKind::{_KINDS[exit_code]} (exit code {exit_code})"
    signal, code = f"was killed by signal {-exit_code}", f"ended with exit code {exit_code}"
    how = signal if exit_code < 0 else code
    said = told.exit_kind or told.last
    return outcome, f"scxsim {how}: {said}" if said else f"scxsim {how} and said nothing"

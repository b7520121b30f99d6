# SPDX-License-Identifier: MIT
"""What the kernel says of sched_ext: /sys/kernel/sched_ext (names as of Linux 6.12 and later).

And what that makes of the job's scheduler: whether it came to be enabled, and whether it lasted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from scxval.agent.procs import Child, Stop, wait_until

SYSFS = Path("/sys/kernel/sched_ext")


class ScxState(NamedTuple):
    """One reading; `enable_seq` counts schedulers enabled since boot."""

    state: str
    ops: str
    enable_seq: int
    nr_rejected: int

    def runs(self, ops_pattern: str, after_seq: int) -> bool:
        """Whether a scheduler of that name is enabled and was enabled after `after_seq`."""
        return (
            self.state == "enabled"
            and self.enable_seq > after_seq
            and re.fullmatch(ops_pattern, self.ops) is not None
        )

    def as_dict(self) -> dict[str, int | str]:
        """For JSON."""
        return self._asdict()


def read_state(root: Path = SYSFS) -> ScxState:
    """Read the state; "absent" when the kernel has no sched_ext."""
    return ScxState(
        state=read_text(root / "state") or "absent",
        ops=read_text(root / "root" / "ops"),
        enable_seq=int(read_text(root / "enable_seq") or 0),
        nr_rejected=int(read_text(root / "nr_rejected") or 0),
    )


def read_events(root: Path = SYSFS) -> str:
    """The scheduler's event counters; the file goes away with the scheduler."""
    return read_text(root / "root" / "events")


def read_text(path: Path) -> str:
    """A small file of the kernel's, stripped; "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def await_enabled(
    child: Child, ops: str, before: ScxState, limit_s: float
) -> tuple[ScxState, Stop | None]:
    """Wait until the kernel says that the scheduler of `child` is enabled; its state, and what is wrong.

    `before` is the state from before its start, `ops` a regular expression for its name.
    """
    wait_until(
        lambda: read_state().runs(ops, before.enable_seq) or child.exit_code is not None, limit_s
    )
    state = read_state()
    name = Path(child.argv[0]).name
    absent = state.state == "absent"
    outcome = "unsupported" if absent else "scheduler_rejected"
    without = "; this kernel has no sched_ext" if absent else ""
    if state.state != "enabled" and state.enable_seq > before.enable_seq:
        # A scheduler that stalls may stall this process too, which then sees only the end.
        outcome, why = (
            "scheduler_ejected",
            f"{name} was enabled and lost again before the workload began",
        )
    elif child.exit_code is not None:
        why = f"{name} ended with exit code {child.exit_code} before it was enabled{without}"
    elif not state.runs(ops, before.enable_seq):
        why = (
            f"sched_ext is {state.state} with ops {state.ops!r} after {limit_s} s; "
            f"expected enabled with ops {ops!r}{without}"
        )
    else:
        return state, None
    return state, Stop(outcome, why, "scheduler.log")


def lost(child: Child, enabled: ScxState, after: ScxState) -> Stop | None:
    """What is wrong unless the scheduler that was `enabled` still is, the same instance."""
    same = after.state == "enabled" and (after.ops, after.enable_seq, after.nr_rejected) == (
        enabled.ops,
        enabled.enable_seq,
        enabled.nr_rejected,
    )
    if same and child.exit_code is None:
        return None
    ended = "still runs" if child.exit_code is None else f"ended with {child.exit_code}"
    return Stop(
        "scheduler_ejected",
        f"sched_ext is {after.state} with ops {after.ops!r} after the workload (was "
        f"{enabled.ops!r}); the scheduler's process {ended}",
        "scheduler.log",
    )

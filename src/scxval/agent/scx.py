# SPDX-License-Identifier: MIT
"""What the kernel says of sched_ext: /sys/kernel/sched_ext (names as of Linux 6.12 and later)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

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

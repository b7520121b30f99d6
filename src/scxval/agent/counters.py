# SPDX-License-Identifier: MIT
"""What the kernel counted while the workload ran, traced or not: switches, CPU time of workload and tracers.

Read just before the window and just after it, so that nothing is read while it is measured. These are the
only numbers that a run without a tracer shares with one that has one, but for what the workload says.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Lines of /proc/stat (Documentation/filesystems/proc.rst) and what is made of the first number.
SYSTEM = {"ctxt": "context_switches", "intr": "interrupts", "processes": "forks"}
NS = 1_000_000_000


class Reading:
    """Counters at one moment. `groups` is the CPU time in ns of process groups, by their leader's pid."""

    # No dataclass: importing that module costs an emulated guest half a second.
    def __init__(
        self, system: dict[str, int], children: resource.struct_rusage, groups: dict[int, int]
    ) -> None:
        self.system = system
        self.children = children
        self.groups = groups


def read(leaders: Mapping[str, int], proc: Path = Path("/proc")) -> Reading:
    """Read all counters; `leaders` are the process groups of tracers and scheduler, by name."""
    groups = group_cpu_ns(set(leaders.values()), proc) if leaders else {}
    return Reading(read_system(proc), resource.getrusage(resource.RUSAGE_CHILDREN), groups)


def read_system(proc: Path = Path("/proc")) -> dict[str, int]:
    """The machine's counters since its boot."""
    found: dict[str, int] = {}
    for line in (proc / "stat").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(" ")
        if name in SYSTEM:
            found[SYSTEM[name]] = int(rest.split(maxsplit=1)[0])
    return found


def group_cpu_ns(leaders: set[int], proc: Path = Path("/proc")) -> dict[int, int]:
    """CPU time in ns of all living threads of some process groups; a group without any is left out.

    /proc/<pid>/task/<tid>/schedstat has sum_exec_runtime first (Documentation/scheduler/sched-stats.rst);
    user and system time in /proc/<pid>/stat have 10 ms as their unit. What has ended is not in it.
    """
    found: dict[int, int] = {}
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            # The command, in parentheses, may hold anything: the group is third after the last of them.
            fields = (process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            leader = int(fields[2])
            if leader not in leaders:
                continue
            for thread in (process / "task").iterdir():
                ran_ns = int((thread / "schedstat").read_text("ascii").split()[0])
                found[leader] = found.get(leader, 0) + ran_ns
        except OSError:
            # Ended between the listing and the reading.
            continue
    return found


def between(before: Reading, after: Reading, leaders: Mapping[str, int]) -> dict[str, Any]:
    """What was counted between two readings, for counters.json.

    `workload` is what all processes used that were waited for in between: those of the workload. A tracer
    that is gone at the second reading has null.
    """
    old, new = before.children, after.children
    cpu: dict[str, int | None] = {}
    for name, leader in leaders.items():
        start, end = before.groups.get(leader), after.groups.get(leader)
        cpu[name] = None if start is None or end is None else end - start
    return {
        "system": {name: after.system[name] - count for name, count in before.system.items()},
        "workload": {
            "user_ns": round((new.ru_utime - old.ru_utime) * NS),
            "system_ns": round((new.ru_stime - old.ru_stime) * NS),
            "voluntary_switches": new.ru_nvcsw - old.ru_nvcsw,
            "involuntary_switches": new.ru_nivcsw - old.ru_nivcsw,
        },
        "cpu_ns": cpu,
    }

# SPDX-License-Identifier: MIT
"""What of an rt-app file the embedded simulator does, what it refuses, and what cannot matter to it.

Every key of scxval.catalog.rtapp stands in exactly one of the three, which a test holds against its tables.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from scxval.catalog.model import Workload
from scxval.catalog.rtapp import POLICIES, RtApp, Task, read_rtapp


@dataclass(frozen=True)
class Subset:
    """Keys of one place in the file. `refused` and `no_effect` say why; `done` says how, or nothing."""

    done: dict[str, str]
    refused: dict[str, str]
    no_effect: dict[str, str]


_LOGS = "names and buffers of rt-app's own logs, of which a simulation has none"
_NOT_OTHER = "only tasks of SCHED_OTHER are simulated"
_DEADLINE = "deadlines are of SCHED_DEADLINE; " + _NOT_OTHER

GLOBAL = Subset(
    done={
        "duration": "",
        "calibration": "ns a loop of `run`, against that of the calibration workload",
        "default_policy": "SCHED_OTHER; others are refused",
        "pi_enabled": "false; true is refused",
    },
    refused={},
    no_effect={
        "logdir": _LOGS,
        "log_basename": _LOGS,
        "log_size": _LOGS,
        "gnuplot": "written before the tasks start",
        "ftrace": "rt-app's marks in a kernel trace",
        "lock_pages": "rt-app 1.0 turns it off for SCHED_OTHER",
        "cumulative_slack": "what rt-app logs of its timers",
        "io_device": "of `iorun`, which is refused",
        "mem_buffer_size": "of `mem` and `iorun`, which are refused",
    },
)
TASK = Subset(
    done={
        "loop": "",
        "cpus": "",
        "policy": "SCHED_OTHER; others are refused",
        "priority": "nice",
        "instance": "threads of one name, as in rt-app 1.0",
        "delay": "",
        "phases": "",
    },
    refused=dict.fromkeys(("dl-runtime", "dl-period", "dl-deadline"), _DEADLINE),
    no_effect={},
)
PHASE = Subset(done={"loop": "", "cpus": ""}, refused={}, no_effect={})
EVENT = Subset(
    done={
        "run": "",
        "runtime": "",
        "sleep": "",
        "timer": "",
        "suspend": "",
        "resume": "",
        "yield": "",
        "lock": "",
        "unlock": "",
        "wait": "",
        "signal": "",
        "broad": "",
        "sync": "signal, then wait",
        "barrier": "",
    },
    refused={
        "mem": "what memory costs is not simulated",
        "iorun": "writing to a device is not simulated",
    },
    no_effect={},
)


def builtin_reasons(file: RtApp) -> tuple[str, ...]:
    """Why the embedded simulator would not run this file as rt-app does, one reason a key with its tasks."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in file.settings:
        if key in GLOBAL.refused:
            found[f"{key}: {GLOBAL.refused[key]}"].append("global")
    if file.settings.get("pi_enabled") is True:
        found["pi_enabled: inheriting of priorities is not simulated"].append("global")
    for task in file.tasks:
        policy = task.keys.get("policy", file.settings.get("default_policy", POLICIES[0]))
        if policy != POLICIES[0]:
            found[f"policy {policy}: {_NOT_OTHER}"].append(task.name)
        for key, why in (*_keys(task), *_events(task)):
            found[f"{key}: {why}"].append(task.name)
    return tuple(f"{reason} ({', '.join(dict.fromkeys(names))})" for reason, names in found.items())


def _keys(task: Task) -> list[tuple[str, str]]:
    return [(key, TASK.refused[key]) for key in task.keys if key in TASK.refused]


def _events(task: Task) -> list[tuple[str, str]]:
    return [(e.kind, EVENT.refused[e.kind]) for e in task.events if e.kind in EVENT.refused]


def builtin_refusal(workload: Workload) -> tuple[str, ...]:
    """Why the embedded simulator cannot run this workload as the guest does, a reason each; () if it can."""
    if workload.file is None:
        return ("a command: only rt-app files say what their tasks do",)
    reasons = builtin_reasons(read_rtapp(workload.file))
    capped = [group.name for group in workload.cgroups if "cpu.max" in group.settings]
    if capped:
        reasons += (f"cpu.max: bandwidth of cgroups is not simulated ({', '.join(capped)})",)
    return reasons

# SPDX-License-Identifier: MIT
"""The `host` launcher: no virtual machine; the agent runs on this machine, as root, on its own kernel.

It is used only where a configuration names the machine. Nothing is mounted and nothing powered off: what
the agent needs (cgroup v2, tracing) must be there. Whatever ends a job, neither its processes nor its
cpuset partition stay; when this process is killed as well, the agent and its children die, theirs may not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import time
from pathlib import Path

from scxval.agent.cpus import cgroup_root
from scxval.agent.cpuset import NAME
from scxval.catalog.matrix import memory_mib
from scxval.catalog.model import Machine
from scxval.catalog.rtapp import LOGDIR
from scxval.errors import ScxvalError
from scxval.tracers.btf import function_names
from scxval.vm.launch import Guest, VmSpec

NO_VM = "no virtual machine: ran on this machine itself"
# There is nothing to boot.
NO_GUEST = Guest(Path(os.devnull), Path(os.devnull), Path(os.devnull))
# Where a guest's agent keeps traces; rt-app files name it as their logdir.
GUEST_RAW = str(Path(LOGDIR).parent)
BTF = Path("/sys/kernel/btf/vmlinux")


def argv(spec: VmSpec) -> list[str]:
    """The agent's command; it and its children die with the process that starts it."""
    return [
        "env",
        f"PYTHONPATH={spec.inputs}",
        _mark(spec),
        *(sys.executable, "-B", "-m", "scxval.agent"),
        *(str(spec.inputs), str(spec.out), str(_raw(spec))),
    ]


def version() -> str:
    """What stands for a launcher's version in the provenance record."""
    return NO_VM


def prepare(spec: VmSpec) -> VmSpec:
    """Give the job a folder of its own for traces. Raises ScxvalError unless this is root."""
    if os.geteuid() != 0:
        raise ScxvalError(
            f"machine {spec.machine.name} runs the cell on this machine itself and needs root: "
            "run as root, or name a virtual machine"
        )
    _raw(spec).mkdir()
    for file in spec.inputs.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(GUEST_RAW, str(_raw(spec))), encoding="utf-8")
    return spec


def _raw(spec: VmSpec) -> Path:
    return spec.work / "raw"


def here(machine: Machine) -> Machine:
    """The machine with the CPUs and the memory that this process may use."""
    return dataclasses.replace(machine, vcpus=len(os.sched_getaffinity(0)), memory_mib=memory_mib())


def functions() -> frozenset[str]:
    """This kernel's function names; none where it has no type information."""
    return function_names(BTF.read_bytes()) if BTF.exists() else frozenset()


def clean_up(spec: VmSpec) -> None:
    """Kill what a job left running, and remove the partition of an agent that was killed."""
    root = cgroup_root()
    for _ in range(50):
        left = _processes(spec)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            if root is not None:
                (root / NAME).rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            left.append(0)
        if not left:
            return
        time.sleep(0.1)


def _processes(spec: VmSpec) -> list[int]:
    """Processes with the environment that this job's agent was started with."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if _mark(spec).encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _mark(spec: VmSpec) -> str:
    return f"SCXVAL_DIE_WITH_AGENT={spec.inputs}"

# SPDX-License-Identifier: MIT
"""The records of the catalogue and the cell: one point of scheduler x workload x tracer x ..."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scxval.catalog.outcomes import Outcome

AXES = ("scheduler", "workload", "tracer", "isolation", "machine")


@dataclass(frozen=True)
class Scheduler:
    """A scheduler: the kernel's own (`kernel`), one of its tree's tools, or one from a crate.

    `ops` is a regular expression that the whole of /sys/kernel/sched_ext/root/ops must match. `files` lie
    in the guest's {in} folder, where `args` may name them. `stats`: it answers on the scx_stats socket.
    """

    name: str
    source: Literal["kernel", "tree", "crate"]
    about: str
    binary: str = ""
    ops: str = ""
    args: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    min_vcpus: int = 1
    even_vcpus: bool = False
    crate_version: str = ""
    stats: bool = False

    @property
    def is_sched_ext(self) -> bool:
        """True unless this is the kernel's built-in scheduler."""
        return self.source != "kernel"


@dataclass(frozen=True)
class Cgroup:
    """A cgroup for a part of a workload: tasks of its rt-app file, or a command.

    `settings` are files of cgroup v2 and what is written to them, such as cpu.weight.
    """

    name: str
    settings: dict[str, str]
    tasks: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A number that a command prints: `pattern` finds it in workload.log by its one group."""

    name: str
    pattern: str
    unit: str


@dataclass(frozen=True)
class Workload:
    """A workload with the question it asks: an rt-app file, or a command run in the guest.

    With `cgroups`, it is run in parts, each in its cgroup. `cpus` are those that the file binds tasks to.
    """

    name: str
    kind: Literal["rt-app", "command"]
    about: str
    file: Path | None = None
    argv: tuple[str, ...] = ()
    cgroups: tuple[Cgroup, ...] = ()
    result: Result | None = None
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tracer:
    """A tracer: `module` names the folder under scxval.tracers, or "" for no tracer.

    `raw_mib` is what a cell's raw files take on disk at most, for the check before a sweep. The program is
    in the guest's image, or is `binary`: of a crate, or of this host (a path, or a name on PATH).
    """

    name: str
    module: str
    about: str
    options: dict[str, int | str | bool] = field(default_factory=dict)
    raw_mib: int = 16
    source: Literal["image", "crate", "host"] = "image"
    binary: str = ""
    crate_version: str = ""


@dataclass(frozen=True)
class Simulator:
    """A simulator: `module` names the part of scxval.simulate. An external one is `binary`, a path or a
    name on PATH; `options` are its own settings.
    """

    name: str
    module: Literal["builtin", "scxsim"]
    about: str
    binary: str = ""
    options: dict[str, int | str | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Isolation:
    """How the tracer is kept off the workload's CPUs: `tracer_cpus` CPUs at the end, or none."""

    name: str
    kind: Literal["none", "taskset", "cpuset", "isolcpus"]
    about: str
    tracer_cpus: int = 0


@dataclass(frozen=True)
class Kernel:
    """A guest kernel: the newest of a version (7.2, or exactly 7.2.12) in a Debian suite."""

    name: str
    about: str
    suite: str
    version: str


@dataclass(frozen=True)
class Machine:
    """A virtual machine. `kernel` names an entry of kernels.yaml; `cmdline` is added to that kernel's
    command line. `boot: snapshot` goes on from the saved state of a booted guest. `llcs` last-level caches
    with equally many cores, `threads` hardware threads a core. With the launcher icount an instruction takes
    2**icount_shift ns. The launcher host is no virtual machine: accelerator none, no cmdline, and 0 vcpus
    until it is known where the cell runs; `kernel` is the one that the tree's schedulers are built for.
    """

    name: str
    accelerator: Literal["kvm", "tcg", "none"]
    about: str
    kernel: str
    vcpus: int
    memory_mib: int
    launcher: Literal["qemu", "vng", "icount", "host"] = "qemu"
    boot: Literal["cold", "snapshot"] = "cold"
    cmdline: str = ""
    llcs: int = 1
    threads: int = 1
    icount_shift: int = 0

    @property
    def not_for_smp_timing(self) -> str:
        """Why times on several of its CPUs say nothing about a real machine; "" when they may."""
        if self.launcher == "icount":
            return (
                "icount: the vCPUs take turns in one thread, so that a busy one gets 1/N of the "
                "machine and sees the others' turns as its own run time; time counts instructions"
            )
        return ""


@dataclass(frozen=True, order=True)
class Cell:
    """One point of the matrix; its path holds every axis value."""

    scheduler: str
    workload: str
    tracer: str
    isolation: str
    machine: str
    rep: int

    @property
    def path(self) -> str:
        """scheduler/workload/tracer/isolation/machine/rep<k>, as under results/runs/."""
        return "/".join([*self.group, f"rep{self.rep}"])

    @property
    def group(self) -> tuple[str, str, str, str, str]:
        """The cell without its repetition: what repetitions are grouped by."""
        return (self.scheduler, self.workload, self.tracer, self.isolation, self.machine)


@dataclass(frozen=True)
class Excluded:
    """A cell that cannot exist, decided before anything ran, and why."""

    cell: Cell
    outcome: Outcome
    reason: str


def cell_from_path(path: str) -> Cell:
    """Read a cell back from `Cell.path`, leading folders such as results/runs/ allowed.

    Raises ValueError when the last six components are not a cell.
    """
    parts = path.strip("/").split("/")[-6:]
    if len(parts) != 6 or not parts[5].startswith("rep") or not parts[5][3:].isdigit():
        raise ValueError(
            f"not a cell: {path!r}; expected scheduler/workload/tracer/isolation/machine/rep<k>"
        )
    return Cell(parts[0], parts[1], parts[2], parts[3], parts[4], int(parts[5][3:]))

# SPDX-License-Identifier: MIT
"""What the kernel says of its CPUs: which are online, isolated, and share caches or a core."""

from __future__ import annotations

from pathlib import Path

from scxval.agent.scx import read_text

SYSFS = Path("/sys/devices/system/cpu")


def parse_list(text: str) -> list[int]:
    """The kernel's `0-2,5` as [0, 1, 2, 5]."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            cpus += range(int(first), int(last or first) + 1)
    return cpus


def online(root: Path = SYSFS) -> list[int]:
    """CPUs that are online."""
    return parse_list(read_text(root / "online"))


def isolated(root: Path = SYSFS, groups: Path | None = None) -> list[int]:
    """CPUs in no scheduling domain: the fair class balances over the others only.

    By isolcpus= (sysfs), and by cpuset partitions of the cgroup v2 tree `groups`.
    """
    by_partition = read_text(groups / "cpuset.cpus.isolated") if groups else ""
    return sorted({*parse_list(read_text(root / "isolated")), *parse_list(by_partition)})


def cgroup_root(mounts: Path = Path("/proc/mounts")) -> Path | None:
    """Where cgroup v2 is mounted; None where it is not."""
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(folder)
    return None


def sharing(root: Path = SYSFS) -> dict[str, list[str]]:
    """Groups of CPUs: `llcs` share a last-level cache, `cores` are one core's threads.

    Empty where the machine does not say.
    """
    llcs: dict[str, None] = {}
    cores: dict[str, None] = {}
    for cpu in online(root):
        folder = root / f"cpu{cpu}"
        # index0 to index3: L1 data, L1 instructions, L2, L3.
        last = max((folder / "cache").glob("index[0-9]"), default=folder)
        llcs[read_text(last / "shared_cpu_list")] = None
        cores[read_text(folder / "topology/thread_siblings_list")] = None
    return {"llcs": [g for g in llcs if g], "cores": [g for g in cores if g]}


def frequency_drivers(root: Path = SYSFS) -> list[str]:
    """Drivers that can change a CPU's frequency; [] on a machine without, such as most guests."""
    found = {read_text(policy / "scaling_driver") for policy in (root / "cpufreq").glob("policy*")}
    return sorted(found - {""})

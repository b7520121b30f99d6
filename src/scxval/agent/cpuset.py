# SPDX-License-Identifier: MIT
"""A CPU set of the tracer's own: an isolated cpuset partition of cgroup v2.

Everything else stays in the root group, whose CPUs the kernel takes the partition's away from: so the
workload's place in the cgroup tree is the same with and without isolation. Works beside sched_ext,
which refuses isolcpus= (Documentation/admin-guide/cgroup-v2.rst, cpuset.cpus.partition).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scxval.agent.cpus import parse_list

NAME = "scxval-tracer"


class Partition:
    """The tracer's group; make it, put the tracer into `folder`, ask whether it holds, remove it."""

    def __init__(self, cpus: Sequence[int], root: Path) -> None:
        self.cpus = list(cpus)
        self.root = root
        self.folder = root / NAME
        self.was_off = False

    def make(self) -> str:
        """Make the partition; "" when the kernel accepted it, else what it says."""
        try:
            controllers = (self.root / "cgroup.controllers").read_text().split()
            if "cpuset" not in controllers:
                return f"no cpuset controller in {self.root / 'cgroup.controllers'}"
            subtree = self.root / "cgroup.subtree_control"
            self.was_off = "cpuset" not in subtree.read_text().split()
            subtree.write_text("+cpuset")
            self.folder.mkdir(exist_ok=True)
            (self.folder / "cpuset.cpus").write_text(",".join(map(str, self.cpus)))
            (self.folder / "cpuset.cpus.partition").write_text("isolated")
        except OSError as error:
            return str(error)
        return self.problem()

    def problem(self) -> str:
        """Why the partition does not hold (the kernel drops one whose CPUs go away), "" if it does."""
        try:
            state = (self.folder / "cpuset.cpus.partition").read_text().strip()
            effective = (self.folder / "cpuset.cpus.effective").read_text().strip()
        except OSError as error:
            return str(error)
        # A partition of CPUs that are offline counts as valid, and has no CPU.
        if state == "isolated" and parse_list(effective) == self.cpus:
            return ""
        return f"cpuset.cpus.partition is {state!r}, its CPUs are {effective or 'none'}"

    def remove(self) -> None:
        """Give the CPUs back, and leave the root group as it was; the tracer must have ended."""
        if self.folder.is_dir():
            self.folder.rmdir()
        if self.was_off:
            (self.root / "cgroup.subtree_control").write_text("-cpuset")

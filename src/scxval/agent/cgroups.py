# SPDX-License-Identifier: MIT
"""Cgroups for the parts of a workload, by plain cgroup v2 files. The tracer stays outside of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def make_cgroup(name: str, settings: Mapping[str, str], parent: Path = ROOT) -> Path:
    """Make a child of `parent` with the CPU controller and write its settings; its folder.

    Raises OSError for what the kernel refuses.
    """
    (parent / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
    folder = parent / name
    folder.mkdir()
    for file, value in settings.items():
        (folder / file).write_text(value, encoding="ascii")
    return folder


def save_cpu_stat(cgroup: Path, folder: Path) -> None:
    """Keep what the kernel accounted to a cgroup: cgroup-<name>.cpu.stat."""
    text = (cgroup / "cpu.stat").read_text(encoding="ascii")
    (folder / f"cgroup-{cgroup.name}.cpu.stat").write_text(text, encoding="ascii")

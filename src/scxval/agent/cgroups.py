# SPDX-License-Identifier: MIT
"""Cgroups for the parts of a workload, by plain cgroup v2 files. The tracer stays outside of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def make_cgroup(name: str, settings: Mapping[str, str], parent: Path = ROOT) -> Path:
    """Make a child of `parent` with the CPU controller and write its settings; its folder.

    Raises OSError, with the file's name, for what the kernel refuses.
    """
    _write(parent / "cgroup.subtree_control", "+cpu")
    folder = parent / name
    folder.mkdir()
    for file, value in settings.items():
        _write(folder / file, value)
    return folder


def save_cpu_stat(cgroup: Path, folder: Path) -> None:
    """Keep what the kernel accounted to a cgroup: cgroup-<name>.cpu.stat."""
    text = (cgroup / "cpu.stat").read_text(encoding="ascii")
    (folder / f"cgroup-{cgroup.name}.cpu.stat").write_text(text, encoding="ascii")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        # The kernel refuses the write, not the opening, and Python then has no name.
        raise OSError(error.errno, error.strerror, str(path)) from error

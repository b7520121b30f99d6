# SPDX-License-Identifier: MIT
"""Disk and memory: what a sweep needs, what this host has, and the one line when that is too little.

A full disk is no outcome: a guest whose files were cut short would look like a scheduler's fault. So a
machine is stopped, and its job fails, while there is still room to say so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scxval.catalog.combination import tracer_parts
from scxval.catalog.load import Catalog
from scxval.catalog.model import Cell, Machine, Tracer
from scxval.errors import HarnessError

# Kept free while a machine runs: enough for the records of how it ended.
FLOOR_MIB = 64
# Logs, event table, metrics and provenance of a cell; measured: below 1 MiB.
BESIDES_MIB = 2
# What QEMU takes beside the guest's memory. Measured: 237 MiB at most with a guest of 2 emulated CPUs that
# had used all of its 384 MiB; translated code grows with what runs.
QEMU_MIB = 320


@dataclass(frozen=True)
class Space:
    """An amount of disk and of memory, needed or there."""

    disk_mib: int
    memory_mib: int


def needed(cells: Iterable[Cell], catalog: Catalog, machines_at_once: int) -> Space:
    """What these cells need: all of their files, and the memory of the largest machines at once.

    A cell's raw files are estimated by its tracers' `raw_mib` (config/catalog/tracers.yaml says from
    what they were measured). `machines_at_once` is of this host: 0 where they run elsewhere.
    """
    cells = list(cells)
    if not cells:
        return Space(0, 0)
    parts = (tracer_parts(cell.tracer, catalog.tracers) for cell in cells)
    disk = sum(raw_mib(tracers) + BESIDES_MIB for tracers in parts)
    memory = sorted((memory_of(catalog.machines[c.machine]) for c in cells), reverse=True)
    return Space(disk + FLOOR_MIB, sum(memory[:machines_at_once]))


def raw_mib(tracers: Iterable[Tracer]) -> int:
    """Disk in MiB that the raw files of a cell with these tracers take at most."""
    return sum(tracer.raw_mib for tracer in tracers)


def memory_of(machine: Machine) -> int:
    """Host memory in MiB that a machine can come to take."""
    return machine.memory_mib + QEMU_MIB


def available(folder: Path) -> Space:
    """Free disk below a folder (or its nearest parent that exists), and memory free or reclaimable."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return Space(shutil.disk_usage(there).free >> 20, available_memory_mib())


def available_memory_mib() -> int:
    """MemAvailable of /proc/meminfo: what can be taken without swapping (Linux 3.14 and later)."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) >> 10
    raise HarnessError("/proc/meminfo has no MemAvailable")


def shortage(need: Space, have: Space, folder: Path) -> str:
    """One line with what is short and what to do; "" when there is enough."""
    lacks = []
    if have.disk_mib < need.disk_mib:
        lacks.append(
            f"{need.disk_mib} MiB of disk, {have.disk_mib} MiB are free in {folder}: free some, ask "
            "for fewer cells, or use another --directory"
        )
    if have.memory_mib < need.memory_mib:
        lacks.append(
            f"{need.memory_mib} MiB of memory, {have.memory_mib} MiB are available: end other "
            "programs, or choose a machine with less memory_mib or fewer vm_slots"
        )
    return f"needed: {'; needed: '.join(lacks)}" if lacks else ""


def require(need: Space, folder: Path) -> None:
    """Raises HarnessError with that line when this host has too little now."""
    lacks = shortage(need, available(folder), folder)
    if lacks:
        raise HarnessError(lacks)


def require_floor(folder: Path) -> None:
    """Raises HarnessError when a disk that a guest writes to is (nearly) full."""
    free = shutil.disk_usage(folder).free >> 20
    if free < FLOOR_MIB:
        raise HarnessError(
            f"disk full: {free} MiB are left in {folder}, a run stops below {FLOOR_MIB} MiB; free "
            "some space and run the same command again"
        )


def require_for_sweep(
    cells: Iterable[Cell], catalog: Catalog, machines_at_once: int, folder: Path
) -> None:
    """The check before a sweep's first job. Raises HarnessError."""
    require(needed(cells, catalog, machines_at_once), folder)

# SPDX-License-Identifier: MIT
"""Disk and memory before a sweep: the estimate, what this host has, the one line."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.errors import HarnessError
from scxval.vm.space import (
    BESIDES_MIB,
    FLOOR_MIB,
    QEMU_MIB,
    Space,
    available,
    needed,
    require_for_sweep,
    shortage,
)

from .test_outcomes import spec_of


def test_a_sweep_needs_all_disk_and_its_largest_machines(fault_config: Config) -> None:
    catalog = fault_config.catalog
    small, large = (spec_of(fault_config, machine=m).cell for m in ("hung2", "tcg4"))
    traced = spec_of(fault_config, machine="hung2", tracer="bpftrace").cell
    cells = [small, traced, large, small]
    raw = 3 * catalog.tracers["none"].raw_mib + catalog.tracers["bpftrace"].raw_mib
    one, two = (needed(cells, catalog, slots) for slots in (1, 2))
    assert one.disk_mib == two.disk_mib == raw + 4 * BESIDES_MIB + FLOOR_MIB
    assert one.memory_mib == 2048 + QEMU_MIB
    assert two.memory_mib == 2048 + 512 + 2 * QEMU_MIB
    assert needed([], catalog, 1) == Space(0, 0)


def test_an_estimate_decides_nothing_of_a_run(fault_config: Config) -> None:
    spec = spec_of(fault_config, tracer="bpftrace")
    (tracer,) = spec.tracers
    more = dataclasses.replace(spec, tracers=(dataclasses.replace(tracer, raw_mib=999),))
    assert more.to_json() == spec.to_json()


def test_what_is_there(tmp_path: Path) -> None:
    have = available(tmp_path / "not" / "yet")
    assert abs(have.disk_mib - (shutil.disk_usage(tmp_path).free >> 20)) < 1024
    assert 0 < have.memory_mib < 1 << 24


@pytest.mark.parametrize(
    ("have", "says"),
    [
        (Space(100, 100), []),
        (Space(99, 100), ["needed: 100 MiB of disk, 99 MiB are free in /there: free some"]),
        (Space(100, 9), ["needed: 100 MiB of memory, 9 MiB are available: end other programs"]),
        (Space(1, 1), ["MiB of disk", "MiB of memory"]),
    ],
)
def test_a_shortage_is_one_line(have: Space, says: list[str]) -> None:
    line = shortage(Space(100, 100), have, Path("/there"))
    assert bool(line) == bool(says)
    assert all(text in line for text in says)
    assert "\n" not in line


def test_a_sweep_that_does_not_fit_is_refused(fault_config: Config, tmp_path: Path) -> None:
    cell = spec_of(fault_config, tracer="bpftrace").cell
    require_for_sweep([cell], fault_config.catalog, 1, tmp_path)
    with pytest.raises(HarnessError, match="MiB of disk"):
        require_for_sweep([cell] * 10_000_000, fault_config.catalog, 1, tmp_path)

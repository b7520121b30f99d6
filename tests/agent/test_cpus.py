# SPDX-License-Identifier: MIT
"""CPU lists, and what this host says of its own CPUs; isolated ones are in tests/vm/test_isolation.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scxval.agent.cpus import cgroup_root, frequency_drivers, isolated, online, parse_list, sharing


@pytest.mark.parametrize(
    ("text", "cpus"), [("", []), ("0", [0]), ("0-2,5\n", [0, 1, 2, 5]), ("3,8-9", [3, 8, 9])]
)
def test_lists(text: str, cpus: list[int]) -> None:
    assert parse_list(text) == cpus


def test_this_host() -> None:
    everyone = online()
    assert len(everyone) == os.sysconf("SC_NPROCESSORS_ONLN")
    assert set(isolated(groups=cgroup_root())) <= set(everyone)
    groups = sharing()
    # Every CPU is a thread of one core.
    assert sorted(cpu for core in groups["cores"] for cpu in parse_list(core)) == everyone


def test_frequency_drivers(tmp_path: Path) -> None:
    assert frequency_drivers(tmp_path) == []
    for policy, driver in ((0, "acpi-cpufreq\n"), (4, "acpi-cpufreq\n"), (8, "")):
        folder = tmp_path / f"cpufreq/policy{policy}"
        folder.mkdir(parents=True)
        (folder / "scaling_driver").write_text(driver)
    assert frequency_drivers(tmp_path) == ["acpi-cpufreq"]

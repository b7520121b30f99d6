# SPDX-License-Identifier: MIT
"""A guest whose state is saved once: tests that are not about booting go on from it in a second."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.catalog.model import Machine
from scxval.vm.job import idle_job, write_job
from scxval.vm.launch import Guest, VmSpec
from scxval.vm.snapshot import save


def spec_in(machine: Machine, guest: Guest, folder: Path) -> VmSpec:
    write_job(idle_job(), folder / "in")
    (folder / "out").mkdir()
    return VmSpec(machine, guest.absolute(), folder / "in", folder / "out", folder)


@pytest.fixture(scope="session")
def saved(fault_config: Config, guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    """The guest of restored2 with its state."""
    folder = tmp_path_factory.mktemp("state")
    spec = spec_in(fault_config.catalog.machines["restored2"], guest, folder)
    save(spec, folder / "state", limit_s=90)
    return dataclasses.replace(guest, state=folder / "state")

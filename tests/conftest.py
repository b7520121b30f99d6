# SPDX-License-Identifier: MIT
"""What tests share: the checkout, its provisioned guest, and a configuration with the faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from scxval.catalog.config import Config, parse_config, read_config_files
from scxval.vm.launch import Guest

ROOT = Path(__file__).resolve().parents[1]
RESOURCES = ROOT / "resources"
# The kernel of every machine that tests use, but for those about kernels.
KERNEL = "debian-7.2"

# A busy machine is no fault of an example's: no test is timed.
settings.register_profile("scxval", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("scxval")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are named after their argument: packed bytes may hold the time, and two xdist workers
    that name a test differently refuse to start."""
    del config
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def raw_config() -> dict[str, Any]:
    return read_config_files([ROOT / "config/config.yaml"])


@pytest.fixture(scope="session")
def fault_config(raw_config: dict[str, Any]) -> Config:
    """The shipped configuration, with tests/faults as a second catalogue."""
    return parse_config({**raw_config, "catalog": ["config/catalog", "tests/faults"]}, ROOT)


@pytest.fixture(scope="session")
def guest() -> Guest:
    """The provisioned guest. A checkout without one fails: `make test` provisions first."""
    folder = RESOURCES / "kernel" / KERNEL
    files = Guest(folder / "vmlinux", folder / "initramfs.cpio", RESOURCES / "guest/guest.erofs")
    for path in (files.kernel, files.initramfs, files.image):
        assert path.exists(), (
            f"{path} is missing: run `make provision`, or deselect with -m 'not vm'"
        )
    return files

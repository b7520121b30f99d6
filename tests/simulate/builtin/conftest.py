# SPDX-License-Identifier: MIT
"""The native libraries: those that are provisioned, or built now when they are of other sources."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scxval.files import sha256
from scxval.provision.settings import settings_from
from scxval.provision.simulators import BUILTIN, build_simulators
from tests.conftest import KERNEL, RESOURCES
from tests.simulate.builtin.checked import Checked

TREE_SCHEDULERS = [
    "scx_central",
    "scx_cpu0",
    "scx_flatcg",
    "scx_pair",
    "scx_qmap",
    "scx_sdt",
    "scx_simple",
    "scx_userland",
]


def is_of_this_checkout(folder: Path) -> bool:
    if not (folder / "models.json").exists():
        return False
    sources = json.loads((folder / "models.json").read_text())["sources"]
    own = {path.removeprefix("builtin/") for path in sources if path.startswith("builtin/")}
    return all(
        (BUILTIN / path).exists() and sha256(BUILTIN / path) == sources[f"builtin/{path}"]
        for path in own
    ) and own >= {str(f.relative_to(BUILTIN)) for f in BUILTIN.rglob("*.[ch]")}


@pytest.fixture(scope="session")
def simulators(raw_config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the libraries of KERNEL; xdist's workers share one build."""
    provisioned = RESOURCES / "simulators" / KERNEL
    if is_of_this_checkout(provisioned):
        return provisioned
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder = shared / "simulators"
    with (shared / "simulators.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_of_this_checkout(folder):
            build_simulators(
                settings_from(raw_config["provision"]),
                RESOURCES / "buildroot/root.tar",
                RESOURCES / "kernel" / KERNEL,
                TREE_SCHEDULERS,
                folder,
            )
    return folder


@pytest.fixture(scope="session")
def checked(simulators: Path) -> Callable[..., Checked]:
    """Makes a fresh instance of the checked library: `checked(nr_cpus)`."""
    return lambda nr_cpus=4: Checked(simulators / "checked.so", nr_cpus)

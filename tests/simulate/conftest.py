# SPDX-License-Identifier: MIT
"""What tests of simulations share: the compiled libraries, the catalogue, and one way to ask."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import parse_config, read_config_files
from scxval.catalog.load import Catalog
from scxval.catalog.model import Workload
from scxval.files import sha256
from scxval.provision.simulators import BUILTIN
from scxval.simulate.base import Request, library_name
from scxval.simulate.parameters import Parameters

from ..conftest import KERNEL, RESOURCES, ROOT


@pytest.fixture(scope="session")
def libraries() -> Path:
    """The compiled libraries: those of `make provision`, or of the folder that SCXVAL_SIMULATORS names."""
    folder = Path(os.environ.get("SCXVAL_SIMULATORS", RESOURCES / "simulators")) / KERNEL
    assert (folder / "models.so").exists(), f"{folder}/models.so is missing: run `make provision`"
    built = json.loads((folder / "models.json").read_text())["sources"]
    own = {f"builtin/{file.relative_to(BUILTIN)}": sha256(file) for file in BUILTIN.rglob("*.[ch]")}
    assert own.items() <= built.items(), f"{folder} is of other sources: run `make provision`"
    return folder


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return parse_config(read_config_files([ROOT / "config/config.yaml"]), ROOT).catalog


@pytest.fixture
def ask(libraries: Path, catalog: Catalog) -> Callable[..., Request]:
    """A request for one simulation of 1 s; an rt-app file or a workload's name, and changes."""

    def make(scheduler: str, workload: str | Path, **changes: Any) -> Request:
        entry = catalog.schedulers[scheduler]
        of = (
            Workload(workload.stem, "rt-app", "a test's", file=workload)
            if isinstance(workload, Path)
            else catalog.workloads[workload]
        )
        request = Request(
            simulator=catalog.simulators["builtin"],
            scheduler=entry,
            workload=of,
            machine=catalog.machines["tcg4"],
            seed=1,
            seconds=1,
            parameters=Parameters(),
            library=libraries / f"{library_name(entry)}.so",
            spare_cpus=1,
            limit_s=60,
        )
        return replace(request, **changes)

    return make

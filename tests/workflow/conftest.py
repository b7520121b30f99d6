# SPDX-License-Identifier: MIT
"""A working folder beside the checkout: its own results, the checkout's configuration and guest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..conftest import RESOURCES, ROOT


@dataclass(frozen=True)
class Workdir:
    """Runs Snakemake in a folder, as a user does."""

    path: Path

    def snakemake(self, *args: str, limit_s: int = 600) -> subprocess.CompletedProcess[str]:
        """One call of the command line; output and errors in `stdout`."""
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile")),
            *("--directory", str(self.path), *args),
        ]
        # Without the environment's bin folder on PATH, as when it was not activated.
        environment = {**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
            check=False,
            cwd=self.path,
            env=environment,
        )

    def runs(self) -> dict[str, Path]:
        """Cells with a status."""
        top = self.path / "results/runs"
        found = sorted(top.rglob("status.json"))
        return {str(file.parent.relative_to(top)): file for file in found}


@pytest.fixture(scope="session")
def make_workdir(tmp_path_factory: pytest.TempPathFactory):
    def make(name: str) -> Workdir:
        path = tmp_path_factory.mktemp(name)
        for shared in ("config", "envs"):
            (path / shared).symlink_to(ROOT / shared)
        assert RESOURCES.exists(), "run `make provision` first, or deselect with -m 'not workflow'"
        (path / "resources").symlink_to(RESOURCES)
        (path / "faults").symlink_to(ROOT / "tests/faults")
        return Workdir(path)

    return make

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

    def command(self, *args: str) -> list[str]:
        snakemake = [sys.executable, "-m", "snakemake"]
        snakefile = ["--snakefile", str(ROOT / "workflow/Snakefile")]
        return [*snakemake, *snakefile, "--directory", str(self.path), *args]

    def environment(self) -> dict[str, str]:
        # Without the environment's bin folder on PATH, as when it was not activated.
        return {**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin"}

    def snakemake(self, *args: str, limit_s: int = 600) -> subprocess.CompletedProcess[str]:
        """One call of the command line; output and errors in `stdout`."""
        return subprocess.run(
            self.command(*args),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
            check=False,
            cwd=self.path,
            env=self.environment(),
        )

    def start(self, *args: str) -> subprocess.Popen[str]:
        """The same call, in the background and in a process group of its own."""
        log = (self.path / "snakemake.log").open("w")
        return subprocess.Popen(
            self.command(*args),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.path,
            env=self.environment(),
            start_new_session=True,
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

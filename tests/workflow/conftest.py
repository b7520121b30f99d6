# SPDX-License-Identifier: MIT
"""A working folder beside the checkout: its own results, the checkout's configuration and guest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..conftest import RESOURCES, ROOT
from ..processes import machines_below, wait_for


@dataclass(frozen=True)
class Workdir:
    """Runs Snakemake in a folder, as a user does."""

    path: Path
    snakefile: Path = ROOT / "workflow/Snakefile"

    def command(self, *args: str) -> list[str]:
        snakemake = [sys.executable, "-m", "snakemake"]
        snakefile = ["--snakefile", str(self.snakefile)]
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
        with (self.path / "snakemake.log").open("w") as log:
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


def copy_runs(runs: Path, to: Path) -> None:
    """Copy what was run, and nothing that was made from it."""
    for status in runs.rglob("status.json"):
        folder = to / status.parent.relative_to(runs)
        shutil.copytree(status.parent / "raw", folder / "raw")
        for name in ("status.json", "provenance.json"):
            shutil.copy2(status.parent / name, folder / name)


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


# A sweep with every stage in it, of three machines.
EVERY_STAGE = [
    "scheduler=scx_simple",
    "baseline=scx_simple",
    "tracer=[none,bpftrace]",
    "machine=tcg2",
    "reps=1",
]


@dataclass(frozen=True)
class Stop:
    """How a sweep is ended while a rule's job runs: Snakemake alone, or all (`group`) as by Ctrl-C."""

    rule: str
    by: signal.Signals
    group: bool

    def end(self, process: subprocess.Popen[str]) -> None:
        """End it, and wait for that."""
        if self.group:
            os.killpg(process.pid, self.by)
        else:
            process.send_signal(self.by)
        process.wait(120)


# In the order of the stages; a run twice, as it is the one that a machine may outlive.
STOPS = (
    Stop("run_cell", signal.SIGKILL, group=True),
    Stop("run_cell", signal.SIGINT, group=True),
    Stop("convert", signal.SIGINT, group=False),
    Stop("measure", signal.SIGTERM, group=False),
    Stop("simulate", signal.SIGKILL, group=False),
    Stop("compare_pair", signal.SIGTERM, group=True),
    Stop("study", signal.SIGINT, group=True),
    Stop("report", signal.SIGKILL, group=True),
)


@pytest.fixture(scope="session")
def stopped(make_workdir) -> Workdir:
    """A sweep that was stopped at every stage, and each time went on with the same command."""
    workdir: Workdir = make_workdir("stopped")
    command = ("--config", *EVERY_STAGE)
    left = list(STOPS)
    while True:
        started = time.time()
        process = workdir.start(*command)
        try:
            stop = _reached(workdir.path, process, started, left)
            if stop is None:
                break
            stop.end(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        left.remove(stop)
        assert process.returncode != 0, stop
        assert wait_for(lambda: not machines_below(workdir.path), 20), f"{stop}: a machine goes on"
        if stop.by == signal.SIGKILL:
            assert workdir.snakemake("--unlock", *command).returncode == 0
    assert process.returncode == 0, (workdir.path / "snakemake.log").read_text()
    assert left == []
    return workdir


def _reached(
    folder: Path, process: subprocess.Popen[str], since: float, stops: list[Stop]
) -> Stop | None:
    """The first stop whose rule has a job that began since; None when the sweep ended before."""

    def at() -> Stop | None:
        return next((stop for stop in stops if _began(folder / "logs", stop.rule, since)), None)

    assert wait_for(lambda: process.poll() is not None or at(), 300)
    return None if process.poll() is not None else at()


def _began(logs: Path, rule: str, since: float) -> bool:
    """Whether a job of a rule has a log that was begun since."""
    files = [logs / f"{rule}.log", *(logs / rule).rglob("*.log")]
    return any(file.exists() and file.stat().st_mtime >= since for file in files)

# SPDX-License-Identifier: MIT
"""What every launcher has in common: the machine to start, and watching it from start to end.

A guest can write to the job's output folder and nowhere else on the host; it dies with whoever started
it, and that one with the process above it. How each kind of machine is started: scxval.vm.launchers.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scxval.catalog.model import Machine
from scxval.errors import HarnessError
from scxval.vm.space import require_floor

POLL_S = 0.02
# How a mark of the agent begins (scxval.agent.clocks).
MARK = '{"mark":'
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Guest:
    """The files that a guest is booted from; `state` is of a booted one (scxval.vm.snapshot)."""

    kernel: Path
    initramfs: Path
    image: Path
    state: Path | None = None

    def absolute(self) -> Guest:
        """The same with absolute paths."""
        state = self.state.resolve() if self.state else None
        return Guest(self.kernel.resolve(), self.initramfs.resolve(), self.image.resolve(), state)


def guest_arguments(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add --kernel, --initramfs, --image and --state; with `nargs` "?" a rule may leave them empty."""
    for name in ("kernel", "initramfs", "image"):
        parser.add_argument(f"--{name}", type=Path, required=True, nargs=nargs)
    parser.add_argument("--state", type=Path, nargs="?", help="the state of a booted guest")


def guest_from(args: argparse.Namespace) -> Guest:
    """The guest of `guest_arguments`."""
    return Guest(args.kernel, args.initramfs, args.image, args.state)


@dataclass(frozen=True)
class VmSpec:
    """One start of a machine; `inputs` is shared read-only, `out` read-write; absolute paths.

    `work` is for a launcher's own files: not shared with the guest, gone after the run.
    """

    machine: Machine
    guest: Guest
    inputs: Path
    out: Path
    work: Path
    cmdline: str = ""


@dataclass(frozen=True)
class VmExit:
    """How a machine ended. `boot_s` is launch to the job's first line, None if it never came."""

    exit_code: int | None
    timed_out: bool
    total_s: float
    boot_s: float | None


def kernel_cmdline(extra: str = "") -> str:
    """The guest's command line.

    panic=-1 with -no-reboot ends QEMU at once; oops=panic makes a broken kernel a panic and not a
    measurement. no_timer_check, which a KVM guest has anyway: an emulated guest whose host is busy can
    miss the ticks of that check, and panics with `IO-APIC + timer doesn't work!`.
    """
    base = "console=ttyS0 loglevel=4 panic=-1 no_timer_check oops=panic"
    return f"{base} {extra}".strip()


def launch(
    argv: list[str], out: Path, boot_s: float, total_s: float, parent: int | None = None
) -> VmExit:
    """Run a machine to its end, or kill it: at `boot_s` without a first line, at `total_s` anyway.

    `argv` is its launcher's, `out` the spec's. Raises HarnessError when it cannot be started, when the
    disk fills up, or when the process `parent` has ended: a killed Snakemake leaves its jobs running, and
    nobody would read the result.
    """
    begin = time.monotonic()
    boot: float | None = None
    timed_out = False
    parent_ended = ended(parent)
    with running(argv, out / "vm.log") as vm:
        while vm.poll() is None:
            waited = time.monotonic() - begin
            if boot is None and job_began(out):
                boot = waited
            if waited > total_s or (boot is None and waited > boot_s):
                timed_out = True
                break
            if parent_ended():
                raise HarnessError("the process that asked for this run is gone")
            require_floor(out)
            time.sleep(POLL_S)
    # What was written since the last look.
    require_floor(out)
    return VmExit(
        exit_code=None if timed_out else vm.returncode,
        timed_out=timed_out,
        total_s=time.monotonic() - begin,
        boot_s=boot,
    )


@contextmanager
def running(argv: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A machine's process, with its output in `log`; it does not outlive the block, nor this process.

    Raises HarnessError when it cannot be started.
    """
    with log.open("ab") as output:
        try:
            vm = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        except FileNotFoundError as error:
            raise HarnessError(f"{argv[0]} not found: run `scxval doctor`") from error
    try:
        yield vm
    finally:
        if vm.poll() is None:
            vm.kill()
        vm.wait()


def job_began(out: Path) -> bool:
    """Whether there is a first mark: in its own file, or on the console of a machine without one."""
    if (out / "agent.jsonl").exists():
        return True
    try:
        return MARK.encode() in (out / "console.log").read_bytes()
    except OSError:
        return False


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ended(pid: int | None) -> Callable[[], bool]:
    """A check whether a process has ended; it holds the process itself, not a number reused later."""
    if pid is None:
        return lambda: False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return lambda: True
    return lambda: bool(select.select([handle], [], [], 0)[0])

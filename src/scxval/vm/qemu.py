# SPDX-License-Identifier: MIT
"""The `qemu` launcher: kernel, small initramfs, read-only image under an overlay, one job folder.

No network, no udev, no shared state between machines. The guest can write to the job's output folder
and nowhere else on the host; it dies with its launcher, and the launcher with the process above it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import HarnessError

QEMU = "qemu-system-x86_64"
POLL_S = 0.02
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class VmSpec:
    """One virtual machine; `inputs` is shared read-only, `out` read-write."""

    accelerator: str
    vcpus: int
    memory_mib: int
    kernel: Path
    initramfs: Path
    image: Path
    inputs: Path
    out: Path
    cmdline: str = ""


@dataclass(frozen=True)
class VmExit:
    """How QEMU ended. `boot_s` is launch to the job's first line, None if it never came."""

    exit_code: int | None
    timed_out: bool
    total_s: float
    boot_s: float | None


def kernel_cmdline(extra: str = "") -> str:
    """The guest's command line.

    panic=-1 with -no-reboot ends QEMU at once; oops=panic makes a broken kernel a panic and not a
    measurement.
    """
    base = "console=ttyS0 loglevel=4 panic=-1 oops=panic"
    return f"{base} {extra}".strip()


def qemu_argv(spec: VmSpec) -> list[str]:
    """QEMU's command line for a machine."""
    # Multi-threaded TCG runs each vCPU on a host thread of its own; -cpu max has what KVM's host CPU
    # would have, as far as TCG knows it.
    accel = "tcg,thread=multi" if spec.accelerator == "tcg" else spec.accelerator
    cpu = "max" if spec.accelerator == "tcg" else "host"
    return [
        QEMU,
        # Without the HPET: with it, one emulated boot in some sixty on a loaded host stopped for good
        # right after the kernel had set it up (QEMU 10.0, Linux 7.2).
        *("-machine", "q35,usb=off,vmport=off,hpet=off"),
        *("-accel", accel),
        *("-cpu", cpu),
        *("-smp", str(spec.vcpus)),
        *("-m", f"{spec.memory_mib}M"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-nic", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-serial", f"file:{spec.out / 'console.log'}"),
        *("-kernel", str(spec.kernel)),
        *("-initrd", str(spec.initramfs)),
        *("-append", kernel_cmdline(spec.cmdline)),
        *("-drive", f"file={spec.image},if=virtio,format=raw,readonly=on,cache=unsafe"),
        *_share(spec.inputs, "job_in", readonly=True),
        *_share(spec.out, "job_out", readonly=False),
    ]


def _share(folder: Path, tag: str, readonly: bool) -> list[str]:
    # mapped-xattr would hide files from their reader; none keeps plain files whoever runs QEMU.
    option = ",readonly=on" if readonly else ""
    return [
        "-virtfs",
        f"local,path={folder},mount_tag={tag},security_model=none,multidevs=remap{option}",
    ]


def launch(spec: VmSpec, boot_s: float, total_s: float, parent: int | None = None) -> VmExit:
    """Run a machine to its end, or kill it: at `boot_s` without a first line, at `total_s` anyway.

    Raises HarnessError when QEMU cannot be started, or when the process `parent` has ended: a killed
    Snakemake leaves its jobs running, and nobody would read the result.
    """
    argv = qemu_argv(spec)
    started = spec.out / "agent.jsonl"
    begin = time.monotonic()
    boot: float | None = None
    timed_out = False
    parent_ended = _watch(parent)
    with (spec.out / "qemu.log").open("ab") as log:
        try:
            vm = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        except FileNotFoundError as error:
            raise HarnessError(f"{QEMU} not found: run `scxval doctor`") from error
        try:
            while vm.poll() is None:
                waited = time.monotonic() - begin
                if boot is None and started.exists():
                    boot = waited
                if waited > total_s or (boot is None and waited > boot_s):
                    timed_out = True
                    break
                if parent_ended():
                    raise HarnessError("the process that asked for this run is gone")
                time.sleep(POLL_S)
        finally:
            if vm.poll() is None:
                vm.kill()
            vm.wait()
    return VmExit(
        exit_code=None if timed_out else vm.returncode,
        timed_out=timed_out,
        total_s=time.monotonic() - begin,
        boot_s=boot,
    )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(pid: int | None) -> Callable[[], bool]:
    """A check whether a process has ended; it holds the process itself, not a number reused later."""
    if pid is None:
        return lambda: False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return lambda: True
    return lambda: bool(select.select([handle], [], [], 0)[0])


def qemu_version() -> str:
    """The first line of QEMU's version output. Raises HarnessError when there is no QEMU."""
    try:
        done = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HarnessError(f"{QEMU} does not run: {error}") from error
    return done.stdout.splitlines()[0]

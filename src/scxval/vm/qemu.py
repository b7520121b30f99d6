# SPDX-License-Identifier: MIT
"""The `qemu` launcher: kernel, small initramfs, read-only image under an overlay, one job folder.

No network, no udev, no shared state between machines.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from scxval.catalog.model import Machine
from scxval.errors import HarnessError
from scxval.vm.launch import VmSpec, kernel_cmdline

QEMU = "qemu-system-x86_64"
# Without the HPET: with it, one emulated boot in some sixty on a loaded host stopped for good right after
# the kernel had set it up (QEMU 10.0, Linux 7.2).
BOARD = ("-machine", "q35,usb=off,vmport=off,hpet=off")
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def argv(spec: VmSpec) -> list[str]:
    """QEMU's command line for a machine."""
    return [
        *hardware(spec),
        *processor(spec.machine),
        *("-append", kernel_cmdline(_cmdline(spec))),
        *("-drive", f"file={spec.guest.image},if=virtio,format=raw,readonly=on,cache=unsafe"),
        *share(spec.inputs, "job_in", readonly=True),
        *share(spec.out, "job_out", readonly=False),
        *_boot(spec),
    ]


def hardware(spec: VmSpec) -> list[str]:
    """The part of the command line that every accelerator has: CPUs, memory, console, kernel."""
    return [
        QEMU,
        *("-smp", topology(spec.machine)),
        *("-m", f"{spec.machine.memory_mib}M"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-nic", "none"),
        *("-sandbox", SANDBOX),
        *("-serial", f"file:{spec.out / 'console.log'}"),
        *("-kernel", str(spec.guest.kernel)),
        *("-initrd", str(spec.guest.initramfs)),
    ]


def topology(machine: Machine) -> str:
    """The value of -smp: one socket a last-level cache.

    Sockets and not dies, because no cache spans two of them, whatever the CPU model and the host.
    """
    cores = machine.vcpus // (machine.llcs * machine.threads)
    return f"{machine.vcpus},sockets={machine.llcs},dies=1,cores={cores},threads={machine.threads}"


def processor(machine: Machine) -> list[str]:
    """The board and its CPUs, the same for every launcher."""
    # Multi-threaded TCG runs each vCPU on a host thread of its own; -cpu max has what KVM's host CPU
    # would have, as far as TCG knows it.
    accel = "tcg,thread=multi" if machine.accelerator == "tcg" else machine.accelerator
    return [
        *BOARD,
        *("-accel", accel),
        *("-cpu", "max" if machine.accelerator == "tcg" else "host"),
    ]


def _boot(spec: VmSpec) -> list[str]:
    """A machine that is or was saved has a second serial line, on which the guest waits to be let go."""
    if spec.machine.boot == "cold":
        return []
    if spec.guest.state is None:
        return ["-serial", "null"]
    line = f"file,id=release,path=/dev/null,input-path={_release_file(spec)}"
    return [
        *("-chardev", line),
        *("-serial", "chardev:release"),
        *("-incoming", f"file:{spec.guest.state}"),
    ]


def release(spec: VmSpec) -> None:
    """Write what lets a restored guest go: the time, and a seed of its own (scxval.agent.held)."""
    if spec.guest.state is None:
        return
    _release_file(spec).write_text(
        f"\n\n\n\ngo {time.time_ns()} {os.urandom(32).hex()}\n", encoding="ascii"
    )


def _release_file(spec: VmSpec) -> Path:
    return spec.work / "release"


def _cmdline(spec: VmSpec) -> str:
    return spec.cmdline if spec.machine.boot == "cold" else f"scxval.hold {spec.cmdline}"


def share(folder: Path, tag: str, readonly: bool) -> list[str]:
    """A host folder that the guest can mount by 9p."""
    # mapped-xattr would hide files from their reader; none keeps plain files whoever runs QEMU.
    option = ",readonly=on" if readonly else ""
    return [
        "-virtfs",
        f"local,path={folder},mount_tag={tag},security_model=none,multidevs=remap{option}",
    ]


def version() -> str:
    """The first line of QEMU's version output. Raises HarnessError when there is no QEMU."""
    try:
        done = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HarnessError(f"{QEMU} does not run: {error}") from error
    return done.stdout.splitlines()[0]

# SPDX-License-Identifier: MIT
"""The `vng` launcher: the machine that virtme-ng makes of the same kernel, modules and image.

virtme-ng is asked for its QEMU command and nothing else: its initramfs, its devices and kernel
arguments, its init in the guest. The command is then run as the `qemu` launcher's is. virtme-ng's own
processes in between (vng, a shell, virtme-run) would leave QEMU behind when they are killed.
"""

from __future__ import annotations

import mmap
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path

from scxval.errors import HarnessError, ScxvalError
from scxval.vm import qemu
from scxval.vm.launch import VmSpec, kernel_cmdline

# Folders that the guest may write to, in memory; the image itself is read-only.
WRITABLE = ("/boot", "/etc", "/home", "/job", "/opt", "/root", "/srv", "/usr", "/var")
START = "exec sh /job/in/scxval/agent/guest_init.sh"
# Linux arch/x86/include/asm/setup.h: COMMAND_LINE_SIZE; the kernel drops what is beyond it.
COMMAND_LINE_MAX = 2048


def argv(spec: VmSpec) -> list[str]:
    """QEMU's command line as virtme-ng makes it, with the console in console.log and the sandbox on.

    Raises ScxvalError when the machine's `cmdline` is too long, HarnessError when virtme-ng fails.
    """
    folder = spec.work / "vng"
    kernel = unpack(spec.guest.kernel, spec.guest.initramfs, folder)
    for config in folder.glob("config-*"):
        # guest_init.sh takes it from there to /boot.
        shutil.copy(config, spec.inputs)
    command = virtme_run(spec, kernel, folder)
    if len(command[command.index("-append") + 1]) >= COMMAND_LINE_MAX:
        raise ScxvalError(
            f"machine {spec.machine.name!r}: a kernel command line of {COMMAND_LINE_MAX} bytes or more; "
            "shorten its cmdline"
        )
    return [
        *(_output(word, spec.out / "console.log") for word in command),
        *qemu.processor(spec.machine),
        *("-no-user-config", "-sandbox", qemu.SANDBOX),
    ]


def unpack(kernel: Path, initramfs: Path, folder: Path) -> Path:
    """Lay the kernel and the initramfs's modules and busybox out as virtme-ng looks for them.

    Returns the kernel's path there: virtme-ng takes the modules from the lib/modules beside it.
    """
    folder.mkdir()
    with initramfs.open("rb") as archive:
        subprocess.run(
            ["cpio", "-i", "-d", "--quiet", "modules/*.ko", "bin/busybox", "config-*"],
            stdin=archive,
            cwd=folder,
            check=True,
        )
    (folder / "lib/modules").mkdir(parents=True)
    (folder / "modules").rename(folder / "lib/modules" / release(kernel))
    link = folder / "vmlinux"
    link.symlink_to(kernel)
    return link


def release(kernel: Path) -> str:
    """The release of an unpacked kernel (7.2.12+deb14-amd64). Raises HarnessError without one."""
    with kernel.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = re.search(rb"Linux version (\S+)", data)
        if found is None:
            raise HarnessError(f"{kernel} has no `Linux version`: not an unpacked kernel")
        return found[1].decode()


def virtme_run(spec: VmSpec, kernel: Path, folder: Path) -> list[str]:
    """The QEMU command that virtme-run would run. Raises HarnessError when it makes none."""
    command = [
        str(Path(sys.executable).parent / "virtme-run"),
        *("--dry-run", "--show-command", "--save-initramfs", str(folder / "initramfs")),
        *("--kimg", str(kernel), "--mods", "auto", "--busybox", str(folder / "bin/busybox")),
        *("--root-disk", str(spec.guest.image), "--root-fstype", "erofs"),
        # The accelerator is ours to name: virtme-ng's `kvm:tcg` would emulate without a word. 9p
        # needs no daemon that could outlive QEMU, and the qemu launcher's guests have it too.
        *("--disable-kvm", "--disable-microvm", "--force-9p"),
        *("--rodir", f"/job/in={spec.inputs}", "--rwdir", f"/job/out={spec.out}"),
        *(word for name in WRITABLE for word in ("--overlay-rwdir", name)),
        *("--cpus", str(spec.machine.vcpus), "--memory", f"{spec.machine.memory_mib}M"),
        *("--script-sh", START, "--show-boot-console"),
        *(f"--kopt={word}" for word in kernel_cmdline(spec.cmdline).split()),
    ]
    # Its settings and caches are in the home folder; nobody's may change a run.
    env = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env
        )
    except FileNotFoundError as error:
        raise HarnessError("virtme-ng is not installed: run `make setup`") from error
    made = shlex.split(done.stdout)
    if done.returncode != 0 or "-append" not in made:
        last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise HarnessError(f"virtme-run makes no command: {last}")
    return made


def _output(word: str, console: Path) -> str:
    """A word of the command; what would be written to virtme-ng's caller goes to the console's file.

    The initramfs has no driver for the ports that carry a script's output, so that virtme-ng's init
    leaves it on the console; nothing comes out of the ports.
    """
    if not word.startswith("file,id="):
        return word
    name = word.partition(",path=")[0]
    path = str(console) if name == "file,id=console" else "/dev/null"
    return f"{name},path={path.replace(',', ',,')}"


def version() -> str:
    """virtme-ng's version and QEMU's. Raises HarnessError when one is missing."""
    try:
        own = package_version("virtme-ng")
    except PackageNotFoundError as error:
        raise HarnessError("virtme-ng is not installed: run `make setup`") from error
    return f"virtme-ng {own}, {qemu.version()}"

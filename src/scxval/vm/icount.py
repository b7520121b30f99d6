# SPDX-License-Identifier: MIT
"""The `icount` launcher: an emulated machine whose time is the number of instructions it has executed.

Two runs of the same job are the same, instruction by instruction, as long as nothing of the host comes
in. So image and job are in the initramfs, results leave by 9p once the job has ended, the clock starts
at a fixed date, and QEMU's random numbers are seeded. All vCPUs take turns in one thread: QEMU refuses
icount with one thread each (docs/configuration.md, Machines).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from scxval.vm import qemu
from scxval.vm.launch import VmSpec, kernel_cmdline

# Where provision.kernel's init script looks for them.
IMAGE = "guest.erofs"
INPUTS = "job/in"
CHUNK = 1 << 20
# idle=poll: for an idle CPU that halts, QEMU's main thread moves the clock, beside the thread that counts
# instructions. One pair of runs in some fifteen parted so on a busy host (QEMU 10.0); none that spun has.
CMDLINE = "nokaslr idle=poll"


def argv(spec: VmSpec) -> list[str]:
    """QEMU's command line for a machine."""
    return [
        *qemu.hardware(spec),
        *qemu.BOARD,
        *("-accel", "tcg,thread=single"),
        # Without sleep=off an idle guest waits for the host's clock.
        *("-icount", f"shift={spec.machine.icount_shift},sleep=off"),
        *("-rtc", "base=2026-01-01T00:00:00,clock=vm"),
        *("-seed", "1"),
        *("-cpu", "max"),
        *("-append", kernel_cmdline(f"{CMDLINE} {spec.cmdline}".strip())),
        *qemu.share(spec.out, "job_out", readonly=False),
    ]


def version() -> str:
    """The first line of QEMU's version output. Raises HarnessError when there is no QEMU."""
    return qemu.version()


def prepare(spec: VmSpec) -> VmSpec:
    """The machine with an initramfs of its own that holds image and job as well."""
    whole = spec.work / "initramfs.cpio"
    with whole.open("wb") as out:
        _copy(spec.guest.initramfs, out)
        _pad(out)
        _archive(out, members(spec))
    return dataclasses.replace(spec, guest=dataclasses.replace(spec.guest, initramfs=whole))


def members(spec: VmSpec) -> Iterable[tuple[str, Path]]:
    """Names in the initramfs and the files for them, folders before what is in them."""
    yield IMAGE, spec.guest.image
    yield str(Path(INPUTS).parent), spec.inputs
    yield INPUTS, spec.inputs
    for path in sorted(spec.inputs.rglob("*")):
        yield f"{INPUTS}/{path.relative_to(spec.inputs)}", path


def _archive(out: BinaryIO, files: Iterable[tuple[str, Path]]) -> None:
    """Append a newc archive (Linux Documentation/driver-api/early-userspace/buffer-format.rst).

    Its bytes depend on names, modes and contents alone: no times, no owners.
    """
    for number, (name, path) in enumerate(files, start=1):
        folder = path.is_dir()
        mode = 0o040755 if folder else 0o100000 | (path.stat().st_mode & 0o777)
        _header(out, name, number, mode, 0 if folder else path.stat().st_size)
        if not folder:
            _copy(path, out)
            _pad(out)
    _header(out, "TRAILER!!!", 0, 0, 0)


def _header(out: BinaryIO, name: str, number: int, mode: int, size: int) -> None:
    # ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
    fields = (number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name.encode()) + 1, 0)
    out.write(b"070701" + "".join(f"{field:08x}" for field in fields).encode())
    out.write(name.encode() + b"\0")
    _pad(out)


def _copy(source: Path, out: BinaryIO) -> None:
    with source.open("rb") as data:
        while chunk := data.read(CHUNK):
            out.write(chunk)


def _pad(out: BinaryIO) -> None:
    out.write(bytes(-out.tell() % 4))

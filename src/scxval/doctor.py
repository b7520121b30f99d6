# SPDX-License-Identifier: MIT
"""What works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scxval.catalog.matrix import memory_mib
from scxval.vm.space import QEMU_MIB, available_memory_mib

# Host program -> the Debian package that has it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.erofs": "erofs-utils",
    "cpio": "cpio",
    "depmod": "kmod",
    "zstd": "zstd",
    "xz": "xz-utils",
    "strings": "binutils",
}
QEMU_MINIMUM = 10
DISK_MIB = 8192
# The build root is unpacked in the temporary folder.
TEMPORARY_MIB = 4096
MEMORY_MIB = 4096
# The shipped machines.
GUEST_MIB = 2048


@dataclass(frozen=True)
class Finding:
    """One check: `fatal` when nothing can run without it; `fix` is a command or ""."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    fatal: bool = True


def examine(root: Path) -> list[Finding]:
    """Every check, in the order in which set-up needs them."""
    checks: list[Callable[[], Finding]] = [
        check_python,
        *(lambda name=name: check_program(name) for name in PROGRAMS),
        check_qemu,
        check_namespaces,
        lambda: check_disk(root, DISK_MIB, "free some space"),
        lambda: check_disk(
            Path(tempfile.gettempdir()), TEMPORARY_MIB, "set TMPDIR to a folder on a larger disk"
        ),
        check_memory,
        check_available_memory,
        check_kvm_device,
        lambda: check_provisioned(root),
        lambda: check_probe(root),
    ]
    return [check() for check in checks]


def check_python() -> Finding:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python 3.11 or newer", sys.version_info >= (3, 11), version)


def check_program(name: str) -> Finding:
    """A host program on PATH; sbin folders count, as they may be missing from a user's PATH."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    fix = f"apt-get install --no-install-recommends {PROGRAMS[name]}"
    return Finding(name, path is not None, path or "not found", fix)


def check_qemu() -> Finding:
    """QEMU, new enough: 7.2's multi-threaded emulation panics the guest when a scheduler detaches."""
    name = f"QEMU {QEMU_MINIMUM} or newer"
    fix = "sh envs/host.sh (as root; QEMU 10 is in bookworm's backports)"
    try:
        text = subprocess.run(
            ["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return Finding(name, False, "not found", fix)
    version = re.search(r"version (\d+)[\d.]*", text)
    ok = version is not None and int(version[1]) >= QEMU_MINIMUM
    return Finding(name, ok, text.splitlines()[0], fix)


def check_namespaces() -> Finding:
    """Making roots needs root, or user namespaces with a range of ids."""
    name = "root or user namespaces, for making images"
    if os.geteuid() == 0:
        return Finding(name, True, "root")
    done = subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False)
    if done.returncode != 0:
        fix = "sysctl kernel.unprivileged_userns_clone=1 (as root)"
        return Finding(name, False, "user namespaces are not allowed here", fix)
    if shutil.which("newuidmap") is None:
        return Finding(name, False, "no newuidmap", "apt-get install uidmap (as root)")
    user = os.environ.get("USER", str(os.getuid()))
    ranges = Path("/etc/subuid")
    known = ranges.read_text(encoding="utf-8") if ranges.exists() else ""
    if not re.search(rf"^({re.escape(user)}|{os.getuid()}):", known, re.MULTILINE):
        fix = f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user} (as root)"
        return Finding(name, False, f"no id range for {user} in {ranges}", fix)
    return Finding(name, True, f"user namespaces for {user}")


def check_disk(folder: Path, needed_mib: int, fix: str) -> Finding:
    """Free space below a folder."""
    free = shutil.disk_usage(folder).free >> 20
    return Finding(f"{needed_mib} MiB in {folder}", free >= needed_mib, f"{free} MiB free", fix)


def check_memory() -> Finding:
    """Memory for one guest and a build."""
    have = memory_mib()
    return Finding(f"{MEMORY_MIB} MiB of memory", have >= MEMORY_MIB, f"{have} MiB")


def check_available_memory() -> Finding:
    """Memory that one guest can have now; a sweep asks for what its own machines need."""
    have = available_memory_mib()
    name = f"{GUEST_MIB + QEMU_MIB} MiB of memory available now"
    fix = "end other programs"
    return Finding(name, have >= GUEST_MIB + QEMU_MIB, f"{have} MiB", fix, fatal=False)


def check_kvm_device() -> Finding:
    """Only whether the device can be opened; the probe boots a guest to know."""
    device = Path("/dev/kvm")
    if not device.exists():
        detail, fix = "no such device: runs are emulated, and slow", "load kvm_intel or kvm_amd"
    elif not os.access(device, os.R_OK | os.W_OK):
        detail, fix = "no permission", "adduser $USER kvm (as root), and log in again"
    else:
        return Finding(
            "KVM device", True, "opens (see the probe for whether it works)", fatal=False
        )
    return Finding("KVM device", False, detail, fix, fatal=False)


def check_provisioned(root: Path) -> Finding:
    """Guest files."""
    kernels = sorted(path.parent.name for path in (root / "resources/kernel").glob("*/vmlinux"))
    image = (root / "resources/guest/guest.erofs").exists()
    detail = f"{', '.join(kernels) or 'no kernel'}; {'an image' if image else 'no image'}"
    return Finding("guest files", bool(kernels) and image, detail, "make provision", fatal=False)


def check_probe(root: Path) -> Finding:
    """What the probe proved."""
    path = root / "resources/probe/accelerator.json"
    fix = "make provision"
    if not path.exists():
        return Finding("accelerator", False, "not probed yet", fix, fatal=False)
    record = json.loads(path.read_text(encoding="utf-8"))
    node = record.pop("node", {}).get("name", "")
    detail = (f"proved on node {node}: " if node else "") + "; ".join(
        f"{name} {'works' if entry['works'] else 'fails: ' + entry['reason']}"
        for name, entry in record.items()
    )
    return Finding(
        "accelerator", any(e["works"] for e in record.values()), detail, fix, fatal=False
    )


def format_findings(findings: list[Finding]) -> str:
    """One line a check, with the mend below what is not in order."""
    lines = []
    for finding in findings:
        mark = "ok     " if finding.ok else "MISSING" if finding.fatal else "note   "
        lines.append(f"{mark} {finding.name}: {finding.detail}")
        if not finding.ok and finding.fix:
            lines.append(f"        -> {finding.fix}")
    return "\n".join(lines)

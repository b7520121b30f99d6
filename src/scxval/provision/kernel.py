# SPDX-License-Identifier: MIT
"""The guest's kernel and its initramfs, and the kernel's source for its own sched_ext schedulers.

Debian splits the kernel: linux-binary-<v> has vmlinuz, linux-modules-<v> the modules, linux-base-<v> the
configuration. virtio_pci is built in (7.2); the disk, loop, the image's file system, overlay and 9p are
modules, which the initramfs loads in order of their dependencies.
"""

from __future__ import annotations

import argparse
import lzma
import os
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from scxval.errors import HarnessError, run_step
from scxval.files import sha256
from scxval.provision.lock import check_lock, format_lock
from scxval.provision.mmdebstrap import bootstrap, work_folder
from scxval.provision.settings import Settings, settings_argument, settings_from

MODULES = ("virtio_blk", "loop", "erofs", "overlay", "9p", "9pnet_virtio")

INIT = """#!/bin/busybox sh
# Loads what the root needs, mounts the image under an overlay in memory, and goes there. Image and job
# come from the host, or are in this initramfs already (scxval.vm.icount).
/bin/busybox --install -s /bin
mkdir -p /dev /proc /sys /image /memory /root
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules.order); do insmod /modules/$module; done
if [ -e /guest.erofs ]; then image=/guest.erofs loop=,loop; else image=/dev/vda loop=; fi
mount -t erofs -o ro$loop $image /image || exec sleep 1
mount -t tmpfs tmpfs /memory
mkdir -p /memory/upper /memory/work
mount -t overlay -o lowerdir=/image,upperdir=/memory/upper,workdir=/memory/work overlay /root
mkdir -p /root/job/in /root/job/out /root/boot
# libbpf reads it for a scheduler that asks for CONFIG_HZ or the like, and refuses to load one without it.
cp /config-* /root/boot/
if [ -e /job/in ]; then
  cp -a /job/in/. /root/job/in
else
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro job_in /root/job/in
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 job_out /root/job/out
fi
exec switch_root /root /bin/sh /job/in/scxval/agent/guest_init.sh
"""

# Runs in the new root's folder with apt set to the configured suite; picks the newest kernel whose
# version is, or begins with, the configured one.
DOWNLOAD = (
    'cd "$1" && mkdir -p debs && cd debs && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; '
    "binary=$(apt-cache pkgnames linux-binary-{version} "
    r"| grep -E '^linux-binary-{pattern}(\.[0-9]+)*\+deb[0-9]+-amd64$' | sort -V | tail -n 1); "
    'test -n "$binary" || {{ echo "no kernel {version} in this suite" >&2; exit 1; }}; '
    'apt-get download "$binary" "linux-modules-${{binary#linux-binary-}}" '
    '"linux-base-${{binary#linux-binary-}}" linux-source-{series} busybox-static'
)


def download_hook(version: str) -> str:
    """The hook for a configured version: a series (7.2) or an exact one (7.2.12)."""
    return DOWNLOAD.format(
        version=version,
        pattern=version.replace(".", r"\."),
        series=".".join(version.split(".")[:2]),
    )


def make(settings: Settings, suite: str, version: str, output: Path, committed: Path) -> None:
    """Leave vmlinux, initramfs.cpio, source.deb and lock.txt in `output`."""
    with work_folder() as work:
        hooks = [
            download_hook(version),
            f"copy-out /debs {shlex.quote(str(work))}",
        ]
        bootstrap(settings, variant="custom", hooks=hooks, suites=[suite])
        debs = {deb.name.split("_")[0]: deb for deb in (work / "debs").glob("*.deb")}
        lock = format_lock(
            ((name, _deb_version(deb), sha256(deb)) for name, deb in debs.items()), "kernel"
        )
        check_lock(lock, committed, settings.lock)
        output.mkdir(parents=True, exist_ok=True)
        source = next(name for name in debs if name.startswith("linux-source"))
        shutil.move(debs.pop(source), output / "source.deb")
        for deb in debs.values():
            subprocess.run(["dpkg-deb", "-x", str(deb), str(work / "root")], check=True)
        vmlinuz = next((work / "root").glob("usr/lib/modules/*/vmlinuz"))
        (output / "vmlinux").write_bytes(unpack_vmlinuz(vmlinuz.read_bytes()))
        make_initramfs(work / "root", vmlinuz.parent.name, output / "initramfs.cpio")
        (output / "lock.txt").write_text(lock, encoding="utf-8")


def unpack_vmlinuz(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage; QEMU boots it by its PVH entry point.

    An emulated guest would take two seconds to decompress itself. The payload's place is in the boot
    header (Linux Documentation/arch/x86/boot.rst, protocol 2.08 and later). Raises HarnessError.
    """
    if image[0x202:0x206] != b"HdrS":
        raise HarnessError("vmlinuz is not a bzImage")
    sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    # The last four bytes are the unpacked size, which the decompressors take for trailing garbage.
    payload = image[start : start + length - 4]
    command = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zX": "xz", b"\x02\x21\x4c\x18": "lz4"}
    tool = command.get(payload[:4], "gzip")
    done = subprocess.run([tool, "-dc"], input=payload, capture_output=True)
    if not done.stdout.startswith(b"\x7fELF"):
        raise HarnessError(f"no kernel in vmlinuz: {tool}: {done.stderr.decode().strip()}")
    return done.stdout


def _deb_version(deb: Path) -> str:
    done = subprocess.run(
        ["dpkg-deb", "-f", str(deb), "Version"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def make_initramfs(root: Path, release: str, output: Path) -> None:
    """An initramfs of busybox, the modules in loading order, and the init script."""
    tree = root.parent / "initramfs"
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy(next(root.glob("**/bin/busybox")), tree / "bin/busybox")
    order = module_order(root, release)
    for path in order:
        data = lzma.decompress((root / "usr/lib/modules" / release / path).read_bytes())
        (tree / "modules" / Path(path).stem).write_bytes(data)
    names = "\n".join(Path(path).stem for path in order)
    (tree / "modules.order").write_text(names + "\n", encoding="utf-8")
    shutil.copy(root / "usr/lib/modules" / release / "config", tree / f"config-{release}")
    (tree / "init").write_text(INIT, encoding="utf-8")
    (tree / "init").chmod(0o755)
    members = sorted(tree.rglob("*"))
    for member in members:
        # The archive's bytes depend on its contents alone, so that its digest says something.
        os.utime(member, (0, 0))
    names_in = "".join(f"{member.relative_to(tree)}\n" for member in members)
    with output.open("wb") as archive:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "--reproducible"],
            input=names_in.encode(),
            stdout=archive,
            cwd=tree,
            check=True,
        )


def module_order(root: Path, release: str) -> list[str]:
    """Paths of MODULES and what they need, dependencies first, by depmod on the unpacked package."""
    done = subprocess.run(
        ["depmod", "-n", "-b", str(root / "usr"), release],
        capture_output=True,
        text=True,
        check=True,
    )
    needs: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        path, colon, rest = line.partition(":")
        if colon and path.endswith(".ko.xz"):
            needs[path] = rest.split()
    by_name = {Path(path).name.removesuffix(".ko.xz"): path for path in needs}
    order: list[str] = []

    def add(path: str) -> None:
        for other in reversed(needs[path]):
            add(other)
        if path not in order:
            order.append(path)

    for name in MODULES:
        if name not in by_name:
            raise HarnessError(f"kernel {release} has no module {name}: not usable as a guest")
        add(by_name[name])
    return order


def main() -> None:
    """Command line of the kernel rule."""
    parser = argparse.ArgumentParser(description=make.__doc__)
    settings_argument(parser)
    parser.add_argument("--suite", required=True, help="the Debian suite that has the kernel")
    parser.add_argument("--version", required=True, help="7.2 or 7.2.12")
    parser.add_argument("--output", type=Path, required=True, help="the kernel's folder")
    parser.add_argument("--lock", type=Path, required=True, help="the committed lock")
    args = parser.parse_args()
    make(settings_from(args.settings), args.suite, args.version, args.output, args.lock)


if __name__ == "__main__":
    sys.exit(run_step(main))
